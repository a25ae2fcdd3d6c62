"""The hops on Delta: what is built again, what is told, what a crash leaves, and that no future leaks."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from contracts.errors import DefinitionInvalid, NotFound
from features.connectors.manifest_file import applied_manifest, registry_changed
from features.connectors.online_store import online_store
from features.engines import aggregate
from features.engines import materialize as materialize_engine
from features.engines.aggregate import build_gold
from features.engines.apply import apply_definitions, defined_plan
from features.engines.explain import explain_value
from features.engines.materialize import materialize
from features.engines.training_sets import build_training_set, read_training_set
from features.model import fit, split_by_time
from features.online import GOLD_VERSION, served_vector
from features.plan import Plan
from features.training import AT, stamp_column
from features.workspace import Workspace
from lineage.digest import table_digest
from streams.connectors import delta
from tests.features.made import DEFINITIONS, PAGES, Clock, at, flights, land, measured, pages, rows, workspace
from tests.lineage.test_events import needs_vectors, validate_whole

ROUTE = {"tailnum": "N1ZZ", "carrier": "YY", "origin": "BBB", "route": "BBB-CCC"}


def gold(place: Workspace, view: str) -> pa.Table:
    return delta.read(delta.table_uri(place.tables, "gold", view))


def content(table: pa.Table) -> str:
    return table_digest(table, leave_out=("created_timestamp",))


@pytest.fixture
def plant(tmp_path: Path, own_definitions: Path) -> tuple[Workspace, Plan]:
    """Return a small world of one's own: one definition file, one dataset."""
    place = workspace(tmp_path, [own_definitions])
    land(place, "plant.measured", measured())
    return place, apply_definitions(place)


def test_what_is_up_to_date_is_left_alone_and_what_is_built_again_is_equal(plant: tuple[Workspace, Plan]) -> None:
    place, plan = plant
    first = build_gold(place, plan)[0]
    before = gold(place, "sensor_last")
    assert build_gold(place, plan) == [replace(first, up_to_date=True)]
    other_code = replace(place, code_version="newer")
    again = build_gold(other_code, plan)[0]
    assert (again.up_to_date, again.table_version) == (False, first.table_version + 1)
    assert content(gold(place, "sensor_last")) == content(before)


def test_new_silver_rows_are_taken_up(plant: tuple[Workspace, Plan]) -> None:
    place, plan = plant
    build_gold(place, plan)
    land(
        place,
        "plant.measured",
        measured().slice(0, 1).set_column(1, "measured_at", pa.array([at(9999)], pa.timestamp("us", "UTC"))),
    )
    built = build_gold(place, plan)[0]
    assert (built.up_to_date, built.silver_version) == (False, 2)


def test_the_commit_says_what_gold_was_made_from(plant: tuple[Workspace, Plan]) -> None:
    place, plan = plant
    build_gold(place, plan)
    told = delta.history(delta.table_uri(place.tables, "gold", "sensor_last"))[-1].metadata
    assert (told["silver"], told["silver_version"], told["rows_in"]) == ("plant.measured", "1", "300")
    assert json.loads(told["contract_hashes"]) == ["a" * 64]
    assert json.loads(told["frontier"]) == [
        {"topic": "plant.measured.raw.v1", "partition": 0, "first_offset": 0, "last_offset": 299}
    ]
    assert told["definition_hash"] == plan.view("sensor_last").definition_hash


def test_a_dataset_that_is_not_landed_is_said_to_be(tmp_path: Path, own_definitions: Path) -> None:
    place = workspace(tmp_path, [own_definitions])
    with pytest.raises(NotFound, match=r"no silver table of plant.measured(.|\n)*headwater run"):
        build_gold(place, defined_plan(place))


def test_a_view_whose_columns_changed_asks_for_a_new_name(plant: tuple[Workspace, Plan]) -> None:
    place, plan = plant
    build_gold(place, plan)
    view = plan.view("sensor_last")
    narrower = replace(plan, views={view.name: replace(view, features=view.features[1:])})
    with pytest.raises(DefinitionInvalid, match=r"label(.|\n)*sensor_last_v2"):
        build_gold(place, narrower)


@pytest.mark.parametrize("step", ["computed", "committed"])
def test_a_crash_of_the_aggregate_is_mended_by_running_it_again(
    plant: tuple[Workspace, Plan], step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, plan = plant

    def die(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as crash:
        if step == "computed":
            crash.setattr(aggregate.delta, "overwrite", die)
        else:
            crash.setattr(place.emitter, "commit", die)
        with pytest.raises(KeyboardInterrupt):
            build_gold(place, plan)
    build_gold(place, plan)
    commits = place.emitter.commits("sensor_last.aggregate")
    assert len(commits) == 1
    assert commits[0].records_out == gold(place, "sensor_last").num_rows == 300
    build_gold(place, plan)
    assert place.emitter.commits("sensor_last.aggregate") == commits


@pytest.mark.parametrize("step", ["write", "sweep", "mark", "commit"])
def test_a_crash_of_the_materialization_is_mended_by_running_it_again(
    plant: tuple[Workspace, Plan], step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from features.connectors.online_sqlite import SqliteStore

    place, plan = plant
    build_gold(place, plan)
    calls = []

    def die_later(*arguments: Any, **named: Any) -> Any:
        calls.append(arguments)
        if step == "write" and len(calls) == 1:
            return real(*arguments, **named)
        raise KeyboardInterrupt

    target: Any = place.emitter if step == "commit" else SqliteStore
    real = getattr(target, step)
    with monkeypatch.context() as crash:
        crash.setattr(materialize_engine, "BATCH", 100)
        crash.setattr(target, step, die_later)
        with pytest.raises(KeyboardInterrupt):
            materialize(place, plan)
    done = materialize(place, plan)[0]
    assert (done.entities, done.up_to_date) == (300, step == "commit")
    assert len(dict(online_store(place).scan(plan.view("sensor_last"), [GOLD_VERSION]))) == 300
    assert len(place.emitter.commits("sensor_last.materialize")) == 1


def test_a_commit_that_was_never_told_is_told_before_the_next_one(
    plant: tuple[Workspace, Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    place, plan = plant

    def die(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as crash:
        crash.setattr(place.emitter, "commit", die)
        with pytest.raises(KeyboardInterrupt):
            build_gold(replace(place, instance="killed"), plan)
    land(place, "plant.measured", measured().slice(0, 1))
    build_gold(place, plan)
    told = place.emitter.commits("sensor_last.aggregate")
    assert [commit.inputs[0][2] for commit in told] == [1, 2]
    starts = {e.event["run"]["runId"] for e in place.emitter.ledger.events() if e.event["eventType"] == "START"}
    ends = {
        e.event["run"]["runId"] for e in place.emitter.ledger.events() if e.event["eventType"] in ("COMPLETE", "ABORT", "FAIL")
    }
    assert starts == ends


def test_only_a_new_gold_version_is_materialized(plant: tuple[Workspace, Plan]) -> None:
    place, plan = plant
    build_gold(place, plan)
    assert [m.up_to_date for m in materialize(place, plan)] == [False]
    assert [m.up_to_date for m in materialize(place, plan)] == [True]
    assert [m.up_to_date for m in materialize(place, plan, until=at(1))] == [False]
    assert len(dict(online_store(place).scan(plan.view("sensor_last"), [GOLD_VERSION]))) == 60


def test_a_page_that_is_collected_again_leaves_no_old_passage_behind(tmp_path: Path) -> None:
    place = workspace(tmp_path)
    land(place, "docs.pages", pages())
    plan = apply_definitions(place)
    build_gold(place, plan, ["package_passages"])
    materialize(place, plan, ["package_passages"])
    land(place, "docs.pages", pages({"clocks": "# clocks\n\nNow a library of recipes for bread and cake.\n"}, collected=60))
    build_gold(place, plan, ["package_passages"])
    done = materialize(place, plan, ["package_passages"])[0]
    texts = [passage["text"] for passage in gold(place, "package_passages").to_pylist() if passage["package"] == "clocks"]
    assert done.removed == 2
    assert len(texts) == 1
    assert "bread" in texts[0]
    assert len(dict(online_store(place).scan(plan.view("package_passages"), [GOLD_VERSION]))) == len(PAGES)


def test_what_is_served_is_explained_down_to_its_raw_offsets(built: tuple[Workspace, Plan]) -> None:
    place, plan = built
    for served in served_vector(plan, online_store(place), "flight_delay", ROUTE):
        assert served.event_time is not None
        assert served.gold_version is not None
        told = explain_value(place, plan.view(served.view), ROUTE, served.event_time, served.gold_version)
        assert told.found == told.rows
        assert sum(r.last_offset - r.first_offset + 1 for r in told.offsets) == told.found
        assert told.values[served.feature] == served.value


def test_lineage_connects_silver_to_the_training_set(built: tuple[Workspace, Plan]) -> None:
    place, plan = built
    build_training_set(place, plan, "flight_delay")
    made_from: dict[str, set[str]] = {}
    for view in plan.views.values():
        for job in (f"{view.name}.aggregate", f"{view.name}.materialize"):
            _add(made_from, place, job)
    for job in ("flight_delay.apply", "flight_delay.training_set"):
        _add(made_from, place, job)
    trained = [name for name in made_from if name.endswith("rows.parquet")]
    reached = _reached(made_from, trained[0])
    silver = {f"{place.tables}/silver/flights/{name}" for name in ("scheduled", "departed", "arrived", "weather")}
    assert silver <= reached
    assert {"feature_service/flight_delay", "feature_view/origin_weather"} <= reached


def _add(made_from: dict[str, set[str]], place: Workspace, job: str) -> None:
    for commit in place.emitter.commits(job):
        for _, output, _ in commit.outputs:
            made_from.setdefault(output, set()).update(name for _, name, _ in commit.inputs)


def _reached(made_from: dict[str, set[str]], start: str) -> set[str]:
    seen, waiting = set[str](), [start]
    while waiting:
        for name in made_from.get(waiting.pop(), ()):
            if name not in seen:
                seen.add(name)
                waiting.append(name)
    return seen


@needs_vectors
def test_every_event_of_this_room_obeys_the_openlineage_schemas(built: tuple[Workspace, Plan]) -> None:
    place, plan = built
    build_training_set(place, plan, "flight_delay")
    events = [entry.event for entry in place.emitter.ledger.events()]
    assert {e["job"]["name"].split(".")[1] for e in events} == {"apply", "aggregate", "materialize", "training_set"}
    for event in events:
        validate_whole(event)


def test_columns_are_traced_by_the_definition(built: tuple[Workspace, Plan]) -> None:
    place, plan = built
    ledger = [entry.event for entry in place.emitter.ledger.events()]
    event = next(e for e in reversed(ledger) if e["job"]["name"] == "route_departures.aggregate" and e.get("outputs"))
    fields = event["outputs"][0]["facets"]["columnLineage"]["fields"]
    assert {f["field"] for f in fields["route_departure_delay_mean_3h"]["inputFields"]} == {"departure_delay_minutes"}
    assert {f["field"] for f in fields["route"]["inputFields"]} == {"route"}
    assert set(fields) >= {feature.name for feature in plan.view("route_departures").features}


def test_training_rows_hold_what_a_person_would_reckon(built: tuple[Workspace, Plan]) -> None:
    place, plan = built
    built_set = build_training_set(place, plan, "flight_delay")
    manifest, made = read_training_set(place.training_sets, built_set.id)
    assert (manifest["rows"], manifest["spine_rows"], manifest["unanswered"]) == (54, 60, 6)
    row = made.filter(pl.col("flight_id") == "ZZ-7").row(0, named=True)
    # Asked at minute 210. Carrier YY left at 30 - 5 and 150 - 5 (ZZ-1, ZZ-5), at 90 + 40 (ZZ-3), and ZZ-7 itself at 205.
    assert row["carrier_departure_count_24h"] == 4
    assert row["carrier_departure_delay_mean_24h"] == (-5 + 40 - 5 - 5) / 4
    assert (row["carrier_departure_count_1h"], row["carrier_departure_delay_mean_1h"]) == (1, -5.0)
    assert row["temperature_f"] == 37.5
    assert row["arrival_delay_minutes"] is None  # ZZ-7 has no tail number
    assert row["arrives_late"] is False
    assert made.filter(pl.col("flight_id") == "ZZ-9")["arrives_late"].to_list() == [True]


def test_building_again_gives_the_same_training_set(built: tuple[Workspace, Plan]) -> None:
    place, plan = built
    first = build_training_set(place, plan, "flight_delay")
    again = build_training_set(place, plan, "flight_delay")
    assert (again.id, again.folder, again.existed) == (first.id, first.folder, True)
    bounded = build_training_set(place, plan, "flight_delay", since=at(300), until=at(900))
    manifest, made = read_training_set(place.training_sets, bounded.id)
    assert bounded.id != first.id
    assert made[AT].min() == at(330)
    assert made[AT].max() == at(870)
    assert manifest["table_versions"]["gold origin_weather"] == 1


def test_a_signal_planted_in_the_future_changes_no_training_row(tmp_path: Path) -> None:
    """Law L4, end to end: delays of 9,999 minutes after each row's time must not be seen by that row."""
    honest, planted = tmp_path / "honest", tmp_path / "planted"
    cut = at(900)
    sets = []
    for home, spoiled in ((honest, False), (planted, True)):
        place = workspace(home, [_flights_alone(tmp_path)])
        for dataset, table in flights().items():
            land(place, dataset, _spoiled(table, dataset, cut) if spoiled else table)
        plan = apply_definitions(place)
        build_gold(place, plan)
        made = build_training_set(place, plan, "flight_delay", until=cut)
        sets.append(read_training_set(place.training_sets, made.id)[1])
    features = [feature for _, feature in plan.service("flight_delay").features]
    assert sets[0].select("flight_id", *features).equals(sets[1].select("flight_id", *features))
    assert sets[0].height > 20


def _flights_alone(folder: Path) -> Path:
    alone = folder / "flights_alone"
    alone.mkdir(exist_ok=True)
    shutil.copy(DEFINITIONS / "flights.py", alone / "flights.py")
    return alone


def _spoiled(table: pa.Table, dataset: str, cut: Any) -> pa.Table:
    """Return the rows with every number after the cut made absurd."""
    column = {"flights.departed": "departed_at", "flights.arrived": "arrived_at", "flights.weather": "observed_at"}.get(dataset)
    if column is None:
        return table
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    numbers = [n for n in frame.columns if frame[n].dtype.is_numeric() and not n.startswith("_")]
    absurd = frame.with_columns(
        pl.when(pl.col(column) > cut).then(9999).otherwise(pl.col(n)).cast(frame[n].dtype).alias(n) for n in numbers
    )
    return absurd.to_arrow().cast(table.schema)


def test_no_joined_row_is_from_after_its_question(built: tuple[Workspace, Plan]) -> None:
    place, plan = built
    made = read_training_set(place.training_sets, build_training_set(place, plan, "flight_delay").id)[1]
    for view in plan.service("flight_delay").views:
        stamps = made.filter(pl.col(stamp_column(view)).is_not_null())
        assert stamps.height > 0
        assert (stamps[stamp_column(view)] <= stamps[AT]).all()


def test_the_second_clock_hides_what_was_not_known_yet(built: tuple[Workspace, Plan]) -> None:
    place, plan = built
    before_all = build_training_set(place, plan, "flight_delay", known_at=at(0))
    made = read_training_set(place.training_sets, before_all.id)[1]
    assert made["carrier_departure_count_24h"].null_count() == made.height


@pytest.mark.slow  # a second process loads Feast
def test_the_registry_can_be_read_by_a_feast_client_that_has_none_of_our_files(
    built: tuple[Workspace, Plan], tmp_path: Path
) -> None:
    place, _ = built
    code = (
        "import sys, warnings; warnings.simplefilter('ignore'); from feast import FeatureStore, RepoConfig\n"
        "config = RepoConfig(project='made_up', provider='local', registry=sys.argv[1],\n"
        "    online_store={'type': 'sqlite', 'path': sys.argv[2]}, entity_key_serialization_version=3)\n"
        "store = FeatureStore(config=config); service = store.get_feature_service('flight_delay')\n"
        "views = sorted(view.name for view in store.list_stream_feature_views())\n"
        "row = dict(tailnum='N1ZZ', carrier='YY', origin='BBB', route='BBB-CCC')\n"
        "print(views, store.get_online_features(service, [row]).to_dict()['temperature_f'])\n"
    )
    command = [sys.executable, "-c", code, str(place.registry_file), str(place.online_file)]
    told = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True, env={"HOME": str(tmp_path)})
    assert "'package_passages'" in told.stdout
    assert told.stdout.strip().endswith("[89.5]")
    assert not list(tmp_path.iterdir())


def test_applying_twice_changes_nothing_and_what_is_no_longer_defined_is_gone(tmp_path: Path, own_definitions: Path) -> None:
    place = workspace(tmp_path, [DEFINITIONS, own_definitions])
    apply_definitions(place)
    apply_definitions(place)
    assert len(place.emitter.commits("flight_delay.apply")) == 1
    assert not registry_changed(place, applied_manifest(place))
    fewer = replace(place, definitions=(own_definitions,))
    apply_definitions(fewer)
    assert set(applied_manifest(fewer).plan.views) == {"sensor_last"}
    from features.connectors.feast_registry import feature_store, quiet

    with quiet():
        assert [view.name for view in feature_store(fewer).list_stream_feature_views()] == ["sensor_last"]


def test_the_manifest_says_the_plan_without_feast(built: tuple[Workspace, Plan]) -> None:
    place, plan = built
    read = applied_manifest(place).plan
    assert read == replace(plan, training_sets=read.training_sets)
    assert {n: v.definition_hash for n, v in read.views.items()} == {n: v.definition_hash for n, v in plan.views.items()}
    with pytest.raises(NotFound, match="features apply"):
        applied_manifest(replace(place, feature_store=place.feature_store / "elsewhere"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import nothing_like_it", "broken.py: ModuleNotFoundError"),
        ("{own}\nsensor_last.name = 'other'", "source is for sensor_last"),
        (
            "{own}\nfrom feast import Entity\ntwice = Entity(name='sensor', join_keys=['x'], value_type=ValueType.STRING)",
            "defined twice",
        ),
        ("{own}\nsensor_last.stream_source.tags.clear()", "names no dataset"),
    ],
)
def test_a_definition_that_cannot_be_honoured_is_refused_where_it_stands(tmp_path: Path, text: str, said: str) -> None:
    from tests.features.made import OWN_DEFINITION

    folder = tmp_path / "definitions"
    folder.mkdir()
    (folder / "broken.py").write_text(text.replace("{own}", OWN_DEFINITION), "utf-8")
    place = workspace(tmp_path, [folder])
    with pytest.raises(DefinitionInvalid, match=said):
        apply_definitions(place)
    assert not place.registry_file.exists()


@pytest.mark.slow  # scikit-learn takes seconds to load
def test_a_model_is_judged_on_days_after_those_it_learned_from() -> None:
    made = pl.DataFrame({AT: [at(n // 4) for n in range(200)], "x": [n * 7 % 50 for n in range(200)]})
    made = made.with_columns(arrives_late=pl.col("x") > 25)
    train, test = split_by_time(made)
    assert train[AT].max() < test[AT].min()
    score = fit(made, ["x"], "arrives_late")
    assert score.train_rows + score.test_rows == 200
    assert score.beats_base_rate
    assert score.roc_auc > 0.95


@pytest.mark.slow
def test_too_few_rows_or_one_answer_only_teach_nothing() -> None:
    made = pl.DataFrame({AT: [at(n) for n in range(100)], "x": list(range(100)), "late": [False] * 100})
    with pytest.raises(NotFound, match="too little to learn from"):
        fit(made, ["x"], "late")


def test_silver_rows_that_stand_in_another_order_give_the_same_gold(tmp_path: Path, own_definitions: Path) -> None:
    digests = []
    for name, table in (("there", measured()), ("back", measured().take(list(range(299, -1, -1))))):
        place = workspace(tmp_path / name, [own_definitions], now=Clock())
        land(place, "plant.measured", table)
        build_gold(place, defined_plan(place))
        digests.append(content(gold(place, "sensor_last")))
    assert digests[0] == digests[1]
    assert rows({}, []).num_rows == 0
