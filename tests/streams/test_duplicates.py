"""Exact duplicates: a function of the raw log alone, against a plain rereading of the log."""

from __future__ import annotations

import itertools

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from streams.duplicates import DuplicateState, originals
from tests.streams.made import records_of

LOG = st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c", b"", None]), st.sampled_from([b"k", b"", None])), max_size=40)


def batch(log: list, partition: int = 0, first: int = 0) -> pa.RecordBatch:
    return records_of([v for v, _ in log], keys=[k for _, k in log] or None, partition=partition, first=first)


def expected(log: list, window: int) -> list[int]:
    """Read the log again for each record: the first of the window before it that holds the same."""
    found = []
    for at, (content, key) in enumerate(log):
        before = [n for n in range(max(0, at - window), at) if log[n] == (content, key)]
        found.append(before[0] if before and content is not None and window > 0 else -1)
    return found


@given(LOG, st.integers(0, 12))
def test_a_duplicate_is_what_a_rereading_of_the_log_finds(log, window):
    found, _ = originals(batch(log), {}, window)
    assert found.tolist() == expected(log, window)


@given(LOG, st.integers(1, 12), st.lists(st.integers(0, 40), max_size=6))
def test_any_split_into_batches_finds_the_same(log, window, cuts):
    edges = sorted({0, len(log), *(c for c in cuts if c < len(log))})
    state: DuplicateState = {}
    found: list[int] = []
    for start, end in itertools.pairwise(edges):
        part, state = originals(batch(log[start:end], first=start), state, window)
        found += part.tolist()
    assert found == expected(log, window)


@given(LOG, st.integers(1, 12), st.integers(0, 40))
def test_a_restart_that_rereads_the_window_finds_the_same(log, window, at):
    at = min(at, len(log))
    lower = max(0, at - window)
    _, state = originals(batch(log[lower:at], first=lower), {}, window)
    found, _ = originals(batch(log[at:], first=at), state, window)
    assert found.tolist() == expected(log, window)[at:]


@given(LOG, st.integers(1, 12), st.integers(0, 40))
def test_a_replayed_record_is_not_its_own_duplicate(log, window, at):
    at = min(at, len(log))
    lower = max(0, at - window)
    _, state = originals(batch(log), {}, max(window, len(log)))
    found, _ = originals(batch(log[lower:], first=lower), state, window)
    assert found.tolist()[at - lower :] == expected(log, window)[at:]


@given(LOG, LOG, st.integers(1, 12))
def test_partitions_do_not_see_each_other(one, two, window):
    both = pa.concat_batches([batch(one, 0), batch(two, 1)])
    found, _ = originals(both, {}, window)
    assert found.tolist() == expected(one, window) + expected(two, window)


def test_memory_stays_that_of_the_window():
    state: DuplicateState = {}
    for first in range(0, 10_000, 500):
        log = [(str(n).encode(), None) for n in range(first, first + 500)]
        _, state = originals(batch(log, first=first), state, 1_000)
    assert len(state[0].offsets) <= 2_000


def test_the_same_content_for_ever_keeps_no_more_offsets_than_the_window():
    _, state = originals(batch([(b"same", None)] * 5_000), {}, 100)
    (held,) = state[0].offsets.values()
    assert isinstance(held, list)
    assert len(held) <= 101


def test_key_and_value_together_are_the_content():
    log = [(b"ab", b"c"), (b"a", b"bc"), (b"c", b"ab"), (b"ab", None), (b"ab", b""), (b"ab", b"c")]
    found, _ = originals(batch(log), {}, 10)
    assert found.tolist() == [-1, -1, -1, -1, -1, 0]
