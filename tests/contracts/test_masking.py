"""The masking plan: masked by default; clear only what the contract calls public."""

from __future__ import annotations

import pytest

from contracts.contract import Field
from contracts.masking import masks, treatment

KINDS = ["string", "integer", "number", "boolean", "timestamp", "date"]


@pytest.mark.parametrize("classification", ["", "internal", "confidential", "Public", "PUBLIC ", "pii"])
def test_a_text_is_free_text_unless_it_is_called_public(classification):
    assert treatment(Field("f", "string", classification=classification)) == "free_text"
    assert masks(Field("f", "string", classification=classification))


def test_a_public_text_is_kept():
    assert treatment(Field("f", "string", classification="public")) == "keep"
    assert not masks(Field("f", "string", classification="public"))


@pytest.mark.parametrize("kind", KINDS[1:])
def test_what_holds_no_text_is_kept_unless_restricted(kind):
    assert treatment(Field("f", kind)) == "keep"
    assert treatment(Field("f", kind, classification="restricted")) == "null"


def test_a_restricted_text_is_replaced_and_a_restricted_whole_left_out():
    assert treatment(Field("f", "string", classification="restricted")) == "replace"
    for kind in ("object", "array"):
        assert treatment(Field("f", kind, classification="restricted")) == "null"


def test_a_whole_is_masked_if_a_part_of_it_is():
    open_text, free, hidden = (
        Field("a", "string", classification="public"),
        Field("b", "string"),
        Field("c", "integer", classification="restricted"),
    )
    assert not masks(Field("f", "object", fields=(open_text,)))
    assert masks(Field("f", "object", fields=(open_text, free)))
    assert masks(Field("f", "object", fields=(open_text, hidden)))
    assert masks(Field("f", "array", items=Field("", "object", fields=(hidden,))))
    assert not masks(Field("f", "array", classification="public", items=open_text))
    assert masks(Field("f", "array", classification="public", items=free)), "being public is not handed down"
