"""Read each entity's newest row from a gold table, in parts, so that neither the log nor its entities need fit in memory.

The log is read batch by batch and cut down to newest rows as it comes. Where there are more entities than a part may hold,
it is read once for each part, by a hash of the entity: equal within one process, which is all that is asked of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import polars as pl
import pyarrow as pa

from features.aggregates import EVENT_TIMESTAMP
from features.gold import CREATED_TIMESTAMP
from features.plan import View
from streams.connectors import delta

PART_ENTITIES = 100_000
_SAMPLE = 64
"""Entities are counted by every so-manieth of them: right to a few parts in a hundred where there are enough to matter."""


def newest_parts(view: View, uri: str, gold_version: int, until: str = "") -> Iterator[pa.Table]:
    """Yield each entity's newest row once, at or before `until` (ISO 8601) where it is given, a part of the entities at a time.

    At least one part, which is empty of an empty table. Holds about `PART_ENTITIES` rows, and as many of what was read.
    """
    count = parts_needed(view, uri, gold_version)
    for part in range(count):
        yield _newest(view, uri, gold_version, datetime.fromisoformat(until) if until else None, part, count)


def parts_needed(view: View, uri: str, gold_version: int) -> int:
    """Return in how many parts the table's entities are read."""
    if delta.row_count(uri, gold_version) <= PART_ENTITIES:
        return 1
    sampled: set[int] = set()
    for batch in delta.batches(uri, columns=view.keys, table_version=gold_version):
        hashes = _hashes(_frame(batch), view)
        sampled.update(hashes.filter(hashes % _SAMPLE == 0).unique().to_list())
    return max(1, -(-len(sampled) * _SAMPLE // PART_ENTITIES))


def _newest(view: View, uri: str, gold_version: int, until: datetime | None, part: int, count: int) -> pa.Table:
    columns = [*view.keys, *(feature.name for feature in view.features), EVENT_TIMESTAMP, CREATED_TIMESTAMP]
    kept: list[pl.DataFrame] = []
    waiting = 0
    for batch in delta.batches(uri, columns=columns, table_version=gold_version):
        frame = _frame(batch)
        if until is not None:
            frame = frame.filter(pl.col(EVENT_TIMESTAMP) <= until)
        if count > 1:
            frame = frame.filter(_hashes(frame, view) // _SAMPLE % count == part)
        kept.append(frame)
        waiting += frame.height
        if waiting > 2 * PART_ENTITIES:
            kept = [_reduced(view, kept)]
            waiting = 0
    if not kept:
        schema = delta.schema(uri, gold_version)[1]
        return pa.schema([schema.field(name) for name in columns]).empty_table()
    return _reduced(view, kept).to_arrow()


def _reduced(view: View, frames: list[pl.DataFrame]) -> pl.DataFrame:
    rows = pl.concat(frames).sort(*view.keys, EVENT_TIMESTAMP, CREATED_TIMESTAMP)
    return rows.unique(list(view.keys), keep="last", maintain_order=True)


def _frame(batch: pa.RecordBatch) -> pl.DataFrame:
    frame = pl.from_arrow(batch)
    assert isinstance(frame, pl.DataFrame)  # noqa: S101  a batch is never a series
    return frame


def _hashes(frame: pl.DataFrame, view: View) -> pl.Series:
    return frame.select(view.keys).hash_rows(seed=0)
