"""Which contents came at which offsets of a partition's window: hashes and offsets in sorted arrays, 24 bytes a record.

What comes is sorted into a small run, which is folded into the large one when it has grown to a part of that: so a record
costs a few steps of two binary searches, and is moved a bounded number of times, however long the window is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

FOLD_PART = 8
"""The recent run is folded when it is longer than this part of the old one ..."""
FOLD_LEAST = 1_024
"""... and than this."""


class Hashes(NamedTuple):
    """A 128-bit hash of each record's content, as two columns of 64 bits."""

    first: np.ndarray
    second: np.ndarray

    def taken(self, rows: np.ndarray | slice) -> Hashes:
        """Return the hashes of these records."""
        return Hashes(self.first[rows], self.second[rows])


class Run(NamedTuple):
    """Contents and the offset of each, by first hash and then by offset."""

    first: np.ndarray
    second: np.ndarray
    offset: np.ndarray

    def holds(self, firsts: np.ndarray) -> np.ndarray:
        """Say which of these hashes are in the run."""
        if not len(self.first):
            return np.zeros(len(firsts), bool)
        at = np.minimum(np.searchsorted(self.first, firsts), len(self.first) - 1)
        held: np.ndarray = self.first[at] == firsts
        return held

    def earliest(self, first: int, second: int, lowest: int, before: int) -> int | None:
        """Return the first offset from `lowest` on, and before `before`, at which a content came."""
        sought = np.uint64(first)  # else it would be compared as a float64, which rounds it
        start, end = np.searchsorted(self.first, sought), np.searchsorted(self.first, sought, side="right")
        at = int(start + np.searchsorted(self.offset[start:end], lowest))
        while at < end and self.offset[at] < before:
            if self.second[at] == second:
                return int(self.offset[at])
            at += 1
        return None

    def with_later(self, other: Run) -> Run:
        """Return both runs as one. The other's offsets are all behind ours."""
        order = np.argsort(np.concatenate([self.first, other.first]), kind="stable")  # two sorted runs: one merge
        return Run(*(np.concatenate([mine, theirs])[order] for mine, theirs in zip(self, other, strict=True)))

    def since(self, lowest: int) -> Run:
        """Return what came from an offset on."""
        kept = self.offset >= lowest
        return self if kept.all() else Run(*(column[kept] for column in self))


def _nothing() -> Run:
    return Run(np.empty(0, np.uint64), np.empty(0, np.uint64), np.empty(0, np.int64))


@dataclass
class Contents:
    """The contents of one partition's window."""

    old: Run = field(default_factory=_nothing)
    recent: Run = field(default_factory=_nothing)

    def __len__(self) -> int:
        return len(self.old.first) + len(self.recent.first)

    def repeats(self, hashes: Hashes, offsets: np.ndarray, lowest: np.ndarray) -> Iterator[tuple[int, int]]:
        """Yield (row, original's offset) of each record whose content came before, from the row's `lowest` offset on.

        `offsets` ascend. Rows of this batch are one another's originals too; `remember` is for the batches to come.
        """
        order = np.argsort(hashes.first, kind="stable")
        again = np.flatnonzero(np.diff(hashes.first[order]) == 0)
        suspects = self.old.holds(hashes.first) | self.recent.holds(hashes.first)
        suspects[order[again]] = suspects[order[again + 1]] = True
        here: dict[tuple[int, int], list[int]] = {}
        for row in np.flatnonzero(suspects).tolist():
            content = int(hashes.first[row]), int(hashes.second[row])
            offset, low = int(offsets[row]), int(lowest[row])
            earlier = here.setdefault(content, [])
            found = [run.earliest(*content, low, offset) for run in (self.old, self.recent)]
            found.append(_at_least(earlier, low))
            known = [at for at in found if at is not None]
            if known:
                yield row, min(known)
            earlier.append(offset)

    def remember(self, hashes: Hashes, offsets: np.ndarray, lowest: int) -> None:
        """Take in a batch's contents, behind all that is held; forget what came before `lowest` once enough has gathered."""
        order = np.argsort(hashes.first, kind="stable")
        self.recent = self.recent.with_later(Run(hashes.first[order], hashes.second[order], offsets[order]))
        if len(self.recent.first) > max(FOLD_LEAST, len(self.old.first) // FOLD_PART):
            self.old = self.old.since(lowest).with_later(self.recent.since(lowest))
            self.recent = _nothing()


def _at_least(offsets: Sequence[int], lowest: int) -> int | None:
    """Return the first of these ascending offsets that is not below `lowest`."""
    at = int(np.searchsorted(offsets, lowest)) if offsets and offsets[0] < lowest else 0
    return offsets[at] if at < len(offsets) else None
