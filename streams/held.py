"""Rebuild, from the table itself, which raw coordinates it holds; and tell which rows it lacks."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import polars as pl
import pyarrow as pa

from contracts.records import OFFSET, PARTITION, TOPIC
from streams.intervals import IntervalSet
from streams.land import Held


def fresh_rows(rows: pa.Table, held: Held) -> tuple[pa.Table, Held]:
    """Return the rows whose raw coordinates are not held, and what is held with them."""
    topics, partitions, offsets = (rows[name].to_numpy() for name in (TOPIC, PARTITION, OFFSET))
    fresh = np.zeros(rows.num_rows, bool)
    for topic in np.unique(topics):
        here = np.flatnonzero(topics == topic)
        fresh[here], held = held.without(str(topic), partitions[here], offsets[here])
    return rows.filter(pa.array(fresh)), held


def held_coordinates(batches: Iterable[pa.RecordBatch]) -> Held:
    """Return the coordinates in the batches' `_topic`, `_partition` and `_offset` columns: the table is the truth."""
    held: dict[tuple[str, int], IntervalSet] = {}
    for batch in batches:
        frame = pl.from_arrow(batch.select([TOPIC, PARTITION, OFFSET]))
        if not isinstance(frame, pl.DataFrame) or not frame.height:
            continue
        for (topic, partition), part in frame.group_by(TOPIC, PARTITION):
            key = (str(topic), int(partition))
            held[key] = held.get(key, IntervalSet()).union(IntervalSet.of(part[OFFSET].to_numpy()))
    return Held(held)
