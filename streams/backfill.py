"""Backfill, pure: which archived records no table holds yet, cut into cells that can be judged apart, on any machine.

What a record comes to hangs on its own bytes and on the window of duplicates before it (`streams.duplicates`). So a stretch of
a raw partition can be judged by itself if the offsets of its window are remembered first, which costs a fraction of judging:

    partition 3   ... ─────────────────────────────────────────────────────────────────▶ offsets
                      cell 7 [start ┄┄┄ first ═══════════ last]
                                    cell 8 [start ┄┄┄┄┄┄┄┄ first ═══════════ last]      ┄ remembered   ═ judged

Cells have a fixed size, so that a row's cells follow from its offset by arithmetic. A window in seconds reaches back no known
number of offsets: then a partition is one cell. All of this is a function of the coordinates alone, never of who judges.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from contracts.contract import Contract
from contracts.records import OFFSET, PARTITION
from streams.duplicates import Window
from streams.intervals import IntervalSet
from streams.land import Held
from streams.replay import Selection

CELL_RECORDS = 50_000
"""Offsets of a cell, or more where the window is larger: at most half of what is read is then read twice."""
WHOLE_PARTITION = 2**62
"""Offsets of a cell that holds all of a partition."""

Wanted = Mapping[int, IntervalSet]
"""Offsets by raw partition."""


@dataclass(frozen=True)
class Cell:
    """Offsets `first` to `last` of a raw partition, judged together; those from `start` on are remembered first."""

    partition: int
    number: int
    """Its place in the partition: its offsets divided by the cells' size."""
    start: int
    first: int
    last: int


@dataclass(frozen=True)
class Task:
    """What every part of a backfill is judged by. Holds no secret: it travels to executors."""

    contract: Contract
    wanted: Wanted
    duplicate_window: int
    record_bytes_max: int


@dataclass(frozen=True)
class Part:
    """What some wanted records of one raw partition came to."""

    rows: pa.Table
    """Clean rows, as `clean.process_batch` gives them."""
    letters: pa.Table
    """In DEAD_LETTER_SCHEMA, sealed."""
    partition: int
    first_offset: int
    last_offset: int
    records: int
    erased: int = 0
    """Wanted, and not to be read again: their keys are destroyed. They are in neither table."""
    seconds: float = 0.0


@dataclass
class Report:
    """What a backfill came to, in counts."""

    selected: int = 0
    """Archived records that were asked for."""
    held: int = 0
    """Of these, already in silver or quarantine: left as they are."""
    cells: int = 0
    judged: int = 0
    rows: int = 0
    """Written to silver."""
    dead_letters: Counter[str] = field(default_factory=Counter)
    """Written to quarantine, by reason."""
    erased: int = 0
    overtaken: int = 0
    """Judged, and meanwhile written by another job: not written again."""
    commits: int = 0
    stopped: bool = False
    """Whether it was told to stop before the end: the same call goes on."""


def landed(silver: Held, quarantine: Held, raw_topic: str) -> dict[int, IntervalSet]:
    """Return the raw offsets that have a fate: those that either table holds."""
    found: dict[int, IntervalSet] = {}
    for held in (silver, quarantine):
        for (topic, partition), offsets in held.offsets.items():
            if topic == raw_topic:
                found[partition] = found.get(partition, IntervalSet()).union(offsets)
    return found


def lacking(rows: Iterable[pa.Table], selection: Selection, held: Wanted, raw_topic: str) -> tuple[dict[int, IntervalSet], int]:
    """Return the selected offsets of bronze that no table holds, and how many were selected.

    `rows` are bronze's coordinates with their times, in parts of any size and order: only the intervals are kept of them.
    """
    wanted: dict[int, IntervalSet] = {}
    selected = 0
    for part in rows:
        chosen = selection.chosen(part, raw_topic)
        selected += int(chosen.sum())
        partitions, offsets = part[PARTITION].to_numpy()[chosen], part[OFFSET].to_numpy()[chosen]
        for partition in np.unique(partitions).tolist():
            here = offsets[partitions == partition]
            new = here[~held.get(partition, IntervalSet()).contains(here)]
            wanted[partition] = wanted.get(partition, IntervalSet()).union(IntervalSet.of(new))
    return {partition: offsets for partition, offsets in sorted(wanted.items()) if len(offsets)}, selected


def reach_of(window: Window, records_before: int) -> int | None:
    """Return how many offsets before a record can decide what it comes to; None where a window in seconds does not say."""
    return None if window.milliseconds is not None else max(window.records, 0) + records_before


def cell_size(reach: int | None, records: int = CELL_RECORDS) -> int:
    """Return the size of the cells: no reach is longer, so that a row is in two cells at most."""
    return WHOLE_PARTITION if reach is None else max(records, reach)


def cells(wanted: Wanted, reach: int | None, size: int) -> list[Cell]:
    """Return the cells that hold wanted offsets, by partition and place; each spans no more than it must."""
    return [cell for partition, offsets in sorted(wanted.items()) for cell in _cells(partition, offsets, reach, size)]


def _cells(partition: int, wanted: IntervalSet, reach: int | None, size: int) -> Iterable[Cell]:
    number, end = int(wanted.first[0]) // size, int(wanted.last[-1]) // size
    while number <= end:
        low, high = number * size, (number + 1) * size - 1
        at = int(np.searchsorted(wanted.last, low))
        if int(wanted.first[at]) > high:
            number = int(wanted.first[at]) // size
            continue
        until = int(np.searchsorted(wanted.first, high, side="right")) - 1
        first, last = max(low, int(wanted.first[at])), min(high, int(wanted.last[until]))
        yield Cell(partition, number, 0 if reach is None else max(0, first - reach), first, last)
        number += 1
