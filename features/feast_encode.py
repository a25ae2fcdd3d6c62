"""Feast's storage layout of online values, written without Feast: a Python value becomes a serialized `feast.types.Value`.

The other half of `features/feast_layout.py`, and held against Feast's own converter by the same kind of test. Without it a
materialization, and with it every repair of a lost store, would begin by importing Feast for six seconds.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from contracts.errors import DefinitionInvalid

Encode = Callable[[Any], bytes]

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_MICROSECONDS = 1_000_000


@cache
def encoder(dtype: str) -> Encode:
    """Return what turns a value of a Feast type (`features.plan.DTYPES`, or an Array of one) into bytes; null becomes none.

    Decided once per column. The encoder raises DefinitionInvalid for an array with a null in it: Feast's arrays hold none.
    """
    if dtype.startswith("Array("):
        return _list_encoder(dtype[6:-1])
    number, wire_type, content = _SCALARS[dtype]
    tag = _tag(number, wire_type)
    return lambda value: b"" if value is None else tag + content(value)


def timestamp_bytes(microseconds: int) -> bytes:
    """Return the serialized `google.protobuf.Timestamp` of a time in microseconds after 1970 UTC."""
    seconds, rest = divmod(microseconds, _MICROSECONDS)
    parts = ((1, seconds), (2, rest * 1000))
    return b"".join(_tag(number, _VARINT) + _varint(content) for number, content in parts if content)


def _list_encoder(item: str) -> Encode:
    scalar_number, wire_type, content = _SCALARS[item]
    outer = _tag(_LISTS[scalar_number], _LENGTH)

    def encoded(values: Sequence[Any] | None) -> bytes:
        if values is None:
            return b""
        if any(value is None for value in values):
            raise DefinitionInvalid(
                "an array with a null in it", expected="no null: Feast's arrays hold none", remedy="fill or drop it in the view"
            )
        if wire_type == _LENGTH:
            return outer + _sized(b"".join(b"\x0a" + content(value) for value in values))
        packed = b"".join(map(content, values))
        return outer + _sized(b"\x0a" + _sized(packed) if packed else b"")

    return encoded


def _tag(number: int, wire_type: int) -> bytes:
    return _varint(number << 3 | wire_type)


def _varint(number: int) -> bytes:
    """Return a base-128 varint; a negative number is its two's complement in 64 bits."""
    rest = number & 0xFFFF_FFFF_FFFF_FFFF
    made = bytearray()
    while rest > 0x7F:
        made.append(rest & 0x7F | 0x80)
        rest >>= 7
    made.append(rest)
    return bytes(made)


def _sized(content: bytes) -> bytes:
    return _varint(len(content)) + content


def _text(value: str) -> bytes:
    return _sized(value.encode())


def _seconds(value: datetime | int) -> bytes:
    return _varint(int(value.timestamp()) if isinstance(value, datetime) else int(value))


_SCALARS: dict[str, tuple[int, int, Encode]] = {
    "Bytes": (1, _LENGTH, _sized),
    "String": (2, _LENGTH, _text),
    "Int32": (3, _VARINT, _varint),
    "Int64": (4, _VARINT, _varint),
    "Float64": (5, _FIXED64, struct.Struct("<d").pack),
    "Float32": (6, _FIXED32, struct.Struct("<f").pack),
    "Bool": (7, _VARINT, _varint),
    "UnixTimestamp": (8, _VARINT, _seconds),
}
"""Field number in `feast.types.Value`, protobuf wire type, and the content's encoder."""

_LISTS = {number: number + 10 for number in range(1, 9)}
"""Field number of a type's list by that of the type."""
