"""The land hop: records of the clean and dead-letter topics to rows of silver and quarantine, each raw coordinate once.

`held` says which raw coordinates the table already has; a record with one of them is dropped, whoever repeated it. A record
that no clean job of ours wrote (no coordinates, or not readable under the contract) becomes a dead letter for reason
`foreign`, with its coordinates in the topic it stood in: even then nothing is lost, and nothing unjudged reaches silver.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import orjson
import polars as pl
import pyarrow as pa

from contracts.contract import Contract
from contracts.records import DEAD_LETTER_SCHEMA, EVOLVED, KEY_ID, PAYLOAD, Reason
from contracts.schema import carried, clean_schema
from streams.batches import ingested_at, taken
from streams.changes import readable_changes
from streams.decode import Decoded, decoded_clean_values, utf8_texts
from streams.intervals import IntervalSet
from streams.outcome import Outcome, offset_ranges

HASH = r"^[0-9a-f]{64}$"

TOLD = {
    "reason": pl.String,
    "field": pl.String,
    "rule": pl.String,
    "original_offset": pl.Int64,
    "contract_version": pl.String,
    PAYLOAD: pl.Binary,
    KEY_ID: pl.String,
}
"""What a dead letter tells of itself."""


@dataclass(frozen=True)
class Held:
    """Raw offsets that a table already has, by raw topic and partition."""

    offsets: Mapping[tuple[str, int], IntervalSet] = field(default_factory=dict)

    def without(self, topic: str, partitions: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, Held]:
        """Return which of these coordinates are new, the first of each, and what is held with them."""
        fresh, grown = np.zeros(len(offsets), bool), dict(self.offsets)
        for partition in np.unique(partitions).tolist():
            here = np.flatnonzero(partitions == partition)
            came = offsets[here]
            held = grown.get((topic, partition), IntervalSet())
            first = np.zeros(len(here), bool)
            first[np.unique(came, return_index=True)[1]] = True
            fresh[here] = first & ~held.contains(came)
            grown[topic, partition] = held.union(IntervalSet.of(came))
        return fresh, Held(grown)


@dataclass(frozen=True)
class _Sources:
    """By record: its raw coordinates as its `src` header tells them, and whether it has any that can be ours."""

    partition: np.ndarray
    offset: np.ndarray
    ours: np.ndarray


def process_batch(records: pa.RecordBatch, state: Held, contract: Contract) -> Outcome[Held]:
    """Return what one batch of the contract's clean topic comes to: rows in clean_schema, foreign records as dead letters."""
    sources = _sources(records, contract)
    valid = records["value"].is_valid().to_numpy(zero_copy_only=False)
    positions = np.flatnonzero(sources.ours & valid)
    decoded = _decoded(taken(records["value"], positions), positions, contract)
    fresh, held = _fresh(decoded.positions, sources, state, contract)
    kept = decoded.positions[fresh]
    wider = {name for beyond in decoded.evolved.values() for name in beyond}
    rows = _rows(decoded.rows if fresh.all() else decoded.rows.filter(fresh), kept, sources, records, contract, wider)
    rows = _with_evolved(rows, kept, decoded.evolved)
    strange = _foreign(_others(decoded.positions, records), records, contract.clean_topic, contract)
    return Outcome(rows, strange, int((~fresh).sum()), _next_offsets(records), held)


def process_dead_letters(records: pa.RecordBatch, state: Held, contract: Contract) -> Outcome[Held]:
    """Return what one batch of the dead-letter topic comes to: all of it as dead letters, in DEAD_LETTER_SCHEMA."""
    sources = _sources(records, contract)
    told = _told(records["value"])
    readable = told["reason"].is_in([reason.value for reason in Reason]) & told["contract_version"].is_not_null()
    known = np.flatnonzero(sources.ours & readable.fill_null(value=False).to_numpy())
    fresh, held = _fresh(known, sources, state, contract)
    positions = known[fresh]
    columns = _coordinates(positions, sources, records, contract) | {
        name: told[name].gather(positions).to_arrow() for name in TOLD
    }
    letters = pa.table({name: columns[name] for name in DEAD_LETTER_SCHEMA.names}).cast(DEAD_LETTER_SCHEMA)
    strange = _foreign(_others(known, records), records, contract.dead_letter_topic, contract)
    rows = clean_schema(contract).empty_table()
    return Outcome(rows, pa.concat_tables([letters, strange]), int((~fresh).sum()), _next_offsets(records), held)


def _decoded(values: pa.Array, positions: np.ndarray, contract: Contract) -> Decoded:
    """Return the rows of clean records; of an `upsert` contract, of those alone that say what they do to their key."""
    decoded = decoded_clean_values(values, positions, carried(contract))
    if contract.change == "append":
        return decoded
    whole = readable_changes(decoded.rows, contract)
    return decoded if whole.all() else replace(decoded, rows=decoded.rows.filter(whole), positions=decoded.positions[whole])


def _sources(records: pa.RecordBatch, contract: Contract) -> _Sources:
    headers = pl.DataFrame({name: utf8_texts(records[name]) for name in ("src", "contract")})
    prefix = contract.raw_topic + ":"
    text = pl.col("src")
    parts = text.str.slice(len(prefix)).str.split_exact(":", 1)
    ours = text.str.starts_with(prefix) & text.str.slice(len(prefix)).str.contains(r"^[0-9]{1,9}:[0-9]{1,18}$")
    known = pl.col("contract").str.contains(HASH)
    read = headers.select(
        partition=parts.struct.field("field_0").cast(pl.Int32, strict=False).fill_null(-1),
        offset=parts.struct.field("field_1").cast(pl.Int64, strict=False).fill_null(-1),
        ours=(ours & known).fill_null(value=False),
    )
    return _Sources(read["partition"].to_numpy(), read["offset"].to_numpy(), read["ours"].to_numpy())


def _fresh(readable: np.ndarray, sources: _Sources, state: Held, contract: Contract) -> tuple[np.ndarray, Held]:
    """Return which of these records, ours and readable, are new to the table, and the coordinates held after them.

    Only what can be read holds its coordinates: else one unreadable record would keep the true one out.
    """
    return state.without(contract.raw_topic, sources.partition[readable], sources.offset[readable])


def _others(positions: np.ndarray, records: pa.RecordBatch) -> np.ndarray:
    """Return the positions of the batch that are not among these."""
    rest = np.ones(records.num_rows, bool)
    rest[positions] = False
    return np.flatnonzero(rest)


def _told(values: pa.Array) -> pl.DataFrame:
    """Return what dead letters say of themselves, all null for one that cannot be read."""
    rows = []
    for value in values.to_pylist():
        try:
            read = orjson.loads(value) if value is not None else {}
        except orjson.JSONDecodeError:
            read = {}
        rows.append({name: _of_kind(read, name, kind) for name, kind in TOLD.items()})
    return pl.DataFrame(rows, schema=TOLD)


def _of_kind(read: Any, name: str, kind: Any) -> Any:
    """Return what a stranger's JSON says under a name if it is of the kind that we would have written, else null."""
    item = read.get(name) if isinstance(read, dict) else None
    if kind is pl.Binary:
        return _bytes(item)
    if kind is pl.Int64:
        return item if isinstance(item, int) and not isinstance(item, bool) and 0 <= item < 2**63 else None
    return item if isinstance(item, str) else None


def _bytes(item: Any) -> bytes | None:
    try:
        return base64.b64decode(item, validate=True) if isinstance(item, str) else None
    except ValueError:
        return None


def _coordinates(positions: np.ndarray, sources: _Sources, records: pa.RecordBatch, contract: Contract) -> dict[str, pa.Array]:
    times = ingested_at(taken(records["timestamp_ms"], positions))
    hashes = taken(records["contract"], positions).cast(pa.large_string()).cast(pa.string())
    return {
        "_topic": pa.repeat(contract.raw_topic, len(positions)),
        "_partition": pa.array(sources.partition[positions]),
        "_offset": pa.array(sources.offset[positions]),
        "_ingested_at": times,
        "_contract_hash": hashes,
    }


def _rows(
    rows: pl.DataFrame,
    positions: np.ndarray,
    sources: _Sources,
    records: pa.RecordBatch,
    contract: Contract,
    wider: Collection[str] = (),
) -> pa.Table:
    """Return the rows with their coordinates. A column of `wider` may hold null where it must not: its value is evolved."""
    columns = rows.to_arrow()
    coordinates = _coordinates(positions, sources, records, contract)
    table = pa.table([*columns.columns, *coordinates.values()], names=[*columns.column_names, *coordinates])
    schema = clean_schema(contract)
    return table.cast(pa.schema([f.with_nullable(f.nullable or f.name in wider) for f in schema]) if wider else schema)


def _with_evolved(rows: pa.Table, positions: np.ndarray, evolved: Mapping[int, Mapping[str, Any]]) -> pa.Table:
    """Return the rows with what their records have beyond the contract's columns, which our clean hop judged and masked."""
    if not evolved or not len(positions):
        return rows
    found = [evolved.get(at) for at in positions.tolist()]
    texts = [None if item is None else orjson.dumps(item).decode() for item in found]
    return rows.append_column(pa.field(EVOLVED, pa.string()), pa.array(texts, pa.string()))


def _foreign(positions: np.ndarray, records: pa.RecordBatch, topic: str, contract: Contract) -> pa.Table:
    size = len(positions)
    nothing = pa.nulls(size, pa.string())
    columns = {
        "_topic": pa.repeat(topic, size),
        "_partition": taken(records["partition"], positions),
        "_offset": taken(records["offset"], positions),
        "_ingested_at": ingested_at(taken(records["timestamp_ms"], positions)),
        "reason": pa.repeat(Reason.FOREIGN.value, size),
        "field": nothing,
        "rule": nothing,
        "original_offset": pa.nulls(size, pa.int64()),
        "contract_version": pa.repeat(contract.contract_version, size),
        "_contract_hash": pa.repeat(contract.hash, size),
        PAYLOAD: pa.nulls(size, pa.binary()),
        KEY_ID: nothing,
    }
    return pa.table(columns).cast(DEAD_LETTER_SCHEMA)


def _next_offsets(records: pa.RecordBatch) -> dict[int, int]:
    return {p: last + 1 for p, (_, last) in offset_ranges(records["partition"], records["offset"]).items()}
