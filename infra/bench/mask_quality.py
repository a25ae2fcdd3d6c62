"""How well personal data was found: recall, precision and F2 by type, against labels.

A label counts as found if every letter and digit of it lies in spans of its type: half an address masked is one leaked. A
span counts as right if it overlaps a label of its type. F2 weighs recall four times precision: what is missed is out, what
is masked too much is only a word less.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from infra.bench.masked_texts import Label, LabelledText

BETA_SQUARED = 4


@dataclass
class Tally:
    """Labels found and missed, spans right and wrong."""

    found: int = 0
    missed: int = 0
    right: int = 0
    wrong: int = 0

    def __add__(self, other: Tally) -> Tally:
        """Return both together."""
        return Tally(self.found + other.found, self.missed + other.missed, self.right + other.right, self.wrong + other.wrong)

    @property
    def recall(self) -> float:
        """Of the labels, those that were found."""
        return self.found / max(1, self.found + self.missed)

    @property
    def precision(self) -> float:
        """Of the spans, those that are right."""
        return self.right / max(1, self.right + self.wrong)

    @property
    def f2(self) -> float:
        """The weighted harmonic mean of precision and recall (van Rijsbergen 1979), recall weighing twice."""
        below = BETA_SQUARED * self.precision + self.recall
        return (1 + BETA_SQUARED) * self.precision * self.recall / below if below else 0.0


@dataclass(frozen=True)
class Quality:
    """Tallies by type, and how many labels were left readable by spans of whatever type."""

    by_type: dict[str, Tally] = field(default_factory=dict)
    leaked: Counter[str] = field(default_factory=Counter)

    def overall(self, types: Collection[str]) -> Tally:
        """Return the tally of several types together: each label and span weighs the same."""
        return sum((tally for kind, tally in self.by_type.items() if kind in types), Tally())

    def macro(self, types: Collection[str], figure: str) -> float:
        """Return the mean of a figure over types: each type weighs the same."""
        held = [getattr(self.by_type[kind], figure) for kind in types if kind in self.by_type]
        return float(sum(held) / max(1, len(held)))


def quality(texts: Sequence[LabelledText], found: Iterable[Sequence[Label]], types: Collection[str]) -> Quality:
    """Judge what was found in each text, of the types that were asked for."""
    judged = Quality({kind: Tally() for kind in types})
    for text, spans in zip(texts, found, strict=True):
        labels = [label for label in text.labels if label[0] in types]
        for kind, start, end in labels:
            tally = judged.by_type[kind]
            if _covered(text.text, start, end, [span for span in spans if span[0] == kind]):
                tally.found += 1
            else:
                tally.missed += 1
            judged.leaked[kind] += not _covered(text.text, start, end, spans)
        for kind, start, end in spans:
            tally = judged.by_type[kind]
            if any(other == kind and start < last and first < end for other, first, last in labels):
                tally.right += 1
            else:
                tally.wrong += 1
    return judged


def _covered(text: str, start: int, end: int, spans: Sequence[Label]) -> bool:
    inside = {place for _, first, last in spans for place in range(max(first, start), min(last, end))}
    return all(place in inside for place in range(start, end) if text[place].isalnum())
