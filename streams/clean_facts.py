"""What the clean hop tells of one batch: counted where the batch was cleaned, told to the ledger where the ledger is.

On `direct` and Faust both are one process. A Flink job cannot reach the ledger: there the counts travel, as JSON, through a
Kafka topic of their own, in the same transaction as the records that they speak of (`infra.flink.follow` tells them).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import orjson
import pyarrow as pa

from contracts.contract import Contract
from lineage.facts import ContractRef, HopFacts, OffsetRange, RunRef
from lineage.names import commit_id
from streams.clean import CleanState
from streams.outcome import Outcome, offset_ranges
from streams.personal import mask_facts
from streams.topology import clean_dataset, dead_letter_dataset, raw_dataset


@dataclass(frozen=True)
class CleanedBatch:
    """The counts of one batch: what they are of is in `contracts` and `lineage.facts`."""

    raw_topic: str
    contract_version: str
    contract_hash: str
    ranges: Mapping[int, tuple[int, int]]
    """By raw partition: first and last offset."""
    records_in: int
    records_out: int
    letters: int
    reasons: Mapping[str, int]
    duplicates: int
    discarded: Mapping[str, int]
    masked: Mapping[str, Mapping[str, int]]
    seconds: float
    """Of cleaning, by the clock."""

    @staticmethod
    def of(records: pa.RecordBatch, outcome: Outcome[CleanState], contract: Contract, seconds: float) -> CleanedBatch:
        """Count a batch and what it came to."""
        return CleanedBatch(
            raw_topic=contract.raw_topic,
            contract_version=contract.contract_version,
            contract_hash=contract.hash,
            ranges=offset_ranges(records["partition"], records["offset"]),
            records_in=records.num_rows,
            records_out=outcome.rows.num_rows,
            letters=outcome.dead_letters.num_rows,
            reasons=outcome.reasons,
            duplicates=outcome.duplicates,
            discarded=outcome.discarded,
            masked=outcome.masked,
            seconds=seconds,
        )

    def encoded(self) -> bytes:
        """Return the batch as JSON. `decoded_batch` reads it."""
        return orjson.dumps(asdict(self), option=orjson.OPT_NON_STR_KEYS)


def decoded_batch(value: bytes) -> CleanedBatch:
    """Return the batch that `CleanedBatch.encoded` wrote. Raises ValueError or TypeError for anything else."""
    read: dict[str, Any] = orjson.loads(value)
    ranges = {int(partition): (int(first), int(last)) for partition, (first, last) in read["ranges"].items()}
    return CleanedBatch(**{**read, "ranges": ranges})


def clean_facts(batch: CleanedBatch, run: RunRef, contract: Contract, servers: str, at: datetime) -> HopFacts:
    """Return what the ledger is told of a batch whose records are acknowledged. The commit's id follows from its offsets."""
    ranges = tuple(OffsetRange(batch.raw_topic, p, first, last) for p, (first, last) in sorted(batch.ranges.items()))
    position = ",".join(f"{span.partition}:{span.first_offset}-{span.last_offset}" for span in ranges)
    return HopFacts(
        run=run,
        commit_id=commit_id(run.job, contract.clean_topic, position),
        committed_at=at,
        inputs=(raw_dataset(contract, servers, ranges),),
        outputs=(
            replace(clean_dataset(contract, servers, batch.records_out), masked=mask_facts(batch.masked)),
            dead_letter_dataset(contract, servers, batch.letters),
        ),
        records_in=batch.records_in,
        records_out=batch.records_out,
        dead_letters=batch.reasons,
        duplicates=batch.duplicates,
        discarded=batch.discarded,
        contract=ContractRef(contract.id, batch.contract_version, batch.contract_hash),
        seconds=batch.seconds,
    )
