"""Debezium's change events: which row a change leaves behind, when the source made it, at which place of its log.

https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-events (MySQL, SQL Server, Oracle
alike): `op` is c (insert), u (update), d (delete), r (read by a snapshot), t (the table was emptied) or m (a message in the
log); `after` is the row from then on, `before` what it was. Of `before` nothing is read but the primary key, and that only
where the Kafka key does not tell it. With Connect's converter the event stands under `payload`, beside a `schema`, whose
field names say how times are written (`io.debezium.time.MicroTimestamp`); without it, numbers are no times.

The same names twice in one object: the last one counts, as everywhere in Connect. MongoDB's events hold no rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from contracts.contract import Contract
from contracts.records import Kind, Reason
from streams.change_keys import key_values

KINDS = {"c": Kind.INSERT, "u": Kind.UPDATE, "r": Kind.READ, "d": Kind.DELETE}
NO_ROW = ("t", "m")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECONDS_MAX = 253_402_300_799_999_999
TIME_UNITS = {
    "io.debezium.time.Timestamp": 1_000,
    "org.apache.kafka.connect.data.Timestamp": 1_000,
    "io.debezium.time.MicroTimestamp": 1,
}
"""Connect's name of a time's type -> microseconds in one of its units. Nanoseconds are divided."""
NANOSECONDS = "io.debezium.time.NanoTimestamp"
DAYS = ("io.debezium.time.Date", "org.apache.kafka.connect.data.Date")

NO_CHANGE = "00000000:00000000:0000"
"""In the place of a log sequence number of SQL Server that is not told, as in a snapshot."""

NUMBER_AT_END = re.compile(r"[0-9]{1,18}$")


@dataclass(frozen=True)
class Change:
    """What one event comes to: a row as JSON (of a delete, its key and event time alone), its kind, time and place."""

    value: bytes
    kind: Kind
    changed_at: int
    """Microseconds since 1970."""
    sequence: str | None


@dataclass(frozen=True)
class NoChange:
    """Why an event has no row; the rule names what of it was wrong."""

    reason: Reason
    rule: str


Position = Callable[[Mapping[str, Any]], str | None]


def change_of(value: bytes, key: bytes | None, sent_at: int, contract: Contract) -> Change | NoChange | None:
    """Return what a change event comes to; None for one that holds nothing, which is a tombstone.

    `sent_at` is the record's own time in microseconds, for an event that tells no time of its source.
    """
    found = _event(value)
    if found is None or isinstance(found, NoChange):
        return found
    event, schema = found
    op = event.get("op")
    if op in NO_ROW:
        return NoChange(Reason.NO_ROW, f"op {op}")
    kind = KINDS.get(op) if isinstance(op, str) else None
    if kind is None:
        return NoChange(Reason.UNDECODABLE, "envelope")
    told = event.get("source")
    source: Mapping[str, Any] = told if isinstance(told, dict) else {}
    changed_at = _changed_at(source, event) or sent_at
    row = _deleted(event, key, contract) if kind is Kind.DELETE else _after(event, schema)
    if row is None:
        return NoChange(Reason.UNDECODABLE, "envelope")
    return _written(row, kind, changed_at, _sequence(source), contract)


def moment(microseconds: int) -> str:
    """Return a time as RFC 3339 with a zone."""
    return (EPOCH + timedelta(microseconds=microseconds)).isoformat()


def _event(value: bytes) -> tuple[dict[str, Any], Any] | NoChange | None:
    """Return the event and its Connect schema, if that stands beside it."""
    try:
        read = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        deep = "depth" in error.msg or "recursion" in error.msg.lower()
        return NoChange(Reason.TOO_DEEP, "nesting") if deep else NoChange(Reason.UNDECODABLE, "json")
    schema: Any = None
    if isinstance(read, dict) and "payload" in read and "op" not in read:
        schema, read = read.get("schema"), read["payload"]
        if read is None:
            return None
    return (read, schema) if isinstance(read, dict) else NoChange(Reason.UNDECODABLE, "envelope")


def _written(row: dict[str, Any], kind: Kind, changed_at: int, sequence: str | None, contract: Contract) -> Change | NoChange:
    """Return the change with its row as JSON; where the row has no event time, it happened when it was made."""
    if row.get(contract.event_time) is None:
        row[contract.event_time] = moment(changed_at)
    try:
        return Change(orjson.dumps(row), kind, changed_at, sequence)
    except orjson.JSONEncodeError:
        return NoChange(Reason.TOO_DEEP, "nesting")


def _after(read: Mapping[str, Any], schema: Any) -> dict[str, Any] | None:
    """Return the row after the change, whole: the contract's modes decide over what it does not know."""
    after = read.get("after")
    if not isinstance(after, dict):
        return None
    row = dict(after)
    if schema is not None:
        for name, kind in _types(schema).items():
            if isinstance(row.get(name), int) and not isinstance(row[name], bool):
                row[name] = _time(row[name], kind)
    return row


def _deleted(read: Mapping[str, Any], key: bytes | None, contract: Contract) -> dict[str, Any]:
    """Return the key of a deleted row: as the Kafka key tells it, and what that leaves out from what the row was."""
    row = key_values(key, contract) or {}
    before = read.get("before")
    if isinstance(before, dict):
        row = {name: before[name] for name in contract.key if name in before} | row
    return row


def _types(schema: Any) -> dict[str, str]:
    """Return, by field of the row, the Connect name of its type, where it has one that says how times are written."""
    parts = schema.get("fields") if isinstance(schema, dict) else None
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, dict) and part.get("field") == "after" and isinstance(part.get("fields"), list):
            held = [field for field in part["fields"] if isinstance(field, dict)]
            return {str(field.get("field")): name for field in held if isinstance(name := field.get("name"), str)}
    return {}


def _time(item: int, kind: str) -> Any:
    """Return a number as the time or day that its type says it is; as it came where it says none, or none that there is."""
    try:
        if kind in DAYS:
            return (EPOCH + timedelta(days=item)).date().isoformat()
        if kind in TIME_UNITS or kind == NANOSECONDS:
            return moment(item // 1_000 if kind == NANOSECONDS else item * TIME_UNITS[kind])
    except OverflowError:
        return item
    return item


def _changed_at(source: Mapping[str, Any], read: Mapping[str, Any]) -> int | None:
    """Return when the source made the change, as finely as it is told; else when Debezium saw it. A 0 tells nothing."""
    for told, finer in ((source, True), (read, False)):
        units = (("ts_us", 1), ("ts_ms", 1_000)) if finer else (("ts_ms", 1_000),)
        for name, microseconds in units:
            item = told.get(name)
            if isinstance(item, int) and not isinstance(item, bool) and 0 < item * microseconds <= MICROSECONDS_MAX:
                return item * microseconds
    return None


def _sequence(source: Mapping[str, Any]) -> str | None:
    """Return the change's place in the source's log, as text that sorts as the log goes; None where it is not told."""
    place = POSITIONS.get(str(source.get("connector")))
    return None if place is None else place(source)


def _postgres(source: Mapping[str, Any]) -> str | None:
    return _padded(source.get("lsn"))


def _mysql(source: Mapping[str, Any]) -> str | None:
    file, at = NUMBER_AT_END.search(str(source.get("file"))), _padded(source.get("pos"))
    row = _padded(source.get("row", 0))
    return f"{file[0]:0>20}:{at}:{row}" if file and at and row else None


def _oracle(source: Mapping[str, Any]) -> str | None:
    return _padded(source.get("scn"))


def _sqlserver(source: Mapping[str, Any]) -> str | None:
    """Return commit, change, and the event's number in it: an update can be two events. Numbers in hex, of fixed length."""
    commit, change = source.get("commit_lsn"), source.get("change_lsn")
    serial = _padded(source.get("event_serial_no") or 0)
    return f"{commit}:{change or NO_CHANGE}:{serial}" if isinstance(commit, str) and serial else None


POSITIONS: dict[str, Position] = {
    "postgresql": _postgres,
    "mysql": _mysql,
    "mariadb": _mysql,
    "oracle": _oracle,
    "sqlserver": _sqlserver,
    "db2": _sqlserver,
}


def _padded(number: Any) -> str | None:
    """Return a whole number, or its digits, with zeros before it."""
    if type(number) is int:
        return f"{number:020d}" if 0 <= number < 10**20 else None
    return f"{number:0>20}" if isinstance(number, str) and number.isdecimal() and len(number) <= 20 else None
