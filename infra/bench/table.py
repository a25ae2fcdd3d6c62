"""The benchmarks by name: what each measures, and where it lives. A new one is a line here and a module."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from infra.bench.frame import Report
from infra.settings import Settings

Bench = Callable[[Settings, int, int | None], Report]

BENCHES: dict[str, tuple[str, str]] = {
    "clean": ("infra.bench.clean", "the clean hop beside a bare loop and beside a plain Faust agent"),
    "land": ("infra.bench.land", "the land hop beside bare consumption; commits and files"),
    "checks": ("infra.bench.checks", "what twenty rules add to the clean hop"),
    "backfill": ("infra.bench.backfill", "tables from the archive, on Spark beside direct; small files before and after upkeep"),
    "near-duplicates": ("infra.bench.near_duplicates", "folding beside datasketch; recall and precision"),
    "extract": ("infra.bench.extract", "HTML to main text beside trafilatura: speed and F1"),
    "mask": ("infra.bench.mask", "free-text masking beside Presidio: speed, recall, precision and F2 by type"),
    "online": ("infra.bench.online", "online reads from Redis beside bare HMGETs and Feast's client"),
    "documents": ("infra.bench.documents", "one whole document pass, and where its time goes"),
    "object-store": ("infra.bench.object_store", "tables and ledger in a bucket beside the disk: commits, land, small files"),
    "year": ("infra.bench.year", "a year of flights through clean and land at once; memory"),
}
"""Name -> module with `run(settings, rounds, count) -> Report`, and what it measures."""


def bench(name: str) -> Bench:
    """Load a benchmark."""
    found: Bench = importlib.import_module(BENCHES[name][0]).run
    return found
