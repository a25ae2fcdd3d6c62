"""What runs in a Flink job's Python workers, Flink aside: a batch of one raw partition in, records to send and the window out.

A batch comes as columns, in the partition's order. It is cut as the settings bound batches, goes through the same
`process_batch` as on any engine, and leaves as records for the clean and the dead-letter topic, with one more for the facts
topic that counts them. Nothing is sent or kept here: Flink's sinks send, its keyed state keeps.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from contracts.connectors.files import load_catalog
from contracts.connectors.key_store import MasterKey, SqliteKeyStore, parsed_master_key
from contracts.contract import Contract
from contracts.errors import ContractInvalid
from contracts.keys import KeyStore
from contracts.records import CONTRACT_HEADER, REASON_HEADER, RECORD_SCHEMA, SRC_HEADER, VERSION_FIELD
from streams.batches import binary_array
from streams.clean import CleanState, process_batch
from streams.clean_facts import CleanedBatch
from streams.connectors.sandbox import ProcessSandbox
from streams.duplicates import DuplicateState, Seen
from streams.encode import Encoded, encoded_dead_letters, encoded_rows
from streams.engines.vault import with_payloads
from streams.engines.windows import remember_window
from streams.kept_windows import unpacked_window
from streams.setup import Limits

MASTER_KEY_VARIABLE = "HEADWATER_MASTER_KEY"


class Sent(NamedTuple):
    """One record on its way to Kafka. Without `src` it is one of the facts topic."""

    key: bytes | None
    value: bytes
    topic: str
    src: bytes | None
    contract: bytes
    reason: bytes | None
    timestamp_ms: int


class RawColumns(NamedTuple):
    """One batch of one raw partition, as Flink hands it over."""

    topic: str
    partition: int
    offsets: Sequence[int]
    timestamps_ms: Sequence[int]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    versions: Sequence[bytes | None]

    def records(self) -> pa.RecordBatch:
        """Return the batch as `process_batch` wants it, in the order of its offsets."""
        size = len(self.offsets)
        columns = [
            pa.array(np.full(size, self.partition, np.int32)),
            pa.array(np.array(self.offsets, np.int64)),
            pa.array(np.array(self.timestamps_ms, np.int64)),
            binary_array(self.keys),
            binary_array(self.values),
        ]
        batch = pa.record_batch(columns, schema=RECORD_SCHEMA)
        if any(said is not None for said in self.versions):
            batch = batch.append_column(VERSION_FIELD, binary_array(self.versions))
        order = np.argsort(batch["offset"].to_numpy(), kind="stable")
        return batch if (np.diff(order) == 1).all() else batch.take(pa.array(order))


@dataclass(frozen=True)
class FlinkSpec:
    """What a job's workers are told, sent with the job. `client` may hold a password: plans are files for their owner alone."""

    contracts: str
    """Folder of the contract files, beside the shipped code."""
    hashes: Mapping[str, str]
    """Of each contract of the job, by raw topic: what the files must come to."""
    facts_topic: str
    key_store: str
    """File of the key store, as every worker sees it."""
    client: Mapping[str, Any]
    """librdkafka's configuration: what rebuilds a window reads the raw topic by it."""
    limits: Limits


class FlinkWorker:
    """Cleans batches for one parallel instance of the job."""

    def __init__(
        self, spec: FlinkSpec, contracts: Mapping[str, Contract], keys: KeyStore, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._spec, self._contracts, self._keys, self._clock = spec, contracts, keys, clock
        self._states: dict[str, CleanState] = {}
        self._sandbox = ProcessSandbox()

    def cleaned(self, columns: RawColumns, kept: Callable[[], bytes | None]) -> tuple[list[Sent], Seen]:
        """Return the records that a batch comes to, and the window after it.

        `kept` is asked for the partition's window when this worker has none yet: where it has nothing that can be read, the
        window is rebuilt from the raw log.
        """
        contract = self._contracts[columns.topic]
        state = self._states.get(columns.topic) or self._fresh()
        records = columns.records()
        if columns.partition not in state.duplicates:
            self._restore(contract, columns.partition, records["offset"][0].as_py(), state, kept())
        sent: list[Sent] = []
        for part in self._cut(records):
            began = self._clock()
            outcome = process_batch(part, state, contract)
            outcome = replace(outcome, dead_letters=with_payloads(outcome.dead_letters, part, contract, self._keys))
            state = outcome.state
            sent += _sent(contract.clean_topic, encoded_rows(outcome.rows, contract))
            sent += _sent(contract.dead_letter_topic, encoded_dead_letters(outcome.dead_letters))
            told = CleanedBatch.of(part, outcome, contract, self._clock() - began)
            last = part["timestamp_ms"][-1].as_py()
            sent.append(Sent(None, told.encoded(), self._spec.facts_topic, None, contract.hash.encode(), None, max(last, 1)))
        self._states[columns.topic] = state
        return sent, state.duplicates[columns.partition]

    def close(self) -> None:
        """End what was started to read documents."""
        self._sandbox.close()

    def _restore(self, contract: Contract, partition: int, behind: int, state: CleanState, kept: bytes | None) -> None:
        seen = unpacked_window(kept) if kept is not None else None
        duplicates: DuplicateState = state.duplicates
        if seen is None:
            duplicates[partition] = Seen()
            remember_window(self._spec.client, contract, partition, behind, state)
        else:
            duplicates[partition] = seen

    def _fresh(self) -> CleanState:
        limits, secret = self._spec.limits, self._keys.secret("masking")
        return CleanState({}, limits.duplicate_window, limits.record_bytes_max, self._sandbox, masking_key=secret)

    def _cut(self, records: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """Yield the batch in parts that the limits allow: by count, and about by the bytes of values."""
        limits, start = self._spec.limits, 0
        sizes = np.cumsum(np.fromiter((len(value) if value else 0 for value in records["value"].to_pylist()), np.int64))
        while start < records.num_rows:
            before = int(sizes[start - 1]) if start else 0
            full = int(np.searchsorted(sizes, before + limits.batch_bytes)) + 1
            end = max(start + 1, min(start + limits.batch_records, full))
            yield records.slice(start, end - start)
            start = end


def opened(spec: FlinkSpec, folder: Path) -> FlinkWorker:
    """Return a worker on the contract files shipped under a folder, and on the installation's key store.

    The key store's master key is read from HEADWATER_MASTER_KEY, else from `master.key` beside the store. Raises
    ContractInvalid if the files do not come to the contracts that the job was submitted with.
    """
    catalog = load_catalog([folder / spec.contracts])
    contracts = {contract.raw_topic: contract for contract in catalog if contract.raw_topic in spec.hashes}
    for topic, wanted in spec.hashes.items():
        if topic not in contracts or contracts[topic].hash != wanted:
            raise ContractInvalid(
                f"the contract of {topic} is not the one that the job was submitted with",
                where=str(folder / spec.contracts),
                remedy="submit the job again: headwater flink run",
            )
    given = os.environ.get(MASTER_KEY_VARIABLE)
    wrapper = MasterKey(parsed_master_key(given, MASTER_KEY_VARIABLE)) if given else None
    return FlinkWorker(spec, contracts, SqliteKeyStore(Path(spec.key_store), wrapper))


def _sent(topic: str, records: Iterator[Encoded]) -> list[Sent]:
    return [_one(topic, key, value, timestamp, dict(headers)) for value, key, _, timestamp, headers in records]


def _one(topic: str, key: str | None, value: bytes, timestamp: int, headers: Mapping[str, bytes]) -> Sent:
    packed_key = None if key is None else key.encode()
    return Sent(packed_key, value, topic, headers[SRC_HEADER], headers[CONTRACT_HEADER], headers.get(REASON_HEADER), timestamp)
