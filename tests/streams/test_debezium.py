"""Debezium's change events: the row after each change, what a delete tells, when and where the source made it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.contract import Field
from contracts.records import Kind, Reason
from streams.change_keys import key_values
from streams.debezium import Change, NoChange, change_of
from tests.streams.made import contract_of

FIELDS = (Field("note", "string"), Field("seen_at", "timestamp"), Field("day", "date"))
CONTRACT = replace(contract_of(*FIELDS), change="upsert", envelope="debezium")
NUMBERED = replace(CONTRACT, fields=(Field("n", "integer", required=True, primary_key=True), *CONTRACT.fields[1:]))
PAIRED = replace(
    CONTRACT, fields=(*NUMBERED.fields[:1], Field("id", "string", required=True, primary_key=True), *CONTRACT.fields[1:])
)
SENT_AT = 1_357_020_000_000_000
MADE_MS = 1_357_016_400_123
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["op", "after", "before", "source", "payload", "id", "at"]), inner, max_size=4)
    ),
    max_leaves=12,
)


def event(op: str, *, after: Any = None, before: Any = None, source: Any = None, **more: Any) -> bytes:
    return orjson.dumps({"op": op, "after": after, "before": before, "source": source, **more})


def changed(value: bytes, key: bytes | None = b'{"id":"k"}') -> Change:
    made = change_of(value, key, SENT_AT, CONTRACT)
    assert isinstance(made, Change), made
    return made


def refused(value: bytes) -> tuple[Reason, str]:
    made = change_of(value, b"k", SENT_AT, CONTRACT)
    assert isinstance(made, NoChange), made
    return made.reason, made.rule


@pytest.mark.parametrize(("op", "kind"), [("c", Kind.INSERT), ("u", Kind.UPDATE), ("r", Kind.READ)])
def test_the_row_after_the_change_is_the_record_and_the_row_before_is_not_let_through(op, kind):
    made = changed(
        event(op, before={"id": "k", "note": "ann@example.org"}, after={"id": "k", "note": "new"}, source={"ts_ms": MADE_MS})
    )
    assert made.kind is kind
    assert orjson.loads(made.value) == {"id": "k", "note": "new", "at": "2013-01-01T05:00:00.123000+00:00"}
    assert b"example.org" not in made.value


def test_a_delete_tells_its_key_and_its_time_alone():
    made = changed(event("d", before={"id": "k", "note": "ann@example.org"}, source={"ts_ms": MADE_MS}))
    assert made.kind is Kind.DELETE
    assert orjson.loads(made.value) == {"id": "k", "at": "2013-01-01T05:00:00.123000+00:00"}


def test_a_delete_without_a_kafka_key_takes_its_key_from_what_the_row_was():
    made = changed(event("d", before={"id": "was", "note": "ann@example.org"}, source={"ts_ms": MADE_MS}), None)
    assert orjson.loads(made.value)["id"] == "was"
    assert b"example.org" not in made.value


def test_an_event_time_of_the_rows_own_stands():
    after = {"id": "k", "at": "2013-01-01T04:00:00Z"}
    made = changed(event("u", after=after, source={"ts_ms": MADE_MS}))
    assert orjson.loads(made.value)["at"] == "2013-01-01T04:00:00Z"
    assert made.changed_at == MADE_MS * 1_000


@pytest.mark.parametrize(
    ("source", "more", "expected"),
    [
        ({"ts_ms": MADE_MS, "ts_us": MADE_MS * 1_000 + 7}, {}, MADE_MS * 1_000 + 7),
        ({"ts_ms": 0}, {"ts_ms": MADE_MS}, MADE_MS * 1_000),
        ({}, {"ts_ms": "soon"}, SENT_AT),
        ({"ts_ms": True}, {}, SENT_AT),
        ({"ts_ms": 2**62}, {}, SENT_AT),
        ("nothing", {}, SENT_AT),
    ],
)
def test_a_change_was_made_when_the_source_says_else_when_debezium_saw_it_else_when_it_was_sent(source, more, expected):
    assert changed(event("c", after={"id": "k"}, source=source, **more)).changed_at == expected


@pytest.mark.parametrize(
    "sources",
    [
        [
            {"connector": "postgresql", "lsn": 9},
            {"connector": "postgresql", "lsn": 10},
            {"connector": "postgresql", "lsn": 2**63},
        ],
        [
            {"connector": "mysql", "file": "log.000009", "pos": 900, "row": 1},
            {"connector": "mysql", "file": "log.000010", "pos": 4, "row": 0},
            {"connector": "mariadb", "file": "log.000010", "pos": 4, "row": 1},
            {"connector": "mysql", "file": "log.000010", "pos": 2**32, "row": 0},
        ],
        [{"connector": "oracle", "scn": "99"}, {"connector": "oracle", "scn": "100"}],
        [
            {"connector": "sqlserver", "commit_lsn": "00000027:00000ac0:0001"},
            {
                "connector": "sqlserver",
                "commit_lsn": "00000027:00000ac0:0001",
                "change_lsn": "00000027:00000ac0:0001",
                "event_serial_no": 1,
            },
            {
                "connector": "sqlserver",
                "commit_lsn": "00000027:00000ac0:0001",
                "change_lsn": "00000027:00000ac0:0001",
                "event_serial_no": 2,
            },
            {
                "connector": "sqlserver",
                "commit_lsn": "00000027:00000ac0:0002",
                "change_lsn": "00000027:00000ac0:0001",
                "event_serial_no": 1,
            },
        ],
    ],
    ids=lambda sources: sources[0]["connector"],
)
def test_places_in_a_sources_log_sort_as_the_log_goes(sources):
    places = [changed(event("c", after={"id": "k"}, source=source)).sequence for source in sources]
    assert None not in places
    assert places == sorted(set(places))


@pytest.mark.parametrize(
    "source",
    [None, {}, {"connector": "mongodb", "ord": 1}, {"connector": "postgresql", "lsn": None}, {"connector": "oracle", "scn": "x"}],
)
def test_a_source_that_tells_no_place_has_none(source):
    assert changed(event("c", after={"id": "k"}, source=source)).sequence is None


def test_times_are_read_as_the_schema_beside_the_event_says():
    fields = [
        {"field": "at", "type": "int64", "name": "io.debezium.time.NanoTimestamp"},
        {"field": "seen_at", "type": "int64", "name": "io.debezium.time.Timestamp"},
        {"field": "day", "type": "int32", "name": "io.debezium.time.Date"},
        {"field": "note", "type": "string"},
    ]
    schema = {"type": "struct", "fields": [{"field": "before"}, {"field": "after", "fields": fields}]}
    after = {"id": "k", "at": MADE_MS * 1_000_000, "seen_at": MADE_MS, "day": 15_706, "note": "x"}
    made = changed(orjson.dumps({"schema": schema, "payload": {"op": "c", "after": after}}))
    moment = "2013-01-01T05:00:00.123000+00:00"
    assert orjson.loads(made.value) == {"id": "k", "at": moment, "seen_at": moment, "day": "2013-01-01", "note": "x"}


def test_what_is_no_event_of_one_row_says_why():
    assert refused(b"{broken") == (Reason.UNDECODABLE, "json")
    assert refused(b"[" * 1_200 + b"]" * 1_200)[0] is Reason.TOO_DEEP
    assert refused(b"[]") == (Reason.UNDECODABLE, "envelope")
    assert refused(event("t")) == (Reason.NO_ROW, "op t")
    assert refused(event("m", after={"id": "k"})) == (Reason.NO_ROW, "op m")
    assert refused(event("x", after={"id": "k"})) == (Reason.UNDECODABLE, "envelope")
    assert refused(event("c")) == (Reason.UNDECODABLE, "envelope")
    assert refused(b'{"id":"k","at":"2013-01-01T06:00:00Z"}') == (Reason.UNDECODABLE, "envelope")
    deep: Any = 1
    for _ in range(300):
        deep = [deep]
    assert refused(event("c", after={"id": "k", "note": None}).replace(b'"note":null', b'"note":' + b"[" * 300 + b"]" * 300)) == (
        Reason.TOO_DEEP,
        "nesting",
    )


def test_an_event_that_holds_nothing_is_a_tombstone():
    assert change_of(b'{"schema":null,"payload":null}', b"k", SENT_AT, CONTRACT) is None


@given(JSON)
def test_no_json_makes_it_fail(item):
    try:
        value = orjson.dumps(item)
    except orjson.JSONEncodeError:
        return
    made = change_of(value, b"k", SENT_AT, CONTRACT)
    assert made is None or isinstance(made, Change | NoChange)


@pytest.mark.parametrize(
    ("key", "contract", "expected"),
    [
        (b"plain", CONTRACT, {"id": "plain"}),
        (b"7", CONTRACT, {"id": "7"}),
        (b'"quoted"', CONTRACT, {"id": "quoted"}),
        (b'{"id":"k","more":1}', CONTRACT, {"id": "k"}),
        (b'{"schema":{"type":"struct"},"payload":{"id":"k"}}', CONTRACT, {"id": "k"}),
        (b'{"schema":{"type":"string"},"payload":"k"}', CONTRACT, {"id": "k"}),
        (b'{"other":"k"}', CONTRACT, {}),
        ("käse".encode(), CONTRACT, {"id": "käse"}),
        (b"7", NUMBERED, {"n": 7}),
        (b"seven", NUMBERED, None),
        (b"7|k", PAIRED, {"n": 7, "id": "k"}),
        (b"7|8", PAIRED, {"n": 7, "id": "8"}),
        (b"7", PAIRED, None),
        (b'{"n":7,"id":"k"}', PAIRED, {"n": 7, "id": "k"}),
        (b"\xff", CONTRACT, None),
        (b"", CONTRACT, None),
        (None, CONTRACT, None),
    ],
)
def test_a_kafka_key_is_read_as_the_primary_key(key, contract, expected):
    assert key_values(key, contract) == expected


@given(st.binary(max_size=30), st.sampled_from([CONTRACT, NUMBERED, PAIRED]))
def test_no_key_makes_it_fail(key, contract):
    found = key_values(key, contract)
    assert found is None or set(found) <= set(contract.key)
