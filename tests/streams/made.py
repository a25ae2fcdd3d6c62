"""Contracts, records and messages that the tests of the streams room are made of: made-up things of made-up people."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from contracts.connectors.key_store import SqliteKeyStore
from contracts.contract import Contract, Field, Rule
from contracts.keys import KeyStore
from contracts.records import RECORD_SCHEMA
from streams import clean, land
from streams.batches import landing_batch
from streams.clean import CleanState
from streams.encode import Encoded
from streams.land import Held
from streams.outcome import Outcome

MASKING_KEY = bytes(range(32))
RECORD_BYTES_MAX = 4 * 1024 * 1024
WINDOW = 1_000
SENT_AT_MS = 1_357_020_000_123


class KnownMaskingKey:
    """A real key store, but for the masking key: so that what engines mask is known beforehand."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store

    def secret(self, name: str) -> bytes:
        return MASKING_KEY if name == "masking" else self._store.secret(name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def know_masking_key(file: Path) -> None:
    """Put the known masking key into a key store that has none yet, for processes that open the file themselves."""
    store = SqliteKeyStore(file)
    with store._writing() as connection:
        wrapped = store._wrap(MASKING_KEY, "secret:masking")
        connection.execute("INSERT INTO secrets VALUES ('masking', ?)", (wrapped,))


def contract_of(*fields: Field, name: str = "things", partitions: int = 2) -> Contract:
    """Return a contract with a string key `id`, an event time `at`, and the fields given."""
    head = (
        Field("id", "string", required=True, primary_key=True, classification="public"),
        Field("at", "timestamp", required=True, classification="public"),
    )
    return Contract(
        id=f"urn:test:shop:{name}",
        domain="shop",
        name=name,
        contract_version="1.0.0",
        hash="a" * 64,
        fields=(*head, *fields),
        event_time="at",
        partitions=partitions,
    )


PLAIN = contract_of(
    Field("amount", "integer", rules=(Rule("minimum", "minimum", 0),)),
    Field("weight", "number"),
    Field("note", "string"),
    Field("paid", "boolean"),
)
"""Flat, with one rule and one field of free text."""

WIDE = contract_of(
    Field("text", "string", classification="public"),
    Field("count", "integer"),
    Field("ratio", "number"),
    Field("flag", "boolean"),
    Field("seen_at", "timestamp"),
    Field("day", "date"),
    Field(
        "place",
        "object",
        fields=(
            Field("city", "string", classification="public"),
            Field("floor", "integer"),
            Field("inner", "object", fields=(Field("open", "boolean"), Field("rate", "number"))),
        ),
    ),
    Field("tags", "array", items=Field("", "string", classification="public")),
    Field("sizes", "array", items=Field("", "integer")),
    Field("rates", "array", items=Field("", "number")),
    Field(
        "lines",
        "array",
        items=Field(
            "",
            "object",
            fields=(Field("sku", "string", classification="public"), Field("many", "array", items=Field("", "boolean"))),
        ),
    ),
    name="wide",
)
"""Every logical type, nested ones too; all texts public, so that what goes in comes out."""


def value(key: object, **more: Any) -> bytes:
    """Return a good record of a contract of `contract_of` as JSON."""
    return orjson.dumps({"id": str(key), "at": "2013-01-01T06:00:00Z", **more})


def raw(head: str, rest: str = "") -> bytes:
    """Return a good record with more JSON text in it, as written: `rest` starts with a comma."""
    return f'{{"id":"{head}","at":"2013-01-01T06:00:00Z"{rest}}}'.encode()


def records_of(
    values: Sequence[bytes | None],
    *,
    keys: Sequence[bytes | None] | None = None,
    partition: int = 0,
    first: int = 0,
    timestamp_ms: int = SENT_AT_MS,
) -> pa.RecordBatch:
    """Return raw records of one partition with offsets in a row."""
    size = len(values)
    columns = [
        pa.repeat(pa.scalar(partition, pa.int32()), size),
        pa.array(range(first, first + size), pa.int64()),
        pa.repeat(pa.scalar(timestamp_ms, pa.int64()), size),
        pa.array(keys or [None] * size, pa.large_binary()),
        pa.array(values, pa.large_binary()),
    ]
    return pa.record_batch(columns, schema=RECORD_SCHEMA)


def cleaned(records: pa.RecordBatch, contract: Contract, window: int = WINDOW) -> Outcome[CleanState]:
    """Return what one batch comes to from a state that remembers nothing."""
    return clean.process_batch(records, CleanState({}, window, RECORD_BYTES_MAX, masking_key=MASKING_KEY), contract)


def verdicts(outcome: Outcome[Any]) -> dict[int, str]:
    """Return what became of each offset of one partition: `row`, or its reason."""
    rows = dict.fromkeys(outcome.rows["_offset"].to_pylist(), "row")
    letters = outcome.dead_letters
    return rows | dict(zip(letters["_offset"].to_pylist(), letters["reason"].to_pylist(), strict=True))


@dataclass(frozen=True)
class Message:
    """One record as confluent-kafka gives it."""

    topic_: str
    partition_: int
    offset_: int
    timestamp_ms: int
    key_: bytes | None
    value_: bytes | None
    headers_: list[tuple[str, bytes]] | None = field(default=None)

    def topic(self) -> str:
        return self.topic_

    def partition(self) -> int:
        return self.partition_

    def offset(self) -> int:
        return self.offset_

    def timestamp(self) -> tuple[int, int]:
        return 1, self.timestamp_ms

    def key(self) -> bytes | None:
        return self.key_

    def value(self) -> bytes | None:
        return self.value_

    def headers(self) -> list[tuple[str, bytes]] | None:
        return self.headers_

    def __len__(self) -> int:
        return len(self.value_ or b"")


def sent(encoded: Iterable[Encoded], topic: str, first: int = 0) -> list[Message]:
    """Return encoded records as a consumer of the topic gets them, offsets in a row by partition."""
    counters: dict[int, itertools.count[int]] = {}
    made = []
    for text, key, partition, timestamp_ms, headers in encoded:
        offset = next(counters.setdefault(partition, itertools.count(first)))
        made.append(Message(topic, partition, offset, timestamp_ms, key.encode() if key is not None else None, text, headers))
    return made


def landed(messages: Sequence[Message], contract: Contract, held: Held | None = None) -> Outcome[Held]:
    """Return what a batch of clean or dead-letter messages comes to."""
    letters = bool(messages) and messages[0].topic() == contract.dead_letter_topic
    process = land.process_dead_letters if letters else land.process_batch
    return process(landing_batch(messages), held or Held(), contract)


def sorted_rows(table: pa.Table) -> list[dict[str, Any]]:
    """Return the rows in the order of their raw coordinates, without knowledge time."""
    kept = [name for name in table.column_names if name != "_known_at"]
    rows = table.select(kept).to_pylist()
    return sorted(rows, key=lambda row: (row["_topic"], row["_partition"], row["_offset"], str(row.get("reason"))))


def a_moment(second: int = 0) -> datetime:
    """Return a time in UTC."""
    return datetime(2026, 1, 2, 3, 4, second, tzinfo=UTC)
