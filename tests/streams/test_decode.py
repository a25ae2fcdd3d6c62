"""Decoding: each record's verdict follows from its own bytes, whatever stands beside it, and no byte string ends the process."""

from __future__ import annotations

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.decode import DEPTH_MAX, Decoded, decoded_values
from tests.streams.made import PLAIN, WIDE, raw, value

DEEP = DEPTH_MAX + 10
BAD = {
    "empty": (b"", "undecodable", "json"),
    "spaces": (b"   ", "undecodable", "json"),
    "null": (b"null", "undecodable", "object"),
    "list": (b"[]", "undecodable", "object"),
    "list of records": (b"[" + value(1) + b"]", "undecodable", "object"),
    "number": (b"5", "undecodable", "object"),
    "text": (b'"x"', "undecodable", "object"),
    "true": (b"true", "undecodable", "object"),
    "cut short": (value(1)[:-5], "undecodable", "json"),
    "cut short in a text": (b'{"id":"}', "undecodable", "json"),
    "not JSON": (b"{id: 1}", "undecodable", "json"),
    "brace too many": (value(1) + b"}", "undecodable", "json"),
    "trailing comma": (raw("1", ","), "undecodable", "json"),
    "comment": (raw("1", "/* x */"), "undecodable", "json"),
    "two objects": (value(1) + value(2), "undecodable", "json"),
    "two objects, a space between": (value(1) + b" " + value(2), "undecodable", "json"),
    "two objects on two lines": (value(1) + b"\n" + value(2), "undecodable", "json"),
    "NUL behind": (value(1) + b"\0", "undecodable", "json"),
    "NUL and a brace behind": (value(1) + b"\0}", "undecodable", "json"),
    "NUL in a text": (b'{"id":"a\0b","at":"2013-01-01T06:00:00Z"}', "undecodable", "json"),
    "NULs": (b"\0" * 8, "undecodable", "json"),
    "a raw newline in a text": (b'{"id":"a\nb","at":"2013-01-01T06:00:00Z"}', "undecodable", "json"),
    "BOM": (b"\xef\xbb\xbf" + value(1), "undecodable", "json"),
    "UTF-16": ('{"id":"1"}'.encode("utf-16"), "undecodable", "utf-8"),
    "invalid UTF-8": (b'{"id":"\xff","at":"2013-01-01T06:00:00Z"}', "undecodable", "utf-8"),
    "overlong UTF-8": (b'{"id":"\xc0\xaf","at":"2013-01-01T06:00:00Z"}', "undecodable", "utf-8"),
    "a surrogate in UTF-8": (b'{"id":"\xed\xa0\x80","at":"2013-01-01T06:00:00Z"}', "undecodable", "utf-8"),
    "lone surrogate": (raw("\\ud800"), "undecodable", "json"),
    "lone low surrogate": (raw("\\uDC00"), "undecodable", "json"),
    "surrogates in the wrong order": (raw("\\ude00\\ud83d"), "undecodable", "json"),
    "lone surrogate in a field unknown here": (raw("1", ',"evil":"\\ud800"'), "undecodable", "json"),
    "NaN": (raw("1", ',"weight":NaN'), "undecodable", "json"),
    "Infinity": (raw("1", ',"weight":Infinity'), "undecodable", "json"),
    "-Infinity": (raw("1", ',"weight":-Infinity'), "undecodable", "json"),
    "NaN in a list unknown here": (raw("1", ',"evil":[1,NaN]'), "undecodable", "json"),
    "exponent beyond a double": (raw("1", ',"weight":1e400'), "undecodable", "json"),
    "digits beyond a double": (raw("1", f',"weight":{"9" * 400}'), "undecodable", "json"),
    "digits beyond a double, with newlines": (raw("1", f',\n"weight":{"9" * 400}'), "undecodable", "json"),
    "leading zero": (raw("1", ',"amount":01'), "undecodable", "json"),
    "plus sign": (raw("1", ',"amount":+1'), "undecodable", "json"),
    "hexadecimal": (raw("1", ',"amount":0x1f'), "undecodable", "json"),
    "a key twice": (raw("1", ',"amount":1,"amount":2'), "undecodable", "repeated key"),
    "the primary key twice": (raw("1", ',"id":"2"'), "undecodable", "repeated key"),
    "a key twice, once in escapes": (raw("1", ',"\\u0069d":"2"'), "undecodable", "repeated key"),
    "lists too deep": (raw("1", ',"evil":' + "[" * DEEP + "]" * DEEP), "too_deep", "nesting"),
    "objects too deep": (raw("1", ',"evil":' + '{"a":' * DEEP + "1" + "}" * DEEP), "too_deep", "nesting"),
    "10,000 deep": (raw("1", ',"evil":' + "[" * 10_000 + "]" * 10_000), "too_deep", "nesting"),
    "10,000 deep in a text field": (raw("1", ',"note":' + "[" * 10_000 + "]" * 10_000), "too_deep", "nesting"),
    "10,000 deep on many lines": (raw("1", ',"evil":' + "[\n" * 10_000 + "]" * 10_000), "too_deep", "nesting"),
    "1,000,000 deep": (raw("1", ',"evil":' + "[" * 1_000_000 + "]" * 1_000_000), "too_deep", "nesting"),
    "1,000,000 deep, never closed": (b"[" * 1_000_000, "too_deep", "nesting"),
    "text for an integer": (raw("1", ',"amount":"7"'), "ill_typed", "logicalType"),
    "fraction for an integer": (raw("1", ',"amount":1.0'), "ill_typed", "logicalType"),
    "exponent for an integer": (raw("1", ',"amount":1e2'), "ill_typed", "logicalType"),
    "one more than 64 bits": (raw("1", f',"amount":{2**63}'), "ill_typed", "logicalType"),
    "one less than 64 bits": (raw("1", f',"amount":{-(2**63) - 1}'), "ill_typed", "logicalType"),
    "an integer of 300 digits": (raw("1", f',"amount":{"9" * 300}'), "ill_typed", "logicalType"),
    "boolean for an integer": (raw("1", ',"amount":true'), "ill_typed", "logicalType"),
    "boolean for a number": (raw("1", ',"weight":false'), "ill_typed", "logicalType"),
    "number for a boolean": (raw("1", ',"paid":1'), "ill_typed", "logicalType"),
    "number for a text": (raw("1", ',"note":5'), "ill_typed", "logicalType"),
    "object for a text": (raw("1", ',"note":{"evil":1}'), "ill_typed", "logicalType"),
    "list for a text": (raw("1", ',"note":["x"]'), "ill_typed", "logicalType"),
    "number for a time": (b'{"id":"1","at":1357020000}', "ill_typed", "logicalType"),
    "no zone": (b'{"id":"1","at":"2013-01-01T06:00:00"}', "ill_typed", "timestamp"),
    "30 February": (b'{"id":"1","at":"2013-02-30T06:00:00Z"}', "ill_typed", "timestamp"),
    "25 o'clock": (b'{"id":"1","at":"2013-01-01T25:00:00Z"}', "ill_typed", "timestamp"),
    "a date for a time": (b'{"id":"1","at":"2013-01-01"}', "ill_typed", "timestamp"),
    "words for a time": (b'{"id":"1","at":"tomorrow"}', "ill_typed", "timestamp"),
    "no text for a time": (b'{"id":"1","at":""}', "ill_typed", "timestamp"),
    "a year of five digits": (b'{"id":"1","at":"+10000-01-01T06:00:00Z"}', "ill_typed", "timestamp"),
    "a field unknown here": (raw("1", ',"other":{"x":[1,2,{"y":null}]}'), "unknown_field", None),
    "an empty object unknown here": (raw("1", ',"other":{}'), "unknown_field", None),
    "a deep list, as deep as may be": (
        raw("1", ',"other":' + "[" * (DEPTH_MAX - 1) + "]" * (DEPTH_MAX - 1)),
        "unknown_field",
        None,
    ),
    "many brackets, none deep": (raw("1", ',"other":[' + "[]," * 3_000 + "[]]"), "unknown_field", None),
    "a field unknown here twice": (raw("1", ',"other":1,"other":2'), "undecodable", "repeated key"),
    "a year before the first": (b'{"id":"1","at":"-0001-01-01T06:00:00Z"}', "ill_typed", "timestamp"),
}
GOOD = {
    "plain": value("g"),
    "pretty": orjson.dumps({"id": "g", "at": "2013-01-01T06:00:00Z", "note": "a"}, option=orjson.OPT_INDENT_2),
    "carriage returns": b'{"id":"g",\r\n"at":"2013-01-01T06:00:00Z"}\r\n',
    "spaces around": b' \t{"id":"g","at":"2013-01-01T06:00:00Z"} ',
    "emoji in escapes": raw("\\ud83d\\ude00"),
    "escaped NUL": raw("g\\u0000h"),
    "a null of a field unknown here": raw("g", ',"other":null'),
    "that null twice": raw("g", ',"other":null,"other":null'),
    "nulls": raw("g", ',"amount":null,"weight":null,"note":null,"paid":null'),
    "least integer": raw("g", f',"amount":{-(2**63)}'),
    "words like NaN in a text": raw("g", ',"note":"x: NaN, -Infinity"'),
}


def decoded(values: list[bytes], contract=PLAIN) -> Decoded:
    return decoded_values(pa.array(values, pa.large_binary()), np.arange(len(values)), contract)


def told(found: Decoded) -> dict[int, tuple]:
    """Return the verdict of each position: its row, or why it is refused."""
    rows = dict(zip(found.positions.tolist(), map(str, found.rows.to_dicts()), strict=True))
    return rows | {r.position: (r.reason, r.field, r.rule) for r in found.rejects}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_record_is_refused_for_its_reason_and_its_neighbours_are_unharmed(name):
    bad, reason, rule = BAD[name]
    alone = decoded([bad])
    assert [(r.reason, r.rule) for r in alone.rejects] == [(reason, rule)]
    assert not alone.rows.height
    among = decoded([value("left", amount=1), bad, value("right", amount=2)])
    assert [(r.position, r.reason, r.rule) for r in among.rejects] == [(1, reason, rule)]
    assert among.rows["id"].to_list() == ["left", "right"]
    assert among.rows["amount"].to_list() == [1, 2]
    assert among.positions.tolist() == [0, 2]


@pytest.mark.parametrize("name", GOOD)
def test_an_unusual_but_good_record_is_read_as_it_is_meant(name):
    found = decoded([value("left"), GOOD[name], value("right")])
    assert not found.rejects
    expected = orjson.loads(GOOD[name])
    row = found.rows.to_dicts()[1]
    assert {k: row[k] for k in ("id", "amount", "weight", "note", "paid")} == {
        k: expected.get(k) for k in ("id", "amount", "weight", "note", "paid")
    }


def test_every_bad_record_in_one_batch_gets_the_verdict_it_gets_alone():
    values = [v for bad, _, _ in BAD.values() for v in (value("neighbour"), bad)]
    found = told(decoded(values))
    for at, text in enumerate(values):
        assert found[at] == told(decoded([text]))[0], list(BAD)[at // 2]


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def _dumps(item: object) -> bytes:
    import json

    return json.dumps(item).encode()


LIKELY = st.builds(
    lambda known, more: _dumps({"id": "1", "at": "2013-01-01T06:00:00Z", **more, **known}),
    st.dictionaries(st.sampled_from(["amount", "weight", "note", "paid", "id", "at"]), ANY_JSON, max_size=3),
    st.dictionaries(st.text(max_size=4), ANY_JSON, max_size=2),
)
ANY_BYTES = (
    st.binary(max_size=40)
    | LIKELY
    | st.sampled_from([bad for bad, _, _ in BAD.values() if len(bad) < 5_000])
    | st.builds(lambda text, at, put: text[:at] + put + text[at:], LIKELY, st.integers(0, 60), st.binary(max_size=3))
)


@given(st.lists(ANY_BYTES, min_size=1, max_size=8))
def test_a_verdict_depends_on_nothing_but_the_record_itself(values):
    found = told(decoded(values))
    assert sorted(found) == list(range(len(values)))
    for at, text in enumerate(values):
        assert found[at] == told(decoded([text]))[0]


@given(st.lists(ANY_BYTES, min_size=1, max_size=6))
def test_no_row_is_made_of_what_a_strict_reader_refuses(values):
    found = decoded(values)
    for at in found.positions.tolist():
        assert isinstance(orjson.loads(values[at]), dict)


@given(st.lists(ANY_BYTES, max_size=6))
def test_a_nested_contract_judges_alone_and_together_alike(values):
    nested = [b'{"id":"1","at":"2013-01-01T06:00:00Z","place":%b,"tags":%b}' % (v, v) for v in values]
    found = told(decoded(nested, WIDE))
    assert all(found[at] == told(decoded([text], WIDE))[0] for at, text in enumerate(nested))


@pytest.mark.parametrize(
    ("rest", "name"),
    [
        (',"place":{"floor":"x"}', "place.floor"),
        (',"place":{"inner":{"open":1}}', "place.inner.open"),
        (',"sizes":[1,2.5]', "sizes"),
        (',"sizes":[1,[2]]', "sizes"),
        (',"tags":[1]', "tags"),
        (f',"sizes":[{2**64}]', "sizes"),
        (',"lines":[{"many":[true,"x"]}]', "lines.many"),
        (',"lines":{}', "lines"),
    ],
)
def test_what_is_ill_typed_within_an_object_or_list_names_the_field_that_holds_it(rest, name):
    found = decoded([raw("1", rest), value(2)], WIDE)
    assert [(r.reason, r.field) for r in found.rejects] == [("ill_typed", name)]
    assert found.positions.tolist() == [1]


@pytest.mark.parametrize("rest", [',"ratio":{}', ',"rates":[1,{}]', ',"place":{"inner":{"rate":{}}}'])
def test_an_infinite_number_is_refused_wherever_it_stands(rest):
    found = decoded([value(0), raw("1", rest.replace("{}", "9" * 400, 1))], WIDE)
    assert [(r.position, r.reason, r.rule) for r in found.rejects] == [(1, "undecodable", "json")]


def test_an_unknown_name_of_the_sender_is_never_told():
    evil = "jane.doe@example.org"
    values = [
        raw("1", f',"{evil}":1,"{evil}":2,"amount":"x"'),
        raw("1", f',"{evil}":NaN'),
        raw("1", f',"amount":{{"{evil}":1}}'),
        raw("1", f',"amount":1,"amount":2,"{evil}":"{evil}"'),
        f'{{"{evil}":'.encode(),
    ]
    found = decoded(values)
    assert len(found.rejects) == len(values)
    assert evil not in str(found.rejects)


def test_a_long_batch_read_on_all_cores_keeps_its_order():
    values = [value(n, note="x" * 300, amount=n) for n in range(5_000)]
    values[2_500] = b"{broken"
    found = decoded(values)
    assert found.rows["amount"].to_list() == [n for n in range(5_000) if n != 2_500]
    assert [r.position for r in found.rejects] == [2_500]


def test_one_record_longer_than_all_others_together_is_read():
    values = [value(1), value(2, note="y" * 3_000_000), value(3)]
    found = decoded(values)
    assert [len(note or "") for note in found.rows["note"].to_list()] == [0, 3_000_000, 0]
