"""`headwater run` as a whole: its result as data, typed twice, killed outright in the midst, and its lineage as one graph."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra import stack
from infra.process_table import running_with
from infra.settings import PROJECT_FOLDER, Settings
from lineage.connectors.ledger_file import FileLedger
from lineage.graph import Name, build_graph, components, upstream
from tests.conftest import settings_in
from tests.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.slow]

DAYS = ("--to", "2013-01-03")
FLIGHTS = {"scheduled", "departed", "arrived", "weather"}


def started(settings: Settings, *words: str) -> subprocess.Popen[str]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("HEADWATER_")} | settings.environ()
    command = [sys.executable, "-m", "infra.main", "run", *DAYS, *words]
    return subprocess.Popen(
        command,
        cwd=PROJECT_FOLDER,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )


def run(settings: Settings, *words: str) -> dict[str, Any]:
    process = started(settings, "--json", *words)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, f"{out[-2000:]}\n{err[-4000:]}"
    done: dict[str, Any] = json.loads(out)
    return done


def hop(done: dict[str, Any], name: str) -> dict[str, Any]:
    return next(h for h in done["hops"] if h["name"] == name)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return settings_in(tmp_path_factory.mktemp("a run"))


@pytest.fixture(scope="module")
def first(settings: Settings) -> dict[str, Any]:
    return run(settings)


def test_every_hop_says_what_came_in_and_what_went_out(first: dict[str, Any]) -> None:
    produced = hop(first, "produce")["records_out"]
    assert produced > 5_000
    assert hop(first, "clean")["records_in"] == produced
    assert hop(first, "clean")["records_out"] + sum(hop(first, "clean")["dead_letters"].values()) == produced
    assert hop(first, "land")["records_in"] == produced
    for each in first["hops"]:
        assert each["seconds"] > 0, each["name"]


def test_the_tables_hold_what_the_audit_counts(first: dict[str, Any]) -> None:
    rows = {name: table["rows"] for name, table in first["tables"].items()}
    assert first["audit"]["ok"]
    assert first["audit"]["missing"] == 0
    assert sum(count for name, count in rows.items() if name.startswith("silver/")) == first["audit"]["silver"]
    assert {name.removeprefix("silver/flights/") for name in rows if name.startswith("silver/flights/")} == FLIGHTS
    assert all(table["digest"].startswith("v1:") for table in first["tables"].values())


def test_a_served_vector_is_explained_down_to_offsets(first: dict[str, Any]) -> None:
    served = first["served"]
    assert {value["view"] for value in served["features"]} == {why["view"] for why in served["explained"]}
    for why in served["explained"]:
        assert why["offsets"], why["view"]
        assert why["found"] == why["rows"]


def test_near_equal_licences_are_folded(first: dict[str, Any]) -> None:
    folds = {fold["dataset"]: fold for fold in first["folds"]}
    assert set(folds) == {"docs.pages"}
    assert folds["docs.pages"]["near"] > 10
    assert first["tables"]["silver/docs/pages"]["rows"] == folds["docs.pages"]["rows_in"]


def test_search_finds_passages(first: dict[str, Any]) -> None:
    hits = first["search"]["hits"]
    assert len(hits) == 3
    assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)


def test_raw_topics_to_training_set_is_one_connected_graph(settings: Settings, first: dict[str, Any]) -> None:
    graph = build_graph(entry.event for entry in FileLedger(Path(settings.ledger)).events())
    assert len(components(graph)) == 2
    training_set = next(name for name in graph.datasets if first["training_set"]["id"] in name.name)
    above = {edge.source.name for edge in upstream(graph, training_set)}
    assert {f"flights.{name}.raw.v1" for name in FLIGHTS} <= above
    assert any(name.startswith("feature_view/") for name in above)
    assert any(name.startswith("feature_service/") for name in above)


def test_every_run_that_began_has_ended(settings: Settings, first: dict[str, Any]) -> None:
    assert first["lineage"]["events"]
    states: dict[str, set[str]] = {}
    for entry in FileLedger(Path(settings.ledger)).events():
        states.setdefault(entry.event["run"]["runId"], set()).add(entry.event["eventType"])
    assert states
    assert all("START" in seen and "COMPLETE" in seen for seen in states.values())


def test_a_second_run_adds_nothing_and_changes_nothing(settings: Settings, first: dict[str, Any]) -> None:
    again = run(settings)
    assert hop(again, "produce")["records_out"] == 0
    assert hop(again, "clean")["records_in"] == 0
    digests = [{name: (t["rows"], t["digest"]) for name, t in done["tables"].items()} for done in (first, again)]
    assert digests[0] == digests[1]
    assert again["training_set"]["id"] == first["training_set"]["id"]


def under_the_same_keys(settings: Settings, folder: Path) -> Settings:
    """Return another installation with the first one's keys: placeholders are made with them, and so tables can be equal."""
    made = settings_in(folder)
    shutil.copytree(settings.home / "keys", made.home / "keys")
    return made


@pytest.mark.parametrize("engine", ["faust", "flink"])
def test_another_engine_gives_the_same_tables(settings: Settings, first: dict[str, Any], tmp_path: Path, engine: str) -> None:
    done = run(under_the_same_keys(settings, tmp_path), "--engine", engine)
    assert done["audit"]["ok"]
    silver = {name: t["digest"] for name, t in done["tables"].items() if name.startswith(("silver/flights", "gold/"))}
    assert silver == {name: first["tables"][name]["digest"] for name in silver}


@pytest.mark.parametrize("after", ["produced docs", "cleaned"])
def test_a_run_after_one_that_was_killed_outright_ends_where_an_undisturbed_one_does(
    settings: Settings, first: dict[str, Any], tmp_path: Path, after: str
) -> None:
    settings = under_the_same_keys(settings, tmp_path)
    killed = started(settings)
    assert killed.stderr is not None
    for line in killed.stderr:
        if line.startswith(after):
            os.kill(killed.pid, signal.SIGKILL)
            break
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    done = run(settings)
    assert done["audit"]["ok"]
    for name, table in first["tables"].items():
        assert (done["tables"][name]["rows"], done["tables"][name]["digest"]) == (table["rows"], table["digest"]), name
    assert stack.find(settings) is None
    until(lambda: not running_with(str(settings.home)))


def test_names_of_the_graph_are_whole(settings: Settings, first: dict[str, Any]) -> None:
    assert first["lineage"]["path"] == str(settings.ledger)
    graph = build_graph(entry.event for entry in FileLedger(Path(settings.ledger)).events())
    assert all(isinstance(name, Name) and name.namespace and name.name for name in graph.datasets)
