"""Tokens keep the format of a value and nothing else of it."""

from __future__ import annotations

import unicodedata

from hypothesis import example, given
from hypothesis import strategies as st

from streams.tokens import integer_token, token

KEY = bytes(range(32))
TEXTS = st.text(st.characters(codec="utf-8"), max_size=24) | st.from_regex(r"\A[A-Za-z0-9 ._@+-]{0,40}\Z")


def kind_of(character: str) -> str:
    """Return a letter for what is part of a word, a digit for what is a number, and any other character itself."""
    category = unicodedata.category(character)
    if category[0] in "LM":
        return "A" if character.isupper() else "a"
    return "0" if category[0] == "N" else character


def shape(text: str) -> str:
    return "".join(map(kind_of, text))


@given(TEXTS)
@example("½")
@example("Ⅻ a")
@example("௰ and क्षि")
def test_digits_stay_digits_letters_letters_and_the_rest_as_it_is(text):
    made = token(text, KEY)
    assert shape(made) == shape(text)
    assert made == token(text, KEY)
    assert all(c.isascii() for c in made if c.isalnum())


def test_no_number_of_any_script_is_its_own_token():
    numbers = [chr(c) for c in range(0x80, 0x11_0000) if unicodedata.category(chr(c))[0] == "N"]
    assert len(numbers) > 1_000
    assert all(token(number, KEY) in list("0123456789") for number in numbers)


@given(st.sets(st.from_regex(r"\A[0-9]{6}-[a-z]{5}\Z"), max_size=30))
def test_values_that_are_long_enough_never_share_a_token(values):
    assert len({token(value, KEY) for value in values}) == len(values)


@given(st.sets(st.integers(100_000, 2**63 - 1), max_size=30))
def test_integers_keep_their_digits_and_never_share_a_token(values):
    made = {value: integer_token(value, KEY) for value in values}
    assert len(set(made.values())) == len(values)
    assert all(len(str(token)) == len(str(value)) and token < 2**63 for value, token in made.items())


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_64_bit_integer_has_a_token_of_64_bits(value):
    assert -(2**63) <= integer_token(value, KEY) < 2**63
    assert (integer_token(value, KEY) < 0) <= (value < 0)


def test_another_key_or_owner_gives_another_token():
    assert len({token("4711-0815-AB", KEY), token("4711-0815-AB", bytes(32)), token("4711-0815-AB", KEY, b"p1")}) == 3
