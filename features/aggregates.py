"""Sliding windows over events, as of event time, with nothing from the future.

Time is cut at multiples of the slide. An event at t belongs to the tile that ends at ceil(t / slide) * slide; the value at
a boundary T over a window w covers the events in (T - w, T]. There is a row for each entity and boundary where an event
enters or leaves any of the view's windows. A join at time t reads the row with the greatest T <= t, which is stale by at
most one slide and never ahead.

Nulls (and the non-finite numbers, which JSON cannot carry) do not count, in any function. Over nothing, a count is 0 and
every other value is null. Sums and means are exact and rounded once (`features.exact`), so no order of summation exists
to be chosen. `last` and `first` go by (event time, topic, partition, offset).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from contracts.errors import DefinitionInvalid
from features.exact import StretchSums
from features.plan import View, Window

ROWS = "_rows"
EVENT_TIMESTAMP = "event_timestamp"

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Boundaries:
    """The (entity, time) pairs that get a row: codes of entities and times in microseconds, sorted."""

    codes: Integers
    times: Integers


def window_log(view: View, events: pl.DataFrame, frontier_us: int) -> pl.DataFrame:
    """Return the view's rows: entity columns, features, event time, and `_rows`, the events in the largest window.

    `events` are sorted by entity, event time and coordinates, without null entities. Nothing is said of boundaries behind
    the one that the newest event of the whole dataset, at `frontier_us`, belongs to: those tiles may still be filling.
    """
    if events.is_empty():
        return _framed(view, events, np.zeros(0, np.int64), np.zeros(0, np.int64), [])
    codes = events.select(pl.struct(view.keys).rle_id().cast(pl.Int64)).to_series().to_numpy()
    times = events[view.event_time].cast(pl.Datetime("us", "UTC")).to_physical().to_numpy()
    boundaries = _boundaries(view.windows, codes, times, frontier_us)
    stretches = {(w.window_us, w.slide_us): _stretch(codes, times, boundaries, w.window_us, w.slide_us) for w in view.windows}
    columns = {name: _Column(view, name, events[name]) for name in sorted({w.column for w in view.windows if w.column})}
    made = [_value(window, columns.get(window.column), *stretches[window.window_us, window.slide_us]) for window in view.windows]
    first, behind = stretches[max(stretches)]
    starts = np.searchsorted(codes, boundaries.codes, "left")
    log = _framed(view, events, starts, boundaries.times, made)
    return log.with_columns(pl.Series(ROWS, behind - first, dtype=pl.Int64))


def rows_of_window(view: View, events: pl.DataFrame, boundary_us: int) -> pl.DataFrame:
    """Return the events of one entity that the row at a boundary was made from: those in its largest window."""
    largest = max(view.windows, key=lambda w: (w.window_us, w.slide_us))
    end = boundary_us // largest.slide_us * largest.slide_us
    times = pl.col(view.event_time).cast(pl.Datetime("us", "UTC")).to_physical()
    return events.filter((times > end - largest.window_us) & (times <= end))


def _tiles(times: Integers, slide_us: int) -> Integers:
    """Return the number of the tile that each time belongs to: tile n ends at n * slide and holds its end."""
    return -(-times // slide_us)


def _boundaries(windows: Sequence[Window], codes: Integers, times: Integers, frontier_us: int) -> Boundaries:
    grid = math.gcd(*(window.slide_us for window in windows))
    moments = []
    for window_us, slide_us in sorted({(w.window_us, w.slide_us) for w in windows}):
        enters = _tiles(times, slide_us) * (slide_us // grid)
        moments += [enters, enters + window_us // grid]
    last = max(-(-frontier_us // w.slide_us) * w.slide_us for w in windows) // grid
    base = min(int(m.min()) for m in moments)
    span = max(int(m.max()) for m in moments) - base + 1
    keys = np.unique(np.concatenate([codes * span + (m - base) for m in moments]))
    at, when = np.divmod(keys, span)
    said = when + base <= last
    return Boundaries(at[said], (when[said] + base) * grid)


def _stretch(codes: Integers, times: Integers, at: Boundaries, window_us: int, slide_us: int) -> tuple[Integers, Integers]:
    """Return the first event and the one behind the last that each boundary's window holds, as positions."""
    tiles = _tiles(times, slide_us)
    ends = at.times // slide_us
    width = window_us // slide_us
    base = min(int(tiles.min()), int(ends.min(initial=tiles.min()))) - width - 1
    span = max(int(tiles.max()), int(ends.max(initial=tiles.max()))) - base + 1
    keys = codes * span + (tiles - base)
    wanted = at.codes * span + (ends - base)
    return np.searchsorted(keys, wanted - width, "right"), np.searchsorted(keys, wanted, "right")


class _Column:
    """One source column, prepared once for all windows over it."""

    def __init__(self, view: View, name: str, values: pl.Series) -> None:
        self.name = name
        self.where = f"view {view.name}"
        self.values = values.set(values.is_nan() | values.is_infinite(), None) if values.dtype.is_float() else values
        self.valid = self.values.is_not_null().to_numpy()
        self.counted = np.concatenate(([0], np.cumsum(self.valid, dtype=np.int64)))
        self._sums: StretchSums | None = None
        self._ladders: dict[str, list[npt.NDArray[Any]]] = {}

    def counts(self, first: Integers, behind: Integers) -> Integers:
        return np.asarray(self.counted[behind] - self.counted[first], dtype=np.int64)

    def sums(self, function: str) -> StretchSums:
        if self._sums is None:
            self._sums = StretchSums(self._numbers(function, 0))
        return self._sums

    def extremes(self, function: str, first: Integers, behind: Integers) -> npt.NDArray[Any]:
        """Return the least or greatest of each stretch, by doubling steps: two overlapping looks-up cover any stretch."""
        pick: Any = np.minimum if function == "min" else np.maximum
        longest = int((behind - first).max(initial=1))
        steps = self._ladder(function, pick, max(longest, 1))
        length = np.maximum(behind - first, 1)
        level = np.frexp(length.astype(np.float64))[1] - 1
        out = np.empty(len(first), dtype=steps[0].dtype)
        for step in np.unique(level):
            here = level == step
            begin = np.minimum(first[here], len(steps[0]) - 1)
            other = np.maximum(behind[here] - (1 << int(step)), begin)
            out[here] = pick(steps[step][begin], steps[step][other])
        return out

    def edge(self, function: str, first: Integers, behind: Integers) -> pl.Series:
        """Return the last or first value of each stretch that is not null, or null."""
        where = np.flatnonzero(self.valid)
        some = self.counts(first, behind) > 0
        rank = self.counted[behind] - 1 if function == "last" else self.counted[first]
        index = np.zeros(len(first), dtype=np.int64)
        index[some] = where[rank[some]]
        return self.values.gather(index).set(pl.Series(~some), None)

    def _ladder(self, function: str, pick: Any, longest: int) -> list[npt.NDArray[Any]]:
        steps = self._ladders.get(function)
        if steps is None:
            fill = np.inf if self.values.dtype.is_float() else np.iinfo(np.int64).max
            steps = self._ladders[function] = [self._numbers(function, fill if function == "min" else -fill)]
        while (1 << len(steps)) <= longest:
            half = 1 << (len(steps) - 1)
            below = steps[-1]
            steps.append(np.concatenate((pick(below[:-half], below[half:]), below[-half:])))
        return steps

    def _numbers(self, function: str, null: float) -> npt.NDArray[Any]:
        dtype = self.values.dtype
        timed = function in ("min", "max") and dtype.is_temporal()
        if not (dtype.is_numeric() or timed):
            raise DefinitionInvalid(
                f"the {function} of {self.name}, which is {dtype}", expected="a column of numbers", where=self.where
            )
        physical = self.values.to_physical() if timed else self.values
        whole = physical.dtype.is_integer() or timed
        cast = physical.cast(pl.Int64 if whole else pl.Float64).fill_null(int(null) if whole else null)
        numbers: npt.NDArray[Any] = cast.to_numpy()
        return numbers if whole else numbers + 0.0  # -0.0 becomes 0.0: the least of the two would depend on order


def _value(window: Window, column: _Column | None, first: Integers, behind: Integers) -> pl.Series:
    if column is None:
        return pl.Series(window.feature, behind - first, dtype=pl.Int64)
    counts = column.counts(first, behind)
    if window.function == "count":
        return pl.Series(window.feature, counts, dtype=pl.Int64)
    if window.function in ("last", "first"):
        return column.edge(window.function, first, behind).alias(window.feature)
    if window.function == "mean":
        made = pl.Series(window.feature, column.sums("mean").means(first, behind, counts))
    elif window.function == "sum":
        made = pl.Series(window.feature, _sums(column, first, behind))
    else:
        made = pl.Series(window.feature, column.extremes(window.function, first, behind))
        if column.values.dtype.is_temporal():
            made = made.cast(column.values.dtype)
    return made.set(pl.Series(counts == 0), None)


def _sums(column: _Column, first: Integers, behind: Integers) -> npt.NDArray[Any]:
    try:
        return column.sums("sum").sums(first, behind)
    except OverflowError as error:
        raise DefinitionInvalid(
            f"a sum of {column.name} is beyond 64 bits", expected="a sum that fits an Int64, or a mean", where=column.where
        ) from error


def _framed(view: View, events: pl.DataFrame, starts: Integers, times: Integers, made: Sequence[pl.Series]) -> pl.DataFrame:
    entities = events.select(view.keys)[starts] if len(starts) else events.select(view.keys).clear()
    stamps = pl.Series(EVENT_TIMESTAMP, times, dtype=pl.Int64).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    empty = [pl.Series(window.feature, [], dtype=pl.Null) for window in view.windows] if not made and not len(times) else []
    log = entities.with_columns(*made, *empty, stamps)
    return log if made else log.with_columns(pl.Series(ROWS, [], dtype=pl.Int64))
