"""Whose a raw record is, and its bytes sealed under that subject's key: what dead letters carry, and what bronze keeps.

The subject is read from the raw bytes, whatever the record's fate: the contract's `subject` field of the JSON object, of the
state inside a change event, or of the key where there is no value. A record that does not tell is a subject of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from contracts.contract import Contract
from contracts.keys import DataKey, record_subject, subject_id
from contracts.records import DEAD_LETTER_SCHEMA, KEY_ID, OFFSET, PARTITION, PAYLOAD, Reason
from contracts.sealing import seal
from streams.packing import packed

PAYLOADLESS = frozenset({Reason.DUPLICATE.value, Reason.DISCARDED_ROW.value})
"""Reasons whose dead letters carry no payload: the original has it, or the contract says that nothing is to be kept."""

PAYLOAD_BYTES_MAX = 8 * 1024 * 1024
"""A longer record's dead letter comes without it: sealed and as base64 text it would be more than a topic takes."""

PAYLOAD_PARTS = ("key", "value", "version")
"""What a payload packs of a raw record, in this order; what a batch has no column for is packed as null."""


def place(topic: str, partition: int, offset: int, part: str) -> str:
    """Return where sealed bytes belong: they open nowhere else."""
    return f"{topic}:{partition}:{offset}/{part}"


def subjects(records: pa.RecordBatch, contract: Contract, secret: bytes) -> list[str]:
    """Return, by record, the subject whose key it is sealed under. `secret` is the key store's SUBJECT_SECRET."""
    partitions, offsets = records["partition"].to_pylist(), records["offset"].to_pylist()
    alone = partial(record_subject, contract.raw_topic)
    if contract.subject is None:
        return [alone(p, o) for p, o in zip(partitions, offsets, strict=True)]
    given = zip(records["key"].to_pylist(), records["value"].to_pylist(), strict=True)
    named = [_named(key, value, contract) for key, value in given]
    return [
        alone(p, o) if name is None else subject_id(name, secret) for name, p, o in zip(named, partitions, offsets, strict=True)
    ]


def payload_records(letters: pa.Table, records: pa.RecordBatch) -> tuple[np.ndarray, pa.RecordBatch]:
    """Return which dead letters of the batch carry a payload, and the raw record of each of these."""
    spots = zip(records["partition"].to_pylist(), records["offset"].to_pylist(), strict=True)
    positions = {spot: at for at, spot in enumerate(spots)} if letters.num_rows else {}
    told = zip(letters[PARTITION].to_pylist(), letters[OFFSET].to_pylist(), letters["reason"].to_pylist(), strict=True)
    wanted = [(at, positions[p, o]) for at, (p, o, reason) in enumerate(told) if reason not in PAYLOADLESS]
    rows, taken = (np.array([pair[side] for pair in wanted], np.int64) for side in (0, 1))
    sizes = pc.fill_null(pc.binary_length(records["value"]), 0).to_numpy()[taken]
    short = sizes <= PAYLOAD_BYTES_MAX
    return rows[short], records.take(pa.array(taken[short]))


def sealed_letters(
    letters: pa.Table,
    rows: np.ndarray,
    raw: pa.RecordBatch,
    named: Sequence[str],
    keys: Mapping[str, DataKey],
    contract: Contract,
) -> pa.Table:
    """Return the dead letters with the payloads that `payload_records` tells of, sealed. `named` are the records' subjects.

    A record whose subject has no key among `keys` was erased, and stays so: its dead letter comes without a payload.
    """
    payloads: list[bytes | None] = [None] * letters.num_rows
    key_ids: list[str | None] = [None] * letters.num_rows
    parts = [raw.column(name).to_pylist() if name in raw.schema.names else [None] * raw.num_rows for name in PAYLOAD_PARTS]
    spots = zip(raw["partition"].to_pylist(), raw["offset"].to_pylist(), strict=True)
    for row, subject, spot, of_record in zip(rows.tolist(), named, spots, zip(*parts, strict=True), strict=True):
        key = keys.get(subject)
        if key is not None:
            payloads[row] = seal(packed(of_record), key, place(contract.raw_topic, *spot, PAYLOAD))
            key_ids[row] = key.id
    columns = {name: letters[name] for name in letters.column_names}
    columns |= {PAYLOAD: pa.array(payloads, pa.binary()), KEY_ID: pa.array(key_ids, pa.string())}
    return pa.table([columns[name] for name in DEAD_LETTER_SCHEMA.names], schema=DEAD_LETTER_SCHEMA)


def _named(key: bytes | None, value: bytes | None, contract: Contract) -> str | int | None:
    """Return whom a record names, or None."""
    if value is not None:
        return _of_value(_read(value), contract)
    return None if key is None else _of_key(key, contract)


def _of_value(read: Any, contract: Contract) -> str | int | None:
    if contract.envelope == "none" or not isinstance(read, dict):
        return _told(read, contract)
    event = read["payload"] if isinstance(read.get("payload"), dict) else read
    states = [event.get("after"), event.get("before"), event]
    return next((found for state in states if (found := _told(state, contract)) is not None), None)


def _of_key(key: bytes, contract: Contract) -> str | int | None:
    """Return whom the key of a record without value names: as a JSON object, or as it stands if the subject is the whole key."""
    read = _read(key)
    if isinstance(read, dict):
        return _told(read["payload"] if isinstance(read.get("payload"), dict) else read, contract)
    if contract.key != (contract.subject,):
        return None
    if isinstance(read, str | int) and not isinstance(read, bool):
        return read
    try:
        return key.decode()
    except UnicodeDecodeError:
        return None


def _told(read: Any, contract: Contract) -> str | int | None:
    found = read.get(contract.subject) if isinstance(read, dict) else None
    return found if isinstance(found, str | int) and not isinstance(found, bool) else None


def _read(data: bytes) -> Any:
    """Return what JSON says, or None: what cannot be read names nobody."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
