"""Views over a change stream: its history, where a delete is a value too, or its current table, where it is none."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pytest

from contracts.contract import Contract, Field
from contracts.errors import DefinitionInvalid, NotFound
from contracts.schema import silver_schema
from features.engines.aggregate import build_gold
from features.engines.apply import apply_definitions
from features.engines.explain import explain_value
from features.engines.materialize import materialize
from features.gold import gold_of
from features.manifest import Manifest, manifest_bytes, parse_manifest
from features.plan import Plan, View
from features.workspace import Workspace
from infra.settings import Settings
from infra.wiring import setup
from streams.connectors import delta
from streams.engines import current
from tests.features.made import KNOWN, at, land, latest_view, windowed, workspace

CONTRACT = Contract(
    id="urn:test:shop:sold",
    domain="shop",
    name="sold",
    contract_version="1.0.0",
    hash="a" * 64,
    fields=(
        Field("shop", "string", required=True, primary_key=True, classification="public"),
        Field("sold_at", "timestamp", required=True, classification="public"),
        Field("price", "integer"),
    ),
    event_time="sold_at",
    change="upsert",
)
DEFINITIONS = """
from datetime import timedelta
from feast import Entity, FeatureService, Field, ValueType
from feast.stream_feature_view import StreamFeatureView
from feast.types import Int64, String
from features.sources import current, silver

shop = Entity(name="shop", join_keys=["shop"], value_type=ValueType.STRING)


def prices(name, source):
    return StreamFeatureView(
        name=name,
        entities=[shop],
        ttl=timedelta(days=3650),
        source=source("shop.sold", timestamp_field="sold_at", view=name),
        timestamp_field="sold_at",
        schema=[Field(name="shop", dtype=String), Field(name="price", dtype=Int64)],
    )


price_now = prices("price_now", current)
price_history = prices("price_history", silver)
shop_price = FeatureService(name="shop_price", features=[price_now])
"""


def history(*changes: tuple[str, float, int | None, str]) -> pa.Table:
    """Return silver rows of (shop, minute, price, kind), at offsets in a row."""
    rows = [
        {
            "shop": shop,
            "sold_at": at(minute),
            "price": price,
            "_kind": kind,
            "_changed_at": at(minute),
            "_sequence": None,
            "_topic": CONTRACT.raw_topic,
            "_partition": 0,
            "_offset": offset,
            "_ingested_at": KNOWN,
            "_contract_hash": CONTRACT.hash,
            "_known_at": KNOWN,
        }
        for offset, (shop, minute, price, kind) in enumerate(changes)
    ]
    return pa.Table.from_pylist(rows, schema=silver_schema(CONTRACT))


CHANGES = history(
    ("a", 1, 5, "upsert"), ("b", 1, 7, "upsert"), ("a", 3, 6, "upsert"), ("b", 4, None, "delete"), ("a", 2, 9, "upsert")
)


@pytest.fixture
def shops(tmp_path: Path) -> tuple[Workspace, Plan]:
    """Return a workspace whose definitions stand on a change stream, landed and merged."""
    folder = tmp_path / "definitions"
    folder.mkdir()
    (folder / "shops.py").write_text(DEFINITIONS)
    place = workspace(tmp_path, [folder])
    land(place, "shop.sold", CHANGES)
    return place, apply_definitions(place)


def merged(place: Workspace) -> None:
    """Bring the current table up to silver."""
    made = setup(replace(Settings(), home=Path(place.tables).parent), [CONTRACT])
    current.run(replace(made, tables=place.tables, emitter=place.emitter), lambda: False, drain=True)


def values(place: Workspace, view: str) -> list[tuple[str, datetime, int | None]]:
    rows = delta.read(delta.table_uri(place.tables, "gold", view)).select(["shop", "event_timestamp", "price"])
    return sorted((row["shop"], row["event_timestamp"], row["price"]) for row in rows.to_pylist())


def test_a_view_on_current_has_the_newest_row_of_each_key_and_one_on_silver_the_history(shops: tuple[Workspace, Plan]) -> None:
    place, plan = shops
    merged(place)
    build_gold(place, plan)
    assert values(place, "price_now") == [("a", at(3), 6)]
    assert values(place, "price_history") == [
        ("a", at(1), 5),
        ("a", at(2), 9),
        ("a", at(3), 6),
        ("b", at(1), 7),
        ("b", at(4), None),
    ]
    filled = {made.view: made.entities for made in materialize(place, plan)}
    assert filled == {"price_now": 1, "price_history": 2}


def test_a_value_on_current_is_explained_by_the_raw_record_it_came_from(shops: tuple[Workspace, Plan]) -> None:
    place, plan = shops
    merged(place)
    (built,) = build_gold(place, plan, ["price_now"])
    found = explain_value(place, plan.view("price_now"), {"shop": "a"}, at(3), built.table_version)
    assert [(o.first_offset, o.last_offset) for o in found.offsets] == [(2, 2)]
    assert found.rows == found.found == 1


def test_a_view_on_current_asks_for_the_table_to_be_made_first(shops: tuple[Workspace, Plan]) -> None:
    place, plan = shops
    with pytest.raises(NotFound, match="headwater current"):
        build_gold(place, plan, ["price_now"])


def test_which_table_a_view_stands_on_survives_the_manifest(shops: tuple[Workspace, Plan]) -> None:
    _, plan = shops
    read = parse_manifest(manifest_bytes(Manifest(plan, "d"))).plan
    assert {name: view.layer for name, view in read.views.items()} == {"price_now": "current", "price_history": "silver"}
    assert plan.view("price_now").definition_hash != replace(plan.view("price_now"), layer="silver").definition_hash


def test_a_source_over_another_table_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "definitions"
    folder.mkdir()
    text = DEFINITIONS.replace("import current, silver", "import _source, silver")
    text = text.replace(
        'prices("price_now", current)',
        'prices("price_now", lambda d, timestamp_field, view: _source("bronze", d, timestamp_field, view, (), 1))',
    )
    (folder / "shops.py").write_text(text)
    with pytest.raises(DefinitionInvalid, match="bronze"):
        apply_definitions(workspace(tmp_path, [folder]))


def latest(view: View, *changes: tuple[str, float, int | None, str]) -> list[int | None]:
    found: list[int | None] = gold_of(view, history(*changes), KNOWN).rows["price"].to_pylist()
    return found


def test_of_a_b_a_at_one_moment_the_last_holds() -> None:
    assert latest(latest_view(), ("a", 1, 5, "upsert"), ("a", 1, 6, "upsert"), ("a", 1, 5, "upsert")) == [5]


def test_a_delete_is_no_event_of_a_window() -> None:
    view = windowed(("count", 10, 10), column="shop")
    told = gold_of(view, history(("a", 1, 5, "upsert"), ("a", 2, None, "delete"), ("a", 3, 6, "upsert")), KNOWN)
    assert told.rows["count_10_10"].to_pylist()[0] == 2
    assert (told.rows_in, told.duplicates, told.without_entity) == (3, 0, 0)
