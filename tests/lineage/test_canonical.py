"""Canonical JSON against RFC 8785's own examples, its own slow half, and a JavaScript engine where there is one."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage import canonical
from lineage.canonical import canonical_json, number

# RFC 8785, appendix B.
NUMBERS = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333",
    "41b3de4355555556": "333333333.3333334",
    "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}

keys = st.text(st.sampled_from('a\u00e9\u0080"\\\n\ufb33\ue000\U0001f600'), max_size=4)
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
integers = st.integers(-canonical.INTEGER_MAX, canonical.INTEGER_MAX)
scalars = st.none() | st.booleans() | integers | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys | texts, inner, max_size=4), max_leaves=20
)


@pytest.mark.parametrize(("bits", "text"), NUMBERS.items())
def test_numbers_are_written_as_the_rfc_lists_them(bits: str, text: str) -> None:
    assert number(struct.unpack(">d", bytes.fromhex(bits))[0]) == text


def test_the_example_of_the_rfc_comes_out_as_the_rfc_has_it() -> None:
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": '\u20ac$\u000f\nA\'B"\\\\"/',
        "literals": [None, True, False],
    }
    expected = (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert canonical_json(value) == expected.encode()


def test_keys_are_sorted_by_utf_16_units() -> None:
    value = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7}
    assert list(json.loads(canonical_json(value))) == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


@given(values)
def test_the_fast_way_writes_what_the_slow_way_writes(value: Any) -> None:
    assert canonical_json(value) == canonical._written(value)


@given(values)
def test_what_is_written_reads_back_equal_by_a_reader_of_doubles(value: Any) -> None:
    assert json.loads(canonical_json(value), parse_int=float) == value


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), [1, float("-inf")], 2**53, -(2**53), "\ud800", {"\udfff": 1}, {1: 2}, {None: 1}, b"x", {1, 2}],
)
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        canonical_json({"deep": [value]})


def test_mappings_and_tuples_count_as_objects_and_arrays() -> None:
    assert canonical_json(MappingProxyType({"b": (1, 2), "a": {}})) == b'{"a":{},"b":[1,2]}'


@pytest.mark.skipif(shutil.which("node") is None, reason="no JavaScript engine here")
@settings(max_examples=15, deadline=None)
@given(st.lists(values, min_size=20, max_size=20))
def test_a_javascript_engine_writes_the_same(several: list[Any]) -> None:
    script = """
    const sorted = v => Array.isArray(v) ? '[' + v.map(sorted).join(',') + ']'
      : v && typeof v === 'object' ? '{' + Object.keys(v).sort().map(k => JSON.stringify(k) + ':' + sorted(v[k])).join(',') + '}'
      : JSON.stringify(v);
    process.stdout.write(JSON.parse(require('fs').readFileSync(0, 'utf8')).map(sorted).join('\\n'));
    """
    done = subprocess.run(["node", "-e", script], input=json.dumps(several), capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == [canonical_json(value).decode() for value in several]
