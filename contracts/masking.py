"""What happens to the text of each field: the masking plan of a contract (law L6: masked by default).

| classification | a string is |
| --- | --- |
| `public` | kept as it is: the contract says that it cannot hold personal data |
| `restricted` | replaced whole by a placeholder |
| anything else, or none | free text: personal data in it is found and replaced (`streams.personal`) |

Numbers, booleans and times hold no text and are kept, unless `restricted`: then the value is left out (null).
"""

from __future__ import annotations

from typing import Literal

from contracts.contract import Field

Treatment = Literal["keep", "free_text", "replace", "null", "nested"]

PLACEHOLDER = "<masked>"
"""What stands in place of a restricted string."""


def treatment(field: Field) -> Treatment:
    """Return what is done to a field's values."""
    if field.logical_type in ("object", "array"):
        return "null" if field.classification == "restricted" else "nested"
    if field.classification == "restricted":
        return "replace" if field.logical_type == "string" else "null"
    if field.logical_type == "string" and not field.public:
        return "free_text"
    return "keep"


def masks(field: Field) -> bool:
    """Say whether the field's values can come out changed for privacy's sake: column lineage shows it."""
    if field.logical_type in ("object", "array"):
        children = (*field.fields, *((field.items,) if field.items else ()))
        return treatment(field) == "null" or any(masks(child) for child in children)
    return treatment(field) != "keep"
