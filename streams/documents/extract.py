"""One document, through the steps that its contract names: unpacked, decoded, repaired, read, its language told.

Pure: the same content gives the same document. PDF is native code that may crash, so its reader is handed in by the
process that can afford to (`streams.connectors.sandbox`); `light` says which documents may be read right here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from contracts.documents import READERS
from streams.documents import decode
from streams.documents.model import Asked, Block, Document, Read, Refusal, Section

PdfReader = Callable[[bytes], "Read | Refusal"]

LIGHT_CHARACTERS_MAX = 256 * 1024
LIGHT_TAGS_MAX = 10_000
LIGHT_MARKDOWN_MAX = 64 * 1024
"""Beyond these the worst input takes more than a second or two: parsers are quadratic in unhappy places."""

TEXT_CHARACTERS_MAX = 8 * 1024 * 1024
"""The longest text: more would not fit a record of the clean topic."""
SECTIONS_MAX = 10_000
TITLE_CHARACTERS_MAX = 1_000


def light(asked: Asked) -> bool:
    """Say whether a document can be read within a second or two and some megabytes, whatever is in it."""
    content = asked.content
    if isinstance(content, bytes) and (decode.packed(content) or b"%PDF-" in content[:1024]):
        return False
    if len(content) > LIGHT_CHARACTERS_MAX:
        return False
    tags = content.count(b"<") if isinstance(content, bytes) else content.count("<")
    return tags <= LIGHT_TAGS_MAX and (len(content) <= LIGHT_MARKDOWN_MAX or "html" in (asked.content_type or "html"))


def extracted(asked: Asked, pdf: PdfReader | None = None) -> Document | Refusal:
    """Return a document's text and parts, or why there are none. A PDF asks for its reader."""
    content, steps = asked.content, asked.steps
    if isinstance(content, bytes) and "unpack@1" in steps and decode.packed(content):
        unpacked = decode.unpacked(content)
        if isinstance(unpacked, Refusal):
            return unpacked
        content = unpacked
    kind, charset = decode.type_and_charset(asked.content_type)
    if isinstance(content, bytes) and b"%PDF-" in content[:1024]:
        kind = "application/pdf"
        read = _pdf(content, pdf) if READERS[kind] in steps else Refusal(f"no step reads {kind}")
    else:
        text = content if isinstance(content, str) else decode.decoded(content, charset)
        kind = kind or decode.sniffed(text)
        if kind.startswith("text/") and kind not in READERS:
            kind = "text/plain"
        read = _survived(text, kind, asked)
    return read if isinstance(read, Refusal) else _document(read, kind, steps)


def _pdf(content: bytes, reader: PdfReader | None) -> Read | Refusal:
    if reader is None:
        raise ValueError("a PDF was asked for where no reader for it was given")
    return reader(content)


def _survived(text: str, kind: str, asked: Asked) -> Read | Refusal:
    """Return what the reader makes of the text. A reader that fails on a document takes the document with it, not the job."""
    try:
        return _read(text, kind, asked)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError):
        return Refusal("its reader failed")


def _read(text: str, kind: str, asked: Asked) -> Read | Refusal:
    if READERS.get(kind) not in asked.steps:
        return Refusal(f"no step reads {kind}" if kind in READERS else "content type")
    if decode.binary(text):
        return Refusal("binary content")
    if "repair@1" in asked.steps and not text.isascii():
        from streams.documents.repair import repaired  # noqa: PLC0415  ftfy's tables take a tenth of a second to load

        text = repaired(text)
    if kind == "text/html":
        from streams.documents import html  # noqa: PLC0415  as each reader below: a library that not every installation holds

        return html.read(text, asked.url, main_only="main_content@1" in asked.steps)
    if kind == "text/markdown":
        from streams.documents import markdown  # noqa: PLC0415

        return markdown.read(text)
    if kind == "text/x-rst":
        from streams.documents import rest  # noqa: PLC0415

        return rest.read(text)
    return Read(None, [Block("code", text.replace("\r\n", "\n").replace("\f", "\n").strip("\n"))])


def _document(read: Read, kind: str, steps: Sequence[str]) -> Document | Refusal:
    sections = list(_sections(read.blocks))
    text = "\n\n".join(part for section in sections for part in (section.heading, section.text) if part)
    if not text.strip():
        return Refusal("no text")
    if len(text) > TEXT_CHARACTERS_MAX:
        return Refusal(f"at most {TEXT_CHARACTERS_MAX} characters of text")
    language = None
    if "language@1" in steps:
        from streams.documents.language import language_of  # noqa: PLC0415  loads a model

        language = language_of(_running(read.blocks) or text)
    title = (read.title or "").strip()[:TITLE_CHARACTERS_MAX] or None
    return Document(title, text, language, kind, read.links, tuple(sections[:SECTIONS_MAX]))


def _running(blocks: Sequence[Block]) -> str:
    """Return the start of the running text: code and tables are in no language."""
    return " ".join(block.text for block in blocks[:200] if block.kind in ("paragraph", "item"))[:5_000]


def _joined(blocks: Iterable[Block]) -> str:
    """Return blocks as text: items and rows under one another, everything else with a blank line between."""
    parts: list[str] = []
    before = ""
    for block in blocks:
        if parts:
            parts.append("\n" if block.kind == before and block.kind in ("item", "row") else "\n\n")
        parts.append(f"- {block.text}" if block.kind == "item" else block.text)
        before = block.kind
    return "".join(parts)


def _sections(blocks: Sequence[Block]) -> Iterable[Section]:
    """Yield what stands under each heading; first what stands before any, if there is something."""
    heading, body = Block("heading", ""), []
    for is_heading, group in groupby(blocks, key=lambda block: block.kind == "heading"):
        if not is_heading:
            body = list(group)
            continue
        for found in group:
            if heading.text or body:
                yield Section(heading.level, heading.text, _joined(body))
            heading, body = found, []
    if heading.text or body:
        yield Section(heading.level, heading.text, _joined(body))
