"""Masking text: placeholders say their type, are one per value, hold nothing, and leave nothing behind to be found."""

from __future__ import annotations

import re
import time

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.free_text import masked, masked_documents
from streams.placeholders import PATTERN, placeholder
from streams.recognise import TYPES_WITH_NAMES, entities
from tests.streams.made import MASKING_KEY
from tests.streams.test_recognise import ALONE, TEXTS

KEY = MASKING_KEY
CASES = st.lists(TEXTS, max_size=4).map(lambda texts: pl.Series(texts, dtype=pl.String))


def mask(text: str, key: bytes = KEY) -> str:
    return str(masked(pl.Series([text]), key)[0])


@given(CASES)
def test_masking_what_is_masked_changes_nothing(texts):
    once = masked(texts, KEY, None, TYPES_WITH_NAMES)
    assert masked(once, KEY, None, TYPES_WITH_NAMES).equals(once)
    assert not entities(once, TYPES_WITH_NAMES).height


@given(CASES, st.integers(0, 4))
def test_a_column_is_masked_as_its_parts_are(texts, cut):
    assert masked(texts, KEY).equals(pl.concat([masked(texts[:cut], KEY), masked(texts[cut:], KEY)]))


@given(CASES)
def test_the_column_given_stays_as_it_is(texts):
    before = texts.to_list()
    masked(texts, KEY)
    assert texts.to_list() == before


@given(CASES)
def test_what_stands_around_entities_stays_and_each_gives_way_to_its_placeholder(texts):
    for text, told in zip(texts.to_list(), masked_documents(texts.to_list(), KEY), strict=True):
        pattern, at = "", 0
        for entity in told["entities"]:
            pattern += re.escape(text[at : entity["start"]]) + f"<{entity['type']}:[bcdfghjklmnpqrst]{{12}}>"
            at = entity["end"]
        assert re.fullmatch(pattern + re.escape(text[at:]), told["text"], re.DOTALL)


@pytest.mark.parametrize(("kind", "value"), ALONE)
def test_no_placeholder_shows_anything_of_its_value(kind, value):
    made = placeholder(kind, value, KEY)
    assert re.fullmatch(PATTERN, made)
    assert made == placeholder(kind, value, KEY) != placeholder(kind, value, bytes(32))


def test_spellings_of_one_value_share_a_placeholder():
    for one, other in [
        ("Jane.Doe@Example.org", "jane.doe@example.org"),
        ("+44 (0)20 7946 0958", "+442079460958"),
        ("0044 20 7946 0958", "+44 20 7946 0958"),
        ("DE89 3704 0044 0532 0130 00", "de89370400440532013000"),
        ("4111-1111-1111-1111", "4111 1111 1111 1111"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
    ]:
        assert mask(one) == mask(other) != mask("192.0.2.1")


def test_text_that_looks_like_a_placeholder_is_left_alone_and_hides_nothing():
    forged = "<email:bcdfghjklmnp> <phone:212-555-0142> <email:jane@example.org>"
    made = mask(forged)
    assert made.startswith("<email:bcdfghjklmnp> <phone:<phone:")
    assert "jane" not in made
    assert "0142" not in made
    assert mask(made) == made


def test_subjects_keep_equal_values_apart():
    texts = pl.Series(["a@example.org"] * 4)
    made = masked(texts, KEY, pl.Series([1, 2, 1, None]))
    assert made[0] == made[2]
    assert len(set(made)) == 3


WORST = [
    "a", "a.", "a@", "a@b", "a@b.", "@", "1", "1.", "1:", "1 ", "1-", "+1", "(1", "-", "::", "0", ".a@a", "aé", "1.1.1.",
    "ab:", "+1 (", "a@b-", "4111 ", "12-", "://", "a://", "a://b:", "a://b:c@", "key=", "key = ", "tel ", "call 1",
    "-----BEGIN PRIVATE KEY-----", "-----BEGIN ", "eyJ", "eyJa.", "sk-", "sk-a1", "AKIA", "password:", "ssn ", "ssn 1",
    "born ", "born 1", "1 A ", "1 A St ", "Aa", "A ", "straße 1", "rue A", "1 rue ", "A1", "AB12", "DE89", "1a", "99", "Mr ",
    "Dr. A", "Anna ", "QUJD", "Flat 1, ", "Am A", "ul. A", "Anna van ", "Dear A", "A wrote", "password is ", "mot de passe ",
    "0123abcd-", "́", "👋", "1\xa0", "<", "<email:",
]  # fmt: skip


@pytest.mark.parametrize("unit", WORST)
def test_masking_takes_linear_time_on_its_worst_inputs(unit):
    def cost(size: int) -> float:
        texts = pl.Series([unit * (size // len(unit))])
        spent = []
        for _ in range(2):
            began = time.process_time()
            entities(texts, TYPES_WITH_NAMES)
            spent.append(time.process_time() - began)
        return min(spent)

    cost(1_000)
    small, large = max(cost(10_000), 0.003), cost(160_000)
    # 16 times the text: linear work grows 16-fold, quadratic 256-fold. What is too fast to be measured counts as linear.
    assert large / small < 80, (small, large)


def test_a_line_of_a_megabyte_is_masked_in_bounded_time():
    text = ("call +1 212 555 0142 or jane@example.org at 192.0.2.1, " * 20_000)[: 1 << 20]
    began = time.process_time()
    made = mask(text)
    assert time.process_time() - began < 10
    assert "0142 or" not in made
    assert made.count("<email:") == text.count("jane@example.org")
