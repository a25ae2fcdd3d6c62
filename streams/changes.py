"""Records of an `upsert` contract as rows and deletes: the envelope taken off, a null value read as the delete of its key.

Every change gets three columns (`contracts.records.CHANGE_FIELDS`): its kind, when the source made it, and its place in the
source's log. Without an envelope, a row's change was made at its event time, and a tombstone's at its record's own time.

Debezium sends a tombstone right after each delete, for Kafka's compaction. It tells nothing of its own, so it stands where its
delete does: at time and place of the record before it in its partition, if that has its key. (By its own time it would come
after a row that was put back at once.) A tombstone whose delete was compacted away keeps its own time.

Who else reads the clean topic finds the three columns in the JSON of each record; a delete there has a value, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from contracts.contract import Contract
from contracts.records import CHANGED_AT, KIND, SEQUENCE, Kind, Reason
from streams.batches import binary_array, ingested_at
from streams.change_keys import key_values
from streams.debezium import Change, NoChange, change_of, moment
from streams.decode import Reject

KINDS = [kind.value for kind in Kind]
_TIME = pl.Datetime("us", "UTC")
_MARKS = {KIND: pl.String, CHANGED_AT: _TIME, SEQUENCE: pl.String}


@dataclass(frozen=True)
class LastChange:
    """The change that came last in a raw partition: where a tombstone behind it stands."""

    key: bytes | None
    changed_at: int
    sequence: str | None


LastChanges = Mapping[int, LastChange]
"""By raw partition."""


@dataclass(frozen=True)
class Changes:
    """What a batch's records come to, record by record; null values where there is a reject instead."""

    values: pa.Array
    """Rows as JSON, large_binary."""
    marks: pl.DataFrame
    """CHANGE_FIELDS; `_changed_at` is null where the row's event time says it."""
    rejects: tuple[Reject, ...]
    last: LastChanges
    placed: bool = False
    """Whether an envelope tells each change's place in the source's log: so the same change is known wherever it comes again."""


def unwrapped(records: pa.RecordBatch, last: LastChanges, contract: Contract) -> Changes:
    """Return the changes that the records of an `upsert` contract's raw topic are. `last` is the state before them."""
    if contract.envelope == "debezium":
        return _from_envelopes(records, last, contract)
    values = records["value"]
    marks = pl.DataFrame({KIND: pl.repeat(Kind.UPSERT.value, records.num_rows, eager=True)})
    marks = marks.with_columns(pl.lit(None, _TIME).alias(CHANGED_AT), pl.lit(None, pl.String).alias(SEQUENCE))
    if not values.null_count:
        return Changes(values, marks, (), {})
    return _with_tombstones(records, marks, contract)


def marked_rows(rows: pl.DataFrame, positions: np.ndarray, changes: Changes, contract: Contract) -> pl.DataFrame:
    """Return decoded rows with the columns that say what each does to its key. `positions` are theirs in the batch."""
    marks = changes.marks if len(positions) == changes.marks.height else changes.marks[positions]
    at = pl.coalesce(CHANGED_AT, pl.col(contract.event_time).cast(_TIME))
    return rows.hstack(marks).with_columns(at.alias(CHANGED_AT))


def readable_changes(rows: pl.DataFrame, contract: Contract) -> np.ndarray:
    """Say which rows of the clean topic hold all that every change of ours does: a stranger's may not."""
    demanded = pl.all_horizontal(pl.col(name).is_not_null() for name in (*contract.key, contract.event_time, CHANGED_AT))
    whole: np.ndarray = rows.select(demanded & pl.col(KIND).is_in(KINDS).fill_null(value=False)).to_series().to_numpy()
    return whole


def _with_tombstones(records: pa.RecordBatch, marks: pl.DataFrame, contract: Contract) -> Changes:
    values, rejects = records["value"].to_pylist(), []
    stamps = _stamps(records)
    kinds: list[str] = [Kind.UPSERT.value] * len(values)
    times: list[int | None] = [None] * len(values)
    for at in np.flatnonzero(records["value"].is_null().to_numpy(zero_copy_only=False)).tolist():
        made = tombstone(records["key"][at].as_py(), stamps[at], contract)
        if isinstance(made, NoChange):
            rejects.append(Reject(at, made.reason, rule=made.rule))
            continue
        values[at], kinds[at], times[at] = made, Kind.DELETE.value, stamps[at]
    marks = marks.with_columns(pl.Series(KIND, kinds), pl.Series(CHANGED_AT, times, pl.Int64).cast(_TIME))
    return Changes(binary_array(values), marks, tuple(rejects), {})


def tombstone(key: bytes | None, changed_at: int, contract: Contract) -> bytes | NoChange:
    """Return the row of a delete as JSON: its key, and its time as event time."""
    found = key_values(key, contract)
    if found is None:
        return NoChange(Reason.UNDECODABLE, "key") if key else NoChange(Reason.NULL_VALUE, "key")
    try:
        return orjson.dumps({contract.event_time: moment(changed_at)} | found)
    except orjson.JSONEncodeError:
        return NoChange(Reason.TOO_DEEP, "nesting")


def _from_envelopes(records: pa.RecordBatch, last: LastChanges, contract: Contract) -> Changes:
    partitions, stamps = records["partition"].to_pylist(), _stamps(records)
    keys, came = records["key"].to_pylist(), records["value"].to_pylist()
    known, rejects = dict(last), []
    values: list[bytes | None] = []
    marks: list[tuple[str | None, int | None, str | None]] = []
    for at, (partition, key, value, stamp) in enumerate(zip(partitions, keys, came, stamps, strict=True)):
        change = None if value is None else change_of(value, key, stamp, contract)
        made = _tombstone_behind(known.get(partition), key, stamp, contract) if change is None else change
        if isinstance(made, NoChange):
            known.pop(partition, None)
            rejects.append(Reject(at, made.reason, rule=made.rule))
            values.append(None)
            marks.append((None, None, None))
            continue
        known[partition] = LastChange(key, made.changed_at, made.sequence)
        values.append(made.value)
        marks.append((made.kind.value, made.changed_at, made.sequence))
    schema = {KIND: pl.String, CHANGED_AT: pl.Int64, SEQUENCE: pl.String}
    frame = pl.DataFrame(marks, schema=schema, orient="row").with_columns(pl.col(CHANGED_AT).cast(_TIME))
    return Changes(binary_array(values), frame, tuple(rejects), known, placed=True)


def _tombstone_behind(before: LastChange | None, key: bytes | None, stamp: int, contract: Contract) -> Change | NoChange:
    """Return the delete that a tombstone repeats: at time and place of the change before it, if that is of its key."""
    follows = before is not None and before.key == key
    changed_at, sequence = (before.changed_at, before.sequence) if before is not None and follows else (stamp, None)
    made = tombstone(key, changed_at, contract)
    return made if isinstance(made, NoChange) else Change(made, Kind.DELETE, changed_at, sequence)


def _stamps(records: pa.RecordBatch) -> list[int]:
    """Return the records' own times in microseconds, as the tables hold them."""
    stamps: list[int] = pc.cast(ingested_at(records["timestamp_ms"]), pa.int64()).to_pylist()
    return stamps
