"""Land on tables and a ledger in a bucket: what two writers, kills, lost answers and an absent store leave."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from contracts.connectors.files import load_contract
from contracts.errors import CommitConflict, StoreAway, StoreRefused
from infra.settings import Settings
from lineage.connectors import object_store as reached
from streams.connectors import delta
from streams.connectors.table_places import table_names
from tests.object_stores import Between, Store, between, settings_on
from tests.streams.crash_driver import Told, run, start
from tests.streams.test_crashes import ANSWER_SECONDS, Expected, killed
from tests.streams.undisturbed import CONTRACT, Place, assert_undisturbed, log_of
from tests.waiting import until

pytestmark = pytest.mark.servers
LOG = log_of(60)
SILVER = "silver/on_s3/orders"


@pytest.fixture(scope="module")
def local(broker_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, Expected]:
    """Return a dataset that was cleaned once and landed on the disk, and what its tables hold."""
    settings = replace(broker_settings, home=tmp_path_factory.mktemp("on_s3"))
    here = Place(settings, replace(load_contract(CONTRACT), domain="on_s3")).ready(LOG)
    run(here.told("clean", "only"))
    run(here.told("land", "only"))
    expected = here.tables()
    assert expected[0]
    assert expected[1]
    return here, expected


@pytest.fixture
def here(local: tuple[Place, Expected], object_store: Store, bucket: str, tmp_path: Path) -> Place:
    """Return the same dataset with its tables and its ledger in a bucket of the test's own."""
    return replace(local[0], settings=settings_on(replace(local[0].settings, home=tmp_path), bucket, object_store.guest))


@pytest.fixture
def line(object_store: Store) -> Iterator[Between]:
    with between(object_store.endpoint) as made:
        yield made


def through(place: Place, line: Between) -> Place:
    """Return the same place, reached over the proxy."""
    return replace(place, settings=replace(place.settings, s3={**place.settings.s3, "endpoint": line.endpoint}))


def ended(told: Told) -> tuple[int, str]:
    """Run a driver process to its end; return its exit code and what it said."""
    process = start(told)
    _, errors = process.communicate(timeout=ANSWER_SECONDS)
    return process.returncode, errors


def test_land_in_a_bucket_gives_the_tables_of_the_disk(here: Place, local: tuple[Place, Expected]) -> None:
    run(here.told("land", "s3.plain"))
    assert_undisturbed(here, local[1], clean_job_too=False)
    assert table_names(here.settings.tables) == ["quarantine/on_s3/orders", SILVER]
    assert table_names(here.settings.tables, "gold") == []


def test_two_landers_at_once_neither_lose_nor_double(here: Place, local: tuple[Place, Expected]) -> None:
    """Each reads every partition, so that each commit is raced for."""
    both = [start(here.told("land", f"s3.both.{name}", limits={"commit_records": 5})) for name in "ab"]
    for process in both:
        _, errors = process.communicate(timeout=ANSWER_SECONDS)
        assert process.returncode == 0, errors
    assert_undisturbed(here, local[1], clean_job_too=False)


def test_one_of_two_landers_killed_outright_leaves_nothing_behind(here: Place, local: tuple[Place, Expected]) -> None:
    few = {"commit_records": 5}
    doomed, other = (
        start(here.told("land", "s3.doomed", step="silver commit", limits=few)),
        start(here.told("land", "s3.other", limits=few)),
    )
    for process in (doomed, other):
        process.communicate(timeout=ANSWER_SECONDS)
    assert other.returncode == 0
    run(here.told("land", "s3.after"))
    assert_undisturbed(here, local[1], clean_job_too=False)


def test_land_killed_at_steps_in_turn_goes_on_as_if_nothing_had_happened(here: Place, local: tuple[Place, Expected]) -> None:
    killed(here.told("land", "s3.turn", step="quarantine commit"))
    for again, step in enumerate(("silver commit", "silver compaction")):
        code, errors = ended(here.told("land", f"s3.turn.{again}", step=step))
        assert code in (-signal.SIGKILL, 0), errors  # how much was left, and so whether it came to that step, is a matter of time
    run(here.told("land", "s3.last"))
    assert_undisturbed(here, local[1], clean_job_too=False)


def test_a_commit_whose_answer_was_lost_counts_once(here: Place, local: tuple[Place, Expected], line: Between) -> None:
    """The store has done what was asked, and the writer cannot know: what is sent again finds the first try there."""
    lost: list[str] = []

    def swallow(method: str, path: str) -> bool:
        entry = path.endswith(".json") and "_delta_log" in path and "silver" in path
        if method == "PUT" and entry and len(lost) < 2 and path not in lost:
            lost.append(path)
            return True
        return False

    line.swallow = swallow
    afar = through(here, line)
    code, errors = ended(afar.told("land", "s3.lost"))
    assert code == 0, errors
    assert len(lost) == 2
    assert not [path for method, path, _ in line.passed if method == "DELETE"], "no job needs the right to"
    assert_undisturbed(here, local[1], clean_job_too=False)


def test_a_store_that_is_away_for_a_moment_is_waited_for(here: Place, local: tuple[Place, Expected], line: Between) -> None:
    afar = through(here, line)
    process = start(afar.told("land", "s3.moment"))
    until(lambda: any(method == "PUT" and "_delta_log" in path for method, path, _ in line.passed), 60)
    line.away = True
    seen = len(line.passed)
    back = threading.Timer(2.0, lambda: setattr(line, "away", False))
    back.start()
    _, errors = process.communicate(timeout=ANSWER_SECONDS)
    back.join()
    assert process.returncode == 0, errors
    assert len(line.passed) > seen
    assert_undisturbed(here, local[1], clean_job_too=False)


def test_a_store_that_stays_away_is_told_of_and_a_restart_loses_nothing(
    here: Place, local: tuple[Place, Expected], line: Between
) -> None:
    afar = through(here, line)
    afar = replace(afar, settings=replace(afar.settings, s3={**afar.settings.s3, "retry_seconds": "1"}))
    process = start(afar.told("land", "s3.away"))
    until(lambda: any(method == "PUT" and "silver" in path and "_delta_log" in path for method, path, _ in line.passed), 60)
    line.away = True
    _, errors = process.communicate(timeout=ANSWER_SECONDS)
    assert process.returncode == 1, errors
    assert "StoreAway" in errors
    assert "does not answer" in errors
    line.away = False
    run(here.told("land", "s3.away.after"))
    assert_undisturbed(here, local[1], clean_job_too=False)


def test_a_missing_bucket_and_wrong_credentials_are_told_apart(here: Place, object_store: Store) -> None:
    nowhere = settings_on(here.settings, "s3://made-nowhere", object_store.guest)
    code, errors = ended(replace(here, settings=nowhere).told("land", "s3.nowhere"))
    assert code == 1
    assert "StoreRefused" in errors
    assert "no bucket made-nowhere" in errors
    wrong = replace(object_store.guest, secret_access_key="wrong")  # noqa: S106
    code, errors = ended(replace(here, settings=settings_on(here.settings, here.settings.tables, wrong)).told("land", "s3.wrong"))
    assert code == 1
    assert "does not accept these credentials" in errors
    assert "Signature" not in errors


def test_reading_and_opening_say_the_same_of_a_store_that_refuses(bucket: str, object_store: Store) -> None:
    uri = f"{bucket}/tables/silver/shop/orders"
    delta.create_if_absent(uri, pa.schema([("a", pa.int64())]))
    reached.reach(replace(object_store.guest, access_key_id="unheard-of"))
    for asked in (delta.exists, delta.opened, delta.read, delta.current_version):
        with pytest.raises(StoreRefused):
            asked(uri)
    reached.reach(replace(object_store.guest, endpoint="http://127.0.0.1:1", retry_seconds=0.2))
    for asked in (delta.exists, delta.opened, delta.read, delta.current_version):
        with pytest.raises(StoreAway):
            asked(uri)


def test_of_two_commits_made_for_one_version_one_is_refused(bucket: str) -> None:
    uri = f"{bucket}/t"
    rows = pa.table({"a": [1]})
    delta.create_if_absent(uri, rows.schema)
    delta.append(uri, rows, metadata={}, after=0)
    with pytest.raises(CommitConflict):
        delta.append(uri, rows, metadata={}, after=0)
    assert delta.read(uri).num_rows == 1


def test_a_commit_asks_the_store_few_things_however_long_the_log(bucket: str, object_store: Store, line: Between) -> None:
    """A table that a thread holds open is asked only for what came since: opening it anew would read the log."""
    uri, rows = f"{bucket}/t", pa.table({"a": [1]})
    delta.create_if_absent(uri, rows.schema)
    for number in range(9):
        delta.append(uri, rows, metadata={}, transactions={"x": number})
    reached.reach(replace(object_store.guest, endpoint=line.endpoint))
    costs = []
    for number in range(9, 12):
        line.passed.clear()
        seen, lasts = delta.progress(uri, ["x"])
        assert (seen, lasts) == (number, {"x": number - 1})
        delta.append(uri, rows, metadata={}, transactions={"x": number}, after=seen)
        costs.append(len(line.passed))
        assert all(method in ("GET", "HEAD", "PUT", "POST") for method, _, _ in line.passed), "it deletes nothing"
    assert max(costs[1:]) <= 12, (costs, line.passed)


def test_a_thread_that_holds_a_table_open_sees_what_others_wrote(bucket: str) -> None:
    uri, rows = f"{bucket}/t", pa.table({"a": [1]})
    delta.create_if_absent(uri, rows.schema)
    seen = [delta.current_version(uri)]
    other = threading.Thread(target=lambda: seen.append(delta.append(uri, rows, metadata={}, after=0).table_version))
    other.start()
    other.join()
    assert seen == [0, 1]
    assert delta.current_version(uri) == 1
    assert delta.read(uri).num_rows == 1
    assert delta.read(uri, table_version=0).num_rows == 0
    with pytest.raises(CommitConflict):
        delta.append(uri, rows, metadata={}, after=0)
