"""Regular text: the same for everyone who writes it, once and for all."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.contract import Field
from streams.text import is_regular, over_texts, regular, regular_rows
from tests.streams.made import PLAIN, WIDE

TEXTS = st.lists(
    st.none() | st.text(max_size=30) | st.text(st.sampled_from("a\r\n\t\0\x1b\x7f\x85\u0301e\u2028"), max_size=8), max_size=6
)


def regular_texts(texts: list[str | None]) -> list[str | None]:
    return pl.DataFrame({"t": pl.Series(texts, dtype=pl.String)}).select(regular(pl.col("t")))["t"].to_list()


@given(TEXTS)
def test_regular_text_is_left_as_it_is(texts):
    once = regular_texts(texts)
    assert regular_texts(once) == once


@given(TEXTS)
def test_regular_text_is_nfc_without_control_characters_and_with_one_kind_of_newline(texts):
    for came, made in zip(texts, regular_texts(texts), strict=True):
        assert (came is None) == (made is None)
        if made is not None:
            assert unicodedata.is_normalized("NFC", made)
            assert not [c for c in made if unicodedata.category(c) == "Cc" and c not in "\n\t"]


@given(TEXTS)
def test_what_is_called_regular_is_not_changed(texts):
    column = pl.Series("t", texts, dtype=pl.String)
    if is_regular(column):
        assert regular_texts(texts) == texts


@pytest.mark.parametrize(
    ("came", "made"),
    [
        ("a\r\nb\rc\n", "a\nb\nc\n"),
        ("e\u0301", "é"),
        ("tab\tstays", "tab\tstays"),
        ("n\0u\x1bl\x7f\x85", "nul"),
        ("👩\u200d👩\u200d👧 שלום مرحبا", "👩\u200d👩\u200d👧 שלום مرحبا"),
        ("", ""),
    ],
)
def test_text_is_made_regular(came, made):
    assert regular_texts([came]) == [made]


def test_a_sliced_column_is_judged_by_its_own_texts_or_too_strictly_and_never_too_mildly():
    column = pl.Series("t", ["plain", "bell\x07", "plain"])
    assert not is_regular(column)
    assert not is_regular(column[1:2])


def test_texts_within_objects_and_lists_are_made_regular_as_well():
    row = {
        "id": "1",
        "text": "a\r\n",
        "place": {"city": "e\u0301", "floor": 1, "inner": None},
        "tags": ["x\0", None],
        "lines": [{"sku": "\x7fs", "many": [True]}, None],
    }
    schema = {
        "id": pl.String,
        "text": pl.String,
        "place": pl.Struct({"city": pl.String, "floor": pl.Int64, "inner": pl.Struct({"open": pl.Boolean, "rate": pl.Float64})}),
        "tags": pl.List(pl.String),
        "lines": pl.List(pl.Struct({"sku": pl.String, "many": pl.List(pl.Boolean)})),
    }
    blank = pl.DataFrame([row], schema=schema)
    contract = replace(WIDE, fields=tuple(f for f in WIDE.fields if f.name in schema))
    made = regular_rows(blank, contract)
    assert made.select(list(schema)).to_dicts() == [
        {
            "id": "1",
            "text": "a\n",
            "place": {"city": "é", "floor": 1, "inner": None},
            "tags": ["x", None],
            "lines": [{"sku": "s", "many": [True]}, None],
        }
    ]


def test_a_change_reaches_texts_alone():
    field = Field("n", "integer")
    assert pl.DataFrame({"n": [1]}).select(over_texts(pl.col("n"), field, lambda c, _f: c + 1))["n"].to_list() == [1]


def test_rows_without_anything_unusual_are_handed_back_unchanged():
    rows = pl.DataFrame({"id": ["a"], "note": ["b\tc\n"]})
    contract_fields = {f.name for f in PLAIN.fields}
    rows = rows.with_columns(pl.lit(None).alias(n) for n in contract_fields - {"id", "note"})
    assert regular_rows(rows, PLAIN) is rows
