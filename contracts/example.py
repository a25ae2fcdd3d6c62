"""A made-up record of a contract, from the examples that its fields give: for the docs page.

What it shows obeys the rules of each field: an example that breaks one is passed over. Rules over several fields are not tried.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import chain, cycle, islice
from typing import Any

import polars as pl
import pyarrow as pa

from contracts.checks import field_checks
from contracts.contract import Contract, Field
from contracts.samples import samples
from contracts.schema import arrow_type

STAND_INS: dict[str, Any] = {
    "string": "text",
    "integer": 1,
    "number": 1.5,
    "boolean": True,
    "timestamp": "2026-01-31T12:00:00Z",
    "date": "2026-01-31",
}
"""What stands for a value that no example is given of."""

ITEMS_MAX = 100
"""More items than this nobody reads on a page, whatever a rule demands."""


def example_record(contract: Contract) -> dict[str, Any]:
    """Return one record: each field's first example that its rules admit, else a value of its type that they do."""
    return {field.name: _example(field) for field in contract.fields}


def obeys(field: Field, value: Any) -> bool:
    """Say whether a value, as JSON gives it, is of a field's type and breaks none of the rules of it and of what it holds."""
    field = replace(field, name="value")  # an array's items have none
    try:
        typed = pl.DataFrame(pa.table({field.name: pa.array([_read(field, value)], arrow_type(field))}))
    except (TypeError, ValueError, pa.ArrowException):
        return False
    return not any(typed.select(check.broken.fill_null(value=False).any()).item() for check in field_checks(field))


def _example(field: Field) -> Any:
    if field.examples and (given := next((e for e in field.examples if obeys(field, e)), None)) is not None:
        return given
    if field.logical_type == "object":
        return {child.name: _example(child) for child in field.fields}
    if field.items is not None:
        return _items(field, field.items)
    return next((value for value in _candidates(field) if obeys(field, value)), STAND_INS[field.logical_type])


def _items(field: Field, of: Field) -> list[Any]:
    """Return as few items as the list's rules admit, but one if that may be; different ones as far as there are."""
    sizes = {rule.kind: int(str(rule.argument)) for rule in field.rules if rule.kind in ("min_items", "max_items")}
    size = min(max(1, sizes.get("min_items", 1)), sizes.get("max_items", ITEMS_MAX), ITEMS_MAX)
    others = (value for value in _candidates(of) if obeys(of, value)) if of.logical_type in STAND_INS else iter(())
    return list(islice(cycle(_different(chain([_example(of)], others), size)), size)) if size else []


def _different(values: Iterator[Any], size: int) -> list[Any]:
    found: dict[str, Any] = {}
    for value in values:
        found.setdefault(repr(value), value)
        if len(found) == size:
            break
    return list(found.values())


def _candidates(field: Field) -> Iterator[Any]:
    for rule in field.rules:
        if rule.kind == "valid_values" and isinstance(rule.argument, tuple):
            yield from rule.argument
    yield STAND_INS[field.logical_type]
    yield from (_written(value) for value in samples(field) if value is not None)


def _read(field: Field, value: Any) -> Any:
    """Return a column's value as the stream has read it: text of a moment becomes one."""
    if isinstance(value, bool) != (field.logical_type == "boolean"):
        raise TypeError(field.logical_type)
    if arrow_type(field) == pa.timestamp("us", "UTC"):
        return datetime.fromisoformat(value).astimezone(UTC)
    return date.fromisoformat(value) if arrow_type(field) == pa.date32() else value


def _written(value: Any) -> Any:
    """Return a value as JSON has it."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value
