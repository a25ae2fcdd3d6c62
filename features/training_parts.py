"""Training sets larger than memory, pure: how the tables are cut, so that each part comes out as it would among all of them.

    spine, answers ──by the answer's key──▶ buckets ──deduplicated, answered──▶ rows ──by time──▶ stretches ──as of──▶ rows
    gold ─────────────────────────────────by event time────────────────────────────────▶ ┘ + newest row of each key before

Two cuts, because two things decide a row: its answer, and duplicates of itself, have its key; its features are the newest before
its time. What a stretch must know of all the time before is one row of each key, which is what bounds the memory from below.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl

GRAIN = timedelta(hours=1)
"""What stretches of time are put together from."""


@dataclass(frozen=True)
class Stretches:
    """Times at which one stretch ends and the next begins, ascending, in hours since 1970; one stretch more than there are."""

    ends: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.ends) + 1

    def of(self, times: pl.Series) -> np.ndarray:
        """Return which stretch each time is in."""
        return np.searchsorted(np.array(self.ends, np.int64), _hours(times), side="right")


def counted_hours(times: pl.Series) -> Counter[int]:
    """Count times by hour."""
    hours, counts = np.unique(_hours(times.drop_nulls()), return_counts=True)
    return Counter(dict(zip(hours.tolist(), counts.tolist(), strict=True)))


def stretches(hours: Counter[int], rows_max: int) -> Stretches:
    """Return stretches of at most so many rows; an hour that has more is a stretch of its own."""
    ends: list[int] = []
    held = 0
    for hour in sorted(hours):
        if held and held + hours[hour] > rows_max:
            ends.append(hour)
            held = 0
        held += hours[hour]
    return Stretches(tuple(ends))


def buckets_of(frame: pl.DataFrame, keys: Sequence[str], count: int) -> np.ndarray:
    """Return which of so many buckets each row is in: equal keys in one, nulls among them."""
    hashes: np.ndarray = frame.select(pl.struct(keys).hash(0)).to_series().to_numpy()
    return np.asarray(hashes % np.uint64(count), np.int64)


def bucket_count(rows: int, rows_max: int) -> int:
    """Return how many buckets hold so many rows; twice as many as if keys fell evenly."""
    return max(1, -(-2 * rows // rows_max))


def _hours(times: pl.Series) -> np.ndarray:
    hours: np.ndarray = times.cast(pl.Datetime("us", "UTC")).dt.epoch("us").to_numpy() // (GRAIN // timedelta(microseconds=1))
    return hours
