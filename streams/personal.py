"""A contract's masking plan applied to rows (`contracts.masking`): free text, whole values, objects and arrays at any depth.

What was masked is counted by field and type, never told by value: lineage says it, with the recognisers' versions.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from contracts.contract import Contract, Field
from contracts.keys import DataKey
from contracts.masking import PLACEHOLDER, TREATMENT_VERSION, masks, treatment
from contracts.sealing import seal
from lineage.facts import Masked
from streams.free_text import masked, masked_and_counted
from streams.placeholders import PATTERN, placeholder
from streams.recognise import RECOGNISER_VERSION
from streams.tokens import integer_token, token

MaskCounts = Mapping[str, Mapping[str, int]]
"""Field's dotted path -> type of entity, or treatment of a whole value -> how many."""

WHOLE = rf"^{PATTERN}$"


@dataclass(frozen=True)
class _Plan:
    """What masking a column goes by: whose rows, under which key, where in the contract, and the counts so far."""

    contract: Contract
    key: bytes
    subjects: pl.Series | None
    path: str = ""
    counts: dict[str, Counter[str]] = field(default_factory=dict)

    def within(self, name: str, subjects: pl.Series | None) -> _Plan:
        return replace(self, path=f"{self.path}.{name}" if self.path else name, subjects=subjects)

    def count(self, what: Mapping[str, int]) -> None:
        told = Counter({kind: number for kind, number in what.items() if number})
        if told:
            self.counts.setdefault(self.path, Counter()).update(told)


def masked_rows(rows: pl.DataFrame, contract: Contract, key: bytes) -> tuple[pl.DataFrame, MaskCounts]:
    """Return the rows after the contract's masking plan, and what was masked. `key` is the installation's, of 32 bytes."""
    subjects = rows[contract.subject] if contract.subject in rows.columns else None
    plan = _Plan(contract, key, subjects)
    changed = [_treated(rows[f.name], f, plan.within(f.name, subjects)) for f in contract.fields if masks(f)]
    return (rows.with_columns(changed) if changed else rows), plan.counts


def mask_facts(counts: MaskCounts) -> tuple[Masked, ...]:
    """Return the counts as lineage tells them, with the version of each recogniser and treatment."""
    versions: Mapping[str, int] = {**RECOGNISER_VERSION, **TREATMENT_VERSION}
    return tuple(
        Masked(name, kind, versions[kind], count) for name, told in sorted(counts.items()) for kind, count in sorted(told.items())
    )


def derived(key: bytes, use: str) -> bytes:
    """Return the key of one use of the masking key: what breaks one breaks no other."""
    return hmac.digest(key, b"headwater masking " + use.encode(), hashlib.sha256)


def sealing_key(key: bytes, subject: str) -> DataKey:
    """Return the key that a subject's sealed values open with: derived from the masking key, so it is nowhere stored."""
    return DataKey("masking", derived(key, f"seal {subject}"))


def _treated(column: pl.Series, of: Field, plan: _Plan) -> pl.Series:
    """Return a column after its own treatment, and that of everything in it."""
    kind = treatment(of)
    if kind == "free_text":
        made, counts = masked_and_counted(column, plan.key, plan.subjects)
        plan.count(counts)
        return made
    if not masks(of):
        return column
    if kind == "nested":
        return _object(column, of, plan) if of.logical_type == "object" else _array(column, of, plan)
    plan.count({kind: len(column) - column.null_count()})
    if kind in ("null", "replace"):
        kept = column.is_not_null() if kind == "replace" else pl.Series([False]).new_from_index(0, len(column))
        return pl.select(pl.when(kept).then(pl.lit(PLACEHOLDER) if kind == "replace" else column).alias(column.name)).to_series()
    return _whole(column, kind, plan)


def _whole(column: pl.Series, kind: str, plan: _Plan) -> pl.Series:
    """Return a column whose values are treated one by one; each value of a subject once."""
    change = {"mask": _masker, "hash": _hasher, "tokenize": _tokenizer, "seal": _sealer}[kind](column, plan)
    # A hash is for joins across topics, so it is the same whoever it is of.
    owners = plan.subjects if kind != "hash" else None
    names = [""] * len(column) if owners is None else owners.cast(pl.String).fill_null("").to_list()
    known: dict[tuple[Any, str], Any] = {}
    made = []
    for value, owner in zip(column.to_list(), names, strict=True):
        if value is not None and (value, owner) not in known:
            known[value, owner] = change(value, owner)
        made.append(None if value is None else known[value, owner])
    return pl.Series(column.name, made, column.dtype)


def _masker(column: pl.Series, plan: _Plan) -> Callable[[Any, str], Any]:
    """Give a value that is one entity as a whole that entity's placeholder, as in free text, and any other its own."""
    found: dict[tuple[str, str], str] = {}
    owners = plan.subjects if plan.subjects is not None else pl.Series([""]).new_from_index(0, len(column))
    texts = masked(column, plan.key, plan.subjects)
    entire = texts.str.contains(WHOLE).fill_null(value=False)
    for value, owner, text in zip(
        column.filter(entire), owners.cast(pl.String).fill_null("").filter(entire), texts.filter(entire), strict=True
    ):
        found[value, owner] = text
    return lambda value, owner: found.get((value, owner)) or placeholder("masked", value, plan.key, owner)


def _hasher(_column: pl.Series, plan: _Plan) -> Callable[[Any, str], Any]:
    key = derived(plan.key, "hash")
    return lambda value, _owner: hmac.digest(key, value.encode(), hashlib.sha256).hex()


def _tokenizer(column: pl.Series, plan: _Plan) -> Callable[[Any, str], Any]:
    key = derived(plan.key, "tokenize")
    if column.dtype.is_integer():
        return lambda value, owner: integer_token(value, key, owner.encode())
    return lambda value, owner: token(value, key, owner.encode())


def _sealer(_column: pl.Series, plan: _Plan) -> Callable[[Any, str], Any]:
    place = f"{plan.contract.dataset}/{plan.path}"
    return lambda value, owner: base64.b64encode(seal(value.encode(), sealing_key(plan.key, owner), place)).decode()


def _object(column: pl.Series, of: Field, plan: _Plan) -> pl.Series:
    parts = column.struct.unnest()
    changed = [_treated(parts[f.name], f, plan.within(f.name, plan.subjects)) for f in of.fields if masks(f)]
    made = parts.with_columns(changed).to_struct(column.name)
    if not column.null_count():
        return made
    return pl.select(pl.when(column.is_not_null()).then(made).alias(column.name)).to_series()


def _array(column: pl.Series, of: Field, plan: _Plan) -> pl.Series:
    """Treat all that a column's arrays hold as one column, and put it back where it was."""
    assert of.items is not None  # noqa: S101  lint refuses an array that does not say what it holds
    lengths = column.list.len().fill_null(0).to_numpy().astype(np.int64)
    held = np.flatnonzero(lengths)
    owner = np.repeat(np.arange(len(column)), lengths)
    inner = column.gather(held).explode() if len(held) else pl.Series([], dtype=column.dtype.inner)
    subjects = None if plan.subjects is None else plan.subjects.gather(owner)
    treated = _treated(inner, of.items, replace(plan, path=f"{plan.path}[]", subjects=subjects))
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int64())
    made = pa.LargeListArray.from_arrays(offsets, treated.to_arrow(), mask=column.is_null().to_arrow())
    return pl.Series(column.name, made, column.dtype)
