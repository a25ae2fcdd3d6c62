"""Stream and suite say the same of every row, whatever the rules; and where they would not, the error names the rule."""

from __future__ import annotations

import re
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts import checks
from contracts.agreement import complete, demand_accepted, demand_agreement, disagreements, sample_rows
from contracts.connectors.great_expectations import judged
from contracts.contract import Contract, Field, Rule
from contracts.errors import RulesDisagree
from contracts.formats import FORMATS
from contracts.patterns import python_pattern
from contracts.samples import matching
from infra.quality import agreed
from tests.contracts.test_expectations import NEST
from tests.streams.made import contract_of

JUDGE = complete(judged)
WHOLE, REAL = st.integers(-(2**53) + 1, 2**53 - 1), st.floats(-1e12, 1e12)
PATTERNS = ["^[A-Z]{2}$", "a|b", r"^[^@ ]+@[a-z]+\.(org|com)$", "^$", "[0-9]{3}", "^(ab)+c?$", "(?i)^yes$", r"\bword\b", "."]


def bounds(values: st.SearchStrategy[object]) -> st.SearchStrategy[Rule]:
    kinds = st.sampled_from(["minimum", "maximum", "exclusive_minimum", "exclusive_maximum"])
    return st.builds(lambda kind, value: Rule(kind, kind, value), kinds, values)


def of_kind(kind: str, values: st.SearchStrategy[object]) -> st.SearchStrategy[Rule]:
    return values.map(lambda value: Rule(kind, kind, value))  # type: ignore[arg-type]


def sets(values: st.SearchStrategy[object]) -> st.SearchStrategy[Rule]:
    lists = st.lists(values, min_size=1, max_size=3, unique=True).map(tuple)
    return st.one_of(of_kind("valid_values", lists), of_kind("not_missing", lists))


RULES: dict[str, st.SearchStrategy[Rule]] = {
    "integer": st.one_of(
        bounds(WHOLE),
        sets(WHOLE),
        of_kind("multiple_of", st.integers(1, 50)),
        of_kind("format", st.sampled_from(FORMATS["integer"])),
    ),
    "number": st.one_of(
        bounds(REAL),
        sets(REAL),
        of_kind("multiple_of", st.sampled_from([0.01, 0.5, 3])),
        of_kind("format", st.sampled_from(FORMATS["number"])),
    ),
    "string": st.one_of(
        of_kind("min_length", st.integers(0, 9)),
        of_kind("max_length", st.integers(0, 9)),
        of_kind("pattern", st.sampled_from(PATTERNS)),
        of_kind("format", st.sampled_from(FORMATS["string"])),
        sets(st.text("aé😀 \n", max_size=4)),
    ),
    "boolean": of_kind("valid_values", st.sampled_from([(True,), (False,), (True, False)])),
    "timestamp": bounds(st.sampled_from(["2026-01-01T00:00:00Z", "2013-06-01T12:00:00.000001+02:00"])),
    "date": bounds(st.sampled_from(["2026-01-01", "1970-01-01"])),
}


def named(rules: list[Rule]) -> tuple[Rule, ...]:
    return tuple(replace(rule, name=f"{rule.kind}{n}") for n, rule in enumerate(rules))


@st.composite
def fields(draw: st.DrawFn, name: str, *, deep: bool = True) -> Field:
    kinds = [*RULES] if deep else ["integer", "number", "string", "boolean"]
    kind = draw(st.sampled_from([*kinds, "object", "array"] if deep else kinds))
    public = draw(st.sampled_from(["public", "", "restricted"]))
    if kind == "object":
        return Field(name, "object", required=draw(st.booleans()), fields=(draw(fields("inner", deep=False)),))
    if kind == "array":
        sizes = st.lists(st.one_of(of_kind("min_items", st.integers(0, 3)), of_kind("max_items", st.integers(0, 3))), max_size=2)
        return Field(name, "array", items=draw(fields("", deep=False)), rules=named(draw(sizes)))
    rules = named(draw(st.lists(RULES[kind], max_size=3)))
    required = draw(st.booleans()) and (public != "restricted" or kind == "string")
    return Field(name, kind, required=required, classification=public, rules=rules)  # type: ignore[arg-type]


@settings(deadline=None, max_examples=25)
@given(fields("one"), fields("two"))
@example(Field("one", "integer"), Field("two", "integer", rules=(Rule("not_missing0", "not_missing", (0,)),)))
def test_stream_and_suite_agree_on_rows_made_from_any_rules(one: Field, two: Field):
    contract = contract_of(one, two)
    assert list(map(str, disagreements(contract, sample_rows(contract), JUDGE))) == []


def test_they_agree_on_nested_rules_and_on_rules_over_several_columns():
    contract = replace(NEST, rules=(Rule("paid in full", "expression", "amount > 5 OR note IS NULL"),), hash="c" * 64)
    assert demand_agreement(contract, JUDGE) > 50


def test_what_the_stream_lets_through_is_accepted():
    rows, landed = agreed(NEST)
    assert rows > landed > 10


def test_every_sample_of_a_pattern_matches_it_and_there_are_some():
    for pattern in PATTERNS:
        texts = matching(pattern)
        assert texts
        assert all(re.search(python_pattern(pattern), text) for text in texts)
        assert all(pl.Series(texts).str.contains(pattern))


def planted(contract: Contract, rule: str, **kwargs: object):
    """Return a judge whose suite says something else of one rule."""
    return lambda frames, asked: JUDGE(
        frames, [replace(e, kwargs={**e.kwargs, **kwargs}) if e.rule == rule else e for e in asked]
    )


@pytest.mark.parametrize(
    ("rule", "kwargs"),
    [
        ("minimum", {"strict_min": True}),
        ("maxLength", {"max_value": 31}),
        ("multipleOf", {"value_set": [True, False]}),
        ("maximum", {"max_value": 8}),
    ],
)
def test_a_suite_that_says_something_else_is_an_error_that_names_the_rule(rule: str, kwargs: dict[str, object]):
    with pytest.raises(RulesDisagree) as caught:
        demand_agreement(NEST, planted(NEST, rule, **kwargs))
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[1] for line in lines if " alone rejects " in line] == [rule]


def test_a_predicate_that_says_something_else_is_an_error_that_names_the_rule(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(checks.BREAKS, "max_length", lambda column, argument, _: column.str.len_bytes() > argument)
    contract = contract_of(
        Field("note", "string", classification="public", rules=(Rule("maxLength", "max_length", 4),)), name="bytes"
    )
    with pytest.raises(RulesDisagree, match="note: maxLength: the stream alone rejects"):
        demand_agreement(contract, JUDGE)


def test_a_suite_that_cannot_be_judged_is_an_error_too():
    with pytest.raises(RulesDisagree, match="amount: minimum"):
        demand_agreement(NEST, planted(NEST, "minimum", column="id"))


def test_a_suite_that_rejects_what_was_let_through_is_an_error():
    rows = sample_rows(NEST).filter(pl.col("amount") == 0)
    assert demand_accepted(NEST, rows.head(1).with_columns(code=pl.lit("<masked>")), JUDGE) == 1
    with pytest.raises(RulesDisagree, match="amount: minimum: 1 rows"):
        demand_accepted(NEST, rows.head(1).with_columns(code=pl.lit("<masked>")), planted(NEST, "minimum", min_value=1))
    with pytest.raises(RulesDisagree, match="code: masked"):
        demand_accepted(NEST, rows.head(1).with_columns(code=pl.lit("in clear")), JUDGE)
