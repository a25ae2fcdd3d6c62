"""The Arrow schemas that a contract compiles to: of JSON as it is read, of a clean row, of silver."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pyarrow as pa

from contracts.contract import Contract, Field
from contracts.records import CHANGE_FIELDS, CHANGED_AT, COORDINATE_FIELDS, KNOWN_AT_FIELD

TYPES = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", "UTC"),
    "date": pa.date32(),
}
PARSED_AFTER_READING = ("timestamp", "date")
"""Read as strings first, because a JSON reader that parses them rejects the whole batch for one bad one."""


def arrow_type(field: Field) -> pa.DataType:
    """Return the type of a clean column. `number` is float64 (IEEE 754), `integer` int64, `timestamp` microseconds UTC."""
    if field.logical_type == "object":
        return pa.struct([pa.field(child.name, arrow_type(child)) for child in field.fields])
    if field.logical_type == "array" and field.items is not None:
        return pa.list_(arrow_type(field.items))
    return TYPES[field.logical_type]


@cache
def arrow_schema(contract: Contract) -> pa.Schema:
    """Return the schema of a clean row: the contract's columns in its order; required ones are not nullable."""
    return pa.schema([pa.field(f.name, arrow_type(f), nullable=not f.required) for f in contract.fields])


@cache
def reading_schema(contract: Contract) -> pa.Schema:
    """Return the schema that JSON is read with: all nullable, timestamps and dates as strings."""
    return pa.schema([pa.field(f.name, _reading_type(f)) for f in contract.fields])


@cache
def clean_schema(contract: Contract) -> pa.Schema:
    """Return the schema of what the clean hop puts out: the contract's columns, then the raw coordinates.

    Of an `upsert` contract also what each row does to its key; and all but key and event time may be null, as in a delete.
    """
    if contract.change == "append":
        return pa.schema([*arrow_schema(contract), *COORDINATE_FIELDS])
    demanded = {*contract.key, contract.event_time}
    columns = [field.with_nullable(field.name not in demanded) for field in arrow_schema(contract)]
    return pa.schema([*columns, *CHANGE_FIELDS, *COORDINATE_FIELDS])


@cache
def silver_schema(contract: Contract) -> pa.Schema:
    """Return the schema of the silver table: a clean row and its knowledge time."""
    return pa.schema([*clean_schema(contract), KNOWN_AT_FIELD])


@cache
def carried(contract: Contract) -> Contract:
    """Return the contract that a record of the clean topic is read by: with the columns of ours that its JSON carries."""
    if contract.change == "append":
        return contract
    ours = tuple(Field(field.name, "timestamp" if field.name == CHANGED_AT else "string") for field in CHANGE_FIELDS)
    return replace(contract, fields=(*contract.fields, *ours))


def _reading_type(field: Field) -> pa.DataType:
    return pa.string() if field.logical_type in PARSED_AFTER_READING else arrow_type(field)
