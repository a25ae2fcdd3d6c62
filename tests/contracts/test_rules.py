"""Reading of quality rules: which a record alone can break, and which only a table can."""

from __future__ import annotations

import pytest

from contracts.contract import TableRule
from tests.contracts.made import properties, read, sound, text_of

AMOUNT, SIZE, BUYER = 2, 3, 5


def with_quality(index: int, **rule: object):
    data = sound()
    properties(data)[index]["quality"] = [rule]
    return read(text_of(data))


def own(contract, field: str) -> list[TableRule]:
    return [rule for rule in contract.table_rules if rule.field == field and rule.name not in ("primaryKey", "unique")]


@pytest.mark.parametrize(
    "threshold",
    [{"mustBe": 0}, {"mustBeLessOrEqualTo": 0}, {"mustBeLessThan": 1}, {"mustBe": 0, "unit": "percent"}],
)
def test_a_rule_that_admits_no_bad_row_is_a_row_rule(threshold):
    contract = with_quality(AMOUNT, metric="nullValues", **threshold)
    assert [rule.kind for rule in contract.fields[AMOUNT].rules if rule.name == "nullValues"] == ["not_null"]
    assert own(contract, "amount") == []


@pytest.mark.parametrize(
    "threshold",
    [
        {"mustBe": 1},
        {"mustBeLessThan": 5, "unit": "percent"},
        {"mustBeLessThan": 1, "unit": "percent"},
        {"mustBeBetween": [0, 3]},
        {"mustNotBe": 0},
        {"mustBe": 0, "severity": "warning"},
    ],
)
def test_a_rule_that_admits_some_bad_rows_or_only_warns_is_a_table_rule(threshold):
    contract = with_quality(AMOUNT, metric="nullValues", name="few", **threshold)
    assert "few" not in [rule.name for rule in contract.fields[AMOUNT].rules]
    (rule,) = own(contract, "amount")
    assert (rule.name, rule.metric, rule.unit) == ("few", "nullValues", threshold.get("unit", "rows"))
    assert rule.severity == threshold.get("severity", "error")


def test_the_key_is_unique_on_silver_and_on_the_current_table_where_records_are_changes():
    data = sound()
    assert [(r.name, r.metric, r.field, r.table) for r in read(text_of(data)).table_rules] == [
        ("primaryKey", "duplicateValues", "order_id", "silver")
    ]
    data["customProperties"].append({"property": "change", "value": "upsert"})
    assert [rule.table for rule in read(text_of(data)).table_rules] == ["current"]
    properties(data)[AMOUNT].update(primaryKey=True, primaryKeyPosition=2)
    properties(data)[SIZE].update(unique=True)
    rules = read(text_of(data)).table_rules
    assert [(rule.name, rule.field, rule.argument("properties")) for rule in rules] == [
        ("primaryKey", "", ("order_id", "amount")),
        ("unique", "size", None),
    ]


def test_rules_of_the_schema_and_queries_are_table_rules_and_expressions_are_row_rules():
    data = sound()
    data["schema"][0]["quality"] = [
        {"metric": "rowCount", "mustBeGreaterThan": 10},
        {"metric": "duplicateValues", "mustBeLessThan": 1, "unit": "percent", "arguments": {"properties": ["size", "amount"]}},
        {"type": "sql", "query": "SELECT count(*) FROM ${table}", "mustBeBetween": [1, 5], "dimension": "coverage"},
        {"type": "text", "description": "sizes are those of the catalogue"},
        {"type": "custom", "engine": "headwater", "name": "dear", "implementation": {"expression": "amount > 1 OR size = 'S'"}},
    ]
    contract = read(text_of(data))
    assert [(r.metric, r.operator, r.bounds) for r in contract.table_rules[1:]] == [
        ("rowCount", "mustBeGreaterThan", (10,)),
        ("duplicateValues", "mustBeLessThan", (1,)),
        ("sql", "mustBeBetween", (1, 5)),
    ]
    assert [(rule.name, rule.kind, rule.argument) for rule in contract.rules] == [
        ("dear", "expression", "amount > 1 OR size = 'S'")
    ]
    assert hash(contract) == hash(read(text_of(data)))


def test_a_rule_within_an_object_is_named_by_its_path():
    data = sound()
    properties(data)[BUYER]["properties"][0]["quality"] = [{"metric": "nullValues", "mustBeLessThan": 9}]
    assert [rule.field for rule in read(text_of(data)).table_rules] == ["order_id", "buyer.city"]


def test_what_an_object_says_is_required_is_required_of_its_properties():
    data = sound()
    properties(data)[BUYER]["logicalTypeOptions"] = {"required": ["city"]}
    assert read(text_of(data)).fields[BUYER].fields[0].required


@pytest.mark.parametrize(
    ("operator", "bounds", "good", "bad"),
    [
        ("mustBe", (3,), [3, 3.0], [4, None]),
        ("mustNotBe", (3,), [4], [3, None]),
        ("mustBeGreaterThan", (3,), [4], [3]),
        ("mustBeGreaterOrEqualTo", (3,), [3], [2]),
        ("mustBeLessThan", (3,), [2], [3]),
        ("mustBeLessOrEqualTo", (3,), [3], [4]),
        ("mustBeBetween", (1, 3), [1, 2, 3], [0, 4]),
        ("mustNotBeBetween", (1, 3), [0, 4], [1, 3]),
    ],
)
def test_an_operator_holds_where_the_standard_says_that_it_does(operator, bounds, good, bad):
    rule = TableRule("r", "rowCount", operator, bounds)
    assert all(rule.holds(measured) for measured in good)
    assert not any(rule.holds(measured) for measured in bad)
