"""How a silver table's columns grow beyond its contract's: which type each must have, and rows and columns made to fit it.

    boolean ─┐
             ├─▶ string
    integer ─▶ number ─┘

An evolved column's type is the least that holds all its values. Since that is a join (it asks neither order nor grouping),
and since a value comes to the same whichever way it went up, the table's rows are the same for any order in which records
arrive, any split into batches, and any restart. Nothing is lost on the way: whole numbers here are at most 2**53
(`contracts.modes`), and larger ones come as digits. No column ever becomes narrower.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from contracts.contract import Contract
from contracts.errors import ContractInvalid
from contracts.modes import EXACT_MAX, widenable_fields
from contracts.records import EVOLVED
from contracts.schema import silver_schema

KINDS = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
APART = "__string"
"""Behind the name of an evolved column whose own name the table holds as what no evolved value can join, such as a time."""


def table_schema(current: pa.Schema, contract: Contract) -> pa.Schema:
    """Return the schema that the table must have to hold the contract's rows: its own, widened, with what it lacks.

    Raises ContractInvalid where the contract says a narrower type than the table has: no column ever becomes narrower.
    """
    wanted = {field.name: field for field in current}
    for field in silver_schema(contract):
        there = wanted.get(field.name)
        if there is None:
            wanted[field.name] = field.with_nullable(True)
        elif not same_type(there.type, field.type):
            wanted[field.name] = there.with_type(_wider(there, field, contract))
    return pa.schema(list(wanted.values()))


def widened(current: pa.Schema, rows: pa.Table) -> pa.Schema:
    """Return the schema that holds the rows too, with what they have beyond their contract's columns."""
    found: dict[str, pa.Field] = {field.name: field for field in current}
    for name, item in sorted(_items(rows), key=lambda pair: pair[0]):
        column = _column(name, found)
        there = found.get(column)
        kind = KINDS[type(item)]
        found[column] = pa.field(column, kind) if there is None else there.with_type(joined(there.type, kind))
    return pa.schema(list(found.values()))


def joined(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    """Return the least type that holds the values of both."""
    if one == other:
        return one
    return pa.float64() if {one, other} == {pa.int64(), pa.float64()} else pa.string()


def retyped(current: pa.Schema, wanted: pa.Schema) -> bool:
    """Say whether any column that the table has must change: then its rows are written anew."""
    return any(not same_type(field.type, wanted.field(field.name).type) for field in current)


def fitted(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return the rows in a table's columns: what they have beyond their contract's included, null for what they lack."""
    beyond = _beyond(rows, schema)
    columns = []
    for field in schema:
        own = rows[field.name] if field.name in rows.column_names else None
        column = pa.chunked_array([pa.nulls(rows.num_rows, field.type)]) if own is None else converted(own, field.type)
        if field.name in beyond:
            column = pc.coalesce(pa.array(beyond[field.name], field.type), column)
        columns.append(column)
    return pa.table(columns, schema=schema)


def converted(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    """Return a column in a wider type. Raises ArrowInvalid for a whole number that would be rounded."""
    if pa.types.is_string(wanted) and not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return _texts(column)
    return column if column.type == wanted else column.cast(wanted)


def evolved_columns(schema: pa.Schema, contract: Contract) -> tuple[pa.Field, ...]:
    """Return the table's columns that are not as the contract has them, in the order of their names."""
    said = {field.name: field for field in silver_schema(contract)}
    beyond = [field for field in schema if field.name not in said or not same_type(field.type, said[field.name].type)]
    return tuple(sorted(beyond, key=lambda field: str(field.name)))


def effective_hash(contract_hash: str, evolved: Sequence[tuple[str, str]]) -> str:
    """Return the hash of a contract with the columns that evolved beyond it, as (name, type); its own where there are none."""
    if not evolved:
        return contract_hash
    told = orjson.dumps({"contract": contract_hash, "evolved": [list(pair) for pair in evolved]})
    return hashlib.sha256(told).hexdigest()


def same_type(one: pa.DataType, other: pa.DataType) -> bool:
    """Say whether two types are one, whatever a list calls its items and whichever of their parts may be null."""
    if pa.types.is_struct(one) and pa.types.is_struct(other):
        names = [one.field(i).name for i in range(one.num_fields)], [other.field(i).name for i in range(other.num_fields)]
        return names[0] == names[1] and all(same_type(one.field(name).type, other.field(name).type) for name in names[0])
    if pa.types.is_list(one) and pa.types.is_list(other):
        return same_type(one.value_type, other.value_type)
    return bool(one == other)


def _wider(there: pa.Field, said: pa.Field, contract: Contract) -> pa.DataType:
    """Return the type that a column of the table needs for what the contract says of it now."""
    one, other = there.type, said.type
    if one == pa.float64() and other == pa.int64() and said.name in widenable_fields(contract):
        return one
    if other in (pa.float64(), pa.string()) and one in KINDS.values() and joined(one, other) == other:
        return other
    if _grown(one, other):
        return other
    raise ContractInvalid(
        f"{contract.dataset} {contract.contract_version} says {said.name} is {other}, and its silver table has {one}",
        expected="the table's type, or one that holds all its values",
        where=said.name,
        remedy="give the changed field another name, or the contract the next major version: headwater contract diff OLD NEW",
    )


def _grown(one: pa.DataType, other: pa.DataType) -> bool:
    """Say whether the second type is the first with more parts in its objects."""
    if pa.types.is_struct(one) and pa.types.is_struct(other):
        parts = {other.field(i).name: other.field(i).type for i in range(other.num_fields)}
        held = [one.field(i) for i in range(one.num_fields)]
        return all(part.name in parts and (_grown(part.type, parts[part.name])) for part in held)
    if pa.types.is_list(one) and pa.types.is_list(other):
        return _grown(one.value_type, other.value_type)
    return bool(one == other)


def _items(rows: pa.Table) -> Iterator[tuple[str, Any]]:
    """Yield every value beyond the contract's columns, by name."""
    if EVOLVED in rows.column_names:
        for text in rows[EVOLVED].drop_null().to_pylist():
            yield from orjson.loads(text).items()


def _column(name: str, fields: Mapping[str, pa.Field]) -> str:
    """Return which of the table's columns, or which new one, holds an evolved field. Capitals do not tell columns apart."""
    spelt = next((there for there in fields if there.lower() == name.lower()), name)
    if spelt in fields and fields[spelt].type not in KINDS.values():
        return _column(f"{name}{APART}", fields)
    return spelt


def _beyond(rows: pa.Table, schema: pa.Schema) -> dict[str, list[Any]]:
    """Return the values beyond the contract's columns, by the table's column, in its type."""
    if EVOLVED not in rows.column_names:
        return {}
    fields = {field.name: field for field in schema}
    found: dict[str, list[Any]] = {}
    for at, text in enumerate(rows[EVOLVED].to_pylist()):
        for name, item in (orjson.loads(text) if text is not None else {}).items():
            column = _column(name, fields)
            found.setdefault(column, [None] * rows.num_rows)[at] = _as(item, fields[column].type)
    return found


def _as(item: Any, wanted: pa.DataType) -> Any:
    if wanted == pa.string():
        return item if isinstance(item, str) else _texts(pa.chunked_array([[item]]))[0].as_py()
    return float(item) if wanted == pa.float64() else item


def _texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return booleans and numbers as text: a whole number the same whether it stood as an integer or as a number."""
    if pa.types.is_boolean(column.type) or pa.types.is_integer(column.type):
        return column.cast(pa.string())
    whole = pc.and_(pc.equal(pc.floor(column), column), pc.less_equal(pc.abs(column), float(EXACT_MAX)))
    digits = pc.if_else(whole, column, None).cast(pa.int64()).cast(pa.string())
    return pc.coalesce(digits, column.cast(pa.string()))
