"""PDF to blocks, by PDFium (the reader of Chromium). Native code that reads strangers' bytes: call it in the sandbox alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pypdfium2

from streams.documents.model import Block, Link, Read, Refusal

PAGES_MAX = 2_000
CHARACTERS_MAX = 8 * 1024 * 1024
OUTLINE_MAX = 2_000

_HYPHENATED = re.compile(r"(?<=[^\W\d_])[\u00ad\ufffe\u0002-]\n(?=[a-zß-ÿ])")
"""A word cut at the end of its line; PDFium has U+FFFE for a hyphen that it knows to be soft."""
_SENTENCE_GOES_ON = re.compile(r"(?<=[^\s.!?:;])\n(?=[a-z(])")


def read_pdf(content: bytes) -> Read | Refusal:
    """Return the title, the text page by page under the outline's headings, and the links."""
    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        return Refusal("encrypted" if "password" in str(error).lower() else "pdf")
    try:
        if len(document) > PAGES_MAX:
            return Refusal(f"at most {PAGES_MAX} pages")
        headings = _outline(document)
        blocks = list(_blocks(document, headings))
        title = (document.get_metadata_dict().get("Title") or "").strip()
        return Read(title or (headings[0][0][1] if headings.get(0) else None), blocks, tuple(_links(blocks)))
    except pypdfium2.PdfiumError:
        return Refusal("pdf")
    finally:
        document.close()


def _outline(document: Any) -> dict[int, list[tuple[int, str]]]:
    """Return the bookmarks, as (level, title) by page."""
    found: dict[int, list[tuple[int, str]]] = {}
    for count, mark in enumerate(document.get_toc(max_depth=6)):
        if count >= OUTLINE_MAX:
            break
        target = mark.get_dest()
        page = target.get_index() if target is not None else None
        title = " ".join((mark.get_title() or "").split())
        if page is not None and title:
            found.setdefault(page, []).append((mark.level + 1, title))
    return found


def _blocks(document: Any, headings: dict[int, list[tuple[int, str]]]) -> Iterator[Block]:
    characters = 0
    for number in range(len(document)):
        page = document[number]
        held = page.get_textpage()
        text = _flowing(held.get_text_bounded())
        held.close()
        page.close()
        for level, title in headings.get(number, ()):
            yield Block("heading", title, level)
        for paragraph in re.split(r"\n{2,}", text):
            if paragraph.strip():
                yield Block("paragraph", paragraph.strip())
        characters += len(text)
        if characters > CHARACTERS_MAX:
            return


def _flowing(text: str) -> str:
    """Return a page's text with words and sentences whole that its lines had cut."""
    lines = "\n".join(line.strip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    return _SENTENCE_GOES_ON.sub(" ", _HYPHENATED.sub("", lines)).replace("\ufffe", "").replace("\x02", "")


def _links(blocks: list[Block]) -> Iterator[Link]:
    seen: set[str] = set()
    for block in blocks:
        for match in re.finditer(r"https?://[^\s<>\"')\]]{4,500}", block.text):
            url = match[0].rstrip(".,;")
            if url not in seen:
                seen.add(url)
                yield Link(url, url)
