"""A contract's pattern in Rust's words and in Python's: the same verdict on every text, or a refusal."""

from __future__ import annotations

import re

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.patterns import Untranslatable, pattern_untranslatable, python_pattern

ATOMS = [
    "a", "B", "é", "ß", "İ", " ", r"\.", r"\-", r"\n", ".", "(?s:.)", r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", r"\p{L}",
    r"\P{Lu}", r"\pN", "[a-c]", "[^a]", "[]a]", "[^]a]", "[[:alpha:]&&[^b]]", r"[\d_-]", "[a[bc]]", "(?i:k)", "(?i:[a-c])",
    r"\x41", r"\u{1F600}", "^", "$", r"\A", r"\z", r"\b", r"\B", "(?m:^a$)", "(?:ab|B)", "(a|)", "(?P<name>a)", "(?<other>b)",
]  # fmt: skip
REPETITIONS = ["", "*", "+", "?", "{2}", "{1,}", "{0,2}", "*?", "++", "*+", "{2}{2}"]
PATTERNS = st.lists(st.tuples(st.sampled_from(ATOMS), st.sampled_from(REPETITIONS)), min_size=1, max_size=4).map(
    lambda parts: "".join(atom + repetition for atom, repetition in parts)
)
TEXTS = st.text(st.sampled_from("aAbBcdkK\u212a.-_ \n\r\t\x1c\x85\u00a0é\u0301ßıİ0９٣\u200d😀]^"), max_size=6)


def rust_matches(pattern: str, texts: list[str]) -> list[bool] | None:
    """Return the stream's verdicts, or None for a pattern that no contract may have."""
    try:
        return pl.Series(texts, dtype=pl.String).str.contains(pattern).to_list()
    except pl.exceptions.ComputeError:
        return None


@settings(deadline=None)
@given(PATTERNS, st.lists(TEXTS, min_size=1, max_size=20))
def test_both_engines_say_the_same_of_every_text(pattern: str, texts: list[str]):
    expected = rust_matches(pattern, texts)
    if expected is not None:
        written = re.compile(python_pattern(pattern))
        assert [written.search(text) is not None for text in texts] == expected, python_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [("^a$", "a\n"), (r"\s", "\x1c"), (r"^\w+$", "e\u0301"), ("a++b", "aab"), ("[a&&b]", "&"), ("(?i)k", "\u212a")],
)
def test_what_python_would_read_otherwise_is_written_out(pattern: str, text: str):
    verdict = (rust_matches(pattern, [text]) or [None])[0]
    assert (re.search(python_pattern(pattern), text) is not None) is verdict


def test_a_plain_pattern_stays_readable():
    assert python_pattern("^[A-Z][0-9A-Z]{4,5}$") == r"(?:\A)[A-Z][0-9A-Z]{4,5}(?:\Z)"


@pytest.mark.parametrize("pattern", ["(?x) a b", r"(?R)^a$", r"\b{start}a", r"\<a"])
def test_what_cannot_be_said_is_refused(pattern: str):
    assert rust_matches(pattern, [""]) is not None
    assert pattern_untranslatable(pattern)
    with pytest.raises(Untranslatable):
        python_pattern(pattern)


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from([r"^[0-9A-Z]{2}-[1-9][0-9]{0,3}$", r"^(EWR|JFK|LGA)-[A-Z]{3}$", r"(?i)^n[0-9a-z]{4}$"]).flatmap(
        lambda pattern: st.tuples(st.just(pattern), st.from_regex(pattern.replace("$", r"\Z")))
    )
)
def test_what_matches_in_the_one_matches_in_the_other(drawn: tuple[str, str]):
    pattern, text = drawn
    assert (re.search(python_pattern(pattern), text) is not None) is (rust_matches(pattern, [text]) or [None])[0]
