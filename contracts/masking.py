"""What happens to each field's values: the masking plan of a contract (law L6: masked by default).

A field's own `mask` decides, else its classification:

| `mask` | a value becomes |
| --- | --- |
| `mask` | a placeholder: `<email:...>` where all of it is one recognised entity, else `<masked:...>`; one per value and subject |
| `hash` | HMAC-SHA256 of it under the installation's key, 64 hex digits: equal in every field and topic, so joins still work |
| `tokenize` | another value of the same format: digits stay digits, letters letters, what stands between and the length stay |
| `drop` | null |
| `seal` | itself, sealed under a key of the subject, in base64: who holds the masking key can read it |

| classification | a string is |
| --- | --- |
| `public` | kept as it is: the contract says that it cannot hold personal data |
| `restricted` | replaced whole by `<masked>`, the same for all |
| anything else, or none | free text: personal data in it is found and replaced (`streams.free_text`) |

Numbers, booleans and times hold no text and are kept, unless `restricted`: then the value is left out (null).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from contracts.contract import Field

Treatment = Literal["keep", "free_text", "replace", "null", "nested", "mask", "hash", "tokenize", "seal"]

PLACEHOLDER = "<masked>"
"""What stands in place of a restricted string."""

TREATMENT_VERSION: Mapping[str, int] = {"replace": 1, "null": 1, "mask": 1, "hash": 1, "tokenize": 2, "seal": 1}
"""Raised when a treatment comes to something else: lineage says which one a value went through."""

MASKS_OF = {
    "string": ("mask", "hash", "tokenize", "drop", "seal"),
    "integer": ("tokenize", "drop"),
}
"""What makes sense for a type and keeps it. Of every other type a value can only be dropped."""


def treatment(field: Field) -> Treatment:
    """Return what is done to a field's values."""
    if field.mask is not None:
        return "null" if field.mask == "drop" else field.mask
    if field.logical_type in ("object", "array"):
        return "null" if field.classification == "restricted" else "nested"
    if field.classification == "restricted":
        return "replace" if field.logical_type == "string" else "null"
    if field.logical_type == "string" and not field.public:
        return "free_text"
    return "keep"


def masks(field: Field) -> bool:
    """Say whether the field's values can come out changed for privacy's sake: column lineage shows it."""
    kind = treatment(field)
    if kind == "nested":
        children = (*field.fields, *((field.items,) if field.items else ()))
        return any(masks(child) for child in children)
    return kind != "keep"


def mask_faults(item: Mapping[str, Any], mask: str) -> Iterator[str]:
    """Yield why a property's `mask` makes no sense: for its type, for what is public, for what must have a value."""
    kind, known = item["logicalType"], MASKS_OF.get(item["logicalType"], ("drop",))
    if mask not in known:
        yield f"{mask} fits no {kind}: expected {' or '.join(known)}"
    if item.get("classification") == "public":
        yield "a public value is not masked: expected another classification, or no mask"
    if mask == "drop" and (item.get("required") or item.get("primaryKey")):
        yield "a value that is required cannot be dropped"
    if mask == "seal" and item.get("primaryKey"):
        yield "a sealed value cannot be a key: expected hash, tokenize or mask"
