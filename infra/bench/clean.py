"""`headwater bench clean`: the clean hop beside a bare consume-and-produce loop, and beside a plain Faust agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from infra.bench import place, records
from infra.bench.frame import Report, interleaved, machine, ratio_of, spread
from infra.settings import Settings

RECORDS = 300_000
FAUST_SHARE = 15
"""The Faust agent is given one in so many of the records: its speed does not hang on how many there are."""
BARE_GOAL, FAUST_GOAL = 0.5, 10.0
RAW, CLEAN, LETTERS = (f"{records.DATASET}.{kind}.v1" for kind in ("raw", "clean", "dlq"))
COPY = "bench.copy"


def run(settings: Settings, rounds: int, count: int | None = None) -> Report:
    """Measure; `count` is how many records each round carries."""
    count = count or RECORDS
    with place.scratch(replace(settings, contracts=(records.CONTRACTS,))) as ours:
        size = place.filled(ours, RAW, 4, count)
        measured = interleaved(
            rounds,
            {
                "hop": lambda number: _hop(ours, number, count),
                "bare": lambda _: _bare(ours),
                "faust": lambda number: _faust(ours, number, max(1, count // FAUST_SHARE)),
            },
        )
    return _report(measured, count, size)


def _hop(settings: Settings, number: int, count: int) -> Mapping[str, Any]:
    """Clean everything from nothing: fresh topics, a fresh ledger."""
    place.emptied(settings, [CLEAN, LETTERS])
    figures = place.measured(replace(settings, home=settings.home / f"hop-{number}"), "clean_drained")
    place.demand("records cleaned", figures["records"], count)
    return figures


def _bare(settings: Settings) -> Mapping[str, Any]:
    place.renewed(settings, {COPY: 4})
    return place.measured(settings, "bare_copy", topic=RAW, into=COPY, batch=settings.batch_records)


def _faust(settings: Settings, number: int, limit: int) -> Mapping[str, Any]:
    place.renewed(settings, {COPY: 4})
    folder = str(settings.home / f"faust-{number}")
    return place.measured(settings, "faust_agent", topic=RAW, into=COPY, limit=limit, folder=folder, group=f"bench-{number}")


def _report(measured: Mapping[str, list[dict[str, float]]], count: int, size: int) -> Report:
    speeds = {side: [figures["records_per_second"] for figures in rounds] for side, rounds in measured.items()}
    return Report(
        "clean",
        {
            "bare": ratio_of(
                "records/s of the clean hop / of a bare consume-and-produce loop", speeds["hop"], speeds["bare"], BARE_GOAL
            ),
            "faust": ratio_of("records/s of the clean hop / of a plain Faust agent", speeds["hop"], speeds["faust"], FAUST_GOAL),
        },
        {
            "records": count,
            "bytes_per_record": round(size / count),
            "records_per_second": {side: spread(values) for side, values in speeds.items()},
            "cpu_us_per_record": {side: spread([f["cpu_us_per_record"] for f in rounds]) for side, rounds in measured.items()},
            "peak_mib": {side: spread([f["peak_bytes"] / 2**20 for f in rounds]) for side, rounds in measured.items()},
        },
        (
            "Each side is a process of its own, on the same broker, one after the other.",
            "Time runs from the first record consumed to the last one acknowledged; on no side does starting the process count.",
            "The bare loop has the hop's own client and settings, keeps each partition, and does nothing to the value.",
        ),
        machine(),
    )
