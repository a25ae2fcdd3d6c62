"""The land hop: each raw coordinate once, whoever repeats it and however it is batched; strangers are named, not trusted."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.records import DEAD_LETTER_SCHEMA
from contracts.schema import clean_schema
from streams.encode import encoded_dead_letters, encoded_rows
from streams.land import Held
from tests.streams.made import PLAIN, Message, cleaned, landed, records_of, sent, sorted_rows, value

CLEAN = sent(encoded_rows(cleaned(records_of([value(n, amount=n) for n in range(8)]), PLAIN).rows, PLAIN), PLAIN.clean_topic)
LETTERS = sent(
    encoded_dead_letters(cleaned(records_of([None, b"{", b"{", value(1, amount=-1), None]), PLAIN).dead_letters),
    PLAIN.dead_letter_topic,
)
SRC, CONTRACT = CLEAN[0].headers_
FOREIGN = {
    "no headers": {"headers_": None},
    "no coordinates": {"headers_": [CONTRACT]},
    "no contract": {"headers_": [SRC]},
    "another topic's coordinates": {"headers_": [("src", b"shop.other.raw.v1:0:1"), CONTRACT]},
    "coordinates that are none": {"headers_": [("src", b"shop.things.raw.v1:x:y"), CONTRACT]},
    "coordinates beyond 64 bits": {"headers_": [("src", b"shop.things.raw.v1:0:" + b"9" * 30), CONTRACT]},
    "negative coordinates": {"headers_": [("src", b"shop.things.raw.v1:0:-1"), CONTRACT]},
    "coordinates and more": {"headers_": [("src", b"shop.things.raw.v1:0:1:2"), CONTRACT]},
    "coordinates in bytes that are no text": {"headers_": [("src", b"\xff\xfe"), CONTRACT]},
    "no bytes for coordinates": {"headers_": [("src", None), CONTRACT]},
    "a contract that is none": {"headers_": [SRC, ("contract", b"jane.doe@example.org")]},
    "no value": {"value_": None},
    "no JSON": {"value_": b"{"},
    "another shape": {"value_": b'{"id":5}'},
}


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("base", [CLEAN[0], LETTERS[0]], ids=["clean", "dead letters"])
def test_a_record_that_no_clean_job_wrote_is_a_foreign_dead_letter_and_never_a_row(name, base):
    strange = replace(base, offset_=77, **FOREIGN[name])
    outcome = landed([strange], PLAIN)
    assert outcome.rows.num_rows == 0
    (letter,) = outcome.dead_letters.to_pylist()
    assert (letter["_topic"], letter["_partition"], letter["_offset"], letter["reason"]) == (base.topic(), 0, 77, "foreign")
    assert outcome.repeated == 0
    assert dict(outcome.next_offsets) == {0: 78}


@pytest.mark.parametrize(
    "told", [b"{}", b'{"reason":"because"}', b'{"reason":5}', b'{"reason":["null_value"]}', b"[]", b'"x"', b"null"]
)
def test_a_dead_letter_that_tells_no_reason_of_ours_is_foreign(told):
    outcome = landed([replace(LETTERS[0], value_=told)], PLAIN)
    assert outcome.dead_letters["reason"].to_pylist() == ["foreign"]


@pytest.mark.parametrize("original", [b"1e400", b'"x"', b"99999999999999999999999", b"{}", b"-1", b"1.5"])
def test_a_dead_letter_with_a_strange_original_stops_nothing(original):
    told = b'{"reason":"duplicate","contract_version":"1.0.0","original_offset":%b}' % original
    outcome = landed([replace(LETTERS[0], value_=told), LETTERS[1]], PLAIN)
    assert outcome.dead_letters.num_rows == 2
    assert outcome.dead_letters.schema == DEAD_LETTER_SCHEMA


STREAM = st.lists(
    st.sampled_from(CLEAN)
    | st.builds(lambda name: replace(CLEAN[0], **FOREIGN[name]), st.sampled_from(sorted(FOREIGN)))
    | st.builds(lambda at: replace(CLEAN[at], value_=b"{"), st.integers(0, 7)),
    max_size=16,
)


def in_a_topic(records: list[Message]) -> list[Message]:
    return [replace(message, offset_=offset) for offset, message in enumerate(records)]


@given(STREAM, st.lists(st.integers(0, 16), max_size=5))
def test_any_split_into_batches_gives_the_same_rows_and_dead_letters(records, cuts):
    messages = in_a_topic(records)
    edges = sorted({0, len(messages), *(c for c in cuts if c < len(messages))})
    held, rows, letters, repeated = Held(), [], [], 0
    for start, end in pairwise(edges):
        outcome = landed(messages[start:end], PLAIN, held)
        held = outcome.state
        rows.append(outcome.rows)
        letters.append(outcome.dead_letters)
        repeated += outcome.repeated
    if rows:
        whole = landed(messages, PLAIN)
        assert sorted_rows(pa.concat_tables(rows)) == sorted_rows(whole.rows)
        assert sorted_rows(pa.concat_tables(letters)) == sorted_rows(whole.dead_letters)
        assert repeated == whole.repeated
        assert {k: s.pairs() for k, s in held.offsets.items()} == {k: s.pairs() for k, s in whole.state.offsets.items()}


@given(STREAM)
def test_every_record_is_a_row_or_a_dead_letter_or_repeated(records):
    outcome = landed(in_a_topic(records), PLAIN)
    assert outcome.rows.num_rows + outcome.dead_letters.num_rows + outcome.repeated == len(records)
    at = outcome.rows["_offset"].to_pylist()
    assert len(at) == len(set(at))


def test_what_the_table_holds_is_not_written_again():
    first = landed(CLEAN[:5], PLAIN)
    again = landed(CLEAN, PLAIN, first.state)
    assert again.rows["_offset"].to_pylist() == [5, 6, 7]
    assert again.repeated == 5


def test_an_unreadable_record_does_not_keep_the_true_one_of_the_same_coordinates_out():
    forged = replace(CLEAN[3], value_=b"{", offset_=2)
    outcome = landed([forged, CLEAN[3]], PLAIN)
    assert outcome.rows["_offset"].to_pylist() == [3]
    assert outcome.dead_letters["reason"].to_pylist() == ["foreign"]


def test_rows_take_the_raw_coordinates_and_not_those_of_the_clean_topic():
    moved = [replace(message, offset_=message.offset_ + 1_000) for message in CLEAN]
    outcome = landed(moved, PLAIN)
    assert outcome.rows["_offset"].to_pylist() == list(range(8))
    assert set(outcome.rows["_topic"].to_pylist()) == {PLAIN.raw_topic}
    assert dict(outcome.next_offsets) == {0: 1_008}
    assert outcome.rows.schema == clean_schema(PLAIN)


def test_rows_keep_the_hash_of_the_contract_they_were_cleaned_under():
    older = [(SRC[0], SRC[1]), ("contract", b"b" * 64)]
    outcome = landed([replace(CLEAN[0], headers_=older)], PLAIN)
    assert outcome.rows["_contract_hash"].to_pylist() == ["b" * 64]


def test_a_dead_letter_says_what_the_clean_job_said_of_it():
    outcome = landed(LETTERS, PLAIN)
    assert outcome.dead_letters["reason"].to_pylist() == ["null_value", "undecodable", "duplicate", "rule_broken", "null_value"]
    assert outcome.dead_letters["original_offset"].to_pylist() == [None, None, 1, None, None]
    assert orjson.loads(LETTERS[3].value())["field"] == "amount"


def test_dead_letters_come_once():
    outcome = landed([*LETTERS, *(replace(m, offset_=m.offset_ + 5) for m in LETTERS)], PLAIN)
    assert outcome.dead_letters["_offset"].to_pylist() == [0, 1, 2, 3, 4]
    assert outcome.repeated == 5


@pytest.mark.parametrize("ms", [-(2**63), -1, 2**63 - 1])
def test_a_stranger_s_clock_stops_nothing(ms):
    outcome = landed([Message(PLAIN.clean_topic, 0, 0, ms, None, b"x")], PLAIN)
    assert len(outcome.dead_letters.to_pylist()) == 1
