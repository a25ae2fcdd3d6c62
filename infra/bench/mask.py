"""`headwater bench mask`: free-text masking beside Presidio's AnalyzerEngine, quality beside speed.

Both sides look for the same types in the same labelled texts. Ours is timed from texts to masked texts with their entities,
Presidio only until it has found; so the figure is not in our favour.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from infra.bench.frame import Ratio, Report, interleaved, machine, ratio_of, spread
from infra.bench.mask_quality import Quality, quality
from infra.bench.masked_templates import BENCH
from infra.bench.masked_texts import Label, LabelledText, labelled
from infra.settings import Settings
from streams.free_text import masked_documents
from streams.recognise import TYPES, TYPES_WITH_NAMES

TEXTS = 2_000
SEED = 20_260_301
SPEED_GOAL, QUALITY_GOAL = 10.0, 0.0
WARM_TEXTS = 50
KEY = b"k" * 32
"""In place of an installation's secret."""


def run(settings: Settings, rounds: int, count: int | None = None) -> Report:  # noqa: ARG001  every benchmark is called alike
    """Measure; `count` is how many texts there are."""
    from infra.bench import presidio_side

    made = labelled(BENCH, count or TEXTS, SEED)
    texts = [text.text for text in made]
    find = presidio_side.finding(TYPES)
    sides: dict[str, Callable[[Sequence[str]], Any]] = {
        "headwater": lambda some: masked_documents(some, KEY, TYPES),
        "headwater_with_names": lambda some: masked_documents(some, KEY, TYPES_WITH_NAMES),
        "presidio": find,
    }
    measured = interleaved(rounds, {name: _timed(side, texts) for name, side in sides.items()})
    results = find(texts)
    theirs = {
        threshold: quality(made, [presidio_side.spans(found, threshold) for found in results], TYPES)
        for threshold in presidio_side.THRESHOLDS
    }
    best = max(theirs, key=lambda threshold: theirs[threshold].overall(TYPES).f2)
    judged = {"headwater": ours(made), "presidio": theirs[best]}
    return _report(made, measured, judged, best, set(presidio_side.TYPE_OF.values()))


def ours(made: Sequence[LabelledText], types: Sequence[str] = TYPES_WITH_NAMES) -> Quality:
    """Return how well our recognisers find what is labelled."""
    found: list[list[Label]] = [
        [(entity["type"], entity["start"], entity["end"]) for entity in document["entities"]]
        for document in masked_documents([text.text for text in made], KEY, types)
    ]
    return quality(made, found, types)


def _timed(side: Callable[[Sequence[str]], Any], texts: Sequence[str]) -> Callable[[int], Mapping[str, float]]:
    size = sum(len(text.encode()) for text in texts)
    side(texts[:WARM_TEXTS])

    def timed(_round: int) -> Mapping[str, float]:
        began = time.process_time()
        side(texts)
        seconds = time.process_time() - began
        return {"documents_per_second": len(texts) / seconds, "mb_per_second": size / seconds / 1e6}

    return timed


def _report(
    made: Sequence[LabelledText],
    measured: Mapping[str, list[dict[str, float]]],
    judged: Mapping[str, Quality],
    threshold: float,
    presidio_has: set[str],
) -> Report:
    speeds = {side: [figures["documents_per_second"] for figures in rounds] for side, rounds in measured.items()}
    mine, theirs = judged["headwater"].overall(TYPES), judged["presidio"].overall(TYPES)
    return Report(
        "mask",
        {
            "speed": ratio_of(
                "documents/s of headwater, found and masked / of Presidio, found",
                speeds["headwater"],
                speeds["presidio"],
                SPEED_GOAL,
            ),
            "recall": Ratio("recall of headwater less that of Presidio, all types", (mine.recall - theirs.recall,), QUALITY_GOAL),
            "f2": Ratio("F2 of headwater less that of Presidio, all types", (mine.f2 - theirs.f2,), QUALITY_GOAL),
        },
        {
            "texts": len(made),
            "labels": sum(len(text.labels) for text in made),
            "bytes_per_text": round(sum(len(text.text.encode()) for text in made) / len(made)),
            "documents_per_second": {side: spread(values) for side, values in speeds.items()},
            "mb_per_second": {side: spread([f["mb_per_second"] for f in rounds]) for side, rounds in measured.items()},
            "presidio_threshold": threshold,
            "all_types": {side: _figures(held.overall(TYPES)) for side, held in judged.items()},
            "types_that_presidio_has": {side: _figures(held.overall(presidio_has)) for side, held in judged.items()},
            "labels_left_readable": {
                side: sum(count for kind, count in held.leaked.items() if kind in TYPES) for side, held in judged.items()
            },
            "by_type": {kind: _by_side(kind, judged) for kind in TYPES_WITH_NAMES},
        },
        (
            "Per second of processor time. Texts are made from this benchmark's own templates, which no recogniser was changed",
            "for; 3 in 10 hold nothing personal. A label is found if all its letters and digits lie in spans of its type.",
            "Presidio: spacy.blank('en'), its own recognisers of 17 types, our patterns and checks for the others; the threshold",
            "of scores at which its F2 on these very texts is best; contained results dropped as its anonymizer drops them.",
            "Names of persons (person) have no side in Presidio without a language model, and are in no total.",
        ),
        machine(),
    )


def _figures(tally: Any) -> dict[str, float]:
    return {name: round(getattr(tally, name), 4) for name in ("recall", "precision", "f2")}


def _by_side(kind: str, judged: Mapping[str, Quality]) -> dict[str, Any]:
    return {side: _figures(held.by_type[kind]) for side, held in judged.items() if kind in held.by_type}
