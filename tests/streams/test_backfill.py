"""Backfill on real Delta tables: the same rows as clean and land make, whatever is cut, held, raced or killed."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import CommitConflict, NotFound
from contracts.keys import record_subject
from infra.commands.audit import CoordinateReader
from lineage.audit import audit
from streams.backfill import Cell, cell_size, cells, reach_of
from streams.connectors import delta
from streams.duplicates import Window
from streams.engines.backfill import _read as read_rows
from streams.engines.backfill import backfill, direct_parts
from streams.engines.backfill_parts import Judge, sliced, sorted_cell
from streams.held import fresh_rows
from streams.intervals import IntervalSet
from streams.replay import Selection
from streams.topology import backfill_job
from tests.streams.archived import Archived, raw_records
from tests.streams.made import PLAIN, SENT_AT_MS, value

ALL = Selection("bronze")


def never() -> bool:
    return False


def log_of(size: int, seed: int) -> dict[int, list[bytes | None]]:
    """Return values of two partitions: good ones, repeats near and far, and bad ones of several kinds."""
    chance = random.Random(seed)
    made: dict[int, list[bytes | None]] = {0: [], 1: []}
    for n in range(size):
        log = made[n % 2]
        kind = chance.random()
        if kind < 0.3 and log:
            log.append(log[-chance.randint(1, min(len(log), 40))])
        elif kind < 0.4:
            log.append(chance.choice([b"{broken", None, value(f"k{n}", amount=-1), value(f"k{n}", amount="x")]))
        else:
            log.append(value(f"k{n}", amount=n, note=f"mail max{n}@example.org"))
    return made


def filled(place: Archived, selection: Selection = ALL, **more: object):
    return backfill(place.setup, place.contract, selection, direct_parts(place.setup), never, **more)  # type: ignore[arg-type]


@pytest.fixture
def place(tmp_settings) -> Archived:
    return Archived.at(tmp_settings, PLAIN)


def undisturbed(place: Archived, log, folder) -> dict[str, str]:
    return place.elsewhere(folder).land(log).digests()


def test_backfill_makes_the_tables_that_clean_and_land_make(place, tmp_path):
    log = log_of(300, 1)
    report = filled(place.archive(log))
    assert place.digests() == undisturbed(place, log, tmp_path / "calm")
    assert (report.selected, report.held, report.judged) == (300, 0, 300)
    assert report.rows == place.rows("silver") > 0
    assert sum(report.dead_letters.values()) == place.rows("quarantine") > 0


def test_run_twice_it_finds_nothing_and_commits_nothing(place):
    filled(place.archive(log_of(60, 2)))
    before = [delta.current_version(place.uri(layer)) for layer in ("silver", "quarantine")]
    report = filled(place)
    assert (report.selected, report.held, report.judged, report.commits) == (60, 60, 0, 0)
    assert [delta.current_version(place.uri(layer)) for layer in ("silver", "quarantine")] == before


@settings(max_examples=8)
@given(seed=st.integers(0, 2**32), window=st.integers(0, 30), size=st.integers(1, 70), held=st.floats(0, 1))
def test_what_is_held_and_how_it_is_cut_changes_no_row(seed, window, size, held, tmp_path_factory):
    from tests.conftest import settings_in

    folder = tmp_path_factory.mktemp("cut")
    place, log = Archived.at(settings_in(folder), PLAIN, window=window), log_of(90, seed)
    chance = random.Random(seed)
    place.archive(log).land(log, [(p, o) for p, values in log.items() for o in range(len(values)) if chance.random() < held])
    filled(place, cell_records=size)
    assert place.digests() == undisturbed(place, log, folder / "calm")


@settings(max_examples=8)
@given(seed=st.integers(0, 2**32), window=st.integers(0, 30), size=st.integers(1, 50), records=st.integers(1, 40))
def test_cells_judged_apart_in_any_order_give_the_same_rows(seed, window, size, records, tmp_path_factory):
    from tests.conftest import settings_in

    folder = tmp_path_factory.mktemp("apart")
    place, log = Archived.at(settings_in(folder), PLAIN, window=window), log_of(90, seed)

    def apart(bronze, table_version, found, _size, task):
        shuffled = list(found)
        random.Random(seed).shuffle(shuffled)
        for cell in shuffled:
            rows = sorted_cell(read_rows(bronze, table_version, task.contract.raw_topic, cell, cell.start, cell.last), 0)
            yield from Judge(task, [cell], place.setup.keys, None).parts(sliced(rows, records, 2**20))

    place.archive(log)
    assert backfill(place.setup, PLAIN, ALL, apart, never, cell_records=size).judged == 90
    assert place.digests() == undisturbed(place, log, folder / "calm")


def test_a_window_in_seconds_makes_one_cell_of_a_partition(place, tmp_path):
    timed = replace(PLAIN, duplicates=replace(PLAIN.duplicates, window_seconds=3_600))
    here = Archived(place.settings, replace(place.setup, contracts=(timed,)), timed)
    log = log_of(120, 3)
    assert filled(here.archive(log), cell_records=10).cells == 2
    assert here.digests() == undisturbed(here, log, tmp_path / "calm")


def test_from_and_to_choose_by_when_records_came(place):
    log = log_of(40, 4)
    moment = datetime.fromtimestamp((SENT_AT_MS + 1) / 1000, UTC)
    report = filled(place.archive(log), Selection("bronze", since=moment))
    assert report.selected == len(log[1])
    assert set(delta.read(place.uri("silver"))["_partition"].to_pylist()) == {1}
    assert filled(place, Selection("bronze", until=moment)).selected == len(log[0])


def test_a_dry_run_counts_and_writes_nothing(place):
    report = filled(place.archive(log_of(30, 5)), dry_run=True)
    assert (report.selected, report.held, report.judged) == (30, 0, 0)
    assert not delta.exists(place.uri("silver"))
    assert place.setup.emitter.commits(backfill_job(PLAIN)) == []


def test_without_an_archive_it_says_what_to_do(place):
    with pytest.raises(NotFound, match="headwater archive"):
        filled(place)


def test_erased_records_are_counted_and_written_nowhere(place):
    log = {0: [value("a", amount=1), value("b", amount=2)], 1: [value("c", amount=3)]}
    place.archive(log)
    place.setup.keys.destroy(record_subject(PLAIN.raw_topic, 0, 1))
    place.setup.keys.destroy(record_subject(PLAIN.raw_topic, 1, 0))
    report = filled(place)
    assert (report.judged, report.erased, report.rows) == (1, 2, 1)
    assert delta.read(place.uri("silver"))["_offset"].to_pylist() == [0]


def test_told_to_stop_it_keeps_what_is_judged_and_the_next_one_goes_on(place, tmp_path):
    log = log_of(200, 6)
    place.archive(log)
    setup = replace(place.setup, limits=replace(place.setup.limits, batch_records=20))
    report = backfill(setup, PLAIN, ALL, direct_parts(setup), lambda: True)
    assert report.stopped
    assert 0 < report.judged < 200
    assert filled(place).held == report.judged
    assert place.digests() == undisturbed(place, log, tmp_path / "calm")


class Killed(BaseException):
    """Ends a backfill where a kill would: nothing of ours catches it but to tell the ledger that the run failed."""


STEPS = [f"{layer} {step}" for layer in ("quarantine", "silver") for step in ("commit", "lineage")]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("times", [1, 2])
def test_ended_behind_a_step_the_same_backfill_comes_out_whole(place, tmp_path, step, times):
    log, left = log_of(200, 7), [times]

    def deadly(name: str) -> None:
        left[0] -= name == step
        if left[0] == 0:
            left[0] = -1
            raise Killed

    place.archive(log)
    small = replace(place.setup.limits, batch_records=20, commit_records=60)
    dying = replace(place.setup, step=deadly, limits=small)
    with pytest.raises(Killed):
        backfill(dying, PLAIN, ALL, direct_parts(dying), never)
    filled(place)
    assert place.digests() == undisturbed(place, log, tmp_path / "calm")
    assert_each_commit_is_told_once(place)


def assert_each_commit_is_told_once(place: Archived) -> None:
    told = sorted((name, at) for c in place.setup.emitter.commits(backfill_job(PLAIN)) for _, name, at in c.outputs)
    made = [
        (place.uri(layer), past.table_version)
        for layer in ("silver", "quarantine")
        for past in delta.history(place.uri(layer))
        if '"hop": "backfill"' in past.metadata.get("facts", "")
    ]
    assert told == sorted(made)
    assert made


def test_a_land_that_commits_in_between_is_neither_doubled_nor_lost(place, tmp_path):
    """Land writes half of the records after the plan was made, and half of the rest behind a commit of the backfill."""
    log = log_of(200, 8)
    place.archive(log)
    spots = [(p, o) for p, values in log.items() for o in range(len(values))]
    small = replace(place.setup.limits, batch_records=20, commit_records=60)
    turns = iter([spots[::4], spots[1::4]])

    def between(name: str) -> None:
        if name == "silver lineage" and (now := next(turns, None)) is not None:
            place.land(log, now)

    setup = replace(place.setup, step=between, limits=small)
    inner = direct_parts(setup)

    def after_the_plan(*args):
        place.land(log, spots[::2])
        yield from inner(*args)

    report = backfill(setup, PLAIN, ALL, after_the_plan, never)
    assert report.overtaken >= 100
    assert place.digests() == undisturbed(place, log, tmp_path / "calm")


def test_a_land_that_was_open_all_the_while_writes_nothing_again(place, tmp_path):
    log = log_of(120, 9)
    place.archive(log)
    opened = {layer: place.writer(layer) for layer in ("silver", "quarantine")}
    filled(place)
    for records in raw_records(log):
        outcome = place.cleaned(records)
        for layer, rows in (("silver", outcome.rows), ("quarantine", outcome.dead_letters)):
            fresh, opened[layer].held = fresh_rows(rows, opened[layer].held)
            opened[layer].buffer.add(fresh, {}, records=len(records), size=1, repeated=0)
            opened[layer].commit()
    assert place.digests() == undisturbed(place, log, tmp_path / "calm")


def test_a_commit_that_loses_its_race_looks_again(place, tmp_path, monkeypatch):
    """Land comes between the look and the commit: the commit is refused, and what land wrote is dropped."""
    log = log_of(80, 10)
    place.archive(log)
    true_append, raced = delta.append, []

    def racing(uri, rows, **more):
        if "after" in more and more["transactions"] and not raced:
            raced.append(uri)
            monkeypatch.setattr(delta, "append", true_append)
            place.land(log)
            monkeypatch.setattr(delta, "append", racing)
        return true_append(uri, rows, **more)

    monkeypatch.setattr(delta, "append", racing)
    report = filled(place)
    assert raced
    assert report.overtaken == 80
    assert place.digests() == undisturbed(place, log, tmp_path / "calm")


def test_too_many_lost_races_are_told(place, monkeypatch):
    place.archive(log_of(20, 11))

    def always_second(uri, *_args, **_more):
        raise CommitConflict("taken", where=uri)

    monkeypatch.setattr(delta, "append", always_second)
    with pytest.raises(CommitConflict, match="lost"):
        filled(place)
    assert place.setup.emitter.close_abandoned(backfill_job(PLAIN), datetime.now(UTC), lambda _instance: False) == []


def test_the_audit_finds_one_fate_for_each_record(place):
    log = log_of(100, 12)
    filled(place.archive(log))
    ends = {p: len(values) for p, values in log.items()}
    report = audit([(PLAIN.dataset, PLAIN.raw_topic)], Whole(ends), CoordinateReader(place.setup.tables, [PLAIN]))
    assert report.ok, report.as_dict()


class Whole:
    """A broker that has every offset below these ends."""

    def __init__(self, ends: dict[int, int]) -> None:
        self._ends = ends

    def present(self, topic: str):
        import numpy as np

        from tests.streams.test_replay import _Log

        return {p: _Log(0, end, np.arange(end)) for p, end in self._ends.items()} if topic == PLAIN.raw_topic else {}

    def ends(self, _topic: str):
        return self._ends


def test_columns_that_evolved_come_in_the_same_commit(tmp_settings, tmp_path):
    evolving = replace(PLAIN, mode="evolve")
    place = Archived.at(tmp_settings, evolving)
    log = {0: [value("a", amount=1), value("b", amount=2, colour="red"), value("c", amount=2.5)], 1: [value("d", colour=7)]}
    filled(place.archive(log))
    assert {"colour"} <= set(delta.column_names(place.uri("silver")))
    calm = place.elsewhere(tmp_path / "calm").land(log)
    assert sorted(delta.read(place.uri("silver"), columns=["id", "colour", "amount"]).to_pylist(), key=str) == sorted(
        delta.read(calm.uri("silver"), columns=["id", "colour", "amount"]).to_pylist(), key=str
    )


@given(
    spans=st.lists(st.tuples(st.integers(0, 500), st.integers(0, 60)), min_size=1, max_size=8),
    size=st.integers(1, 80),
    reach=st.none() | st.integers(0, 40),
)
def test_cells_hold_each_wanted_offset_once_and_its_window_before_it(spans, size, reach):
    wanted = IntervalSet.from_pairs([(first, first + more) for first, more in spans])
    size = cell_size(reach, size)
    found = cells({3: wanted}, reach, size)
    offsets = [offset for first, last in wanted.pairs() for offset in range(first, last + 1)]
    assert [sum(cell.first <= offset <= cell.last for cell in found) for offset in offsets] == [1] * len(offsets)
    for cell in found:
        assert cell.start == (0 if reach is None else max(0, cell.first - reach))
        assert cell.number == cell.first // size == cell.last // size
        assert cell.start // size >= cell.number - 1
        assert {cell.first, cell.last} <= set(offsets)


def test_the_reach_is_the_window_and_a_little_more():
    assert reach_of(Window(20), 16) == 36
    assert reach_of(Window(0), 16) == 16
    assert reach_of(Window(20, 5), 16) is None
    assert cells({}, 36, 50) == []
    assert cells({0: IntervalSet.from_pairs([(7, 7)])}, 3, 5) == [Cell(0, 1, 4, 7, 7)]
