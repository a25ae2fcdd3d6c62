from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from features.asof import as_of
from tests.features.made import KNOWN, at

UTC_TIME = pl.Datetime("us", "UTC")
ASKED = st.lists(st.tuples(st.sampled_from(["a", "b", "c", None]), st.integers(0, 20)), max_size=15)
LOG = st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 20), st.integers(0, 3), st.integers(0, 99)), max_size=20)


def asked_frame(asked: list[Any]) -> pl.DataFrame:
    schema = {"shop": pl.String, "asked_at": UTC_TIME}
    return pl.DataFrame([(shop, at(minute)) for shop, minute in asked], schema=schema, orient="row")


def log_frame(log: list[Any]) -> pl.DataFrame:
    schema = {"shop": pl.String, "event_timestamp": UTC_TIME, "created_timestamp": UTC_TIME, "price": pl.Int64}
    made = [(shop, at(minute), KNOWN + timedelta(minutes=known), price) for shop, minute, known, price in log]
    return pl.DataFrame(made, schema=schema, orient="row")


def joined(asked: list[Any], log: list[Any], **how: Any) -> list[Any]:
    found = as_of(asked_frame(asked), log_frame(log), at="asked_at", keys=["shop"], features=["price"], matched="_at", **how)
    return list(found.iter_rows())


def reference(asked: list[Any], log: list[Any], ttl_minutes: int | None, known: int | None) -> list[Any]:
    made = []
    for shop, minute in asked:
        fitting = [
            (event, created, place)
            for place, (own, event, created, _) in enumerate(log)
            if own == shop and event <= minute and (known is None or created <= known)
        ]
        best = max(fitting, default=None)
        if best is not None and ttl_minutes is not None and minute - best[0] > ttl_minutes:
            best = None
        made.append((shop, at(minute), None if best is None else log[best[2]][3], None if best is None else at(best[0])))
    return made


@settings(max_examples=300, deadline=None)
@given(ASKED, LOG, st.one_of(st.none(), st.integers(1, 10)), st.one_of(st.none(), st.integers(0, 3)))
def test_the_join_equals_looking_at_every_row(asked: list[Any], log: list[Any], ttl: int | None, known: int | None) -> None:
    known_at = None if known is None else KNOWN + timedelta(minutes=known)
    assert joined(asked, log, ttl_seconds=60 * (ttl or 0), known_at=known_at) == reference(asked, log, ttl, known)


@settings(max_examples=100, deadline=None)
@given(ASKED, LOG)
def test_no_value_from_after_the_rows_time_is_joined(asked: list[Any], log: list[Any]) -> None:
    for _, moment, price, matched in joined(asked, log):
        assert (price is None) == (matched is None)
        assert matched is None or matched <= moment


def test_a_value_lives_to_the_last_moment_of_its_time_and_no_longer() -> None:
    asked, log = [("a", 10), ("a", 11)], [("a", 5, 0, 7)]
    assert [row[2] for row in joined(asked, log, ttl_seconds=300)] == [7, None]


def test_what_was_known_later_takes_no_part_when_the_second_clock_is_asked() -> None:
    asked, log = [("a", 10)], [("a", 5, 0, 7), ("a", 5, 2, 8)]
    assert joined(asked, log)[0][2] == 8
    assert joined(asked, log, known_at=KNOWN)[0][2] == 7
