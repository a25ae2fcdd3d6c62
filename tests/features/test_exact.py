from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.exact import StretchSums

FLOATS = st.lists(st.floats(allow_nan=False, allow_infinity=False, width=64), max_size=30)
WHOLE = st.lists(st.integers(min_value=-(2**40), max_value=2**40), max_size=30)


def stretches(length: int) -> tuple[np.ndarray, np.ndarray]:
    pairs = [(a, b) for a in range(length + 1) for b in range(a, length + 1)]
    first, behind = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return first, behind


def nearest(exact: Fraction) -> float:
    try:
        return exact.numerator / exact.denominator
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


@settings(deadline=None)
@given(FLOATS)
def test_sums_of_floats_are_the_exact_sums_rounded_once(values: list[float]) -> None:
    first, behind = stretches(len(values))
    sums = StretchSums(np.array(values, dtype=np.float64)).sums(first, behind)
    expected = [nearest(sum(map(Fraction, values[a:b]), Fraction())) for a, b in zip(first, behind, strict=True)]
    assert sums.tolist() == expected


@settings(deadline=None)
@given(FLOATS)
def test_means_of_floats_are_the_exact_means_rounded_once(values: list[float]) -> None:
    first, behind = stretches(len(values))
    means = StretchSums(np.array(values, dtype=np.float64)).means(first, behind, behind - first)
    for mean, a, b in zip(means.tolist(), first, behind, strict=True):
        expected = nearest(sum(map(Fraction, values[a:b]), Fraction()) / int(b - a)) if b > a else math.nan
        assert mean == expected or (math.isnan(mean) and math.isnan(expected))


@settings(deadline=None)
@given(WHOLE)
def test_whole_numbers_add_up_exactly(values: list[int]) -> None:
    first, behind = stretches(len(values))
    sums = StretchSums(np.array(values, dtype=np.int64)).sums(first, behind)
    assert sums.dtype == np.int64
    assert sums.tolist() == [sum(values[a:b]) for a, b in zip(first, behind, strict=True)]


@settings(deadline=None)
@given(FLOATS, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_show(values: list[float], random) -> None:
    shuffled = random.sample(values, len(values))
    whole = np.array([0]), np.array([len(values)])
    sums = [StretchSums(np.array(order, dtype=np.float64)).sums(*whole).tobytes() for order in (values, shuffled)]
    assert sums[0] == sums[1]


def test_a_sum_beyond_64_bits_is_refused_and_its_mean_is_not() -> None:
    values = StretchSums(np.array([2**62, 2**62, 2**62], dtype=np.int64))
    ends = np.array([0]), np.array([3])
    with pytest.raises(OverflowError):
        values.sums(*ends)
    assert values.means(*ends, np.array([3])).tolist() == [float(2**62)]
