"""Cut JSON text into records without changing a byte of them, and find a record's key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import orjson

_SPACE = " \t\r\n"


def array_items(content: bytes) -> list[bytes]:
    """Return the items of a JSON array, each as its own bytes in the file; anything else, or a broken array, as one record.

    A broken file is data too: the clean hop says what is wrong with it.
    """
    if content.lstrip()[:1] != b"[":
        return [content.strip()] if content.strip() else []
    try:
        return list(_items(content.decode("utf-8")))
    except (ValueError, RecursionError):
        return [content.strip()]


def _items(text: str) -> Iterator[bytes]:
    decoder = json.JSONDecoder()
    place = _skip(text, text.index("[") + 1)
    if text[place : place + 1] == "]":
        _nothing_after(text, place + 1)
        return
    while True:
        _, end = decoder.raw_decode(text, place)
        yield text[place:end].encode()
        place = _skip(text, end)
        mark = text[place : place + 1]
        if mark == "]":
            _nothing_after(text, place + 1)
            return
        if mark != ",":
            raise ValueError("no comma between two items")
        place = _skip(text, place + 1)


def _skip(text: str, place: int) -> int:
    while text[place : place + 1] in _SPACE and place < len(text):
        place += 1
    return place


def _nothing_after(text: str, place: int) -> None:
    if _skip(text, place) != len(text):
        raise ValueError("more text after the array")


def record_key(value: bytes, fields: Sequence[str]) -> bytes | None:
    """Return the primary key of a JSON record, its fields joined by `|`; None where the record does not have it.

    Numbers and booleans stand as JSON writes them. A record without a key is still sent: the clean hop judges it.
    """
    if not fields:
        return None
    try:
        read = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    parts = [read.get(name) for name in fields] if isinstance(read, dict) else [None]
    if any(part is None or isinstance(part, dict | list) for part in parts):
        return None
    return "|".join(part if isinstance(part, str) else orjson.dumps(part).decode() for part in parts).encode()
