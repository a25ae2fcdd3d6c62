"""Bytes to typed columns: a whole batch at once where it can, and the same verdict on each record where it cannot.

Arrow's JSON reader is fast and strict, but one bad record fails its batch, and it takes what JSON does not allow (NaN,
a lone surrogate) or cannot bear (a bare `null` ends the process). So: records that look unusual are judged by orjson
first, which is strict and reads one at a time; what passes is read by Arrow, in halves when that fails, until each bad
record stands alone. A record's verdict depends on its own bytes alone, never on its neighbours.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from contracts.contract import Contract, Field
from contracts.modes import EXACT_MAX, discardable_fields, widenable_fields
from contracts.records import Reason
from contracts.schema import PARSED_AFTER_READING, reading_schema
from streams.departures import Refusal, Settlement, departures, evolved_of, is_unknown
from streams.departures import settled as departed

UNUSUAL = r"[\n\r]|\\u[dD]|[:,\[\s-](?:NaN|Inf)"
"""Newlines (Arrow reads lines), escaped surrogates, and numbers that JSON does not have."""

SUSPECT = r"\n|\r|\\ud|\\uD|NaN|Inf"
"""What every unusual record holds, in literals alone: sought twenty times as fast, so that `UNUSUAL` runs on few."""

DEPTH_MAX = 1_024
"""Nesting that orjson bears, and so do we: without it, Arrow would take any depth in a field that it skips."""

THREADED_BYTES = 1 << 20
"""Above this size Arrow's reader works in blocks, on all cores. Smaller blocks cost more than they share out."""

USUAL_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|\+00:00)$"
"""How most timestamps look, and all that the clean hop writes: what Arrow reads, three times as fast as a parser of RFC 3339."""

TIME_MIN, TIME_MAX = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Reject:
    """Why the record at `position` of the batch cannot be decoded; `field` where one decided. Never a value."""

    position: int
    reason: Reason
    field: str | None = None
    rule: str | None = None


@dataclass(frozen=True)
class Decoded:
    """Accepted and rejected, side by side. `rows` has the contract's columns; `positions` says which record each row was.

    The rest is what the contract's modes made of accepted records that depart from it; for most batches it is empty.
    """

    rows: pl.DataFrame
    positions: np.ndarray
    rejects: tuple[Reject, ...]
    discarded: tuple[tuple[int, str], ...] = ()
    """Position and field of each value left out."""
    evolved: Mapping[int, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    """By position, what goes beyond the contract's columns: unmasked still."""
    widened: Mapping[frozenset[str], tuple[int, ...]] = dataclasses.field(default_factory=dict)
    """Records that fit only where these integer columns are of numbers, and are in neither `rows` nor `rejects`."""


@dataclass
class _Settled:
    """What the modes have made so far of the records that a typed reader refused."""

    rejects: list[Reject] = dataclasses.field(default_factory=list)
    discarded: list[tuple[int, str]] = dataclasses.field(default_factory=list)
    evolved: dict[int, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    widened: dict[frozenset[str], list[int]] = dataclasses.field(default_factory=dict)
    mended: list[tuple[int, str]] = dataclasses.field(default_factory=list)
    """Records to be read again, as (position, text)."""


Settle = Callable[[int, bytes, "_Settled", Contract], None]
"""Judges one record that departs, or may."""


def decoded_values(values: pa.Array, positions: np.ndarray, contract: Contract) -> Decoded:
    """Return the rows of the records' values. `values` are large_binary without nulls; `positions` name them in the batch."""
    return _decoded(values, positions, contract, _judge)


def decoded_clean_values(values: pa.Array, positions: np.ndarray, contract: Contract) -> Decoded:
    """Return the rows of clean records, which our own clean hop wrote: what goes beyond the contract's columns is evolved."""
    return _decoded(values, positions, contract, _take)


def _decoded(values: pa.Array, positions: np.ndarray, contract: Contract, settle: Settle) -> Decoded:
    usable, rejects = _usable(values, positions)
    rows, kept, settled = _read(usable, contract, settle)
    finite, beyond = _finite(rows, kept, contract)
    exact, rounded = _exact(*finite, contract) if settle is _judge else (finite, [])
    times, late = _parsed_times(*exact, contract, settled)
    refused = sorted((*rejects, *settled.rejects, *beyond, *rounded, *late), key=lambda reject: reject.position)
    widened = {names: tuple(at) for names, at in settled.widened.items()}
    return Decoded(*times, tuple(refused), tuple(settled.discarded), settled.evolved, widened)


def _usable(values: pa.Array, positions: np.ndarray) -> tuple[pl.DataFrame, list[Reject]]:
    """Return the values that one line of Arrow's reader can hold, as (position, text); and those that are no JSON object."""
    texts = pl.DataFrame({"position": positions, "text": utf8_texts(values)})
    rejects = []
    if texts["text"].null_count():
        rejects = [Reject(int(at), Reason.UNDECODABLE, rule="utf-8") for at in texts.filter(pl.col("text").is_null())["position"]]
        texts = texts.filter(pl.col("text").is_not_null())
    plain = _plain(texts["text"])
    if plain.all():
        return texts, rejects
    unusual, mended = texts.filter(~plain), []
    for at, text in zip(unusual["position"], unusual["text"], strict=True):
        reject = _diagnosis(int(at), text.encode(), ())
        if reject is not None:
            rejects.append(reject)
        else:
            # Valid JSON: a newline in it stands between tokens, for within a string it must be escaped.
            mended.append((int(at), text.strip().replace("\n", " ").replace("\r", " ")))
    usual = texts.filter(plain).select(pl.col("position").cast(pl.Int64), "text")
    return pl.concat([usual, _lines(mended)]).sort("position"), rejects


def utf8_texts(values: pa.Array) -> pl.Series:
    """Return the values as text, null in place of one that is not UTF-8."""
    try:
        return pl.Series("text", values.cast(pa.large_string()))
    except pa.ArrowInvalid:
        return pl.Series("text", [_text(value) for value in values.to_pylist()], pl.String)


def _text(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def _plain(texts: pl.Series) -> pl.Series:
    """Say which texts may go to Arrow's reader as they are."""
    suspect = texts.str.contains(SUSPECT)
    if suspect.any():
        at = suspect.arg_true()
        suspect = suspect.scatter(at, texts.gather(at).str.contains(UNUSUAL))
    return texts.str.starts_with("{") & texts.str.ends_with("}") & ~suspect & ~_maybe_deep(texts)


def _maybe_deep(texts: pl.Series) -> pl.Series:
    """Say which texts have brackets enough to be too deep. Short ones cannot, and are not looked at."""
    deep = texts.str.len_bytes() > 2 * DEPTH_MAX
    if deep.any():
        long = deep.arg_true()
        deep = deep.scatter(long, texts.gather(long).str.count_matches(r"[\[{]") > DEPTH_MAX)
    return deep


def _read(lines: pl.DataFrame, contract: Contract, settle: Settle) -> tuple[pl.DataFrame, np.ndarray, _Settled]:
    """Return what can be read, at once if every line fits its contract; else the lines that do not are judged one by one."""
    settled = _Settled()
    whole = _read_lines(lines["text"], contract, "error")
    if whole is not None:
        return whole, lines["position"].to_numpy(), settled
    texts = [text.encode() for text in lines["text"]]
    found = [_suspicion(text, contract) for text in texts]
    for at, text, suspicion in zip(lines["position"], texts, found, strict=True):
        if suspicion == "strange":
            settle(int(at), text, settled, contract)
    kinds = pl.Series(found, dtype=pl.String)
    parts = [_halved(lines.filter(kinds == kind), contract) for kind in ("", "ill")]
    good, refused = _sorted_out(parts)
    for at, text in refused:
        settle(at, text.encode(), settled, contract)
    mended, broken = _sorted_out([_halved(_lines(settled.mended), contract)])
    settled.rejects += [Reject(at, Reason.ILL_TYPED) for at, _ in broken]
    good += mended
    if not good:
        return _empty(contract), np.empty(0, np.int64), settled
    positions = np.concatenate([p for _, p in good])
    order = np.argsort(positions, kind="stable")
    return pl.concat([rows for rows, _ in good])[order], positions[order], settled


def _suspicion(text: bytes, contract: Contract) -> Literal["", "ill", "strange"]:
    """Say how a record departs: not, as far as one can tell; by types, which the typed reader decides; by unknown fields."""
    try:
        read = orjson.loads(text)
    except orjson.JSONDecodeError:
        return "ill"
    found = departures(read, contract) if isinstance(read, dict) else []
    if is_unknown(found):
        return "strange"
    return "ill" if found else ""


def _judge(at: int, text: bytes, settled: _Settled, contract: Contract) -> None:
    """Settle a record that departs from its contract, or that the typed reader refused for another reason."""
    reject = _diagnosis(at, text, contract.fields)
    if reject is not None:
        settled.rejects.append(reject)
        return
    read = orjson.loads(text)
    found = departures(read, contract)
    made = departed(text, read, found, contract) if found else Settlement(Refusal(Reason.ILL_TYPED, None, None))
    if made.refusal is not None:
        settled.rejects.append(Reject(at, made.refusal.reason, made.refusal.field, made.refusal.rule))
    elif made.widened:
        settled.widened.setdefault(made.widened, []).append(at)
    else:
        settled.mended.append((at, orjson.dumps(made.value).decode()))
        settled.discarded += [(at, field) for field in made.discarded]
        if made.evolved:
            settled.evolved[at] = made.evolved


def _take(at: int, text: bytes, settled: _Settled, contract: Contract) -> None:
    """Settle a clean record with columns beyond its contract's: they were judged when it was cleaned."""
    reject = _diagnosis(at, text, contract.fields)
    if reject is not None:
        settled.rejects.append(reject)
        return
    rest, beyond = evolved_of(orjson.loads(text), contract)
    if any(departure.reason is Reason.ILL_TYPED for departure in departures(rest, contract)):
        settled.rejects.append(Reject(at, Reason.ILL_TYPED))
        return
    settled.mended.append((at, orjson.dumps(rest).decode()))
    if beyond:
        settled.evolved[at] = beyond


def _lines(read: list[tuple[int, str]]) -> pl.DataFrame:
    return pl.DataFrame(read, schema={"position": pl.Int64, "text": pl.String}, orient="row")


def _sorted_out(
    parts: Iterable[Iterator[tuple[pl.DataFrame, np.ndarray, str | None]]],
) -> tuple[list[tuple[pl.DataFrame, np.ndarray]], list[tuple[int, str]]]:
    """Return what was read, and the records that were refused when alone, as (position, text)."""
    made = [part for each in parts for part in each]
    good = [(rows, positions) for rows, positions, refused in made if refused is None]
    return good, [(int(positions[0]), refused) for _, positions, refused in made if refused is not None]


def _halved(lines: pl.DataFrame, contract: Contract) -> Iterator[tuple[pl.DataFrame, np.ndarray, str | None]]:
    """Yield what Arrow reads of the lines, and the text of each record that it refuses when alone."""
    pending = [lines] if lines.height else []
    while pending:
        part = pending.pop()
        rows = _read_lines(part["text"], contract, "ignore")
        if rows is not None:
            yield rows, part["position"].to_numpy(), None
        elif part.height > 1:
            pending += [part[: part.height // 2], part[part.height // 2 :]]
        else:
            yield _empty(contract), part["position"].to_numpy(), part["text"][0]


def _read_lines(texts: pl.Series, contract: Contract, unknown: Literal["error", "ignore"]) -> pl.DataFrame | None:
    """Return the lines as columns, or None if any of them is refused or is not one object."""
    if not len(texts):
        return _empty(contract)
    array = texts.to_arrow().cast(pa.large_string())
    joined = pc.binary_join(pa.LargeListArray.from_arrays([0, len(texts)], array), pa.scalar("\n", pa.large_string()))
    lines = joined.buffers()[2]
    options = _reading_options(lines.size, int(pc.max(pc.binary_length(array)).as_py()))
    parse = pj.ParseOptions(explicit_schema=reading_schema(contract), unexpected_field_behavior=unknown)
    try:
        table = pj.read_json(pa.BufferReader(lines), read_options=options, parse_options=parse)
    except pa.ArrowInvalid:
        return None
    if table.num_rows != len(texts):
        return None
    rows = pl.from_arrow(table)
    return rows if isinstance(rows, pl.DataFrame) else None


def _reading_options(size: int, longest: int) -> pj.ReadOptions:
    """Return options whose blocks hold the longest line: Arrow refuses a line that does not fit one."""
    if size <= THREADED_BYTES:
        return pj.ReadOptions(block_size=size + 2, use_threads=False)
    return pj.ReadOptions(block_size=max(THREADED_BYTES, longest + 2), use_threads=True)


def _finite(
    rows: pl.DataFrame, positions: np.ndarray, contract: Contract
) -> tuple[tuple[pl.DataFrame, np.ndarray], list[Reject]]:
    """Return the rows without those that hold a number of more digits than a double can: Arrow reads it as infinity."""
    beyond = [
        found.fill_null(value=False) for field in contract.fields if (found := _infinite(pl.col(field.name), field)) is not None
    ]
    infinite = rows.select(infinite=pl.any_horizontal(beyond))["infinite"] if beyond else pl.Series([], dtype=pl.Boolean)
    if not infinite.any():
        return (rows, positions), []
    rejects = [Reject(int(at), Reason.UNDECODABLE, rule="json") for at in positions[infinite.to_numpy()]]
    return (rows.filter(~infinite), positions[~infinite.to_numpy()]), rejects


def _infinite(column: pl.Expr, field: Field) -> pl.Expr | None:
    """Return an expression that is true where a number in the column is infinite; None for a column without numbers."""
    if field.logical_type == "number":
        return column.is_infinite()
    if field.logical_type == "object":
        parts = [part for f in field.fields if (part := _infinite(column.struct.field(f.name), f)) is not None]
        return pl.any_horizontal(part.fill_null(value=False) for part in parts) if parts else None
    if field.logical_type == "array" and field.items is not None:
        part = _infinite(pl.element(), field.items)
        return None if part is None else column.list.eval(part.fill_null(value=False)).list.any()
    return None


def _exact(rows: pl.DataFrame, positions: np.ndarray, contract: Contract) -> tuple[tuple[pl.DataFrame, np.ndarray], list[Reject]]:
    """Return the rows without those whose whole number would be rounded if its column, which may, became one of numbers."""
    names = [name for name in widenable_fields(contract) if (rows[name].abs() > EXACT_MAX).any()]
    if not names:
        return (rows, positions), []
    beyond = [pl.when(pl.col(name).abs() > EXACT_MAX).then(pl.lit(name)) for name in names]
    first = rows.select(beyond=pl.coalesce(beyond))["beyond"]
    rule = f"evolve: at most {EXACT_MAX}"
    rejects = [Reject(int(at), Reason.ILL_TYPED, name, rule) for at, name in zip(positions, first, strict=True) if name]
    good = first.is_null()
    return (rows.filter(good), positions[good.to_numpy()]), rejects


def _parsed_times(
    rows: pl.DataFrame, positions: np.ndarray, contract: Contract, settled: _Settled
) -> tuple[tuple[pl.DataFrame, np.ndarray], list[Reject]]:
    """Return the rows with their timestamps and dates parsed, and a reject for each that is none, or has no time zone."""
    fields = [field for field in contract.fields if field.logical_type in PARSED_AFTER_READING]
    times = [_times(rows[field.name], field) for field in fields]
    parsed = rows.with_columns(times)
    if all(column.null_count() == rows[column.name].null_count() for column in times):
        return (parsed, positions), []
    lost = [column.is_null() & rows[column.name].is_not_null() for column in times]
    kept = discardable_fields(contract)
    settled.discarded += [
        (int(at), column.name)
        for column, bad in zip(times, lost, strict=True)
        if column.name in kept
        for at in positions[bad.to_numpy()]
    ]
    wrong = [pl.when(bad & (column.name not in kept)).then(pl.lit(column.name)) for column, bad in zip(times, lost, strict=True)]
    first = parsed.select(bad=pl.coalesce(wrong))["bad"]
    good = first.is_null()
    kinds = {field.name: field.logical_type for field in fields}
    rejects = [
        Reject(int(at), Reason.ILL_TYPED, name, kinds[name])
        for at, name in zip(positions, first, strict=True)
        if name is not None
    ]
    return (parsed.filter(good), positions[good.to_numpy()]), rejects


def _times(texts: pl.Series, field: Field) -> pl.Series:
    """Parse RFC 3339 with a zone to microseconds UTC, or an ISO date; null where that fails, or the year has not four digits."""
    if field.logical_type == "date":
        day = texts.str.to_date("%Y-%m-%d", strict=False)
        return _within(day, date.min, date.max)
    time = _usual_times(texts)
    if time is None:
        time = texts.str.to_datetime("%+", strict=False, time_zone="UTC", time_unit="us")
    return _within(time, TIME_MIN, TIME_MAX)


def _usual_times(texts: pl.Series) -> pl.Series | None:
    """Parse a column in which every time is a usual one; None if one is not, or is a leap second, or no date at all."""
    if not texts.str.contains(USUAL_TIME).all():
        return None
    try:
        return pl.Series(texts.name, pc.cast(texts.to_arrow(), pa.timestamp("us", "UTC")))
    except pa.ArrowInvalid:
        return None


def _within(times: pl.Series, first: date, last: date) -> pl.Series:
    """Return the times with null in place of those beyond what Python's calendar has."""
    inside = times.is_between(first, last)
    return times if inside.all() else times.to_frame().select(pl.when(inside).then(pl.col(times.name))).to_series()


def _diagnosis(position: int, value: bytes, fields: Sequence[Field]) -> Reject | None:
    """Return why a record is refused, as far as a reader of one record can tell; None if it looks right."""
    try:
        read = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        deep = "depth" in error.msg or "recursion" in error.msg.lower()
        return Reject(position, Reason.TOO_DEEP if deep else Reason.UNDECODABLE, rule="nesting" if deep else "json")
    if not isinstance(read, dict):
        return Reject(position, Reason.UNDECODABLE, rule="object")
    if fields and (repeated := _repeated_key(value)):
        return Reject(position, Reason.UNDECODABLE, rule="repeated key", field=repeated if _known(repeated, fields) else None)
    return None


def _known(name: str, fields: Sequence[Field]) -> bool:
    """Say whether a name is the contract's: others are the sender's own text, and may be personal."""
    return any(field.name == name for field in fields)


def _repeated_key(value: bytes) -> str | None:
    repeated: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(items)
        if len(made) < len(items):
            repeated.extend(name for name, times in Counter(name for name, _ in items).items() if times > 1)
        return made

    try:
        json.loads(value, object_pairs_hook=pairs)
    except (ValueError, RecursionError):
        return None
    return min(repeated, default=None)


def _empty(contract: Contract) -> pl.DataFrame:
    empty = pl.from_arrow(reading_schema(contract).empty_table())
    return empty if isinstance(empty, pl.DataFrame) else empty.to_frame()
