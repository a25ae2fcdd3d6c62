"""A made-up record of a contract, from the examples that its fields give: for the docs page."""

from __future__ import annotations

from typing import Any

from contracts.contract import Contract, Field

STAND_INS: dict[str, Any] = {
    "string": "text",
    "integer": 1,
    "number": 1.5,
    "boolean": True,
    "timestamp": "2026-01-31T12:00:00Z",
    "date": "2026-01-31",
}
"""What stands for a value that no example is given of."""


def example_record(contract: Contract) -> dict[str, Any]:
    """Return one record: each field's first example, or a stand-in of its type."""
    return {field.name: _example(field) for field in contract.fields}


def _example(field: Field) -> Any:
    if field.examples:
        return field.examples[0]
    allowed = next((rule.argument for rule in field.rules if rule.kind == "valid_values"), None)
    if isinstance(allowed, tuple):
        return allowed[0]
    if field.logical_type == "object":
        return {child.name: _example(child) for child in field.fields}
    if field.items is not None:
        return [_example(field.items)]
    return STAND_INS[field.logical_type]
