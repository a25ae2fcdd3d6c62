"""Sealed records read back: rows of bronze and of quarantine to raw records, as far as their keys are still there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from contracts.keys import DataKey
from contracts.records import INGESTED_AT, KEY_ID, OFFSET, PARTITION, PAYLOAD, TOPIC, VERSION_HEADER
from contracts.sealing import unseal
from streams.archive import PARTS
from streams.packing import unpacked
from streams.sealed import PAYLOAD_PARTS, place

State = Literal["kept", "erased", "absent"]


@dataclass(frozen=True)
class RawRecord:
    """One raw record read back. `state` says whether it is `kept`, `erased` (its key is gone) or `absent` (none was sealed)."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key_id: str | None
    state: State
    key: bytes | None = None
    value: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    version: bytes | None = None
    """What the record said of the contract's version that it follows."""


def of_bronze(rows: pa.Table, keys: Mapping[str, DataKey]) -> Iterator[RawRecord]:
    """Yield the raw record of each row of bronze. `keys` are by id, those that are still there."""
    for row in rows.to_pylist():
        topic, partition, offset, key = row[TOPIC], row[PARTITION], row[OFFSET], keys.get(row[KEY_ID])
        head = (topic, partition, offset, row["timestamp_ms"], row[KEY_ID])
        if key is None:
            yield RawRecord(*head, "erased")
            continue
        parts = {
            part: None if row[part] is None else unseal(row[part], key, place(topic, partition, offset, part)) for part in PARTS
        }
        headers = _headers(parts["headers"])
        version = next((said for name, said in reversed(headers) if name == VERSION_HEADER), None)
        yield RawRecord(*head, "kept", parts["key"], parts["value"], headers, version)


def of_quarantine(rows: pa.Table, keys: Mapping[str, DataKey]) -> Iterator[RawRecord]:
    """Yield the raw record of each row of quarantine, as far as its dead letter carried it."""
    for row in rows.to_pylist():
        topic, partition, offset = row[TOPIC], row[PARTITION], row[OFFSET]
        head = (topic, partition, offset, int(row[INGESTED_AT].timestamp() * 1000), row[KEY_ID])
        key = keys.get(row[KEY_ID])
        if row[PAYLOAD] is None or key is None:
            yield RawRecord(*head, "absent" if row[PAYLOAD] is None else "erased")
            continue
        parts = unpacked(unseal(row[PAYLOAD], key, place(topic, partition, offset, PAYLOAD)))
        told = dict(zip(PAYLOAD_PARTS, parts, strict=True))
        yield RawRecord(*head, "kept", told["key"], told["value"], version=told["version"])


def as_dict(record: RawRecord) -> dict[str, Any]:
    """Return the record as `headwater bronze` tells it, without what it holds."""
    told: dict[str, Any] = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp_ms": record.timestamp_ms,
        "key_id": record.key_id,
        "state": record.state,
    }
    if record.state == "kept":
        told |= {"key_bytes": _size(record.key), "value_bytes": _size(record.value), "headers": len(record.headers)}
    return told


def _size(data: bytes | None) -> int | None:
    return None if data is None else len(data)


def _headers(data: bytes | None) -> tuple[tuple[str, bytes | None], ...]:
    parts = unpacked(data) if data is not None else []
    names = [(part or b"").decode("utf-8", "surrogateescape") for part in parts[::2]]
    return tuple(zip(names, parts[1::2], strict=True))
