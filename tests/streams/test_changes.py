"""Change streams through clean and land: what counts as the same change, tombstones, windows in time, and the way to silver."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from contracts.contract import DuplicatePlan, Field
from contracts.records import RECORD_SCHEMA
from streams import clean
from streams.clean import CleanState
from streams.contents import FOLD_LEAST
from streams.duplicates import DuplicateState, Window, originals
from streams.encode import encoded_rows
from tests.streams.made import (
    MASKING_KEY,
    RECORD_BYTES_MAX,
    WINDOW,
    Message,
    contract_of,
    landed,
    records_of,
    sent,
    sorted_rows,
    value,
)

UPSERT = replace(contract_of(Field("note", "string"), Field("size", "integer", required=True), name="states"), change="upsert")
DEBEZIUM = replace(UPSERT, envelope="debezium")

STAMPED = st.lists(st.tuples(st.sampled_from([b"a", b"b", None]), st.integers(0, 30)), max_size=30)
STATES = st.lists(st.tuples(st.sampled_from([b"k", b"l", None]), st.sampled_from([b"A", b"B", None])), max_size=30)


def stamped(log: Sequence[tuple[bytes | None, int]], first: int = 0) -> pa.RecordBatch:
    """Return records of one partition, each with a timestamp in seconds."""
    columns = [
        [0] * len(log),
        list(range(first, first + len(log))),
        [at * 1_000 for _, at in log],
        [None] * len(log),
        [content for content, _ in log],
    ]
    return pa.record_batch([pa.array(c, f.type) for c, f in zip(columns, RECORD_SCHEMA, strict=True)], schema=RECORD_SCHEMA)


def timed_originals(log: Sequence[tuple[bytes | None, int]], window: Window) -> list[int]:
    """Read the log again for each record: the first of the window before it, in offsets and in log time, that holds the same."""
    times = list(itertools.accumulate((at for _, at in log), max))
    seconds = window.milliseconds / 1_000 if window.milliseconds is not None else float("inf")
    return [
        next(
            (m for m in range(max(0, n - window.records), n) if log[m][0] == content and times[m] >= times[n] - seconds),
            -1,
        )
        if content is not None
        else -1
        for n, (content, _) in enumerate(log)
    ]


@given(STAMPED, st.integers(1, 40), st.integers(0, 20), st.lists(st.integers(0, 30), max_size=4))
def test_a_window_in_seconds_is_of_log_time_in_any_split(log, records, seconds, cuts):
    window = Window(records, seconds * 1_000)
    edges = sorted({0, len(log), *(c for c in cuts if c < len(log))})
    state: DuplicateState = {}
    found: list[int] = []
    for start, end in itertools.pairwise(edges):
        part, state = originals(stamped(log[start:end], start), state, window)
        found += part.tolist()
    assert found == timed_originals(log, window)


@given(STAMPED, st.integers(0, 20), st.integers(0, 30))
def test_a_restart_that_rereads_from_the_newest_records_window_finds_the_same(log, seconds, at):
    window, at = Window(1_000, seconds * 1_000), min(at, len(log))
    before = [n for n in range(at) if log[n][1] >= log[at - 1][1] - seconds] if at else []
    first = before[0] if before else at
    _, state = originals(stamped(log[first:at], first), {}, window)
    found, _ = originals(stamped(log[at:], at), state, window)
    assert found.tolist() == timed_originals(log, window)[at:]


def test_memory_of_a_window_in_seconds_stays_that_of_its_seconds():
    state: DuplicateState = {}
    for first in range(0, 20_000, 500):
        log = [(str(n).encode(), n // 10) for n in range(first, first + 500)]
        _, state = originals(stamped(log, first), state, Window(1_000_000, 10_000))
    assert len(state[0].contents) <= 1_000 + 2 * FOLD_LEAST
    assert len(state[0].times[0]) <= 1_000


def test_a_contract_says_its_window_or_takes_the_installations():
    def window(**plan: int) -> Window:
        return Window.of(replace(UPSERT, duplicates=DuplicatePlan(**plan)), 20_000)

    assert window() == Window(20_000)
    assert window(window_records=5) == Window(5)
    assert window(window_records=5, window_seconds=60) == Window(5, 60_000)
    assert window(window_seconds=60).milliseconds == 60_000
    assert window(window_seconds=60).records > 20_000
    assert Window.of(replace(UPSERT, duplicates=DuplicatePlan(window_seconds=60)), 0).records == 0


def states(log: Sequence[tuple[bytes | None, bytes | None]], first: int = 0) -> pa.RecordBatch:
    """Return records of an upsert topic: state A or B of a key, or a delete."""
    values = [None if state is None else value(key, note=state.decode(), size=1) for key, state in log]
    return records_of(values, keys=[key for key, _ in log] or None, first=first)


def repeats(log: Sequence[tuple[bytes | None, bytes | None]], window: int) -> list[int]:
    """Read the log again for each record: the first of the run of the same state that it ends, as far as the window goes."""
    found = []
    for n, (key, state) in enumerate(log):
        run: list[int] = []
        for m in range(n - 1, -1, -1):
            if log[m][0] == key:
                if log[m][1] != state or m < n - window:
                    break
                run.append(m)
        found.append(run[-1] if run else -1)
    return found


@given(STATES, st.integers(1, 8), st.lists(st.integers(0, 30), max_size=4))
def test_a_state_said_again_in_a_row_is_the_duplicate_and_one_said_again_after_another_is_news(log, window, cuts):
    edges = sorted({0, len(log), *(c for c in cuts if c < len(log))})
    state, found = CleanState({}, window, RECORD_BYTES_MAX, masking_key=MASKING_KEY), {}
    for start, end in itertools.pairwise(edges):
        outcome = clean.process_batch(states(log[start:end], start), state, UPSERT)
        state = outcome.state
        letters = outcome.dead_letters
        found |= {
            at: original
            for at, reason, original in zip(
                *(letters[n].to_pylist() for n in ("_offset", "reason", "original_offset")), strict=True
            )
            if reason == "duplicate"
        }
    keyless = {n for n, (key, state) in enumerate(log) if key is None and state is None}
    expected = {n: original for n, original in enumerate(repeats(log, window)) if original >= 0}
    assert found == {n: original for n, original in expected.items() if n not in keyless}


@given(STATES, st.integers(1, 8), st.integers(0, 30))
def test_a_restart_that_rereads_the_window_of_a_change_stream_finds_the_same(log, window, at):
    at = min(at, len(log))
    whole = clean.process_batch(states(log), CleanState({}, window, RECORD_BYTES_MAX, masking_key=MASKING_KEY), UPSERT)
    lower = max(0, at - window)
    state = CleanState({}, window, RECORD_BYTES_MAX, masking_key=MASKING_KEY)
    clean.remembered(states(log[lower:at], lower), state, UPSERT)
    rest = clean.process_batch(states(log[at:], at), state, UPSERT)
    for name in ("rows", "dead_letters"):
        after = [row for row in sorted_rows(getattr(whole, name)) if row["_offset"] >= at]
        assert sorted_rows(getattr(rest, name)) == after


def event(op: str, key: str, place: int, **row: Any) -> bytes:
    """Return a change event of a source that tells its places."""
    after = None if op == "d" else {"id": key, "size": place, **row}
    return orjson.dumps(
        {"op": op, "after": after, "source": {"connector": "postgresql", "lsn": place, "ts_ms": 1_357_016_400_000}}
    )


EVENTS = st.lists(
    st.tuples(st.sampled_from("kl"), st.sampled_from(["c", "u", "d", "tombstone", "broken"]), st.integers(1, 6)), max_size=20
)


def events(log: Sequence[tuple[str, str, int]], first: int = 0) -> pa.RecordBatch:
    values = [None if op == "tombstone" else b"{" if op == "broken" else event(op, key, place) for key, op, place in log]
    return records_of(values, keys=[orjson.dumps({"id": key}) for key, _, _ in log] or None, first=first)


@given(EVENTS, st.lists(st.integers(0, 20), max_size=4), st.integers(0, 20))
def test_events_come_to_the_same_in_any_split_and_after_a_restart(log, cuts, at):
    whole = clean.process_batch(events(log), CleanState({}, WINDOW, RECORD_BYTES_MAX, masking_key=MASKING_KEY), DEBEZIUM)
    edges = sorted({0, len(log), *(c for c in cuts if c < len(log))})
    state, parts = CleanState({}, WINDOW, RECORD_BYTES_MAX, masking_key=MASKING_KEY), []
    for start, end in itertools.pairwise(edges):
        parts.append(clean.process_batch(events(log[start:end], start), state, DEBEZIUM))
        state = parts[-1].state
        if start <= at < end:  # a restart, which reads the window again
            state = CleanState({}, WINDOW, RECORD_BYTES_MAX, masking_key=MASKING_KEY)
            clean.remembered(events(log[:end]), state, DEBEZIUM)
    for name in ("rows", "dead_letters"):
        made = [getattr(part, name) for part in parts] or [getattr(whole, name).slice(0, 0)]
        assert sorted_rows(pa.concat_tables(made)) == sorted_rows(getattr(whole, name))


def test_a_tombstone_stands_where_its_delete_does_so_that_a_row_put_back_at_once_stays():
    log = [("k", "c", 1), ("k", "d", 2), ("k", "tombstone", 0), ("k", "c", 3), ("l", "tombstone", 0)]
    rows = clean.process_batch(events(log), CleanState({}, WINDOW, RECORD_BYTES_MAX, masking_key=MASKING_KEY), DEBEZIUM).rows
    places = rows["_sequence"].to_pylist()
    assert [place and int(place) for place in places] == [1, 2, 2, 3, None]
    assert rows["_kind"].to_pylist() == ["insert", "delete", "delete", "insert", "delete"]
    assert len(set(rows["_changed_at"].to_pylist()[:4])) == 1


def test_deletes_travel_the_clean_topic_with_a_value_and_land_as_they_left():
    records = states([(b"a", b"A"), (b"a", None), (b"b", b"B"), (b"a", b"A")])
    rows = clean.process_batch(records, CleanState({}, WINDOW, RECORD_BYTES_MAX, masking_key=MASKING_KEY), UPSERT).rows
    messages = sent(encoded_rows(rows, UPSERT), UPSERT.clean_topic)
    assert all(message.value() for message in messages)
    assert [orjson.loads(message.value() or b"")["_kind"] for message in messages] == ["upsert", "delete", "upsert", "upsert"]
    outcome = landed(messages, UPSERT)
    assert sorted_rows(outcome.rows) == sorted_rows(rows)
    assert outcome.dead_letters.num_rows == 0


def test_a_strangers_record_that_does_not_say_what_it_does_is_foreign():
    (true,) = sent(encoded_rows(_one_row(), UPSERT), UPSERT.clean_topic)
    row = orjson.loads(true.value() or b"")
    for spoilt in ({**row, "_kind": "merge"}, {**row, "_kind": None}, {**row, "_changed_at": None}, {**row, "id": None}):
        outcome = landed([_with(true, orjson.dumps(spoilt))], UPSERT)
        assert outcome.rows.num_rows == 0
        assert outcome.dead_letters["reason"].to_pylist() == ["foreign"]


def test_an_append_contract_still_takes_no_null_value_and_has_no_columns_of_changes():
    contract = replace(UPSERT, change="append")
    outcome = clean.process_batch(
        states([(b"a", None), (b"a", b"A")]), CleanState({}, WINDOW, RECORD_BYTES_MAX, masking_key=MASKING_KEY), contract
    )
    assert outcome.dead_letters["reason"].to_pylist() == ["null_value"]
    assert not {"_kind", "_changed_at", "_sequence"} & set(outcome.rows.column_names)


def test_a_key_longer_than_a_record_may_be_is_too_large():
    records = records_of([None], keys=[b"k" * 100])
    outcome = clean.process_batch(records, CleanState({}, WINDOW, 99, masking_key=MASKING_KEY), UPSERT)
    assert outcome.dead_letters["reason"].to_pylist() == ["too_large"]


def _one_row() -> pa.Table:
    return clean.process_batch(
        states([(b"a", b"A")]), CleanState({}, WINDOW, RECORD_BYTES_MAX, masking_key=MASKING_KEY), UPSERT
    ).rows


def _with(message: Message, text: bytes) -> Message:
    return replace(message, value_=text)


def test_offsets_of_a_batch_are_what_its_window_is_counted_from():
    log = [(b"a", 0), (b"b", 0), (b"a", 0)]
    found, _ = originals(stamped(log, 1_000_000), {}, Window(2))
    assert np.array_equal(found, [-1, -1, 1_000_000])
