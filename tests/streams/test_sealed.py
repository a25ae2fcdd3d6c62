"""What dead letters carry of the records that they are of, and whose key it is sealed under."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.connectors.key_store import SqliteKeyStore
from contracts.keys import SUBJECT_SECRET, record_subject, subject_id
from contracts.records import KEY_ID, PAYLOAD
from streams.archive import bronze_rows
from streams.batches import ARCHIVE_SCHEMA, archive_batch
from streams.bronze import RawRecord, of_bronze, of_quarantine
from streams.encode import encoded_dead_letters
from streams.engines.vault import with_payloads
from streams.packing import packed, unpacked
from streams.sealed import PAYLOAD_BYTES_MAX, subjects
from tests.streams.made import PLAIN, Message, cleaned, landed, records_of, sent, value

OF_PEOPLE = replace(PLAIN, subject="id")
CHANGES = replace(OF_PEOPLE, envelope="debezium")
SECRET = b"s" * 32


@pytest.fixture
def keys(tmp_path) -> SqliteKeyStore:
    return SqliteKeyStore(tmp_path / "keys.sqlite")


@given(st.lists(st.none() | st.binary(max_size=40)))
def test_what_was_packed_comes_apart_as_it_was(parts):
    assert unpacked(packed(parts)) == parts


BAD = [b"{broken", value("a", amount=-1), None, b"", b"\xff\xfe", value("a", amount="many")]


def test_each_dead_letter_carries_its_record_sealed_and_equal_each_time(keys):
    records = records_of([value("good"), *BAD], keys=[b"k%d" % n for n in range(7)])
    letters = cleaned(records, PLAIN).dead_letters
    carried = with_payloads(letters, records, PLAIN, keys)
    assert carried == with_payloads(letters, records, PLAIN, SqliteKeyStore(keys._file))
    found = keys.found(carried[KEY_ID].to_pylist())
    assert len(found) == len(BAD)
    read = list(of_quarantine(carried, found))
    assert [(record.state, record.key, record.value) for record in read] == [
        ("kept", b"k%d" % n, bad) for n, bad in enumerate(BAD, start=1)
    ]
    assert not any(bad and bad in payload for bad, payload in zip(BAD, carried[PAYLOAD].to_pylist(), strict=True))


def test_any_split_into_batches_gives_the_same_payloads(keys):
    whole = records_of(BAD)
    together = with_payloads(cleaned(whole, PLAIN).dead_letters, whole, PLAIN, keys)
    apart = [records_of([bad], first=at) for at, bad in enumerate(BAD)]
    assert together == pa.concat_tables(with_payloads(cleaned(r, PLAIN).dead_letters, r, PLAIN, keys) for r in apart)


def test_a_duplicate_carries_no_payload(keys):
    records = records_of([value("a"), value("a")])
    letters = with_payloads(cleaned(records, PLAIN).dead_letters, records, PLAIN, keys)
    assert letters["reason"].to_pylist() == ["duplicate"]
    assert letters[PAYLOAD].null_count == letters[KEY_ID].null_count == 1
    assert [record.state for record in of_quarantine(letters, {})] == ["absent"]


def test_a_dead_letter_that_a_topic_could_not_take_comes_without_payload(keys):
    records = records_of([b"x" * (PAYLOAD_BYTES_MAX + 1), b"x" * PAYLOAD_BYTES_MAX])
    letters = with_payloads(cleaned(records, PLAIN).dead_letters, records, PLAIN, keys)
    assert letters["reason"].to_pylist() == ["too_large"] * 2
    assert [payload is None for payload in letters[PAYLOAD].to_pylist()] == [True, False]


def test_payloads_pass_through_the_dead_letter_topic(keys):
    records = records_of(BAD)
    letters = with_payloads(cleaned(records, PLAIN).dead_letters, records, PLAIN, keys)
    came = landed(sent(encoded_dead_letters(letters), PLAIN.dead_letter_topic), PLAIN).dead_letters
    assert came == letters


def test_a_strangers_payload_that_is_no_base64_is_left_out():
    text = orjson.dumps({"reason": "undecodable", "contract_version": "1.0.0", "payload": "%%%", "_key_id": 7})
    headers = [("src", f"{PLAIN.raw_topic}:0:0".encode()), ("contract", b"a" * 64)]
    came = landed([Message(PLAIN.dead_letter_topic, 0, 0, 1, None, text, headers)], PLAIN).dead_letters
    assert came[PAYLOAD].to_pylist() == came[KEY_ID].to_pylist() == [None]


@pytest.mark.parametrize(
    ("raw", "key", "name"),
    [
        (value("ann"), None, "ann"),
        (orjson.dumps({"id": 12}), None, "12"),
        (orjson.dumps({"id": "ann", "amount": "ill-typed"}), None, "ann"),
        (None, b"ann", "ann"),
        (None, b'{"id": "ann"}', "ann"),
        (None, b'{"payload": {"id": 12}}', "12"),
    ],
)
def test_a_record_is_sealed_for_whom_it_names(raw, key, name):
    assert subjects(records_of([raw], keys=[key]), OF_PEOPLE, SECRET) == [subject_id(name, SECRET)]


@pytest.mark.parametrize("raw", [b"{broken", b"[1]", b"null", b'{"id": null}', b'{"id": true}', b'{"id": [1]}', b"\xff", b"{}"])
def test_a_record_that_names_nobody_is_a_subject_of_its_own(raw):
    assert subjects(records_of([raw], first=9), OF_PEOPLE, SECRET) == [record_subject(PLAIN.raw_topic, 0, 9)]


@pytest.mark.parametrize(
    "event",
    [
        {"before": None, "after": {"id": "ann"}, "op": "c"},
        {"before": {"id": "ann"}, "after": None, "op": "d"},
        {"schema": {}, "payload": {"before": None, "after": {"id": "ann"}, "op": "c"}},
    ],
)
def test_a_change_event_is_sealed_for_whom_its_state_names(event):
    assert subjects(records_of([orjson.dumps(event)]), CHANGES, SECRET) == [subject_id("ann", SECRET)]


HEADERS = [("source", b"x:1"), ("none", None), ("source", b"again")]


def archived(keys: SqliteKeyStore, messages: list[Message]) -> pa.Table:
    records = archive_batch(messages)
    named = subjects(records, OF_PEOPLE, keys.secret(SUBJECT_SECRET))
    return bronze_rows(records, named, keys.data_keys(named), OF_PEOPLE)


def messages_of(*values: bytes | None) -> list[Message]:
    made = [Message(PLAIN.raw_topic, 1, 5 + n, -1, b"key", each, HEADERS) for n, each in enumerate(values)]  # type: ignore[arg-type]
    return [*made, Message(PLAIN.raw_topic, 1, 5 + len(made), 7, None, None)]


def test_bronze_gives_back_what_came(keys):
    messages = messages_of(value("ann"), b"{broken", None, b"")
    rows = archived(keys, messages)
    assert rows == archived(keys, messages)
    assert rows["value"].null_count == 2
    read = list(of_bronze(rows, keys.found(rows[KEY_ID].to_pylist())))
    assert [(r.key, r.value, list(r.headers), r.timestamp_ms) for r in read] == [
        (m.key(), m.value(), m.headers() or [], m.timestamp()[1]) for m in messages
    ]


def test_an_erased_person_is_erased_in_bronze_and_in_dead_letters_and_nobody_else_is(keys):
    records = records_of([value("ann", amount=-1), value("bob", amount=-1), b"{broken"])
    letters = with_payloads(cleaned(records, OF_PEOPLE).dead_letters, records, OF_PEOPLE, keys)
    rows = archived(keys, messages_of(value("ann"), value("bob"), b"{broken"))
    keys.destroy(subject_id("ann", keys.secret(SUBJECT_SECRET)))

    def states(found: list[RawRecord]) -> list[str]:
        return [record.state for record in found]

    assert states(list(of_quarantine(letters, keys.found(letters[KEY_ID].to_pylist())))) == ["erased", "kept", "kept"]
    assert states(list(of_bronze(rows, keys.found(rows[KEY_ID].to_pylist())))) == ["erased", "kept", "kept", "kept"]


def test_a_record_that_was_erased_is_never_sealed_again(keys):
    messages = messages_of(b"{broken")
    archived(keys, messages)
    keys.destroy(record_subject(PLAIN.raw_topic, 1, 5))
    rows = archived(keys, messages)
    assert rows[KEY_ID].to_pylist()[0] == "erased"
    assert rows["value"].to_pylist()[0] is rows["key"].to_pylist()[0] is None
    assert next(r.state for r in of_bronze(rows, keys.found(rows[KEY_ID].to_pylist()))) == "erased"


def test_an_archive_batch_is_in_its_schema():
    assert archive_batch(messages_of(b"x")).schema == ARCHIVE_SCHEMA
