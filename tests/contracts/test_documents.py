"""A contract's document: which steps can be listed, which fields can be filled, and what lint says where they cannot."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.contract import DocumentPlan
from contracts.documents import READERS, STEPS, steps_fault
from contracts.lint import built
from tests.contracts.made import after, properties, sound

ITEMS = {"logicalType": "object", "properties": [{"name": "heading", "logicalType": "string"}]}


def with_document(value: Any, *more: dict[str, Any]) -> Any:
    def change(data: dict[str, Any]) -> None:
        data["schema"][0]["properties"] += [{"name": "page", "logicalType": "string"}, *more]
        data["customProperties"].append({"property": "document", "value": value})

    return change


@pytest.mark.parametrize(
    "value",
    [
        {"field": "page"},
        {"field": "page", "contentType": "size", "encoding": "base64", "url": "size"},
        {"field": "page", "steps": ["decode@1", "html@1", "main_content@1"]},
        {"field": "page", "steps": list(STEPS)},
    ],
)
def test_a_document_that_can_be_made_text_is_no_fault(value: dict[str, Any]):
    assert after(with_document(value)) == ()


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"field": "pages"}, "field: expected the name of a string property"),
        ({"contentType": "size"}, "field: expected the name of a string property"),
        ({"field": "page", "contentType": "amount"}, "contentType: expected the name of a string property"),
        ({"field": "page", "encoding": "hex"}, "expected one of text, base64"),
        ({"field": "page", "steps": ["html@9"]}, "came 'html@9'"),
        ({"field": "page", "steps": ["html@1", "decode@1"]}, "in the order"),
        ({"field": "page", "steps": ["html@1", "html@1"]}, "each once"),
        ({"field": "page", "steps": ["decode@1"]}, "none of them reads a document"),
        ({"field": "page", "colour": "green"}, "expected a mapping of field, contentType, encoding, url, steps"),
    ],
)
def test_a_document_that_cannot_be_made_text_is_named(value: dict[str, Any], told: str):
    (found,) = after(with_document(value))
    assert found.rule == "document"
    assert told in found.message


@pytest.mark.parametrize(
    "field",
    [
        {"name": "title", "logicalType": "integer"},
        {"name": "sections", "logicalType": "string"},
        {"name": "links", "logicalType": "array", "items": {"logicalType": "string"}},
        {"name": "links", "logicalType": "array", "items": ITEMS},
        {
            "name": "sections",
            "logicalType": "array",
            "items": {"logicalType": "object", "properties": [{"name": "level", "logicalType": "string"}]},
        },
    ],
    ids=lambda field: f"{field['name']}-{field['logicalType']}",
)
def test_a_sibling_that_cannot_take_what_is_filled_in_is_named(field: dict[str, Any]):
    (found,) = after(with_document({"field": "page"}, field))
    assert f"{field['name']} is filled with" in found.message


def test_a_contract_holds_its_document_plan():
    data = sound()
    with_document({"field": "page", "encoding": "base64", "url": "size", "steps": ["html@1"]})(data)
    assert built(data).document == DocumentPlan("page", None, ("html@1",), "base64", "size")
    assert [item["name"] for item in properties(data)][-1] == "page"


def test_every_reader_is_a_step_and_the_default_is_all_of_them():
    assert set(READERS.values()) < set(STEPS)
    assert steps_fault(()) == steps_fault(tuple(STEPS)) == ""
    assert all(name.count("@") == 1 and name.split("@")[1].isdigit() for name in STEPS)
