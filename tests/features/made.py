"""Made-up silver tables and workspaces: no real flight, no real person, small enough to reckon by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from contracts.records import COORDINATE_FIELDS, KNOWN_AT_FIELD
from features.plan import Feature, View, Window
from features.workspace import Workspace
from lineage.connectors.ledger_file import FileLedger
from lineage.emit import Emitter
from streams.connectors import delta
from streams.documents.extract import extracted
from streams.documents.model import Asked, Document

DEFINITIONS = Path(__file__).parents[2] / "features" / "definitions"
START = datetime(2030, 1, 1, tzinfo=UTC)
KNOWN = datetime(2031, 1, 1, tzinfo=UTC)
MINUTE = 60_000_000
STAMP = pa.timestamp("us", "UTC")


def at(minutes: float) -> datetime:
    """Return the time so many minutes after the made-up world's start."""
    return START + timedelta(minutes=minutes)


def rows(columns: Mapping[str, pa.DataType], values: Iterable[Mapping[str, Any]], dataset: str = "shop.sold") -> pa.Table:
    """Return a silver table: the values in order, partition 0 unless `_partition` is given, offsets counting up."""
    made = [
        {
            "_topic": f"{dataset}.raw.v1",
            "_partition": 0,
            "_offset": place,
            "_ingested_at": KNOWN,
            "_contract_hash": "a" * 64,
            "_known_at": KNOWN,
            **value,
        }
        for place, value in enumerate(values)
    ]
    schema = pa.schema([*(pa.field(name, kind) for name, kind in columns.items()), *COORDINATE_FIELDS, KNOWN_AT_FIELD])
    return pa.Table.from_pylist(made, schema=schema)


def sales(values: Sequence[tuple[str | None, float, int | None]]) -> pa.Table:
    """Return made-up sales: (shop, minutes after the start, price)."""
    columns = {"sale_id": pa.string(), "shop": pa.string(), "sold_at": STAMP, "price": pa.int64()}
    made = [{"sale_id": f"s{n}", "shop": shop, "sold_at": at(m), "price": price} for n, (shop, m, price) in enumerate(values)]
    return rows(columns, made)


def windowed(*windows: tuple[str, int, int], column: str = "price", dtypes: Mapping[str, str] | None = None) -> View:
    """Return a view over sales with windows given as (function, window minutes, slide minutes)."""
    made = [Window(f"{f}_{w}_{s}", f, column, w * MINUTE, s * MINUTE) for f, w, s in windows]
    natural = {"mean": "Float64"} | dict(dtypes or {})
    features = tuple(Feature(w.feature, natural.get(w.function, "Int64")) for w in made)
    return View("shop_sales", "shop.sold", "sold_at", (Feature("shop", "String"),), features, windows=tuple(made))


def latest_view(**changes: Any) -> View:
    """Return a view that says each shop's last price."""
    parts: dict[str, Any] = {
        "name": "shop_last_price",
        "dataset": "shop.sold",
        "event_time": "sold_at",
        "entities": (Feature("shop", "String"),),
        "features": (Feature("price", "Int64"),),
    }
    return View(**parts | changes)


class Clock:
    """A clock that a test moves on: each look is one millisecond later."""

    def __init__(self, start: datetime = KNOWN) -> None:
        self.time = start

    def __call__(self) -> datetime:
        self.time += timedelta(milliseconds=1)
        return self.time


def workspace(home: Path, definitions: Sequence[Path] = (DEFINITIONS,), **changes: Any) -> Workspace:
    """Return a workspace in a folder of the test's own."""
    parts: dict[str, Any] = {
        "tables": str(home / "tables"),
        "feature_store": home / "features",
        "training_sets": str(home / "training_sets"),
        "project": "made_up",
        "definitions": tuple(definitions),
        "emitter": Emitter(FileLedger(home / "ledger")),
        "now": Clock(),
        "code_version": "test",
        "instance": "test-1",
        "alive": lambda instance: instance == "test-1",
        "secret": lambda name: name.encode().ljust(32),
    }
    return Workspace(**parts | changes)


def land(place: Workspace, dataset: str, table: pa.Table) -> None:
    """Append rows to a dataset's silver table, made if it is not there."""
    uri = delta.table_uri(place.tables, "silver", *dataset.split("."))
    delta.create_if_absent(uri, table.schema)
    delta.append(uri, table, metadata={"hop": "land"})


def flights() -> dict[str, pa.Table]:
    """Return the silver tables of a made-up airline's days: 60 flights of four aircraft, half of them late."""
    text, number = pa.string(), pa.int64()
    scheduled, departed, arrived, weather = [], [], [], []
    for n in range(60):
        base = {"flight_id": f"ZZ-{n}", "carrier": ("ZZ", "YY")[n % 2], "tailnum": f"N{n % 4}ZZ" if n % 7 else None}
        base |= {"origin": ("AAA", "BBB")[n % 2], "route": ("AAA-CCC", "BBB-CCC")[n % 2], "scheduled_at": at(n * 30)}
        late = 40 if n % 3 == 0 else -5
        scheduled.append(base)
        departed.append(base | {"departed_at": at(n * 30 + late), "departure_delay_minutes": late})
        if n % 10:
            arrived.append(base | {"arrived_at": at(n * 30 + late + 90), "arrival_delay_minutes": late})
        weather.append({"origin": base["origin"], "observed_at": at(n * 30), "temperature_f": 30.5 + n, "wind_gust_mph": None})
    common = {"flight_id": text, "carrier": text, "tailnum": text, "origin": text, "route": text, "scheduled_at": STAMP}
    measures = ("temperature_f", "humidity_percent", "wind_speed_mph", "wind_gust_mph")
    measures += ("precipitation_inches", "pressure_millibars", "visibility_miles")
    observed = {"origin": text, "observed_at": STAMP} | {name: pa.float64() for name in measures}
    return {
        "flights.scheduled": rows(common, scheduled, "flights.scheduled"),
        "flights.departed": rows(
            common | {"departed_at": STAMP, "departure_delay_minutes": number}, departed, "flights.departed"
        ),
        "flights.arrived": rows(common | {"arrived_at": STAMP, "arrival_delay_minutes": number}, arrived, "flights.arrived"),
        "flights.weather": rows(observed, weather, "flights.weather"),
    }


PAGES = {
    "clocks": "# clocks\n\nParses dates and times from text.\n\n## Time zones\n\nKnows every time zone and summer time.\n",
    "streams": "# streams\n\nA client for message brokers: produce and consume records of topics and partitions.\n",
    "numbers": "numbers\n=======\n\nFast arrays and linear algebra, matrices and vectors, for scientific computing.\n",
}


SECTIONS = pa.list_(pa.struct([("level", pa.int64()), ("heading", pa.string()), ("text", pa.string())]))


def pages(texts: Mapping[str, str] = PAGES, collected: float = 0) -> pa.Table:
    """Return the silver table of made-up package pages."""
    names = ("page_id", "package", "package_version", "kind", "title", "content_type", "text")
    columns: dict[str, pa.DataType] = dict.fromkeys(names, pa.string()) | {"sections": SECTIONS, "collected_at": STAMP}
    documents = {name: extracted(Asked(text, "text/markdown")) for name, text in texts.items()}
    made = [
        {
            "page_id": f"{name}/metadata",
            "package": name,
            "package_version": "1.0",
            "kind": "metadata",
            "title": name,
            "content_type": "text/markdown",
            "text": document.text,
            "sections": [asdict(section) for section in document.sections],
            "collected_at": at(collected),
        }
        for name, document in documents.items()
        if isinstance(document, Document)
    ]
    return rows(columns, made, "docs.pages")


OWN_DEFINITION = """
from datetime import timedelta
from feast import Entity, FeatureService, Field, ValueType
from feast.stream_feature_view import StreamFeatureView
from feast.types import Array, Bool, Float32, Float64, Int32, Int64, String, UnixTimestamp
from features.sources import silver

sensor = Entity(name="sensor", join_keys=["sensor_id"], value_type=ValueType.INT64)
sensor_last = StreamFeatureView(
    name="sensor_last",
    entities=[sensor],
    ttl=timedelta(days=3650),
    source=silver("plant.measured", timestamp_field="measured_at", view="sensor_last"),
    timestamp_field="measured_at",
    schema=[
        Field(name="sensor_id", dtype=Int64),
        Field(name="label", dtype=String),
        Field(name="small", dtype=Int32),
        Field(name="large", dtype=Int64),
        Field(name="single", dtype=Float32),
        Field(name="double", dtype=Float64),
        Field(name="on", dtype=Bool),
        Field(name="since", dtype=UnixTimestamp),
        Field(name="levels", dtype=Array(Float64)),
        Field(name="codes", dtype=Array(Int64)),
        Field(name="names", dtype=Array(String)),
    ],
)
sensor_state = FeatureService(name="sensor_state", features=[sensor_last])
"""
"""A pipeline of somebody's own, in one file: every type that a feature can have."""

SENSORS = 300


def measured() -> pa.Table:
    """Return the silver table of that pipeline: 300 sensors, each value null now and then."""
    columns: dict[str, pa.DataType] = {
        "sensor_id": pa.int64(),
        "measured_at": STAMP,
        "label": pa.string(),
        "small": pa.int64(),
        "large": pa.int64(),
        "single": pa.float64(),
        "double": pa.float64(),
        "on": pa.bool_(),
        "since": STAMP,
        "levels": pa.list_(pa.float64()),
        "codes": pa.list_(pa.int64()),
        "names": pa.list_(pa.string()),
    }
    made = []
    for n in range(SENSORS):
        values = {
            "label": "é" * (n % 200),
            "small": n - 150,
            "large": (-1) ** n * 2 ** (n % 62),
            "single": n / 4,
            "double": n / 7 - 20,
            "on": n % 2 == 0,
            "since": at(-n * 1000),
            "levels": [n / 3, -0.0, 1e300][: n % 4],
            "codes": [n, -n, 2**40][: n % 4],
            "names": ["x" * n, ""][: n % 3],
        }
        kept = {name: value for place, (name, value) in enumerate(values.items()) if (n + place) % 11}
        made.append({"sensor_id": n - 5, "measured_at": at(n / 60 + 0.000001), **kept})
    return rows(columns, made, "plant.measured")
