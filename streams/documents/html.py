"""HTML to blocks: one walk over lexbor's tree gives every stretch of text with the region it stands in.

lexbor parses as browsers do (https://html.spec.whatwg.org/multipage/parsing.html), so that broken HTML has a tree too. The
walk keeps its own stack: no depth of nesting ends it. Which regions are the document is `main_content`'s to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

from selectolax.lexbor import LexborDocumentOptions, LexborHTMLParser

from streams.documents import main_content
from streams.documents.main_content import Region, Stretch
from streams.documents.model import Block, Link, Read

DROPPED = frozenset((
    "script", "style", "noscript", "template", "iframe", "svg", "canvas", "object", "embed", "select", "option", "datalist",
    "button", "input", "textarea", "audio", "video", "map", "dialog", "head", "link", "meta", "title", "progress", "meter",
    "applet", "frameset",
))  # fmt: skip
LEAVES = frozenset((
    "p", "h1", "h2", "h3", "h4", "h5", "h6", "li", "dt", "dd", "pre", "blockquote", "td", "th", "tr", "figcaption",
    "caption", "address", "summary", "legend", "label",
))  # fmt: skip
REGIONS = frozenset((
    "div", "section", "article", "main", "header", "footer", "nav", "aside", "form", "ul", "ol", "dl", "menu", "table",
    "tbody", "thead", "tfoot", "details", "fieldset", "figure", "center", "hgroup", "search", "body",
))  # fmt: skip
HEADINGS = {f"h{level}": level for level in range(1, 7)}
BREAK = "\x1e"
"""Stands for `<br>` until white space has been collapsed."""

FORMATTING = re.compile(r"(</?)(?=(?:b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)[\s/>])", re.IGNORECASE)
"""Tags that the parser opens anew in each block where they were left open: n of them, n blocks, n² elements."""
TANGLE_MAX = 1_000_000
LINKS_MAX = 5_000
_PERMALINK = " ¶#\u200b\uf0c1🔗"
_STYLE_HIDDEN = re.compile(r"display\s{0,3}:\s{0,3}none|visibility\s{0,3}:\s{0,3}hidden", re.IGNORECASE)


def read(text: str, url: str | None, *, main_only: bool) -> Read:
    """Return the page's title, blocks and links; with `main_only`, without what is around the document itself."""
    tree = LexborHTMLParser(_untangled(text), options=LexborDocumentOptions.WO_EVENTS)
    body = tree.body
    page = _walked(body) if body is not None else _Page()
    kept = main_content.kept(page.stretches, page.regions) if main_only else page.stretches
    return Read(_title(tree, page.stretches), list(_blocks(kept)), _links(kept, _base(tree, url)))


def _untangled(text: str) -> str:
    """Return the HTML without formatting elements (of no meaning here) where they could multiply."""
    tags = text.count("<")
    if tags < 1_000 or tags * len(FORMATTING.findall(text)) < TANGLE_MAX:
        return text
    return FORMATTING.sub(r"\1x-", text)


@dataclass(slots=True)
class _Page:
    """What the walk has gathered, and where it stands."""

    stretches: list[Stretch] = field(default_factory=list)
    regions: list[Region] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    """Text since the last boundary of a block."""
    linked: int = 0
    """Characters of it that are a link's."""
    links: list[tuple[str, str]] = field(default_factory=list)
    rows: int = 0

    def flush(self, region: int, leaf: str, row: int) -> None:
        """End the block: keep what it holds, if that is more than white space."""
        if not self.held:
            return
        raw = "".join(self.held)
        self.held.clear()
        text = _verbatim(raw) if leaf == "pre" else _collapsed(raw)
        linked, links = self.linked, self.links
        self.linked, self.links = 0, []
        if text:
            self.stretches.append(Stretch(text, leaf, region, linked, links, row))


@dataclass(slots=True)
class _Frame:
    """One open element: its children still to come, and what holds within it."""

    children: Iterator[Any]
    region: int
    leaf: str
    row: int
    boundary: bool = False
    href: str = ""
    since: int = 0
    """How many pieces of text were held when the link opened."""


def _walked(body: Any) -> _Page:
    page = _Page()
    page.regions.append(Region(-1, "body", ""))
    stack = [_Frame(body.iter(include_text=True), 0, "", 0)]
    while stack:
        frame = stack[-1]
        for node in frame.children:
            tag = node.tag
            if tag == "-text":
                page.held.append(node.text_content or "")
                continue
            opened = _opened(node, tag, frame, page)
            if opened is not None:
                stack.append(opened)
                break
        else:
            stack.pop()
            _closed(frame, page)
    return page


def _opened(node: Any, tag: str | None, frame: _Frame, page: _Page) -> _Frame | None:
    """Return the frame of an element just met; None for one that has nothing within to read."""
    if tag == "br":
        page.held.append(BREAK)
        return None
    if tag is None or tag in DROPPED or tag.startswith("-"):
        return None
    if tag in REGIONS or tag in LEAVES:
        page.flush(frame.region, frame.leaf, frame.row)
        return _block_frame(node, tag, frame, page)
    if tag == "hr":
        page.flush(frame.region, frame.leaf, frame.row)
        return None
    if node.first_child is None:
        return None
    href = (node.attributes.get("href") or "") if tag == "a" else ""
    return _Frame(node.iter(include_text=True), frame.region, frame.leaf, frame.row, href=href, since=len(page.held))


def _block_frame(node: Any, tag: str, frame: _Frame, page: _Page) -> _Frame | None:
    attributes = node.attributes
    if attributes and _hidden(attributes):
        return None
    region, leaf, row = frame.region, frame.leaf, frame.row
    named = f"{attributes.get('class') or ''} {attributes.get('id') or ''}".strip() if attributes else ""
    role = attributes.get("role") or "" if attributes else ""
    if tag in REGIONS or named or role:
        kind = "articleBody" if attributes and attributes.get("itemprop") == "articleBody" else role or tag
        page.regions.append(Region(region, kind, named))
        region = len(page.regions) - 1
    if tag == "tr":
        page.rows += 1
        row = page.rows
    if tag in LEAVES and not (leaf in ("li", "pre") and tag == "p"):
        leaf = tag
    elif tag in ("div", "section", "article", "table", "ul", "ol", "dl") and leaf in HEADINGS:
        leaf = ""
    return _Frame(node.iter(include_text=True), region, leaf, row, boundary=True)


def _closed(frame: _Frame, page: _Page) -> None:
    if frame.boundary:
        page.flush(frame.region, frame.leaf, frame.row)
    elif frame.href:
        text = " ".join("".join(page.held[frame.since :]).split())
        page.linked += len(text)
        page.links.append((frame.href, text))


def _hidden(attributes: dict[str, str | None]) -> bool:
    if "hidden" in attributes or attributes.get("aria-hidden") == "true":
        return True
    style = attributes.get("style")
    return style is not None and _STYLE_HIDDEN.search(style) is not None


def _collapsed(raw: str) -> str:
    if BREAK not in raw:
        return " ".join(raw.split())
    return "\n".join(line for part in raw.split(BREAK) if (line := " ".join(part.split())))


def _verbatim(raw: str) -> str:
    lines = raw.replace(BREAK, "\n").replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip() for line in lines).strip("\n")


def _blocks(kept: list[Stretch]) -> Iterator[Block]:
    """Yield blocks; the cells of one table row are one."""
    cells: list[str] = []
    for at, stretch in enumerate(kept):
        if stretch.leaf in ("td", "th") and stretch.row:
            cells.append(stretch.text)
            after = kept[at + 1] if at + 1 < len(kept) else None
            if after is None or after.row != stretch.row or after.leaf not in ("td", "th"):
                yield Block("row", " | ".join(cells))
                cells = []
        elif stretch.leaf in HEADINGS:
            heading = stretch.text.rstrip(_PERMALINK).replace("\n", " ")
            if heading:
                yield Block("heading", heading, HEADINGS[stretch.leaf])
        elif stretch.leaf in ("li", "dt", "dd"):
            yield Block("item", stretch.text)
        else:
            yield Block("code" if stretch.leaf == "pre" else "paragraph", stretch.text)


def _title(tree: LexborHTMLParser, stretches: list[Stretch]) -> str | None:
    """Return the page's own title: the first main heading if the title element holds it, else what the page says of itself."""
    said = tree.css_first("head > title") or tree.css_first("title")
    whole = " ".join(said.text().split()) if said is not None else ""
    heading = next((s.text for s in stretches if s.leaf == "h1"), "").rstrip(_PERMALINK)
    if heading and (not whole or heading.lower() in whole.lower()):
        return heading
    shared = tree.css_first('meta[property="og:title"]')
    given = ((shared.attributes.get("content") or "") if shared is not None else "").strip()
    return given or whole or heading or None


def _base(tree: LexborHTMLParser, url: str | None) -> str:
    base = tree.css_first("base[href]")
    href = (base.attributes.get("href") or "") if base is not None else ""
    return _joined(url or "", href) or url or ""


def _links(kept: list[Stretch], base: str) -> tuple[Link, ...]:
    """Return the links within what is kept, each target once, made absolute where the page's place is known."""
    found: dict[str, Link] = {}
    for stretch in kept:
        for href, text in stretch.links:
            if len(found) >= LINKS_MAX:
                return tuple(found.values())
            target = _joined(base, href.strip())
            if target and target not in found:
                found[target] = Link(target, text)
    return tuple(found.values())


def _joined(base: str, href: str) -> str:
    """Return an absolute link, or a relative one where there is no base; empty for what leads to no document."""
    if not href or href.startswith("#"):
        return ""
    try:
        target = urljoin(base, href)
        scheme = urlsplit(target).scheme
    except ValueError:
        return ""
    return target if scheme in ("http", "https", "ftp") or (not scheme and not base) else ""
