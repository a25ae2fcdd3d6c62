"""Replay: what today's contract and code make of records that already have a fate, beside what the tables hold of them.

Nothing is decided by when a record is replayed: its coordinates, time and bytes are what they were. Duplicates stay what they
are, for they follow from the raw log alone and not from the contract: so the memory of duplicates is left out here.

A record's fate moves between two tables, which have no common commit. What keeps it single all the while is the mark
`_replay_id` of its quarantine row, which lets that row yield to silver (`contracts.records.QUARANTINE_SCHEMA`):

| the record | quarantine, first commit | silver, second commit | between the two |
| --- | --- | --- | --- |
| now obeys | its row is marked | the row is added | marked, not in silver: quarantined |
| is still refused, for another reason | its row tells the new one | | |
| obeyed, and no longer does | a marked row is added, or tells the new reason | the row is taken out | marked, in silver: silver |
| obeyed, and comes out otherwise | | the row is replaced | |
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import numpy as np
import polars as pl
import pyarrow as pa

from contracts.records import (
    CONTRACT_HASH,
    INGESTED_AT,
    KNOWN_AT,
    OFFSET,
    PARTITION,
    RECORD_SCHEMA,
    REPLAY_ID,
    TOPIC,
    VERSION_FIELD,
)
from streams.batches import binary_array
from streams.bronze import RawRecord
from streams.intervals import IntervalSet

Source = Literal["quarantine", "bronze"]
Spot = tuple[int, int]
"""A record's partition and offset, in the contract's raw topic."""

VERDICT = ("reason", "field", "rule")
"""What a dead letter says of why: where these stay, its row stays."""
CHANGED_BY_REPLAY = (CONTRACT_HASH, KNOWN_AT)
"""Columns of silver that tell of the replay itself: a row that differs in these alone is left as it is."""


@dataclass(frozen=True)
class Selection:
    """Which records are wanted. Empty parts select all."""

    source: Source = "quarantine"
    reasons: frozenset[str] = frozenset()
    since: datetime | None = None
    until: datetime | None = None
    offsets: Mapping[int, IntervalSet] = field(default_factory=dict)
    """By raw partition."""

    def chosen(self, rows: pa.Table, raw_topic: str) -> np.ndarray:
        """Say of each row (TOPIC, PARTITION, OFFSET, INGESTED_AT, of quarantine also `reason`) whether it is wanted."""
        frame = pl.DataFrame(pl.from_arrow(rows))
        wanted = pl.col(TOPIC) == raw_topic
        if self.since is not None:
            wanted &= pl.col(INGESTED_AT) >= self.since
        if self.until is not None:
            wanted &= pl.col(INGESTED_AT) < self.until
        if self.reasons and "reason" in frame.columns:
            wanted &= pl.col("reason").is_in(list(self.reasons))
        found: np.ndarray = frame.select(wanted.alias("wanted"))["wanted"].to_numpy()
        return found & within(rows, self.offsets) if self.offsets else found


@dataclass(frozen=True)
class Change:
    """What a part of a replay does to the two tables. Rows of silver have no knowledge time yet: their commit gives it."""

    silver_rows: pa.Table
    """To be written: rows that are new to silver, or come out otherwise."""
    silver_replaces: bool
    """Whether silver holds any of them already."""
    silver_gone: tuple[Spot, ...]
    """To be taken out of silver."""
    letters: pa.Table
    """Dead letters to be written, in DEAD_LETTER_SCHEMA and with their mark: new ones, and what is told of present ones."""
    marked: tuple[Spot, ...]
    """Whose quarantine rows are to yield to silver from now on."""


@dataclass
class Report:
    """What a replay came to, in counts."""

    selected: int = 0
    accepted: int = 0
    """Now in silver, and not before."""
    changed: int = 0
    """In silver before, and otherwise now."""
    columns: Counter[str] = field(default_factory=Counter)
    """Of the changed rows: in how many of them a column's value changed."""
    refused: int = 0
    """In silver before, and quarantined now."""
    rejected: Counter[str] = field(default_factory=Counter)
    """Still quarantined, or again, by today's reason."""
    unchanged: int = 0
    """As the tables had it already, quarantined ones included."""
    erased: int = 0
    """Their keys were destroyed: nobody can read them again."""
    absent: int = 0
    """Their dead letters carry no payload."""
    unlanded: int = 0
    """In no table yet: theirs is to be cleaned and landed first."""
    event_time: tuple[datetime, datetime] | None = None
    """First and last event time of the rows of silver that came, changed or went: what gold has to be computed anew for."""

    def touched(self, times: Iterable[datetime | None]) -> None:
        """Note event times of rows of silver that came, changed or went."""
        known = [time for time in times if time is not None]
        if known:
            spans = [*(self.event_time or ()), *known]
            self.event_time = (min(spans), max(spans))


def raw_batch(records: Sequence[RawRecord]) -> pa.RecordBatch:
    """Return kept records as the clean hop is given them, in the order of each partition."""
    ordered = sorted(records, key=lambda record: (record.partition, record.offset))
    columns = [
        pa.array([record.partition for record in ordered], pa.int32()),
        pa.array([record.offset for record in ordered], pa.int64()),
        pa.array([record.timestamp_ms for record in ordered], pa.int64()),
        binary_array([record.key for record in ordered]),
        binary_array([record.value for record in ordered]),
    ]
    if any(record.version is not None for record in ordered):
        columns.append(binary_array([record.version for record in ordered]))
        return pa.record_batch(columns, schema=pa.schema([*RECORD_SCHEMA, VERSION_FIELD]))
    return pa.record_batch(columns, schema=RECORD_SCHEMA)


def change_of(
    rows: pa.Table, letters: pa.Table, silver: pa.Table, quarantine: pa.Table, replay_id: str
) -> tuple[Change, dict[str, list[Spot]], Counter[str]]:
    """Return what is to be done, which records it does what to, and in how many rows each column changes.

    `rows` and `letters` are what the records come to today; `silver` and `quarantine` what the tables hold of these records.
    `rows` are in silver's own columns.
    """
    held, differs, was = set(spots_of(silver)), _differences(rows, silver), _held(quarantine)
    accepted, refused = spots_of(rows), spots_of(letters)
    new = [at for at, spot in enumerate(accepted) if spot not in held]
    other = [at for at, spot in enumerate(accepted) if differs.get(spot)]
    marks = [replay_id if spot in held else was[spot].mark if spot in was else None for spot in refused]
    verdicts = [_Told(**row, mark=mark) for row, mark in zip(letters.select(VERDICT).to_pylist(), marks, strict=True)]
    told = [at for at, spot in enumerate(refused) if not verdicts[at].stands(was.get(spot))]
    change = Change(
        silver_rows=rows.take(pa.array(sorted(new + other), pa.int64())),
        silver_replaces=bool(other),
        silver_gone=tuple(spot for spot in refused if spot in held),
        letters=letters.append_column(REPLAY_ID, pa.array(marks, pa.string())).take(pa.array(told, pa.int64())),
        marked=tuple(sorted(spot for spot in accepted if spot in was and was[spot].mark is None)),
    )
    fates = {
        "accepted": [accepted[at] for at in new],
        "changed": [accepted[at] for at in other],
        "refused": list(change.silver_gone),
        "rejected": [spot for spot in refused if spot not in held],
    }
    return change, fates, Counter(name for names in differs.values() for name in names)


@dataclass(frozen=True)
class _Told:
    """What a row of quarantine tells of its record."""

    reason: str
    field: str | None
    rule: str | None
    mark: str | None

    def stands(self, was: _Told | None) -> bool:
        """Say whether quarantine tells the same already, and yields to silver if this does."""
        if was is None or (self.mark is not None and was.mark is None):
            return False
        return (self.reason, self.field, self.rule) == (was.reason, was.field, was.rule)


def _held(quarantine: pa.Table) -> dict[Spot, _Told]:
    rows, marks = quarantine.select(VERDICT).to_pylist(), quarantine[REPLAY_ID].to_pylist()
    return {spot: _Told(**row, mark=mark) for spot, row, mark in zip(spots_of(quarantine), rows, marks, strict=True)}


def within(rows: pa.Table, offsets: Mapping[int, IntervalSet]) -> np.ndarray:
    """Say of each row (PARTITION, OFFSET) whether its record is among these."""
    partitions, at = rows[PARTITION].to_numpy(), rows[OFFSET].to_numpy()
    inside = np.zeros(rows.num_rows, bool)
    for partition, spans in offsets.items():
        here = partitions == partition
        inside[here] = spans.contains(at[here])
    return inside


def spans_of(spots: Sequence[Spot]) -> dict[int, IntervalSet]:
    """Return the records as sets of offsets, by partition."""
    found: dict[int, list[int]] = {}
    for partition, offset in spots:
        found.setdefault(partition, []).append(offset)
    return {partition: IntervalSet.of(np.array(offsets, np.int64)) for partition, offsets in found.items()}


def spots_of(table: pa.Table) -> list[Spot]:
    """Return the records that rows are of."""
    return list(zip(table[PARTITION].to_pylist(), table[OFFSET].to_pylist(), strict=True))


def _differences(rows: pa.Table, silver: pa.Table) -> dict[Spot, list[str]]:
    """Return, by record that both hold, the columns in which they differ; none for one whose row stays the same."""
    places = {spot: at for at, spot in enumerate(spots_of(silver))}
    common = [(at, places[spot]) for at, spot in enumerate(spots_of(rows)) if spot in places]
    one, other = (table.take(pa.array([pair[side] for pair in common], pa.int64())) for side, table in enumerate((rows, silver)))
    spots = spots_of(one)
    found: dict[Spot, list[str]] = {spot: [] for spot in spots}
    for name in rows.column_names:
        if name not in CHANGED_BY_REPLAY:
            for at in _unequal(one[name], other[name]):
                found[spots[at]].append(name)
    return found


def _unequal(one: pa.ChunkedArray, other: pa.ChunkedArray) -> list[int]:
    """Return where two columns differ; nulls equal nulls."""
    if pa.types.is_nested(one.type):
        return [at for at, (left, right) in enumerate(zip(one.to_pylist(), other.to_pylist(), strict=True)) if left != right]
    left, right = pl.Series(pl.from_arrow(one)), pl.Series(pl.from_arrow(other))
    return [int(at) for at in left.ne_missing(right).arg_true()]
