"""Exact duplicates: the same again, within a window of one raw partition.

| contract | a record is a duplicate when | because |
| --- | --- | --- |
| append | its key and value came at any offset of the window before it | a fact told twice is one fact |
| upsert | the record of its key before it, in the window, had the same value | of A, B, A the last A is news: it must end at A |
| upsert, in an envelope | the same change (row, time, place in the source's log) came in the window | connectors send again |

The earliest such offset is the original. The window is a number of offsets, or seconds, or both. Seconds are of the
partition's log time, which is the greatest timestamp so far: it never goes back, so a late record finds the same window
after any restart. All of it is a function of the raw log alone, so every engine, batch size and restart gives the same answer:
to go on at offset n, the state is rebuilt by reading again the records of n's window.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import polars as pl
import pyarrow as pa

from contracts.contract import Contract
from contracts.records import CHANGED_AT, KIND, SEQUENCE
from streams.changes import Changes, LastChange
from streams.contents import Contents, Hashes

SEEDS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F)
"""Two 64-bit hashes of the content, 128 bits together: among 10^9 records a false duplicate has odds of 1 in 10^20."""

SWEEP = 1.5
"""A partition's keys are swept when they have grown by so much since: so they are bounded, at a constant cost per record."""
SWEEP_LEAST = 512

TIMED_RECORDS_MAX = 1_000_000
"""So many offsets bound a window that is given in seconds alone, and with it the memory: about 30 MB a partition."""


@dataclass(frozen=True)
class Window:
    """How far back an original may be: offsets, and milliseconds of log time or None."""

    records: int
    milliseconds: int | None = None

    @staticmethod
    def of(contract: Contract, records_default: int) -> Window:
        """Return the window that a contract asks for, or the installation's."""
        plan = contract.duplicates
        milliseconds = None if plan.window_seconds is None else plan.window_seconds * 1_000
        if plan.window_records is not None:
            return Window(plan.window_records, milliseconds)
        return Window(records_default if milliseconds is None or records_default <= 0 else TIMED_RECORDS_MAX, milliseconds)


@dataclass
class Seen:
    """What one raw partition's window holds."""

    contents: Contents = field(default_factory=Contents)
    """Which content came at which offset."""
    latest: dict[int, tuple[int, list[int]]] = field(default_factory=dict)
    """Of upserts, by key: the last value's content, and the offsets at which it came in a row."""
    last_offset: int = -1
    times: tuple[np.ndarray, np.ndarray] = field(default_factory=lambda: (np.empty(0, np.int64), np.empty(0, np.int64)))
    """Of a window in seconds: offsets, and the log time at each, both ascending."""
    kept: int = 0
    """Keys that the last sweep left."""
    last_change: LastChange | None = None
    """Of upserts in an envelope: where a tombstone that comes next stands (`streams.changes`)."""


DuplicateState = dict[int, Seen]
"""By raw partition."""


def originals(
    records: pa.RecordBatch, state: DuplicateState, window: int | Window, changes: Changes | None = None
) -> tuple[np.ndarray, DuplicateState]:
    """Return, by record, the offset of its original or -1, and the state after the batch.

    `changes` are what the records of an `upsert` contract come to; without them, null values are no duplicates. Records
    must come in the order of each partition; one at or before the state's last offset (a replay of the same record) is
    never its own duplicate. The given state is left as it was only if nothing raises: it is handed on, not copied.
    """
    window = window if isinstance(window, Window) else Window(window)
    found = np.full(records.num_rows, -1, np.int64)
    if window.records <= 0 or not records.num_rows:
        return found, state
    by_key = changes is not None and not changes.placed
    contents, given = _contents(records, changes)
    keys = _numbers(_hashes(pl.from_arrow(records["key"]).to_frame("key"))) if by_key else None
    states = _numbers(contents) if by_key else []
    offsets, stamps = records["offset"].to_numpy(), records["timestamp_ms"].to_numpy()
    partitions = records["partition"].to_numpy()
    edges = [0, *(np.flatnonzero(np.diff(partitions)) + 1).tolist(), records.num_rows]
    for start, end in pairwise(edges):
        seen = state.setdefault(int(partitions[start]), Seen())
        here, lowest = offsets[start:end], _lowest(seen, offsets[start:end], stamps[start:end], window)
        pairs: Iterable[tuple[int, int]]
        if keys is None:
            pairs = _repeats(seen, lowest, contents.taken(slice(start, end)), given[start:end], here)
        else:
            pairs = _repeated_states(seen, lowest.tolist(), states[start:end], here.tolist(), keys[start:end])
        for row, original in pairs:
            found[start + row] = original
        seen.last_offset = max(seen.last_offset, int(here[-1]))
        _sweep(seen, int(lowest[-1]))
    return found, state


def _lowest(seen: Seen, offsets: np.ndarray, stamps: np.ndarray, window: Window) -> np.ndarray:
    """Return, by record, the first offset of its window."""
    lowest: np.ndarray = offsets - window.records
    if window.milliseconds is None:
        return lowest
    new = offsets > seen.last_offset
    at, times = seen.times
    before = times[-1:] if len(times) else np.full(1, np.iinfo(np.int64).min)
    at = np.r_[at, offsets[new]]
    times = np.r_[times, np.maximum.accumulate(np.r_[before, stamps[new]])[1:]]
    mine = times[np.maximum(np.searchsorted(at, offsets, side="right") - 1, 0)]
    first = np.searchsorted(times, mine - window.milliseconds, side="left")
    lowest = np.maximum(lowest, at[first])
    held = int(np.searchsorted(at, lowest[-1], side="left"))
    seen.times = (at[held:], times[held:])
    return lowest


def _repeats(seen: Seen, lowest: np.ndarray, contents: Hashes, given: np.ndarray, offsets: np.ndarray) -> list[tuple[int, int]]:
    """Return (row, original's offset) of each record whose content came before, and remember every content."""
    rows = np.flatnonzero(given)
    hashes, here = contents.taken(rows), offsets[rows]
    found = [(int(rows[row]), original) for row, original in seen.contents.repeats(hashes, here, lowest[rows])]
    new = here > seen.last_offset
    seen.contents.remember(hashes.taken(new), here[new], int(lowest[-1]))
    return found


def _repeated_states(
    seen: Seen, lowest: Sequence[int], contents: Sequence[int], offsets: Sequence[int], keys: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """Yield (row, original's offset) of each record that says of its key what the one before said, and remember it."""
    memory = seen.latest
    for row, (content, offset, key) in enumerate(zip(contents, offsets, keys, strict=True)):
        before, ats = memory.get(key, (None, []))
        kept = [at for at in ats if at >= lowest[row]] if before == content else []
        if kept and kept[0] < offset:
            yield row, kept[0]
        memory[key] = (content, sorted({*kept, offset}))


def _sweep(seen: Seen, lowest: int) -> None:
    """Forget the keys that no window to come can hold, once enough have gathered."""
    if len(seen.latest) <= SWEEP * max(seen.kept, SWEEP_LEAST):
        return
    seen.latest = {key: held for key, held in seen.latest.items() if held[1][-1] >= lowest}
    seen.kept = len(seen.latest)


def _contents(records: pa.RecordBatch, changes: Changes | None) -> tuple[Hashes, np.ndarray]:
    """Return, by record, a hash of what makes it the same as another, and whether it can be a duplicate of anything."""
    frame = pl.DataFrame({"key": pl.from_arrow(records["key"]), "value": pl.from_arrow(records["value"])})
    if changes is None:
        return _hashes(frame), frame["value"].is_not_null().to_numpy()
    if not changes.placed:
        return _hashes(frame), np.ones(frame.height, bool)
    marks = changes.marks
    # A tombstone stands where its delete does, and is another record all the same.
    change = pl.DataFrame({"key": frame["key"], "row": pl.from_arrow(changes.values), "null": frame["value"].is_null()}).hstack(
        marks.select(KIND, pl.col(CHANGED_AT).cast(pl.Int64), SEQUENCE)
    )
    return _hashes(change), marks[SEQUENCE].is_not_null().to_numpy()


def _hashes(frame: pl.DataFrame) -> Hashes:
    """Return a 128-bit hash of each row: two of 64 bits, each of all columns, each column's with a seed of its own."""
    hashed = frame.select(
        pl.reduce(operator.xor, [pl.col(name).hash(seed ^ (0xFFFF * at)) for at, name in enumerate(frame.columns)]).alias(name_)
        for name_, seed in (("hash_0", SEEDS[0]), ("hash_1", SEEDS[1]))
    )
    return Hashes(hashed["hash_0"].to_numpy(), hashed["hash_1"].to_numpy())


def _numbers(hashes: Hashes) -> list[int]:
    """Return each hash as one whole number: what a dictionary is keyed by."""
    return [first << 64 | second for first, second in zip(hashes.first.tolist(), hashes.second.tolist(), strict=True)]
