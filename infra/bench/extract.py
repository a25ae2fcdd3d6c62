"""`headwater bench extract`: HTML to main text beside trafilatura in its own default mode: speed, and F1 on the same pages."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence

from infra.bench.frame import Ratio, Report, interleaved, machine, ratio_of, spread
from infra.bench.pages import LabelledPage, f1, labelled
from infra.bench.sites import SITES
from infra.settings import Settings

PAGES = 400
SPEED_GOAL, F1_GOAL = 10.0, -0.02
STEPS = ("decode@1", "repair@1", "html@1", "main_content@1")
"""What trafilatura does too: it tells no language unless asked."""

Reader = Callable[[str], str]


def run(settings: Settings, rounds: int, count: int | None = None) -> Report:  # noqa: ARG001  every benchmark is called alike
    """Measure; `count` is how many pages there are."""
    pages = labelled(SITES, count or PAGES)
    sides: dict[str, Reader] = {"headwater": _ours(), "trafilatura": _theirs()}
    measured = interleaved(rounds, {name: _side(read, pages) for name, read in sides.items()})
    found = {name: [read(page.html) for page in pages] for name, read in sides.items()}
    return _report(pages, measured, {name: _quality(texts, pages) for name, texts in found.items()})


def _ours() -> Reader:
    from streams.documents.extract import extracted
    from streams.documents.model import Asked, Document

    def read(page: str) -> str:
        found = extracted(Asked(page, "text/html", None, STEPS))
        return found.text if isinstance(found, Document) else ""

    return read


def _theirs() -> Reader:
    from trafilatura import extract

    def read(page: str) -> str:
        return extract(page) or ""

    return read


def _side(read: Reader, pages: Sequence[LabelledPage]) -> Callable[[int], Mapping[str, float]]:
    size = sum(len(page.html.encode()) for page in pages)
    read(pages[0].html)

    def side(_number: int) -> Mapping[str, float]:
        began = time.process_time()
        for page in pages:
            read(page.html)
        seconds = time.process_time() - began
        return {"pages_per_second": len(pages) / seconds, "mb_per_second": size / seconds / 1e6}

    return side


def _quality(texts: Sequence[str], pages: Sequence[LabelledPage]) -> dict[str, float]:
    """Return the mean F1, over all pages and by site."""
    scores = [f1(text, page.document) for text, page in zip(texts, pages, strict=True)]
    sites = sorted({page.site for page in pages})
    by_site = {site: [score for score, page in zip(scores, pages, strict=True) if page.site == site] for site in sites}
    return {"all": round(statistics.mean(scores), 4)} | {site: round(statistics.mean(held), 4) for site, held in by_site.items()}


def _report(
    pages: Sequence[LabelledPage], measured: Mapping[str, list[dict[str, float]]], quality: Mapping[str, Mapping[str, float]]
) -> Report:
    speeds = {side: [figures["pages_per_second"] for figures in rounds] for side, rounds in measured.items()}
    difference = quality["headwater"]["all"] - quality["trafilatura"]["all"]
    return Report(
        "extract",
        {
            "speed": ratio_of("pages/s of headwater / of trafilatura", speeds["headwater"], speeds["trafilatura"], SPEED_GOAL),
            "f1": Ratio("mean F1 of headwater less that of trafilatura", (difference,), F1_GOAL),
        },
        {
            "pages": len(pages),
            "bytes_per_page": round(sum(len(page.html.encode()) for page in pages) / len(pages)),
            "pages_per_second": {side: spread(values) for side, values in speeds.items()},
            "mb_per_second": {side: spread([f["mb_per_second"] for f in rounds]) for side, rounds in measured.items()},
            "f1": {side: dict(scores) for side, scores in quality.items()},
        },
        (
            "Per second of processor time, one core; each side reads every page in each round.",
            "Pages: READMEs of installed packages, rendered, in eight made-up sites; the label is the rendered README's text.",
            "F1 is over words as often as each occurs, then the mean over pages. Readers' remarks are no part of the document;",
            "trafilatura's default mode keeps those that it takes for comments.",
        ),
        machine(),
    )
