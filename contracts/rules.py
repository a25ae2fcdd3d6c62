"""What a contract demands, read from its data: rules that a single record can break, and rules that only a table can.

A record is judged alone (DESIGN: bad data is data), so a rule is a *row rule* only if no bad row is admitted: `required`,
every `logicalTypeOptions`, and a quality metric whose threshold is nought. A threshold that admits some (`mustBeLessThan: 5`
percent), `unique`, `rowCount`, `sql`, and a severity that only warns, are *table rules*: judged on the landed table.

| ODCS `quality` | row rule | table rule |
| --- | --- | --- |
| `nullValues` | threshold 0 | otherwise |
| `missingValues` (`arguments.missingValues`, by default null and the empty text) | threshold 0 | otherwise |
| `invalidValues` (`arguments.validValues`, `arguments.pattern`) | threshold 0 | otherwise |
| `duplicateValues` (of a schema: `arguments.properties`) | never | always |
| `rowCount` (of a schema) | never | always |
| `type: sql` | never | always |
| `type: custom`, `engine: headwater`, `implementation`: an SQL expression over one row | always | never |
| `type: text` | never | never: for people |
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from contracts.contract import Metric, Operator, Rule, RuleKind, TableRule

NUMERIC: dict[str, RuleKind] = {
    "minimum": "minimum",
    "maximum": "maximum",
    "exclusiveMinimum": "exclusive_minimum",
    "exclusiveMaximum": "exclusive_maximum",
}
NUMBERS: dict[str, RuleKind] = {**NUMERIC, "multipleOf": "multiple_of", "format": "format"}
OPTIONS: dict[str, dict[str, RuleKind]] = {
    "string": {"minLength": "min_length", "maxLength": "max_length", "pattern": "pattern", "format": "format"},
    "integer": NUMBERS,
    "number": NUMBERS,
    "timestamp": NUMERIC,
    "date": NUMERIC,
    "array": {"minItems": "min_items", "maxItems": "max_items", "uniqueItems": "unique_items"},
}
"""Options of each type that become row rules. `contracts.lint_rules` has the answer to every other one."""

OPERATORS: tuple[Operator, ...] = get_args(Operator)
WARNINGS = ("info", "warning")
"""Severities that tell and do not reject: such a rule is judged on the table, never in the stream."""

ENGINE = "headwater"
"""The engine of `custom` rules that is ours."""

MISSING_DEFAULT = (None, "")
SPACES = r"\t\n\x0b\x0c\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
CLASSES = {"d": "0-9", "w": "0-9A-Za-z_", "s": SPACES}
ESCAPE_OR_BRACKET = re.compile(r"\\(.)|[\[\]]", re.DOTALL)


def explicit(pattern: str) -> str:
    r"""Return a pattern with `\d`, `\w` and `\s` written out as ECMA-262 means them (ODCS says that patterns are its).

    Rust and Python mean more digits, letters and spaces by them; written out, every target that is given the pattern agrees.
    """
    depth = 0

    def written(found: re.Match[str]) -> str:
        nonlocal depth
        if found[1] is None:
            depth = max(0, depth + (1 if found[0] == "[" else -1))
            return found[0]
        name = found[1]
        if name.lower() not in CLASSES:
            return found[0]
        within = CLASSES[name.lower()]
        return f"[^{within}]" if name.isupper() else within if depth else f"[{within}]"

    return ESCAPE_OR_BRACKET.sub(written, pattern)


def row_rules(item: Mapping[str, Any]) -> Iterator[Rule]:
    """Yield a property's row rules, options first. The item has no faults. `required` is the field's own attribute."""
    options = item.get("logicalTypeOptions", {})
    for option, kind in OPTIONS.get(item["logicalType"], {}).items():
        if option in options and options[option] is not False:
            yield Rule(option, kind, _argument(kind, options[option]))
    for quality in item.get("quality", ()):
        if is_row_rule(quality):
            yield from _metric_rules(quality)


def expression_rules(schema: Mapping[str, Any]) -> Iterator[Rule]:
    """Yield the row rules over several fields: SQL expressions, true or null where a row is good."""
    for quality in schema.get("quality", ()):
        if quality.get("type") == "custom" and quality.get("engine") == ENGINE:
            expression = quality["implementation"]["expression"]
            yield Rule(quality.get("name", expression), "expression", expression)


def table_rules(schema: Mapping[str, Any], *, upsert: bool) -> Iterator[TableRule]:
    """Yield the rules that are judged on the landed table: of the key and of unique fields, of properties, of the schema.

    Where records are changes (`upsert`), silver is history and holds a key many times: what is unique is the current table.
    """
    properties = schema.get("properties", ())
    yield from _unique_rules(properties, "current" if upsert else "silver")
    for item in properties:
        yield from _property_rules(item, item.get("name", ""))
    for quality in schema.get("quality", ()):
        if quality.get("type", "library") in ("library", "sql"):
            yield _table_rule(quality, "")


def is_row_rule(quality: Mapping[str, Any]) -> bool:
    """Say whether one record alone can break a library rule: no bad row is admitted, and it is not a mere warning."""
    per_row = quality.get("metric") in ("nullValues", "missingValues", "invalidValues")
    library = quality.get("type", "library") == "library"
    return library and per_row and admits_none(quality) and quality.get("severity") not in WARNINGS


def admits_none(quality: Mapping[str, Any]) -> bool:
    """Say whether the only count that satisfies a rule's operator is nought."""
    operator, bounds = operator_of(quality)
    if operator in ("mustBe", "mustBeLessOrEqualTo"):
        return bounds == (0,)
    return operator == "mustBeLessThan" and quality.get("unit", "rows") == "rows" and bounds == (1,)


def operator_of(quality: Mapping[str, Any]) -> tuple[Operator, tuple[Any, ...]]:
    """Return the operator of a rule and its one or two bounds."""
    operator = next(name for name in OPERATORS if name in quality)
    bound = quality[operator]
    return operator, tuple(bound) if isinstance(bound, list) else (bound,)


def _argument(kind: RuleKind, value: Any) -> Any:
    return explicit(value) if kind == "pattern" else value


def _metric_rules(quality: Mapping[str, Any]) -> Iterator[Rule]:
    arguments, metric = quality.get("arguments") or {}, quality["metric"]
    name = quality.get("name", metric)
    if metric == "nullValues":
        yield Rule(name, "not_null", 0)
    if metric == "missingValues":
        yield Rule(name, "not_missing", tuple(arguments.get("missingValues", MISSING_DEFAULT)))
    if metric == "invalidValues" and "validValues" in arguments:
        yield Rule(name, "valid_values", tuple(arguments["validValues"]))
    if metric == "invalidValues" and "pattern" in arguments:
        yield Rule(name, "pattern", explicit(arguments["pattern"]))


def _unique_rules(properties: Any, table: Any) -> Iterator[TableRule]:
    key = tuple(item["name"] for item in properties if item.get("primaryKey"))
    if key:
        named = {"field": key[0]} if len(key) == 1 else {"arguments": (("properties", key),)}
        yield TableRule("primaryKey", "duplicateValues", "mustBe", (0,), **named, dimension="uniqueness", table=table)
    for item in properties:
        if item.get("unique") and key != (item["name"],):
            yield TableRule("unique", "duplicateValues", "mustBe", (0,), item["name"], dimension="uniqueness", table=table)


def _property_rules(item: Mapping[str, Any], path: str) -> Iterator[TableRule]:
    for quality in item.get("quality", ()):
        if quality.get("type", "library") in ("library", "sql") and not is_row_rule(quality):
            yield _table_rule(quality, path)
    for child in item.get("properties", ()):
        yield from _property_rules(child, f"{path}.{child['name']}")


def _table_rule(quality: Mapping[str, Any], path: str) -> TableRule:
    operator, bounds = operator_of(quality)
    sql = quality.get("type") == "sql"
    metric: Metric = "sql" if sql else quality["metric"]
    arguments = {name: _frozen(value) for name, value in (quality.get("arguments") or {}).items()}
    if "pattern" in arguments:
        arguments["pattern"] = explicit(arguments["pattern"])
    if metric == "missingValues":
        arguments.setdefault("missingValues", MISSING_DEFAULT)
    return TableRule(
        name=quality.get("name", metric),
        metric=metric,
        operator=operator,
        bounds=bounds,
        field=path,
        arguments=tuple(sorted(arguments.items())),
        query=quality.get("query", ""),
        unit=quality.get("unit", "rows"),
        severity=quality.get("severity", "error"),
        dimension=quality.get("dimension", ""),
        description=quality.get("description", ""),
    )


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
