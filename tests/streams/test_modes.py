"""What each mode makes of each departure, alone and in any batch, from raw bytes to clean records."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.contract import Contract, Field, Rule
from streams.encode import encoded_rows
from tests.streams.made import cleaned, contract_of, raw, records_of, value, verdicts

FIELDS = (
    Field("amount", "integer", rules=(Rule("minimum", "minimum", 0),)),
    Field("weight", "number"),
    Field("note", "string"),
    Field("seen_at", "timestamp"),
    Field("place", "object", fields=(Field("city", "string", classification="public"), Field("floor", "integer"))),
    Field("lines", "array", items=Field("", "object", fields=(Field("sku", "string", classification="public"),))),
)
MODES = ("quarantine", "evolve", "freeze", "discard_row", "discard_value")


def under(mode: str, *fields: Field) -> Contract:
    return replace(contract_of(*(fields or FIELDS)), mode=mode)


def lines(values: list[bytes], contract: Contract) -> dict[int, dict[str, Any]]:
    """Return, by raw offset, the clean record that goes to the topic, without its nulls."""
    outcome = cleaned(records_of(values), contract)
    sent = {int(h[0][1].rsplit(b":")[-1]): orjson.loads(line) for line, _, _, _, h in encoded_rows(outcome.rows, contract)}
    return {at: {k: v for k, v in read.items() if v is not None and k not in ("id", "at")} for at, read in sent.items()}


def letter(text: bytes, contract: Contract) -> tuple[str, str | None, str | None] | None:
    letters = cleaned(records_of([text]), contract).dead_letters.to_pylist()
    return (letters[0]["reason"], letters[0]["field"], letters[0]["rule"]) if letters else None


UNKNOWN = raw("1", ',"coupon":"S10"')
UNKNOWN_WITHIN = raw("1", ',"place":{"city":"x","zip":"1"}')
UNKNOWN_IN_A_LIST = raw("1", ',"lines":[{"sku":"a"},{"sku":"b","colour":"red"}]')
ILL_TYPED = raw("1", ',"note":5')
ILL_TYPED_WITHIN = raw("1", ',"place":{"city":"x","floor":"first"}')
ILL_TYPED_TIME = raw("1", ',"seen_at":"yesterday"')
FRACTION = raw("1", ',"amount":1.5')
BROKEN = raw("1", ',"amount":-1')
MISSING = b'{"id":"1"}'

TABLE: dict[tuple[str, str], tuple[bytes, Any]] = {
    ("quarantine", "unknown"): (UNKNOWN, ("unknown_field", None, None)),
    ("quarantine", "unknown within"): (UNKNOWN_WITHIN, ("unknown_field", "place", None)),
    ("quarantine", "unknown in a list"): (UNKNOWN_IN_A_LIST, ("unknown_field", "lines", None)),
    ("quarantine", "ill-typed"): (ILL_TYPED, ("ill_typed", "note", "logicalType")),
    ("quarantine", "fraction"): (FRACTION, ("ill_typed", "amount", "logicalType")),
    ("quarantine", "broken"): (BROKEN, ("rule_broken", "amount", "minimum")),
    ("quarantine", "missing"): (MISSING, ("missing_value", "at", "required")),
    ("evolve", "unknown"): (UNKNOWN, {"coupon": "S10"}),
    ("evolve", "unknown within"): (UNKNOWN_WITHIN, {"place": {"city": "x", "floor": None}, "place__zip": "1"}),
    ("evolve", "unknown in a list"): (UNKNOWN_IN_A_LIST, ("unknown_field", "lines", None)),
    ("evolve", "ill-typed"): (ILL_TYPED, ("ill_typed", "note", "logicalType")),
    ("evolve", "fraction"): (FRACTION, {"amount": 1.5}),
    ("evolve", "broken"): (BROKEN, ("rule_broken", "amount", "minimum")),
    ("evolve", "broken fraction"): (raw("1", ',"amount":-1.5'), ("rule_broken", "amount", "minimum")),
    ("evolve", "missing"): (MISSING, ("missing_value", "at", "required")),
    ("freeze", "unknown"): (UNKNOWN, ("frozen", None, "unknown_field")),
    ("freeze", "ill-typed"): (ILL_TYPED, ("frozen", "note", "ill_typed: logicalType")),
    ("freeze", "fraction"): (FRACTION, ("frozen", "amount", "ill_typed: logicalType")),
    ("freeze", "broken"): (BROKEN, ("frozen", "amount", "rule_broken: minimum")),
    ("freeze", "missing"): (MISSING, ("frozen", "at", "missing_value: required")),
    ("freeze", "no JSON"): (b"{", ("undecodable", None, "json")),
    ("discard_row", "unknown"): (UNKNOWN_WITHIN, ("discarded_row", "place", "unknown_field")),
    ("discard_row", "ill-typed time"): (ILL_TYPED_TIME, ("discarded_row", "seen_at", "ill_typed: timestamp")),
    ("discard_row", "broken"): (BROKEN, ("discarded_row", "amount", "rule_broken: minimum")),
    ("discard_row", "missing"): (MISSING, ("discarded_row", "at", "missing_value: required")),
    ("discard_row", "no JSON"): (b"{", ("undecodable", None, "json")),
    ("discard_value", "unknown"): (UNKNOWN, {}),
    ("discard_value", "unknown within"): (UNKNOWN_WITHIN, {"place": {"city": "x", "floor": None}}),
    ("discard_value", "unknown in a list"): (UNKNOWN_IN_A_LIST, {"lines": [{"sku": "a"}, {"sku": "b"}]}),
    ("discard_value", "ill-typed"): (ILL_TYPED, {}),
    ("discard_value", "ill-typed within"): (ILL_TYPED_WITHIN, {"place": {"city": "x", "floor": None}}),
    ("discard_value", "ill-typed time"): (ILL_TYPED_TIME, {}),
    ("discard_value", "broken"): (BROKEN, {}),
    ("discard_value", "missing"): (MISSING, ("missing_value", "at", "required")),
    ("discard_value", "ill-typed, required"): (b'{"id":"1","at":5}', ("ill_typed", "at", "logicalType")),
}


@pytest.mark.parametrize("case", TABLE, ids="/".join)
def test_each_mode_makes_of_each_departure_what_the_table_says(case):
    text, expected = TABLE[case]
    contract = under(case[0])
    if isinstance(expected, dict):
        assert lines([value("left"), text, value("right")], contract) == {0: {}, 1: expected, 2: {}}
        assert lines([text], contract) == {0: expected}
    else:
        assert letter(text, contract) == expected
        assert lines([value("left"), text, value("right")], contract) == {0: {}, 2: {}}


def test_a_field_has_a_mode_of_its_own_and_so_has_what_is_in_it():
    fields = (
        Field("amount", "integer", mode="discard_value"),
        Field("place", "object", mode="evolve", fields=(Field("city", "string", mode="discard_row"), Field("floor", "integer"))),
    )
    contract = under("freeze", *fields)
    assert lines([raw("1", ',"amount":"x","place":{"floor":1,"zip":"9"}')], contract) == {
        0: {"place": {"city": None, "floor": 1}, "place__zip": "9"}
    }
    assert letter(raw("1", ',"place":{"city":5}'), contract) == ("discarded_row", "place.city", "ill_typed: logicalType")
    assert letter(raw("1", ',"coupon":1'), contract) == ("frozen", None, "unknown_field")


def test_values_left_out_are_counted_by_field_and_only_of_rows_that_are_kept():
    contract = under("discard_value")
    values = [
        raw("a", ',"amount":-1,"note":5,"coupon":1,"place":{"floor":"x","zip":1}'),
        raw("b", ',"amount":"x","seen_at":"never"'),
        b'{"id":"c","amount":"x"}',
        value("d", amount=1),
    ]
    outcome = cleaned(records_of(values), contract)
    assert outcome.discarded == {"": 1, "amount": 2, "note": 1, "place": 1, "place.floor": 1, "seen_at": 1}
    assert verdicts(outcome) == {0: "row", 1: "row", 2: "missing_value", 3: "row"}


def test_an_evolved_text_is_masked_as_an_unclassified_one_is_and_so_are_the_names_within_it():
    text = raw(
        "1",
        ',"contact":"write to max@example.org","more":{"max@example.org":["+1 212 555 0100",{"a":"line\\nmax@example.org"}]}',
    )
    (evolved,) = lines([text], under("evolve")).values()
    told = orjson.dumps(evolved).decode()
    assert "example.org" not in told
    assert "555" not in told
    assert evolved["contact"].startswith("write to <email")
    assert next(iter(orjson.loads(evolved["more"]))).startswith("<email")


def test_two_names_that_masking_makes_the_same_both_stay():
    text = raw("1", ',"more":{"call +1 212 555 0100":1,"call +1 212 555 0100 ":2,"x":3}')
    (evolved,) = lines([text], under("evolve")).values()
    assert sorted(orjson.loads(evolved["more"]).values()) == [1, 2, 3]


@pytest.mark.parametrize("name", ["max@example.org", "_topic", "Amount", "two words", "", "x" * 80, "place__zip__"[:-2] + "é"])
def test_a_name_that_cannot_be_a_column_is_a_dead_letter_that_does_not_tell_it(name):
    assert letter(orjson.dumps({"id": "1", "at": "2013-01-01T06:00:00Z", name: 1}), under("evolve")) == (
        "unknown_field",
        None,
        None,
    )


def test_two_unknown_fields_that_would_be_one_column_are_a_dead_letter():
    assert letter(raw("1", ',"coupon":1,"Coupon":2'), under("evolve")) == ("unknown_field", None, None)
    assert letter(raw("1", ',"place__zip":1,"place":{"zip":2}'), under("evolve")) == ("unknown_field", "place", None)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("7", 7),
        (str(2**53), 2**53),
        (str(2**53 + 1), str(2**53 + 1)),
        (str(2**64 + 1), str(2**64 + 1)),
        ("-" + "9" * 300, "-" + "9" * 300),
        ("0.1", 0.1),
        ("1e300", 1e300),
        ("true", True),
        (f'{{"a":[{2**70 + 1}]}}', f'{{"a":["{2**70 + 1}"]}}'),
    ],
)
def test_no_evolved_number_is_rounded(written, kept):
    assert lines([raw("1", f',"code":{written}')], under("evolve")) == {0: {"code": kept}}


def test_a_number_of_more_than_a_double_is_no_json():
    assert letter(raw("1", ',"code":1e400'), under("evolve")) == ("undecodable", None, "json")


def test_an_integer_that_could_not_be_widened_is_a_dead_letter_where_columns_widen():
    text = raw("1", f',"amount":{2**53 + 1}')
    assert letter(text, under("evolve")) == ("ill_typed", "amount", "evolve: at most 9007199254740992")
    assert letter(text, under("quarantine")) is None
    strict = (replace(FIELDS[0], mode="quarantine"), *FIELDS[1:])
    assert letter(text, under("evolve", *strict)) is None


def test_a_key_does_not_widen():
    contract = under("evolve")
    key = replace(contract.fields[0], logical_type="integer")
    contract = replace(contract, fields=(key, *contract.fields[1:]))
    assert letter(b'{"id":1.5,"at":"2013-01-01T06:00:00Z"}', contract) == ("ill_typed", "id", "logicalType")


def test_a_value_nested_deeper_than_anybody_reads_does_not_become_a_column():
    assert letter(raw("1", ',"deep":' + "[" * 300 + "]" * 300), under("evolve")) == ("unknown_field", None, None)


ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**66), 2**66)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["city", "floor", "sku", "x"]), inner, max_size=3)
    ),
    max_leaves=5,
)
NAMES = st.sampled_from(["amount", "weight", "note", "seen_at", "place", "lines", "coupon", "Coupon", "max@example.org"])
RECORDS = st.lists(st.dictionaries(NAMES, ANY_JSON, max_size=4), min_size=1, max_size=8)


def _encoded(values: list[bytes], contract: Contract, first: int = 0) -> tuple[list[Any], list[Any], Counter[str]]:
    outcome = cleaned(records_of(values, first=first), contract, window=0)
    return list(encoded_rows(outcome.rows, contract)), outcome.dead_letters.to_pylist(), Counter(outcome.discarded)


@pytest.mark.parametrize("mode", MODES)
@given(records=RECORDS, cut=st.integers(0, 8))
def test_any_split_into_batches_gives_the_same_bytes(mode, records, cut):
    values = [
        orjson.dumps({"id": str(n), "at": "2013-01-01T06:00:00Z", **r}, default=str) if _writable(r) else value(n)
        for n, r in enumerate(records)
    ]
    contract = under(mode)
    rows, letters, discarded = _encoded(values, contract)
    assert len(rows) + len(letters) == len(values)
    parts = [_encoded(part, contract, first) for part, first in ((values[:cut], 0), (values[cut:], cut)) if part]
    assert (rows, letters, discarded) == (
        [row for part in parts for row in part[0]],
        [row for part in parts for row in part[1]],
        sum((part[2] for part in parts), Counter()),
    )


def _writable(record: dict[str, Any]) -> bool:
    try:
        orjson.dumps(record)
    except TypeError:
        return False
    return True
