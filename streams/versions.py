"""Which version of its contract each record follows, and rows judged under several as one table in the newest's columns.

A record says so in a header; without one it follows the newest version in force. Versions side by side have one major, so
the newest is an ADDITION to every other: what an older one lacks is null (`contracts.evolution`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from contracts.contract import Contract
from contracts.records import EVOLVED, VERSION_FIELD, Reason
from contracts.schema import clean_schema
from contracts.versions import followed
from streams.decode import Reject

VERSION = re.compile(rb"[0-9]{1,9}\.[0-9]{1,9}\.[0-9]{1,9}")
"""What may be told of a version that nobody knows: any other text is the sender's own."""


@dataclass(frozen=True)
class Judged:
    """What records came to under one contract: rows with their coordinates, and rejects, side by side."""

    contract: Contract
    rows: pa.Table
    positions: np.ndarray
    rejects: Sequence[Reject]
    discarded: Sequence[tuple[int, str]] = ()
    """Position and field of each value left out, of rejected records too."""
    masked: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """What was masked, by field and type (`streams.personal`)."""


def by_version(
    records: pa.RecordBatch, positions: np.ndarray, contract: Contract
) -> tuple[list[tuple[Contract, np.ndarray]], list[Reject]]:
    """Return the records by the contract that each follows, the newest first, and a reject for each that follows none."""
    if VERSION_FIELD.name not in records.schema.names:
        return [(contract, positions)], []
    said = records[VERSION_FIELD.name].to_pylist()
    known = {item: _followed(contract, item) for item in set(said)}
    in_force = (contract, *contract.others)
    follows = np.array([in_force.index(known[said[at]]) if known[said[at]] else -1 for at in positions.tolist()], np.int64)
    rejects = [_unknown(at, said[at]) for at in positions[follows < 0].tolist()]
    found = [(version, positions[follows == index]) for index, version in enumerate(in_force)]
    return [(version, part) for version, part in found if len(part) or version is contract], rejects


def _followed(contract: Contract, said: bytes | None) -> Contract | None:
    if said is None:
        return contract
    return followed(contract, said.decode()) if VERSION.fullmatch(said) else None


def assembled(judged: Sequence[Judged], contract: Contract) -> pa.Table:
    """Return the rows of all, in the order of their records and in the contract's columns; `_evolved` where any has it."""
    if len(judged) == 1:
        return judged[0].rows
    whole = pa.concat_tables([each.rows for each in judged], promote_options="default")
    names = [*clean_schema(contract).names, *([EVOLVED] if EVOLVED in whole.column_names else [])]
    order = np.argsort(np.concatenate([each.positions for each in judged]), kind="stable")
    return whole.select(names).take(pa.array(order))


def discard_counts(judged: Sequence[Judged]) -> dict[str, int]:
    """Count, by field, the values left out of the rows that were kept; an unknown field's under the object it stood in."""
    counts: Counter[str] = Counter()
    for each in judged:
        if each.discarded:
            kept = set(each.positions.tolist())
            counts.update(field for at, field in each.discarded if at in kept)
    return dict(sorted(counts.items()))


def mask_counts(judged: Sequence[Judged]) -> dict[str, dict[str, int]]:
    """Count what was masked, by field and by type."""
    counts: dict[str, Counter[str]] = {}
    for each in judged:
        for name, told in each.masked.items():
            counts.setdefault(name, Counter()).update(told)
    return {name: dict(sorted(told.items())) for name, told in sorted(counts.items())}


def contracts_of(judged: Sequence[Judged]) -> Mapping[int, Contract]:
    """Return the contract that each rejected record was judged under, by position."""
    return {reject.position: each.contract for each in judged for reject in each.rejects}


def _unknown(at: int, said: bytes) -> Reject:
    return Reject(at, Reason.UNKNOWN_VERSION, rule=said.decode() if VERSION.fullmatch(said) else None)
