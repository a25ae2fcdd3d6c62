"""The primary key that a Kafka key holds: all that a tombstone, a record without a value, tells of the row it deletes.

| key bytes | read as |
| --- | --- |
| a JSON object | the key's fields by name; under `payload` where a Connect `schema` stands beside it |
| a JSON text in quotes, or any other text | the one field of a key of one field |
| parts joined by a vertical bar | the fields in key order, as `headwater produce` writes a key of several |

Parts that are no strings stand as JSON writes them. What comes out is judged like any row: types, rules, masks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from contracts.contract import Contract, Field

SEPARATOR = "|"


def key_values(key: bytes | None, contract: Contract) -> dict[str, Any] | None:
    """Return the primary key's fields by name, those that the bytes tell of; None where they cannot be read."""
    if not key:
        return None
    fields = [field for field in contract.fields if field.primary_key]
    try:
        text = key.decode()
    except UnicodeDecodeError:
        return None
    read = _read(text)
    if isinstance(read, Mapping) and "schema" in read and "payload" in read:
        read = read["payload"]
        text = read if isinstance(read, str) else ""
    if isinstance(read, Mapping):
        return {field.name: read[field.name] for field in fields if field.name in read}
    if len(fields) == 1:
        return _one(fields[0], text, read)
    parts = text.split(SEPARATOR)
    if len(parts) != len(fields):
        return None
    return {field.name: part if field.logical_type in TEXTS else _read(part) for field, part in zip(fields, parts, strict=True)}


TEXTS = ("string", "timestamp", "date")


def _one(field: Field, text: str, read: Any) -> dict[str, Any] | None:
    """Return a key of one field: as text if that is what it is, without the quotes of a JSON text."""
    if field.logical_type in TEXTS:
        return {field.name: read if isinstance(read, str) else text}
    return None if read is None else {field.name: read}


def _read(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
