"""A raw record as a person may look at it: its shape and what its contract calls public, and no other text.

Patterns do not know a name or an address in free text when they see one, so here texts are told by their length alone.
Numbers, booleans and nulls stand as they are, unless their field is restricted: they are what most rules are about.
"""

from __future__ import annotations

from typing import Any

import orjson
import polars as pl

from contracts.contract import Contract, Field
from contracts.masking import PLACEHOLDER
from streams.free_text import masked

MasksText = dict[str, str]


def shown(value: bytes | None, contract: Contract, key: bytes) -> Any:
    """Return what may be shown of a raw value, as JSON. `key` is the one that placeholders are made with."""
    if value is None:
        return None
    try:
        read = orjson.loads(value)
    except orjson.JSONDecodeError:
        return f"<{len(value)} bytes that are not JSON>"
    texts = {text: text for text in _public_texts(read, contract)}
    public = dict(zip(texts, masked(pl.Series("text", list(texts), pl.String), key).to_list(), strict=True)) if texts else {}
    if not isinstance(read, dict):
        return _item(read, None, public)
    return _object(read, contract.fields, public)


def _public_texts(read: Any, contract: Contract) -> list[str]:
    """Return the texts that stand in public fields, at any depth."""
    found: list[str] = []

    def walk(item: Any, field: Field | None) -> None:
        if isinstance(item, str) and field is not None and field.public:
            found.append(item)
        elif isinstance(item, dict) and field is not None:
            for part in field.fields:
                walk(item.get(part.name), part)
        elif isinstance(item, list) and field is not None:
            for each in item:
                walk(each, field.items)

    for field in contract.fields if isinstance(read, dict) else ():
        walk(read.get(field.name), field)
    return found


def _object(read: dict[str, Any], fields: tuple[Field, ...], public: MasksText) -> dict[str, Any]:
    """Return an object's known fields; of unknown ones, whose names are the sender's own text, only how many there are."""
    known = {field.name: field for field in fields}
    told = {name: _item(item, known[name], public) for name, item in read.items() if name in known}
    unknown = len(read) - len(told)
    return told | ({"<unknown fields>": unknown} if unknown else {})


def _item(item: Any, field: Field | None, public: MasksText) -> Any:
    if field is not None and (field.classification == "restricted" or field.mask is not None):
        return None if item is None else PLACEHOLDER
    if isinstance(item, str):
        return public[item] if field is not None and field.public else f"<text of {len(item)}>"
    if isinstance(item, dict):
        return _object(item, field.fields if field is not None else (), public)
    if isinstance(item, list):
        return [_item(each, field.items if field is not None else None, public) for each in item]
    return item
