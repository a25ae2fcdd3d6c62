"""A contract as JSON Schema (draft 2020-12) of a raw record: for a producer to check what it is about to send.

What it accepts the stream accepts, and the other way round, except for what JSON Schema has no word for: bounds of times, and
expressions over several fields. Those are said in `x-headwater-beyond`, so that nobody believes they were checked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from contracts.contract import Contract, Field, Rule
from contracts.formats import TEXT_FORMATS, bounds

DIALECT = "https://json-schema.org/draft/2020-12/schema"
BEYOND = "x-headwater-beyond"
"""Keyword with the rules that the stream judges and JSON Schema cannot say. Validators pass over what they do not know."""

MOMENT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})$"
DAY = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"

TYPES: Mapping[str, Mapping[str, Any]] = {
    "string": {"type": "string"},
    "integer": {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "timestamp": {"type": "string", "format": "date-time", "pattern": MOMENT},
    "date": {"type": "string", "format": "date", "pattern": DAY},
    "object": {"type": "object"},
    "array": {"type": "array"},
}
KEYWORDS = {
    "minimum": "minimum",
    "maximum": "maximum",
    "exclusive_minimum": "exclusiveMinimum",
    "exclusive_maximum": "exclusiveMaximum",
    "multiple_of": "multipleOf",
    "min_length": "minLength",
    "max_length": "maxLength",
    "min_items": "minItems",
    "max_items": "maxItems",
    "unique_items": "uniqueItems",
    "pattern": "pattern",
}
REQUIRING = ("not_null", "not_missing")


def json_schema(contract: Contract) -> dict[str, Any]:
    """Return the schema of the contract's raw records, as JSON types."""
    data = json.loads(contract.source) if contract.source else {}
    schema = {
        "$schema": DIALECT,
        "$id": contract.id,
        "title": contract.dataset,
        "description": contract.description,
        "$comment": f"Made of contract {contract.contract_version}, {contract.hash}. {_notes(contract)}".strip(),
        **_object(contract.fields),
        BEYOND: [f"{rule.name}: {rule.argument}" for rule in contract.rules],
        "deprecated": data.get("status") in ("deprecated", "retired"),
    }
    return {name: value for name, value in schema.items() if value not in ("", [], False)}


def _notes(contract: Contract) -> str:
    if contract.envelope == "debezium":
        return "The record is what a Debezium envelope holds after the change."
    return ""


def _object(fields: tuple[Field, ...]) -> dict[str, Any]:
    needed = [field.name for field in fields if not _nullable(field)]
    properties = {field.name: _schema(field) for field in fields}
    return {"type": "object", "properties": properties, **({"required": needed} if needed else {})}


def _nullable(field: Field) -> bool:
    return not field.required and not any(_requires(rule) for rule in field.rules)


def _requires(rule: Rule) -> bool:
    """Say whether a rule refuses null."""
    return rule.kind == "not_null" or (rule.kind == "not_missing" and isinstance(rule.argument, tuple) and None in rule.argument)


def _schema(field: Field) -> dict[str, Any]:
    """Return the schema of one value. Each rule is a subschema of its own where two would need one keyword."""
    schema = {**TYPES[field.logical_type], **_meaning(field)}
    if field.logical_type == "object":
        schema |= _object(field.fields)
    if field.items is not None:
        schema["items"] = _schema(field.items)
    beyond: list[str] = []
    for rule in field.rules:
        said = dict(_said(rule, field, nullable=_nullable(field)))
        if not said and not _requires(rule):
            beyond.append(f"{rule.name}: {rule.argument}")
        elif set(said) & set(schema):
            schema.setdefault("allOf", []).append(said)
        else:
            schema |= said
    if beyond:
        schema[BEYOND] = beyond
    if _nullable(field):
        schema["type"] = [schema["type"], "null"]
    return schema


def _meaning(field: Field) -> dict[str, Any]:
    """Return what a schema says to people."""
    said: dict[str, Any] = {"description": field.description, "examples": list(field.examples)}
    if field.classification:
        said["x-classification"] = field.classification
    if field.primary_key:
        said["x-primary-key"] = True
    return {name: value for name, value in said.items() if value}


def _said(rule: Rule, field: Field, *, nullable: bool) -> Iterator[tuple[str, Any]]:
    """Yield the keywords that say a rule; none where JSON Schema has none."""
    argument = rule.argument
    if rule.kind in KEYWORDS:
        if field.logical_type not in ("timestamp", "date"):
            yield KEYWORDS[rule.kind], argument
    elif rule.kind == "valid_values" and isinstance(argument, tuple):
        yield "enum", [*argument, *([None] if nullable else [])]
    elif rule.kind == "not_missing" and isinstance(argument, tuple):
        if values := [value for value in argument if value is not None]:
            yield "not", {"enum": values}
    elif rule.kind == "format" and field.logical_type == "string":
        yield "format", argument
        yield "pattern", TEXT_FORMATS[str(argument)]
    elif rule.kind == "format":
        low, high = bounds(str(argument))
        yield "minimum", low
        yield "maximum", high
