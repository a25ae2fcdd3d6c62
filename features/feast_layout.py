"""Feast's storage layout of online values, read without Feast: entity keys, values, times. Pure bytes in, values out.

Feast's own classes take six seconds to import. What they write is small and fixed: entity keys in serialization version 3
(`feast/infra/key_encoding_utils.py`), values as the protobuf message `feast.types.Value`, one field of a `oneof`. A value
whose field is not known here decodes to `Unknown`, never to a guess. Tests hold this against Feast's own reading.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from contracts.errors import DefinitionInvalid

_STRING, _INT32, _INT64, _BYTES, _UNIX_TIMESTAMP = 2, 3, 4, 1, 8
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NULL_FIELD = 19
_PAIR = struct.Struct("<II")


@dataclass(frozen=True)
class Unknown:
    """A value of a kind that this reader does not know, by the number of its protobuf field; 0 where it has none."""

    field_number: int


def entity_key(names: Sequence[str], values: Sequence[Any], dtypes: Sequence[str]) -> bytes:
    """Return the serialized entity key of version 3: join keys in order of name, each value with its type."""
    ordered = sorted(zip(names, values, dtypes, strict=True))
    return entity_key_prefix(names) + entity_key_values([value for _, value, _ in ordered], [dtype for *_, dtype in ordered])


def entity_key_prefix(names: Sequence[str]) -> bytes:
    """Return the bytes that every entity key with these join keys begins with."""
    encoded = [name.encode() for name in sorted(names)]
    return struct.pack("<I", len(encoded)) + b"".join(struct.pack("<II", _STRING, len(name)) + name for name in encoded)


def entity_key_values(values: Sequence[Any], dtypes: Sequence[str]) -> bytes:
    """Return the bytes that an entity key goes on with: its values, in the order of their join keys' names."""
    parts = []
    for one, dtype in zip(values, dtypes, strict=True):
        kind, encoded = _key_value(one, dtype)
        parts += [_PAIR.pack(kind, len(encoded)), encoded]
    return b"".join(parts)


def is_entity_key(octets: bytes) -> bool:
    """Say whether these bytes are one serialized entity key, to the last of them."""
    (count,) = struct.unpack_from("<I", octets) if len(octets) >= 4 else (0,)
    parts, at = 0, 4
    while at + 8 <= len(octets):
        (length,) = struct.unpack_from("<I", octets, at + 4)
        at += 8 + length
        parts += 1
    return at == len(octets) and parts == 2 * count > 0


def entity_values(key: bytes) -> dict[str, Any]:
    """Return the join keys and values of a serialized entity key."""
    (count,) = struct.unpack_from("<I", key)
    parts, at = [], 4
    while at < len(key):
        kind, length = struct.unpack_from("<II", key, at)
        parts.append((kind, key[at + 8 : at + 8 + length]))
        at += 8 + length
    names = [content.decode() for _, content in parts[:count]]
    return dict(zip(names, (_key_decoded(kind, content) for kind, content in parts[count:]), strict=True))


def parsed_key(text: str, dtype: str) -> Any:
    """Return an entity value from its text, as typed on a command line. Raises ValueError where it is none of the type."""
    return int(text) if dtype in ("Int32", "Int64", "UnixTimestamp") else text.encode() if dtype == "Bytes" else text


def value(message: bytes) -> Any:
    """Return the Python value of a serialized `feast.types.Value`; None for null and for an unset one.

    Raises ValueError for what is no such message.
    """
    if not message:
        return None
    # A message of one field, as every writer of Feast's makes it, is read at a glance: its tag, then its content.
    if (decode := _AT_A_GLANCE.get(message[0])) is not None and (found := decode(message)) is not _NOT_PLAIN:
        return found
    last: Any = None
    try:
        for number, wire in _fields(message):
            last = None if number == _NULL_FIELD else _KINDS.get(number, lambda _, n=number: Unknown(n))(wire)
    except (TypeError, struct.error) as error:
        raise ValueError("a protobuf field with another kind of content than its number's") from error
    return last


def values(messages: Sequence[bytes]) -> list[Any]:
    """Return the values of the messages, at a fraction of the cost where many are numbers of one fixed width.

    A message that `value` refuses is `Unknown(0)`: one spoilt value in a store must not take its neighbours with it.
    """
    form = _FIXED_WIDTH.get(messages[0][:1]) if len(messages) >= _MANY else None
    if form is not None:
        width, dtype = form
        joined = b"".join(messages)
        if joined[::width] == messages[0][:1] * len(messages) and set(map(len, messages)) == {width}:
            decoded: list[Any] = np.frombuffer(joined, dtype=dtype)["value"].tolist()
            return decoded
    try:
        return list(map(value, messages))
    except ValueError:
        return list(map(_readable, messages))


def timestamp(message: bytes) -> datetime:
    """Return the time of a serialized `google.protobuf.Timestamp`, to the microsecond."""
    parts = dict(_fields(message))
    return _EPOCH + timedelta(seconds=_signed(parts.get(1, 0)), microseconds=_signed(parts.get(2, 0)) // 1000)


def from_microseconds(microseconds: int) -> datetime:
    """Return the time that is so many microseconds after 1970 UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


def _key_value(value_: Any, dtype: str) -> tuple[int, bytes]:
    match dtype:
        case "String":
            return _STRING, str(value_).encode()
        case "Int64":
            return _INT64, struct.pack("<q", int(value_))
        case "Int32":
            return _INT32, struct.pack("<i", int(value_))
        case "UnixTimestamp":
            return _UNIX_TIMESTAMP, struct.pack("<q", int(value_))
        case "Bytes":
            return _BYTES, bytes(value_)
    raise DefinitionInvalid(f"an entity of type {dtype}", expected="String, Int64, Int32, UnixTimestamp or Bytes")


def _key_decoded(kind: int, content: bytes) -> Any:
    if kind == _STRING:
        return content.decode()
    if kind == _INT32:
        return struct.unpack("<i", content)[0]
    return content if kind == _BYTES else struct.unpack("<q", content)[0]


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Yield (field number, raw content) of a protobuf message: integers for varints, bytes for the rest."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == 0:
            content, at = _varint(message, at)
            yield number, content
            continue
        length = 8
        if wire_type == 2:
            length, at = _varint(message, at)
        elif wire_type == 5:
            length = 4
        elif wire_type != 1:
            raise ValueError(f"protobuf wire type {wire_type}")
        if at + length > len(message):
            raise ValueError("a protobuf message ends within a field")
        yield number, message[at : at + length]
        at += length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    result, shift = 0, 0
    while True:
        if at >= len(message):
            raise ValueError("a protobuf message ends within a number")
        byte = message[at]
        result |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return result, at
        shift += 7


def _signed(number: int) -> int:
    return number - (1 << 64) if number >> 63 else number


def _float(content: bytes) -> float:
    return float(struct.unpack("<f", content)[0])


def _double(content: bytes) -> float:
    return float(struct.unpack("<d", content)[0])


def _strings(content: bytes) -> list[str]:
    return [item.decode() for _, item in _fields(content)]


def _byte_strings(content: bytes) -> list[bytes]:
    return [item for _, item in _fields(content)]


def _fixed(dtype: str, single: Callable[[bytes], float]) -> Callable[[bytes], list[float]]:
    """Return a decoder of a list of fixed-width numbers, packed or one by one."""
    width = np.dtype(dtype).itemsize

    def decoded(content: bytes) -> list[float]:
        numbers: list[float] = []
        for _, part in _fields(content):
            numbers += [single(part)] if len(part) == width else np.frombuffer(part, dtype=dtype).tolist()
        return numbers

    return decoded


def _varints(convert: Callable[[int], Any]) -> Callable[[bytes], list[Any]]:
    """Return a decoder of a list of varints, packed or one by one."""

    def decoded(content: bytes) -> list[Any]:
        numbers: list[Any] = []
        for _, part in _fields(content):
            numbers += [convert(part)] if isinstance(part, int) else [convert(number) for number in _packed(part)]
        return numbers

    return decoded


def _packed(content: bytes) -> Iterator[int]:
    at = 0
    while at < len(content):
        number, at = _varint(content, at)
        yield number


def _moment(seconds: int) -> datetime:
    return _EPOCH + timedelta(seconds=_signed(seconds))


_KINDS: dict[int, Callable[[Any], Any]] = {
    1: bytes,
    2: bytes.decode,
    3: _signed,
    4: _signed,
    5: _double,
    6: _float,
    7: bool,
    8: _moment,
    11: _byte_strings,
    12: _strings,
    13: _varints(_signed),
    14: _varints(_signed),
    15: _fixed("<f8", _double),
    16: _fixed("<f4", _float),
    17: _varints(bool),
    18: _varints(_moment),
    32: bytes.decode,
    36: bytes.decode,
    37: bytes.decode,
    44: bytes.decode,
}
"""Decoders by the field number of `feast.types.Value`."""


def _readable(message: bytes) -> Any:
    try:
        return value(message)
    except ValueError:
        return Unknown(0)


_NOT_PLAIN = object()
_GOES_ON = tuple(int.from_bytes(b"\x80" * max(0, size - 2), "little") for size in range(10))
"""By a message's size: the bits that say of each byte of its varint but the last that another follows."""
_UNPACK_DOUBLE, _UNPACK_FLOAT = struct.Struct("<xd").unpack, struct.Struct("<xf").unpack


def _plain_double(message: bytes) -> Any:
    return _UNPACK_DOUBLE(message)[0] if len(message) == 9 else _NOT_PLAIN


def _plain_float(message: bytes) -> Any:
    return _UNPACK_FLOAT(message)[0] if len(message) == 5 else _NOT_PLAIN


def _plain_text(message: bytes) -> Any:
    length = message[1] if len(message) > 1 else 0
    return message[2:].decode() if length < 0x80 and len(message) == length + 2 else _NOT_PLAIN


def _plain_integer(message: bytes) -> Any:
    """Read a varint of up to eight bytes at once: groups of seven bits are pushed together by two, by four, by eight."""
    size = len(message)
    if size == 2 and message[1] < 0x80:
        return message[1]
    if not 2 < size < 10:
        return _NOT_PLAIN
    bits = int.from_bytes(message[1:], "little")
    if bits & 0x8080808080808080 != _GOES_ON[size]:
        return _NOT_PLAIN
    bits = (bits & 0x007F007F007F007F) | (bits & 0x7F007F007F007F00) >> 1
    bits = (bits & 0x00003FFF00003FFF) | (bits & 0x3FFF00003FFF0000) >> 2
    return (bits & 0x0FFFFFFF) | (bits & 0x0FFFFFFF00000000) >> 4


def _plain_truth(message: bytes) -> Any:
    return message[1] == 1 if len(message) == 2 and message[1] < 2 else _NOT_PLAIN


_AT_A_GLANCE: dict[int, Callable[[bytes], Any]] = {
    0x12: _plain_text,
    0x18: _plain_integer,
    0x20: _plain_integer,
    0x29: _plain_double,
    0x35: _plain_float,
    0x38: _plain_truth,
}
"""Decoders by the message's first byte: a field's number and wire type."""

_MANY = 8
"""From so many on it pays to look whether they can be read together."""
_FIXED_WIDTH = {
    b"\x29": (9, np.dtype([("tag", "u1"), ("value", "<f8")])),
    b"\x35": (5, np.dtype([("tag", "u1"), ("value", "<f4")])),
}
"""First byte of a message of fixed width -> that width, and how a row of such messages lies in memory."""
