"""The steps by which a document's bytes become text: their names and versions, as `document.steps` of a contract lists them.

`document: {field: page, contentType: kind, encoding: base64, url: found_at, steps: [...]}` says that `page` holds documents as
base64 (or as `text`, the default), of the type that `kind` says (else it is told from the content), found at `found_at`. What
leaves the clean hop in `page` is the text. Where the contract declares them and the record leaves them null, its fields
`title`, `language`, `links` (array of {url, text}) and `sections` (array of {level, heading, text}) are filled.

A contract may name the steps it wants, in this order; one that names none gets them all. A step whose answer changes gets
a new version beside the old one, so that a contract that names versions keeps its answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

STEPS: Mapping[str, str] = {
    "unpack@1": "gzip and zlib content is unpacked, up to a bounded size and ratio",
    "decode@1": "bytes become characters: byte order mark, declared charset, UTF-8 where valid, else windows-1252",
    "repair@1": "text that was decoded wrongly once before is mended, line by line",
    "html@1": "HTML is read: title, text, links, sections",
    "markdown@1": "Markdown (CommonMark with tables) is read",
    "rest@1": "reStructuredText is read; nothing is included, nothing raw is passed on",
    "plain@1": "plain text is read",
    "pdf@1": "PDF is read, in a process of its own",
    "main_content@1": "navigation, banners, comments and other boilerplate of HTML are left out",
    "language@1": "the language is told, where there is text enough to tell",
}
"""Every step, in the order in which they run."""

READERS: Mapping[str, str] = {
    "text/html": "html@1",
    "text/markdown": "markdown@1",
    "text/x-rst": "rest@1",
    "text/plain": "plain@1",
    "application/pdf": "pdf@1",
}
"""Content type -> the step that reads it."""

OBJECT_PARTS: Mapping[str, Mapping[str, str]] = {
    "links": {"url": "string", "text": "string"},
    "sections": {"level": "integer", "heading": "string", "text": "string"},
}
"""What the items of the two sibling fields of kind array may hold: a contract declares what it wants of it."""


def steps_fault(steps: Sequence[Any]) -> str:
    """Return why a list of steps cannot be run, or nothing. An empty list stands for all of them."""
    unknown = [step for step in steps if step not in STEPS]
    if unknown:
        return f"came {unknown[0]!r}, expected steps of {', '.join(STEPS)}"
    order = list(STEPS)
    if list(steps) != sorted(set(steps), key=order.index):
        return f"came {', '.join(steps)}: expected each once, in the order {', '.join(order)}"
    if steps and not set(steps) & set(READERS.values()):
        return f"none of them reads a document: expected at least one of {', '.join(READERS.values())}"
    return ""


def siblings_fault(fields: Mapping[str, Mapping[str, Any]]) -> str:
    """Return which sibling of a document's field cannot take what extraction gives for it, or nothing."""
    for name in ("title", "language"):
        kind = fields.get(name, {}).get("logicalType", "string")
        if kind != "string":
            return f"{name} is filled with text: came logicalType {kind!r}, expected string"
    for name, parts in OBJECT_PARTS.items():
        if name in fields and not _holds(fields[name], parts):
            listed = ", ".join(f"{part} ({kind})" for part, kind in parts.items())
            return f"{name} is filled with a list: expected an array whose items are objects of {listed}"
    return ""


def _holds(field: Mapping[str, Any], parts: Mapping[str, str]) -> bool:
    items = field.get("items")
    if field.get("logicalType") != "array" or not isinstance(items, Mapping) or items.get("logicalType") != "object":
        return False
    given = items.get("properties") or ()
    return bool(given) and all(parts.get(str(part.get("name"))) == part.get("logicalType") for part in given)
