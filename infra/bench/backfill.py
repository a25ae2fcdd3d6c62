"""`headwater bench backfill`: tables from the archive on Spark beside `direct`; small files before and after upkeep."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from infra.bench import place, records
from infra.bench.frame import Report, interleaved, machine, ratio_of, spread
from infra.settings import Settings

RECORDS = 200_000
PER_CORE_GOAL = 0.5
SMALL_COMMIT = 2_000
"""Records of a commit in the table of small files: what `land` makes of a slow topic every few seconds."""
FILES_GOAL = 2.0


def run(settings: Settings, rounds: int, count: int | None = None) -> Report:
    """Measure; `count` is how many records are in the archive."""
    count = count or RECORDS
    jars = settings.jars if settings.jars != Path() else settings.broker_home / place.KAFKA_JARS
    with tempfile.TemporaryDirectory(prefix="headwater-bench-") as folder:
        ours = replace(
            settings, home=Path(folder), jars=jars, contracts=(records.CONTRACTS,), openlineage_url="", tables_at="", ledger_at=""
        )
        size = place.measured(ours, "archive_made", count=count)["bytes"]
        digests: set[str] = set()
        measured = interleaved(
            rounds,
            {
                "spark": lambda _: _filled(ours, "spark", count, digests),
                "direct": lambda _: _filled(ours, "direct", count, digests),
            },
        )
        place.demand("different silver tables", len(digests), 1)
        upkeep = [_upkeep(ours) for _ in range(rounds)]
    return _report(measured, upkeep, count, size)


def _filled(settings: Settings, engine: str, count: int, digests: set[str]) -> Mapping[str, Any]:
    """Fill empty tables on one engine, and note what silver came to."""
    from lineage.digest import table_digest
    from streams.connectors import delta

    for layer in ("silver", "quarantine"):
        shutil.rmtree(Path(settings.tables) / layer, ignore_errors=True)
    figures = place.measured(settings, "backfill_side", engine=engine)
    place.demand("records judged", figures["records"], count)
    digests.add(table_digest(delta.read(_silver(settings))))
    return figures


def _silver(settings: Settings) -> str:
    from streams.connectors import delta

    return delta.table_uri(settings.tables, "silver", *records.DATASET.split("."))


def _upkeep(settings: Settings) -> dict[str, Any]:
    """Write silver's rows anew in small commits, and measure it before and after one `table optimize`, plain and by z-order."""
    from streams.connectors import delta, maintenance

    rows = delta.read(_silver(settings))
    uri = f"{settings.tables}/small"
    shutil.rmtree(uri, ignore_errors=True)
    delta.create_if_absent(uri, rows.schema)
    for first in range(0, rows.num_rows, SMALL_COMMIT):
        delta.append(uri, rows.slice(first, SMALL_COMMIT), metadata={})
    told: dict[str, Any] = {"small": _looked_at(uri)}
    for name, order in (("merged", []), ("ordered", ["country", "author"])):
        began = time.perf_counter()
        maintenance.optimized(uri, z_order=order, metadata={"upkeep": "optimize"})
        told[name] = {"optimize_seconds": time.perf_counter() - began, **_looked_at(uri)}
    began = time.perf_counter()
    gone = maintenance.vacuumed(uri, retain_hours=0, keep_versions=[], dry_run=False)
    return told | {"vacuum": {"seconds": time.perf_counter() - began, "files": len(gone)}}


def _looked_at(uri: str) -> dict[str, float]:
    """Return the table's files, and how long it takes to open it and read all rows of three columns, and those of one author."""
    import pyarrow.compute as pc

    from streams.connectors import delta, maintenance

    found = maintenance.files(uri)
    began = time.perf_counter()
    delta.read(uri, columns=["record_id", "happened_at", "amount"])
    read = time.perf_counter()
    sum(batch.num_rows for batch in delta.batches(uri, columns=["amount"], where=pc.field("author") == "program-7"))
    ended = time.perf_counter()
    return {"files": found.files, "bytes": found.size, "read_ms": (read - began) * 1e3, "one_author_ms": (ended - read) * 1e3}


def _report(measured: Mapping[str, list[dict[str, Any]]], upkeep: list[dict[str, Any]], count: int, size: int) -> Report:
    def of(name: str) -> dict[str, list[float]]:
        return {side: [figures[name] for figures in rounds] for side, rounds in measured.items()}

    per_core, wall = of("records_per_cpu_second"), of("records_per_second")
    reads = {state: [told[state]["read_ms"] for told in upkeep] for state in ("small", "merged", "ordered")}
    return Report(
        "backfill",
        {
            "per_core": ratio_of("records per CPU second: Spark / direct", per_core["spark"], per_core["direct"], PER_CORE_GOAL),
            "small_files": ratio_of(
                "ms to read three columns: small files / merged", reads["small"], reads["merged"], FILES_GOAL
            ),
        },
        {
            "records": count,
            "bytes_per_record": round(size / count),
            "records_per_second": {side: spread(values) for side, values in wall.items()},
            "cpu_us_per_record": {side: spread(values) for side, values in of("cpu_us_per_record").items()},
            "start_seconds": {side: spread(values) for side, values in of("start_seconds").items()},
            "table": {
                state: {name: spread([told[state][name] for told in upkeep]) for name in upkeep[0][state]}
                for state in ("small", "merged", "ordered", "vacuum")
            },
        },
        (
            "Each side is a process of its own, one after the other, from an archive of sealed records into empty tables.",
            "CPU time is that of the process and all that it started: Spark's JVM, its Python workers. The start is told apart.",
            "Every round of either side made the same silver table, by its digest: else this would have failed.",
            f"The table of small files has {SMALL_COMMIT:,} records a commit.",
        ),
        machine(),
    )
