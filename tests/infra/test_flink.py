"""A clean job on Flink survives the end of any of its processes, and comes out where an undisturbed run is.

One job through everything, since starting is slow: killed TaskManager, killed JobManager, killed follower, stop, wider again.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from contracts.contract import Contract
from infra.flink import cluster, restore
from infra.processes import Child, records, spawn
from infra.settings import Settings
from infra.wiring import chosen, emitter, key_store
from lineage.commits import CommitRecord
from streams.batches import record_batch
from streams.clean import CleanState, process_batch
from streams.connectors.kafka import Sender, ensure_topics, present_offsets, read_range, topics
from streams.encode import encoded_dead_letters, encoded_rows
from streams.engines.vault import with_payloads
from streams.topology import clean_job
from tests.streams.undisturbed import CONTRACT, KEPT, log_of

pytestmark = pytest.mark.servers

DOMAIN = "flinked"
STEP_SECONDS_MAX = 240.0
SIZE = 60


@dataclass(frozen=True)
class Survived:
    """What is left of a job after all accidents."""

    settings: Settings
    contract: Contract
    commits: list[CommitRecord]
    points: list[str | None]
    """From where the job would have gone on, after each step."""
    parallelisms: list[int]


@pytest.fixture(scope="module")
def survived(flink_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Survived:
    folder = tmp_path_factory.mktemp("flinked")
    (folder / "orders.odcs.yaml").write_text(
        CONTRACT.read_text("utf-8").replace("domain: test\n", f"domain: {DOMAIN}\n"), "utf-8"
    )
    settings = replace(flink_settings, contracts=(folder,))
    (contract,) = chosen(settings, [DOMAIN])
    ensure_topics(settings.client(), {contract.raw_topic: contract.partitions}, KEPT)
    points: list[str | None] = []
    widths: list[int] = []

    def step(child: Child) -> None:
        _send(settings, contract)
        _until(lambda: _covered(settings, contract), child)
        points.append(restore.restore_point(settings, DOMAIN))
        job = cluster.cluster(settings).running(f"headwater.clean.{DOMAIN}")
        widths.append(cluster.cluster(settings).parallelism(job.id) if job is not None else 0)

    with _follower(settings, 1) as child:
        step(child)
        _kill(settings, cluster.TASK_MANAGER)
        step(child)
        _kill(settings, cluster.JOB_MANAGER)
        step(child)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    with _follower(settings, 2) as child:
        step(child)
        assert child.stop(STEP_SECONDS_MAX) == 0, child.tail()
    return Survived(settings, contract, emitter(settings).commits(clean_job(contract)), points, widths)


def test_what_is_committed_equals_an_undisturbed_run_to_the_byte(survived: Survived):
    assert _committed(survived) == _undisturbed(survived)


def test_lineage_covers_every_raw_offset_once(survived: Survived):
    client, topic = survived.settings.client(), survived.contract.raw_topic
    told = Counter(
        (s.partition, at) for c in survived.commits for s in c.offsets for at in range(s.first_offset, s.last_offset + 1)
    )
    held = {(partition, int(at)) for partition, present in present_offsets(client, topic).items() for at in present.offsets}
    assert set(told) == held
    assert set(told.values()) == {1}


def test_lineage_counts_what_the_topics_hold(survived: Survived):
    held = Counter(topic for topic, *_ in _committed(survived).elements())
    assert held[survived.contract.clean_topic] == sum(c.records_out for c in survived.commits)
    letters = sum(sum(c.dead_letters.values()) + c.duplicates for c in survived.commits)
    assert held[survived.contract.dead_letter_topic] == letters


def test_all_runs_are_closed_but_the_killed_followers_which_are_aborted(survived: Survived):
    ends = Counter(
        entry.event["eventType"]
        for entry in emitter(survived.settings).ledger.events()
        if entry.event["job"]["name"] == clean_job(survived.contract)
    )
    assert ends["START"] == ends["COMPLETE"] + ends["ABORT"]
    assert ends["ABORT"] == 1


def test_the_job_was_made_wider_from_a_savepoint(survived: Survived):
    assert survived.parallelisms == [1, 1, 1, 2]
    assert restore.restore_point(survived.settings, DOMAIN) is not None
    assert "savepoint-" in str(restore.restore_point(survived.settings, DOMAIN))


def test_no_python_worker_is_left_without_its_task_manager(survived: Survived):
    leaders = {record.pid for record in records(survived.settings) if record.name == cluster.TASK_MANAGER}
    ours = str(survived.settings.home)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _cwd(entry).startswith(ours):
            assert os.getpgid(int(entry.name)) in leaders | {record.pid for record in records(survived.settings)}


def test_no_setting_and_nothing_personal_is_in_flinks_logs(survived: Survived):
    logs = list(survived.settings.logs.glob("flink-*.log*"))
    assert len(logs) >= 4
    for log in logs:
        assert "HEADWATER_" not in log.read_text("utf-8", "replace"), log.name
        assert not [line for line in log.read_text("utf-8", "replace").splitlines() if "212 555" in line], log.name


def _follower(settings: Settings, parallelism: int) -> Child:
    command = [sys.executable, "-m", "infra.main", "flink", "run", DOMAIN, "--parallelism", str(parallelism)]
    return spawn(command, name=f"flink-run-{parallelism}", settings=settings)


def _send(settings: Settings, contract: Contract) -> None:
    """Send the log once more: what repeats within the window is a duplicate, across every accident."""
    with Sender(settings.client()) as sender:
        for partition, value in log_of(SIZE):
            sender.send(contract.raw_topic, value, partition=partition, timestamp_ms=1_357_020_000_000)


def _kill(settings: Settings, name: str) -> None:
    (record,) = [record for record in records(settings) if record.name == name]
    os.kill(record.pid, signal.SIGKILL)


def _until(condition: Callable[[], bool], child: Child) -> None:
    deadline = time.monotonic() + STEP_SECONDS_MAX
    while not condition():
        assert child.running, child.tail()
        assert time.monotonic() < deadline, child.tail()
        time.sleep(0.2)


def _covered(settings: Settings, contract: Contract) -> bool:
    """Say whether the ledger was told of every raw record there is."""
    told: dict[int, int] = {}
    for commit in emitter(settings).commits(clean_job(contract)):
        for span in commit.offsets:
            told[span.partition] = max(told.get(span.partition, -1), span.last_offset)
    ends = present_offsets(settings.client(), contract.raw_topic)
    return all(told.get(partition, -1) + 1 >= present.end for partition, present in ends.items())


def _committed(survived: Survived) -> Counter[tuple[Any, ...]]:
    """Return what a reader of committed records finds in the clean and dead-letter topics."""
    client, contract = survived.settings.client(), survived.contract
    found: Counter[tuple[Any, ...]] = Counter()
    for topic in (contract.clean_topic, contract.dead_letter_topic):
        for partition in range(topics(client)[topic]):
            for message in _messages(client, topic, partition):
                headers = tuple(sorted(message.headers()))
                found[topic, partition, message.key(), message.value(), message.timestamp()[1], headers] += 1
    return found


def _undisturbed(survived: Survived) -> Counter[tuple[Any, ...]]:
    """Return what the pure function makes of the raw topic, sealed with the same keys."""
    contract, keys = survived.contract, key_store(survived.settings)
    found: Counter[tuple[Any, ...]] = Counter()
    for partition in range(contract.partitions):
        batch = record_batch(_messages(survived.settings.client(), contract.raw_topic, partition))
        window, size = survived.settings.duplicate_window, survived.settings.record_bytes_max
        outcome = process_batch(batch, CleanState({}, window, size, masking_key=keys.secret("masking")), contract)
        letters = with_payloads(outcome.dead_letters, batch, contract, keys)
        _count(found, contract.clean_topic, encoded_rows(outcome.rows, contract))
        _count(found, contract.dead_letter_topic, encoded_dead_letters(letters))
    return found


def _count(found: Counter[tuple[Any, ...]], topic: str, encoded: Iterator[Any]) -> None:
    for value, key, partition, timestamp, headers in encoded:
        found[topic, partition, None if key is None else key.encode(), value, timestamp, tuple(sorted(headers))] += 1


def _messages(client: Any, topic: str, partition: int) -> Sequence[Any]:
    return [message for messages in read_range(client, topic, partition, 0, 2**62) for message in messages]


def _cwd(process: Path) -> str:
    try:
        return str((process / "cwd").readlink())
    except OSError:
        return ""
