"""The backfill engine: archived records that no table holds yet, through the clean function, into silver and quarantine.

For tables that are to be made from the archive (they were lost, or the raw topic has expired before a contract was written)
and for stretches that `clean` and `land` never saw. A record that has a fate is left alone: to judge those anew is what
`replay` is for. The clean topic is left alone too, because the clean hop's recovery trusts the order of its end.

1. plan: what bronze has, less what silver and quarantine hold; cut into cells (`streams.backfill`)
2. judge the cells, on whichever engine: nothing is written
3. as parts come: quarantine, then silver, each in one Delta commit with its facts, for the very version that was judged
4. lineage event of each commit, carrying the table version

A crash at any point leaves whole commits; at worst the last one without its event, which the next backfill derives from its
metadata. To recover is to run the same backfill again: the plan then holds only what is left. Run twice, it finds nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from contracts.contract import Contract
from contracts.errors import NotFound
from contracts.records import INGESTED_AT, OFFSET, PARTITION, TOPIC
from lineage.facts import RunRef
from streams.backfill import CELL_RECORDS, Cell, Part, Report, Task, cell_size, cells, lacking, landed, reach_of
from streams.connectors import delta
from streams.connectors.maintenance import extent
from streams.duplicates import Window
from streams.engines.backfill_parts import COLUMNS, Judge, sliced, sorted_cell
from streams.engines.backfill_writer import BackfillWriter
from streams.engines.direct import Stop
from streams.engines.windows import RECORDS_BEFORE
from streams.replay import Selection
from streams.setup import Setup
from streams.topology import backfill_job, bronze_dataset, quarantine_dataset, silver_dataset

READ_BYTES = 32 * 1024 * 1024
"""About so many sealed bytes are read at once by `direct`."""


class PartsOf(Protocol):
    """An engine: judges cells of a bronze table at a version. Parts may come in any order of cells."""

    def __call__(self, bronze: str, table_version: int, cells: Sequence[Cell], size: int, task: Task) -> Iterator[Part]:
        """Yield what the cells' wanted records come to; `size` is the cells' size in offsets."""
        ...


def backfill(
    setup: Setup,
    contract: Contract,
    selection: Selection,
    parts_of: PartsOf,
    stop: Stop,
    *,
    dry_run: bool = False,
    cell_records: int = CELL_RECORDS,
) -> Report:
    """Write what the tables lack of the selected archived records; return what it came to.

    With `dry_run` nothing is judged or written, lineage included. `stop` is asked between parts; what is judged by then is
    committed. Raises NotFound without a bronze table, and CommitConflict where other writers were faster too many times.
    """
    bronze = delta.table_uri(setup.tables, "bronze", contract.domain, contract.name)
    if not delta.exists(bronze):
        remedy = "headwater archive, while the raw topic is there"
        raise NotFound(f"no bronze table of {contract.dataset}", where=bronze, remedy=remedy)
    run = setup.run(backfill_job(contract), "backfill")
    job = _Backfill(setup, contract, run, bronze)
    planned = job.planned(selection, cell_records, make=not dry_run)
    if not dry_run and planned.cells:
        job.fill(parts_of, planned, stop)
    return job.report


class _Planned:
    """What is to be done, at a version of bronze."""

    def __init__(self, table_version: int, cells_: Sequence[Cell], size: int, task: Task) -> None:
        self.table_version, self.cells, self.size, self.task = table_version, cells_, size, task


class _Backfill:
    """One backfill of one dataset."""

    def __init__(self, setup: Setup, contract: Contract, run: RunRef, bronze: str) -> None:
        self.setup, self.contract, self.run, self._bronze = setup, contract, run, bronze
        self._silver = BackfillWriter(setup, contract, "silver", run, bronze)
        self._quarantine = BackfillWriter(setup, contract, "quarantine", run, bronze)
        self._silver.elsewhere, self._quarantine.elsewhere = self._quarantine.learn, self._silver.learn
        self.report = Report()

    def planned(self, selection: Selection, cell_records: int, *, make: bool) -> _Planned:
        """Return what is left to do. With `make`, the tables are made where they are not there, and lost lineage is told."""
        setup, contract = self.setup, self.contract
        if make:
            setup.emitter.close_abandoned(self.run.job, self.run.started_at, setup.alive)
        for writer in (self._silver, self._quarantine):
            if make:
                writer.open()
            elif delta.exists(writer.uri):
                writer.learn()
        held = landed(self._silver.held, self._quarantine.held, contract.raw_topic)
        seen = delta.current_version(self._bronze)
        columns = [TOPIC, PARTITION, OFFSET, INGESTED_AT]
        rows = (pa.Table.from_batches([b]) for b in delta.batches(self._bronze, columns=columns, table_version=seen))
        wanted, selected = lacking(rows, selection, held, contract.raw_topic)
        reach = reach_of(Window.of(contract, setup.limits.duplicate_window), RECORDS_BEFORE)
        size = cell_size(reach, cell_records)
        found = cells(wanted, reach, size)
        left = sum(len(offsets) for offsets in wanted.values())
        self.report.selected, self.report.held, self.report.cells = selected, selected - left, len(found)
        task = Task(contract, wanted, setup.limits.duplicate_window, setup.limits.record_bytes_max)
        return _Planned(seen, found, size, task)

    def fill(self, parts_of: PartsOf, planned: _Planned, stop: Stop) -> None:
        """Judge the cells and commit what they come to."""
        setup, contract = self.setup, self.contract
        outputs = [silver_dataset(contract, setup.servers, self._silver.uri), quarantine_dataset(self._quarantine.uri)]
        setup.emitter.start(self.run, [bronze_dataset(self._bronze)], outputs, instance=setup.instance)
        try:
            for part in parts_of(self._bronze, planned.table_version, planned.cells, planned.size, planned.task):
                self._take(part)
                if self._silver.full or self._quarantine.full:
                    self._commit()
                if stop():
                    self.report.stopped = True
                    break
            self._commit()
        except BaseException as error:
            setup.emitter.finish(self.run, setup.now(), failed=type(error).__name__)
            raise
        setup.emitter.finish(self.run, setup.now())

    def _take(self, part: Part) -> None:
        self._silver.add(part.rows, part)
        self._quarantine.add(part.letters, part)
        report = self.report
        report.judged += part.records
        report.erased += part.erased
        report.rows += part.rows.num_rows
        report.dead_letters.update(part.letters["reason"].to_pylist())

    def _commit(self) -> None:
        """Commit both tables. Between the two a record has the fate that it has, or none yet."""
        self._quarantine.commit()
        self._silver.commit()
        self.report.overtaken = self._quarantine.overtaken + self._silver.overtaken
        self.report.commits = self._quarantine.commits + self._silver.commits


def direct_parts(setup: Setup) -> PartsOf:
    """Return the engine that judges cells in this process, one after the other: what one cell has seen the next one knows."""

    def parts(bronze: str, table_version: int, cells: Sequence[Cell], size: int, task: Task) -> Iterator[Part]:  # noqa: ARG001
        judge = Judge(task, cells, setup.keys, setup.sandbox)
        step = _step(bronze, table_version)
        for place, cell in enumerate(cells):
            for first in range(judge.resumed(cell), cell.last + 1, step):
                rows = _read(bronze, table_version, task.contract.raw_topic, cell, first, min(cell.last, first + step - 1))
                ordered = sorted_cell(rows, place)
                yield from judge.parts(sliced(ordered, setup.limits.batch_records, setup.limits.batch_bytes))

    return parts


def _step(bronze: str, table_version: int) -> int:
    """Return how many offsets to read at once, by the size of the table's rows."""
    rows, size = extent(bronze, table_version)
    return max(1_000, min(CELL_RECORDS, READ_BYTES * max(rows, 1) // max(size, 1)))


def _read(bronze: str, table_version: int, raw_topic: str, cell: Cell, first: int, last: int) -> pa.Table:
    """Return the rows of some offsets of a raw partition. Files and row groups that hold none are not read."""
    here = (pc.field(TOPIC) == raw_topic) & (pc.field(PARTITION) == cell.partition)
    where = here & (pc.field(OFFSET) >= first) & (pc.field(OFFSET) <= last)
    found = list(delta.batches(bronze, columns=COLUMNS, table_version=table_version, where=where))
    if found:
        return pa.Table.from_batches(found)
    held = delta.schema(bronze, table_version)[1]
    return pa.schema([held.field(name) for name in COLUMNS]).empty_table()
