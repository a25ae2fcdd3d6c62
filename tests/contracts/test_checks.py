"""Row rules: over whole columns, the same as a plain reading of the rules row by row."""

from __future__ import annotations

import re

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.checks import broken_checks, compiled, pattern_fault
from contracts.contract import Contract, Field, Rule
from tests.contracts.made import read

ORDERS = read()
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "order_id": st.none() | st.just("x"),
            "ordered_at": st.none() | st.just("2013"),
            "amount": st.none() | st.integers(-3, 103) | st.sampled_from([2**63 - 1, -(2**63)]),
            "size": st.none() | st.sampled_from(["", "S", "M", "XL", "XXL", "s", "XXXL", "ÄÖ"]),
            "weight": st.none() | st.sampled_from([0.0, -0.0, 5e-324, 50.5, 50.49999, 51.0, -1.0]),
        }
    ),
    max_size=8,
)
SCHEMA = {"order_id": pl.String, "ordered_at": pl.String, "amount": pl.Int64, "size": pl.String, "weight": pl.Float64}

BREAKS = {
    "minimum": lambda v, a: v < a,
    "maximum": lambda v, a: v > a,
    "exclusive_minimum": lambda v, a: v <= a,
    "exclusive_maximum": lambda v, a: v >= a,
    "min_length": lambda v, a: len(v) < a,
    "max_length": lambda v, a: len(v) > a,
    "pattern": lambda v, a: re.search(a, v) is None,
    "valid_values": lambda v, a: v not in a,
}


def first_broken(row: dict) -> tuple[str, str, str] | None:
    """Read the contract's rules in order, for one row."""
    for field in ORDERS.fields:
        if field.required and row[field.name] is None:
            return ("missing_key", field.name, "primaryKey") if field.primary_key else ("missing_value", field.name, "required")
    for field in ORDERS.fields:
        for rule in field.rules:
            if row[field.name] is not None and BREAKS[rule.kind](row[field.name], rule.argument):
                return "rule_broken", field.name, rule.name
    return None


@settings(max_examples=25, deadline=None)
@given(ROWS)
def test_a_row_is_judged_as_a_plain_reading_of_the_rules_judges_it(rows):
    found = broken_checks(pl.DataFrame(rows, schema=SCHEMA), ORDERS).to_list()
    checks = compiled(ORDERS)
    told = [None if at is None else (checks[at].reason.value, checks[at].field, checks[at].rule) for at in found]
    assert told == [first_broken(row) for row in rows]


def contract_with(field: Field) -> Contract:
    return Contract("urn:x", "shop", "x", "1.0.0", "0" * 64, (field,), "at")


@pytest.mark.parametrize(
    ("kind", "rule", "good", "bad"),
    [
        ("integer", Rule("r", "valid_values", (1, 2)), [1, 2, None], [3, -1]),
        ("number", Rule("r", "valid_values", (1, 2.5)), [1.0, 2.5, None], [2.0]),
        ("integer", Rule("r", "minimum", 1.5), [2, 2**63 - 1], [1, 0]),
        ("integer", Rule("r", "maximum", 2**63 - 1), [2**63 - 1], []),
        ("integer", Rule("r", "exclusive_maximum", 2**63), [2**63 - 1], []),
        ("number", Rule("r", "maximum", 5), [5.0, -1e308], [5.000000001]),
        ("string", Rule("r", "max_length", 1), ["é", "日", "𝄞", ""], ["ab"]),
        ("string", Rule("r", "pattern", "b"), ["abc"], ["xyz", ""]),
    ],
)
def test_a_rule_lets_through_what_it_should_and_nothing_else(kind, rule, good, bad):
    contract = contract_with(Field("f", kind, rules=(rule,)))
    types = {"integer": pl.Int64, "number": pl.Float64, "string": pl.String}
    rows = pl.DataFrame({"f": [*good, *bad]}, schema={"f": types[kind]})
    assert broken_checks(rows, contract).to_list() == [None] * len(good) + [0] * len(bad)


def test_no_rows_and_no_rules_are_no_trouble():
    assert broken_checks(pl.DataFrame(schema=SCHEMA), ORDERS).to_list() == []
    assert broken_checks(pl.DataFrame({"f": ["x"]}), contract_with(Field("f", "string"))).to_list() == [None]


@pytest.mark.parametrize("pattern", ["(", "[z-a]", "(?<=a)b", r"(a)\1", "*", "a{2,1}", 5, None, ["a"]])
def test_what_is_no_linear_time_pattern_is_said_to_be_none(pattern):
    assert pattern_fault(pattern)


@pytest.mark.parametrize("pattern", ["", "a", r"^\d{3}$", r"\p{L}+", "(?i)x", "(a+)+$"])
def test_a_linear_time_pattern_has_no_fault(pattern):
    assert pattern_fault(pattern) == ""
