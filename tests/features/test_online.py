"""Online values: what our reader gives equals what Feast's own gives, whichever store holds them."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contracts.errors import NotFound, SettingsInvalid
from features.connectors.online_store import online_store
from features.feast_layout import entity_key, entity_key_prefix, entity_values
from features.online import EVENT_US, GOLD_VERSION, Asked, key_of, served_vector
from features.plan import Plan, View
from features.search import cosines, nearest
from features.workspace import Workspace
from tests.features.made import SENSORS, at, latest_view

ROUTE = {"tailnum": "N1ZZ", "carrier": "YY", "origin": "BBB", "route": "BBB-CCC"}


def entity_rows(view: View, place: Workspace) -> list[dict[str, Any]]:
    from streams.connectors import delta

    gold = delta.read(delta.table_uri(place.tables, "gold", view.name), columns=list(view.keys))
    return [dict(row) for row in {tuple(sorted(row.items())) for row in gold.to_pylist()}]


def from_feast(place: Workspace, view: View, keys: list[dict[str, Any]]) -> list[dict[str, Any]]:
    from features.connectors.feast_registry import feature_store, quiet

    with quiet():
        names = [f"{view.name}:{feature.name}" for feature in view.features]
        read = feature_store(place).get_online_features(features=names, entity_rows=keys).to_dict()
    return [{feature.name: read[feature.name][at_] for feature in view.features} for at_ in range(len(keys))]


def from_ours(place: Workspace, plan: Plan, view: View, keys: list[dict[str, Any]]) -> list[dict[str, Any]]:
    from features.plan import Service

    service = Service("one", tuple((view.name, feature.name) for feature in view.features))
    alone = replace(plan, services={"one": service})
    texts = [{name: str(value) for name, value in key.items()} for key in keys]
    return [{s.feature: s.value for s in served_vector(alone, online_store(place), "one", text)} for text in texts]


def assert_equal_reads(place: Workspace, plan: Plan) -> None:
    for view in plan.views.values():
        known = entity_rows(view, place)
        unknown = [{e.name: 10**6 if e.dtype == "Int64" else "nobody" for e in view.entities}]
        assert from_ours(place, plan, view, known + unknown) == from_feast(place, view, known + unknown), view.name


def test_our_reads_equal_feasts_for_every_view_and_entity(built: tuple[Workspace, Plan]) -> None:
    place, plan = built
    assert len(entity_rows(plan.view("sensor_last"), place)) == SENSORS
    assert_equal_reads(place, plan)


def test_every_value_names_its_event_time_and_gold_version(built: tuple[Workspace, Plan]) -> None:
    place, plan = built
    served = served_vector(plan, online_store(place), "flight_delay", ROUTE)
    assert {s.gold_version for s in served} == {1}
    assert {s.view for s in served} == set(plan.service("flight_delay").views)
    assert all(s.event_time is not None and s.event_time > at(0) for s in served)


def test_the_exact_event_time_is_kept_where_the_store_keeps_seconds(built: tuple[Workspace, Plan]) -> None:
    place, plan = built
    served = served_vector(plan, online_store(place), "sensor_state", {"sensor_id": "2"})
    assert served[0].event_time == at(7 / 60 + 0.000001)


def test_an_entity_that_is_not_there_is_missing_and_not_null(built: tuple[Workspace, Plan]) -> None:
    place, plan = built
    served = served_vector(plan, online_store(place), "flight_delay", ROUTE | {"tailnum": "N0NE"})
    statuses = {s.status for s in served if s.view == "aircraft_last_arrival"}
    assert (statuses, {s.status for s in served if s.view == "route_departures"} & {"missing"}) == ({"missing"}, set())
    weather = {s.feature: s.status for s in served if s.view == "origin_weather"}
    assert (weather["temperature_f"], weather["wind_gust_mph"]) == ("present", "null")


def test_a_value_older_than_its_time_to_live_is_said_to_be(built: tuple[Workspace, Plan]) -> None:
    place, plan = built
    fresh = served_vector(plan, online_store(place), "flight_delay", ROUTE, at(60 * 30))
    late = served_vector(plan, online_store(place), "flight_delay", ROUTE, at(60 * 30) + timedelta(days=30))
    assert {s.status for s in fresh} == {"present", "null"}
    assert {s.status for s in late} == {"expired", "null"}
    assert [s.value for s in fresh] == [s.value for s in late]


def test_a_missing_entity_column_is_named_with_the_command_to_use(built: tuple[Workspace, Plan]) -> None:
    place, plan = built
    with pytest.raises(NotFound, match=r"carrier, route(.|\n)*features get flight_delay"):
        served_vector(plan, online_store(place), "flight_delay", {"tailnum": "x", "origin": "y"})
    with pytest.raises(NotFound, match="not of its column's type"):
        served_vector(plan, online_store(place), "sensor_state", {"sensor_id": "seven"})


def test_search_finds_the_passage_about_the_question(built: tuple[Workspace, Plan]) -> None:
    from features.connectors.embedding import embed

    place, plan = built
    for question, package in (("read dates and times", "clocks"), ("kafka topics and partitions", "streams")):
        hits = nearest(online_store(place), plan.view("package_passages"), embed([question])[0], 2)
        assert hits[0].values["package"] == package
        assert hits[0].score >= hits[1].score
        assert hits[0].entity["passage_id"].startswith(f"{package}/metadata#")


def test_cosines_are_between_the_directions_and_not_the_lengths() -> None:
    vectors = np.array([[2, 0], [0, 3], [-1, 0], [0, 0]], dtype=np.float32)
    assert cosines(vectors, np.array([5, 0], dtype=np.float32)).tolist() == [1, 0, -1, 0]


def test_removed_entities_are_gone_and_others_stay(built: tuple[Workspace, Plan], tmp_path: Path) -> None:
    place, plan = built
    shutil.copytree(place.feature_store, tmp_path / "features")
    store = online_store(replace(place, feature_store=tmp_path / "features"))
    view = plan.view("origin_weather")
    key = key_of(view, {"origin": "AAA"})
    before = dict(store.scan(view, [GOLD_VERSION]))
    assert store.remove(view, [key, b"not there"], store.claim(view.name)) == 1
    assert set(dict(store.scan(view, [GOLD_VERSION]))) == set(before) - {key}
    assert store.read([Asked(view.name, [key], [EVENT_US])]) == [[None]]


def test_a_store_that_is_not_there_is_said_to_be(tmp_path: Path, built: tuple[Workspace, Plan]) -> None:
    place, plan = built
    empty = replace(place, feature_store=tmp_path)
    with pytest.raises(NotFound, match="features materialize"):
        served_vector(plan, online_store(empty), "flight_delay", ROUTE)
    assert online_store(empty).marked("origin_weather") == ""
    with pytest.raises(SettingsInvalid, match="sqlite or redis"):
        online_store(replace(place, online_store="cassandra"))


def test_keys_and_prefixes_are_feasts_own_bytes() -> None:
    from feast.infra.key_encoding_utils import serialize_entity_key, serialize_entity_key_prefix
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.protos.feast.types.Value_pb2 import Value

    names, values = ["zeta", "ab"], [Value(string_val="é\x00[*]"), Value(int64_val=-7)]
    ours = entity_key(names, ["é\x00[*]", -7], ["String", "Int64"])
    assert ours == serialize_entity_key(EntityKey(join_keys=names, entity_values=values), 3)
    assert entity_key_prefix(names) == serialize_entity_key_prefix(names, 3)
    assert entity_values(ours) == {"zeta": "é\x00[*]", "ab": -7}


def test_reading_online_values_loads_neither_feast_nor_arrow() -> None:
    code = "import sys, features.online, features.connectors.online_sqlite, features.connectors.manifest_file; "
    code += "print([m for m in ('feast', 'pyarrow', 'polars', 'deltalake', 'pandas') if m in sys.modules])"
    root = Path(__file__).parents[2]
    told = subprocess.run(
        [os.sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True, env={"PYTHONPATH": str(root)}
    )
    assert told.stdout.strip() == "[]"
    assert latest_view().keys == ("shop",)
