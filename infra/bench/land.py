"""`headwater bench land`: the land hop beside bare batch consumption of the same clean topic; its commits and its files."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from infra.bench import place, records
from infra.bench.frame import Report, interleaved, machine, percentile, ratio_of, spread
from infra.settings import Settings

RECORDS = 300_000
BARE_GOAL = 0.5
RAW, CLEAN = (f"{records.DATASET}.{kind}.v1" for kind in ("raw", "clean"))


def run(settings: Settings, rounds: int, count: int | None = None) -> Report:
    """Measure; `count` is how many records each round carries."""
    count = count or RECORDS
    with place.scratch(replace(settings, contracts=(records.CONTRACTS,))) as ours:
        place.filled(ours, RAW, 4, count)
        cleaned = place.measured(replace(ours, home=ours.home / "clean"), "clean_drained")
        place.demand("records cleaned", cleaned["records"], count)
        tables: list[dict[str, Any]] = []
        measured = interleaved(
            rounds,
            {
                "hop": lambda number: _hop(ours, number, count, tables),
                "bare": lambda _: place.measured(ours, "bare_consume", topic=CLEAN, batch=ours.batch_records),
            },
        )
    return _report(measured, count, tables)


def _hop(settings: Settings, number: int, count: int, tables: list[dict[str, Any]]) -> Mapping[str, Any]:
    """Land everything from nothing: fresh tables, a fresh ledger. Then see what the files are like."""
    ours = replace(settings, home=settings.home / f"hop-{number}")
    figures = place.measured(ours, "land_drained")
    place.demand("records landed", figures["records"], count)
    tables.append(_files(ours))
    return figures


def _files(settings: Settings) -> dict[str, Any]:
    """Return the silver table's files as the hop left them, and after one compaction more."""
    from streams.connectors import delta, maintenance

    uri = delta.table_uri(settings.tables, "silver", *records.DATASET.split("."))
    before = maintenance.file_sizes(uri)
    began = time.perf_counter()
    delta.compact(uri, metadata={})
    return {"before": before, "after": maintenance.file_sizes(uri), "seconds": time.perf_counter() - began}


def _report(measured: Mapping[str, list[dict[str, Any]]], count: int, tables: list[dict[str, Any]]) -> Report:
    speeds = {side: [figures["records_per_second"] for figures in rounds] for side, rounds in measured.items()}
    commits = [seconds * 1000 for figures in measured["hop"] for seconds in figures["commit_seconds"]]
    before, after = ([size for table in tables for size in table[when]] for when in ("before", "after"))
    return Report(
        "land",
        {"bare": ratio_of("records/s of the land hop / of bare batch consumption", speeds["hop"], speeds["bare"], BARE_GOAL)},
        {
            "records": count,
            "records_per_second": {side: spread(values) for side, values in speeds.items()},
            "cpu_us_per_record": {side: spread([f["cpu_us_per_record"] for f in rounds]) for side, rounds in measured.items()},
            "peak_mib": {side: spread([f["peak_bytes"] / 2**20 for f in rounds]) for side, rounds in measured.items()},
            "commit_ms": {
                "p50": round(percentile(commits, 0.5)),
                "p99": round(percentile(commits, 0.99)),
                "commits": len(commits),
            },
            "files_per_table": {"as_landed": len(before) / len(tables), "compacted": len(after) / len(tables)},
            "bytes_per_file": {"as_landed": spread(before), "compacted": spread(after)},
            "compaction_seconds": spread([table["seconds"] for table in tables]),
        },
        (
            "Each side is a process of its own, on the same broker, one after the other.",
            "Time runs from the first record consumed to the last commit made and told; starting the process is left out.",
        ),
        machine(),
    )
