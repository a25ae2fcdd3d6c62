"""The ledger file under many writers, kill -9, torn lines, and a disk that fails before or after it has written."""

from __future__ import annotations

import errno
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import DiskFull, LedgerBroken
from lineage.connectors import ledger_file
from lineage.connectors.ledger_file import FileLedger
from lineage.ledger import START, Position, entry_line, entry_of, line_id, packed_id
from lineage.names import derived_id

PROJECT = Path(__file__).parents[2]


def event(number: int, words: int = 3) -> tuple[str, dict[str, Any]]:
    return derived_id("test", number), {"number": number, "words": ["été \U0001f600"] * words}


def numbers(ledger: FileLedger) -> list[int]:
    return [entry.event["number"] for entry in ledger.events()]


def test_an_event_is_taken_once_and_read_back(tmp_path: Path) -> None:
    ledger = FileLedger(tmp_path / "ledger")
    assert list(ledger.events()) == []
    assert ledger.append(*event(1))
    assert not ledger.append(*event(1))
    assert ledger.append_all([event(1), event(2), event(2), event(3)]) == [False, True, False, True]
    assert not FileLedger(tmp_path / "ledger").append(*event(2))
    assert numbers(ledger) == [1, 2, 3]


def test_positions_say_where_to_go_on(tmp_path: Path) -> None:
    ledger = FileLedger(tmp_path)
    ledger.append_all([event(number) for number in range(4)])
    entries = list(ledger.events())
    assert entries[0].position == START
    for before, after in itertools.pairwise(entries):
        assert before.end == after.position
        assert [e.event_id for e in ledger.events(before.end)] == [e.event_id for e in entries[after.position.line :]]
    assert list(ledger.events(entries[-1].end)) == []
    assert entries[-1].end.byte_offset == ledger.size()


def test_a_position_that_is_none_is_refused(tmp_path: Path) -> None:
    ledger = FileLedger(tmp_path)
    with pytest.raises(LedgerBroken):
        list(ledger.events(Position(1, 10)))
    ledger.append(*event(1))
    for byte_offset in (5, 10_000):
        with pytest.raises(LedgerBroken):
            list(ledger.events(Position(1, byte_offset)))


def test_two_ledgers_on_one_folder_see_each_others_events(tmp_path: Path) -> None:
    one, other = FileLedger(tmp_path), FileLedger(tmp_path)
    for number in range(10):
        assert (one, other)[number % 2].append(*event(number))
        assert not (other, one)[number % 2].append(*event(number))
    assert numbers(one) == list(range(10))


@given(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=30),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=30),
)
def test_an_id_is_found_in_its_line_whatever_the_event_says(event_id: str, text: str) -> None:
    line = entry_line(event_id, {"text": text, "trap": f'"id":"{text}"}}'})
    assert line.count(b"\n") == 1
    assert line_id(line[:-1], START) == event_id
    assert entry_of(line[:-1], START).event_id == event_id


@given(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
    | st.uuids().map(str)
    | st.uuids().map(lambda i: str(i).upper())
)
def test_packed_ids_keep_apart_what_is_apart(event_id: str) -> None:
    others = {event_id.upper(), event_id.lower(), event_id.replace("-", ""), event_id + " "} - {event_id}
    assert packed_id(event_id) not in {packed_id(other) for other in others}


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_a_torn_last_line_is_moved_aside_by_the_next_append_and_hides_nothing(tmp_path: Path, cut: int) -> None:
    FileLedger(tmp_path).append_all([event(1), event(2)])
    whole = (tmp_path / ledger_file.FILE).read_bytes()
    torn = entry_line(*event(3))[:cut]
    (tmp_path / ledger_file.FILE).write_bytes(whole + torn)
    ledger = FileLedger(tmp_path)
    assert numbers(ledger) == [1, 2], "a reader must not see a torn line"
    assert ledger.append(*event(3))
    assert numbers(ledger) == [1, 2, 3]
    assert [file.read_bytes() for file in (tmp_path / "torn").iterdir()] == [torn]


def test_a_line_that_nobody_of_ours_wrote_is_named(tmp_path: Path) -> None:
    ledger = FileLedger(tmp_path)
    ledger.append(*event(1))
    with (tmp_path / ledger_file.FILE).open("ab") as file:
        file.write(b'{"hello": "world"}\n')
    with pytest.raises(LedgerBroken, match="line 2"):
        list(ledger.events())
    with pytest.raises(LedgerBroken, match="line 2"):
        FileLedger(tmp_path).append(*event(2))


def test_a_ledger_that_has_become_shorter_is_not_written_to(tmp_path: Path) -> None:
    ledger = FileLedger(tmp_path)
    ledger.append_all([event(1), event(2)])
    os.truncate(tmp_path / ledger_file.FILE, ledger.size() // 2)
    with pytest.raises(LedgerBroken):
        ledger.append(*event(3))


Fault = Callable[[pytest.MonkeyPatch, int], None]


def write_fails_before(patch: pytest.MonkeyPatch, code: int) -> None:
    def failing(descriptor: int, data: Any) -> int:
        raise OSError(code, os.strerror(code))

    patch.setattr(ledger_file.os, "write", failing)


def write_fails_after_half(patch: pytest.MonkeyPatch, code: int) -> None:
    real, calls = os.write, iter([True])

    def failing(descriptor: int, data: Any) -> int:
        if next(calls, False):
            return real(descriptor, data[: len(data) // 2])
        raise OSError(code, os.strerror(code))

    patch.setattr(ledger_file.os, "write", failing)


def fsync_fails_after_all_is_written(patch: pytest.MonkeyPatch, code: int) -> None:
    def failing(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    patch.setattr(ledger_file.os, "fsync", failing)


def cutting_back_fails_too(patch: pytest.MonkeyPatch, code: int) -> None:
    write_fails_after_half(patch, code)

    def failing(descriptor: int, length: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    patch.setattr(ledger_file.os, "ftruncate", failing)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize(
    "fault", [write_fails_before, write_fails_after_half, fsync_fails_after_all_is_written, cutting_back_fails_too]
)
def test_a_failed_append_acknowledges_nothing_and_its_repetition_holds_each_event_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Fault, code: int
) -> None:
    ledger = FileLedger(tmp_path)
    ledger.append_all([event(1), event(2)])
    batch = [event(number) for number in range(2, 9)]
    with monkeypatch.context() as patch:
        fault(patch, code)
        with pytest.raises(DiskFull if code == errno.ENOSPC else OSError):
            ledger.append_all(batch)
    if fault is not cutting_back_fails_too:
        assert numbers(FileLedger(tmp_path)) == [1, 2]
    ledger.append_all(batch)
    assert numbers(ledger) == list(range(1, 9))
    assert not FileLedger(tmp_path).append(*event(8))


def test_a_disk_that_is_really_full_stops_cleanly_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    """A limit on file size is the full disk that any user may make: writes fall short, then fail."""
    script = """
import resource, sys
from pathlib import Path
from contracts.errors import DiskFull
from lineage.connectors.ledger_file import FileLedger
from tests.lineage.test_ledger_file import event, numbers
ledger, taken = FileLedger(Path(sys.argv[1])), 0
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, resource.RLIM_INFINITY))
try:
    while True:
        ledger.append_all([event(taken), event(taken + 1)])
        taken += 2
except DiskFull as error:
    assert "room" in str(error)
assert numbers(ledger) == list(range(taken)), "half a batch is there"
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert ledger.append_all([event(taken), event(taken + 1)]) == [True, True]
print(taken)
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    taken = int(done.stdout)
    assert taken >= 4
    assert numbers(FileLedger(tmp_path)) == list(range(taken + 2))


WRITER = """
import sys
from pathlib import Path
from lineage.connectors.ledger_file import FileLedger
from tests.lineage.test_ledger_file import event
ledger, seed, many = FileLedger(Path(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
for start in range(0, many, 5):
    batch = [event(number, words=40) for number in range(start, start + 5)]
    way = 1 if seed % 2 else -1
    for number, new in zip(range(start, start + 5), ledger.append_all(batch[::way])[::way]):
        print(number, int(new), flush=True)
print("done", flush=True)
"""


def start_writer(folder: Path, seed: int, many: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(folder), str(seed), str(many)]
    writer = subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "ready\n"
    return writer


def go(writer: subprocess.Popen[str]) -> None:
    assert writer.stdin is not None
    writer.stdin.write("go\n")
    writer.stdin.flush()


@pytest.mark.slow
def test_processes_that_append_the_same_events_at_once_leave_each_once_and_one_told_new(tmp_path: Path) -> None:
    writers = [start_writer(tmp_path, seed, 200) for seed in range(4)]
    for writer in writers:
        go(writer)
    said = [writer.communicate(timeout=120)[0].split("\n") for writer in writers]
    assert all("done" in lines for lines in said)
    new = [line.split()[0] for lines in said for line in lines if line.endswith(" 1")]
    assert sorted(map(int, new)) == list(range(200)), "each event is new to exactly one process"
    assert sorted(numbers(FileLedger(tmp_path))) == list(range(200))


def test_threads_and_forked_children_exclude_each_other(tmp_path: Path) -> None:
    ledger = FileLedger(tmp_path)
    new: list[bool] = []
    threads = [threading.Thread(target=lambda: new.extend(ledger.append(*event(n)) for n in range(40))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(new) == 40
    assert sorted(numbers(ledger)) == list(range(40))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_writer_killed_in_the_midst_loses_nothing_it_was_told_is_there(tmp_path: Path, seed: int) -> None:
    told: set[int] = set()
    for attempt in range(3):
        writer = start_writer(tmp_path, 1, 100_000)
        go(writer)
        assert writer.stdout is not None
        for line in writer.stdout:
            told.add(int(line.split()[0]))
            if len(told) > 200 * (attempt + 1) + 37 * seed:
                break
        writer.send_signal(signal.SIGKILL)
        told |= {int(line.split()[0]) for line in writer.stdout.read().split("\n")[:-1] if line[:1].isdigit()}
        writer.wait()
    ledger = FileLedger(tmp_path)
    there = numbers(ledger)
    assert told <= set(there)
    assert len(there) == len(set(there))
    last = max(there) + 1
    assert ledger.append_all([event(number, words=40) for number in range(last)]) == [False] * len(there)
    for line in (tmp_path / ledger_file.FILE).read_bytes().splitlines():
        json.loads(line)


def test_a_reader_beside_a_writer_sees_only_whole_events_in_order(tmp_path: Path) -> None:
    writer = start_writer(tmp_path, 1, 400)
    go(writer)
    ledger, seen, at = FileLedger(tmp_path), [], START
    until = time.monotonic() + 60
    while len(seen) < 400 and time.monotonic() < until:
        for entry in ledger.events(at):
            seen.append(entry.event["number"])
            at = entry.end
    writer.communicate(timeout=60)
    assert seen == list(range(400))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(0, 15), max_size=6), max_size=6))
def test_any_batches_leave_each_event_once_in_the_order_of_its_first_coming(
    tmp_path_factory: Any, batches: list[list[int]]
) -> None:
    ledger = FileLedger(tmp_path_factory.mktemp("ledger"))
    expected: list[int] = []
    for batch in batches:
        new = [number not in expected and number not in batch[:place] for place, number in enumerate(batch)]
        assert ledger.append_all([event(number) for number in batch]) == new
        expected += [number for number, fresh in zip(batch, new, strict=True) if fresh]
    assert numbers(ledger) == expected
