"""Send a source's records to the raw topics, once each, however often the command is typed or killed.

On start, per partition: the last record's `source` header says up to where it holds this source. Records up to there are
skipped; the rest is sent in order by an idempotent producer, so a partition always holds a beginning of its share.
Then, once at the end, and once a minute in a slow replay:

1. records, acknowledged. A crash leaves a beginning in each partition, untold: the next start finds it
2. lineage event to the ledger, with the offsets written. What a killed run wrote is read back by its headers, and told then

A person's own files carry no such header: sent again is sent twice, and the clean hop knows exact duplicates.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from contracts.contract import Contract
from contracts.errors import BrokerAway, HeadwaterError
from contracts.records import SOURCE_HEADER
from lineage.facts import HopFacts, OffsetRange, RunRef
from lineage.names import commit_id
from streams.connectors.kafka import (
    RAW_CONFIG,
    Sender,
    end_offsets,
    ensure_topics,
    header_value,
    read_range,
    tail_header,
)
from streams.partitions import placed
from streams.setup import Setup
from streams.sources import Progress, Source, SourceBatch, Tail, parsed_tail, progress, source_header
from streams.topology import contract_ref, raw_dataset

RAW_RETENTION_DAYS = 7
"""Personal data is in clear in a raw topic (law L6), so it does not stay longer than cleaning may need."""
TOPIC_CONFIG = {**RAW_CONFIG, "retention.ms": str(RAW_RETENTION_DAYS * 86_400_000)}

COMMIT_SECONDS = 60.0
TOPIC_SECONDS = 30.0
TOPIC_ASK_SECONDS = 0.05
LAST_FLUSH_SECONDS = 10.0
LONG_WAIT_SECONDS = 1.0
"""Before a longer wait for the next event, what is queued is sent and acknowledged."""

Report = Callable[[int, int], None]


def no_report(_sent: int, _skipped: int) -> None:
    """Do nothing when a batch is on its way."""


@dataclass(frozen=True)
class Pace:
    """How fast to send: `speed` seconds of event time per second; None is flat out. The clock is passed in."""

    speed: float | None = None
    seconds: Callable[[], float] = time.monotonic
    wait: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class Produced:
    """What became of one dataset: records sent now, skipped because they were there, bytes of the values sent."""

    dataset: str
    topic: str
    records: int = 0
    skipped: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class Production:
    """What a run came to. `told_later` counts records of a killed run that this one found and told the ledger of."""

    source: str
    datasets: tuple[Produced, ...]
    told_later: int
    seconds: float


def produce_job(contract: Contract) -> str:
    """Return the name of the produce job."""
    return f"{contract.dataset}.produce"


def produce(
    source: Source, setup: Setup, *, pace: Pace | None = None, report: Report = lambda _sent, _skipped: None
) -> Production:
    """Send what the raw topics do not hold yet, creating them if absent; `report` hears (sent, skipped) after each batch.

    `setup.contracts` must hold the source's datasets. Raises BrokerAway, or what the source raises; in both cases, and on
    Ctrl-C, what was acknowledged has been told to the ledger, and the same call goes on from there.
    """
    pace = pace or Pace()
    began = pace.seconds()
    contracts = _contracts(source, setup)
    counts = _ready_topics(setup, contracts)
    tails = _tails(source, setup, contracts)
    going_on = progress(source, tails)
    log = _Log(source, setup, contracts, pace)
    log.start(tails)
    sending = _Sending(source, contracts, counts, going_on, [Produced(c.dataset, c.raw_topic) for c in contracts])
    with Sender(setup.client) as sender:
        try:
            for batch in source.batches():
                sending.send(batch, sender, pace)
                report(sum(p.records for p in sending.produced), sum(p.skipped for p in sending.produced))
                if pace.seconds() - log.told_at >= COMMIT_SECONDS:
                    log.tell(sender, sending.produced)
            log.tell(sender, sending.produced)
        except BaseException as error:
            log.break_off(sender, sending.produced, error)
            raise
    log.finish()
    return Production(source.id, tuple(sending.produced), log.told_later, pace.seconds() - began)


def _contracts(source: Source, setup: Setup) -> tuple[Contract, ...]:
    known = {contract.dataset: contract for contract in setup.contracts}
    return tuple(known[dataset] for dataset in source.datasets)


def _ready_topics(setup: Setup, contracts: Sequence[Contract]) -> tuple[int, ...]:
    """Create the raw topics that are absent; return how many partitions each has, which an existing topic decides itself.

    A topic just made is not at once known to the broker that shall lead it: asked too early, it says that it is not the
    leader. So wait until all partitions answer. Raises BrokerAway if they do not.
    """
    wanted = {contract.raw_topic: contract.partitions for contract in contracts}
    ensure_topics(setup.client, wanted, TOPIC_CONFIG)
    deadline = time.monotonic() + TOPIC_SECONDS
    while True:
        try:
            answered = Counter(topic for topic, _ in end_offsets(setup.client, list(wanted)))
        except BrokerAway:
            if time.monotonic() > deadline:
                raise
        else:
            if wanted.keys() <= answered.keys():
                return tuple(answered[contract.raw_topic] for contract in contracts)
            if time.monotonic() > deadline:
                raise BrokerAway("the broker does not show the topics it made", expected=", ".join(wanted), where=setup.servers)
        time.sleep(TOPIC_ASK_SECONDS)


def _tails(source: Source, setup: Setup, contracts: Sequence[Contract]) -> dict[str, list[Tail | None]]:
    if not source.resumable:
        return {contract.dataset: [] for contract in contracts}
    found = {c.dataset: tail_header(setup.client, c.raw_topic, SOURCE_HEADER) for c in contracts}
    return {dataset: [parsed_tail(by_partition[p]) for p in sorted(by_partition)] for dataset, by_partition in found.items()}


@dataclass
class _Sending:
    """The way of a source's batches to the sender, with what came of it so far."""

    source: Source
    contracts: tuple[Contract, ...]
    counts: tuple[int, ...]
    going_on: Progress
    produced: list[Produced]
    origin: tuple[float, int] | None = None
    """Of a paced run: when it began on the clock, and the event time of its first record."""

    def send(self, batch: SourceBatch, sender: Sender, pace: Pace) -> None:
        """Queue the batch's records that are not there yet, each on its partition."""
        datasets = np.asarray(batch.datasets, np.int64)
        partitions = placed(batch.keys, batch.datasets, self.counts, batch.first_sequence)
        left = self._left(datasets, partitions, batch)
        if pace.speed and batch.event_times_us:
            self._send_paced(batch, partitions, np.flatnonzero(left), sender, pace)
        for index in range(len(self.contracts)):
            ours = datasets == index
            rows = np.flatnonzero(ours & left).tolist()
            if not (pace.speed and batch.event_times_us):
                sender.send_all(self.contracts[index].raw_topic, self._records(batch, partitions.tolist(), rows))
            self._count(index, batch, rows, int(ours.sum()) - len(rows))

    def _left(
        self, datasets: npt.NDArray[np.int64], partitions: npt.NDArray[np.int32], batch: SourceBatch
    ) -> npt.NDArray[np.bool_]:
        """Say of each record whether its partition lacks it."""
        if not self.source.resumable:
            return np.ones(len(batch), np.bool_)
        sequences = np.arange(batch.first_sequence, batch.first_sequence + len(batch))
        there = np.empty(len(batch), np.int64)
        for index, last_sequences in enumerate(self.going_on.last_sequences):
            ours = datasets == index
            there[ours] = np.asarray(last_sequences, np.int64)[partitions[ours]]
        left: npt.NDArray[np.bool_] = sequences > there
        return left

    def _records(
        self, batch: SourceBatch, partitions: Sequence[int], rows: Sequence[int]
    ) -> Iterator[tuple[bytes, bytes | None, int, int, list[tuple[str, bytes]]]]:
        values, keys, first = batch.values, batch.keys, batch.first_sequence
        if not self.source.resumable:
            return ((values[row], keys[row], partitions[row], 0, []) for row in rows)
        head = source_header(self.source.id, self.going_on.start)
        return ((values[row], keys[row], partitions[row], 0, [(SOURCE_HEADER, b"%b%d" % (head, first + row))]) for row in rows)

    def _send_paced(
        self, batch: SourceBatch, partitions: npt.NDArray[np.int32], rows: npt.NDArray[np.int64], sender: Sender, pace: Pace
    ) -> None:
        """Send in the order of event time, each record when its time has come."""
        chosen = rows.tolist()
        for row, record in zip(chosen, self._records(batch, partitions.tolist(), chosen), strict=True):
            self._wait_for(batch.event_times_us[row], sender, pace)
            value, key, partition, timestamp_ms, headers = record
            topic = self.contracts[batch.datasets[row]].raw_topic
            sender.send(topic, value, key=key, headers=headers, partition=partition, timestamp_ms=timestamp_ms)

    def _wait_for(self, event_time_us: int, sender: Sender, pace: Pace) -> None:
        if self.origin is None:
            self.origin = (pace.seconds(), event_time_us)
        began, first = self.origin
        due = began + (event_time_us - first) / 1_000_000 / (pace.speed or 1.0)
        if due - pace.seconds() > LONG_WAIT_SECONDS:
            sender.flush()
        if (left := due - pace.seconds()) > 0:
            pace.wait(left)

    def _count(self, index: int, batch: SourceBatch, rows: Sequence[int], skipped: int) -> None:
        so_far = self.produced[index]
        size = sum(len(batch.values[row]) for row in rows)
        self.produced[index] = replace(
            so_far, records=so_far.records + len(rows), skipped=so_far.skipped + skipped, bytes=so_far.bytes + size
        )


@dataclass
class _Log:
    """What the ledger hears of a run: one job per dataset, a commit for each stretch of offsets written."""

    source: Source
    setup: Setup
    contracts: tuple[Contract, ...]
    pace: Pace
    told_at: float = 0.0
    told_later: int = 0
    _runs: list[RunRef] = field(default_factory=list)
    _ends: dict[tuple[str, int], int] = field(default_factory=dict)
    """Up to where each partition has been told of."""
    _told: list[int] = field(default_factory=list)
    """How many records of each dataset."""

    def start(self, tails: Mapping[str, Sequence[Tail | None]]) -> None:
        """Open the runs, close what dead ones left open, and tell what a killed run wrote and could not tell."""
        setup = self.setup
        self.told_at = self.pace.seconds()
        found = end_offsets(setup.client, [contract.raw_topic for contract in self.contracts])
        self._ends = {slot: end for slot, (_, end) in found.items()}
        self._told = [0] * len(self.contracts)
        for contract in self.contracts:
            run = setup.run(produce_job(contract), "produce")
            setup.emitter.close_abandoned(run.job, run.started_at, setup.alive)
            inputs, outputs = self.source.inputs[contract.dataset], [raw_dataset(contract, setup.servers)]
            setup.emitter.start(run, inputs, outputs, instance=setup.instance)
            self._runs.append(run)
            self._tell_later(contract, run, tails[contract.dataset], found)

    def tell(self, sender: Sender, produced: Sequence[Produced], seconds: float | None = None) -> None:
        """Wait for acknowledgements, and tell the ledger of what was written since the last time.

        The offsets are where our records lie; another producer's may lie between them. The count is of ours alone.
        """
        sender.flush(seconds)
        self.setup.step("records")
        now = self.pace.seconds()
        found = end_offsets(self.setup.client, [contract.raw_topic for contract in self.contracts])
        for index, (contract, run) in enumerate(zip(self.contracts, self._runs, strict=True)):
            fresh = produced[index].records - self._told[index]
            ranges = [
                OffsetRange(topic, partition, self._ends[topic, partition], end - 1)
                for (topic, partition), (_, end) in sorted(found.items())
                if topic == contract.raw_topic and end > self._ends[topic, partition]
            ]
            if fresh and ranges:
                self._commit(contract, run, ranges, fresh, now - self.told_at)
            self._told[index] = produced[index].records
        self._ends = {slot: end for slot, (_, end) in found.items()}
        self.told_at = now
        self.setup.step("lineage")

    def finish(self) -> None:
        """Tell that the runs are complete."""
        for run in self._runs:
            self.setup.emitter.finish(run, self.setup.now())

    def break_off(self, sender: Sender, produced: Sequence[Produced], error: BaseException) -> None:
        """Tell what can still be told of a run that ends early. The error that ended it is what the caller must see."""
        with suppress(HeadwaterError):
            self.tell(sender, produced, LAST_FLUSH_SECONDS)
        with suppress(HeadwaterError):
            for run in self._runs:
                failed = type(error).__name__ if isinstance(error, Exception) else ""
                self.setup.emitter.finish(run, self.setup.now(), failed=failed, aborted=not failed)

    def _tell_later(
        self,
        contract: Contract,
        run: RunRef,
        tails: Sequence[Tail | None],
        found: Mapping[tuple[str, int], tuple[int, int]],
    ) -> None:
        told = self._told_ends(run.job, contract.raw_topic)
        ranges, records = [], 0
        for partition, tail in enumerate(tails):
            start, end = found[contract.raw_topic, partition]
            if tail is None or tail.source != self.source.id or told.get(partition, 0) >= end:
                continue
            offsets = self._offsets_of_ours(contract.raw_topic, partition, max(start, told.get(partition, 0)), end)
            if offsets:
                ranges.append(OffsetRange(contract.raw_topic, partition, offsets[0], offsets[-1]))
                records += len(offsets)
        if ranges:
            self._commit(contract, run, ranges, records, 0.0)
            self.told_later += records

    def _told_ends(self, job: str, topic: str) -> dict[int, int]:
        ends: dict[int, int] = {}
        for commit in self.setup.emitter.commits(job):
            for span in commit.output_offsets:
                if span.topic == topic:
                    ends[span.partition] = max(ends.get(span.partition, 0), span.last_offset + 1)
        return ends

    def _offsets_of_ours(self, topic: str, partition: int, first: int, end: int) -> list[int]:
        offsets = []
        for messages in read_range(self.setup.client, topic, partition, first, end):
            for message in messages:
                tail = parsed_tail(header_value(message, SOURCE_HEADER))
                if tail is not None and tail.source == self.source.id:
                    offsets.append(int(message.offset()))
        return offsets

    def _commit(self, contract: Contract, run: RunRef, ranges: Sequence[OffsetRange], records: int, seconds: float) -> None:
        output = raw_dataset(contract, self.setup.servers, tuple(ranges))
        position = ",".join(f"{span.partition}:{span.first_offset}-{span.last_offset}" for span in ranges)
        facts = HopFacts(
            run=run,
            commit_id=commit_id(run.job, output.name, position),
            committed_at=self.setup.now(),
            inputs=self.source.inputs[contract.dataset],
            outputs=(replace(output, rows=records),),
            records_in=records,
            records_out=records,
            contract=contract_ref(contract),
            seconds=seconds,
        )
        self.setup.emitter.commit(facts)
