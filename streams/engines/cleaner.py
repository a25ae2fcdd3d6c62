"""The clean hop's commit and recovery, the same under every engine that fetches for it.

A batch is committed in this order; after a crash behind any step, the restart comes out where an undisturbed run is:

1. dead letters, acknowledged. A crash leaves dead letters without what comes after: they are sent again, and the
   quarantine table recognises them by their coordinates
2. clean records with their raw coordinates, acknowledged. A crash leaves a part of them, in order, and no event: the
   restart goes on behind the last one it finds
3. lineage event to the ledger. A crash leaves the broker's hint behind: nothing rests on it
4. broker offsets, as a hint (the engine's)

While one batch is sent, in a thread of its own, the next one is fetched and cleaned: one is sent at a time, in order.

On start, per partition: the last raw offset at the end of the clean partition says where to go on; the ledger says up to
where events were told. What lies between is run again: told if it was sent and not told, sent if told and not found
(dead letters alone leave no trace in the clean topic), unless it was told under another contract or other code. The window
of duplicates before is read again to rebuild the state.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import pyarrow as pa

from contracts.contract import Contract
from contracts.records import SRC_HEADER
from lineage.facts import HopFacts, RunRef
from streams.batches import record_batch
from streams.clean import CleanState, process_batch, remembered
from streams.clean_facts import CleanedBatch, clean_facts
from streams.connectors import delta
from streams.connectors.kafka import Sender, Slot, end_offsets, read_range, tail_header
from streams.encode import encoded_dead_letters, encoded_rows
from streams.engines.frozen import refuse_changed
from streams.engines.vault import with_payloads
from streams.engines.windows import window_start
from streams.intervals import IntervalSet
from streams.outcome import Outcome
from streams.replay import within
from streams.setup import Setup
from streams.topology import clean_dataset, clean_job, contract_ref, dead_letter_dataset, raw_dataset


@dataclass(frozen=True)
class Sent:
    """A batch whose clean records are on their way: what is to be told once they are acknowledged."""

    facts: HopFacts
    next_offsets: Mapping[Slot, int]


@dataclass
class Progress:
    """Of one contract: its run, its state, and the next raw offset of each partition held."""

    run: RunRef
    state: CleanState
    next_offsets: dict[int, int] = field(default_factory=dict)


class Cleaner:
    """Cleans batches of raw topics and commits them. Not for several threads at once."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self._contracts = {contract.raw_topic: contract for contract in setup.contracts}
        self._progress: dict[str, Progress] = {}
        self._sender = Sender(setup.client)
        self._thread = ThreadPoolExecutor(1, "headwater-send")
        self._sending: Future[None] | None = None
        self._waiting: list[Sent] = []
        self._hints: deque[Mapping[Slot, int]] = deque()

    @property
    def runs(self) -> list[RunRef]:
        """The runs of this process, one a contract."""
        return [progress.run for progress in self._progress.values()]

    def assigned(self, slots: Sequence[Slot]) -> dict[Slot, int]:
        """Recover the raw partitions just given to this process; return where to go on with each."""
        self.settle()
        resumed: dict[Slot, int] = {}
        for topic in sorted({slot.topic for slot in slots}):
            contract = self._contracts[topic]
            progress = self._progress.get(topic)
            if progress is None:
                progress = self._started(contract)
            else:  # the partitions may come from a process that was killed meanwhile
                self.setup.emitter.close_abandoned(progress.run.job, self.setup.now(), self.setup.alive)
            partitions = [slot.partition for slot in slots if slot.topic == topic]
            for partition, offset in self._recovered(contract, progress, partitions).items():
                progress.next_offsets[partition] = offset
                resumed[Slot(topic, partition)] = offset
        return resumed

    def lost(self, slots: Sequence[Slot]) -> None:
        """Forget partitions that another process has now. What is on its way stays: the tables know repeats."""
        self.settle()
        for slot in slots:
            progress = self._progress.get(slot.topic)
            if progress is not None:
                progress.next_offsets.pop(slot.partition, None)
                progress.state.duplicates.pop(slot.partition, None)

    def clean(self, topic: str, records: pa.RecordBatch) -> None:
        """Clean one batch of a raw topic and begin to send what it comes to. Raises what sending the one before failed with.

        The ledger is told of it when the next batch is sent, or at `settle`.
        """
        contract, progress = self._contracts[topic], self._progress[topic]
        began = time.perf_counter()
        outcome = self._cleaned(contract, progress, records)
        progress.state = outcome.state
        progress.next_offsets.update(outcome.next_offsets)
        facts = self._facts(progress.run, contract, records, outcome, time.perf_counter() - began)
        sent = Sent(facts, {Slot(topic, p): offset for p, offset in outcome.next_offsets.items()})
        self._join()
        self._sending = self._thread.submit(self._send, contract, outcome, sent)

    def _cleaned(self, contract: Contract, progress: Progress, records: pa.RecordBatch) -> Outcome[CleanState]:
        outcome = process_batch(records, progress.state, contract)
        return replace(outcome, dead_letters=with_payloads(outcome.dead_letters, records, contract, self.setup.keys))

    def settle(self) -> None:
        """Wait until all that was sent is acknowledged, and the ledger told."""
        self._join()
        self._settle()

    def hints(self) -> dict[Slot, int]:
        """Return how far the broker may be told since the last call."""
        hints: dict[Slot, int] = {}
        while self._hints:
            hints |= self._hints.popleft()
        return hints

    def _join(self) -> None:
        if self._sending is not None:
            sending, self._sending = self._sending, None
            sending.result()

    def _send(self, contract: Contract, outcome: Outcome[CleanState], sent: Sent) -> None:
        """Send one batch, behind the one before it: in the thread, one at a time."""
        self._send_dead_letters(outcome, contract)
        self._settle()
        self._sender.send_all(contract.clean_topic, encoded_rows(outcome.rows, contract))
        self._waiting.append(sent)

    def _settle(self) -> None:
        if not self._waiting:
            return
        self._sender.flush()
        self.setup.step("clean records")
        waiting, self._waiting = self._waiting, []
        for sent in waiting:
            self.setup.emitter.commit(sent.facts)
            self._hints.append(sent.next_offsets)
        self.setup.step("lineage")

    def finish(self) -> None:
        """Settle, and close the runs."""
        self.settle()
        self._thread.shutdown()
        for progress in self._progress.values():
            self.setup.emitter.finish(progress.run, self.setup.now())

    def _send_dead_letters(self, outcome: Outcome[CleanState], contract: Contract) -> None:
        if outcome.dead_letters.num_rows:
            self._sender.send_all(contract.dead_letter_topic, encoded_dead_letters(outcome.dead_letters))
            self._sender.flush()
        self.setup.step("dead letters")

    def _started(self, contract: Contract) -> Progress:
        setup, limits = self.setup, self.setup.limits
        refuse_changed(contract, delta.table_uri(setup.tables, "silver", contract.domain, contract.name))
        run = setup.run(clean_job(contract), "clean")
        setup.emitter.close_abandoned(run.job, run.started_at, setup.alive)
        inputs = [raw_dataset(contract, setup.servers)]
        outputs = [clean_dataset(contract, setup.servers), dead_letter_dataset(contract, setup.servers)]
        setup.emitter.start(run, inputs, outputs, instance=setup.instance)
        progress = Progress(run, fresh_state(setup, limits.duplicate_window))
        self._progress[contract.raw_topic] = progress
        return progress

    def _recovered(self, contract: Contract, progress: Progress, partitions: Sequence[int]) -> dict[int, int]:
        ours = re.compile(rb"%b:[0-9]{1,9}:[0-9]{1,18}" % re.escape(contract.raw_topic.encode()))
        tails = tail_header(self.setup.client, contract.clean_topic, SRC_HEADER, lambda src: ours.fullmatch(src) is not None)
        starts = end_offsets(self.setup.client, [contract.raw_topic])
        told = self._told(contract)
        return {
            partition: self._caught_up(
                contract,
                progress,
                partition,
                sent=_next_after(tails.get(partition)),
                told=told.get(partition, 0),
                ends=starts[contract.raw_topic, partition],
            )
            for partition in partitions
        }

    def _told(self, contract: Contract) -> dict[int, int]:
        """Return, by raw partition, the first offset that no event in the ledger covers."""
        told: dict[int, int] = {}
        for commit in self.setup.emitter.commits(clean_job(contract)):
            for covered in commit.offsets:
                if covered.topic == contract.raw_topic:
                    told[covered.partition] = max(told.get(covered.partition, 0), covered.last_offset + 1)
        return told

    def _caught_up(
        self, contract: Contract, progress: Progress, partition: int, *, sent: int, told: int, ends: tuple[int, int]
    ) -> int:
        """Run again what was sent but not told, or told but not found; return the offset to go on at."""
        start, end = ends
        sent, told = min(sent, end), min(told, end)
        resume, behind = max(sent, told, start), max(min(sent, told), start)
        settled = self._told_otherwise(contract) if told > sent else {}
        limit = self.setup.limits.duplicate_window
        window = window_start(self.setup.client, contract, partition, limit, start, behind)
        for messages in read_range(self.setup.client, contract.raw_topic, partition, window, resume):
            records = record_batch(messages)
            old = sum(m.offset() < behind for m in messages)
            remembered(records.slice(0, old), progress.state, contract)
            if old < len(messages):
                self._run_again(contract, progress, records.slice(old), settled, tell=sent > told)
        return resume

    def _run_again(
        self, contract: Contract, progress: Progress, records: pa.RecordBatch, settled: Mapping[int, IntervalSet], *, tell: bool
    ) -> None:
        outcome = self._cleaned(contract, progress, records)
        if tell:
            self.setup.emitter.commit(self._facts(progress.run, contract, records, outcome, 0.0))
            return
        rows, letters = (table.filter(pa.array(~within(table, settled))) for table in (outcome.rows, outcome.dead_letters))
        self._send_dead_letters(replace(outcome, dead_letters=letters), contract)
        self._sender.send_all(contract.clean_topic, encoded_rows(rows, contract))
        self._sender.flush()

    def _told_otherwise(self, contract: Contract) -> dict[int, IntervalSet]:
        """Return the records that were judged, and told, under another contract or other code.

        What was told had been acknowledged, and what it comes to now may be something else: sent again, a record would have
        two fates. To judge such records anew is what `headwater replay` is for.
        """
        covered: dict[int, list[tuple[int, int]]] = {}
        for commit in self.setup.emitter.commits(clean_job(contract)):
            if commit.contract != contract_ref(contract) or commit.code_version != self.setup.code_version:
                for span in commit.offsets:
                    covered.setdefault(span.partition, []).append((span.first_offset, span.last_offset))
        return {partition: IntervalSet.from_pairs(spans) for partition, spans in covered.items()}

    def _facts(
        self, run: RunRef, contract: Contract, records: pa.RecordBatch, outcome: Outcome[CleanState], seconds: float
    ) -> HopFacts:
        batch = CleanedBatch.of(records, outcome, contract, seconds)
        return clean_facts(batch, run, contract, self.setup.servers, self.setup.now())


def fresh_state(setup: Setup, duplicate_window: int) -> CleanState:
    """Return the state of a clean hop that has seen nothing yet."""
    return CleanState(
        {}, duplicate_window, setup.limits.record_bytes_max, setup.sandbox, masking_key=setup.keys.secret("masking")
    )


def _next_after(header: bytes | None) -> int:
    """Return the raw offset behind the one that a `src` header names; 0 for none."""
    return 0 if header is None else int(header.rsplit(b":", 1)[1]) + 1
