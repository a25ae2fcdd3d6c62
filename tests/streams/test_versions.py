"""Records of several versions of one contract in one raw topic: each judged by its own, all in the newest's columns."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from contracts.contract import Field, Rule
from contracts.records import VERSION_FIELD
from streams.batches import record_batch
from streams.encode import encoded_dead_letters, encoded_rows
from tests.streams.made import Message, cleaned, contract_of, landed, raw, records_of, sent, sorted_rows, value, verdicts

OLD = contract_of(Field("amount", "integer", rules=(Rule("minimum", "minimum", 0),)))
NEW = replace(
    contract_of(Field("amount", "integer", rules=(Rule("minimum", "minimum", -10),)), Field("paid", "boolean")),
    contract_version="1.1.0",
    hash="b" * 64,
    others=(replace(OLD, reserved=frozenset({"paid"})),),
)


def versioned(values: list[bytes], said: list[bytes | None], first: int = 0) -> pa.RecordBatch:
    return records_of(values, first=first).append_column(VERSION_FIELD, pa.array(said, pa.large_binary()))


def test_each_record_is_judged_by_the_version_that_it_says():
    values = [raw(str(n), ',"amount":-5') for n in range(3)] + [raw("3", ',"paid":true'), raw("4", ',"paid":true'), value(5)]
    said = [b"1.0.0", b"1.1.0", None, b"1.0.0", None, b"9.9.9"]
    outcome = cleaned(versioned(values, said), NEW)
    assert verdicts(outcome) == {0: "rule_broken", 1: "row", 2: "row", 3: "unknown_field", 4: "row", 5: "unknown_version"}
    letters = {row["_offset"]: row for row in outcome.dead_letters.to_pylist()}
    assert [letters[at]["contract_version"] for at in (0, 3, 5)] == ["1.0.0", "1.0.0", "1.1.0"]
    assert [letters[at]["_contract_hash"] for at in (0, 3, 5)] == [OLD.hash, OLD.hash, NEW.hash]
    assert letters[5]["rule"] == "9.9.9"


def test_older_rows_land_in_the_newest_columns_with_null_for_what_they_lack():
    values = [raw("0", ',"amount":5'), raw("1", ',"amount":6,"paid":true')]
    outcome = cleaned(versioned(values, [b"1.0.0", None]), NEW)
    rows = sorted_rows(landed(sent(encoded_rows(outcome.rows, NEW), NEW.clean_topic), NEW).rows)
    assert [(row["amount"], row["paid"], row["_contract_hash"]) for row in rows] == [(5, None, OLD.hash), (6, True, NEW.hash)]


def test_what_a_stranger_says_for_a_version_is_not_told():
    for strange in (b"max@example.org", b"1.0", b"\xff", b"", b"1.0.0.0", b"9" * 400):
        outcome = cleaned(versioned([value(1)], [strange]), NEW)
        (line,) = encoded_dead_letters(outcome.dead_letters)
        assert orjson.loads(line[0]) == {"reason": "unknown_version", "contract_version": "1.1.0"}


def test_an_unknown_field_of_an_older_version_does_not_take_the_name_of_a_newer_one():
    evolving = replace(NEW, mode="evolve", others=(replace(NEW.others[0], mode="evolve"),))
    outcome = cleaned(versioned([raw("0", ',"paid":"yes"'), raw("1", ',"tip":1')], [b"1.0.0", b"1.0.0"]), evolving)
    assert verdicts(outcome) == {0: "unknown_field", 1: "row"}


def test_a_raw_record_says_its_version_in_its_header_and_most_say_none():
    plain = Message("t", 0, 0, 1, None, b"{}")
    told = [
        Message("t", 0, 1, 1, None, b"{}", [("contract-version", b"1.0.0")]),
        Message("t", 0, 2, 1, None, b"{}", [("x", b"")]),
    ]
    assert VERSION_FIELD.name not in record_batch([plain, told[1]]).schema.names
    assert record_batch([plain, *told])["version"].to_pylist() == [None, b"1.0.0", None]


@given(
    st.lists(st.tuples(st.sampled_from([None, b"1.0.0", b"1.1.0", b"2.0.0"]), st.integers(-20, 5), st.booleans()), max_size=8),
    st.integers(0, 8),
)
def test_any_split_gives_the_same_bytes(told, cut):
    values = [raw(str(n), f',"amount":{amount}' + (',"paid":true' if paid else "")) for n, (_, amount, paid) in enumerate(told)]
    said = [version for version, _, _ in told]

    def bytes_of(start: int, stop: int) -> list[object]:
        outcome = cleaned(versioned(values[start:stop], said[start:stop], start), NEW, window=0)
        return [list(encoded_rows(outcome.rows, NEW)), list(encoded_dead_letters(outcome.dead_letters))]

    whole, first, rest = bytes_of(0, len(told)), bytes_of(0, cut), bytes_of(cut, len(told))
    assert whole == [a + b for a, b in zip(first, rest, strict=True)]
