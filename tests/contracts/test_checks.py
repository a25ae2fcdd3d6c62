"""Row rules: over whole columns, the same as a plain reading of the rules row by row."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import replace
from datetime import UTC, date, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.checks import broken_checks, compiled, expression_fault, pattern_fault
from contracts.contract import Contract, Field, Rule
from contracts.rules import explicit
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
        ("boolean", Rule("r", "valid_values", (True,)), [True, None], [False]),
        ("integer", Rule("r", "multiple_of", 5), [0, 5, -10, None], [1, -3]),
        ("number", Rule("r", "multiple_of", 0.01), [0.07, 0.29, 1.1, -2.55, 1e300, 0.0], [0.075, 0.001]),
        ("number", Rule("r", "multiple_of", 2.5), [5.0, 7.5], [1.0]),
        ("integer", Rule("r", "format", "u8"), [0, 255, None], [-1, 256]),
        ("integer", Rule("r", "format", "i32"), [-(2**31), 2**31 - 1], [2**31]),
        ("number", Rule("r", "format", "f32"), [1e38, -1e38], [1e39]),
        ("string", Rule("r", "not_null", 0), ["", "x"], [None]),
        ("string", Rule("r", "not_missing", (None, "", "N/A")), ["x"], [None, "", "N/A"]),
        ("integer", Rule("r", "not_missing", (None, -1)), [0], [None, -1]),
        ("string", Rule("r", "format", "uuid"), ["01890A5D-ac96-774b-bcce-b302099a8057"], ["01890a5dac96774bbcceb302099a8057"]),
        (
            "string",
            Rule("r", "format", "email"),
            ["a.b+c@mail.example.org"],
            ["a@b", "@example.org", "a b@example.org", "a@b@c.d"],
        ),
        ("string", Rule("r", "format", "uri"), ["https://example.org/a?b#c", "urn:a:b"], ["example.org", "https://a b", "a:%zz"]),
        ("string", Rule("r", "format", "hostname"), ["a.example.org", "localhost"], ["-a.org", "a..b", f"{'a' * 64}.org"]),
        ("string", Rule("r", "format", "ipv4"), ["192.0.2.255"], ["192.0.2.256", "1.2.3", "01.2.3.4"]),
        ("string", Rule("r", "format", "byte"), ["", "YQ==", "YWI=", "YWJj"], ["YQ", "YQ=", "Y!=="]),
    ],
)
def test_a_rule_lets_through_what_it_should_and_nothing_else(kind, rule, good, bad):
    contract = contract_with(Field("f", kind, rules=(rule,)))
    types = {"integer": pl.Int64, "number": pl.Float64, "string": pl.String, "boolean": pl.Boolean}
    rows = pl.DataFrame({"f": [*good, *bad]}, schema={"f": types[kind]})
    assert broken_checks(rows, contract).to_list() == [None] * len(good) + [0] * len(bad)


@settings(max_examples=60, deadline=None)
@given(st.ip_addresses(v=6).map(str) | st.text("0123456789abcdefF:.", max_size=24))
def test_an_ipv6_address_is_what_the_standard_library_takes_for_one(text):
    try:
        known = "%" not in text and ipaddress.IPv6Address(text) is not None
    except ValueError:
        known = False
    contract = contract_with(Field("f", "string", rules=(Rule("format", "format", "ipv6"),)))
    assert (broken_checks(pl.DataFrame({"f": [text]}), contract)[0] is None) == known


def test_bounds_of_times_and_dates_are_judged_as_moments_and_days():
    after = Rule("minimum", "minimum", "2013-01-01T01:00:00+01:00")
    contract = contract_with(Field("f", "timestamp", rules=(after,)))
    times = pl.DataFrame({"f": [datetime(2013, 1, 1, tzinfo=UTC), datetime(2012, 12, 31, 23, 59, tzinfo=UTC), None]})
    assert broken_checks(times.with_columns(pl.col("f").dt.cast_time_unit("us")), contract).to_list() == [None, 0, None]
    contract = contract_with(Field("f", "date", rules=(Rule("exclusiveMaximum", "exclusive_maximum", "2013-01-01"),)))
    days = pl.DataFrame({"f": [date(2012, 12, 31), date(2013, 1, 1)]})
    assert broken_checks(days, contract).to_list() == [None, 0]


DEEP = contract_with(
    Field(
        "order",
        "object",
        fields=(
            Field("city", "string", required=True, rules=(Rule("maxLength", "max_length", 4),)),
            Field(
                "lines",
                "array",
                rules=(Rule("minItems", "min_items", 1), Rule("maxItems", "max_items", 2)),
                items=Field(
                    "",
                    "object",
                    required=True,
                    fields=(
                        Field("amount", "integer", required=True, rules=(Rule("minimum", "minimum", 1),)),
                        Field("marks", "array", rules=(Rule("uniqueItems", "unique_items", True),), items=Field("", "string")),
                    ),
                ),
            ),
        ),
    )
)


@pytest.mark.parametrize(
    ("order", "told"),
    [
        (None, None),
        ({"city": "Bonn", "lines": [{"amount": 1, "marks": ["a", "b"]}]}, None),
        ({"city": "Bonn", "lines": None}, None),
        ({"city": "Bonn", "lines": [{"amount": 1, "marks": None}]}, None),
        ({"city": "Bonn", "lines": [{"amount": 1, "marks": []}]}, None),
        ({"city": None, "lines": []}, ("missing_value", "order.city", "required")),
        ({"city": "Hamburg", "lines": []}, ("rule_broken", "order.city", "maxLength")),
        ({"city": "Bonn", "lines": []}, ("rule_broken", "order.lines", "minItems")),
        ({"city": "Bonn", "lines": [None]}, ("missing_value", "order.lines[]", "required")),
        ({"city": "Bonn", "lines": [{"amount": None, "marks": []}]}, ("missing_value", "order.lines[].amount", "required")),
        ({"city": "Bonn", "lines": [{"amount": 1}, {"amount": 0}]}, ("rule_broken", "order.lines[].amount", "minimum")),
        ({"city": "Bonn", "lines": [{"amount": 1}] * 3}, ("rule_broken", "order.lines", "maxItems")),
        (
            {"city": "Bonn", "lines": [{"amount": 1, "marks": ["a", "a"]}]},
            ("rule_broken", "order.lines[].marks", "uniqueItems"),
        ),
    ],
)
def test_what_stands_deep_in_a_record_is_judged_and_named_by_its_path(order, told):
    line = pl.Struct({"amount": pl.Int64, "marks": pl.List(pl.String)})
    rows = pl.DataFrame({"order": [order]}, schema={"order": pl.Struct({"city": pl.String, "lines": pl.List(line)})})
    (verdict,) = broken_checks(rows, DEEP)
    checks = compiled(DEEP)
    assert told == (None if verdict is None else (checks[verdict].reason.value, checks[verdict].field, checks[verdict].rule))


def test_an_expression_over_several_fields_judges_each_row_by_itself_and_takes_null_for_good():
    rule = Rule("arrives after it left", "expression", "arrived >= departed AND NOT city = 'nowhere'")
    contract = replace(contract_with(Field("city", "string")), rules=(rule,))
    rows = pl.DataFrame(
        {"departed": [1, 2, 1, None, 1], "arrived": [2, 1, 1, 1, None], "city": ["a", "a", "nowhere", "a", "a"]},
    )
    assert broken_checks(rows, contract).to_list() == [None, 0, 0, None, None]
    assert compiled(contract)[0].field is None


@pytest.mark.parametrize(
    "expression",
    ["amount > 1", "amount IN (1, 2) OR city LIKE 'B%'", "(city IS NULL) OR length(city) > 2", "NOT (amount BETWEEN 1 AND 2)",
     "at >= DATE '2012-01-01'", "coalesce(amount, 0) * 2 < 10", '"order" = 1',
     "CASE WHEN amount > 1 THEN city = 'a' ELSE true END"],
)  # fmt: skip
def test_an_expression_over_one_row_has_no_fault(expression):
    columns = {"amount": "integer", "city": "string", "at": "timestamp", "order": "integer"}
    assert expression_fault(expression, columns) == ""


@pytest.mark.parametrize(
    "expression",
    ["", "amount >", "amount", "count(*) > 1", "sum(amount) > 1", "random() > 0.5", "amount > (select 1)", "x.amount = 1",
     "amount = 1; drop table x", "row_number() over () = 1", "amount = 'a", "first(amount) = 1", "amount > 1 -- all", "\\"],
)  # fmt: skip
def test_what_is_no_expression_over_one_row_is_said_to_be_none(expression):
    assert expression_fault(expression, {"amount": "integer", "city": "string"})


def test_classes_of_characters_are_written_out_as_the_standard_means_them():
    pattern = explicit(r"^\d[\d_]\w\\d\W$")
    assert pattern == r"^[0-9][0-9_][0-9A-Za-z_]\\d[^0-9A-Za-z_]$"
    assert not pl.Series(["٣"]).str.contains(explicit(r"\d"))[0]
    assert pl.Series(["\u00a0"]).str.contains(explicit(r"^\s$"))[0]
    assert re.search(explicit(r"^\s$"), "\u2003")


def test_a_rule_that_reads_no_column_judges_every_row():
    contract = replace(contract_with(Field("city", "string")), rules=(Rule("never", "expression", "1 = 2"),))
    assert broken_checks(pl.DataFrame({"city": ["a", None, "b"]}), contract).to_list() == [0, 0, 0]


def test_no_rows_and_no_rules_are_no_trouble():
    assert broken_checks(pl.DataFrame(schema=SCHEMA), ORDERS).to_list() == []
    assert broken_checks(pl.DataFrame({"f": ["x"]}), contract_with(Field("f", "string"))).to_list() == [None]


@pytest.mark.parametrize("pattern", ["(", "[z-a]", "(?<=a)b", r"(a)\1", "*", "a{2,1}", 5, None, ["a"]])
def test_what_is_no_linear_time_pattern_is_said_to_be_none(pattern):
    assert pattern_fault(pattern)


@pytest.mark.parametrize("pattern", ["", "a", r"^\d{3}$", r"\p{L}+", "(?i)x", "(a+)+$"])
def test_a_linear_time_pattern_has_no_fault(pattern):
    assert pattern_fault(pattern) == ""
