"""Markdown to blocks, by markdown-it-py: CommonMark (https://spec.commonmark.org) with GitHub's tables and strikethrough.

HTML within Markdown is badges and layout more often than text: tags are dropped, the text between them stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

from streams.documents import html
from streams.documents.model import Block, Link, Read

_FRONT_MATTER = re.compile(r"\A---\n(?:.{0,500}\n){0,200}?(?:---|\.\.\.)\n")
_BREAK = re.compile(r"<br\s{0,9}/?>", re.IGNORECASE)


def read(text: str) -> Read:
    """Return the title (the first heading of the highest level), the blocks and the links of a Markdown text."""
    tokens = _parser().parse(_FRONT_MATTER.sub("", text.replace("\r\n", "\n").lstrip("\ufeff")))
    links: dict[str, Link] = {}
    blocks = list(_blocks(list(_rows(tokens, links)), links))
    headings = [block for block in blocks if block.kind == "heading"]
    title = min(headings, key=lambda block: block.level).text if headings else None
    return Read(title, blocks, tuple(links.values()))


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    # We want the address as it is written: quoting it for HTML takes time, and makes it another.
    parser.normalizeLink = lambda url: url  # type: ignore[method-assign]
    return parser


def _blocks(tokens: Sequence[Token], links: dict[str, Link]) -> Iterator[Block]:
    items, heading = 0, 0
    for token in tokens:
        kind = token.type
        if kind == "inline":
            if text := _inline(token.children or (), links):
                yield _block(text, heading, items)
        elif kind in ("heading_open", "heading_close"):
            heading = int(token.tag[1:]) if kind == "heading_open" else 0
        elif kind in ("list_item_open", "list_item_close"):
            items += token.nesting
        elif kind in ("fence", "code_block") and token.content.strip():
            yield Block("code", token.content.strip("\n"))
        elif kind == "row" and token.content:
            yield Block("row", token.content)
        elif kind == "html_block":
            yield from _html(token.content, links)


def _rows(tokens: Sequence[Token], links: dict[str, Link]) -> Iterator[Token]:
    """Yield the tokens with each row of a table as one token: its cells, with bars between."""
    cells: list[str] | None = None
    for token in tokens:
        if token.type == "tr_open":
            cells = []
        elif token.type == "tr_close" and cells is not None:
            yield Token("row", "", 0, content=" | ".join(cells) if any(cells) else "")
            cells = None
        elif cells is None:
            yield token
        elif token.type == "inline":
            cells.append(_inline(token.children or (), links))


def _block(text: str, heading: int, items: int) -> Block:
    if heading:
        return Block("heading", text.replace("\n", " "), heading)
    return Block("item" if items else "paragraph", text)


def _inline(children: Sequence[Token], links: dict[str, Link]) -> str:
    parts: list[str] = []
    opened: list[tuple[str, int]] = []
    for token in children:
        kind = token.type
        if kind in ("text", "code_inline", "text_special"):
            parts.append(token.content)
        elif kind == "softbreak":
            parts.append(" ")
        elif kind == "hardbreak" or (kind == "html_inline" and _BREAK.fullmatch(token.content)):
            parts.append("\n")
        elif kind == "link_open":
            opened.append((str(token.attrs.get("href", "")), len(parts)))
        elif kind == "link_close" and opened:
            url, since = opened.pop()
            text = "".join(parts[since:]).strip()
            if text and url and not url.startswith("#"):
                links.setdefault(url, Link(url, text))
    return _lines("".join(parts))


def _lines(text: str) -> str:
    if "\n" not in text and "  " not in text:
        return text.strip()
    return "\n".join(line for part in text.split("\n") if (line := " ".join(part.split())))


def _html(content: str, links: dict[str, Link]) -> Iterator[Block]:
    """Yield what a block of HTML holds. Its parser is the one for pages: what is hidden or a script there is so here."""
    read = html.read(content, None, main_only=False)
    for link in read.links:
        if link.text:
            links.setdefault(link.url, link)
    yield from read.blocks
