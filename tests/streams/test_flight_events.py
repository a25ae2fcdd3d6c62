"""The flights become events: every row of the source, at the right instant, in one order, as the same bytes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime

import orjson
import polars as pl
import pytest

from contracts.contract import Catalog
from contracts.errors import TerminalError
from infra.settings import PROJECT_FOLDER
from streams import flight_events
from streams.connectors.flights import flights_source
from streams.flight_events import COLUMNS, KINDS, Year, event_batches, flight_timetable, span, weather_hours, year
from streams.json_records import record_key
from tests.streams import flights_year

ZONES = {"LAX": "America/Los_Angeles", "PBI": "America/New_York", "BDL": "America/New_York", "HNL": "Pacific/Honolulu"}


@pytest.fixture
def frames() -> tuple[pl.DataFrame, pl.DataFrame, dict[str, str]]:
    return flights_year.frames()


@pytest.fixture
def events() -> Year:
    return flights_year.events()


def flight(month: int, day: int, sched: int, arr: int, **more: object) -> dict[str, object]:
    """A row as the source has it: a made-up flight from EWR to BDL, departed and arrived unless told otherwise."""
    row = {
        "year": 2013,
        "month": month,
        "day": day,
        "sched_dep_time": sched,
        "dep_delay": 0,
        "sched_arr_time": arr,
        "arr_delay": 0,
        "carrier": "ZZ",
        "flight": 7,
        "tailnum": "N00ZZ",
        "origin": "EWR",
        "dest": "BDL",
        "air_time": 30,
        "distance": 116,
    }
    return row | more


def timetable(*rows: dict[str, object]) -> list[dict[str, object]]:
    schema = {name: pl.String if name in ("carrier", "tailnum", "origin", "dest") else pl.Int64 for name in flight(1, 1, 1, 1)}
    return flight_timetable(pl.DataFrame(list(rows), schema=schema), ZONES).to_dicts()


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def test_a_delay_past_midnight_moves_the_departure_to_the_next_day() -> None:
    (row,) = timetable(flight(1, 31, 2350, 45, dep_delay=25, arr_delay=20))
    assert (row["scheduled_at"], row["departed_at"]) == (utc(2013, 2, 1, 4, 50), utc(2013, 2, 1, 5, 15))
    assert (row["scheduled_arrival_at"], row["arrived_at"]) == (utc(2013, 2, 1, 5, 45), utc(2013, 2, 1, 6, 5))


def test_2400_is_the_first_minute_of_the_next_day() -> None:
    (row,) = timetable(flight(7, 1, 2300, 2400))
    assert row["scheduled_arrival_at"] == utc(2013, 7, 2, 4, 0)


def test_an_arrival_is_in_the_zone_of_its_destination_and_after_the_departure() -> None:
    west, islands = timetable(flight(7, 1, 2200, 100, dest="LAX"), flight(1, 1, 900, 1440, dest="HNL"))
    assert west["scheduled_arrival_at"] == utc(2013, 7, 2, 8, 0)
    assert islands["scheduled_arrival_at"] == utc(2013, 1, 2, 0, 40)


def test_the_four_airports_that_the_source_forgot_have_a_zone() -> None:
    (row,) = timetable(flight(1, 1, 800, 1300, dest="SJU"))
    assert row["scheduled_arrival_at"] == utc(2013, 1, 1, 17, 0)


def test_a_destination_without_a_zone_is_refused_by_name() -> None:
    with pytest.raises(TerminalError, match="QQQ"):
        timetable(flight(1, 1, 800, 900, dest="QQQ"))


def test_a_clock_time_that_the_spring_skips_is_read_with_the_offset_before() -> None:
    (row,) = timetable(flight(3, 9, 2230, 125, dest="PBI", arr_delay=38, air_time=141))
    assert row["arrived_at"] == utc(2013, 3, 10, 7, 3)


def test_a_clock_time_that_comes_twice_in_autumn_is_its_first_occurrence() -> None:
    (row,) = timetable(flight(11, 2, 2200, 100, dest="LAX", arr_delay=14))
    assert row["arrived_at"] == utc(2013, 11, 3, 8, 14)


def test_a_cancelled_flight_is_scheduled_and_nothing_more() -> None:
    (row,) = timetable(flight(1, 1, 800, 900, dep_delay=None, arr_delay=None, air_time=None, tailnum=None))
    assert row["scheduled_at"] == utc(2013, 1, 1, 13, 0)
    assert (row["departed_at"], row["arrived_at"]) == (None, None)


def test_a_diverted_flight_departs_and_does_not_arrive() -> None:
    (row,) = timetable(flight(1, 1, 800, 900, arr_delay=None, air_time=None))
    assert row["departed_at"] is not None
    assert row["arrived_at"] is None


def test_the_hour_that_comes_twice_has_two_observations() -> None:
    names = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib")
    hours = ["2013-11-03T05:00:00Z", "2013-11-03T06:00:00Z"]
    seen = weather_hours(pl.DataFrame({"origin": ["EWR", "EWR"], "time_hour": hours, **{name: [1, 2] for name in names}}))
    assert seen["key"].to_list() == ["EWR|2013-11-03T05:00:00Z", "EWR|2013-11-03T06:00:00Z"]


def test_every_row_of_the_source_becomes_its_events(
    events: Year, frames: tuple[pl.DataFrame, pl.DataFrame, dict[str, str]]
) -> None:
    flights, weather, _ = frames
    counts = dict(events.order.group_by("kind").len().iter_rows())
    assert flights.height == 336_776
    assert {KINDS[kind]: count for kind, count in counts.items()} == {
        "scheduled": flights.height,
        "departed": flights["dep_time"].count(),
        "arrived": flights["arr_delay"].count(),
        "weather": weather.height,
    }


def test_departures_agree_with_the_clock_times_of_the_source(frames: tuple[pl.DataFrame, pl.DataFrame, dict[str, str]]) -> None:
    flights, _, zones = frames
    made = flight_timetable(flights, zones).sort("flight_id")
    given = flights.with_columns(day=pl.date("year", "month", "day")).with_columns(
        at=pl.col("time_hour").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_zone="UTC") + pl.duration(minutes="minute")
    )
    keyed = made.join(
        given,
        left_on=["carrier", "flight_number", "origin", "scheduled_at"],
        right_on=["carrier", "flight", "origin", "at"],
        how="left",
        validate="1:1",
    )
    assert keyed["sched_dep_time"].null_count() == 0, "the source's own UTC hour says when a flight is scheduled"
    departed = keyed.filter(pl.col("departed_at").is_not_null())
    local = pl.col("departed_at").dt.convert_time_zone("America/New_York")
    shown = departed.select(local.dt.hour().cast(pl.Int64) * 100 + local.dt.minute()).to_series()
    assert (shown == departed["dep_time"] % 2400).all()


def test_arrivals_agree_with_the_clock_times_of_the_source_but_for_one_that_no_clock_showed(
    frames: tuple[pl.DataFrame, pl.DataFrame, dict[str, str]],
) -> None:
    flights, _, zones = frames
    made = flight_timetable(flights, zones).filter(pl.col("arrived_at").is_not_null())
    source = flights.filter(pl.col("arr_delay").is_not_null())
    known = {**flight_events.ZONES_MISSING, **zones}
    apart = 0
    given = source.select("carrier", "flight", "origin", "time_hour", "minute", "arr_time").with_columns(
        at=pl.col("time_hour").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_zone="UTC") + pl.duration(minutes="minute")
    )
    joined = made.join(
        given,
        left_on=["carrier", "flight_number", "origin", "scheduled_at"],
        right_on=["carrier", "flight", "origin", "at"],
        validate="1:1",
    )
    assert joined.height == source.height
    for (destination,), part in joined.group_by("destination"):
        shown = part["arrived_at"].dt.convert_time_zone(known[str(destination)])
        clock = shown.dt.hour().cast(pl.Int64) * 100 + shown.dt.minute().cast(pl.Int64)
        apart += int((clock != part["arr_time"] % 2400).sum())
    assert apart == 1, "the one arrival at a quarter past two in the night that had no such time"


def test_every_arrival_follows_its_departure_and_its_time_in_the_air(events: Year) -> None:
    flown = events.frames["arrived"].join(events.frames["departed"].select("flight_id", "departed_at"), on="flight_id")
    on_the_ground = (flown["arrived_at"] - flown["departed_at"]).dt.total_minutes() - flown["air_time_minutes"]
    assert flown.height == 327_346
    assert (on_the_ground > 0).all()
    assert (on_the_ground < 240).all()


def test_events_are_in_the_order_of_event_time_kind_and_key(events: Year) -> None:
    seen: list[tuple[int, int, bytes]] = []
    first, end = span(events, date(2013, 11, 3), date(2013, 11, 4))
    for batch in event_batches(events, first, end, batch_records=700):
        seen += zip(batch.event_times_us, batch.datasets, batch.keys, strict=True)  # type: ignore[arg-type]
    assert seen == sorted(seen)
    assert len(set(seen)) == len(seen) > 5_000


def test_keys_are_unique_for_the_whole_year(events: Year) -> None:
    for kind in ("scheduled", "departed", "arrived"):
        assert events.frames[kind]["flight_id"].is_unique().all()
    assert not events.frames["weather"].select("origin", "observed_at").is_duplicated().any()


def test_two_flights_of_one_key_are_refused(frames: tuple[pl.DataFrame, pl.DataFrame, dict[str, str]]) -> None:
    flights, weather, zones = frames
    few = flights.head(3)
    with pytest.raises(TerminalError, match="share a key"):
        year(pl.concat([few, few.head(1)]), weather.head(3), zones)


def test_a_span_takes_both_its_days_whole(events: Year) -> None:
    first, end = span(events, date(2013, 2, 1), date(2013, 2, 2))
    times = events.order["event_time"]
    assert times[first - 1] < utc(2013, 2, 1) <= times[first]
    assert times[end - 1] < utc(2013, 2, 3) <= times[end]
    assert times[end - 1] >= utc(2013, 2, 2, 23)


def test_a_span_of_no_event_is_empty(events: Year) -> None:
    assert list(event_batches(events, *span(events, date(2020, 1, 1), date(2020, 1, 2)))) == []
    first, end = span(events, date(2013, 5, 2), date(2013, 5, 1))
    assert first == end


def test_no_days_mean_the_whole_year(events: Year) -> None:
    assert span(events, None, None) == (0, len(events))


def _records(events: Year, first: int, end: int, size: int) -> Iterator[tuple[int, int, bytes | None, bytes]]:
    for batch in event_batches(events, first, end, size):
        numbers = range(batch.first_sequence, batch.first_sequence + len(batch))
        yield from zip(numbers, batch.datasets, batch.keys, batch.values, strict=True)


@pytest.mark.parametrize("size", [1, 97, 20_000])
def test_the_size_of_batches_changes_no_byte_and_no_number(events: Year, size: int) -> None:
    first, end = span(events, date(2013, 6, 1), date(2013, 6, 1))
    end = min(end, first + 200)
    assert list(_records(events, first, end, size)) == list(_records(events, first, end, 500))
    assert [number for number, *_ in _records(events, first, end, size)] == list(range(first, end))


def test_records_are_compact_json_with_the_keys_of_their_contract_in_order(events: Year, catalog: Catalog) -> None:
    contracts = [catalog.contracts[f"flights.{kind}"] for kind in KINDS]
    seen: set[int] = set()
    for _, dataset, key, value in _records(events, 0, 5_000, 1_000):
        read = orjson.loads(value)
        assert tuple(read) == COLUMNS[KINDS[dataset]] == tuple(field.name for field in contracts[dataset].fields)
        assert b": " not in value
        assert key == record_key(value, contracts[dataset].key)
        seen.add(dataset)
    assert seen == {0, 1, 2, 3}


def test_a_known_flight_reads_as_it_did_in_2013(events: Year) -> None:
    values = {value for *_, value in _records(events, 0, 600, 600)}
    assert (
        b'{"flight_id":"UA-1545-EWR-20130101T1015Z","departed_at":"2013-01-01T10:17:00Z","scheduled_at":"2013-01-01T10:15:00Z",'
        b'"carrier":"UA","tailnum":"N14228","origin":"EWR","destination":"IAH","route":"EWR-IAH","departure_delay_minutes":2}'
    ) in values


DIGEST = """
import hashlib, sys
from streams.connectors.flights import read_frames
from streams.flight_events import event_batches, year
flights, weather, zones = read_frames()
events = year(flights.head(5_000), weather.head(500), zones)
digest = hashlib.sha256()
for batch in event_batches(events, 0, len(events), 1_000):
    for number, key, value in zip(batch.datasets, batch.keys, batch.values, strict=True):
        digest.update(b"%d %b %b" % (number, key, value))
sys.stdout.write(f"{len(events)} {digest.hexdigest()}")
"""


def test_two_processes_make_the_same_bytes_whatever_their_hash_seed() -> None:
    shown = {
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            cwd=PROJECT_FOLDER,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "4242")
    }
    assert len(shown) == 1
    assert len(shown.pop().split()[-1]) == hashlib.sha256().digest_size * 2


def test_the_source_can_be_read_twice_and_says_how_long_it_is() -> None:
    source = flights_source(date(2013, 12, 31), None)
    first, second = list(source.batches()), list(source.batches())
    assert first == second
    assert sum(map(len, first)) == source.total
    assert first[0].first_sequence == source.first_sequence
