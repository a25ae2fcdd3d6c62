"""Backfill on Spark: cells are judged side by side by `mapInArrow` over bronze; this process commits what they come to.

Executors read bronze, unseal, clean, and seal dead letters; they write nothing. Their results are Arrow, compressed, on their
own disks, until this process has committed them with delta-rs, as `land` would: one writer, one protocol, and a table that
every reader reads. Cells go in waves, so that a backfill which is stopped keeps what its earlier waves came to.

No key travels with the work. `opened` is called on the executor, once a partition, and opens the key store there: in local
mode the same file; on a cluster a store that the executors reach, with credentials of their own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from contracts.keys import KeyStore
from streams.backfill import Cell, Part, Task
from streams.connectors import spark as connector
from streams.documents.model import Sandbox
from streams.engines.backfill import PartsOf
from streams.engines.backfill_parts import CELL, COLUMNS, Judge
from streams.setup import Limits

WAVE_CELLS_PER_CORE = 8
"""Cells of a wave: enough that the cores end it at about one time, few enough that a killed backfill loses little."""
SCHEMA = "rows binary, letters binary, told string"
_COMPRESSED = pa.ipc.IpcWriteOptions(compression="zstd")


class Closing(Sandbox, Protocol):
    """A sandbox whose children can be ended."""

    def close(self) -> None:
        """End the children."""
        ...


@dataclass(frozen=True)
class Work:
    """What an executor is given: the task, its cells, and how to open keys and sandbox there."""

    task: Task
    cells: tuple[Cell, ...]
    opened: Callable[[], tuple[KeyStore, Closing]]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield what the rows of one Spark partition come to, one row a part."""
        keys, sandbox = self.opened()
        try:
            judge = Judge(self.task, self.cells, keys, sandbox)
            for part in judge.parts(pa.Table.from_batches([batch]) for batch in batches):
                yield pa.RecordBatch.from_pylist([_packed(part)])
        finally:
            sandbox.close()


def spark_parts(spark: connector.Session, opened: Callable[[], tuple[KeyStore, Closing]], limits: Limits) -> PartsOf:
    """Return the engine that judges cells on a Spark session. Every cell is judged apart: none knows what another has seen."""
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(limits.batch_records))
    spark.conf.set("spark.sql.execution.arrow.maxBytesPerBatch", str(limits.batch_bytes))

    def parts(bronze: str, table_version: int, cells: Sequence[Cell], size: int, task: Task) -> Iterator[Part]:
        wave = WAVE_CELLS_PER_CORE * spark.sparkContext.defaultParallelism
        for first in range(0, len(cells), wave):
            now = tuple(cells[first : first + wave])
            groups = [(place, c.partition, c.number, c.start, c.last) for place, c in enumerate(now)]
            ranges = connector.Ranges(task.contract.raw_topic, size, groups)
            rows = connector.grouped(spark, bronze, table_version, COLUMNS, ranges, group=CELL)
            for row in connector.mapped(rows, Work(task, now, opened), SCHEMA):
                yield _unpacked(row)

    return parts


def _packed(part: Part) -> dict[str, Any]:
    told = {
        "partition": part.partition,
        "first_offset": part.first_offset,
        "last_offset": part.last_offset,
        "records": part.records,
        "erased": part.erased,
        "seconds": part.seconds,
    }
    return {"rows": _arrow(part.rows), "letters": _arrow(part.letters), "told": json.dumps(told)}


def _unpacked(row: dict[str, Any]) -> Part:
    rows, letters = (pa.ipc.open_stream(pa.py_buffer(bytes(row[name]))).read_all() for name in ("rows", "letters"))
    return Part(rows, letters, **json.loads(row["told"]))


def _arrow(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=_COMPRESSED) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())
