"""The whole path with tables, ledger and training sets in a bucket: what comes out is what the disk gives, digest for digest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import pytest
from click.testing import CliRunner

from infra import stack
from infra.main import main
from infra.settings import Settings
from lineage.connectors import object_store as reached
from lineage.digest import table_digest
from lineage.places import Access
from streams.connectors import delta
from streams.connectors.table_places import table_names
from tests.conftest import settings_in
from tests.object_stores import Store, settings_on

pytestmark = [pytest.mark.servers, pytest.mark.slow]
SERVED = ("flight_delay", "tailnum=N14228", "carrier=UA", "origin=EWR", "route=EWR-IAH")
OF_THE_RUN = ("_known_at", "created_timestamp", "_ingested_at")
"""Columns that say when a job ran, and not what a row is."""


@dataclass(frozen=True)
class Walked:
    """An installation whose whole path was walked, command by command, and what each command answered."""

    settings: Settings
    answers: dict[str, Any]

    def digests(self) -> dict[str, str]:
        """Return the digest of every table by name."""
        reached.reach(self.settings.access)
        uris = {name: delta.table_uri(self.settings.tables, name) for name in table_names(self.settings.tables)}
        return {name: table_digest(delta.read(uri), leave_out=OF_THE_RUN) for name, uri in uris.items()}


def called(settings: Settings, *words: str) -> Any:
    """Run a command to its end, as a person would; return what it prints as JSON."""
    done = CliRunner().invoke(main, [*words, "--json"], env=settings.environ())
    assert done.exit_code == 0, f"{words}: {done.output[-2000:]} {done.exception!r}"
    return json.loads(done.stdout)


def walk(settings: Settings) -> Walked:
    """Carry what stands in the raw and clean topics to tables, features and a training set."""
    answers: dict[str, Any] = {}
    for words in (
        ("archive", "flights", "--drain"),
        ("land", "flights", "docs", "--drain"),
        ("features", "apply"),
        ("features", "build"),
        ("features", "materialize"),
        ("features", "get", *SERVED),
        ("explain", *SERVED),
        ("features", "search", "which package parses dates?"),
        ("training-set", "build", "flight_delay"),
        ("audit", "flights", "docs"),
        ("lineage", "show"),
        ("status",),
    ):
        answers[" ".join(words[:2])] = called(settings, *words)
    return Walked(settings, answers)


@pytest.fixture(scope="module")
def both(object_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Walked, Walked]]:
    """Return the path walked on the disk and in a bucket, from the same topics and under the same keys."""
    folder = tmp_path_factory.mktemp("path")
    started = settings_in(folder)
    with stack.broker(started):
        theirs = MappingProxyType({"bootstrap.servers": started.bootstrap_servers})
        local = replace(started, kafka=theirs, online_store="sqlite")
        called(local, "produce", "flights", "--to", "2013-01-01")
        called(local, "produce", "docs")
        called(local, "clean", "flights", "docs", "--drain")
        elsewhere = replace(local, home=folder / "remote", keys=local.key_store)
        remote = settings_on(elsewhere, object_store.bucket(), object_store.guest)
        yield walk(local), walk(remote)
    reached.reach(Access())


def test_every_table_has_the_digest_that_it_has_on_the_disk(both: tuple[Walked, Walked]) -> None:
    local, remote = (walked.digests() for walked in both)
    layers = {name.split("/")[0] for name in remote}
    assert layers >= {"bronze", "silver", "quarantine", "gold"}
    assert {"gold/package_passages", "gold/origin_weather", "silver/docs/pages"} <= set(remote)
    assert remote == local


def test_nothing_but_the_home_is_on_the_disk(both: tuple[Walked, Walked]) -> None:
    home = both[1].settings.home
    assert {path.name for path in home.iterdir()} <= {"features", "keys", "logs", "run", "kafka"}
    assert not list(home.rglob("*.parquet"))


def test_values_search_and_training_set_are_those_of_the_disk(both: tuple[Walked, Walked]) -> None:
    local, remote = (walked.answers for walked in both)
    for command, kept in (
        ("features get", lambda answer: [(f["feature"], f["value"], f["event_time"]) for f in answer["features"]]),
        ("features search", lambda answer: answer["hits"]),
        ("training-set build", lambda answer: (answer["digest"], answer["rows"])),
    ):
        assert kept(remote[command]) == kept(local[command]), command
    assert remote["training-set build"]["folder"].startswith("s3://")


def test_a_value_is_explained_and_each_offset_has_its_fate(both: tuple[Walked, Walked]) -> None:
    local, remote = (walked.answers for walked in both)
    assert remote["audit flights"]["ok"]
    assert remote["audit flights"]["silver"] == local["audit flights"]["silver"]
    assert [why["offsets"] for why in remote["explain flight_delay"]["explained"]] == [
        why["offsets"] for why in local["explain flight_delay"]["explained"]
    ]


def test_lineage_is_one_graph_of_tables_named_by_bucket_and_key(both: tuple[Walked, Walked]) -> None:
    """`lineage show` exits 1 where a part of the graph hangs in the air, so it was one."""
    shown = json.dumps(both[1].answers["lineage show"])
    bucket, _, prefix = both[1].settings.tables.removeprefix("s3://").partition("/")
    assert f"s3://{bucket}" in shown
    assert f"{prefix}/silver/flights/departed" in shown
    assert both[1].settings.s3["secret_access_key"] not in shown


def test_status_names_the_tables(both: tuple[Walked, Walked]) -> None:
    local, remote = (walked.answers["status"]["tables"] for walked in both)
    assert [(table["table"], table["rows"]) for table in remote] == [(table["table"], table["rows"]) for table in local]


def test_what_is_done_already_is_found_done(both: tuple[Walked, Walked]) -> None:
    remote = both[1]
    called(remote.settings, "land", "flights", "docs", "--drain")
    called(remote.settings, "features", "build")
    assert called(remote.settings, "training-set", "build", "flight_delay")["existed"]
    assert called(remote.settings, "status")["tables"] == remote.answers["status"]["tables"]
