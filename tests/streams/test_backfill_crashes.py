"""Backfill beside what a real broker's records came to: killed outright at each step, and at work together with land."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts.connectors.files import load_contract
from infra.commands.audit import audited
from infra.settings import Settings
from infra.wiring import emitter
from streams.connectors import delta
from streams.topology import backfill_job, land_job
from tests.streams.crash_driver import run, start
from tests.streams.test_crashes import killed
from tests.streams.undisturbed import CONTRACT, Place, log_of

pytestmark = pytest.mark.servers
LOG = log_of(40)
STEPS = [("quarantine commit", 1), ("quarantine lineage", 2), ("silver commit", 2), ("silver lineage", 1)]
Tables = tuple[list[str], list[str]]


@pytest.fixture(scope="module")
def raw(broker_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Place:
    settings = replace(broker_settings, home=tmp_path_factory.mktemp("raw"))
    return Place(settings, replace(load_contract(CONTRACT), domain="backfilled")).ready(LOG)


@pytest.fixture(scope="module")
def landed(raw: Place) -> Tables:
    """Return what clean and land make of the log."""
    run(raw.told("clean", "calm"))
    run(raw.told("land", "calm"))
    return raw.tables()


def assert_one_event_a_commit(here: Place) -> None:
    told = []
    for job in (land_job(here.contract), backfill_job(here.contract)):
        told += [(name, at) for commit in emitter(here.settings).commits(job) for _, name, at in commit.outputs]
    uris = [delta.table_uri(here.settings.tables, x, here.contract.domain, here.contract.name) for x in ("silver", "quarantine")]
    made = [(uri, past.table_version) for uri in uris for past in delta.history(uri) if "facts" in past.metadata]
    assert sorted(told) == sorted(made)


@pytest.mark.parametrize(("step", "times"), STEPS)
def test_killed_behind_a_step_the_same_backfill_comes_out_as_clean_and_land_do(raw, landed, step, times, tmp_path):
    here = raw.at_home(tmp_path)
    run(here.told("archive", f"{step}.archive"))
    killed(here.told("backfill", "first", step=step, times=times))
    run(here.told("backfill", "second"))
    assert here.tables() == landed
    assert audited(here.settings, [here.contract]).ok
    assert_one_event_a_commit(here)


def test_beside_a_running_land_nothing_is_lost_or_doubled(raw, landed, tmp_path):
    here = raw.at_home(tmp_path)
    run(here.told("archive", "beside.archive"))
    landing = start(here.told("land", "beside.land"))
    run(here.told("backfill", "beside"))
    _, errors = landing.communicate(timeout=120)
    assert landing.returncode == 0, errors
    assert here.tables() == landed
    assert audited(here.settings, [here.contract]).ok
    assert_one_event_a_commit(here)
