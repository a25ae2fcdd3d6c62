"""The ledger in a bucket: what it holds byte for byte, races for its end, lost answers, packs, and objects that are not ours."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import LedgerBroken, StoreAway
from infra.settings import PROJECT_FOLDER
from lineage.connectors import ledger_objects
from lineage.connectors.ledger_file import FILE, FileLedger
from lineage.connectors.ledger_objects import PACKS, SEGMENTS, ObjectLedger
from lineage.connectors.object_store import Listed, Objects
from lineage.ledger import START, Position
from lineage.names import derived_id
from lineage.places import Access
from tests.object_stores import Store, between


def event(number: int) -> tuple[str, dict[str, Any]]:
    return derived_id("test", number), {"number": number, "words": ["été \U0001f600"] * (number % 4)}


def numbers(ledger: ObjectLedger) -> list[int]:
    return [entry.event["number"] for entry in ledger.events()]


class MadeObjects:
    """Objects in memory that keep S3's promise, and notice who would break ours: nothing is ever written twice or removed.

    `faults` say of each put in turn whether it fails before it is done, or after.
    """

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.faults: list[str] = []
        self.asked: list[str] = []
        self._turn = threading.Lock()

    def put_if_absent(self, name: str, body: bytes) -> bool:
        with self._turn:
            fault = self.faults.pop(0) if self.faults else ""
            self.asked.append(f"put {name}")
            if fault == "before":
                raise StoreAway("away")
            there = name in self.kept
            self.kept.setdefault(name, body)
            if fault == "after":
                raise StoreAway("away, and the answer lost")
            return not there

    def get(self, name: str) -> bytes | None:
        self.asked.append(f"get {name}")
        return self.kept.get(name)

    def listed(self, prefix: str = "", after: str = "") -> Iterator[Listed]:
        self.asked.append(f"list {prefix}")
        for name in sorted(self.kept):
            if name.startswith(prefix) and name > after:
                yield Listed(name, len(self.kept[name]))

    def content(self, kind: str = SEGMENTS) -> bytes:
        return b"".join(body for name, body in sorted(self.kept.items()) if name.startswith(kind))


def ledger(objects: MadeObjects) -> ObjectLedger:
    return ObjectLedger("s3://bucket/ledger", objects)  # type: ignore[arg-type]


def test_an_event_is_taken_once_and_read_back() -> None:
    objects = MadeObjects()
    one = ledger(objects)
    assert list(one.events()) == []
    assert one.append(*event(1))
    assert not one.append(*event(1))
    assert one.append_all([event(1), event(2), event(2), event(3)]) == [False, True, False, True]
    assert not ledger(objects).append(*event(2))
    assert numbers(one) == numbers(ledger(objects)) == [1, 2, 3]
    assert one.append_all([]) == []


def test_positions_say_where_to_go_on() -> None:
    one = ledger(MadeObjects())
    one.append_all([event(number) for number in range(3)])
    one.append(*event(3))
    entries = list(one.events())
    assert entries[0].position == START
    for before, after in itertools.pairwise(entries):
        assert before.end == after.position
        assert [e.event_id for e in one.events(before.end)] == [e.event_id for e in entries[after.position.line :]]
    assert list(one.events(entries[-1].end)) == []
    assert entries[-1].end.byte_offset == one.size()


def test_a_position_that_is_none_is_refused() -> None:
    one = ledger(MadeObjects())
    with pytest.raises(LedgerBroken):
        list(one.events(Position(1, 10)))
    one.append(*event(1))
    for byte_offset in (5, 10_000):
        with pytest.raises(LedgerBroken):
            list(one.events(Position(1, byte_offset)))


STEPS = st.tuples(
    st.integers(0, 2), st.lists(st.integers(0, 12), min_size=1, max_size=3), st.sampled_from(["", "before", "after"])
)


@settings(deadline=None)
@given(steps=st.lists(STEPS, max_size=25), packed=st.integers(1, 4))
def test_any_writers_with_any_faults_leave_the_lines_of_the_file_ledger(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, list[int], str]], packed: int
) -> None:
    """Three writers take turns, each with what it knew. A call that fails is made again, as its promise allows."""
    objects = MadeObjects()
    writers, file = [ledger(objects) for _ in range(3)], FileLedger(tmp_path_factory.mktemp("as_file"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger_objects, "PACKED", packed)
        for writer, wanted, fault in steps:
            batch = [event(number) for number in wanted]
            objects.faults = [fault]
            try:
                new = writers[writer].append_all(batch)
            except StoreAway:
                objects.faults = []
                writers[writer].append_all(batch)
                file.append_all(batch)
            else:
                assert new == file.append_all(batch)
    written = file.path.read_bytes() if file.path.exists() else b""
    assert objects.content() == written
    assert [e.end for e in ledger(objects).events()] == [e.end for e in file.events()]
    for kind in ledger_objects.KINDS:
        assert written.startswith(objects.content(kind))


def test_an_append_at_a_known_end_costs_one_request() -> None:
    objects = MadeObjects()
    one = ledger(objects)
    one.append(*event(1))
    objects.asked.clear()
    one.append(*event(2))
    assert [asked.split("/")[0] for asked in objects.asked] == ["put segments"]


def test_packs_are_read_in_place_of_what_they_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_objects, "PACKED", 4)
    objects = MadeObjects()
    one = ledger(objects)
    for number in range(4 * 4 + 4 + 3):
        one.append(*event(number))
    found = {kind: len([name for name in objects.kept if name.startswith(kind)]) for kind in ledger_objects.KINDS}
    assert found == {f"{PACKS}2/": 1, f"{PACKS}1/": 5, SEGMENTS: 23}
    assert not [asked for asked in objects.asked if asked.startswith(f"get {SEGMENTS}")], "what it wrote it need not read"
    objects.asked.clear()
    assert numbers(ledger(objects)) == list(range(23))
    assert len([asked for asked in objects.asked if asked.startswith("get")]) == 1 + 1 + 3


def test_a_writer_that_slept_while_others_packed_goes_on_behind_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_objects, "PACKED", 2)
    objects = MadeObjects()
    asleep, awake = ledger(objects), ledger(objects)
    asleep.append(*event(0))
    for number in range(1, 9):
        awake.append(*event(number))
    assert not asleep.append(*event(5))
    assert asleep.append(*event(9))
    assert numbers(ledger(objects)) == list(range(10))


@pytest.mark.parametrize("broken", ["missing", "cut", "longer", "foreign", "stray"])
def test_a_ledger_whose_objects_were_changed_is_refused(broken: str) -> None:
    objects = MadeObjects()
    one = ledger(objects)
    for number in range(3):
        one.append(*event(number))
    name = sorted(objects.kept)[1]
    if broken == "missing":
        del objects.kept[name]
    elif broken == "foreign":
        objects.kept[name] = b'{"hello":' + b" " * (len(objects.kept[name]) - 17) + b'"me"}\n'
    elif broken == "stray":
        objects.kept[f"{SEGMENTS}notes.txt"] = b"mine"
    else:
        objects.kept[name] = objects.kept[name][:-9] if broken == "cut" else objects.kept[name] + b"x\n"
    with pytest.raises(LedgerBroken):
        numbers(ledger(objects))
    with pytest.raises(LedgerBroken):
        ledger(objects).append(*event(7))


def test_a_store_that_nobody_listens_at_is_away_and_told_so() -> None:
    nobody = Access("http://127.0.0.1:9", "here", "made", "up", retry_seconds=0)
    one = ObjectLedger("s3://bucket/ledger", Objects("s3://bucket/ledger", nobody))
    for asked in (lambda: one.append(*event(1)), lambda: list(one.events()), one.size):
        with pytest.raises(StoreAway, match="does not answer"):
            asked()


WRITER = """
import json, sys
from lineage.connectors.ledger_objects import ObjectLedger
from lineage.connectors.object_store import reach
from lineage.places import Access
place, access, first, last, step = json.loads(sys.argv[1])
reach(Access(**access))
ledger = ObjectLedger(place)
print(sum(ledger.append(f"id-{n}", {"number": n}) for n in range(first, last, step)))
"""


@pytest.mark.servers
def test_processes_that_append_at_once_leave_each_event_once(bucket: str, object_store: Store) -> None:
    """Each tells some events that another tells as well."""
    access = {name: getattr(object_store.guest, name) for name in ("endpoint", "access_key_id", "secret_access_key")}
    told = [json.dumps([f"{bucket}/ledger", access, first, 60, step]) for first, step in ((0, 1), (0, 2), (0, 3))]
    processes = [
        subprocess.Popen([sys.executable, "-c", WRITER, each], cwd=PROJECT_FOLDER, stdout=subprocess.PIPE, text=True)
        for each in told
    ]
    new = [int(process.communicate(timeout=120)[0]) for process in processes]
    assert sum(new) == 60
    assert sorted(numbers(ObjectLedger(f"{bucket}/ledger"))) == list(range(60))


@pytest.mark.servers
def test_an_answer_that_was_lost_is_ours_when_it_is_asked_for_again(bucket: str, object_store: Store) -> None:
    with between(object_store.endpoint) as line:
        lost: list[str] = []

        def swallow(method: str, path: str) -> bool:
            wanted = method == "PUT" and path not in lost
            lost.extend([path] if wanted else [])
            return wanted

        line.swallow = swallow
        objects = Objects(f"{bucket}/ledger", replace(object_store.guest, endpoint=line.endpoint))
        one = ObjectLedger(f"{bucket}/ledger", objects)
        assert one.append(*event(1)), "the event is new, though the first answer to it was lost"
        assert not ObjectLedger(f"{bucket}/ledger").append(*event(1))
        assert len(lost) == 1
        assert [status for method, _, status in line.passed if method == "PUT"] == [200, 412]


@pytest.mark.servers
def test_the_objects_one_after_the_other_are_the_file(bucket: str, tmp_path: Path) -> None:
    remote, local = ObjectLedger(f"{bucket}/ledger"), FileLedger(tmp_path)
    for number in range(5):
        assert remote.append(*event(number)) == local.append(*event(number))
    objects = Objects(f"{bucket}/ledger")
    names = [listed.name for listed in objects.listed(SEGMENTS)]
    assert b"".join(objects.get(name) or b"" for name in names) == (tmp_path / FILE).read_bytes()
    assert remote.size() == local.size()
