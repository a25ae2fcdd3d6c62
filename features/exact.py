"""Sums of any stretch of a column, exact: rounded once, at the end, so that the order of the rows cannot show.

Floating-point addition depends on order, and a stream sees another order than a backfill. Here every value is a whole
number times one power of two, prefix sums are whole numbers, a stretch is the difference of two, and the one division at
the end is rounded to the nearest. Whoever adds the same values exactly, in any order, gets the same bits.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt

EXACT_IN_FLOAT64 = 2**53
"""Whole numbers up to here are exact in a float64, and so is arithmetic on them."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class StretchSums:
    """Sums and means over stretches [first, behind) of one column, nulls given as zero.

    Small whole numbers take NumPy's road; everything else goes by Python's unbounded integers, about 1 us a stretch.
    """

    def __init__(self, values: npt.NDArray[Any]) -> None:
        self.whole = bool(np.issubdtype(values.dtype, np.integer))
        scaled, self._shift = (values.astype(np.int64), 0) if self.whole else _scaled(values)
        self._prefix: Integers | list[int]
        if isinstance(scaled, list) or _largest(scaled) * max(len(scaled), 1) >= EXACT_IN_FLOAT64:
            whole = scaled if isinstance(scaled, list) else scaled.tolist()
            self._prefix = list(itertools.accumulate(whole, initial=0))
        else:
            self._prefix = np.concatenate(([0], np.cumsum(scaled, dtype=np.int64)))

    def sums(self, first: Integers, behind: Integers) -> npt.NDArray[Any]:
        """Return the sum of each stretch: int64 of whole numbers, float64 of others. Raises OverflowError beyond int64."""
        if isinstance(self._prefix, np.ndarray):
            totals = self._prefix[behind] - self._prefix[first]
            return totals if self.whole else np.ldexp(totals.astype(np.float64), -self._shift)
        totals_big = self._totals(first, behind)
        if self.whole:
            return np.array(totals_big, dtype=np.int64)
        return np.array([_quotient(total, self._shift, 1) for total in totals_big], dtype=np.float64)

    def means(self, first: Integers, behind: Integers, counts: Integers) -> Floats:
        """Return the mean of each stretch, given how many values it holds; NaN where none."""
        if isinstance(self._prefix, np.ndarray):
            totals = (self._prefix[behind] - self._prefix[first]).astype(np.float64)
            means = np.full(len(totals), np.nan)
            np.divide(totals, counts, out=means, where=counts > 0)
            return np.asarray(np.ldexp(means, -self._shift), dtype=np.float64)
        totals_big = self._totals(first, behind)
        pairs = zip(totals_big, counts.tolist(), strict=True)
        return np.array([_quotient(total, self._shift, count) if count else np.nan for total, count in pairs], dtype=np.float64)

    def _totals(self, first: Integers, behind: Integers) -> list[int]:
        prefix = self._prefix
        return [prefix[b] - prefix[a] for a, b in zip(first.tolist(), behind.tolist(), strict=True)]


def _largest(values: Integers) -> int:
    return max(abs(int(values.min())), abs(int(values.max()))) if len(values) else 0


def _scaled(values: npt.NDArray[Any]) -> tuple[list[int] | Integers, int]:
    """Return whole numbers and the shift, so that each value is exactly whole / 2**shift."""
    floats = values.astype(np.float64)
    mantissas, exponents = np.frexp(floats)
    used = exponents[floats != 0]
    if not len(used):
        return np.zeros(len(floats), dtype=np.int64), 0
    if np.array_equal(floats, np.trunc(floats)) and float(np.abs(floats).max()) < EXACT_IN_FLOAT64:
        return floats.astype(np.int64), 0
    lowest = int(used.min()) - 53
    wholes = np.ldexp(mantissas, 53).astype(np.int64).tolist()
    shifts = (exponents.astype(np.int64) - 53 - lowest).tolist()
    return [whole << shift if whole else 0 for whole, shift in zip(wholes, shifts, strict=True)], -lowest


def _quotient(total: int, shift: int, count: int) -> float:
    """Return total / 2**shift / count, rounded once; infinite where no float64 is large enough."""
    try:
        return total / (count << shift) if shift >= 0 else (total << -shift) / count
    except OverflowError:
        return float("inf") if total > 0 else float("-inf")
