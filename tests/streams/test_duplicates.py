"""Exact duplicates: a function of the raw log alone, against a plain rereading of the log."""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from streams.contents import FOLD_LEAST, Contents, Hashes
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
    assert len(state[0].contents) <= 1_000 + 2 * FOLD_LEAST


def test_the_same_content_for_ever_keeps_no_more_offsets_than_the_window():
    state: DuplicateState = {}
    for first in range(0, 20_000, 500):
        found, state = originals(batch([(b"same", None)] * 500, first=first), state, 100)
        assert found.tolist() == [n - 100 if n >= 100 else (0 if n else -1) for n in range(first, first + 500)]
    assert len(state[0].contents) <= 100 + 2 * FOLD_LEAST


@given(LOG, st.integers(1, 12), st.integers(1, 5))
def test_contents_whose_first_hash_is_the_same_are_told_apart_by_the_second(log, window, length):
    contents, found = Contents(), []
    for start in range(0, len(log), length):
        part = log[start : start + length]
        seconds = np.array([log.index(item) for item in part], np.uint64)
        offsets = np.arange(start, start + len(part))
        hashes = Hashes(np.zeros(len(part), np.uint64), seconds)
        found += [(start + row, original) for row, original in contents.repeats(hashes, offsets, offsets - window)]
        contents.remember(hashes, offsets, int(offsets[-1]) - window)
    plain = [(item if item[0] is not None else (b"null", item[1])) for item in log]
    assert found == [(at, original) for at, original in enumerate(expected(plain, window)) if original >= 0]


@given(st.lists(st.integers(0, 400), min_size=1, max_size=3_000), st.integers(1, 500), st.integers(1, 700))
def test_what_is_folded_is_found_as_before(numbers, window, length):
    log = [(str(number).encode(), None) for number in numbers]
    state: DuplicateState = {}
    found: list[int] = []
    for start in range(0, len(log), length):
        part, state = originals(batch(log[start : start + length], first=start), state, window)
        found += part.tolist()
    last: dict[bytes, list[int]] = {}
    for at, (content, _) in enumerate(log):
        before = [n for n in last.get(content, []) if n >= at - window]
        assert found[at] == (before[0] if before else -1)
        last[content] = [*before, at]


def test_key_and_value_together_are_the_content():
    log = [(b"ab", b"c"), (b"a", b"bc"), (b"c", b"ab"), (b"ab", None), (b"ab", b""), (b"ab", b"c")]
    found, _ = originals(batch(log), {}, 10)
    assert found.tolist() == [-1, -1, -1, -1, -1, 0]
