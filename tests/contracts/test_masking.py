"""The masking plan: masked by default; clear only what the contract calls public."""

from __future__ import annotations

import pytest

from contracts.contract import Field
from contracts.masking import mask_faults, masks, treatment

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


@pytest.mark.parametrize("kind", ["mask", "hash", "tokenize", "seal"])
def test_a_fields_own_mask_comes_before_its_classification(kind):
    assert treatment(Field("f", "string", classification="restricted", mask=kind)) == kind
    assert treatment(Field("f", "object", mask="drop")) == "null"


@pytest.mark.parametrize(
    ("item", "mask", "fault"),
    [
        ({"logicalType": "number"}, "hash", "fits no number"),
        ({"logicalType": "integer"}, "seal", "fits no integer"),
        ({"logicalType": "array"}, "mask", "fits no array"),
        ({"logicalType": "string", "classification": "public"}, "hash", "public"),
        ({"logicalType": "string", "required": True}, "drop", "required"),
        ({"logicalType": "string", "primaryKey": True}, "seal", "cannot be a key"),
    ],
)
def test_a_mask_that_makes_no_sense_is_a_fault(item, mask, fault):
    assert [fault in message for message in mask_faults(item, mask)] == [True]


def test_masks_that_make_sense_are_none():
    for mask in ("mask", "hash", "tokenize"):
        assert not list(mask_faults({"logicalType": "string", "primaryKey": True}, mask))
    assert not list(mask_faults({"logicalType": "integer", "required": True}, "tokenize"))
    assert not list(mask_faults({"logicalType": "boolean"}, "drop"))
