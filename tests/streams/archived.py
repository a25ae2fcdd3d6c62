"""One dataset without a broker: bronze filled as the archive hop fills it, and tables as clean and land fill them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from contracts.contract import Contract
from contracts.keys import SUBJECT_SECRET
from infra.settings import Settings
from infra.wiring import emitter, key_store
from lineage.digest import table_digest
from streams.archive import bronze_rows
from streams.batches import ARCHIVE_SCHEMA
from streams.clean import process_batch
from streams.connectors import delta
from streams.connectors.kafka import Slot
from streams.engines.cleaner import fresh_state
from streams.engines.vault import with_payloads
from streams.engines.writer import Layer, TableWriter
from streams.outcome import Outcome, offset_ranges
from streams.sealed import subjects
from streams.setup import Limits, Setup
from streams.topology import archive_job, land_job
from tests.streams.made import SENT_AT_MS, records_of

Log = Mapping[int, Sequence[bytes | None]]
"""Values by raw partition."""


@dataclass
class Archived:
    """The tables of one contract at one place, and what an undisturbed run would make of its log."""

    settings: Settings
    setup: Setup
    contract: Contract

    @staticmethod
    def at(settings: Settings, contract: Contract, *, window: int = 1_000, **limits: int) -> Archived:
        """Return a place without tables; the clock goes on a second with each look at it."""
        moment = [datetime(2026, 1, 2, tzinfo=UTC)]

        def now() -> datetime:
            moment[0] += timedelta(seconds=1)
            return moment[0]

        made = Setup(
            client={"bootstrap.servers": "nowhere:9"},
            tables=str(settings.tables),
            contracts=(contract,),
            emitter=emitter(settings),
            keys=key_store(settings),
            now=now,
            instance="one",
            alive=lambda _instance: False,
            code_version="0",
            limits=replace(Limits(compact_files=0, duplicate_window=window), **limits),
        )
        return Archived(settings, made, contract)

    def elsewhere(self, folder: Path) -> Archived:
        """Return the same dataset with tables and a ledger of its own, and with the same keys."""
        settings = replace(self.settings, home=folder)
        made = replace(self.setup, tables=str(settings.tables), emitter=emitter(settings))
        return Archived(settings, made, self.contract)

    def uri(self, layer: str) -> str:
        return delta.table_uri(self.setup.tables, layer, self.contract.domain, self.contract.name)

    def archive(self, log: Log, *, commits: int = 2) -> Archived:
        """Fill bronze, each partition in so many commits."""
        for records in raw_records(log):
            size = max(1, -(-len(records) // commits))
            for first in range(0, len(records), size):
                self._archived(records.slice(first, size))
        return self

    def archive_batch(self, records: pa.RecordBatch) -> Archived:
        """Fill bronze with raw records as they are."""
        self._archived(records)
        return self

    def _archived(self, records: pa.RecordBatch) -> None:
        kept = pa.record_batch([*records.columns, pa.nulls(len(records), pa.large_binary())], schema=ARCHIVE_SCHEMA)
        named = subjects(kept, self.contract, self.setup.keys.secret(SUBJECT_SECRET))
        rows = bronze_rows(kept, named, self.setup.keys.data_keys(named), self.contract)
        self.write("bronze", rows, records, self.contract.raw_topic)

    def land(self, log: Log, only: Iterable[tuple[int, int]] | None = None) -> Archived:
        """Fill silver and quarantine as clean and land do; of `only` some records, if they are named."""
        chosen = None if only is None else set(only)
        for records in raw_records(log):
            outcome = self.cleaned(records)
            for layer, rows, topic in (
                ("silver", outcome.rows, self.contract.clean_topic),
                ("quarantine", outcome.dead_letters, self.contract.dead_letter_topic),
            ):
                self.write(layer, _among(rows, chosen), records, topic)  # type: ignore[arg-type]
        return self

    def cleaned(self, records: pa.RecordBatch) -> Outcome[object]:
        outcome = process_batch(records, fresh_state(self.setup, self.setup.limits.duplicate_window), self.contract)
        return replace(outcome, dead_letters=with_payloads(outcome.dead_letters, records, self.contract, self.setup.keys))

    def writer(self, layer: Layer) -> TableWriter:
        job, hop = (archive_job(self.contract), "archive") if layer == "bronze" else (land_job(self.contract), "land")
        made = TableWriter(self.setup, self.contract, layer, self.setup.run(job, hop))  # type: ignore[arg-type]
        made.open()
        return made

    def write(self, layer: Layer, rows: pa.Table, records: pa.RecordBatch, topic: str) -> None:
        writer = self.writer(layer)
        spans = offset_ranges(records["partition"], records["offset"])
        writer.buffer.add(rows, {Slot(topic, p): span for p, span in spans.items()}, records=len(records), size=1, repeated=0)
        writer.commit()

    def digests(self) -> dict[str, str]:
        """Return what silver and quarantine hold, as one text each: equal for equal rows in any order."""
        return {layer: table_digest(delta.read(self.uri(layer))) for layer in ("silver", "quarantine")}

    def rows(self, layer: str) -> int:
        return delta.read(self.uri(layer), columns=["_offset"]).num_rows


def raw_records(log: Log) -> list[pa.RecordBatch]:
    """Return the log as the clean hop is given it, a batch for each partition."""
    return [
        records_of(values, partition=partition, timestamp_ms=SENT_AT_MS + partition)
        for partition, values in log.items()
        if values
    ]


def _among(rows: pa.Table, chosen: set[tuple[int, int]] | None) -> pa.Table:
    if chosen is None:
        return rows
    spots = zip(rows["_partition"].to_pylist(), rows["_offset"].to_pylist(), strict=True)
    return rows.filter(pa.array([spot in chosen for spot in spots], pa.bool_()))
