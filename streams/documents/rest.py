"""reStructuredText to blocks, line by line: the markup that documents use, and nothing that reaches outside the text.

Not docutils: that builds a publisher's tree, takes 30 times as long, and must be kept from including files. Here nothing
is included by construction, and each line is looked at once. What is read follows the specification of the markup
(https://docutils.sourceforge.io/docs/ref/rst/restructuredtext.html): titles by their order of appearance, directives by
what they hold (notes are text, `code-block` is code, images and raw HTML are dropped), roles and references by their words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from streams.documents.model import Block, BlockKind, Link, Read

PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
CODE = frozenset(("code", "code-block", "sourcecode", "parsed-literal", "doctest", "prompt", "ipython", "console", "math"))
DROPPED = frozenset((
    "image", "figure", "raw", "include", "contents", "toctree", "meta", "literalinclude", "automodule", "autoclass",
    "autofunction", "autosummary", "sectnum", "header", "footer", "target-notes", "index", "default-role", "role", "highlight",
    "highlightlang", "currentmodule", "module", "only", "tabularcolumns", "video", "graphviz", "mermaid", "csv-table",
))  # fmt: skip
_DIRECTIVE = re.compile(r"\.\.[ \t]+(?:\|[^|\n]{1,200}\|[ \t]+)?([A-Za-z0-9][\w.:+-]{0,80}?)::(?:[ \t]+(.*))?")
_TARGET = re.compile(r"(?:\.\. _(`[^`\n]{1,300}`|[^:\n`]{1,300}):|__)[ \t]+(\S+)[ \t]*")
_OPTION = re.compile(r":[\w-]{1,60}:(?:[ \t].*)?")
_FIELD = re.compile(r":([^:`\n]{1,80}):(?:[ \t]+(.*))?")
_ITEM = re.compile(r"(?:[-*+•]|\(?(?:\d{1,4}|#|[a-zA-Z])[.)])[ \t]+(.*)")
_RULE = frozenset("+=-| \t")
_INLINE = re.compile(
    r"``(?P<literal>[^`\n]+(?:`[^`\n]+)*)``"
    r"|(?::[\w.+:-]{1,60}:)?`(?P<phrase>[^`]+)`(?::[\w.+-]{1,60}:)?(?P<reference>__?)?"
    r"|\|(?P<substitution>[^|\s](?:[^|\n]{0,80}[^|\s])?)\|_{0,2}"
    r"|(?P<stars>\*\*?)(?=[^\s*])(?P<marked>[^*\n]{1,500}?)(?P=stars)"
    r"|(?<![\w`_])(?P<word>[A-Za-z0-9][\w.-]{0,80}?)__?(?![\w`])"
)
_BORDER = re.compile(r"[=-]+")
_FOOTNOTE = re.compile(r"\.\. \[[^\]]{1,80}\][ \t]+(.+)")


def read(text: str) -> Read:
    """Return the title (the first of the highest level), the blocks and the links of a reST text."""
    lines = [line.rstrip() for line in text.expandtabs(4).replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    reader = _Reader(lines, _targets(lines))
    blocks = list(reader.blocks())
    headings = [block for block in blocks if block.kind == "heading"]
    title = min(headings, key=lambda block: block.level).text if headings else None
    return Read(title, blocks, tuple(reader.links.values()))


def _targets(lines: Sequence[str]) -> dict[str, str]:
    """Return the addresses that names stand for, by name in lower case."""
    found = {}
    for line in lines:
        if line.lstrip().startswith((".. _", "__ ")) and (match := _TARGET.match(line.strip())):
            found[_name(match[1] or "")] = match[2]
    return found


def _name(text: str) -> str:
    return " ".join(text.strip("`").lower().split())


@dataclass
class _Reader:
    lines: Sequence[str]
    targets: dict[str, str]
    links: dict[str, Link] = field(default_factory=dict)
    styles: list[str] = field(default_factory=list)
    """Kinds of title line in the order in which they came: the first is level 1."""
    at: int = 0

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks in order. Each turn takes at least one line."""
        held: list[str] = []
        kind: BlockKind = "paragraph"
        while self.at < len(self.lines):
            line = self.lines[self.at]
            bare = line.strip()
            if bare and not held and (title := self._title()) is not None:
                yield title
                continue
            item = _ITEM.match(bare)
            if bare and item is None and not bare.startswith("..") and not _OPTION.match(bare):
                held.append(bare)
                self.at += 1
                continue
            yield from self._paragraph(held, kind)
            literal = not bare and bool(held) and held[-1].endswith("::")
            held, kind = [], "paragraph"
            if bare.startswith(".."):
                yield from self._explicit(bare, _indent(line))
                continue
            if literal:
                yield from self._literal(_indent(self.lines[self.at - 1]))
            elif item is not None:
                held, kind = [item[1]], "item"
            elif bare:
                told = _FIELD.fullmatch(bare)
                held = [bare if told is None else f"{told[1]}: {told[2]}" if told[2] else told[1]]
            self.at += 1
        yield from self._paragraph(held, kind)

    def _title(self) -> Block | None:
        """Return the title that begins at this line, and pass over it: a line with its line below, or one above as well."""
        here = self.lines[self.at].strip()
        below = self.lines[self.at + 1].strip() if self.at + 1 < len(self.lines) else ""
        if _adorns(here) and below and not _adorns(below):
            third = self.lines[self.at + 2].strip() if self.at + 2 < len(self.lines) else ""
            if third == here:
                self.at += 3
                return self._heading(below, here[0] * 2)
        if not _adorns(here) and _adorns(below) and len(below) >= min(len(here), 4) and not self.lines[self.at].startswith(" "):
            self.at += 2
            return self._heading(here, below[0])
        return None

    def _heading(self, text: str, style: str) -> Block:
        if style not in self.styles:
            self.styles.append(style)
        return Block("heading", self._words(text), min(self.styles.index(style) + 1, 6))

    def _paragraph(self, held: Sequence[str], kind: BlockKind) -> Iterator[Block]:
        if any(_rules(line) for line in held):
            yield from self._table(held)
            return
        text = " ".join(held)
        if text.endswith("::"):
            text = text[:-1].rstrip(":").rstrip() + ("" if text in ("::", ": ::") else ":")
        if text := self._words(text):
            yield Block(kind, text)

    def _table(self, held: Sequence[str]) -> Iterator[Block]:
        """Yield the rows of a grid table, cut at its bars, or of a simple one, cut where its borders begin anew."""
        starts: list[int] = []
        for line in held:
            if _rules(line):
                starts = starts or [match.start() for match in _BORDER.finditer(line)]
                continue
            ends = [*starts[1:], len(line)]
            cells = (
                line.strip("|").split("|") if line.startswith("|") else [line[a:b] for a, b in zip(starts, ends, strict=False)]
            )
            if text := self._words(" | ".join(cell.strip() for cell in cells or [line] if cell.strip())):
                yield Block("row", text)

    def _literal(self, indent: int) -> Iterator[Block]:
        """Yield the code that is indented beyond the paragraph that announced it."""
        start = self.at + 1
        while start < len(self.lines) and not self.lines[start].strip():
            start += 1
        end = self._end(start, indent)
        if end > start:
            yield Block("code", _dedented(self.lines[start:end]))
            self.at = end - 1

    def _end(self, start: int, indent: int) -> int:
        """Return the line behind those that are indented more than this, blank ones at their end left out."""
        last = start
        for at in range(start, len(self.lines)):
            if self.lines[at].strip():
                if _indent(self.lines[at]) <= indent:
                    break
                last = at + 1
        return last

    def _explicit(self, bare: str, indent: int) -> Iterator[Block]:
        """Pass over a comment, a target, or a directive that is no text; yield code; let the text of others stand."""
        directive = _DIRECTIVE.fullmatch(bare)
        name = directive[1].lower().rpartition(":")[2] if directive is not None else ""
        end = max(self._end(self.at + 1, indent), self.at + 1)
        if directive is None or name in DROPPED or bare.startswith(".. |"):
            self.at = end
            if (footnote := _FOOTNOTE.match(bare)) and (text := self._words(footnote[1])):
                yield Block("paragraph", text)
            return
        start = self.at + 1
        while start < end and _OPTION.fullmatch(self.lines[start].strip()):
            start += 1
        if name in CODE:
            self.at = end
            if code := _dedented(self.lines[start:end]):
                yield Block("code", code)
            return
        self.at = start
        if (said := directive[2]) and (text := self._words(said)):
            yield Block("paragraph", text)

    def _words(self, text: str) -> str:
        """Return the text without inline markup; note the links."""
        if not any(mark in text for mark in "`*|_\\"):
            return " ".join(text.split())
        return " ".join(_INLINE.sub(self._inline, text).replace("\\", "").split())

    def _inline(self, match: re.Match[str]) -> str:
        if match["literal"] is not None:
            return match["literal"]
        if match["marked"] is not None:
            return match["marked"]
        if match["substitution"] is not None:
            return ""
        if match["word"] is not None:
            return self._linked(match["word"], self.targets.get(_name(match["word"])))
        phrase: str = match["phrase"]
        start = phrase.rfind("<") if phrase.endswith(">") else -1
        if start >= 0:
            url = phrase[start + 1 : -1].strip()
            return self._linked(phrase[:start].strip() or url, url if match["reference"] else None)
        return self._linked(phrase, self.targets.get(_name(phrase)))

    def _linked(self, text: str, url: str | None) -> str:
        if url is not None and ":" in url:
            self.links.setdefault(url, Link(url, " ".join(text.split())))
        return text


def _adorns(line: str) -> bool:
    """Say whether a line is one mark of punctuation, repeated."""
    return len(line) >= 2 and line[0] in PUNCTUATION and line.count(line[0]) == len(line) and line not in ("..", "::")


def _rules(line: str) -> bool:
    """Say whether a line is the border of a table."""
    return ("--" in line or "==" in line) and _RULE.issuperset(line)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _dedented(lines: Sequence[str]) -> str:
    least = min((_indent(line) for line in lines if line.strip()), default=0)
    return "\n".join(line[least:] for line in lines).strip("\n")
