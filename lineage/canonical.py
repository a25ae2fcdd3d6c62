"""Canonical JSON (RFC 8785): the one sequence of bytes that a value of JSON types has.

What is hashed, signed, or compared byte for byte goes through here: events in the ledger, facets, digests' headers.
orjson and the standard library come close and are not it: both sort keys by code point (RFC 8785 sorts by UTF-16 unit,
which differs once a key leaves the basic plane) and both write `1.0` where ECMAScript has `1`; orjson makes null of a
NaN. But orjson is twenty times as fast as code that gets all of it right, so its bytes are taken where they show
nothing of the kind, and the value is written by the slow code where they might.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from json.encoder import encode_basestring  # the standard library's C escaper: exactly the escapes of RFC 8785, section 3.2.2.2

import orjson

_FAST = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_STRICT_INTEGER
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)
_DOUBTFUL = re.compile(rb"[.n]|[0-9][eE]")
"""Outside strings: a number with a point or an exponent, or a null, which may have been a NaN."""
_BEYOND_BASIC_PLANE = re.compile(rb"[\xf0-\xf7]")

INTEGER_MAX = 2**53 - 1
"""The largest integer that every JSON reader understands exactly (RFC 7493); offsets and counts stay far below."""


def canonical_json(value: object) -> bytes:
    """Return the canonical bytes of a value of JSON types.

    Called for whatever gets an identity from its bytes. Raises ValueError or TypeError for what has no canonical form
    (NaN, an infinity, an integer beyond 2^53 - 1, a lone surrogate, a key that is no string): such a value is a
    mistake in the code that made it, never a property of the data.
    """
    try:
        fast = orjson.dumps(value, option=_FAST)
    except TypeError:  # the slow code judges: a Mapping that is no dict has a canonical form, a NaN has none
        return _written(value)
    return fast if _surely_canonical(fast) else _written(value)


def _surely_canonical(fast: bytes) -> bool:
    if b"\\" in fast or not (fast.isascii() or _BEYOND_BASIC_PLANE.search(fast) is None):
        return False
    outside_strings = b"".join(fast.split(b'"')[::2])
    return _DOUBTFUL.search(outside_strings) is None


def _written(value: object) -> bytes:
    parts: list[str] = []
    _write(value, parts)
    return "".join(parts).encode("utf-8")


def _write(value: object, parts: list[str]) -> None:
    if isinstance(value, str):
        parts.append(encode_basestring(value))
    elif value is None:
        parts.append("null")
    elif isinstance(value, bool):
        parts.append("true" if value else "false")
    elif isinstance(value, int):
        parts.append(_integer(value))
    elif isinstance(value, float):
        parts.append(number(value))
    elif isinstance(value, Mapping):
        _write_object(value, parts)
    elif isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        _write_array(value, parts)
    else:
        raise TypeError(f"{type(value).__name__} is not a JSON type")


def _write_object(value: Mapping[object, object], parts: list[str]) -> None:
    between = "{"
    for key in _in_order(value):
        parts.append(f"{between}{encode_basestring(key)}:")
        _write(value[key], parts)
        between = ","
    parts.append("}" if between == "," else "{}")


def _write_array(value: Sequence[object], parts: list[str]) -> None:
    between = "["
    for item in value:
        parts.append(between)
        _write(item, parts)
        between = ","
    parts.append("]" if between == "," else "[]")


def _in_order(value: Mapping[object, object]) -> list[str]:
    keys = [key for key in value if isinstance(key, str)]
    if len(keys) != len(value):
        raise TypeError("a key is not a string")
    if "".join(keys).isascii():
        return sorted(keys)
    return sorted(keys, key=lambda key: key.encode("utf-16-be"))


def _integer(value: int) -> str:
    if abs(value) > INTEGER_MAX:
        raise ValueError(f"{value} is beyond ±{INTEGER_MAX}: send it as a string")
    return str(int(value))


def number(value: float) -> str:
    """Return a double as ECMAScript's Number::toString writes it.

    Python's repr finds the same shortest digits; only where the point stands and how the exponent looks differ.
    """
    if not math.isfinite(value):
        raise ValueError(f"{value} has no JSON form")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    return sign + _placed(digits.rstrip("0"), point)


def _placed(digits: str, point: int) -> str:
    """Return `0.digits * 10^point` by the rules of ECMA-262, Number::toString, steps 6 to 10."""
    count = len(digits)
    if count <= point <= 21:
        return digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    exponent = f"e{'+' if point > 0 else '-'}{abs(point - 1)}"
    return digits[0] + (f".{digits[1:]}" if count > 1 else "") + exponent
