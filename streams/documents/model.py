"""What is asked of extraction, and what it gives: a document's parts, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from contracts.documents import STEPS
from contracts.records import Reason

BlockKind = Literal["heading", "paragraph", "item", "code", "row"]


@dataclass(frozen=True, slots=True)
class Link:
    """Where a document points, and by which words."""

    url: str
    text: str


@dataclass(frozen=True, slots=True)
class Section:
    """What stands under one heading, up to the next; level 0 and no heading for what stands before the first."""

    level: int
    heading: str
    text: str


class Block(NamedTuple):
    """One stretch of a document in reading order. `level` counts for a heading, from 1."""

    kind: BlockKind
    text: str
    level: int = 0


@dataclass(frozen=True, slots=True)
class Read:
    """What a reader of one content type makes of a document."""

    title: str | None
    blocks: Sequence[Block]
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A document as text."""

    title: str | None
    text: str
    language: str | None
    """ISO 639-1, None where there is too little text to tell."""
    content_type: str
    links: tuple[Link, ...] = ()
    sections: tuple[Section, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why no text can be had: a dead letter's reason and rule. Never a word of the document."""

    rule: str
    reason: Reason = Reason.NOT_EXTRACTABLE


@dataclass(frozen=True, slots=True)
class Asked:
    """One document to be made text. `content_type` as its sender says it, parameters included; `steps` never empty."""

    content: bytes | str
    content_type: str | None = None
    url: str | None = None
    steps: tuple[str, ...] = tuple(STEPS)


class Sandbox(Protocol):
    """Where documents are read that may crash, hang or swell their reader: PDF, packed ones, large ones.

    Returns one answer for each asked, in order, when all are there; each within its limits of processor time and memory, whatever
    becomes of the others. The answer is that of `streams.documents.extract.extracted`, or a refusal. May be called by one thread
    at a time.
    """

    def extracted(self, asked: Sequence[Asked]) -> list[Document | Refusal]:
        """Return the documents, or why there are none."""
        ...
