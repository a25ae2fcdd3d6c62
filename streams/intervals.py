"""Sets of offsets as sorted, disjoint intervals: small where offsets are dense, whatever order they came in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np


def _none() -> np.ndarray:
    return np.empty(0, np.int64)


@dataclass(frozen=True)
class IntervalSet:
    """Offsets `first[i]` to `last[i]`, both in; ascending, disjoint and not touching."""

    first: np.ndarray = field(default_factory=_none)
    last: np.ndarray = field(default_factory=_none)

    @staticmethod
    def of(offsets: np.ndarray) -> IntervalSet:
        """Return the set of these offsets, given in any order, with repetition."""
        if not len(offsets):
            return IntervalSet()
        ordered = np.unique(offsets)
        breaks = np.flatnonzero(np.diff(ordered) > 1)
        return IntervalSet(ordered[np.r_[0, breaks + 1]], ordered[np.r_[breaks, len(ordered) - 1]])

    @staticmethod
    def from_pairs(pairs: Iterable[tuple[int, int]]) -> IntervalSet:
        """Return the set of the intervals, which may overlap."""
        both = np.array(sorted(pairs), np.int64).reshape(-1, 2)
        return IntervalSet().merged(both[:, 0], both[:, 1])

    def __len__(self) -> int:
        return int((self.last - self.first + 1).sum())

    def pairs(self) -> list[tuple[int, int]]:
        """Return the intervals as (first, last)."""
        return list(zip(self.first.tolist(), self.last.tolist(), strict=True))

    def contains(self, offsets: np.ndarray) -> np.ndarray:
        """Return, by offset, whether it is in the set."""
        if not len(self.first):
            return np.zeros(len(offsets), bool)
        at = np.searchsorted(self.first, offsets, side="right") - 1
        return (at >= 0) & (offsets <= self.last[np.maximum(at, 0)])

    def union(self, other: IntervalSet) -> IntervalSet:
        """Return the offsets of both sets."""
        if not len(other.first):
            return self
        if not len(self.first):
            return other
        if other.first[0] > self.last[-1]:
            return self._appended(other)
        return self.merged(other.first, other.last)

    def _appended(self, other: IntervalSet) -> IntervalSet:
        if other.first[0] > self.last[-1] + 1:
            return IntervalSet(np.r_[self.first, other.first], np.r_[self.last, other.last])
        return IntervalSet(np.r_[self.first, other.first[1:]], np.r_[self.last[:-1], other.last])

    def merged(self, firsts: np.ndarray, lasts: np.ndarray) -> IntervalSet:
        """Return the set with the intervals `firsts[i]` to `lasts[i]` added, which may overlap anything."""
        first, last = np.r_[self.first, firsts], np.r_[self.last, lasts]
        if not len(first):
            return self
        order = np.argsort(first, kind="stable")
        first, reach = first[order], np.maximum.accumulate(last[order])
        opens = np.r_[True, first[1:] > reach[:-1] + 1]
        closes = np.r_[opens[1:], True]
        return IntervalSet(first[opens], reach[closes])
