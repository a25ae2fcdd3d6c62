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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from contracts.contract import Contract
from contracts.records import SOURCE_HEADER, VERSION_HEADER
from streams.connectors.kafka import (
    RAW_CONFIG,
    Sender,
    end_offsets,
    ensure_topics,
    tail_header,
)
from streams.engines.produce_log import ProduceLog
from streams.partitions import placed
from streams.setup import Setup
from streams.sources import Progress, Source, SourceBatch, Tail, parsed_tail, progress, source_header

RAW_RETENTION_DAYS = 7
"""Personal data is in clear in a raw topic (law L6), so it does not stay longer than cleaning may need."""
TOPIC_CONFIG = {**RAW_CONFIG, "retention.ms": str(RAW_RETENTION_DAYS * 86_400_000)}

COMMIT_SECONDS = 60.0
PIECE_SECONDS = 0.25
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


def produce(
    source: Source,
    setup: Setup,
    *,
    pace: Pace | None = None,
    report: Report = no_report,
    contract_version: str | None = None,
) -> Production:
    """Send what the raw topics do not hold yet, creating them if absent; `report` hears (sent, skipped) after each batch.

    Each record says in a header which version of its contract it follows: `contract_version`, or the newest in force.

    `setup.contracts` must hold the source's datasets. Raises BrokerAway, or what the source raises; in both cases, and on
    Ctrl-C, what was acknowledged has been told to the ledger, and the same call goes on from there.
    """
    pace = pace or Pace()
    began = pace.seconds()
    contracts = _contracts(source, setup)
    counts = _ready_topics(setup, contracts)
    tails = _tails(source, setup, contracts)
    going_on = progress(source, tails)
    log = ProduceLog(source, setup, contracts, pace.seconds)
    log.start(tails)
    follows = tuple((VERSION_HEADER, (contract_version or c.contract_version).encode()) for c in contracts)
    sending = _Sending(source, contracts, counts, going_on, [Produced(c.dataset, c.raw_topic) for c in contracts], follows)
    with Sender(setup.client) as sender:
        try:
            for piece in (piece for batch in source.batches() for piece in _pieces(batch, pace)):
                sending.send(piece, sender, pace)
                report(sum(p.records for p in sending.produced), sum(p.skipped for p in sending.produced))
                if pace.seconds() - log.told_at >= COMMIT_SECONDS:
                    log.tell(sender, [produced.records for produced in sending.produced])
            log.tell(sender, [produced.records for produced in sending.produced])
        except BaseException as error:
            log.break_off(sender, error)
            raise
    log.finish()
    return Production(source.id, tuple(sending.produced), log.told_later, pace.seconds() - began)


def _pieces(batch: SourceBatch, pace: Pace) -> Iterator[SourceBatch]:
    """Cut a batch that takes its time into what is due within a moment, so that progress is seen and told on the way."""
    if not (pace.speed and batch.event_times_us):
        yield batch
        return
    moments = np.asarray(batch.event_times_us) // max(1, int(pace.speed * PIECE_SECONDS * 1_000_000))
    cuts = [0, *(np.flatnonzero(np.diff(moments)) + 1).tolist(), len(batch)]
    for start, stop in pairwise(cuts):
        yield batch.part(start, stop)


def _contracts(source: Source, setup: Setup) -> tuple[Contract, ...]:
    known = {contract.dataset: contract for contract in setup.contracts}
    return tuple(known[dataset] for dataset in source.datasets)


def _ready_topics(setup: Setup, contracts: Sequence[Contract]) -> tuple[int, ...]:
    """Create the raw topics that are absent; return how many partitions each has, which an existing topic decides itself."""
    wanted = {contract.raw_topic: contract.partitions for contract in contracts}
    ensure_topics(setup.client, wanted, TOPIC_CONFIG)
    counts = Counter(topic for topic, _ in end_offsets(setup.client, list(wanted)))
    return tuple(counts[contract.raw_topic] for contract in contracts)


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
    follows: tuple[tuple[str, bytes], ...]
    """By contract, the header with the version that its records follow."""
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
        values, keys, first, datasets = batch.values, batch.keys, batch.first_sequence, batch.datasets
        follows = self.follows
        if not self.source.resumable:
            return ((values[row], keys[row], partitions[row], 0, [follows[datasets[row]]]) for row in rows)
        head = source_header(self.source.id, self.going_on.start)
        return (
            (values[row], keys[row], partitions[row], 0, [(SOURCE_HEADER, b"%b%d" % (head, first + row)), follows[datasets[row]]])
            for row in rows
        )

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
