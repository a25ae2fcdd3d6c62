"""Several byte strings, of which any may be null, as one; and apart again."""

from __future__ import annotations

from collections.abc import Sequence

_ABSENT = -1
_LENGTH_BYTES = 4


def packed(parts: Sequence[bytes | None]) -> bytes:
    """Return the byte strings as one: each with its length in front."""
    return b"".join(
        (_ABSENT if part is None else len(part)).to_bytes(_LENGTH_BYTES, "big", signed=True) + (part or b"") for part in parts
    )


def unpacked(data: bytes) -> list[bytes | None]:
    """Return the byte strings that `packed` made one of."""
    parts: list[bytes | None] = []
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at : at + _LENGTH_BYTES], "big", signed=True)
        at += _LENGTH_BYTES
        parts.append(None if length == _ABSENT else data[at : at + length])
        at += max(length, 0)
    return parts
