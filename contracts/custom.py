"""What we add to ODCS, all of it in `customProperties`: each property's name, place, meaning, and what it may be.

| property | of | meaning | default |
| --- | --- | --- | --- |
| eventTime | contract | the required timestamp field that says when it happened | must be given |
| partitions | contract | partitions of the raw and clean topics | 4 |
| mode | contract, field | what becomes of a record that departs from the contract (`contracts.contract.Mode`) | quarantine |
| change | contract | `append`, or `upsert`: a record is the newest state of its key | append |
| envelope | contract | `none`, or `debezium`: the value is a change event | none |
| subject | contract | the string or integer field that names the person whom a record is about | none |
| duplicates | contract | `{windowRecords, windowSeconds}`: how far back exact duplicates are sought | the settings' window |
| nearDuplicates | contract | `{fields, threshold, windowSeconds}`: texts whose near duplicates are folded before gold | none |
| document | contract | `{field, contentType, encoding, url, steps}`: becomes text (`contracts.documents`) | none |
| passages | contract | `{tokens, overlap}`: how documents are cut for search | none |
| mask | field | mask, hash, tokenize, drop or seal, where the classification does not say enough | by classification |
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, get_args

from contracts.contract import (
    PARTITIONS_DEFAULT,
    DocumentPlan,
    DuplicatePlan,
    Mask,
    Mode,
    NearDuplicatePlan,
    PassagePlan,
)
from contracts.documents import siblings_fault, steps_fault

CHOICES = {
    "mode": get_args(Mode),
    "change": ("append", "upsert"),
    "envelope": ("none", "debezium"),
    "mask": get_args(Mask),
}
"""Properties that are one of a few words."""

PARTS: dict[str, dict[str, tuple[type, ...]]] = {
    "duplicates": {"windowRecords": (int,), "windowSeconds": (int,)},
    "nearDuplicates": {"fields": (list,), "threshold": (float, int), "windowSeconds": (int,)},
    "document": {"field": (str,), "contentType": (str,), "encoding": (str,), "url": (str,), "steps": (list,)},
    "passages": {"tokens": (int,), "overlap": (int,)},
}
"""Properties that are mappings, with the kinds of their parts."""

THRESHOLD_MIN = 0.1
"""Of `nearDuplicates`: below it, bands no longer tell the similar from the rest."""

ENCODINGS = ("text", "base64")
"""How JSON may hold a document."""

OF_CONTRACT = ("eventTime", "partitions", "mode", "change", "envelope", "subject", *PARTS)
OF_FIELD = ("mode", "mask")


def by_name(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the custom properties of a contract or a field, by name."""
    return {given["property"]: given["value"] for given in item.get("customProperties", ())}


def contract_attributes(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a contract's custom properties set of a `Contract`. The data has no faults."""
    given = by_name(data)
    near, document, passages = given.get("nearDuplicates"), given.get("document"), given.get("passages")
    window = given.get("duplicates", {})
    return {
        "event_time": given["eventTime"],
        "partitions": int(given.get("partitions", PARTITIONS_DEFAULT)),
        "mode": given.get("mode", "quarantine"),
        "change": given.get("change", "append"),
        "envelope": given.get("envelope", "none"),
        "subject": given.get("subject"),
        "duplicates": DuplicatePlan(window.get("windowRecords"), window.get("windowSeconds")),
        "near_duplicates": near and _near_duplicate_plan(near),
        "document": document and _document(document),
        "passages": None if passages is None else PassagePlan(**passages),
    }


def _near_duplicate_plan(given: Mapping[str, Any]) -> NearDuplicatePlan:
    return NearDuplicatePlan(tuple(given["fields"]), float(given.get("threshold", 0.85)), given.get("windowSeconds"))


def _document(given: Mapping[str, Any]) -> DocumentPlan:
    return DocumentPlan(
        field=given["field"],
        content_type=given.get("contentType"),
        steps=tuple(given.get("steps", ())),
        encoding=given.get("encoding", "text"),
        url=given.get("url"),
    )


def field_attributes(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a field's custom properties set of a `Field`."""
    given = by_name(item)
    return {"mode": given.get("mode"), "mask": given.get("mask")}


def fault(name: str, value: Any, fields: Mapping[str, Mapping[str, Any]]) -> str:
    """Return what is wrong with one property's value, or nothing. `fields` are the contract's properties, by name."""
    if name in CHOICES:
        return "" if value in CHOICES[name] else f"came {value!r}, expected one of {', '.join(CHOICES[name])}"
    if name == "subject":
        kind = fields.get(value, {}).get("logicalType") if isinstance(value, str) else None
        return "" if kind in ("string", "integer") else f"came {value!r}, expected the name of a string or integer property"
    if name in PARTS:
        return _parts_fault(name, value) or _named_fault(name, value, fields)
    return ""


def _parts_fault(name: str, value: Any) -> str:
    known = PARTS[name]
    if not isinstance(value, dict) or not set(value) <= set(known):
        return f"came {value!r}, expected a mapping of {', '.join(known)}"
    for part, given in value.items():
        if not isinstance(given, known[part]) or isinstance(given, bool):
            return f"{part}: came {given!r}, expected {known[part][0].__name__}"
        if isinstance(given, int | float) and given < 0:
            return f"{part}: came {given!r}, expected no negative number"
    return ""


def _named_fault(name: str, value: Mapping[str, Any], fields: Mapping[str, Mapping[str, Any]]) -> str:
    """Return what is wrong with the fields that a mapping names, and with its bounds."""
    texts = {field for field, item in fields.items() if item.get("logicalType") == "string"}
    if name == "nearDuplicates":
        named: Sequence[Any] = value.get("fields", ())
        if not named or not set(named) <= texts:
            return f"fields: came {list(named)!r}, expected names of string properties"
        if not THRESHOLD_MIN <= value.get("threshold", 0.85) <= 1:
            return f"threshold: came {value['threshold']!r}, expected at least {THRESHOLD_MIN}, at most 1"
    if name == "document":
        return _document_fault(value, fields, texts)
    if name == "passages" and not value.get("overlap", 20) < value.get("tokens", 200):
        return "overlap: expected fewer tokens than a passage has"
    return ""


def _document_fault(value: Mapping[str, Any], fields: Mapping[str, Mapping[str, Any]], texts: Collection[str]) -> str:
    """Return what is wrong with where a document is, how it is held, what its text goes through, and what is filled beside it."""
    strange = [part for part in ("field", "contentType", "url") if part in value and value[part] not in texts]
    if strange or "field" not in value:
        return f"{strange[0] if strange else 'field'}: expected the name of a string property"
    if value.get("encoding", "text") not in ENCODINGS:
        return f"encoding: came {value['encoding']!r}, expected one of {', '.join(ENCODINGS)}"
    if wrong := steps_fault(value.get("steps", ())):
        return f"steps: {wrong}"
    return siblings_fault({name: item for name, item in fields.items() if name != value["field"]})
