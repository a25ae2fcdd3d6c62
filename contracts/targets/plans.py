"""The plans of a contract (masking, duplicates, documents) as tables for people. The stream goes by the same decisions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from contracts.contract import Contract, Field
from contracts.documents import STEPS
from contracts.masking import treatment

TREATED = {
    "keep": "kept as it is",
    "free_text": "personal data in it is found and replaced by placeholders",
    "replace": "replaced whole by a placeholder",
    "null": "left out",
    "nested": "decided by what it holds",
    "mask": "replaced whole by a placeholder",
    "hash": "replaced by a keyed hash: equal values stay equal",
    "tokenize": "replaced by a token of the same shape: equal values stay equal",
    "drop": "left out",
    "seal": "encrypted with its subject's key",
}


@dataclass(frozen=True)
class Masked:
    """What happens to the values of one field."""

    path: str
    logical_type: str
    classification: str
    treatment: str
    words: str


def masking_plan(contract: Contract) -> tuple[Masked, ...]:
    """Return what happens to each field's values, objects and arrays before what they hold."""
    return tuple(row for field in contract.fields for row in _masked(field, field.name))


def dedup_plan(contract: Contract) -> tuple[tuple[str, str], ...]:
    """Return what is a duplicate of what, and where that is decided: (step, words)."""
    window = contract.duplicates
    records = "duplicate_window records (a setting)" if window.window_records is None else f"{window.window_records} records"
    seconds = "" if window.window_seconds is None else f" and {window.window_seconds} seconds"
    plan = [
        ("in the stream", f"equal values within one raw partition, at most {records}{seconds} back: the first offset wins"),
        ("on the way to gold", "equal rows of any partition: the least by event time, then coordinates, stands for the rest"),
    ]
    near = contract.near_duplicates
    if near is not None:
        plan.append(
            (
                "on the way to gold",
                f"near duplicates in {', '.join(near.fields)}, from a Jaccard similarity of {near.threshold} on",
            )
        )
    if contract.change == "upsert":
        plan.append(
            ("in the current table", f"the newest row of each key ({', '.join(contract.key)}), by event time, then coordinates")
        )
    return tuple(plan)


def document_plan(contract: Contract) -> tuple[tuple[str, str], ...]:
    """Return how a contract's documents become text and passages: (step, words), in order. Empty where it has none."""
    found = contract.document
    plan = []
    if found is not None:
        kind = f"its type is what {found.content_type} says" if found.content_type else "its type is told from the content"
        links = f"; links are resolved against {found.url}" if found.url else ""
        plan.append((found.field, f"comes as a document, as {found.encoding}, and leaves as its text; {kind}{links}"))
        plan += [(step, STEPS[step]) for step in found.steps or STEPS]
    if contract.passages is not None:
        size = contract.passages
        plan.append(
            ("passages", f"of at most {size.tokens} tokens, sections first; each repeats {size.overlap} of the one before")
        )
    return tuple(plan)


def _masked(field: Field, path: str) -> Iterator[Masked]:
    kind = treatment(field)
    yield Masked(path, field.logical_type, field.classification or "(none)", kind, TREATED[kind])
    if kind != "nested":
        return
    for child in field.fields:
        yield from _masked(child, f"{path}.{child.name}")
    if field.items is not None:
        yield from _masked(field.items, f"{path}[]")
