"""The audit of law L2: every raw offset has exactly one fate, judged offset by offset, never by counts.

It is told three things and trusts none of the jobs' own books: what the broker gives a plain reader, partition by
partition; the raw coordinates found in silver; those found in quarantine, with their reasons. Of each offset below the
partition's end it then says one of

| fate | when |
| --- | --- |
| silver | once in silver, not in quarantine |
| quarantine | once in quarantine, not in silver; counted by reason. A row that a replay has marked yields to silver |
| void | in no table, and a reader is not given it: a transaction marker, aborted, compacted away |
| expired unread | in no table, and below the log's start: nobody will ever know. An alarm |
| missing | in no table, though the broker has it |
| doubled | more than once: in silver, in quarantine, or in both |

and of coordinates in tables that the broker never had, that they are strangers. The six counts add up to the end
offset. Everything is array work on sorted offsets: a million in a fraction of a second.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from contracts.records import OFFSET, PARTITION, REPLAY_ID, TOPIC, Reason
from lineage.verdicts import Array, AuditReport, DatasetVerdict, Offsets, PartitionVerdict

Layer = Literal["silver", "quarantine"]

SILVER_COLUMNS = (TOPIC, PARTITION, OFFSET)
QUARANTINE_COLUMNS = (*SILVER_COLUMNS, "reason", REPLAY_ID)
TWICE_IN_SILVER, TWICE_IN_QUARANTINE, IN_BOTH = "silver", "quarantine", "silver and quarantine"


class Present(Protocol):
    """What the broker holds of one partition."""

    @property
    def start(self) -> int:
        """First offset of the log; what was before has expired."""
        ...

    @property
    def end(self) -> int:
        """Offset that the next record will have."""
        ...

    @property
    def offsets(self) -> Array:
        """The offsets that a reader of committed records is given, in order."""
        ...


class RawReader(Protocol):
    """Reads raw topics, on its own, as any consumer would that believes committed records alone."""

    def present(self, topic: str) -> Mapping[int, Present]:
        """Return what the broker holds of each partition; nothing for a topic that is not there."""
        ...

    def ends(self, topic: str) -> Mapping[int, int]:
        """Return the end offset of each partition as it is now."""
        ...


class TableReader(Protocol):
    """Reads the coordinates that a dataset's tables hold."""

    def coordinates(self, dataset: str, layer: Layer) -> pa.Table:
        """Return SILVER_COLUMNS or QUARANTINE_COLUMNS of every row, as far as the table has them; no rows without a table."""
        ...


@dataclass(frozen=True)
class Found:
    """The offsets of one raw partition that one table's rows name, as often as they do, with the reason of each."""

    offsets: Array
    reasons: Array
    """For each offset the place of its reason in `names`."""
    names: tuple[str, ...] = ("",)
    yields: npt.NDArray[np.bool_] | None = None
    """For each offset, whether its row counts only where silver does not hold it; None: no row does."""


NOTHING = Found(np.zeros(0, np.int64), np.zeros(0, np.int64))


@dataclass(frozen=True)
class _Placed:
    """Table coordinates by topic and partition."""

    silver: Mapping[tuple[str, int], Found] = field(default_factory=dict)
    quarantine: Mapping[tuple[str, int], Found] = field(default_factory=dict)

    def partitions(self, topic: str) -> set[int]:
        return {partition for name, partition in (*self.silver, *self.quarantine) if name == topic}

    def topics(self) -> set[str]:
        return {name for name, _ in (*self.silver, *self.quarantine)}


def audit(datasets: Iterable[tuple[str, str]], raw: RawReader, tables: TableReader) -> AuditReport:
    """Judge datasets, each given as (name, its present raw topic), and return the report.

    The broker is read before the tables, and its ends once more after them, so that jobs may run meanwhile: what they
    landed of records newer than the first look is left to the next audit, and not taken for strange. What they have
    not landed yet is missing, and the verdict's `unreached` says how much of it lies behind all that is landed.
    """
    return AuditReport(tuple(_dataset(dataset, topic, raw, tables) for dataset, topic in datasets))


def _dataset(dataset: str, raw_topic: str, raw: RawReader, tables: TableReader) -> DatasetVerdict:
    present = {raw_topic: raw.present(raw_topic)}
    silver = tables.coordinates(dataset, "silver")
    quarantine, foreign = _without_foreign(tables.coordinates(dataset, "quarantine"), dataset)
    placed = _Placed(_by_partition(silver), _by_partition(quarantine))
    verdicts: list[PartitionVerdict] = []
    for topic in sorted(placed.topics() | {raw_topic}):
        held = present[topic] if topic in present else _of_old_topic(topic, dataset, raw, placed)
        verdicts += _topic(topic, held, placed, raw)
    return DatasetVerdict(dataset, tuple(verdicts), foreign)


@dataclass(frozen=True)
class _Held:
    start: int
    end: int
    offsets: Array


def _of_old_topic(topic: str, dataset: str, raw: RawReader, placed: _Placed) -> Mapping[int, Present]:
    """Return what there is of a raw topic of an older contract; one that was deleted counts as expired as a whole."""
    if not _is_raw_topic(topic, dataset):
        return {}
    held = dict(raw.present(topic))
    for partition in placed.partitions(topic) - set(held):
        found = [side[(topic, partition)].offsets for side in (placed.silver, placed.quarantine) if (topic, partition) in side]
        end = int(np.concatenate(found).max()) + 1
        held[partition] = _Held(end, end, NOTHING.offsets)
    return held


def _topic(topic: str, present: Mapping[int, Present], placed: _Placed, raw: RawReader) -> list[PartitionVerdict]:
    partitions = sorted(set(present) | placed.partitions(topic))
    ends: Mapping[int, int] = {}
    if any(_beyond(placed, topic, partition, present) for partition in partitions):
        ends = raw.ends(topic)
    verdicts = []
    for partition in partitions:
        held = present.get(partition, _Held(0, 0, NOTHING.offsets))
        silver = placed.silver.get((topic, partition), NOTHING)
        quarantine = placed.quarantine.get((topic, partition), NOTHING)
        verdicts.append(judged_partition(topic, partition, held, silver, quarantine, newest_end=ends.get(partition, 0)))
    return verdicts


def _beyond(placed: _Placed, topic: str, partition: int, present: Mapping[int, Present]) -> bool:
    end = present[partition].end if partition in present else 0
    sides = (placed.silver.get((topic, partition), NOTHING), placed.quarantine.get((topic, partition), NOTHING))
    return any(bool((side.offsets >= end).any()) for side in sides)


def judged_partition(
    topic: str, partition: int, present: Present, silver: Found, quarantine: Found, *, newest_end: int = 0
) -> PartitionVerdict:
    """Return the fate of each offset of one raw partition. `newest_end` is the end after the tables were read."""
    end, quarantine = present.end, _standing(quarantine, silver)
    in_silver, silver_times, _, silver_other = _counted(silver, end)
    in_quarantine, quarantine_times, reasons, quarantine_other = _counted(quarantine, end)
    in_both = _within(in_quarantine, in_silver)
    both = in_quarantine[in_both]
    kept = (silver_times == 1) & ~_within(in_silver, both)
    settled = _united(in_silver, in_quarantine)
    since_start = settled[np.searchsorted(settled, present.start) :]
    held = np.asarray(present.offsets, dtype=np.int64)
    missing = held[~_within(held, since_start)]
    others = np.concatenate([silver_other, quarantine_other])
    strange = (others < 0) | (others >= max(end, newest_end))
    return PartitionVerdict(
        topic=topic,
        partition=partition,
        start_offset=present.start,
        end_offset=end,
        silver=int(kept.sum()),
        quarantine=_by_reason(reasons[(quarantine_times == 1) & ~in_both], quarantine.names),
        void=int(end - present.start - len(since_start) - len(missing)),
        expired_unread=Offsets.gaps(settled[: len(settled) - len(since_start)], present.start),
        missing=Offsets.of(missing),
        doubled=_doubled(in_silver[silver_times > 1], in_quarantine[quarantine_times > 1], both),
        strangers=Offsets.of(_united(others[strange], NOTHING.offsets)),
        last_offset=int(settled[-1]) if len(settled) else -1,
        newer=int((~strange).sum()),
    )


def _standing(quarantine: Found, silver: Found) -> Found:
    """Return the rows of quarantine that count: a marked one does only while silver does not hold its record."""
    if quarantine.yields is None or not quarantine.yields.any():
        return quarantine
    kept = ~(quarantine.yields & np.isin(quarantine.offsets, silver.offsets))
    return Found(quarantine.offsets[kept], quarantine.reasons[kept], quarantine.names)


def _counted(found: Found, end: int) -> tuple[Array, Array, Array, Array]:
    """Return the offsets of the log once each, how often each was found, a reason of each, and offsets beyond the log."""
    inside = (found.offsets >= 0) & (found.offsets < end)
    order = np.argsort(found.offsets[inside], kind="stable")
    offsets = found.offsets[inside][order]
    firsts = np.flatnonzero(_first_of_each(offsets))
    times = np.diff(firsts, append=len(offsets))
    return offsets[firsts], times, found.reasons[inside][order][firsts], found.offsets[~inside]


def _first_of_each(ordered: Array) -> npt.NDArray[np.bool_]:
    """Return where in a sorted array each value stands first."""
    firsts = np.ones(len(ordered), dtype=np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=firsts[1:])
    return firsts


def _united(one: Array, other: Array) -> Array:
    """Return the values of both, sorted, each once. A stable sort merges sorted runs, which is what it is mostly given."""
    values = np.sort(np.concatenate([one, other]), kind="stable")
    return values[_first_of_each(values)]


def _within(offsets: Array, some: Array) -> npt.NDArray[np.bool_]:
    """Return which offsets are among some, both sorted. numpy's own set functions sort and hash again: far slower here."""
    if not len(some):
        return np.zeros(len(offsets), dtype=np.bool_)
    places = np.minimum(np.searchsorted(some, offsets), len(some) - 1)
    return np.asarray(some[places] == offsets)


def _doubled(twice_in_silver: Array, twice_in_quarantine: Array, both: Array) -> dict[str, Offsets]:
    where = {
        TWICE_IN_SILVER: twice_in_silver[~_within(twice_in_silver, both)],
        TWICE_IN_QUARANTINE: twice_in_quarantine[~_within(twice_in_quarantine, both)],
        IN_BOTH: both,
    }
    return {name: Offsets.of(offsets) for name, offsets in where.items() if len(offsets)}


def _by_reason(reasons: Array, names: tuple[str, ...]) -> dict[str, int]:
    counts = np.bincount(reasons, minlength=len(names))
    return {name: int(count) for name, count in zip(names, counts, strict=True) if count}


def _is_raw_topic(topic: str, dataset: str) -> bool:
    return re.fullmatch(rf"{re.escape(dataset)}\.raw\.v[0-9]+", topic) is not None


def _without_foreign(table: pa.Table, dataset: str) -> tuple[pa.Table, int]:
    """Return the rows that speak of raw records, and how many do not: strays in the clean or dead-letter topic."""
    topics = [topic for topic in pc.unique(table[TOPIC]).to_pylist() if not _is_raw_topic(topic, dataset)]
    stray = pc.and_(pc.is_in(table[TOPIC], pa.array(topics, pa.string())), pc.equal(table["reason"], Reason.FOREIGN.value))
    return table.filter(pc.invert(stray)), int(pc.sum(stray).as_py() or 0)


def _by_partition(table: pa.Table) -> dict[tuple[str, int], Found]:
    """Return a table's coordinates, parted by topic and partition, in one sort."""
    if not table.num_rows:
        return {}
    topics, topic_names = _coded(table[TOPIC])
    partitions = table[PARTITION].to_numpy().astype(np.int64)
    offsets = table[OFFSET].to_numpy().astype(np.int64)
    reasons, reason_names = _coded(table["reason"]) if "reason" in table.column_names else (np.zeros_like(offsets), ("",))
    marked = table[REPLAY_ID].is_valid().to_numpy() if REPLAY_ID in table.column_names else np.zeros(len(offsets), np.bool_)
    order = np.lexsort((partitions, topics))
    edges = np.flatnonzero((np.diff(topics[order]) != 0) | (np.diff(partitions[order]) != 0)) + 1
    return {
        (topic_names[int(topics[rows[0]])], int(partitions[rows[0]])): Found(
            offsets[rows], reasons[rows], reason_names, marked[rows]
        )
        for rows in np.split(order, edges)
    }


def _coded(column: pa.ChunkedArray) -> tuple[Array, tuple[str, ...]]:
    encoded = pc.dictionary_encode(column.combine_chunks())
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    return encoded.indices.to_numpy().astype(np.int64), tuple(encoded.dictionary.to_pylist())
