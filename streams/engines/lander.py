"""The land engine: clean and dead-letter topics into silver and quarantine, in one plain loop. Scales by partitions.

It goes on where the tables say (their `txn` actions), whatever the broker remembers. When a partition is taken away, what
is buffered is dropped, not committed: its new owner reads the same from the table.

A commit is made in a thread of its own, one at a time for each contract, while the loop fetches on. What comes for these
tables meanwhile waits untouched, and is judged when the commit is made: so the writers never meet two threads at once, and a
commit that failed leaves everything as it was.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass

import pyarrow as pa

from contracts.contract import Contract
from contracts.errors import HeadwaterError
from contracts.records import OFFSET, PARTITION
from lineage.facts import RunRef
from streams import land
from streams.batches import Received, by_topic, landing_batch
from streams.connectors.kafka import Fetcher, Slot, end_offsets
from streams.engines import topics
from streams.engines.direct import IDLE_SECONDS, Stop
from streams.engines.writer import TableWriter
from streams.land import Held
from streams.outcome import Outcome, offset_ranges
from streams.setup import Setup
from streams.topology import (
    LAND_GROUP,
    clean_dataset,
    dead_letter_dataset,
    land_job,
    quarantine_dataset,
    silver_dataset,
)

COMMITS_AT_ONCE = 2
"""Of different contracts. Each keeps a core busy while it writes its file."""


@dataclass(frozen=True)
class Arrived:
    """One batch of one of a contract's two topics, not judged yet. `since` is monotonic, `seconds` what it took so far."""

    topic: str
    records: pa.RecordBatch
    size: int
    since: float
    seconds: float


class Tables:
    """The two tables of one contract, and the run that writes them."""

    def __init__(self, setup: Setup, contract: Contract, threads: Executor) -> None:
        self.contract = contract
        self.run: RunRef = setup.run(land_job(contract), "land")
        self.silver = TableWriter(setup, contract, "silver", self.run)
        self.quarantine = TableWriter(setup, contract, "quarantine", self.run)
        self._setup = setup
        self._threads = threads
        self._under_way: Future[dict[Slot, int]] | None = None
        self._waiting: deque[Arrived] = deque()

    def open(self) -> None:
        """Close runs that dead processes left open, begin ours, and open both tables."""
        setup, contract = self._setup, self.contract
        setup.emitter.close_abandoned(self.run.job, self.run.started_at, setup.alive)
        self.silver.open()
        self.quarantine.open()
        inputs = [clean_dataset(contract, setup.servers), dead_letter_dataset(contract, setup.servers)]
        outputs = [silver_dataset(contract, setup.servers, self.silver.uri), quarantine_dataset(self.quarantine.uri)]
        setup.emitter.start(self.run, inputs, outputs, instance=setup.instance)

    def take(self, messages: Sequence[Received], now: float) -> None:
        """Buffer what one batch of one of the two topics comes to, or keep it while a commit is under way. `now` is monotonic."""
        began = time.perf_counter()
        records, size = landing_batch(messages), sum(map(len, messages))  # type: ignore[arg-type]
        arrived = Arrived(messages[0].topic(), records, size, now, time.perf_counter() - began)
        if self._under_way is None and not self._waiting:
            self._buffer(arrived)
        else:
            self._waiting.append(arrived)

    @property
    def pending(self) -> bool:
        """Whether anything is not committed yet."""
        return self._under_way is not None or bool(self._waiting) or self.silver.holds or self.quarantine.holds

    def commit(self, now: float, *, force: bool) -> dict[Slot, int]:
        """Begin the next commit if it is due, or if `force`; return how far the broker may be told by the one before.

        Waits for the one before if forced to, or if half a commit has gathered behind it. Raises what it failed with.
        """
        behind = sum(arrived.size for arrived in self._waiting)
        hints = self._settled(wait=force or behind >= self._setup.limits.commit_bytes // 2)
        if self._under_way is not None:
            return hints
        while self._waiting and not self._due(now):
            self._buffer(self._waiting.popleft())
        if self._due(now) or (force and self.pending):
            self._under_way = self._threads.submit(self._commit, silver_due=force or self.silver.due(now))
        return hints

    def _due(self, now: float) -> bool:
        return self.silver.due(now) or self.quarantine.due(now)

    def _settled(self, *, wait: bool) -> dict[Slot, int]:
        if self._under_way is None or not (wait or self._under_way.done()):
            return {}
        under_way, self._under_way = self._under_way, None
        return under_way.result()

    def reload(self) -> None:
        """Drop what is not committed. What is being committed was ours to commit: the tables compare, whoever owns it now."""
        self._waiting.clear()
        self._settled(wait=True)
        self.silver.reload()
        self.quarantine.reload()

    def _commit(self, *, silver_due: bool) -> dict[Slot, int]:
        """Commit both tables. Quarantine first: foreign records of the clean topic rest on no progress but silver's."""
        hints = self.quarantine.commit()
        return hints | (self.silver.commit() if silver_due else {})

    def _buffer(self, arrived: Arrived) -> None:
        began, records = time.perf_counter() - arrived.seconds, arrived.records
        if arrived.topic == self.contract.clean_topic:
            outcome = land.process_batch(records, self.silver.held, self.contract)
            self._add(self.silver, outcome, outcome.rows, arrived)
            self._add_foreign(outcome, arrived.since)
            self.silver.buffer.seconds += time.perf_counter() - began
        else:
            outcome = land.process_dead_letters(records, self.quarantine.held, self.contract)
            self._add(self.quarantine, outcome, outcome.dead_letters, arrived)
            self.quarantine.buffer.seconds += time.perf_counter() - began

    def _add(self, writer: TableWriter, outcome: Outcome[Held], rows: pa.Table, arrived: Arrived) -> None:
        writer.held = outcome.state
        if not writer.holds:
            writer.buffer.since = arrived.since
        ranges = offset_ranges(arrived.records["partition"], arrived.records["offset"])
        spans = {Slot(arrived.topic, partition): span for partition, span in ranges.items()}
        writer.buffer.add(rows, spans, records=arrived.records.num_rows, size=arrived.size, repeated=outcome.repeated)

    def _add_foreign(self, outcome: Outcome[Held], since: float) -> None:
        letters = outcome.dead_letters
        if not letters.num_rows:
            return
        writer = self.quarantine
        coordinates = letters[PARTITION].to_numpy(), letters[OFFSET].to_numpy()
        fresh, writer.held = writer.held.without(self.contract.clean_topic, *coordinates)
        if not writer.holds:
            writer.buffer.since = since
        writer.buffer.add(letters.filter(fresh), {}, records=int(fresh.sum()), size=letters.nbytes, repeated=0)


class Lander:
    """Lands the topics of several contracts."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self._tables: dict[str, Tables] = {}
        self._threads = ThreadPoolExecutor(COMMITS_AT_ONCE, "headwater-commit")
        self._contracts = {topic: c for c in setup.contracts for topic in (c.clean_topic, c.dead_letter_topic)}

    @property
    def runs(self) -> list[RunRef]:
        """The runs of this process, one a contract."""
        return [tables.run for tables in self._tables.values()]

    def assigned(self, slots: Sequence[Slot]) -> dict[Slot, int]:
        """Open the tables of the partitions just given; return where to go on with each, as the tables say."""
        resumed: dict[Slot, int] = {}
        for contract in {self._contracts[slot.topic].dataset: self._contracts[slot.topic] for slot in slots}.values():
            tables = self._opened(contract)
            for slot in slots:
                if slot.topic == contract.clean_topic:
                    resumed[slot] = tables.silver.next_offset(slot)
                elif slot.topic == contract.dead_letter_topic:
                    resumed[slot] = tables.quarantine.next_offset(slot)
        return resumed

    def lost(self, slots: Sequence[Slot]) -> None:
        """Drop what is buffered for the tables concerned."""
        for dataset in {self._contracts[slot.topic].dataset for slot in slots}:
            if dataset in self._tables:
                self._tables[dataset].reload()

    def take(self, messages: Sequence[Received], now: float) -> None:
        """Buffer records of any of the topics."""
        for topic, held in by_topic(messages).items():
            self._tables[self._contracts[topic].dataset].take(held, now)

    def commit(self, now: float, *, force: bool = False) -> dict[Slot, int]:
        """Begin the commits that are due, or all; return how far the broker may be told by those that are made."""
        hints: dict[Slot, int] = {}
        for tables in self._tables.values():
            hints |= tables.commit(now, force=force)
        return hints

    def commit_all(self, now: float) -> dict[Slot, int]:
        """Commit all that was taken; return how far the broker may be told."""
        hints: dict[Slot, int] = {}
        while any(tables.pending for tables in self._tables.values()):
            hints |= self.commit(now, force=True)
        return hints

    def finish(self, failed: str = "") -> None:
        """Wait for the commits under way, and close the runs."""
        self._threads.shutdown()
        for tables in self._tables.values():
            self.setup.emitter.finish(tables.run, self.setup.now(), failed=failed)

    def _opened(self, contract: Contract) -> Tables:
        tables = self._tables.get(contract.dataset)
        if tables is None:
            tables = Tables(self.setup, contract, self._threads)
            tables.open()
            self._tables[contract.dataset] = tables
        return tables


def run(setup: Setup, stop: Stop, *, drain: bool = False, group: str = LAND_GROUP) -> list[RunRef]:
    """Land the contracts' clean and dead-letter topics until told to stop, or with `drain` up to where they end now.

    Returns the runs. Raises DiskFull when there is no room: nothing is half written, and the next start goes on from the tables.
    """
    names = [topic for contract in setup.contracts for topic in (contract.clean_topic, contract.dead_letter_topic)]
    # Large batches, because each costs a little whatever is in it; but some to a commit, so that its limits are kept.
    records_max = max(setup.limits.batch_records, setup.limits.commit_records // 4)
    topics.ensure(setup)
    goal = {Slot(*slot): end for slot, (_, end) in end_offsets(setup.client, names).items()} if drain else {}
    lander = Lander(setup)
    fetcher = Fetcher(setup.client, group, names, lander.assigned, lander.lost)
    try:
        while not stop() and not (drain and fetcher.reached(goal)):
            messages = fetcher.fetch(records_max, setup.limits.batch_bytes, IDLE_SECONDS)
            lander.take(messages, time.monotonic())
            fetcher.hint(lander.commit(time.monotonic()))
        fetcher.hint(lander.commit_all(time.monotonic()))
        setup.step("hint")
    except HeadwaterError as error:
        lander.finish(failed=type(error).__name__)
        raise
    finally:
        fetcher.close()
    lander.finish()
    return lander.runs
