"""Interval sets against Python's own sets."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.intervals import IntervalSet

OFFSETS = st.lists(st.integers(0, 60), max_size=40)
PAIRS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 8)).map(lambda p: (p[0], p[0] + p[1])), max_size=12)


def array(offsets: list[int]) -> np.ndarray:
    return np.array(offsets, np.int64)


def members(held: IntervalSet) -> set[int]:
    return {offset for first, last in held.pairs() for offset in range(first, last + 1)}


def is_tidy(held: IntervalSet) -> bool:
    pairs = held.pairs()
    return all(first <= last for first, last in pairs) and all(a[1] + 1 < b[0] for a, b in itertools.pairwise(pairs))


@given(OFFSETS)
def test_a_set_of_offsets_holds_these_and_no_others(offsets):
    held = IntervalSet.of(array(offsets))
    assert members(held) == set(offsets)
    assert len(held) == len(set(offsets))
    assert is_tidy(held)


@given(OFFSETS, OFFSETS)
def test_union_is_that_of_sets_and_leaves_its_parts_as_they_were(one, two):
    left, right = IntervalSet.of(array(one)), IntervalSet.of(array(two))
    both = left.union(right)
    assert members(both) == set(one) | set(two)
    assert is_tidy(both)
    assert (members(left), members(right)) == (set(one), set(two))


@given(OFFSETS, OFFSETS)
def test_contains_is_that_of_sets(held, asked):
    assert IntervalSet.of(array(held)).contains(array(asked)).tolist() == [offset in set(held) for offset in asked]


@given(PAIRS)
def test_overlapping_pairs_become_tidy_ones_of_the_same_offsets(pairs):
    held = IntervalSet.from_pairs(pairs)
    assert members(held) == {offset for first, last in pairs for offset in range(first, last + 1)}
    assert is_tidy(held)
    assert IntervalSet.from_pairs(held.pairs()).pairs() == held.pairs()


@given(st.lists(OFFSETS, max_size=8))
def test_the_order_of_arrival_does_not_change_a_set(parts):
    forwards = backwards = IntervalSet()
    for part in parts:
        forwards = forwards.union(IntervalSet.of(array(part)))
    for part in reversed(parts):
        backwards = backwards.union(IntervalSet.of(array(part)))
    assert forwards.pairs() == backwards.pairs()


def test_many_dense_offsets_are_one_interval():
    held = IntervalSet.of(np.random.default_rng(7).permutation(100_000))
    assert held.pairs() == [(0, 99_999)]
