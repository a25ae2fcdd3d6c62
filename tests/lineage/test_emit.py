"""The emitter on a real ledger file: what a restart finds, and what it leaves."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from lineage.connectors.ledger_file import FileLedger
from lineage.emit import Emitter
from tests.lineage import made


@pytest.fixture
def ledger(tmp_path: Path) -> FileLedger:
    return FileLedger(tmp_path / "ledger")


def types(ledger: FileLedger) -> list[str]:
    return [entry.event["eventType"] for entry in ledger.events()]


def test_a_run_is_told_as_start_a_running_per_commit_and_one_end(ledger: FileLedger) -> None:
    emitter, run = Emitter(ledger), made.run()
    emitter.start(run, [made.raw()], [made.clean()], instance="host:41:7")
    assert [emitter.commit(made.facts(position)) for position in range(3)] == [True, True, True]
    emitter.finish(run, made.NOW)
    assert types(ledger) == ["START", "RUNNING", "RUNNING", "RUNNING", "COMPLETE"]


def test_a_restart_that_tells_again_adds_only_what_is_lacking(ledger: FileLedger) -> None:
    before = Emitter(ledger)
    before.start(made.run(), instance="host:41:7")
    for position in (0, 2):
        before.commit(made.facts(position))
    after = Emitter(FileLedger(ledger.folder))
    assert [after.commit(made.facts(position)) for position in range(3)] == [False, True, False]
    assert sorted(record.commit_id for record in after.commits(made.JOB)) == sorted(made.facts(p).commit_id for p in range(3))


def test_the_first_end_of_a_run_counts(ledger: FileLedger) -> None:
    emitter, run = Emitter(ledger), made.run()
    emitter.start(run, instance="a")
    emitter.finish(run, made.NOW, failed="disk full")
    emitter.finish(run, made.NOW)
    emitter.finish(run, made.NOW, aborted=True)
    assert types(ledger) == ["START", "FAIL"]


def test_runs_that_the_dead_left_open_are_closed_once_and_no_others(ledger: FileLedger) -> None:
    dead, live, done = made.run("dead"), made.run("live"), made.run("done")
    other = made.run("dead", job="shop.orders.land", hop="land")
    emitter = Emitter(ledger)
    for run, instance in ((dead, "dead"), (live, "live"), (done, "dead"), (other, "dead")):
        emitter.start(run, instance=instance)
    emitter.commit(made.facts(0, of=dead))
    emitter.finish(done, made.NOW)
    later = made.NOW + timedelta(minutes=1)
    restarted = Emitter(FileLedger(ledger.folder))
    assert restarted.close_abandoned(made.JOB, later, lambda instance: instance == "live") == [dead.run_id]
    assert restarted.close_abandoned(made.JOB, later, lambda instance: instance == "live") == []
    assert emitter.close_abandoned(made.JOB, later, lambda instance: instance == "live") == []
    end = list(ledger.events())[-1].event
    assert (end["eventType"], end["run"]["runId"]) == ("ABORT", dead.run_id)


def test_two_restarts_that_close_the_same_run_leave_one_end(ledger: FileLedger) -> None:
    Emitter(ledger).start(made.run("dead"), instance="dead")
    one, other = Emitter(ledger), Emitter(FileLedger(ledger.folder))
    one.commits(made.JOB)
    other.commits(made.JOB)
    closed = [emitter.close_abandoned(made.JOB, made.NOW, lambda _: False) for emitter in (one, other)]
    assert sum(map(len, closed)) == 1
    assert types(ledger) == ["START", "ABORT"]


def test_commits_are_those_of_every_run_and_process_of_the_job_in_ledger_order(ledger: FileLedger) -> None:
    emitter, other = Emitter(ledger), Emitter(FileLedger(ledger.folder))
    emitter.commit(made.facts(0))
    assert len(emitter.commits(made.JOB)) == 1
    other.commit(made.facts(1, of=made.run("second")))
    other.commit(made.facts(0, of=made.run("x", job="shop.orders.land", hop="land")))
    records = emitter.commits(made.JOB)
    assert [record.run_id for record in records] == [made.run().run_id, made.run("second").run_id]
    assert emitter.commits("no.such.job") == []


def test_another_installations_events_in_the_same_ledger_are_left_alone(ledger: FileLedger) -> None:
    Emitter(ledger, namespace="elsewhere").start(made.run(), instance="dead")
    Emitter(ledger, namespace="elsewhere").commit(made.facts())
    ours = Emitter(ledger)
    assert ours.commits(made.JOB) == []
    assert ours.close_abandoned(made.JOB, made.NOW, lambda _: False) == []
