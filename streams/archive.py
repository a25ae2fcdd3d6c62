"""The archive hop: raw records to rows of bronze, each raw coordinate once, all but the coordinates sealed.

Nothing is judged here: a record that cannot be read is kept as it came, for the day when it can. Keys come from the engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from contracts.contract import Contract
from contracts.keys import DataKey
from contracts.records import BRONZE_SCHEMA, ERASED, KNOWN_AT
from contracts.sealing import seal
from streams.batches import ingested_at
from streams.sealed import place

PARTS = ("key", "value", "headers")
ROW_SCHEMA = pa.schema([field for field in BRONZE_SCHEMA if field.name != KNOWN_AT])
"""A row of bronze before its commit gives it its knowledge time."""


def bronze_rows(records: pa.RecordBatch, named: Sequence[str], keys: Mapping[str, DataKey], contract: Contract) -> pa.Table:
    """Return one row for each record of the batch, which is in ARCHIVE_SCHEMA. `named` are the records' subjects.

    A record whose subject has no key among `keys` was erased: only its coordinates are kept.
    """
    partitions, offsets = records["partition"], records["offset"]
    spots = list(zip(partitions.to_pylist(), offsets.to_pylist(), strict=True))
    found = [keys.get(subject) for subject in named]
    sealed = {part: _sealed(records[part].to_pylist(), found, spots, part, contract.raw_topic) for part in PARTS}
    columns = [
        pa.repeat(contract.raw_topic, records.num_rows),
        partitions,
        offsets,
        ingested_at(records["timestamp_ms"]),
        records["timestamp_ms"],
        *(pa.array(sealed[part], pa.binary()) for part in PARTS),
        pa.array([ERASED if key is None else key.id for key in found], pa.string()),
        pa.repeat(contract.hash, records.num_rows),
    ]
    return pa.table(columns, schema=ROW_SCHEMA)


def _sealed(
    values: list[bytes | None], keys: list[DataKey | None], spots: list[tuple[int, int]], part: str, topic: str
) -> list[bytes | None]:
    return [
        None if value is None or key is None else seal(value, key, place(topic, partition, offset, part))
        for value, key, (partition, offset) in zip(values, keys, spots, strict=True)
    ]
