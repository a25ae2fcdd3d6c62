"""YAML as plain data with its lines: nothing is guessed, nothing given twice, nothing unfolds."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.yaml_text import parse

TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=6)
DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(DATA)
def test_what_is_written_is_read(data):
    import yaml

    class NoAliases(yaml.SafeDumper):
        def ignore_aliases(self, data):
            return True

    read = parse(yaml.dump(data, Dumper=NoAliases, allow_unicode=True))
    assert read.faults == ()
    assert read.data == data


def test_dates_stay_texts():
    assert parse("a: 2013-01-01\nb: 2013-01-01T06:00:00Z").data == {"a": "2013-01-01", "b": "2013-01-01T06:00:00Z"}


def test_each_part_knows_its_line():
    text = parse("a: 1\nb:\n  - c: 2\n    d: 3\n  - e\n")
    assert [text.line(path) for path in [("a",), ("b",), ("b", 0, "d"), ("b", 1)]] == [1, 2, 4, 5]


def test_a_part_that_is_not_there_has_the_line_of_what_would_hold_it():
    text = parse("a: 1\nb:\n  c: 2\n")
    assert text.line(("b", "absent", 5)) == 2
    assert text.line(()) == 1


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "twice"),
        ("a:\n  b: 1\n  b: 2\n", 3, "twice"),
        ("a: [1\n", 2, "expected"),
        ("a: 1\n\tb: 2\n", 2, "character"),
        ("a: 1\n---\nb: 2\n", 2, "document"),
        ("a: !!python/object:os.system x\n", 1, "constructor"),
        ("1: x\n", 1, "no text"),
        ("yes: x\n", 1, "no text"),
        ("a: &x [1]\nb: *x\n", 2, "alias"),
        ("a: &x\n  b: *x\n", 2, "alias"),
        ("a: &x {c: 1}\nb:\n  <<: *x\n", 3, "no text"),
        ("? [a]\n: b\n", 1, "no text"),
        ("a: *nobody\n", 1, "alias"),
    ],
)
def test_a_fault_is_told_with_its_line(text, line, part):
    found = parse(text).faults
    assert (line, True) in [(fault.line, part in fault.message) for fault in found], found


def test_an_alias_of_a_single_value_is_fine():
    assert parse("a: &x 1\nb: *x\n").data == {"a": 1, "b": 1}


def test_text_nested_too_deep_is_a_fault():
    assert "deep" in parse("[" * 2_000 + "]" * 2_000).faults[0].message


def test_aliases_of_aliases_do_not_unfold():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40)]
    began = time.process_time()
    found = parse("\n".join(lines)).faults
    assert len(found) == 39 * 9
    assert time.process_time() - began < 10, "9 to the 40th is more than any time"
