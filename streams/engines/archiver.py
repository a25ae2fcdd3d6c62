"""The archive engine: raw topics into bronze, in one plain loop. Scales by partitions, and shares nothing with clean and land.

A commit holds rows and progress (`engines/writer.py` says what a crash leaves), so a restart goes on where the table says. Keys
are made, and durable, before the rows that they sealed: a crash between leaves keys that nothing uses yet.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from contracts.contract import Contract
from contracts.errors import HeadwaterError
from contracts.keys import SUBJECT_SECRET
from lineage.facts import RunRef
from streams.archive import bronze_rows
from streams.batches import Received, archive_batch, by_topic
from streams.connectors.kafka import Fetcher, Slot, end_offsets
from streams.engines import topics
from streams.engines.direct import IDLE_SECONDS, Stop
from streams.engines.writer import TableWriter
from streams.outcome import offset_ranges
from streams.sealed import subjects
from streams.setup import Setup
from streams.topology import ARCHIVE_GROUP, archive_job, bronze_dataset, raw_dataset


class Archive:
    """The bronze table of one contract, and the run that writes it."""

    def __init__(self, setup: Setup, contract: Contract) -> None:
        self.contract = contract
        self.run: RunRef = setup.run(archive_job(contract), "archive")
        self.bronze = TableWriter(setup, contract, "bronze", self.run)
        self._setup = setup

    def open(self) -> None:
        """Close runs that dead processes left open, begin ours, and open the table."""
        setup, contract = self._setup, self.contract
        setup.emitter.close_abandoned(self.run.job, self.run.started_at, setup.alive)
        self.bronze.open()
        inputs, outputs = [raw_dataset(contract, setup.servers)], [bronze_dataset(self.bronze.uri)]
        setup.emitter.start(self.run, inputs, outputs, instance=setup.instance)

    def take(self, messages: Sequence[Received], now: float) -> None:
        """Seal and buffer one batch of the raw topic. `now` is monotonic."""
        began, writer, keys = time.perf_counter(), self.bronze, self._setup.keys
        records = archive_batch(messages)
        topic, partitions, offsets = self.contract.raw_topic, records["partition"], records["offset"]
        fresh, held = writer.held.without(topic, partitions.to_numpy(), offsets.to_numpy())
        spans = {Slot(topic, partition): span for partition, span in offset_ranges(partitions, offsets).items()}
        kept = records if fresh.all() else records.filter(fresh)
        named = subjects(kept, self.contract, keys.secret(SUBJECT_SECRET))
        rows = bronze_rows(kept, named, keys.data_keys(named), self.contract)
        self._setup.step("keys")
        if not writer.holds:
            writer.buffer.since = now
        writer.held = held
        size, repeated = sum(map(len, messages)), len(messages) - rows.num_rows  # type: ignore[arg-type]
        writer.buffer.add(rows, spans, records=len(messages), size=size, repeated=repeated)
        writer.buffer.seconds += time.perf_counter() - began


class Archiver:
    """Archives the raw topics of several contracts."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self._contracts = {contract.raw_topic: contract for contract in setup.contracts}
        self._archives: dict[str, Archive] = {}

    @property
    def runs(self) -> list[RunRef]:
        """The runs of this process, one a contract."""
        return [archive.run for archive in self._archives.values()]

    def assigned(self, slots: Sequence[Slot]) -> dict[Slot, int]:
        """Open the tables of the partitions just given; return where to go on with each, as the tables say."""
        return {slot: self._opened(slot.topic).bronze.next_offset(slot) for slot in slots}

    def lost(self, slots: Sequence[Slot]) -> None:
        """Drop what is buffered for the tables concerned: its new owner reads the same."""
        for topic in {slot.topic for slot in slots} & set(self._archives):
            self._archives[topic].bronze.reload()

    def take(self, messages: Sequence[Received], now: float) -> None:
        """Seal and buffer records of any of the topics."""
        for topic, held in by_topic(messages).items():
            self._archives[topic].take(held, now)

    def commit(self, now: float, *, force: bool = False) -> dict[Slot, int]:
        """Commit what is due, or all; return how far the broker may be told."""
        hints: dict[Slot, int] = {}
        for archive in self._archives.values():
            if archive.bronze.due(now) or (force and archive.bronze.holds):
                hints |= archive.bronze.commit()
        return hints

    def finish(self, failed: str = "") -> None:
        """Close the runs."""
        for run in self.runs:
            self.setup.emitter.finish(run, self.setup.now(), failed=failed)

    def _opened(self, topic: str) -> Archive:
        if topic not in self._archives:
            archive = Archive(self.setup, self._contracts[topic])
            archive.open()
            self._archives[topic] = archive
        return self._archives[topic]


def run(setup: Setup, stop: Stop, *, drain: bool = False, group: str = ARCHIVE_GROUP) -> list[RunRef]:
    """Archive the contracts' raw topics until told to stop, or with `drain` up to where they end now. Returns the runs.

    Raises DiskFull when there is no room: nothing is half written, and the next start goes on from the tables.
    """
    raw = [contract.raw_topic for contract in setup.contracts]
    topics.ensure(setup)
    goal = {Slot(*slot): end for slot, (_, end) in end_offsets(setup.client, raw).items()} if drain else {}
    archiver = Archiver(setup)
    fetcher = Fetcher(setup.client, group, raw, archiver.assigned, archiver.lost)
    try:
        while not stop() and not (drain and fetcher.reached(goal)):
            archiver.take(fetcher.fetch(setup.limits.batch_records, setup.limits.batch_bytes, IDLE_SECONDS), time.monotonic())
            fetcher.hint(archiver.commit(time.monotonic()))
        fetcher.hint(archiver.commit(time.monotonic(), force=True))
        setup.step("hint")
    except HeadwaterError as error:
        archiver.finish(failed=type(error).__name__)
        raise
    finally:
        fetcher.close()
    archiver.finish()
    return archiver.runs
