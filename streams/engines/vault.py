"""Keys for a hop: ask the store once a batch, and have the pure part seal with what it gives."""

from __future__ import annotations

import pyarrow as pa

from contracts.contract import Contract
from contracts.keys import SUBJECT_SECRET, KeyStore
from streams.sealed import payload_records, sealed_letters, subjects


def with_payloads(letters: pa.Table, records: pa.RecordBatch, contract: Contract, keys: KeyStore) -> pa.Table:
    """Return the dead letters of a batch with their raw records sealed.

    Called before they are sent: the keys are durable by then. Equal letters give equal bytes, also when they are made again.
    """
    if not letters.num_rows:
        return letters
    rows, raw = payload_records(letters, records)
    named = subjects(raw, contract, keys.secret(SUBJECT_SECRET)) if raw.num_rows else []
    return sealed_letters(letters, rows, raw, named, keys.data_keys(named), contract)
