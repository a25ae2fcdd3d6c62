"""HTML to blocks: one walk over lexbor's tree gives every stretch of text with the region it stands in.

lexbor parses as browsers do (https://html.spec.whatwg.org/multipage/parsing.html), so that broken HTML has a tree too. The
walk keeps its own stack: no depth of nesting ends it. Which regions are the document is `main_content`'s to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
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
TEXT = "-text"
KINDS = {
    **dict.fromkeys((*DROPPED, "-comment", "-doctype", "-document"), "dropped"),
    **dict.fromkeys((*LEAVES, *REGIONS), "block"),
    "a": "link",
    "br": "break",
    "hr": "rule",
}
"""What becomes of an element; one that is not here stands within a line."""
MAIN_KINDS = KINDS | dict.fromkeys(("nav", "aside", "footer", "dialog", "search", "menu"), "dropped")
"""The same where only the document is wanted: what these hold is none of it, unless nothing else holds any."""
HEADINGS = {f"h{level}": level for level in range(1, 7)}
BARE = frozenset(("ul", "ol", "dl", "menu", "table", "tbody", "thead", "tfoot", "tr"))
"""What holds blocks alone: white space in it is no text."""
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
    page = _walked(body, MAIN_KINDS if main_only else KINDS) if body is not None else _Page()
    if main_only and body is not None and not any(stretch.running for stretch in page.stretches):
        page = _walked(body, KINDS)
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
        if self.links:
            linked, links = self.linked, self.links
            self.linked, self.links = 0, []
            if text:
                self.stretches.append(Stretch(text, leaf, region, linked, links, row))
        elif text:
            self.stretches.append(Stretch(text, leaf, region, 0, (), row))

    def region(self, parent: int, kind: str, named: str) -> int:
        """Note a region; return its index."""
        self.regions.append(Region(parent, kind, named))
        return len(self.regions) - 1

    def link(self, href: str, since: int) -> None:
        """End a link: what has been held since it opened is its words."""
        text = " ".join("".join(self.held[since:]).split())
        self.linked += len(text)
        self.links.append((href, text))


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


def _walked(body: Any, kinds: Mapping[str, str]) -> _Page:
    page = _Page()
    page.regions.append(Region(-1, "body", ""))
    stack = [_Frame(body.iter(include_text=True), 0, "", 0, boundary=True)]
    held = page.held
    while stack:
        frame = stack[-1]
        for node in frame.children:
            tag = node.tag
            if tag == TEXT:
                text = node.text_content or ""
                if held or not text.isspace():
                    held.append(text)
                continue
            kind = kinds.get(tag)
            if kind == "block":
                if held:
                    page.flush(frame.region, frame.leaf, frame.row)
                opened = _block_frame(node, tag, frame, page)
            else:
                opened = _inline_frame(node, frame, page) if kind is None else _opened(node, kind, frame, page)
            if opened is not None:
                stack.append(opened)
                break
        else:
            stack.pop()
            _closed(frame, page)
    return page


def _inline_frame(node: Any, frame: _Frame, page: _Page) -> _Frame | None:
    """Return the frame of an element within a line; None for one that holds nothing, or text alone, which is taken at once."""
    child = node.first_child
    if child is None:
        return None
    if child.tag == TEXT and child.next is None:
        page.held.append(child.text_content or "")
        return None
    return _Frame(node.iter(include_text=True), frame.region, frame.leaf, frame.row)


def _opened(node: Any, kind: str, frame: _Frame, page: _Page) -> _Frame | None:
    """Return the frame of a link; None for an element that has nothing within to read, a break and a rule among them."""
    if kind == "link":
        since = len(page.held)
        opened = _inline_frame(node, frame, page)
        href = node.attributes.get("href") or ""
        if opened is None and href and len(page.held) > since:
            page.link(href, since)
        elif opened is not None:
            opened.href, opened.since = href, since
        return opened
    if kind == "break":
        page.held.append(BREAK)
    elif kind == "rule":
        page.flush(frame.region, frame.leaf, frame.row)
    return None


def _block_frame(node: Any, tag: str, frame: _Frame, page: _Page) -> _Frame | None:
    attributes = node.attributes
    region, row = frame.region, frame.row
    leaf = _leaf(tag, frame.leaf)
    if attributes:
        if _hidden(attributes):
            return None
        role = attributes.get("role") or ""
        named = f"{attributes.get('class') or ''} {attributes.get('id') or ''}"
        kind = "articleBody" if attributes.get("itemprop") == "articleBody" else role or tag
        region = page.region(region, kind, named)
    elif tag in REGIONS:
        region = page.region(region, tag, "")
    if tag == "tr":
        page.rows += 1
        row = page.rows
    child = node.first_child
    if child is None:
        return None
    if child.tag == TEXT and child.next is None:
        raw = child.text_content or ""
        text = _verbatim(raw) if leaf == "pre" else " ".join(raw.split())
        if text:
            page.stretches.append(Stretch(text, leaf, region, 0, (), row))
        return None
    return _Frame(node.iter(include_text=True, skip_empty=tag in BARE), region, leaf, row, boundary=True)


def _leaf(tag: str, around: str) -> str:
    """Return which kind of block an element's text is: a paragraph within a list item is the item's."""
    if tag in LEAVES:
        return around if tag == "p" and around in ("li", "pre") else tag
    return "" if around in HEADINGS else around


def _closed(frame: _Frame, page: _Page) -> None:
    if frame.boundary and page.held:
        page.flush(frame.region, frame.leaf, frame.row)
    elif frame.href:
        page.link(frame.href, frame.since)


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
    base = tree.css_first("base")
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
    if href.startswith(("https://", "http://")):
        return href
    try:
        target = urljoin(base, href)
        scheme = urlsplit(target).scheme
    except ValueError:
        return ""
    return target if scheme in ("http", "https", "ftp") or (not scheme and not base) else ""
