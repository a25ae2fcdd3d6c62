"""Pages into passages: by sections first, then by paragraphs; sizes in tokens; a little of each in the next.

A passage is named by its page, the path of headings above it and its own words (the overlap left out), so that a page
collected again keeps the names of the passages that did not change, whatever moved around them. Where a section is cut is
decided by its paragraphs' own words as well: of the places that the size allows, the one whose hash is least. So an edit
moves the cuts near it and no others, as in content-defined chunking (Muthitacharoen et al., LBFS, SOSP 2001).

A token here is five letters or digits of a word at most, one mark of punctuation, or one character of Chinese, Japanese or
Korean. Llama 2's tokenizer, which the embedding model has, counts 1 % more at the median of the installed packages' documents,
and from 13 % less to 35 % more on nine in ten of them. It needs no model, and a passage counts the same anywhere.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.contract import PassagePlan

SHORTEST_TOKENS = 5
"""A section with less than this says nothing by itself: badges, rulers, empty headings."""
PLAN = "passages"
"""Under this name the engine tells a transformation, in its frame's `attrs`, how the contract wants pages cut."""

TOKEN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]|[^\W_]{1,5}|[^\w\s]|_")
_PARAGRAPH = re.compile(r"\n[ \t]*\n+")
_SENTENCE_END = re.compile(r"(?<=[.!?。！？])\s+|\n")


@dataclass(frozen=True)
class Passage:
    """One stretch of a page: its stable name, the path of headings above it, and its text, overlap first."""

    passage_id: str
    section: str
    text: str


@dataclass(frozen=True)
class _Piece:
    """What is not cut any further, its size, and what stands before it where it is joined to the piece before."""

    text: str
    tokens: int
    joint: str


def tokens_in(text: str) -> int:
    """Count the tokens of a text."""
    return len(TOKEN.findall(text))


def split(
    page_id: str, text: str, sections: Iterable[Mapping[str, Any]] | None = None, plan: PassagePlan | None = None
) -> list[Passage]:
    """Return the page's passages in order, each text once.

    `sections` are as the clean hop makes them (level, heading, text); without any, the whole text is one.
    """
    plan = plan or PassagePlan()
    found: dict[str, Passage] = {}
    for path, body in _paths(sections) if sections is not None and list(sections) else [("", text)]:
        for stretch, overlap in _stretches(body, plan):
            passage_id = _passage_id(page_id, path, stretch)
            found.setdefault(passage_id, Passage(passage_id, path, f"{overlap}\n{stretch}" if overlap else stretch))
    return list(found.values())


def passages_of(pages: Any, *, page: str, text: str, title: str, sections: str, passage: str) -> Any:
    """Return a pandas frame with a row for each passage, indexed by the row of the page that it is from.

    The arguments name the pages' columns, and the column that the passage's name goes to; `sections` need not be there. The
    title and the headings lead the text, so that a passage from deep within a page still says what it is about. Sizes are the
    contract's, where the engine has told them (`PLAN`).
    """
    import pandas as pd  # noqa: PLC0415  Feast hands its transformations pandas frames; nothing else here needs it

    plan = pages.attrs.get(PLAN)
    kept = [name for name in pages.columns if name not in (text, passage, sections, "section")]
    rows: list[dict[str, Any]] = []
    origins: list[int] = []
    for origin, row in zip(pages.index, pages.to_dict("records"), strict=True):
        for found in split(str(row[page]), row[text] or "", row.get(sections), plan):
            lead = _lead(row[title] or "", found.section)
            whole = f"{lead}\n{found.text}" if lead else found.text
            rows.append({name: row[name] for name in kept} | {passage: found.passage_id, "section": found.section, text: whole})
            origins.append(origin)
    return pd.DataFrame(rows, index=origins, columns=[*kept, passage, "section", text])


def _lead(title: str, section: str) -> str:
    """Return what a passage is about: the title, and the headings unless the first is the title again."""
    return " › ".join(part for part in (title, section) if part) if not section.startswith(title) else section


def _passage_id(page_id: str, path: str, text: str) -> str:
    digest = hashlib.sha256(f"{path}\x1f{text}".encode("utf-8", "surrogatepass")).hexdigest()
    return f"{page_id}#{digest[:16]}"


def _paths(sections: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield (path of headings, text) of each section."""
    above: list[tuple[int, str]] = []
    for section in sections:
        level, heading = int(section["level"] or 0), section["heading"] or ""
        above = [(depth, name) for depth, name in above if depth < level]
        if heading:
            above.append((level, heading))
        yield " › ".join(name for _, name in above), section["text"] or ""


def _stretches(body: str, plan: PassagePlan) -> Iterator[tuple[str, str]]:
    """Yield stretches of at most `plan.tokens`, each with the end of the one before it."""
    pieces = list(_pieces(body, plan.tokens - plan.overlap))
    total = sum(piece.tokens for piece in pieces)
    if total < SHORTEST_TOKENS:
        return
    start, overlap, room = 0, "", plan.tokens
    while start < len(pieces):
        end = _cut(pieces, start, room)
        stretch = "".join(piece.joint + piece.text for piece in pieces[start:end])[len(pieces[start].joint) :]
        yield stretch, overlap
        overlap = _tail(stretch, plan.overlap)
        start, room = end, plan.tokens - plan.overlap


def _cut(pieces: Sequence[_Piece], start: int, room: int) -> int:
    """Return where the stretch that begins at `start` ends: of the ends at least half full, the one whose hash is least."""
    held = 0
    ends: list[int] = []
    for at in range(start, len(pieces)):
        held += pieces[at].tokens
        if held > room and at > start:
            return min(ends or [at], key=lambda end: _order(pieces[end - 1], pieces[end]))
        if held * 2 >= room:
            ends.append(at + 1)
    return len(pieces)


def _order(before: _Piece, after: _Piece) -> tuple[bool, bytes]:
    """Return by what one cut is better than another: between paragraphs rather than within one, then by the words around it."""
    digest = hashlib.sha256(f"{before.text}\x1f{after.text}".encode("utf-8", "surrogatepass")).digest()
    return "\n\n" not in after.joint, digest


def _pieces(body: str, longest: int) -> Iterator[_Piece]:
    """Yield the body's paragraphs; one that is longer than `longest` tokens by lines and sentences; such a one by words."""
    for paragraph in _PARAGRAPH.split(body):
        text = paragraph.strip("\n").rstrip()
        size = tokens_in(text)
        if size <= longest:
            if text.strip():
                yield _Piece(text, size, "\n\n")
            continue
        joint = "\n\n"
        for sentence, following in _sentences(text):
            for part in _words(sentence, longest):
                yield _Piece(part, tokens_in(part), joint)
                joint = " "
            joint = following


def _sentences(text: str) -> Iterator[tuple[str, str]]:
    """Yield each sentence or line, and what joins the next one to it."""
    start = 0
    for end in _SENTENCE_END.finditer(text):
        if text[start : end.start()].strip():
            yield text[start : end.start()].rstrip(), "\n" if "\n" in end[0] else " "
        start = end.end()
    if text[start:].strip():
        yield text[start:].rstrip(), " "


def _words(text: str, longest: int) -> Iterator[str]:
    """Yield the text in parts of at most `longest` tokens, cut between words where there is white space to cut at."""
    spans = [match.span() for match in TOKEN.finditer(text)]
    start = first = 0
    while len(spans) - first > longest:
        end = first + longest
        cut = next((at for at in range(end, first + longest // 2, -1) if text[spans[at][0] - 1].isspace()), end)
        yield text[start : spans[cut][0]].strip()
        start, first = spans[cut][0], cut
    if text[start:].strip():
        yield text[start:].rstrip()


def _tail(text: str, tokens: int) -> str:
    """Return the end of a stretch that the next one begins with: at most so many tokens, from the start of a word."""
    if tokens == 0:
        return ""
    spans = [match.start() for match in TOKEN.finditer(text[-tokens * 40 :])]
    held = text[-tokens * 40 :]
    for start in spans[-tokens:]:
        if start == 0 or held[start - 1].isspace():
            return held[start:].strip()
    return ""
