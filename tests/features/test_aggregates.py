"""Windows against a reference that looks at every event for every boundary."""

from __future__ import annotations

from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import DefinitionInvalid
from features.gold import gold_of
from features.plan import FUNCTIONS, Plan, View, check
from tests.features.made import KNOWN, START, at, rows, sales, windowed

Event = tuple[datetime, int, Any]
"""Event time, offset, price."""

MINUTES = st.one_of(st.integers(0, 40), st.sampled_from([0.5, 4.99, 5.0, 5.01, 10.0, 15.0]))
SALES = st.lists(st.tuples(st.sampled_from(["a", "b", None]), MINUTES, st.one_of(st.none(), st.integers(-9, 9))), max_size=25)
EVERY_FUNCTION = [(function, window, slide) for function in FUNCTIONS for window, slide in ((5, 5), (15, 5), (20, 10))]


def reference(view: View, table: pa.Table) -> list[dict[str, Any]]:
    """Return the gold rows by looking at all events for all boundaries: slow, short, and without the code under test."""
    events: dict[str, list[Event]] = {}
    newest = max(table["sold_at"].to_pylist(), default=START)
    for row in table.to_pylist():
        if row["shop"] is not None:
            events.setdefault(row["shop"], []).append((row["sold_at"], row["_offset"], row["price"]))
    last = max(_ceiling(newest, w.slide_us) for w in view.windows)
    made = []
    for shop, own in sorted(events.items()):
        moments = {_ceiling(e[0], w.slide_us) + extra for e in own for w in view.windows for extra in (0, w.window_us)}
        made += [_row(view, shop, own, moment) for moment in sorted(moments) if moment <= last]
    return made


def _row(view: View, shop: str, own: list[Event], moment: int) -> dict[str, Any]:
    within = {w.feature: _within(own, moment // w.slide_us * w.slide_us, w.window_us) for w in view.windows}
    largest = max(view.windows, key=lambda w: (w.window_us, w.slide_us))
    values = {w.feature: _reduced(w.function, within[w.feature]) for w in view.windows}
    return {"shop": shop, **values, "event_timestamp": _time(moment), "_rows": len(within[largest.feature])}


def _within(own: list[Event], end: int, width: int) -> list[Event]:
    return sorted(e for e in own if end - width < _us(e[0]) <= end)


def _reduced(function: str, events: list[Event]) -> Any:
    values = [e[2] for e in sorted(events, key=lambda e: e[:2]) if e[2] is not None]
    if function == "count":
        return len(values)
    if not values:
        return None
    whole = {"sum": sum, "min": min, "max": max, "first": lambda v: v[0], "last": lambda v: v[-1]}
    return float(Fraction(sum(values), len(values))) if function == "mean" else whole[function](values)


def _us(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=moment.tzinfo)) // timedelta(microseconds=1)


def _ceiling(moment: datetime, slide: int) -> int:
    return -(-_us(moment) // slide) * slide


def _time(us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=START.tzinfo) + timedelta(microseconds=us)


def values_of(view: View, table: pa.Table) -> list[dict[str, Any]]:
    return gold_of(view, table, KNOWN).rows.drop_columns("created_timestamp").to_pylist()


@settings(max_examples=300, deadline=None)
@given(SALES)
def test_every_function_over_every_window_equals_the_reference(values: list[Any]) -> None:
    view, table = windowed(*EVERY_FUNCTION), sales(values)
    assert values_of(view, table) == reference(view, table)


@settings(max_examples=100, deadline=None)
@given(SALES, st.randoms(use_true_random=False))
def test_the_order_in_which_rows_stand_in_silver_does_not_show(values: list[Any], random) -> None:
    view, table = windowed(*EVERY_FUNCTION), sales(values)
    shuffled = table.take(pa.array(random.sample(range(table.num_rows), table.num_rows), pa.int64()))
    assert gold_of(view, shuffled, KNOWN).rows == gold_of(view, table, KNOWN).rows


@settings(max_examples=100, deadline=None)
@given(SALES, st.integers(0, 40))
def test_what_happens_later_changes_no_earlier_row(values: list[Any], minute: int) -> None:
    """Law L4 at its root: rows up to a boundary are the same with and without everything behind it."""
    view = windowed(*EVERY_FUNCTION)
    boundary = at(minute // 10 * 10)
    table = sales(values)
    past = table.filter(pa.compute.less_equal(table["sold_at"], pa.scalar(boundary, table.schema.field("sold_at").type)))
    with_future = [row for row in values_of(view, table) if row["event_timestamp"] <= boundary]
    without = [row for row in values_of(view, past) if row["event_timestamp"] <= boundary]
    said = {(row["shop"], row["event_timestamp"]) for row in without}
    assert [row for row in with_future if (row["shop"], row["event_timestamp"]) in said] == without


def test_an_event_on_a_boundary_belongs_to_the_tile_that_ends_there() -> None:
    view = windowed(("count", 5, 5))
    first, gone = values_of(view, sales([("a", 5, 1), ("b", 30, 1)]))[:2]
    assert (first["event_timestamp"], first["count_5_5"]) == (at(5), 1)
    assert (gone["event_timestamp"], gone["count_5_5"]) == (at(10), 0)


def test_an_empty_window_counts_nothing_and_has_no_mean() -> None:
    view = windowed(("count", 5, 5), ("mean", 5, 5), ("sum", 5, 5), ("last", 5, 5))
    emptied = values_of(view, sales([("a", 1, 7), ("b", 60, 7)]))[1]
    assert (emptied["count_5_5"], emptied["mean_5_5"], emptied["sum_5_5"], emptied["last_5_5"]) == (0, None, None, None)


def test_nothing_is_said_of_boundaries_that_no_event_has_reached() -> None:
    view = windowed(("count", 60, 5))
    assert values_of(view, sales([("a", 1, 7)]))[-1]["event_timestamp"] == at(5)


def test_times_before_1970_fall_into_tiles_the_same_way() -> None:
    columns = {"sale_id": pa.string(), "shop": pa.string(), "sold_at": pa.timestamp("us", "UTC"), "price": pa.int64()}
    old = datetime(1969, 12, 31, 23, 58, tzinfo=START.tzinfo)
    table = rows(columns, [{"sale_id": str(n), "shop": "a", "sold_at": old + timedelta(minutes=n), "price": n} for n in range(5)])
    view = windowed(("count", 5, 5), ("sum", 10, 5))
    assert values_of(view, table) == reference(view, table)


def test_floats_that_are_no_numbers_do_not_count() -> None:
    columns = {"shop": pa.string(), "sold_at": pa.timestamp("us", "UTC"), "price": pa.float64()}
    prices = [1.5, float("nan"), float("inf"), -0.0]
    table = rows(columns, [{"shop": "a", "sold_at": at(1 + n / 10), "price": p} for n, p in enumerate(prices)])
    dtypes = dict.fromkeys(("sum", "min", "max"), "Float64")
    view = windowed(("count", 5, 5), ("sum", 5, 5), ("min", 5, 5), ("max", 5, 5), dtypes=dtypes)
    row = values_of(view, table)[0]
    assert (row["count_5_5"], row["sum_5_5"], row["max_5_5"]) == (2, 1.5, 1.5)
    assert str(row["min_5_5"]) == "0.0"


@pytest.mark.parametrize(
    ("windows", "said"),
    [
        ((("median", 5, 5),), "sum, count, mean"),
        ((("count", 7, 5),), "whole number of slides"),
        ((("sum", 0, 5),), "positive window"),
    ],
)
def test_a_window_that_cannot_be_honoured_is_refused_with_what_can(windows: Any, said: str) -> None:
    view = windowed(*windows)
    with pytest.raises(DefinitionInvalid, match=said):
        check(Plan("p", {view.name: view}, {}, {}))


def test_the_mean_of_texts_is_refused_by_name() -> None:
    with pytest.raises(DefinitionInvalid, match="mean of sale_id"):
        gold_of(windowed(("mean", 5, 5), column="sale_id"), sales([("a", 1, 1)]), KNOWN)


def test_a_sum_beyond_64_bits_is_refused() -> None:
    with pytest.raises(DefinitionInvalid, match="64 bits"):
        gold_of(windowed(("sum", 5, 5)), sales([("a", 1, 2**62), ("a", 2, 2**62), ("a", 3, 2**62)]), KNOWN)


def test_an_empty_silver_table_gives_an_empty_gold_table() -> None:
    assert gold_of(windowed(*EVERY_FUNCTION), sales([]), KNOWN).rows.num_rows == 0
