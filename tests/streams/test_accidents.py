"""What else happens to jobs: a broker that goes away, a neighbour that dies, a rival on the table, a full disk, huge values."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from contracts.connectors.files import load_contract
from infra import stack
from infra.commands.audit import audited
from infra.settings import Settings
from streams.connectors import delta
from streams.connectors.kafka import Sender, end_offsets
from tests.conftest import settings_in
from tests.streams.crash_driver import Told, run, start
from tests.streams.made import SENT_AT_MS, raw
from tests.streams.undisturbed import CONTRACT, Place, assert_undisturbed, log_of
from tests.waiting import until

pytestmark = pytest.mark.servers

ANSWER_SECONDS = 90
MEGABYTE = 1024 * 1024


def place_of(settings: Settings, home: Path, domain: str) -> Place:
    return Place(replace(settings, home=home), replace(load_contract(CONTRACT), domain=domain))


def send(place: Place, log: list[tuple[int, bytes | None]], first: int = 0) -> None:
    """Write a part of the raw log, whose first record is number `first`."""
    with Sender(place.settings.client()) as sender:
        for at, (partition, value) in enumerate(log, first):
            sender.send(place.contract.raw_topic, value, partition=partition, timestamp_ms=SENT_AT_MS + at)


def calm(settings: Settings, home: Path, domain: str, log: list[tuple[int, bytes | None]]) -> tuple[list[str], list[str]]:
    """Return what the tables hold after an undisturbed run over a log."""
    here = place_of(settings, home, domain).ready(log)
    run(here.told("clean", "only"))
    run(here.told("land", "only"))
    return here.tables()


@contextmanager
def at_work(*told: Told) -> Iterator[list[subprocess.Popen[str]]]:
    """Have driver processes for the block; end what is left of them."""
    processes = [start(each) for each in told]
    try:
        yield processes
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
            process.communicate(timeout=ANSWER_SECONDS)


def ended(process: subprocess.Popen[str]) -> None:
    """Ask a driver process to stop, and check that it did so in order."""
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=ANSWER_SECONDS)
    assert process.returncode == 0, errors


def running(process: subprocess.Popen[str]) -> bool:
    """Say whether a driver process runs; fail with its words if it ended."""
    if process.poll() is None:
        return True
    _, errors = process.communicate(timeout=ANSWER_SECONDS)
    pytest.fail(f"a job ended with {process.returncode}: {errors}")


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Settings]:
    """Return settings with a broker that the test may kill."""
    settings = settings_in(tmp_path)
    stack.start(settings)
    try:
        yield settings
    finally:
        stack.stop(settings)


@pytest.mark.parametrize("engine", ["direct", "faust"])
def test_jobs_wait_for_a_broker_that_was_killed_and_go_on(own_broker: Settings, tmp_path: Path, engine: str):
    log = log_of(60)
    expected = calm(own_broker, tmp_path / "calm", "calm", log)
    here = place_of(own_broker, tmp_path / "away", "away").ready([])
    marks = [tmp_path / "clean at work", tmp_path / "land at work"]
    clean = here.told("clean", "only", engine=engine, drain=False, ready=str(marks[0]))
    land = here.told("land", "only", drain=False, ready=str(marks[1]), limits={"commit_seconds": 0.2})
    half = len(log) // 2
    send(here, log[:half])
    with at_work(clean, land) as jobs:
        until(lambda: all(running(job) for job in jobs) and all(mark.exists() for mark in marks), ANSWER_SECONDS)
        found = stack.find(own_broker)
        assert found is not None
        os.kill(found.pid, signal.SIGKILL)
        until(lambda: stack.find(own_broker) is None)
        stack.start(own_broker)
        send(here, log[half:], half)
        until(lambda: all(map(running, jobs)) and audited(here.settings, [here.contract]).ok, ANSWER_SECONDS)
        for job in jobs:
            ended(job)
    assert_undisturbed(here, expected)


def test_a_clean_process_takes_over_the_partitions_of_one_that_was_killed(broker_settings: Settings, tmp_path: Path):
    log = log_of(160)
    expected = calm(broker_settings, tmp_path / "calm", "calm_shared", log)
    quick = replace(broker_settings, kafka={"session.timeout.ms": "6000", "heartbeat.interval.ms": "500"})
    here = place_of(quick, tmp_path / "shared", "shared")
    here = replace(
        here, settings=replace(here.settings, kafka={**quick.kafka, "bootstrap.servers": quick.bootstrap_servers})
    ).ready([])
    marks = [tmp_path / "one at work", tmp_path / "two at work"]
    one, two = (here.told("clean", "same", drain=False, ready=str(mark)) for mark in marks)
    sent = iter(range(0, len(log) // 2, 2))

    def both_at_work() -> bool:
        at = next(sent, None)
        if at is not None:
            send(here, log[at : at + 2], at)
        return all(mark.exists() for mark in marks)

    with at_work(one, two) as (first, second):
        until(both_at_work, ANSWER_SECONDS)
        first.kill()
        first.wait(ANSWER_SECONDS)
        at = next(sent, len(log) // 2)
        send(here, log[at:], at)
        run(here.told("land", "early"))
        until(lambda: running(second) and covered(here) == raw_ends(here), ANSWER_SECONDS)
        ended(second)
    run(here.told("land", "late"))
    assert_undisturbed(here, expected)


def raw_ends(place: Place) -> dict[int, int]:
    ends = end_offsets(place.settings.client(), [place.contract.raw_topic])
    return {partition: end for (_, partition), (_, end) in ends.items()}


def covered(place: Place) -> dict[int, int]:
    """Return, by partition, how far the clean job has told the ledger of."""
    from infra.wiring import emitter
    from streams.topology import clean_job

    reached: dict[int, int] = {}
    for commit in emitter(place.settings).commits(clean_job(place.contract)):
        for span in commit.offsets:
            reached[span.partition] = max(reached.get(span.partition, 0), span.last_offset + 1)
    return reached


def test_two_land_processes_on_one_table_write_each_record_once(broker_settings: Settings, tmp_path: Path):
    log = log_of(150)
    expected = calm(broker_settings, tmp_path / "calm", "rivals", log)
    here = place_of(broker_settings, tmp_path / "two", "rivals")
    limits = {"commit_records": 3, "batch_records": 3, "compact_files": 0}
    with at_work(*(here.told("land", group, limits=limits) for group in ("red", "blue"))) as rivals:
        for process in rivals:
            _, errors = process.communicate(timeout=ANSWER_SECONDS)
            assert process.returncode == 0, errors
    assert_undisturbed(here, expected, clean_job_too=False)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a file system of 2 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"cannot mount a small file system here: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path, left: int) -> Path:
    """Write a file that leaves so many bytes free."""
    filler = folder / "filler"
    filler.unlink(missing_ok=True)
    room = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    filler.write_bytes(b"\0" * max(0, room - left))
    return filler


def test_a_full_disk_is_a_clear_stop_and_a_clean_resume(broker_settings: Settings, tmp_path: Path, small_disk: Path):
    log = log_of(60)
    expected = calm(broker_settings, tmp_path / "calm", "full", log)
    here = place_of(broker_settings, small_disk / "home", "full")
    stopped = []
    for attempt, left in enumerate([0, 16, 32, 48, 64, 96, 128]):
        filler = fill(small_disk, left * 1024)
        process = start(here.told("land", f"attempt{attempt}"))
        _, errors = process.communicate(timeout=ANSWER_SECONDS)
        stopped.append(process.returncode)
        if process.returncode:
            assert process.returncode == 1, errors
            # What delta-rs says itself of its broken writer may stand before our message.
            assert any(line.startswith("DiskFull: ") for line in errors.splitlines()), errors
            assert "Traceback" not in errors
            assert "try: free some" in errors
        filler.unlink()
    assert stopped.count(1) >= 4, stopped
    run(here.told("land", "last"))
    assert_undisturbed(here, expected, clean_job_too=False)


def memory_of(process: subprocess.Popen[str]) -> float:
    """Return the greatest memory of a driver process that ends in order, in MB."""
    out, errors = process.communicate(timeout=ANSWER_SECONDS)
    assert process.returncode == 0, errors
    return float(json.loads(out.splitlines()[-1])["megabytes"])


@pytest.mark.parametrize(("engine", "count", "megabytes"), [("direct", 60, 250), ("faust", 80, 400)])
def test_huge_values_do_not_pile_up_in_memory(broker_settings: Settings, tmp_path: Path, engine: str, count: int, megabytes: int):
    little = place_of(broker_settings, tmp_path / "little", f"little_{engine}").ready([(n % 2, raw(f"o{n}")) for n in range(80)])
    huge = place_of(broker_settings, tmp_path / "huge", f"huge_{engine}").ready([])
    size = 10 * MEGABYTE  # three of four: 450 and 600 MB in all, that hardly can be compressed
    with Sender(huge.settings.client()) as sender:
        for n in range(count):
            value = raw(f"o{n}") if n % 4 == 3 else raw(f"o{n}", f',"note":"{Random(n).randbytes(size // 2).hex()}"')
            sender.send(huge.contract.raw_topic, value, partition=n % 2, timestamp_ms=SENT_AT_MS + n)
    limits = {"batch_records": 5_000, "batch_bytes": 16 * MEGABYTE}
    least = memory_of(start(little.told("clean", "only", engine=engine, limits=limits)))
    most = memory_of(start(huge.told("clean", "only", engine=engine, limits=limits)))
    assert most - least < megabytes, (least, most)
    run(huge.told("land", "only"))
    assert audited(huge.settings, [huge.contract]).ok
    uris = [delta.table_uri(huge.settings.tables, layer, huge.contract.domain, "orders") for layer in ("silver", "quarantine")]
    rows, letters = (delta.read(uri) for uri in uris)
    assert rows.num_rows == count // 4
    assert set(letters["reason"].to_pylist()) == {"too_large"}


def test_a_stray_record_at_the_end_of_the_clean_topic_does_not_stop_a_restart(broker_settings: Settings, tmp_path: Path):
    log = log_of(40)
    expected = calm(broker_settings, tmp_path / "calm", "calm_stray", log)
    here = place_of(broker_settings, tmp_path / "stray", "stray").ready(log[:20])
    run(here.told("clean", "first"))
    strays: list[list[tuple[str, bytes]]] = [
        [],
        [("src", b"no coordinates")],
        [("src", b"\xff")],
        [("src", b"other.raw.v1:0:999")],
    ]
    with Sender(here.settings.client()) as sender:
        for partition in (0, 1):
            for headers in strays:
                sender.send(here.contract.clean_topic, b"stray", headers=headers, partition=partition)
    send(here, log[20:], 20)
    run(here.told("clean", "second"))
    run(here.told("land", "only"))
    uris = [delta.table_uri(here.settings.tables, layer, "stray", "orders") for layer in ("silver", "quarantine")]
    rows, letters = (delta.read(uri) for uri in uris)
    assert rows.num_rows == len(expected[0])
    assert letters["reason"].to_pylist().count("foreign") == 2 * len(strays)
    assert letters.num_rows == len(expected[1]) + 2 * len(strays)
    assert audited(here.settings, [here.contract]).ok


def test_clean_records_of_long_ago_are_not_deleted_by_their_age(broker_settings: Settings, tmp_path: Path):
    from confluent_kafka.admin import AdminClient, ConfigResource

    here = place_of(broker_settings, tmp_path, "aged").ready([(0, raw("o1"))])
    run(here.told("clean", "only"))
    admin = AdminClient(here.settings.client())
    for topic in (here.contract.clean_topic, here.contract.dead_letter_topic):
        (told,) = admin.describe_configs([ConfigResource("topic", topic)]).values()
        config = told.result(ANSWER_SECONDS)
        assert config["retention.ms"].value == "-1"
        assert int(config["retention.bytes"].value) > 0
        assert int(config["max.message.bytes"].value) >= 16 * MEGABYTE
