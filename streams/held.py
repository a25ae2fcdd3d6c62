"""Rebuild, from the table itself, which raw coordinates it holds."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl
import pyarrow as pa

from contracts.records import OFFSET, PARTITION, TOPIC
from streams.intervals import IntervalSet
from streams.land import Held


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
