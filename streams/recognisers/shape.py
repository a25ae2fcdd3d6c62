"""The shapes of recognition: what is recognised, and how it is found in linear time.

A `Recogniser` is a kind of personal data. A `Finder` is one look at a column of texts, for one kind or several: gates that
almost no clean text passes, a pattern that marks candidates, and a judge that says which of them are real.

Patterns are Rust's regular expressions, which run in linear time whatever they are fed, and have no look-around. They are
few, and each is one alternation and not several patterns, because Polars keeps 32 compiled ones and no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

Found = tuple[int, int, str]
"""First character of an entity in its candidate, the one behind the last, and the entity's type."""

Judge = Callable[[str], Iterable[Found]]

EDGE = r"(?-u:\b)"
"""Where a word of ASCII ends. Unicode's own `\\b` makes the engine slow on text that is not ASCII."""

START = r"(?:^|[^0-9A-Za-z_])"
"""What stands before a word of ASCII. Where digits are frequent this is ten times as fast as `EDGE` before a digit."""

UUID = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
"""A candidate that no judge takes (RFC 9562): so that no number begins in one whose groups chance gave no letters."""

DIGIT = "[0-9]"
"""The first gate of every number: texts without one are told apart at gigabytes per second."""


@dataclass(frozen=True)
class Recogniser:
    """One kind of personal data."""

    type: str
    """Lower case and `_`: as placeholders and lineage say it."""
    version: int
    """Raised with every change of what is found: lineage says which one masked a text."""
    normal: Callable[[str], str] = str
    """The form in which two spellings of one value are equal: they get one placeholder."""


@dataclass(frozen=True)
class Finder:
    """One look at a column of texts.

    `pattern` has a group `hit` (in other branches `hit2`, `hit3`); what must stand around it may be in groups `pre` and
    `post`. No hit has a `<` or `>`, so none reaches into a placeholder or across one: what is masked stays as it is.
    """

    types: tuple[str, ...]
    """What it may find; the first is what it finds where there is no judge."""
    gates: tuple[str, ...]
    """Patterns that every text with a match has, the cheapest first."""
    pattern: str
    judge: Judge | None = None
    """None: every candidate is real."""


def letters_and_digits(text: str) -> str:
    """Return a number or code without what groups it, in upper case."""
    return "".join(character for character in text if character.isalnum()).upper()


def digits_of(text: str) -> str:
    """Return the ASCII digits of a text."""
    return "".join(character for character in text if character in "0123456789")


def whole(kind: str, real: Callable[[str], bool]) -> Judge:
    """Return a judge that takes a candidate whole or not at all."""

    def judge(candidate: str) -> Iterable[Found]:
        return ((0, len(candidate), kind),) if real(candidate) else ()

    return judge
