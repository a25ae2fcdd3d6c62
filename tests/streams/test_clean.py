"""The clean hop: every record has one fate, however the log is cut into batches, and no dead letter tells a value."""

from __future__ import annotations

from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.records import DEAD_LETTER_SCHEMA
from contracts.schema import clean_schema
from streams.clean import CLEAN_BYTES_MAX, CleanState, process_batch
from streams.encode import encoded_rows
from streams.outcome import Outcome
from tests.streams.made import (
    MASKING_KEY,
    PLAIN,
    RECORD_BYTES_MAX,
    SENT_AT_MS,
    WIDE,
    WINDOW,
    cleaned,
    contract_of,
    raw,
    records_of,
    sorted_rows,
    value,
    verdicts,
)
from tests.streams.test_decode import ANY_BYTES, BAD

LOGS = st.lists(
    st.tuples(
        st.none()
        | st.sampled_from(
            [value(1, amount=1), value(1, amount=1), value(2, note="jane.doe@example.org"), value(3, amount=-1), raw("4", ",")]
        )
        | st.builds(lambda n, a: value(n, amount=a), st.integers(0, 9), st.integers(-3, 3))
        | ANY_BYTES,
        st.integers(0, 1),
    ),
    max_size=14,
)


def log_batch(log: list, offsets: dict[int, int]) -> pa.RecordBatch:
    """Return a part of a log of two partitions as a batch, each partition's records in a row; move the offsets on."""
    parts = []
    for partition in (0, 1):
        values = [v for v, p in log if p == partition]
        first = offsets.get(partition, 0)
        offsets[partition] = first + len(values)
        parts.append(records_of(values, partition=partition, first=first))
    return pa.concat_batches(parts)


def outcomes(log: list, edges: list[int], window: int) -> list[Outcome]:
    state, offsets, made = CleanState({}, window, RECORD_BYTES_MAX, masking_key=MASKING_KEY), {}, []
    for start, end in pairwise(edges):
        outcome = process_batch(log_batch(log[start:end], offsets), state, PLAIN)
        made.append(outcome)
        state = outcome.state
    return made


def told(made: list[Outcome]) -> tuple[list, list]:
    rows = pa.concat_tables([o.rows for o in made])
    letters = pa.concat_tables([o.dead_letters for o in made])
    return sorted_rows(rows), sorted_rows(letters)


@given(LOGS, st.lists(st.integers(0, 14), max_size=5), st.sampled_from([0, 2, WINDOW]))
def test_any_split_into_batches_gives_the_same_rows_and_dead_letters(log, cuts, window):
    edges = sorted({0, len(log), *(c for c in cuts if c < len(log))})
    if len(edges) > 1:
        assert told(outcomes(log, edges, window)) == told(outcomes(log, [0, len(log)], window))


@given(LOGS)
def test_every_offset_has_exactly_one_fate(log):
    offsets: dict[int, int] = {}
    batch = log_batch(log, offsets)
    outcome = cleaned(batch, PLAIN)
    came = sorted(zip(batch["partition"].to_pylist(), batch["offset"].to_pylist(), strict=True))
    fates = [(r["_partition"], r["_offset"]) for t in (outcome.rows, outcome.dead_letters) for r in t.to_pylist()]
    assert sorted(fates) == came
    assert dict(outcome.next_offsets) == {p: end for p, end in offsets.items() if end}
    assert sum(outcome.reasons.values()) + outcome.duplicates == outcome.dead_letters.num_rows


@given(LOGS)
def test_the_order_of_the_log_is_kept(log):
    outcome = cleaned(log_batch(log, {}), PLAIN)
    for table in (outcome.rows, outcome.dead_letters):
        at = [(r["_partition"], r["_offset"]) for r in table.to_pylist()]
        assert at == sorted(at)


@given(st.lists(ANY_BYTES, max_size=6))
def test_dead_letters_never_carry_a_value(values):
    marked = [text.replace(b"note", b"zqzqz") for text in values] + [
        raw("zqzqz", ',"amount":"zqzqz"'),
        raw("1", ',"zqzqz":1,"amount":-7777'),
    ]
    outcome = cleaned(records_of(marked, keys=[b"zqzqz"] * len(marked)), PLAIN)
    text = str(outcome.dead_letters.to_pylist())
    assert "zqzqz" not in text
    assert "7777" not in text
    names = {f.name for f in PLAIN.fields} | {None}
    assert set(outcome.dead_letters["field"].to_pylist()) <= names


@pytest.mark.parametrize("name", BAD)
def test_a_bad_record_becomes_a_dead_letter_between_two_good_rows(name):
    bad, reason, rule = BAD[name]
    outcome = cleaned(records_of([value("left"), bad, value("right")]), PLAIN)
    assert outcome.rows["id"].to_pylist() == ["left", "right"]
    (letter,) = outcome.dead_letters.to_pylist()
    assert (letter["_offset"], letter["reason"], letter["rule"]) == (1, reason, rule)


def test_each_reason_in_one_batch():
    values = [
        value(0),
        None,
        value(2, amount=-1),
        value(3, amount="x"),
        b"{",
        value(0),
        b'{"at":"2013-01-01T06:00:00Z"}',
        b'{"id":"7"}',
        value(8, note="y" * (RECORD_BYTES_MAX + 1)),
        value(9),
    ]
    outcome = cleaned(records_of(values), PLAIN)
    assert verdicts(outcome) == {
        0: "row",
        1: "null_value",
        2: "rule_broken",
        3: "ill_typed",
        4: "undecodable",
        5: "duplicate",
        6: "missing_key",
        7: "missing_value",
        8: "too_large",
        9: "row",
    }
    letters = {letter["_offset"]: letter for letter in outcome.dead_letters.to_pylist()}
    assert (letters[2]["field"], letters[2]["rule"]) == ("amount", "minimum")
    assert (letters[3]["field"], letters[6]["field"], letters[7]["field"]) == ("amount", "id", "at")
    assert letters[5]["original_offset"] == 0
    assert outcome.duplicates == 1
    assert outcome.reasons == {
        "ill_typed": 1,
        "missing_key": 1,
        "missing_value": 1,
        "null_value": 1,
        "rule_broken": 1,
        "too_large": 1,
        "undecodable": 1,
    }


@pytest.mark.parametrize("size", [RECORD_BYTES_MAX, 10 * 1024 * 1024])
def test_a_value_is_too_large_by_its_bytes_whatever_it_holds(size):
    good = value("b", note="")
    exact = value("b", note="z" * (size - len(good)))
    outcome = cleaned(records_of([value("a"), exact, value("c")]), PLAIN)
    assert outcome.rows["id"].to_pylist() == (["a", "b", "c"] if size <= RECORD_BYTES_MAX else ["a", "c"])


def test_a_record_that_would_be_too_long_once_cleaned_is_a_dead_letter_and_no_poison():
    swelling = raw("b", ',"lines":[' + "{}," * 1_300_000 + "{}]")
    outcome = cleaned(records_of([value("a"), swelling, value("c", lines=[{}])]), WIDE)
    assert len(swelling) < RECORD_BYTES_MAX
    assert verdicts(outcome) == {0: "row", 1: "too_large", 2: "row"}
    assert outcome.dead_letters["rule"].to_pylist() == [f"at most {CLEAN_BYTES_MAX} bytes when cleaned"]
    assert all(len(text) <= CLEAN_BYTES_MAX for text, *_ in encoded_rows(outcome.rows, WIDE))


def test_a_long_record_that_does_not_swell_is_a_row():
    long = raw("b", ',"sizes":[' + "1," * 1_900_000 + "1]")
    assert verdicts(cleaned(records_of([long]), WIDE)) == {0: "row"}


def test_null_values_are_no_duplicates_of_each_other():
    assert verdicts(cleaned(records_of([None, None, None]), PLAIN)) == dict.fromkeys(range(3), "null_value")


def test_a_second_copy_of_a_bad_record_is_a_duplicate_of_the_first():
    assert verdicts(cleaned(records_of([b"{", b"{"]), PLAIN)) == {0: "undecodable", 1: "duplicate"}


def test_an_empty_batch_comes_to_nothing_in_the_right_schemas():
    outcome = cleaned(records_of([]), PLAIN)
    assert outcome.rows.schema == clean_schema(PLAIN)
    assert outcome.dead_letters.schema == DEAD_LETTER_SCHEMA
    assert (outcome.rows.num_rows, outcome.dead_letters.num_rows, dict(outcome.next_offsets)) == (0, 0, {})


def test_rows_and_dead_letters_have_the_schemas_promised():
    outcome = cleaned(records_of([value(1), None]), PLAIN)
    assert outcome.rows.schema == clean_schema(PLAIN)
    assert outcome.dead_letters.schema == DEAD_LETTER_SCHEMA
    outcome.rows.validate(full=True)
    outcome.dead_letters.validate(full=True)


def test_checks_judge_what_the_sender_wrote_and_not_what_masking_makes_of_it():
    from contracts.contract import Field, Rule

    contract = contract_of(Field("mail", "string", rules=(Rule("pattern", "pattern", "@example[.]org$"),)))
    outcome = cleaned(records_of([value(1, mail="jane@example.org"), value(2, mail="<email>")]), contract)
    (mail,) = outcome.rows["mail"].to_pylist()
    assert mail.startswith("<email:")
    assert verdicts(outcome) == {0: "row", 1: "rule_broken"}


@pytest.mark.parametrize(
    ("timestamp_ms", "kept_ms"),
    [
        (SENT_AT_MS, SENT_AT_MS),
        (1, 1),
        (0, 1),
        (-1, 1),
        (-(2**63), 1),
        (253_402_300_799_999, 253_402_300_799_999),
        (253_402_300_800_000, 253_402_300_799_999),
        (2**63 - 1, 253_402_300_799_999),
    ],
)
def test_no_clock_of_a_producer_can_stop_the_job(timestamp_ms, kept_ms):
    from streams.encode import encoded_dead_letters, encoded_rows

    outcome = cleaned(records_of([value(1), None], timestamp_ms=timestamp_ms), PLAIN)
    assert [at for _, _, _, at, _ in encoded_rows(outcome.rows, PLAIN)] == [kept_ms]
    assert [at for _, _, _, at, _ in encoded_dead_letters(outcome.dead_letters)] == [kept_ms]
    for table in (outcome.rows, outcome.dead_letters):
        assert table["_ingested_at"].cast(pa.int64()).to_pylist() == [kept_ms * 1_000]
        assert table.to_pylist()
