"""kill -9 at every numbered commit step, each engine: after a restart everything is as if nothing had happened."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.connectors.files import load_contract
from infra.settings import Settings
from tests.streams.crash_driver import Told, run, start
from tests.streams.undisturbed import CONTRACT, Place, assert_undisturbed, log_of

pytestmark = pytest.mark.servers

LOG = log_of(60)
ANSWER_SECONDS = 60
CLEAN_STEPS = ["dead letters", "clean records", "lineage"]
CLEAN_CRASHES = [
    ("dead letters", 1),
    ("dead letters", 3),
    ("clean records", 1),
    ("clean records", 4),
    ("lineage", 3),
    ("hint", 2),
]
LAND_STEPS = [
    "quarantine commit",
    "quarantine lineage",
    "quarantine compaction",
    "silver commit",
    "silver lineage",
    "silver compaction",
    "hint",
]

Expected = tuple[list[str], list[str]]


@pytest.fixture(scope="module")
def place(broker_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Place]:
    """Return how a test gets a dataset of its own."""

    def made(domain: str) -> Place:
        settings = replace(broker_settings, home=tmp_path_factory.mktemp(domain))
        return Place(settings, replace(load_contract(CONTRACT), domain=domain))

    return made


@pytest.fixture(scope="module")
def undisturbed(place: Callable[[str], Place]) -> tuple[Place, Expected]:
    """Return a dataset that was cleaned and landed without any accident, and what its tables hold."""
    here = place("calm").ready(LOG)
    run(here.told("clean", "only"))
    run(here.told("land", "only"))
    expected = here.tables()
    assert expected[0]
    assert expected[1]
    assert_undisturbed(here, expected)
    return here, expected


def killed(told: Told) -> None:
    """Run a driver process that must die at its step."""
    process = start(told)
    _, errors = process.communicate(timeout=ANSWER_SECONDS)
    assert process.returncode == -signal.SIGKILL, errors


@pytest.mark.parametrize(("step", "times"), CLEAN_CRASHES)
def test_clean_killed_behind_a_step_goes_on_as_if_nothing_had_happened(place, undisturbed, step, times):
    here = place(f"clean_{step.replace(' ', '_')}_{times}").ready(LOG)
    killed(here.told("clean", "first", step=step, times=times))
    run(here.told("clean", "second"))
    run(here.told("land", "only"))
    assert_undisturbed(here, undisturbed[1])


@pytest.mark.parametrize("step", CLEAN_STEPS)
def test_clean_under_faust_killed_behind_a_step_goes_on_as_if_nothing_had_happened(place, undisturbed, step):
    here = place(f"faust_{step.replace(' ', '_')}").ready(LOG)
    killed(here.told("clean", "first", engine="faust", step=step, times=3))
    run(here.told("clean", "second", engine="faust"))
    run(here.told("land", "only"))
    assert_undisturbed(here, undisturbed[1])


def test_clean_killed_again_and_again_goes_on_under_the_other_engine(place, undisturbed):
    here = place("again").ready(LOG)
    for attempt, step in enumerate(["clean records", "dead letters", "lineage"]):
        killed(here.told("clean", f"try{attempt}", step=step, times=2))
    run(here.told("clean", "last", engine="faust"))
    run(here.told("land", "only"))
    assert_undisturbed(here, undisturbed[1])


@pytest.mark.parametrize("step", LAND_STEPS)
def test_land_killed_behind_a_step_goes_on_as_if_nothing_had_happened(undisturbed, step, tmp_path: Path):
    calm, expected = undisturbed
    here = calm.at_home(tmp_path)
    killed(here.told("land", f"{step}.first", step=step))
    run(here.told("land", f"{step}.second"))
    assert_undisturbed(here, expected, clean_job_too=False)


def test_land_killed_at_each_step_in_turn_goes_on_as_if_nothing_had_happened(undisturbed, tmp_path: Path):
    calm, expected = undisturbed
    here = calm.at_home(tmp_path)
    for attempt, step in enumerate(LAND_STEPS[:-1]):
        process = start(here.told("land", f"turn{attempt}", step=step))
        _, errors = process.communicate(timeout=ANSWER_SECONDS)
        assert process.returncode in (-signal.SIGKILL, 0), errors
    run(here.told("land", "last"))
    assert_undisturbed(here, expected, clean_job_too=False)
