"""A contract's columns as Feast's fields: names, types, descriptions and tags, as text.

Feast itself is far above this room and takes seconds to load, so its types are told by their names in `feast.types`;
`features` makes the objects. An object or an array of objects has no Feast type: a feature is taken from within it.
"""

from __future__ import annotations

from dataclasses import dataclass

from contracts.contract import Contract, Field
from contracts.masking import masks

TYPES = {
    "string": "String",
    "integer": "Int64",
    "number": "Float64",
    "boolean": "Bool",
    "timestamp": "UnixTimestamp",
    "date": "UnixTimestamp",
}
"""Logical type -> its name in `feast.types`. A date is the moment at which it begins, UTC."""


@dataclass(frozen=True)
class FeastField:
    """One column that can be an entity's join key or a feature. `dtype` is an expression over `feast.types`."""

    name: str
    dtype: str
    description: str
    tags: tuple[tuple[str, str], ...]
    join_key: bool


def feast_fields(contract: Contract) -> tuple[FeastField, ...]:
    """Return the columns that Feast can hold, in the contract's order."""
    found = ((field, feast_type(field)) for field in contract.fields)
    return tuple(_field(field, dtype) for field, dtype in found if dtype is not None)


def left_out(contract: Contract) -> tuple[str, ...]:
    """Return the names of the columns that Feast has no type for."""
    return tuple(field.name for field in contract.fields if feast_type(field) is None)


def feast_type(field: Field) -> str | None:
    """Return a column's type as Feast names it, or None."""
    if field.items is not None:
        within = TYPES.get(field.items.logical_type)
        return None if within is None else f"Array({within})"
    return TYPES.get(field.logical_type)


def declaration(contract: Contract) -> str:
    """Return the columns as the Python text of a Feast schema, to start a definition from."""
    lines = [
        f"Field(name={f.name!r}, dtype={f.dtype}, description={f.description!r}, tags={dict(f.tags)!r}),"
        for f in feast_fields(contract)
    ]
    return "\n".join(["schema=[", *(f"    {line}" for line in lines), "]"])


def _field(field: Field, dtype: str) -> FeastField:
    tags = {"classification": field.classification, "masked": "true" if masks(field) else ""}
    said = tuple((name, value) for name, value in tags.items() if value)
    return FeastField(field.name, dtype, field.description, said, field.primary_key)
