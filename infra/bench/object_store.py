"""`headwater bench object-store`: tables and ledger in a bucket beside the same on the disk; small files before and after.

The bucket is on a server of this machine, which shares its cores: no network is measured, and the server's work is.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from infra.bench import place, records
from infra.bench.frame import Report, interleaved, machine, percentile, ratio_of, spread
from infra.bench.object_server import OWN, make_bucket, object_server
from infra.settings import Settings
from infra.wiring import ledger, reach_stores
from lineage.names import derived_id
from lineage.places import Access
from streams.connectors import delta, maintenance

RECORDS = 100_000
COMMITS = 40
ROWS_A_COMMIT = 1_000
EVENTS = 100
EVENT_BYTES = 6_500
OWNER = Access(access_key_id="bench", secret_access_key="of-its-own-server")  # noqa: S106  gone with the benchmark
RAW = f"{records.DATASET}.raw.v1"
COMMIT_GOAL, LAND_GOAL = 0.5, 0.8
"""Goals of our own: half the disk's rate of small commits, and land hardly slower, since it fetches on while it commits."""

Figures = dict[str, Any]


def run(settings: Settings, rounds: int, count: int | None = None) -> Report:
    """Measure; `count` is how many records `land` carries each round, and a tenth of it is the most commits."""
    count = count or RECORDS
    with (
        tempfile.TemporaryDirectory(prefix="headwater-bench-s3-") as folder,
        object_server(Path(folder), {"own": (OWNER, OWN)}) as at,
    ):
        access = replace(OWNER, endpoint=at)
        bucket = make_bucket(access, "bench")
        with place.scratch(replace(settings, contracts=(records.CONTRACTS,))) as ours:
            place.filled(ours, RAW, 4, count)
            cleaned = place.measured(replace(ours, home=ours.home / "clean"), "clean_drained")
            place.demand("records cleaned", cleaned["records"], count)
            sides = {"disk": ours, "bucket": _on(ours, bucket, access)}
            measured = interleaved(rounds, {name: partial(_side, each, count) for name, each in sides.items()})
    return _report(measured, count)


def _on(settings: Settings, bucket: str, access: Access) -> Settings:
    """Return settings whose tables and ledger stand in a bucket; rounds add a name of their own."""
    reached = {"endpoint": access.endpoint, "access_key_id": access.access_key_id, "secret_access_key": access.secret_access_key}
    return replace(settings, tables_at=bucket, ledger_at=bucket, s3=MappingProxyType(reached))


def _side(settings: Settings, count: int, number: int) -> Mapping[str, Any]:
    """Measure one side of a round: small commits, their files, ledger appends, and the land hop, from nothing."""
    home = settings.home / f"round-{number}{'-bucket' if settings.tables_at else ''}"
    ours = replace(settings, home=home)
    if settings.tables_at:
        ours = replace(ours, tables_at=f"{settings.tables_at}/{number}/tables", ledger_at=f"{settings.tables_at}/{number}/ledger")
    reach_stores(ours)
    figures = _commits(ours, min(COMMITS, max(2, count // 10))) | _told(ours)
    landed = place.measured(ours, "land_drained")
    place.demand("records landed", landed["records"], count)
    reach_stores(settings)
    return figures | {"land": landed}


def _commits(settings: Settings, commits: int) -> Figures:
    """Append little by little, as a quiet topic makes `land` do; read the table; compact it; read it again."""
    uri = delta.table_uri(settings.tables, "silver", "bench", "small")
    rows = pa.table({"n": pa.array(range(ROWS_A_COMMIT), pa.int64()), "t": [f"text {n}" for n in range(ROWS_A_COMMIT)]})
    delta.create_if_absent(uri, rows.schema)
    seconds = []
    for number in range(commits):
        began = time.perf_counter()
        seen, _ = delta.progress(uri, ["bench"])
        delta.append(uri, rows, metadata={"n": str(number)}, transactions={"bench": number}, after=seen)
        seconds.append(time.perf_counter() - began)
    small, reading = maintenance.file_sizes(uri), _reading(uri, commits * ROWS_A_COMMIT)
    began = time.perf_counter()
    delta.compact(uri, metadata={})
    compaction = time.perf_counter() - began
    return {
        "commit_seconds": seconds,
        "commits_per_second": commits / sum(seconds),
        "files": len(small),
        "files_compacted": len(maintenance.file_sizes(uri)),
        "read_seconds": reading,
        "read_compacted_seconds": _reading(uri, commits * ROWS_A_COMMIT),
        "compaction_seconds": compaction,
    }


def _reading(uri: str, rows: int) -> float:
    began = time.perf_counter()
    place.demand("rows read", delta.read(uri).num_rows, rows)
    return time.perf_counter() - began


def _told(settings: Settings) -> Figures:
    """Append events to the ledger one by one, as commits do, and read all of them back as a fresh process would."""
    told = ledger(settings)
    events = [(derived_id("bench", number), {"number": number, "text": "x" * EVENT_BYTES}) for number in range(EVENTS)]
    began = time.perf_counter()
    for event_id, event in events:
        told.append(event_id, event)
    appended = time.perf_counter() - began
    began = time.perf_counter()
    place.demand("events read", sum(1 for _ in ledger(settings).events()), EVENTS)
    return {"appends_per_second": EVENTS / appended, "events_read_per_second": EVENTS / (time.perf_counter() - began)}


def _report(measured: Mapping[str, list[Figures]], count: int) -> Report:
    def of(name: str) -> dict[str, list[float]]:
        return {side: [figures[name] for figures in rounds] for side, rounds in measured.items()}

    def spreads(name: str) -> dict[str, dict[str, float]]:
        return {side: spread(values) for side, values in of(name).items()}

    landed = {side: [figures["land"]["records_per_second"] for figures in rounds] for side, rounds in measured.items()}
    commits = of("commits_per_second")
    milliseconds = {
        side: [second * 1000 for figures in rounds for second in figures["commit_seconds"]] for side, rounds in measured.items()
    }
    return Report(
        "object-store",
        {
            "commits": ratio_of("small commits/s to a bucket / to the disk", commits["bucket"], commits["disk"], COMMIT_GOAL),
            "land": ratio_of("records/s of the land hop to a bucket / to the disk", landed["bucket"], landed["disk"], LAND_GOAL),
        },
        {
            "records_landed": count,
            "land_records_per_second": {side: spread(values) for side, values in landed.items()},
            "commits_per_second": spreads("commits_per_second"),
            "commit_ms": {
                side: {"p50": round(percentile(values, 0.5), 1), "p99": round(percentile(values, 0.99), 1)}
                for side, values in milliseconds.items()
            },
            "files_of_small_commits": {side: rounds[0]["files"] for side, rounds in measured.items()},
            "files_compacted": {side: rounds[0]["files_compacted"] for side, rounds in measured.items()},
            "read_small_files_seconds": spreads("read_seconds"),
            "read_compacted_seconds": spreads("read_compacted_seconds"),
            "compaction_seconds": spreads("compaction_seconds"),
            "ledger_appends_per_second": spreads("appends_per_second"),
            "ledger_events_read_per_second": spreads("events_read_per_second"),
        },
        (
            f"A small commit: {ROWS_A_COMMIT:,} rows and their progress, the table opened by its address, as land does.",
            f"Ledger: {EVENTS} events of {EVENT_BYTES / 1000:.1f} KB, an append each: an fsync on the disk, a put in the bucket.",
            "The object store is a SeaweedFS on this machine and takes its share of the cores; no network is between.",
            "Land is a process of its own each time; fetching goes on while a commit is under way.",
        ),
        machine(),
    )
