"""Rules in words, for the docs page and for people at a terminal: what each demands, and what breaking it comes to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from contracts.contract import Contract, Field, Rule, TableRule

KINDS: dict[str, Callable[[Any], str]] = {
    "minimum": lambda a: f"at least {a}",
    "maximum": lambda a: f"at most {a}",
    "exclusive_minimum": lambda a: f"more than {a}",
    "exclusive_maximum": lambda a: f"less than {a}",
    "multiple_of": lambda a: f"a multiple of {a}",
    "min_length": lambda a: f"at least {counted(a, 'character')}",
    "max_length": lambda a: f"at most {counted(a, 'character')}",
    "pattern": lambda a: f"matches {a}",
    "format": lambda a: f"of the format {a}",
    "valid_values": lambda a: f"one of {listed(a)}",
    "not_null": lambda _: "never null",
    "not_missing": lambda a: f"never {listed(a, 'or')}",
    "min_items": lambda a: f"at least {counted(a, 'item')}",
    "max_items": lambda a: f"at most {counted(a, 'item')}",
    "unique_items": lambda _: "no item twice",
    "expression": str,
}
METRICS = {
    "nullValues": "nulls",
    "missingValues": "missing values",
    "invalidValues": "invalid values",
    "duplicateValues": "rows with the same value",
    "rowCount": "rows in all",
    "sql": "the query's answer",
}
OPERATORS = {
    "mustBe": "exactly {0}",
    "mustNotBe": "anything but {0}",
    "mustBeGreaterThan": "more than {0}",
    "mustBeGreaterOrEqualTo": "at least {0}",
    "mustBeLessThan": "less than {0}",
    "mustBeLessOrEqualTo": "at most {0}",
    "mustBeBetween": "from {0} to {1}",
    "mustNotBeBetween": "not from {0} to {1}",
}


def counted(count: Any, noun: str) -> str:
    """Return a number and its noun."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def listed(values: Sequence[Any], joint: str = "or") -> str:
    """Return values as a person lists them."""
    words = ["null" if value is None else repr(value) if value == "" else str(value) for value in values]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {joint} {words[-1]}"


def rule_in_words(rule: Rule) -> str:
    """Return what a row rule demands of a value."""
    return KINDS[rule.kind](rule.argument)


def table_rule_in_words(rule: TableRule) -> str:
    """Return what a table rule demands of the landed table."""
    bounds = [f"{bound} %" if rule.unit == "percent" else str(bound) for bound in rule.bounds]
    wanted = OPERATORS[rule.operator].format(*bounds)
    named = rule.argument("properties")
    of = f" of {listed(named, 'and')} together" if named else f" of {rule.field}" if rule.field else ""
    told = "; ".join(_told(rule))
    return f"{METRICS[rule.metric]}{of}{f' ({told})' if told else ''}: {wanted}, in the {rule.table} table"


def _told(rule: TableRule) -> Iterator[str]:
    """Yield what a measure goes by: the values that it counts as valid or missing, or its query."""
    if rule.argument("validValues"):
        yield f"valid: {listed(rule.argument('validValues'))}"
    if rule.argument("pattern"):
        yield f"valid: what matches {rule.argument('pattern')}"
    if rule.argument("missingValues"):
        yield f"missing: {listed(rule.argument('missingValues'))}"
    if rule.query:
        yield " ".join(rule.query.split())


def row_rules(contract: Contract) -> Iterator[tuple[str, str, str]]:
    """Yield path, rule and words of every row rule, at any depth, then of those over several fields."""
    for field in contract.fields:
        yield from _of_field(field, field.name)
    yield from (("", rule.name, rule_in_words(rule)) for rule in contract.rules)


def _of_field(field: Field, path: str) -> Iterator[tuple[str, str, str]]:
    if field.primary_key:
        yield path, "primaryKey", "never null: it is part of the key"
    elif field.required:
        yield path, "required", "never null"
    yield from ((path, rule.name, rule_in_words(rule)) for rule in field.rules)
    for child in field.fields:
        yield from _of_field(child, f"{path}.{child.name}")
    if field.items is not None:
        yield from _of_field(field.items, f"{path}[]")
