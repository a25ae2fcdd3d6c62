"""An order-free digest of a table's content: two tables have the same one when they hold the same rows, as multisets.

Each row is written as canonical text, hashed with SHA-256, and the hashes are added, in four lanes of 64 bits. A sum,
unlike an exclusive or, sees a row that was doubled, and pairs that cancel each other out. Column names and types go
into the digest; the order of columns, of rows, of chunks, and the width of offsets (`string` or `large_string`), do not.

It finds accidents, not forgers: 256 bits of sum can be hit on purpose by whoever may choose very many rows. What must
stand against an adversary is in the ledger.

Floats count by their bits: 0.1 + 0.2 differs from 0.3, and -0.0 from 0.0 (stream and batch must agree to the bit);
every NaN is the same NaN. A null, an empty string and the text "null" are three different things.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from contracts.records import KNOWN_AT
from lineage.canonical import canonical_json

_CHUNK_ROWS = 65_536
_LANES = 4
_INTEGER_OF_BITS = {16: pa.int16(), 32: pa.int32(), 64: pa.int64()}


def table_digest(table: pa.Table, *, leave_out: Collection[str] = (KNOWN_AT,)) -> str:
    """Return `v1:` and 64 hex digits that stand for the table's rows, in no order, without the columns left out.

    Memory stays that of one chunk of rows. Raises TypeError, naming the column, for a type it cannot write exactly.
    """
    return batches_digest(table.schema, table.to_batches(max_chunksize=_CHUNK_ROWS), leave_out=leave_out)


def batches_digest(schema: pa.Schema, batches: Iterable[pa.RecordBatch], *, leave_out: Collection[str] = (KNOWN_AT,)) -> str:
    """Return the digest of a table that comes in batches of that schema, in any order: equal to `table_digest` of all of it."""
    names = sorted(name for name in schema.names if name not in leave_out)
    if len(set(names)) != len(names):
        raise TypeError("two columns have the same name")
    header = canonical_json([[name, _type_word(schema.field(name).type, name)] for name in names])
    lanes, rows = np.zeros(_LANES, dtype=np.uint64), 0
    for given in batches:
        rows += given.num_rows
        for start in range(0, given.num_rows if names else 0, _CHUNK_ROWS):
            some = given.select(names).slice(start, _CHUNK_ROWS)
            lanes += _row_hashes(some).sum(axis=0, dtype=np.uint64)  # wraps around at 2^64, as it should
    total = hashlib.sha256(b"headwater table digest v1\n" + header + b"\n")
    total.update(rows.to_bytes(8, "little") + lanes.astype("<u8").tobytes())
    return f"v1:{total.hexdigest()}"


def _row_hashes(batch: pa.RecordBatch) -> Any:
    exact = [_exact(column, name) for column, name in zip(batch.columns, batch.schema.names, strict=True)]
    frame = pl.DataFrame({str(place): pl.from_arrow(column) for place, column in enumerate(exact)})
    rows = frame.write_ndjson().encode("utf-8").split(b"\n")
    sha256 = hashlib.sha256
    hashes = b"".join([sha256(row).digest() for row in rows[: batch.num_rows]])
    return np.frombuffer(hashes, dtype="<u8").reshape(-1, _LANES)


def _exact(array: pa.Array, name: str) -> pa.Array:
    """Return a column of the same meaning whose JSON is exact: numbers as integers, bytes as hex, nothing rounded."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        return _exact(array.dictionary_decode(), name)
    if pa.types.is_struct(kind):
        return _exact_struct(array, name)
    if _is_list(kind):
        return _exact_list(array, name)
    return _exact_leaf(array)


def _exact_leaf(array: pa.Array) -> pa.Array:
    kind = array.type
    if pa.types.is_float16(kind):
        return _exact_leaf(array.cast(pa.float32()))
    if pa.types.is_floating(kind):
        return pc.if_else(pc.is_nan(array), pa.scalar(float("nan"), kind), array).view(_INTEGER_OF_BITS[kind.bit_width])
    if pa.types.is_temporal(kind):
        return array.view(_INTEGER_OF_BITS[kind.bit_width])
    if pa.types.is_decimal(kind):
        return array.cast(pa.string())
    if _is_binary(kind):
        return pl.from_arrow(array).bin.encode("hex").to_arrow()
    return array


def _exact_struct(array: pa.Array, name: str) -> pa.Array:
    places = sorted(range(array.type.num_fields), key=lambda place: array.type.field(place).name)
    children = array.flatten()
    values = [_exact(children[place], name) for place in places]
    fields = [pa.field(array.type.field(place).name, value.type) for place, value in zip(places, values, strict=True)]
    return pa.StructArray.from_arrays(values, fields=fields, mask=array.is_null())


def _exact_list(array: pa.Array, name: str) -> pa.Array:
    lengths = pc.fill_null(pc.list_value_length(array), 0)
    ends = np.cumsum(lengths.to_numpy(zero_copy_only=False), dtype=np.int64)
    offsets = pa.array(np.concatenate([np.zeros(1, np.int64), ends]))
    return pa.LargeListArray.from_arrays(offsets, _exact(array.flatten(), name), mask=array.is_null())


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _type_word(kind: pa.DataType, name: str) -> Any:
    """Return a type's name as the digest knows it: how Arrow lays it out in memory does not count."""
    if pa.types.is_dictionary(kind):
        return _type_word(kind.value_type, name)
    if _is_binary(kind):
        return "binary"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "string"
    if _is_list(kind):
        return ["list", _type_word(kind.value_type, name)]
    if pa.types.is_struct(kind):
        fields = sorted((kind.field(place) for place in range(kind.num_fields)), key=lambda field: field.name)
        return ["struct", [[field.name, _type_word(field.type, name)] for field in fields]]
    if pa.types.is_nested(kind) or not _is_known(kind):
        raise TypeError(f"column {name} is of type {kind}, which has no exact text here")
    return str(kind)


def _is_known(kind: pa.DataType) -> bool:
    return bool(pa.types.is_primitive(kind) or pa.types.is_decimal(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind))
