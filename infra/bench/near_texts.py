"""Labelled near duplicates: what the installed packages say of themselves, and seeded edits of it, similarities counted.

The truth is counted in plain Python, by other code than what is judged: words by a regular expression, shingles as tuples of
words, Jaccard similarity of the sets.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

import pyarrow as pa

from contracts.contract import Contract, Field, NearDuplicatePlan

SHINGLE_WORDS = 3
APART = 0.4
"""Originals are no more similar to one another than this, so that it is known which one an edit is of."""
WORDS_MIN = 30
START = datetime(2030, 1, 1, tzinfo=UTC)

Shingles = frozenset[tuple[str, ...]]

_WORD = re.compile(r"[^\W_]+")
_PIECE = re.compile(r"(\W+)")


@dataclass(frozen=True)
class Corpus:
    """Texts in the order of their event time, originals first; of each edit the place of its original."""

    texts: tuple[str, ...]
    shingles: tuple[Shingles, ...]
    originals: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes of all texts."""
        return sum(len(text.encode()) for text in self.texts)

    def similarity(self, one: int, other: int) -> float:
        """Return the Jaccard similarity of two texts."""
        return jaccard(self.shingles[one], self.shingles[other])


@dataclass(frozen=True)
class Quality:
    """What was found of what was to be found, and how much of what was found is true."""

    recall: float
    precision: float


def shingled(text: str) -> Shingles:
    """Return a text's shingles, by the definition."""
    words = _WORD.findall(text.lower())
    if len(words) < SHINGLE_WORDS:
        return frozenset([tuple(words)] if words else [])
    return frozenset(zip(*(words[step:] for step in range(SHINGLE_WORDS)), strict=False))


def jaccard(one: Shingles, other: Shingles) -> float:
    """Return the Jaccard similarity of two sets."""
    both = len(one & other)
    return both / (len(one) + len(other) - both) if both else 0.0


@cache
def corpus(threshold: float, edits: int, originals: int | None = None, seed: int = 1) -> Corpus:
    """Return documents and `edits` edits of each, by so many words that similarities lie around the threshold and above."""
    chance = random.Random(seed)
    bases = _originals(originals)
    vocabulary = sorted({word for _, shingles in bases for shingle in shingles for word in shingle})
    texts, sets = [text for text, _ in bases], [shingles for _, shingles in bases]
    named = list(range(len(bases)))
    for _ in range(edits):
        for base, (text, shingles) in enumerate(bases):
            wanted = chance.uniform(max(0.05, threshold - 0.25), 1.0)
            count = round(len(shingles) * (1 - wanted) / (1 + wanted) / SHINGLE_WORDS)
            made = edited(text, count, vocabulary, chance)
            texts.append(made)
            sets.append(shingled(made))
            named.append(base)
    return Corpus(tuple(texts), tuple(sets), tuple(named))


def edited(text: str, count: int, vocabulary: Sequence[str], chance: random.Random) -> str:
    """Return the text with `count` words replaced, removed or added, and at times its last paragraphs put first."""
    pieces = _PIECE.split(text)
    places = [at for at in range(0, len(pieces), 2) if pieces[at]]
    for at in chance.sample(places, min(count, len(places))):
        word = chance.choice(vocabulary)
        pieces[at] = chance.choice((word, "", f"{pieces[at]} {word}"))
    made = "".join(pieces)
    if chance.random() < 0.2:
        head, gap, tail = made.rpartition("\n\n")
        made = f"{tail}{gap}{head}" if gap else made
    return made


def contract(threshold: float) -> Contract:
    """Return a contract of texts whose near duplicates are folded."""
    fields = (Field("text", "string"), Field("written_at", "timestamp", required=True))
    plan = NearDuplicatePlan(("text",), threshold)
    return Contract("urn:bench:texts", "bench", "texts", "1.0.0", "0" * 64, fields, "written_at", near_duplicates=plan)


def silver(texts: Sequence[str]) -> pa.Table:
    """Return the texts as silver rows, a second apart."""
    times = [START + timedelta(seconds=at) for at in range(len(texts))]
    return pa.table(
        {
            "text": pa.array(texts, pa.string()),
            "written_at": pa.array(times, pa.timestamp("us", "UTC")),
            "_topic": pa.repeat("bench.texts.raw.v1", len(texts)),
            "_partition": pa.array([0] * len(texts), pa.int32()),
            "_offset": pa.array(range(len(texts)), pa.int64()),
        }
    )


def quality(of: Corpus, threshold: float, pairs: Sequence[tuple[int, int]]) -> Quality:
    """Judge pairs of (text, an earlier one it is said to be a near duplicate of).

    To be found are the edits whose similarity to their original reaches the threshold; a pair is true if its own does.
    """
    wanted = {(at, base) for at, base in enumerate(of.originals) if at != base and of.similarity(at, base) >= threshold}
    found = set(pairs)
    true = [pair for pair in found if of.similarity(*pair) >= threshold]
    return Quality(len(wanted & found) / max(1, len(wanted)), len(true) / max(1, len(found)))


def _originals(count: int | None) -> list[tuple[str, Shingles]]:
    """Return the texts of the installed packages' pages, those left out that are much like an earlier one."""
    from streams.connectors.packages import import_folders, installed_pages

    kept: list[tuple[str, Shingles]] = []
    for page in installed_pages(import_folders()):
        shingles = shingled(page.text)
        if len(shingles) >= WORDS_MIN and all(jaccard(shingles, other) < APART for _, other in kept):
            kept.append((page.text, shingles))
        if len(kept) == count:
            break
    return kept
