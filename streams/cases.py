"""Cases that a person keeps beside a contract: raw records, and next to each what must become of it.

    about: A wind that no station has ever measured is not believed.
    records:
      - value: {origin: EWR, observed_at: '2013-02-12T08:00:00Z', wind_speed_mph: 10.4}
        row: same
      - value: {origin: EWR, observed_at: '2013-02-12T09:00:00Z', wind_speed_mph: 1048.4}
        dead_letter: {reason: rule_broken, field: wind_speed_mph, rule: maximum}

A record is a `value` (sent as JSON, or null), or `text` or `base64` for what is no JSON; it may have a `key`, a time `at`, and a
word `about` it. All lie in one raw partition, in this order. `row` is the clean row, without its nulls, or `same` where that is
the value itself; placeholders in it are written by their type alone, `<email>`.
A `dead_letter` is its reason, the field and rule that decided, and for a duplicate the number of the `original` record, from 0.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import orjson
import polars as pl
import pyarrow as pa

from contracts.contract import Contract
from contracts.errors import ContractInvalid
from contracts.records import COORDINATE_FIELDS, OFFSET, RECORD_SCHEMA
from streams.clean import CleanState, process_batch
from streams.placeholders import without_letters
from streams.setup import Limits

Fate = Mapping[str, Any]
"""`{"row": ...}` or `{"dead_letter": ...}`, as a case holds it."""

FATES = ("row", "dead_letter")
VALUES = ("value", "text", "base64")
KNOWN = (*VALUES, *FATES, "key", "at", "about")
SAME = "same"
TOLD = ("reason", "field", "rule")
AT_DEFAULT = "2026-01-01T00:00:00Z"


@dataclass(frozen=True)
class Given:
    """One record of a case: what is sent, when, and what a person expects; None: nothing said yet."""

    value: bytes | None
    key: bytes | None
    timestamp_ms: int
    sent: Any
    """The value as JSON's types, for `same`; None for what is no JSON."""
    expected: Fate | None


@dataclass(frozen=True)
class Case:
    """One case, read."""

    file: str
    about: str
    records: tuple[Given, ...]


@dataclass(frozen=True)
class Difference:
    """What one record came to instead of what its case says."""

    record: int
    expected: Any
    came: Any

    def lines(self) -> Iterator[str]:
        """Yield it as a person reads it: a line for each part that differs."""
        kinds = [next(iter(fate)) if fate else "nothing" for fate in (self.expected, self.came)]
        yield (
            f"  record {self.record}: expected {kinds[0]}, came {kinds[1]}"
            if kinds[0] != kinds[1]
            else f"  record {self.record}:"
        )
        before, after = (fate[next(iter(fate))] if fate else {} for fate in (self.expected, self.came))
        before = {} if before == SAME else before
        for name in sorted({*before, *after}):
            if before.get(name) != after.get(name):
                yield from (f"    - {name}: {_text(before[name])}",) if name in before else ()
                yield from (f"    + {name}: {_text(after[name])}",) if name in after else ()


def case_of(data: Any, file: str) -> Case:
    """Return the case of a file's data. Raises ContractInvalid for what is no case, naming the record."""
    records = data.get("records") if isinstance(data, dict) else None
    if not isinstance(records, list) or not records:
        raise _invalid(file, "there is no list of records", "about, records")
    return Case(file, str(data.get("about", "")), tuple(_given(item, f"{file}: record {n}") for n, item in enumerate(records)))


def fates(case: Case, contract: Contract) -> list[Fate]:
    """Return what becomes of each record of a case, in the form that a case says it. No server is asked."""
    outcome = process_batch(_batch(case.records), fresh_state(), contract)
    found: dict[int, Fate] = {}
    ours = {field.name for field in COORDINATE_FIELDS}
    for row in outcome.rows.to_pylist():
        kept = {name: _plain(value) for name, value in row.items() if value is not None and name not in ours}
        found[row[OFFSET]] = {"row": kept}
    for letter in outcome.dead_letters.to_pylist():
        told = {name: letter[name] for name in TOLD if letter[name] is not None}
        original = {} if letter["original_offset"] is None else {"original": letter["original_offset"]}
        found[letter[OFFSET]] = {"dead_letter": told | original}
    return [_shortened(found.get(n, {}), given.sent) for n, given in enumerate(case.records)]


def differences(case: Case, came: Sequence[Fate]) -> list[Difference]:
    """Return where the records of a case came to something else than it says."""
    pairs = zip(case.records, came, strict=True)
    return [
        Difference(n, _whole(given.expected, given.sent), _whole(fate, given.sent))
        for n, (given, fate) in enumerate(pairs)
        if _whole(given.expected, given.sent) != _whole(fate, given.sent)
    ]


CASES_KEY = bytes(32)
"""No installation's key: a case comes out the same everywhere."""


def cleaned_values(values: Sequence[Mapping[str, Any]], contract: Contract) -> pl.DataFrame:
    """Return the rows that the stream lets through of these values, each sent as JSON in a record of its own."""
    sent = [Given(orjson.dumps(_plain(dict(value))), None, _millis({}, ""), None, None) for value in values]
    return pl.DataFrame(pl.from_arrow(process_batch(_batch(sent), fresh_state(), contract).rows))


def fresh_state() -> CleanState:
    """Return the state of a clean hop that has seen nothing yet, with the limits of an installation's defaults."""
    limits = Limits()
    return CleanState({}, limits.duplicate_window, limits.record_bytes_max, masking_key=CASES_KEY)


def _given(item: Any, where: str) -> Given:
    if not isinstance(item, dict) or not set(item) <= set(KNOWN):
        raise _invalid(where, f"came {item!r}", f"a mapping of {', '.join(KNOWN)}")
    if sum(name in item for name in VALUES) != 1 or sum(name in item for name in FATES) > 1:
        raise _invalid(where, f"came {', '.join(item)}", "one of value, text, base64, and one of row, dead_letter")
    expected = next(({name: item[name]} for name in FATES if name in item), None)
    if expected is not None and not (expected.get("row") == SAME or isinstance(next(iter(expected.values())), dict)):
        raise _invalid(where, "an expectation that is no mapping", "row: same, row: {...}, or dead_letter: {reason: ...}")
    key = item.get("key")
    return Given(
        _bytes(item, where), None if key is None else str(key).encode(), _millis(item, where), item.get("value"), expected
    )


def _bytes(item: Mapping[str, Any], where: str) -> bytes | None:
    if "text" in item:
        return str(item["text"]).encode()
    if "base64" in item:
        try:
            return base64.b64decode(item["base64"], validate=True)
        except (binascii.Error, TypeError) as error:
            raise _invalid(where, f"base64: {error}", "text in base64") from error
    return None if item["value"] is None else orjson.dumps(item["value"])


def _millis(item: Mapping[str, Any], where: str) -> int:
    try:
        moment = datetime.fromisoformat(str(item.get("at", AT_DEFAULT)))
    except ValueError as error:
        raise _invalid(where, f"at: {error}", "a time with its zone, as 2026-01-01T00:00:00Z") from error
    if moment.tzinfo is None:
        raise _invalid(where, f"at: {item['at']}", "a time with its zone, as 2026-01-01T00:00:00Z")
    return round(moment.timestamp() * 1_000)


def _batch(records: Sequence[Given]) -> pa.RecordBatch:
    columns: dict[str, list[Any]] = {
        "partition": [0] * len(records),
        "offset": list(range(len(records))),
        "timestamp_ms": [given.timestamp_ms for given in records],
        "key": [given.key for given in records],
        "value": [given.value for given in records],
    }
    return pa.record_batch([pa.array(columns[f.name], f.type) for f in RECORD_SCHEMA], schema=RECORD_SCHEMA)


def _shortened(fate: Fate, sent: Any) -> Fate:
    """Return a row that is just what was sent as `same`: nothing was changed, and nothing needs to be read twice."""
    return {"row": SAME} if "row" in fate and isinstance(sent, dict) and fate["row"] == _without_nulls(sent) else fate


def _whole(fate: Fate | None, sent: Any) -> Fate:
    """Return a fate with `same` written out."""
    if fate is None:
        return {}
    if fate.get("row") == SAME:
        return {"row": _without_nulls(sent) if isinstance(sent, dict) else {}}
    return {name: _without_nulls(told) for name, told in fate.items()}


def _without_nulls(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def _plain(value: Any) -> Any:
    """Return a row's value as JSON says it: a moment to the second where it has no fraction, a placeholder by its type alone."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return without_letters(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value


def _text(value: Any) -> str:
    return orjson.dumps(value, default=str).decode()


def _invalid(where: str, came: str, expected: str) -> ContractInvalid:
    return ContractInvalid(came, expected=expected, where=where, remedy="see the examples: contracts/flights/weather.cases")
