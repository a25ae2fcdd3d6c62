"""What the clean hop sends, the land hop reads: equal rows for every type there is."""

from __future__ import annotations

import string
from datetime import UTC, date, datetime

import orjson
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.records import CONTRACT_HEADER, REASON_HEADER, SRC_HEADER
from contracts.schema import clean_schema
from lineage.digest import table_digest
from streams.encode import encoded_dead_letters, encoded_rows
from tests.streams.made import PLAIN, SENT_AT_MS, WIDE, cleaned, landed, raw, records_of, sent, sorted_rows, value

TEXT = st.text(max_size=12) | st.sampled_from(
    ["", "null", "שלום", "مرحبا \u200f", "👩‍👩‍👧", "é", "\u2028\u2029", '"\\/', "\ufeff", "\ue000", "𝄞"]
)
INTEGER = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([2**63 - 1, -(2**63), 2**53 + 1, 0])
NUMBER = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(
    [0.1 + 0.2, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, -0.0, 1e21, 1e22, 123456789012345.67]
)
WHEN = st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat)
DAY = st.dates(date(1, 1, 1), date(9999, 12, 31)).map(date.isoformat)


def maybe(strategy: st.SearchStrategy) -> st.SearchStrategy:
    return st.none() | strategy


def some(**fields: st.SearchStrategy) -> st.SearchStrategy:
    return st.fixed_dictionaries({}, optional={name: maybe(strategy) for name, strategy in fields.items()})


RECORD = some(
    text=TEXT,
    count=INTEGER,
    ratio=NUMBER,
    flag=st.booleans(),
    seen_at=WHEN,
    day=DAY,
    place=some(city=TEXT, floor=INTEGER, inner=some(open=st.booleans(), rate=NUMBER)),
    tags=st.lists(maybe(TEXT), max_size=3),
    sizes=st.lists(maybe(INTEGER), max_size=3),
    rates=st.lists(maybe(NUMBER), max_size=3),
    lines=st.lists(maybe(some(sku=TEXT, many=st.lists(maybe(st.booleans()), max_size=2))), max_size=3),
)


@given(st.lists(RECORD, max_size=6))
def test_what_clean_sends_land_reads_equal_to_the_bit(records):
    rows = cleaned(records_of([value(n, **record) for n, record in enumerate(records)]), WIDE).rows
    assert rows.num_rows == len(records)
    back = landed(sent(encoded_rows(rows, WIDE), WIDE.clean_topic), WIDE)
    assert not back.dead_letters.num_rows
    assert back.rows.schema == clean_schema(WIDE)
    assert back.rows.to_pylist() == rows.to_pylist()
    assert table_digest(back.rows) == table_digest(rows)


@given(st.lists(RECORD, max_size=6))
def test_a_clean_record_is_the_line_that_polars_writes_of_its_row(records):
    rows = cleaned(records_of([value(n, **record) for n, record in enumerate(records)]), WIDE).rows
    lines = pl.DataFrame(rows).select(field.name for field in WIDE.fields).write_ndjson().encode().split(b"\n")[:-1]
    assert [line for line, *_ in encoded_rows(rows, WIDE)] == (lines if records else [])


@given(RECORD)
def test_a_clean_row_holds_what_its_record_said(record):
    (row,) = cleaned(records_of([value(1, **record)]), WIDE).rows.to_pylist()
    for name in ("count", "flag", "sizes"):
        assert row[name] == record.get(name)
    for name in ("ratio", "rates"):
        assert repr(row[name]) == repr(record.get(name))
    if record.get("seen_at"):
        assert row["seen_at"] == datetime.fromisoformat(record["seen_at"])
    if record.get("day"):
        assert row["day"] == date.fromisoformat(record["day"])


@given(
    st.lists(
        st.none() | st.sampled_from([b"{", raw("1", ',"amount":-1'), raw("1", ',"amount":"x"'), b"[]", raw("2")]), max_size=8
    )
)
def test_what_clean_sends_as_dead_letters_lands_equal(values):
    letters = cleaned(records_of(values), PLAIN).dead_letters
    back = landed(sent(encoded_dead_letters(letters), PLAIN.dead_letter_topic), PLAIN)
    assert not back.rows.num_rows
    assert sorted_rows(back.dead_letters) == sorted_rows(letters)


def test_a_record_carries_its_raw_coordinates_and_its_contract_as_headers():
    rows = cleaned(records_of([value(1)], partition=1, first=41), PLAIN).rows
    ((text, key, partition, timestamp_ms, headers),) = encoded_rows(rows, PLAIN)
    assert (key, partition, timestamp_ms) == ("1", 1, SENT_AT_MS)
    assert headers == [(SRC_HEADER, b"shop.things.raw.v1:1:41"), (CONTRACT_HEADER, b"a" * 64)]
    assert list(orjson.loads(text)) == [field.name for field in PLAIN.fields]
    assert b"\n" not in text


def test_a_dead_letter_carries_coordinates_reason_and_contract_and_no_payload():
    letters = cleaned(records_of([raw("1", ',"amount":-1'), raw("1", ',"amount":-1')], partition=1, first=7), PLAIN).dead_letters
    first, second = encoded_dead_letters(letters)
    assert orjson.loads(first[0]) == {"reason": "rule_broken", "field": "amount", "rule": "minimum", "contract_version": "1.0.0"}
    assert orjson.loads(second[0]) == {"reason": "duplicate", "original_offset": 7, "contract_version": "1.0.0"}
    assert [first[1], first[2], first[3]] == [None, 1, SENT_AT_MS]
    assert dict(first[4]) == {SRC_HEADER: b"shop.things.raw.v1:1:7", CONTRACT_HEADER: b"a" * 64, REASON_HEADER: b"rule_broken"}


def test_no_rows_are_no_records():
    assert list(encoded_rows(clean_schema(PLAIN).empty_table(), PLAIN)) == []


@pytest.mark.parametrize("ms", [0, 1, 123, 999])
def test_a_dead_letter_keeps_its_record_s_time_to_the_millisecond(ms):
    letters = cleaned(records_of([None], timestamp_ms=1_357_020_000_000 + ms), PLAIN).dead_letters
    assert [at for *_, at, _ in encoded_dead_letters(letters)] == [1_357_020_000_000 + ms]


def test_a_key_of_several_fields_is_joined_in_key_order(catalog):
    contract = catalog.contracts["flights.weather"]
    text = b'{"origin":"EWR","observed_at":"2013-01-01T06:00:00Z"}'
    rows = cleaned(records_of([text]), contract).rows
    ((_, key, *_rest),) = encoded_rows(rows, contract)
    assert key.split("|")[0] == "EWR"
    assert key.split("|")[1].startswith("2013-01-01 06:00:00")
    assert rows["observed_at"].to_pylist() == [datetime(2013, 1, 1, 6, tzinfo=UTC)]


def test_every_printable_character_survives():
    rows = cleaned(records_of([value(1, text=string.printable)]), WIDE).rows
    back = landed(sent(encoded_rows(rows, WIDE), WIDE.clean_topic), WIDE).rows
    assert back["text"].to_pylist() == rows["text"].to_pylist()
    assert isinstance(back, pa.Table)
