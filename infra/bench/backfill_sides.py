"""The backfill benchmark's sides: bronze filled once, then emptied tables filled from it, by either engine."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from infra.bench import records
from infra.memory import return_freed_memory
from infra.settings import Settings

BATCH = 5_000
PARTITIONS = 4


def archive_made(settings: Settings, count: int) -> dict[str, Any]:
    """Seal `count` of the benchmarks' records into bronze, spread over four partitions, as the archive hop does."""
    import pyarrow as pa

    from contracts.keys import SUBJECT_SECRET
    from infra.wiring import one, setup
    from streams.archive import bronze_rows
    from streams.batches import ARCHIVE_SCHEMA
    from streams.connectors.kafka import Slot
    from streams.engines.writer import TableWriter
    from streams.sealed import subjects
    from streams.topology import archive_job

    contract = one(settings, records.DATASET)
    given = setup(settings, [contract])
    writer = TableWriter(given, contract, "bronze", given.run(archive_job(contract), "archive"))
    writer.open()
    values = list(records.values(count))
    for partition in range(PARTITIONS):
        mine = values[partition::PARTITIONS]
        for first in range(0, len(mine), BATCH):
            some = mine[first : first + BATCH]
            offsets = list(range(first, first + len(some)))
            columns = [
                [partition] * len(some),
                offsets,
                [1_357_020_000_000] * len(some),
                [None] * len(some),
                some,
                [None] * len(some),
            ]
            batch = pa.record_batch(
                [pa.array(c, f.type) for c, f in zip(columns, ARCHIVE_SCHEMA, strict=True)], schema=ARCHIVE_SCHEMA
            )
            named = subjects(batch, contract, given.keys.secret(SUBJECT_SECRET))
            rows = bronze_rows(batch, named, given.keys.data_keys(named), contract)
            span = {Slot(contract.raw_topic, partition): (offsets[0], offsets[-1])}
            writer.buffer.add(rows, span, records=len(some), size=rows.nbytes, repeated=0)
            writer.commit()
    return {"records": count, "bytes": sum(map(len, values))}


def backfill_side(settings: Settings, engine: str) -> dict[str, Any]:
    """Fill silver and quarantine from bronze; tell records, wall time, and CPU time of this process and all that it started."""
    from contextlib import ExitStack
    from functools import partial

    from infra.spark.place import opened, place
    from infra.wiring import one, setup
    from streams.engines.backfill import backfill, direct_parts
    from streams.replay import Selection

    return_freed_memory()
    contract = one(settings, records.DATASET)
    given = setup(settings, [contract], engine=engine)
    given.keys.secret("masking")
    began = time.perf_counter()
    with ExitStack() as stack:
        if engine == "spark":
            from streams.connectors.spark import session
            from streams.engines.backfill_spark import spark_parts

            spark = stack.enter_context(session(place(settings, lambda _: None)))
            parts_of = spark_parts(spark, partial(opened, str(settings.key_store)), given.limits)
        else:
            parts_of = direct_parts(given)
        started, cpu = time.perf_counter(), tree_cpu_seconds()
        report = backfill(given, contract, Selection("bronze"), parts_of, lambda: False)
        ended, used = time.perf_counter(), tree_cpu_seconds() - cpu
        return {
            "records": report.judged,
            "start_seconds": started - began,
            "seconds": ended - started,
            "records_per_second": report.judged / (ended - started),
            "records_per_cpu_second": report.judged / used,
            "cpu_us_per_record": used / report.judged * 1e6,
        }


def tree_cpu_seconds() -> float:
    """Return the CPU time of this process, its living descendants, and those of them that have ended (Linux)."""
    told: dict[int, tuple[int, int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text("utf-8", "replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        told[int(stat.parent.name)] = (int(fields[1]), sum(int(fields[at]) for at in (11, 12, 13, 14)))
    mine, found = {os.getpid()}, -1
    while found != len(mine):
        found = len(mine)
        mine |= {pid for pid, (parent, _) in told.items() if parent in mine}
    return sum(told[pid][1] for pid in mine if pid in told) / os.sysconf("SC_CLK_TCK")
