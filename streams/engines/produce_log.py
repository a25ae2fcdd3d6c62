"""What the ledger hears of a produce run: exactly the records that lie in the raw topics, however the run ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from contracts.contract import Contract
from contracts.errors import HeadwaterError
from contracts.records import SOURCE_HEADER
from lineage.facts import HopFacts, OffsetRange, RunRef
from lineage.names import commit_id
from streams.connectors.kafka import Sender, end_offsets, header_value, read_range
from streams.setup import Setup
from streams.sources import Source, Tail, parsed_tail
from streams.topology import contract_ref, raw_dataset

LAST_FLUSH_SECONDS = 10.0


def produce_job(contract: Contract) -> str:
    """Return the name of the produce job."""
    return f"{contract.dataset}.produce"


@dataclass
class ProduceLog:
    """What the ledger hears of a run: one job per dataset, a commit for each stretch of offsets written."""

    source: Source
    setup: Setup
    contracts: tuple[Contract, ...]
    seconds: Callable[[], float]
    """The clock."""
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
        self.told_at = self.seconds()
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

    def tell(self, sender: Sender, sent: Sequence[int]) -> None:
        """Wait for acknowledgements, and tell the ledger of what was written since the last time. `sent` counts by dataset.

        The offsets are where our records lie; another producer's may lie between them. The count is of ours alone.
        """
        sender.flush()
        self.setup.step("records")
        now = self.seconds()
        found = self._found_ends()
        for index, (contract, run) in enumerate(zip(self.contracts, self._runs, strict=True)):
            fresh = sent[index] - self._told[index]
            ranges = self._written(contract, found)
            if fresh and ranges:
                self._commit(contract, run, ranges, fresh, now - self.told_at)
            self._told[index] = sent[index]
        self._ends = found
        self.told_at = now
        self.setup.step("lineage")

    def finish(self) -> None:
        """Tell that the runs are complete."""
        for run in self._runs:
            self.setup.emitter.finish(run, self.setup.now())

    def break_off(self, sender: Sender, error: BaseException) -> None:
        """Tell what can still be told of a run that ends early. The error that ended it is what the caller must see.

        How far it came within a batch nobody counted, so the records that carry our header are looked up.
        """
        with suppress(HeadwaterError):
            sender.flush(LAST_FLUSH_SECONDS)
            found, seconds = self._found_ends(), self.seconds() - self.told_at
            for contract, run in zip(self.contracts, self._runs, strict=True):
                written = self._written(contract, found)
                if self.source.resumable:
                    self._commit_ours(contract, run, written, seconds)
                elif written:
                    records = sum(span.last_offset - span.first_offset + 1 for span in written)
                    self._commit(contract, run, written, records, seconds)
        with suppress(HeadwaterError):
            for run in self._runs:
                failed = type(error).__name__ if isinstance(error, Exception) else ""
                self.setup.emitter.finish(run, self.setup.now(), failed=failed, aborted=not failed)

    def _found_ends(self) -> dict[tuple[str, int], int]:
        found = end_offsets(self.setup.client, [contract.raw_topic for contract in self.contracts])
        return {slot: end for slot, (_, end) in found.items()}

    def _written(self, contract: Contract, found: Mapping[tuple[str, int], int]) -> list[OffsetRange]:
        """Return the offsets that came to a raw topic since the last time."""
        return [
            OffsetRange(topic, partition, self._ends[topic, partition], end - 1)
            for (topic, partition), end in sorted(found.items())
            if topic == contract.raw_topic and end > self._ends[topic, partition]
        ]

    def _tell_later(
        self,
        contract: Contract,
        run: RunRef,
        tails: Sequence[Tail | None],
        found: Mapping[tuple[str, int], tuple[int, int]],
    ) -> None:
        topic, told = contract.raw_topic, self._told_ends(run.job, contract.raw_topic)
        untold = [
            OffsetRange(topic, partition, max(start, told.get(partition, 0)), end - 1)
            for partition, (tail, (start, end)) in enumerate(zip(tails, _of_topic(found, topic), strict=False))
            if tail is not None and tail.source == self.source.id and told.get(partition, 0) < end
        ]
        self.told_later += self._commit_ours(contract, run, untold, 0.0)

    def _commit_ours(self, contract: Contract, run: RunRef, spans: Sequence[OffsetRange], seconds: float) -> int:
        """Tell of the records within the spans that carry this source's header; return how many."""
        ranges, records = [], 0
        for span in spans:
            offsets = self._offsets_of_ours(span)
            if offsets:
                ranges.append(replace(span, first_offset=offsets[0], last_offset=offsets[-1]))
                records += len(offsets)
        if ranges:
            self._commit(contract, run, ranges, records, seconds)
        return records

    def _told_ends(self, job: str, topic: str) -> dict[int, int]:
        ends: dict[int, int] = {}
        for commit in self.setup.emitter.commits(job):
            for span in commit.output_offsets:
                if span.topic == topic:
                    ends[span.partition] = max(ends.get(span.partition, 0), span.last_offset + 1)
        return ends

    def _offsets_of_ours(self, span: OffsetRange) -> list[int]:
        offsets = []
        for messages in read_range(self.setup.client, span.topic, span.partition, span.first_offset, span.last_offset + 1):
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


def _of_topic(found: Mapping[tuple[str, int], tuple[int, int]], topic: str) -> list[tuple[int, int]]:
    """Return a topic's (start, end) offsets in the order of its partitions."""
    return [offsets for (name, _), offsets in sorted(found.items()) if name == topic]
