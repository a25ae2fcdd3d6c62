"""Named formats of ODCS, each as what enforces it: a pattern for texts, bounds for numbers. Decided by the grammar alone.

Patterns are of the fragment that Rust, Python and ECMA-262 read alike. They are deliberately the grammars of the standards in
their common form: `email` is RFC 5321's Mailbox without quoted local parts, `uri` RFC 3986 with a scheme, `hostname` RFC 1123.
"""

from __future__ import annotations

_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_H = "[0-9A-Fa-f]{1,4}"
_TAIL = rf"(?:{_H}:{_H}|{_IPV4})"
_IPV6 = (
    rf"(?:(?:{_H}:){{6}}{_TAIL}|::(?:{_H}:){{5}}{_TAIL}|(?:{_H})?::(?:{_H}:){{4}}{_TAIL}"
    rf"|(?:(?:{_H}:){{0,1}}{_H})?::(?:{_H}:){{3}}{_TAIL}|(?:(?:{_H}:){{0,2}}{_H})?::(?:{_H}:){{2}}{_TAIL}"
    rf"|(?:(?:{_H}:){{0,3}}{_H})?::{_H}:{_TAIL}|(?:(?:{_H}:){{0,4}}{_H})?::{_TAIL}"
    rf"|(?:(?:{_H}:){{0,5}}{_H})?::{_H}|(?:(?:{_H}:){{0,6}}{_H})?::)"
)

TEXT_FORMATS = {
    "uuid": "^[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}$",
    "email": rf"^[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@{_LABEL}(?:\.{_LABEL})+$",
    "uri": r"^[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+$",
    "hostname": rf"^{_LABEL}(?:\.{_LABEL})*$",
    "ipv4": rf"^{_IPV4}$",
    "ipv6": rf"^{_IPV6}$",
    "byte": "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
}
"""Format -> pattern. `byte` is base64 (RFC 4648, section 4)."""

REFUSED_FORMATS = {
    "password": "says how a form shows it, and a stream shows nothing: expected classification restricted",
    "binary": "is no text, and JSON holds none other: expected byte (base64)",
    "i128": "does not fit the 64 bits that an integer is held in",
    "u64": "does not fit the 63 bits that an integer is held in",
    "u128": "does not fit the 63 bits that an integer is held in",
}

INTEGER_FORMATS = {
    "i8": (-(2**7), 2**7 - 1),
    "i16": (-(2**15), 2**15 - 1),
    "i32": (-(2**31), 2**31 - 1),
    "i64": (-(2**63), 2**63 - 1),
    "u8": (0, 2**8 - 1),
    "u16": (0, 2**16 - 1),
    "u32": (0, 2**32 - 1),
}

FLOAT_MAX = 3.4028234663852886e38
"""The largest float32."""

NUMBER_FORMATS = {"f32": (-FLOAT_MAX, FLOAT_MAX), "f64": (-1.7976931348623157e308, 1.7976931348623157e308)}

FORMATS: dict[str, tuple[str, ...]] = {
    "string": tuple(TEXT_FORMATS),
    "integer": tuple(INTEGER_FORMATS),
    "number": tuple(NUMBER_FORMATS),
}
"""The formats that are enforced, by logical type."""


def bounds(name: str) -> tuple[float, float]:
    """Return the least and the greatest number of an integer or number format."""
    return {**INTEGER_FORMATS, **NUMBER_FORMATS}[name]
