"""Which mode decides over a departure from the contract, and what each mode can do at a given place.

A departure is a record's unknown field, value of another type, broken rule or missing value. The modes are dlt's schema
contract (dlt: common/schema/typing.py) with `quarantine` added, and `freeze` no exception: bad data is data.
The whole table, mode by departure, stands in streams/README.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

from contracts.contract import Contract, Field, Mode
from contracts.records import Reason

DEPARTURES = frozenset({Reason.UNKNOWN_FIELD, Reason.ILL_TYPED, Reason.MISSING_KEY, Reason.MISSING_VALUE, Reason.RULE_BROKEN})
"""What a mode decides over. What is no record of any contract (no JSON, too large, a duplicate) is a dead letter in all."""

EXACT_MAX = 2**53
"""Whole numbers up to here are the same in int64 and float64. I-JSON (RFC 7493, 2.2) asks no more of a sender."""

COLUMN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
"""A name that a field of the sender's own may have as a column, and be told by: a word, not content."""

JOINT = "__"
"""Between the names of an object and of the unknown field within it, in the column's name, as dlt has it."""


def mode_at(contract: Contract, names: Sequence[str]) -> Mode:
    """Return the mode in force at a place: that of the innermost field on the way that has one, else the contract's."""
    mode, fields = contract.mode, contract.fields
    for name in names:
        field = next((field for field in fields if field.name == name), None)
        if field is None:
            break
        mode, fields = field.mode or mode, _within(field)
    return mode


def discardable(contract: Contract, field: Field) -> bool:
    """Say whether a column's departing values are left out: never those of a required one, which must not be null."""
    return (field.mode or contract.mode) == "discard_value" and not field.required


def widenable(contract: Contract, field: Field) -> bool:
    """Say whether an integer column may become one of numbers. A key's may not: it is what rows are found by."""
    return (field.mode or contract.mode) == "evolve" and field.logical_type == "integer" and not field.primary_key


@cache
def widenable_fields(contract: Contract) -> tuple[str, ...]:
    """Return the names of the integer columns that may become columns of numbers."""
    return tuple(field.name for field in contract.fields if widenable(contract, field))


@cache
def discardable_fields(contract: Contract) -> tuple[str, ...]:
    """Return the names of the columns whose departing values are left out."""
    return tuple(field.name for field in contract.fields if discardable(contract, field))


@cache
def widened(contract: Contract, names: frozenset[str]) -> Contract:
    """Return the contract with these integer columns as numbers: how a record that needs it is judged."""
    fields = tuple(replace(field, logical_type="number") if field.name in names else field for field in contract.fields)
    return replace(contract, fields=fields)


def evolved_name(contract: Contract, names: Sequence[str]) -> str | None:
    """Return the column that an unknown field at a place becomes; None where it cannot be one.

    It cannot if a name is no word, or is ours, or differs from another of the contract's in capitals alone.
    """
    joined = JOINT.join(names)
    known = _lower_names(contract)
    return joined if COLUMN_NAME.fullmatch(joined) and joined.lower() not in known else None


@cache
def _lower_names(contract: Contract) -> frozenset[str]:
    return contract.reserved | {field.name.lower() for field in contract.fields}


@cache
def known_fields(contract: Contract) -> Mapping[str, Field]:
    """Return the contract's columns by name."""
    return {field.name: field for field in contract.fields}


def _within(field: Field) -> tuple[Field, ...]:
    while field.items is not None:
        field = field.items
    return field.fields
