"""The clean hop: raw records to rows that obey the contract, dead letters for the rest.

In order, per record: a null value, one too large, an exact duplicate, one that cannot be decoded or is ill-typed, a document
that no text can be had from, one that breaks a rule: each becomes a dead letter for the first of these that holds. What remains
is made regular, checked, masked.
Checks see the regular text before it is masked, because it is the sender's promise that they judge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from contracts.checks import broken_checks, compiled
from contracts.contract import Contract, Field
from contracts.modes import widened
from contracts.records import COORDINATE_FIELDS, DEAD_LETTER_SCHEMA, EVOLVED, KEY_ID, PAYLOAD, Reason
from contracts.schema import carried, clean_schema
from streams.batches import ingested_at, taken
from streams.changes import Changes, marked_rows, unwrapped
from streams.decode import Reject, decoded_values
from streams.discards import ruled, without_broken
from streams.documents.model import Sandbox
from streams.documents.rows import document_rows, extracted_bytes
from streams.duplicates import DuplicateState, Seen, Window, originals
from streams.evolved import beyond_columns
from streams.outcome import Outcome, offset_ranges
from streams.personal import masked_rows
from streams.text import regular_rows
from streams.versions import Judged, assembled, by_version, contracts_of, discard_counts, mask_counts

CLEAN_BYTES_MAX = 15 * 1024 * 1024
"""The longest clean record: what a topic takes, less room for key and headers."""

PLACEHOLDER_SWELLING = 34
"""As much as any value by itself can grow: `""` becomes 64 digits in quotes where a field is hashed."""


@dataclass(frozen=True)
class CleanState:
    """What the clean hop remembers between batches, and its limits."""

    duplicates: DuplicateState
    duplicate_window: int
    record_bytes_max: int
    sandbox: Sandbox | None = None
    """Where documents are read that may crash, hang or swell their reader."""
    masking_key: bytes = field(kw_only=True, repr=False)
    """The installation's secret of that name, 32 bytes: what placeholders, hashes and tokens are made with."""


def process_batch(records: pa.RecordBatch, state: CleanState, contract: Contract) -> Outcome[CleanState]:
    """Return what one batch of the contract's raw topic comes to.

    `records` are in RECORD_SCHEMA, each partition's in a row and in order. Rows keep that order, with their coordinates.
    """
    changes, found, seen = _recognised(records, state, contract)
    early = _early_rejects(records, state.record_bytes_max, contract)
    early += [] if changes is None else _besides(early, changes.rejects)
    waiting = np.ones(records.num_rows, bool)
    waiting[[reject.position for reject in early]] = False
    repeats = [Reject(int(at), Reason.DUPLICATE) for at in np.flatnonzero(waiting & (found >= 0))]
    positions = np.flatnonzero(waiting & (found < 0))
    followed, unknown = by_version(records, positions, contract)
    topic = contract.raw_topic
    judged = [each for version, part in followed for each in _judged(part, records, version, topic, state, changes)]
    rejects = [*early, *repeats, *unknown, *(reject for each in judged for reject in each.rejects)]
    return Outcome(
        rows=assembled(judged, contract),
        dead_letters=_dead_letters(sorted(rejects, key=lambda r: r.position), found, records, contract, contracts_of(judged)),
        repeated=0,
        next_offsets={p: last + 1 for p, (_, last) in offset_ranges(records["partition"], records["offset"]).items()},
        state=replace(state, duplicates=seen),
        discarded=discard_counts(judged),
        masked=mask_counts(judged),
    )


def _judged(
    positions: np.ndarray,
    records: pa.RecordBatch,
    contract: Contract,
    topic: str,
    state: CleanState,
    changes: Changes | None,
    wider: frozenset[str] = frozenset(),
) -> list[Judged]:
    """Return what the records at these positions come to under one version of the contract.

    Those that fit only where integer columns are of numbers are judged again so; `wider` names the columns of such a turn.
    """
    values = records["value"] if changes is None else changes.values
    decoded = decoded_values(taken(values, positions), positions, contract)
    typed = decoded.rows if changes is None else marked_rows(decoded.rows, decoded.positions, changes, contract)
    rows, kept, mute = document_rows(typed, decoded.positions, contract, state.sandbox)
    rows, discarded = without_broken(regular_rows(rows, contract), kept, contract)
    rows, kept, broken = _checked(rows, kept, contract)
    rows, masked = masked_rows(rows, contract, state.masking_key)
    rows, kept, swollen = _sendable(rows, kept, records, contract)
    evolved = beyond_columns(rows, kept, decoded.evolved, wider, contract, partial(_outgoing, key=state.masking_key))
    table = _clean_rows(rows, kept, records, contract, topic, evolved, wider)
    rejects = ruled([*decoded.rejects, *mute, *broken, *swollen], contract)
    again = [
        _judged(np.array(at, np.int64), records, widened(contract, names | wider), topic, state, changes, names | wider)
        for names, at in sorted(decoded.widened.items(), key=lambda item: sorted(item[0]))
    ]
    whole = Judged(contract, table, kept, rejects, [*decoded.discarded, *discarded], masked)
    return [whole, *(each for part in again for each in part)]


def _outgoing(rows: pl.DataFrame, contract: Contract, key: bytes) -> pl.DataFrame:
    """Return rows as they may leave: every text regular and masked."""
    return masked_rows(regular_rows(rows, contract), contract, key)[0]


def remembered(records: pa.RecordBatch, state: CleanState, contract: Contract) -> None:
    """Take records into the state without cleaning them: what a restart reads again of the window before it goes on."""
    _recognised(records, state, contract)


def _recognised(
    records: pa.RecordBatch, state: CleanState, contract: Contract
) -> tuple[Changes | None, np.ndarray, DuplicateState]:
    """Return the changes that an `upsert` contract's records are, and each record's original; the state remembers both."""
    window = Window.of(contract, state.duplicate_window)
    if contract.change == "append":
        return None, *originals(records, state.duplicates, window)
    last = {partition: seen.last_change for partition, seen in state.duplicates.items() if seen.last_change is not None}
    changes = unwrapped(records, last, contract)
    found, seen = originals(records, state.duplicates, window, changes)
    for partition in np.unique(records["partition"].to_numpy()).tolist():
        seen.setdefault(partition, Seen()).last_change = changes.last.get(partition)
    return changes, found, seen


def _besides(early: Sequence[Reject], others: Sequence[Reject]) -> list[Reject]:
    """Return the rejects of records that are not rejected already."""
    known = {reject.position for reject in early}
    return [reject for reject in others if reject.position not in known]


def _early_rejects(records: pa.RecordBatch, record_bytes_max: int, contract: Contract) -> list[Reject]:
    values = records["value"] if contract.change == "append" else pc.coalesce(records["value"], records["key"])
    nulls = np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False))
    sizes = pc.fill_null(pc.binary_length(values), 0).to_numpy()
    large = np.flatnonzero(sizes > record_bytes_max)
    return [Reject(int(at), Reason.NULL_VALUE) for at in nulls] + [
        Reject(int(at), Reason.TOO_LARGE, rule=f"at most {record_bytes_max} bytes") for at in large
    ]


def _checked(rows: pl.DataFrame, positions: np.ndarray, contract: Contract) -> tuple[pl.DataFrame, np.ndarray, list[Reject]]:
    verdicts = broken_checks(rows, contract)
    if verdicts.null_count() == rows.height:
        return rows, positions, []
    checks, good = compiled(contract), verdicts.is_null()
    rejects = [
        Reject(int(at), checks[verdict].reason, checks[verdict].field, checks[verdict].rule)
        for at, verdict in zip(positions, verdicts, strict=True)
        if verdict is not None
    ]
    return rows.filter(good), positions[good.to_numpy()], rejects


def _sendable(
    rows: pl.DataFrame, positions: np.ndarray, records: pa.RecordBatch, contract: Contract
) -> tuple[pl.DataFrame, np.ndarray, list[Reject]]:
    """Return the rows without those that would be too long for the clean topic: an empty object in a list is written out."""
    sizes = pc.fill_null(pc.binary_length(records["value"]), 0).to_numpy()[positions] + extracted_bytes(rows, contract)
    suspects = np.flatnonzero(sizes > CLEAN_BYTES_MAX // _swelling(contract))
    long = [int(at) for at in suspects if len(rows[int(at)].write_ndjson().encode()) > CLEAN_BYTES_MAX]
    if not long:
        return rows, positions, []
    kept = np.ones(len(positions), bool)
    kept[long] = False
    rule = f"at most {CLEAN_BYTES_MAX} bytes when cleaned"
    rejects = [Reject(int(positions[at]), Reason.TOO_LARGE, rule=rule) for at in long]
    return rows.filter(pl.Series(kept)), positions[kept], rejects


@cache
def _swelling(contract: Contract) -> int:
    """Return how many times longer than its raw value a clean record can be: by placeholders, by the names of what is absent."""
    return max(PLACEHOLDER_SWELLING, *(_absent_bytes(field) for field in contract.fields))


def _absent_bytes(field: Field) -> int:
    """Return how many bytes an object that is given as `{}` becomes, with everything that it could hold."""
    within = sum(len(part.name) + 8 + _absent_bytes(part) for part in field.fields)
    return within + (_absent_bytes(field.items) if field.items is not None else 0)


def _coordinates(records: pa.RecordBatch, positions: np.ndarray, topic: str, hashes: pa.Array) -> dict[str, pa.Array]:
    names = [field.name for field in COORDINATE_FIELDS]
    values = [
        pa.repeat(topic, len(positions)),
        taken(records["partition"], positions),
        taken(records["offset"], positions),
        ingested_at(taken(records["timestamp_ms"], positions)),
        hashes,
    ]
    return dict(zip(names, values, strict=True))


def _clean_rows(
    rows: pl.DataFrame,
    positions: np.ndarray,
    records: pa.RecordBatch,
    contract: Contract,
    topic: str,
    evolved: pl.Series | None,
    wider: frozenset[str],
) -> pa.Table:
    """Return the rows with their coordinates; columns that are wider than the contract's hold null, their values are evolved."""
    names = [field.name for field in carried(contract).fields]
    columns = rows.select(names).to_arrow().cast(_large(pa.schema([clean_schema(contract).field(name) for name in names])))
    coordinates = _coordinates(records, positions, topic, pa.repeat(contract.hash, len(positions)))
    table = pa.table([*columns.columns, *coordinates.values()], names=[*columns.column_names, *coordinates])
    table = table.cast(clean_schema(contract))
    for name in sorted(wider):
        table = table.set_column(table.column_names.index(name), pa.field(name, pa.int64()), pa.nulls(len(positions), pa.int64()))
    return table if evolved is None else table.append_column(pa.field(EVOLVED, pa.string()), evolved.to_arrow().cast(pa.string()))


def _large(schema: pa.Schema) -> pa.Schema:
    """Return the schema without its nullability: Polars' columns say that all may be null."""
    return pa.schema([field.with_nullable(True) for field in schema])


def _dead_letters(
    rejects: Sequence[Reject], found: np.ndarray, records: pa.RecordBatch, contract: Contract, under: Mapping[int, Contract]
) -> pa.Table:
    positions = np.array([reject.position for reject in rejects], np.int64)
    duplicated = [int(found[r.position]) if r.reason is Reason.DUPLICATE else None for r in rejects]
    judges = [under.get(reject.position, contract) for reject in rejects]
    hashes = pa.array([judge.hash for judge in judges], pa.string())
    columns = _coordinates(records, positions, contract.raw_topic, hashes) | {
        "reason": pa.array([reject.reason.value for reject in rejects], pa.string()),
        "field": pa.array([reject.field for reject in rejects], pa.string()),
        "rule": pa.array([reject.rule for reject in rejects], pa.string()),
        "original_offset": pa.array(duplicated, pa.int64()),
        "contract_version": pa.array([judge.contract_version for judge in judges], pa.string()),
        PAYLOAD: pa.nulls(len(rejects), pa.binary()),  # sealed by the engine, which has the keys
        KEY_ID: pa.nulls(len(rejects), pa.string()),
    }
    return pa.table({field.name: columns[field.name] for field in DEAD_LETTER_SCHEMA}).cast(DEAD_LETTER_SCHEMA)
