"""Pages into passages: by sections first, then by paragraphs, about 1,000 characters each, a little of each in the next.

A passage is named by its page, the path of its section and its content, so that a page collected again keeps the names of
the passages that did not change, whatever moved around them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

PASSAGE_CHARACTERS = 1_000
OVERLAP_CHARACTERS = 150
SHORTEST_CHARACTERS = 20
"""A section with less than this says nothing by itself: badges, rulers, empty headings."""

_HEADING = re.compile(r"(#{1,6})[ \t]+(.{1,200}?)[ \t#]*")
_UNDERLINE = re.compile(r"([=\-~^\"'`*+#.:_])\1{2,199}")
_UNDERLINE_LEVELS = "=-~^\"'`*+#.:_"
_FENCE = re.compile(r"[ ]{0,3}(```|~~~)")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True)
class Passage:
    """One stretch of a page: its stable name, the path of headings above it, and its text."""

    passage_id: str
    section: str
    text: str


def split(page_id: str, text: str, content_type: str = "text/markdown") -> list[Passage]:
    """Return the page's passages in order, each text once. Plain text has no sections; Markdown and reST do."""
    plain = content_type == "text/plain"
    sections: Iterator[tuple[str, str]] = iter([("", text)]) if plain else _sections(text)
    found: dict[str, Passage] = {}
    for path, body in sections:
        for stretch in _stretches(body):
            passage_id = _passage_id(page_id, path, stretch)
            found.setdefault(passage_id, Passage(passage_id, path, stretch))
    return list(found.values())


def passages_of(pages: Any, *, page: str, text: str, title: str, content_type: str, passage: str) -> Any:
    """Return a pandas frame with a row for each passage, indexed by the row of the page that it is from.

    The arguments name the pages' columns, and the column that the passage's name goes to. The title leads the text, so that
    a passage from deep within a page still says what it is about.
    """
    import pandas as pd  # noqa: PLC0415  Feast hands its transformations pandas frames; nothing else here needs it

    kept = [name for name in pages.columns if name not in (text, passage, "section")]
    rows: list[dict[str, Any]] = []
    origins: list[int] = []
    for origin, row in zip(pages.index, pages.to_dict("records"), strict=True):
        for found in split(str(row[page]), row[text] or "", row[content_type] or ""):
            lead = " › ".join(part for part in (row[title] or "", found.section) if part)
            whole = f"{lead}\n{found.text}" if lead else found.text
            rows.append({name: row[name] for name in kept} | {passage: found.passage_id, "section": found.section, text: whole})
            origins.append(origin)
    return pd.DataFrame(rows, index=origins, columns=[*kept, passage, "section", text])


def _passage_id(page_id: str, path: str, text: str) -> str:
    digest = hashlib.sha256(f"{path}\x1f{text}".encode("utf-8", "surrogatepass")).hexdigest()
    return f"{page_id}#{digest[:16]}"


def _sections(text: str) -> Iterator[tuple[str, str]]:
    """Yield (path of headings, body): ATX and setext headings of Markdown, underlined titles of reST, none within a fence."""
    path: list[tuple[int, str]] = []
    body: list[str] = []
    fence = ""
    for line in text.splitlines():
        if (mark := _FENCE.match(line)) is not None:
            fence = "" if fence == mark[1] else fence or mark[1]
        heading = None if fence else _heading(line, body)
        if heading is None:
            body.append(line)
            continue
        level, name, above = heading
        yield _path(path), "\n".join(body[: len(body) - above])
        path = [(depth, title) for depth, title in path if depth < level] + [(level, name)]
        body = []
    yield _path(path), "\n".join(body)


def _heading(line: str, body: Sequence[str]) -> tuple[int, str, int] | None:
    """Return (level, name, lines above that belong to it) if the line makes a heading."""
    if (atx := _HEADING.fullmatch(line)) is not None:
        return len(atx[1]), atx[2].strip(), 0
    under = _UNDERLINE.fullmatch(line.rstrip())
    name = body[-1].strip() if body else ""
    if under is None or not name or _UNDERLINE.fullmatch(name) or len(line.rstrip()) < min(len(name), 4):
        return None
    above = 2 if len(body) > 1 and _UNDERLINE.fullmatch(body[-2].rstrip()) else 1
    return 1 + _UNDERLINE_LEVELS.index(under[1]), name[:200], above


def _path(path: Sequence[tuple[int, str]]) -> str:
    return " › ".join(name for _, name in path)


def _stretches(body: str) -> Iterator[str]:
    """Yield stretches of at most about PASSAGE_CHARACTERS, cut between paragraphs, else sentences, else words."""
    held, several = "", False
    for piece in _pieces(body):
        if held and len(held) + len(piece) + 2 > PASSAGE_CHARACTERS:
            yield held
            held, several = _tail(held), True
        held = f"{held}\n\n{piece}" if held else piece
    if several or len(held) >= SHORTEST_CHARACTERS:
        yield held


def _pieces(body: str) -> Iterator[str]:
    for paragraph in re.split(r"\n[ \t]*\n", body):
        text = paragraph.strip()
        if len(text) <= PASSAGE_CHARACTERS - OVERLAP_CHARACTERS:
            if text:
                yield text
            continue
        for sentence in _SENTENCE_END.split(text):
            yield from _words(sentence, PASSAGE_CHARACTERS - OVERLAP_CHARACTERS - 2)


def _words(text: str, longest: int) -> Iterator[str]:
    """Yield the text in parts of at most `longest` characters, cut at white space where there is some."""
    while len(text) > longest:
        cut = max(text.rfind(" ", longest // 2, longest), text.rfind("\n", longest // 2, longest))
        cut = cut if cut > 0 else longest
        yield text[:cut].strip()
        text = text[cut:].strip()
    if text:
        yield text


def _tail(text: str) -> str:
    """Return the end of a stretch that the next one begins with, from the start of a word."""
    end = text[-OVERLAP_CHARACTERS:]
    gap = re.search(r"\s", end)
    return end[gap.end() :].strip() if gap is not None else ""
