"""What may be shown of a raw record: its shape, its numbers, what its contract calls public, and no other text."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.contract import Field
from streams.shown import shown
from tests.streams.made import contract_of

KEY = b"k" * 32
CONTRACT = contract_of(
    Field("city", "string", classification="public"),
    Field("note", "string"),
    Field("salary", "integer", classification="restricted"),
    Field("token", "string", classification="public", mask="hash"),
    Field(
        "lines",
        "array",
        items=Field("", "object", fields=(Field("sku", "string", classification="public"), Field("by", "string"))),
    ),
)


def of(**more: object) -> object:
    return shown(orjson.dumps(more), CONTRACT, KEY)


def test_public_texts_and_numbers_are_shown_and_other_texts_told_by_their_length():
    raw = (
        b'{"id":"o1","city":"Oslo","note":"Ann Example","salary":9,"token":"abc","amount":3,'
        b'"lines":[{"sku":"s","by":"Bob","x":1}]}'
    )
    assert shown(raw, CONTRACT, KEY) == {
        "id": "o1", "city": "Oslo", "note": "<text of 11>", "salary": "<masked>", "token": "<masked>",
        "lines": [{"sku": "s", "by": "<text of 3>", "<unknown fields>": 1}], "<unknown fields>": 1,
    }  # fmt: skip


def test_personal_data_in_a_public_text_is_masked_all_the_same():
    assert "ann@example.org" not in str(of(city="write to ann@example.org"))


def test_a_text_in_the_place_of_a_number_is_not_shown():
    assert of(lines="Ann Example", salary="Ann") == {"lines": "<text of 11>", "salary": "<masked>"}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, None),
        (b"{Ann", "<4 bytes that are not JSON>"),
        (b'["Ann", 1]', ["<text of 3>", 1]),
        (b'"Ann"', "<text of 3>"),
        (b"1", 1),
    ],
)
def test_what_is_no_object_is_told_by_its_shape(value, told):
    assert shown(value, CONTRACT, KEY) == told


texts = st.text(st.characters(whitelist_categories=["Lu"]), min_size=4, max_size=12).map(lambda text: "Zq" + text)
items = st.recursive(texts | st.integers(-5, 5) | st.none(), lambda inner: st.lists(inner) | st.dictionaries(texts, inner))


@given(st.dictionaries(st.sampled_from(["note", "lines", "salary", "token", "other", "at2"]) | texts, items))
def test_no_text_of_a_field_that_is_not_public_is_ever_shown(record):
    assert "Zq" not in orjson.dumps(shown(orjson.dumps(record), CONTRACT, KEY)).decode()
