"""From a served value back to the raw records it was made from, pure: which silver rows, at which coordinates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import polars as pl
import pyarrow as pa

from contracts.records import OFFSET, PARTITION, TOPIC
from features.aggregates import EVENT_TIMESTAMP, ROWS, rows_of_window
from features.gold import distinct_rows, events_of, told_rows
from features.plan import View
from lineage.facts import OffsetRange


@dataclass(frozen=True)
class Explanation:
    """One gold row, and the raw records behind it as offset ranges."""

    view: str
    entity: Mapping[str, Any]
    values: Mapping[str, Any]
    event_time: datetime
    gold_version: int
    silver: str
    silver_version: int
    rows: int
    """Silver rows in the largest window, as the gold row says."""
    found: int
    """Silver rows found by going back; equal to `rows`, or something is wrong."""
    offsets: tuple[OffsetRange, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the explanation as JSON values."""
        return asdict(self) | {"event_time": self.event_time.isoformat(), "offsets": [asdict(r) for r in self.offsets]}


def source_rows(view: View, silver: pa.Table, gold_row: Mapping[str, Any]) -> pl.DataFrame:
    """Return the silver rows that a gold row was made from. `silver` may be only the entity's rows, at the pinned version."""
    if not view.windows:
        place = [(pl.col(name) == gold_row[name]) for name in (TOPIC, PARTITION, OFFSET)]
        return _frame(silver).filter(*place)
    events = events_of(view, distinct_rows(view, told_rows(view, silver)))
    events = events.filter([pl.col(key) == gold_row[key] for key in view.keys])
    boundary: datetime = gold_row[EVENT_TIMESTAMP]
    return rows_of_window(view, events, round(boundary.timestamp() * 1_000_000))


def offset_ranges(rows: pl.DataFrame) -> tuple[OffsetRange, ...]:
    """Return the rows' raw coordinates as the fewest ranges, in order."""
    ranges: list[OffsetRange] = []
    places = rows.select(TOPIC, PARTITION, OFFSET).unique().sort(TOPIC, PARTITION, OFFSET)
    for topic, partition, offset in places.iter_rows():
        last = ranges[-1] if ranges else None
        if last is not None and (last.topic, last.partition, last.last_offset + 1) == (topic, partition, offset):
            ranges[-1] = OffsetRange(topic, partition, last.first_offset, offset)
        else:
            ranges.append(OffsetRange(topic, partition, offset, offset))
    return tuple(ranges)


def explanation(
    view: View, silver: pa.Table, gold_row: Mapping[str, Any], *, gold_version: int, silver_version: int
) -> Explanation:
    """Return where a gold row came from."""
    rows = source_rows(view, silver, gold_row)
    return Explanation(
        view=view.name,
        entity={key: gold_row[key] for key in view.keys},
        values={f.name: gold_row[f.name] for f in view.features if not f.embeds},
        event_time=gold_row[EVENT_TIMESTAMP],
        gold_version=gold_version,
        silver=view.dataset,
        silver_version=silver_version,
        rows=int(gold_row[ROWS]),
        found=rows.height,
        offsets=offset_ranges(rows),
    )


def _frame(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    if not isinstance(frame, pl.DataFrame):
        raise TypeError(type(frame))
    return frame
