"""What a scan finds: personal data in clear in texts of any origin, told by place, type and count, and never by value.

Readers of files, tables and topics give pieces; the recognisers that mask the stream judge them. So whatever the stream
would have masked is found, wherever it got to, and nothing else is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import polars as pl

Entities = Callable[[pl.Series], pl.DataFrame]
"""Recognisers: from texts to `row`, `type`, `start`, `end` of each entity (`streams.recognise`)."""


@dataclass(frozen=True)
class Piece:
    """Texts of one place, and how to say where in it each one stands."""

    place: str
    """A file, a table, a topic."""
    field: str
    """A column, `key`, `value` or a header's name; empty for a file's own text."""
    texts: pl.Series
    where: Callable[[int, int], str]
    """From a text's row and the entity's start in it to words: `line 12`, `offset 3 of partition 0`."""


@dataclass(frozen=True)
class Finding:
    """One type of personal data in one place."""

    place: str
    field: str
    type: str
    count: int
    first: str
    """Where in the place the first one stands."""

    def as_json(self) -> dict[str, str | int]:
        """Return it as `headwater scan --json` prints it."""
        return {"place": self.place, "field": self.field, "type": self.type, "count": self.count, "first": self.first}


@dataclass
class Scan:
    """What was looked at so far, and what was found. Filled piece by piece, so that no place must fit in memory."""

    entities: Entities
    texts: int = 0
    characters: int = 0
    places: set[str] = field(default_factory=set)
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    firsts: dict[tuple[str, str, str], str] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    """Places that could not be read, and why: a scan with any of them has not shown that nothing is there."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Places that were not to be read, and why."""

    def look(self, pieces: Iterable[Piece]) -> None:
        """Look at every piece."""
        for piece in pieces:
            self.places.add(piece.place)
            self.texts += len(piece.texts)
            self.characters += int(piece.texts.str.len_chars().sum() or 0)
            found = self.entities(piece.texts)
            if found.height:
                self._note(piece, found)

    def _note(self, piece: Piece, found: pl.DataFrame) -> None:
        firsts = found.sort("row", "start").group_by("type", maintain_order=True)
        for kind, count, row, start in firsts.agg(
            pl.len(), pl.col("row").first().alias("at"), pl.col("start").first().alias("from")
        ).iter_rows():
            key = (piece.place, piece.field, str(kind))
            self.counts[key] += count
            self.firsts.setdefault(key, piece.where(int(row), int(start)))

    @property
    def findings(self) -> list[Finding]:
        """What was found, by place, field and type."""
        return [Finding(*key, count, self.firsts[key]) for key, count in sorted(self.counts.items())]

    @property
    def clear(self) -> bool:
        """Whether everything was read, and nothing found."""
        return not self.counts and not self.unread

    def as_json(self) -> dict[str, object]:
        """Return the scan as `headwater scan --json` prints it."""
        return {
            "clear": self.clear,
            "places": len(self.places),
            "texts": self.texts,
            "characters": self.characters,
            "found": sum(self.counts.values()),
            "findings": [finding.as_json() for finding in self.findings],
            "unread": dict(sorted(self.unread.items())),
            "left_out": dict(sorted(self.left_out.items())),
        }
