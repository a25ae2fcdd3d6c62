"""Shingles against a plain definition of them; and, on real documents with seeded edits, whether near duplicates are found."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features import shingles
from features.shingles import WORD_BYTES_MAX, ShingleSets, blocks_of, shingle_sets
from features.signatures import banding
from infra.bench.near_duplicates import datasketched, ours
from infra.bench.near_texts import corpus, jaccard, quality, shingled, silver

TEXTS = st.lists(st.none() | st.text(max_size=60) | st.text(alphabet="ab Ä中é–,.\n", max_size=80), max_size=12)


def held(sets: ShingleSets, at: int) -> set[int]:
    return set(sets.values[sets.edges[at] : sets.edges[at + 1]].tolist())


@given(TEXTS)
def test_a_text_s_shingles_are_its_own_whatever_stands_beside_it(texts: list[str | None]) -> None:
    together = shingle_sets(pl.Series(texts, dtype=pl.String))
    for at, text in enumerate(texts):
        assert held(together, at) == held(shingle_sets(pl.Series([text], dtype=pl.String)), 0)


@given(TEXTS, st.integers(1, 40), st.integers(1, 5))
def test_the_size_of_a_block_does_not_show(texts: list[str | None], size: int, count: int) -> None:
    series = pl.Series(texts, dtype=pl.String)
    whole = shingle_sets(series)
    before = shingles.BLOCK_BYTES, shingles.BLOCK_TEXTS
    try:
        shingles.BLOCK_BYTES, shingles.BLOCK_TEXTS = size, count
        found = [held(sets, at) for _, sets in blocks_of(series) for at in range(len(sets))]
    finally:
        shingles.BLOCK_BYTES, shingles.BLOCK_TEXTS = before
    assert found == [held(whole, at) for at in range(len(texts))]


@given(st.lists(st.text(alphabet="abcXYZ019 ,.;:!?-'\n\t", max_size=120), min_size=2, max_size=2))
def test_shingles_are_those_of_the_definition(texts: list[str]) -> None:
    plain = [shingled(text) for text in texts]
    made = shingle_sets(pl.Series(texts))
    assert made.sizes.tolist() == [len(each) for each in plain]
    assert len(held(made, 0) & held(made, 1)) == len(plain[0] & plain[1])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The cat, the dog!", "the  CAT\nthe dog"),
        ("Über ÉTÉ Ёлка ΩΜΕΓΑ", "über été ёлка ωμεγα"),
        ("“one” – «two» … three\u00a0four", "one two three four"),
        ("漢字、仮名。", "漢字仮名"),
    ],
)
def test_capitals_signs_and_layout_make_no_difference(one: str, other: str) -> None:
    made = shingle_sets(pl.Series([one, other]))
    assert held(made, 0) == held(made, 1) != set()


def test_scripts_without_spaces_have_a_word_for_each_character() -> None:
    made = shingle_sets(pl.Series(["日本語の文章です", "日本語の文です", "한국어 문장"]))
    assert made.sizes.tolist() == [6, 5, 3]
    assert len(held(made, 0) & held(made, 1)) == 3


def test_texts_shorter_than_a_shingle_are_one_shingle_of_their_own() -> None:
    made = shingle_sets(pl.Series(["one", "one two", "two one", "", "!?", None]))
    assert made.sizes.tolist() == [1, 1, 1, 0, 0, 0]
    assert len({next(iter(held(made, at))) for at in range(3)}) == 3


def test_a_run_without_a_gap_is_cut_up_and_costs_no_more_than_other_text() -> None:
    run = "".join(chr(97 + at % 26) for at in range(WORD_BYTES_MAX * 10))
    made = shingle_sets(pl.Series([run, "x" * 3_000_000]))
    assert made.sizes.tolist()[0] == 8
    assert made.sizes.tolist()[1] <= 3, "the same word again and again"


def test_words_that_differ_in_any_byte_differ() -> None:
    words = [("a" * size)[:at] + "b" + ("a" * size)[at + 1 :] for size in (1, 7, 8, 9, 16, 17, 63, 64) for at in range(size)]
    made = shingle_sets(pl.Series(words))
    assert len(np.unique(made.values)) == len(words)


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.85, 0.95])
def test_near_duplicates_of_real_documents_are_found_and_what_is_found_is_true(threshold: float) -> None:
    made = corpus(threshold, 3, 120)
    found = quality(made, threshold, ours(silver(made.texts), threshold, []))
    edits = [(at, base) for at, base in enumerate(made.originals) if at != base]
    above = sum(made.similarity(*pair) >= threshold for pair in edits)
    assert min(above, len(edits) - above) > 20, "edits lie on both sides of the threshold"
    assert found.recall >= 0.95
    assert found.precision >= 0.95


def test_the_rival_of_the_benchmark_is_no_straw_man() -> None:
    made = corpus(0.85, 1, 40)
    assert quality(made, 0.85, datasketched(made, 0.85)).recall >= 0.95


def test_the_truth_of_the_benchmark_is_jaccard() -> None:
    assert jaccard(shingled("a b c d"), shingled("a b c e")) == pytest.approx(1 / 3)
    assert banding(0.85).share(0.5) < 0.1
