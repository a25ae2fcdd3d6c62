"""Judge archived rows cell by cell: unseal, clean, seal the dead letters. The same on every engine, wherever it runs.

Keys are asked for once a batch, where the work is done, of a key store that was opened there: no key travels with the task.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from contracts.keys import KeyStore
from contracts.records import BRONZE_SCHEMA, INGESTED_AT, KEY_ID, KNOWN_AT, OFFSET, PARTITION, RECORD_SCHEMA
from streams.backfill import Cell, Part, Task
from streams.bronze import RawRecord, of_bronze
from streams.clean import CleanState, process_batch, remembered
from streams.documents.model import Sandbox
from streams.engines.vault import with_payloads
from streams.intervals import IntervalSet
from streams.replay import raw_batch, within

CELL = "cell"
"""Column of the rows that are judged, never of a table: which of the task's cells a row is for."""
COLUMNS = tuple(name for name in BRONZE_SCHEMA.names if name not in (INGESTED_AT, KNOWN_AT, "_contract_hash"))
"""What is read of bronze."""

_NOTHING = pa.RecordBatch.from_pylist([], schema=RECORD_SCHEMA)


class Judge:
    """Judges rows of bronze that come cell by cell, each cell's by offset. Not for several threads at once."""

    def __init__(self, task: Task, cells: Sequence[Cell], keys: KeyStore, sandbox: Sandbox | None) -> None:
        self._task, self._cells, self._keys, self._sandbox = task, cells, keys, sandbox
        self._partition, self._next = -1, 0
        """The partition that the state is of, and the offset behind the last one that it has seen."""
        self._state = self._fresh()

    def resumed(self, cell: Cell) -> int:
        """Return the first offset whose row the cell still needs: what the cell before it has seen is known already."""
        return max(cell.start, self._next) if self._continues(cell) else cell.start

    def parts(self, tables: Iterable[pa.Table]) -> Iterator[Part]:
        """Yield what the wanted records come to, batch by batch. Rows have COLUMNS and CELL; nothing is held back."""
        for table in tables:
            numbers = table[CELL].to_numpy()
            edges = np.flatnonzero(np.diff(numbers)) + 1
            for start, end in zip([0, *edges.tolist()], [*edges.tolist(), len(numbers)], strict=True):
                if end > start:
                    yield from self._of_cell(self._cells[int(numbers[start])], table.slice(start, end - start))

    def _of_cell(self, cell: Cell, rows: pa.Table) -> Iterator[Part]:
        began = time.perf_counter()
        if not self._continues(cell):
            self._partition, self._next, self._state = cell.partition, cell.start, self._fresh()
        offsets = rows[OFFSET].to_numpy()
        new = offsets >= self._next
        if not new.any():
            return
        self._next = int(offsets[-1]) + 1
        records = self._read(rows if new.all() else rows.filter(pa.array(new)))
        wanted = self._wanted(cell, records)
        kept = [record for record in records if record.state == "kept"]
        batch = raw_batch(kept) if kept else _NOTHING
        known = sum(record.offset < cell.first for record in kept) if wanted.any() else len(kept)
        if known:
            remembered(batch.slice(0, known), self._state, self._task.contract)
        if wanted.any():
            erased = sum(record.state != "kept" and bool(asked) for record, asked in zip(records, wanted, strict=True))
            spots = [record.offset for record, asked in zip(records, wanted, strict=True) if asked]
            yield self._judged(batch.slice(known), spots, erased, began)

    def _judged(self, batch: pa.RecordBatch, spots: Sequence[int], erased: int, began: float) -> Part:
        """Return what the batch comes to, of the wanted records alone; all of it goes into the state."""
        contract = self._task.contract
        outcome = process_batch(batch, self._state, contract)
        self._state = outcome.state
        wanted = {self._partition: self._task.wanted[self._partition]}
        rows, letters = (table.filter(pa.array(within(table, wanted))) for table in (outcome.rows, outcome.dead_letters))
        sealed = with_payloads(letters, batch, contract, self._keys)
        seconds = time.perf_counter() - began
        return Part(rows, sealed, self._partition, spots[0], spots[-1], len(spots) - erased, erased, seconds)

    def _read(self, rows: pa.Table) -> list[RawRecord]:
        keys = self._keys.found({key_id for key_id in rows[KEY_ID].to_pylist() if key_id is not None})
        return list(of_bronze(rows, keys))

    def _wanted(self, cell: Cell, records: Sequence[RawRecord]) -> np.ndarray:
        """Say of each record whether this cell is to judge it: one before the cell may be wanted too, of another cell."""
        wanted = self._task.wanted.get(self._partition, IntervalSet())
        offsets = np.array([record.offset for record in records], np.int64)
        return wanted.contains(offsets) & (offsets >= cell.first)

    def _continues(self, cell: Cell) -> bool:
        return cell.partition == self._partition and cell.start <= self._next <= cell.last + 1

    def _fresh(self) -> CleanState:
        masking_key = self._keys.secret("masking")
        return CleanState({}, self._task.duplicate_window, self._task.record_bytes_max, self._sandbox, masking_key=masking_key)


def sliced(table: pa.Table, records: int, size: int) -> Iterator[pa.Table]:
    """Yield a table in pieces of so many rows, and of about so many bytes, in order."""
    rows = min(records, max(1, int(size * table.num_rows / max(table.nbytes, 1)))) if table.num_rows else 1
    for start in range(0, table.num_rows, rows):
        yield table.slice(start, rows)


def sorted_cell(rows: pa.Table, place: int) -> pa.Table:
    """Return a cell's rows in the order of their offsets, with their CELL."""
    ordered = rows.sort_by([(PARTITION, "ascending"), (OFFSET, "ascending")])
    return ordered.append_column(CELL, pa.repeat(pa.scalar(place, pa.int32()), ordered.num_rows))
