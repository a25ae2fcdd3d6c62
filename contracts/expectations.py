"""A contract's rules as a Great Expectations suite: plain JSON, in the words of Great Expectations 1.24.

The suite judges the landed table, after masking, so each rule is asked only where its answer still means something:

| what masking does to the field | which rows a rule is asked of |
| --- | --- |
| nothing (`public`, numbers, times) | every row |
| replaces spans in free text | rows whose text holds no placeholder; `required` of every row |
| anything else: placeholder, hash, token, sealed, left out | none: only `required`, and that masking has been done |

A rule that has no word in Great Expectations is asked of a measure that `contracts.frames` adds: the items of a list, a
remainder, an expression's value. Nested values are judged in frames of their own. What cannot be asked is told by
`unjudged`, and `expectation_fault` lets `lint` refuse what would be lost in silence.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, Literal

from contracts.contract import Contract, Field, Rule, TableRule
from contracts.formats import TEXT_FORMATS, bounds
from contracts.masking import treatment
from contracts.patterns import pattern_untranslatable, python_pattern

PLACEHOLDER_PATTERN = r"<[a-z][a-z0-9_]*(?::[0-9A-Za-z_-]+)?>"
"""What masking leaves in a text, as every engine reads it."""

EXACT_FLOAT_MAX = 2**53
"""Great Expectations makes floats of bounds: whole numbers up to here stay what they are."""

ITEM = "item"
"""Column of a list's values in their frame."""
HOLDS = "holds"
"""Column of the one row that a query's frame has: whether its value satisfied the rule."""

AS_SENT = {"keep", "nested", "free_text"}
"""Treatments after which a value is what was sent: in free text, unless it holds a placeholder."""
TOLD_APART = {"hash", "tokenize"}
"""Treatments that keep different values different."""
LEFT_OUT = {"null", "drop"}
"""Treatments that leave no value."""
Asked = tuple[str, dict[str, Any]]
"""An expectation's type, and its arguments besides the column."""
MASKED: dict[str, Asked] = {
    "replace": ("expect_column_values_to_match_regex", {"regex": rf"\A{PLACEHOLDER_PATTERN}\Z"}),
    "mask": ("expect_column_values_to_match_regex", {"regex": rf"\A{PLACEHOLDER_PATTERN}\Z"}),
    "hash": ("expect_column_values_to_match_regex", {"regex": r"\A[0-9a-f]{64}\Z"}),
    "null": ("expect_column_values_to_be_null", {}),
}
"""What a treatment must have left, which the table can be asked."""
EVERYTHING = ("i64", "f64")
"""Formats that every value has which could be read at all."""
BOUNDS = {
    "minimum": ("min_value", False),
    "maximum": ("max_value", False),
    "exclusive_minimum": ("min_value", True),
    "exclusive_maximum": ("max_value", True),
}
MEASURED = {"multiple_of"}
"""Rules of a field that Great Expectations has no word for: asked of a measure named for the rule."""
WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Judged = Literal["every row", "rows without placeholder"]


@dataclass(frozen=True)
class Expectation:
    """One expectation, with the contract's rule that it stands for. A rule may have several: it holds if all do."""

    type: str
    rule: str
    frame: str = ""
    """Which frame of the rows (`contracts.frames`); empty: the table's own columns."""
    field: str = ""
    """Dotted path; empty for the whole table."""
    kwargs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    judged: Judged = "every row"
    table_rule: TableRule | None = None
    """The rule over the whole table that this measures: then counts are held against its bounds."""

    def as_json(self) -> dict[str, Any]:
        """Return the expectation as a suite holds it."""
        table = self.table_rule
        meta: dict[str, Any] = {"rule": self.rule, "field": self.field, "judged": self.judged}
        if self.frame:
            meta["frame"] = self.frame
        if table is not None:
            meta |= {"operator": table.operator, "bounds": list(table.bounds), "unit": table.unit}
        severity = table.severity if table is not None and table.severity in ("info", "warning") else "critical"
        return {"type": self.type, "kwargs": dict(self.kwargs), "meta": {"headwater": meta}, "severity": severity}


@dataclass(frozen=True)
class Unjudged:
    """A rule that the stream enforces and the landed table can no longer be asked about, with why."""

    field: str
    rule: str
    why: str


@cache
def expectations(contract: Contract) -> tuple[Expectation, ...]:
    """Return the expectations of the contract's row rules, then those of its table rules, in the contract's order."""
    return tuple(made for made in _all(contract) if isinstance(made, Expectation))


@cache
def unjudged(contract: Contract) -> tuple[Unjudged, ...]:
    """Return the rules that masking keeps from being judged on the table: the stream has judged them, before masking."""
    return tuple(lost for lost in _all(contract) if isinstance(lost, Unjudged))


def _all(contract: Contract) -> Iterator[Expectation | Unjudged]:
    yield from _row_rules(contract)
    for rule in contract.rules:
        yield from _expression(rule, contract)
    for table_rule in contract.table_rules:
        yield from _table_rule(table_rule, contract)


def suite(contract: Contract) -> dict[str, Any]:
    """Return the suite as Great Expectations reads it (`ExpectationSuite(**suite)`)."""
    return {
        "name": contract.dataset,
        "expectations": [expectation.as_json() for expectation in expectations(contract)],
        "meta": {"contract": {"id": contract.id, "version": contract.contract_version, "hash": contract.hash}},
    }


@cache
def suite_hash(contract: Contract) -> str:
    """Return the hash of the suite and its contract: two validations with the same one asked the same."""
    return hashlib.sha256(json.dumps(suite(contract), sort_keys=True).encode()).hexdigest()


def expectation_fault(of: Field, rule: Rule) -> str:
    """Return why a rule cannot be judged on the landed table with the stream's own verdict, or nothing."""
    if rule.kind == "pattern":
        return pattern_untranslatable(str(rule.argument))
    bound = rule.argument
    whole = of.logical_type == "integer" and rule.kind in BOUNDS and isinstance(bound, int | float)
    if whole and not -EXACT_FLOAT_MAX < float(bound) < EXACT_FLOAT_MAX:  # type: ignore[arg-type]
        return f"came {bound!r}, expected a bound within 2^53, which Great Expectations holds exactly"
    return ""


def _row_rules(contract: Contract) -> Iterator[Expectation | Unjudged]:
    for frame, path, of in _placed(contract.fields, "", ""):
        column, kind = of.name or ITEM, treatment(of)
        if of.required and kind not in LEFT_OUT:
            name = "primaryKey" if of.primary_key else "required"
            yield _asked(frame, column, path, name, ("expect_column_values_to_not_be_null", {}))
        if kind in MASKED:
            yield _asked(frame, column, path, "masked", MASKED[kind])
        for rule in of.rules:
            if kind in AS_SENT:
                for asked in _rule(of, rule, column):
                    yield _asked(frame, column, path, rule.name, asked, free_text=kind == "free_text")
            else:
                yield Unjudged(path, rule.name, f"what lands is the value after masking ({kind})")


def _placed(fields: Iterable[Field], frame: str, path: str) -> Iterator[tuple[str, str, Field]]:
    """Yield every field at any depth with its frame and its dotted path. What is left out whole has nothing in it."""
    for of in fields:
        here = f"{path}.{of.name}".strip(".") if of.name else path
        yield frame, here, of
        if treatment(of) == "nested":
            within = nested_frame(frame, of)
            if of.logical_type == "object":
                yield from _placed(of.fields, within, here)
            elif of.items is not None:
                yield from _placed([of.items], within, f"{here}[]")


def nested_frame(frame: str, of: Field) -> str:
    """Return the name of the frame of what an object or a list in this frame holds."""
    within = f"{frame}.{of.name or ITEM}".strip(".")
    return within if of.logical_type == "object" else f"{within}[]"


def _asked(frame: str, column: str, path: str, rule: str, asked: Asked, *, free_text: bool = False) -> Expectation:
    type_, kwargs = asked
    condition = unmasked([column]) if free_text else {}
    judged: Judged = "rows without placeholder" if free_text else "every row"
    return Expectation(type_, rule, frame, path, {"column": column, **kwargs, **condition}, judged)


def unmasked(columns: Iterable[str]) -> dict[str, Any]:
    """Return the arguments that leave out rows with a placeholder in one of these columns."""
    each = [f'(~`{column}`.str.contains("{PLACEHOLDER_PATTERN}"))' for column in columns]
    return {"row_condition": {"type": "pass_through", "pass_through_filter": " & ".join(each)}} if each else {}


def _rule(of: Field, rule: Rule, column: str) -> Iterator[Asked]:
    """Yield what Great Expectations is asked for one rule."""
    argument, between = rule.argument, "expect_column_values_to_be_between"
    if rule.kind in BOUNDS:
        end, strict = BOUNDS[rule.kind]
        yield between, {end: _bound(of, argument), **({f"strict_{end[:3]}": True} if strict else {})}
    elif rule.kind in ("min_length", "max_length"):
        yield "expect_column_value_lengths_to_be_between", {f"{rule.kind[:3]}_value": argument}
    elif rule.kind in ("min_items", "max_items"):
        yield between, {"column": f"{column}#items", f"{rule.kind[:3]}_value": argument}
    elif rule.kind == "unique_items":
        yield between, {"column": f"{column}#repeated", "max_value": 0}
    elif rule.kind == "pattern":
        yield "expect_column_values_to_match_regex", {"regex": python_pattern(str(argument))}
    elif rule.kind == "format":
        yield from _format(of, str(argument))
    elif rule.kind == "valid_values" and isinstance(argument, tuple):
        yield "expect_column_values_to_be_in_set", {"value_set": [value for value in argument if value is not None]}
    elif rule.kind == "not_null":
        yield "expect_column_values_to_not_be_null", {}
    elif rule.kind == "not_missing" and isinstance(argument, tuple):
        yield from _not_missing(argument, of)
    else:
        yield "expect_column_values_to_be_in_set", {"column": f"{column}#{rule.name}", "value_set": [True]}


def _bound(of: Field, bound: Any) -> Any:
    """Return a bound as the frames' values are compared: a moment is UTC's text, a date its midnight."""
    if of.logical_type == "timestamp":
        return datetime.fromisoformat(bound).astimezone(UTC).isoformat()
    return f"{date.fromisoformat(bound).isoformat()}T00:00:00+00:00" if of.logical_type == "date" else bound


def _format(of: Field, name: str) -> Iterator[Asked]:
    """Yield what a named format is asked as. Those that every value has which could be read at all need not be asked."""
    if of.logical_type == "string":
        yield "expect_column_values_to_match_regex", {"regex": python_pattern(TEXT_FORMATS[name])}
    elif name not in EVERYTHING:
        low, high = bounds(name)
        yield "expect_column_values_to_be_between", {"min_value": low, "max_value": high}


def _not_missing(missing: tuple[Any, ...], of: Field) -> Iterator[Asked]:
    """Yield that a value is none of those that stand for none. Null is one where the rule lists it, as by default."""
    if None in missing:
        yield "expect_column_values_to_not_be_null", {}
    text = of.logical_type == "string"
    if values := [value for value in missing if value is not None and isinstance(value, str) == text]:
        yield "expect_column_values_to_not_be_in_set", {"value_set": values}


def _expression(rule: Rule, contract: Contract) -> Iterator[Expectation | Unjudged]:
    """Yield what a rule over several columns is asked as: a measure, in the rows where all that it reads is as it was sent."""
    words = set(WORD.findall(str(rule.argument)))
    read = [field for field in contract.fields if field.name in words]
    changed = [field.name for field in read if treatment(field) not in AS_SENT]
    if changed:
        yield Unjudged("", rule.name, f"what lands of {', '.join(changed)} is the value after masking")
        return
    condition = unmasked(field.name for field in read if treatment(field) == "free_text")
    kwargs = {"column": f"={rule.name}", "value_set": [True], **condition}
    judged: Judged = "rows without placeholder" if condition else "every row"
    yield Expectation("expect_column_values_to_be_in_set", rule.name, "", "", kwargs, judged)


def _table_rule(rule: TableRule, contract: Contract) -> Iterator[Expectation | Unjudged]:
    """Yield what measures one rule over the table."""
    placed = {path: (frame, of) for frame, path, of in _placed(contract.fields, "", "")}
    names = [] if rule.metric in ("rowCount", "sql") else list(rule.argument("properties") or [rule.field])
    fields = [placed[name][1] for name in names if name in placed]
    lost = [
        of.name for of in fields if treatment(of) not in (AS_SENT | (TOLD_APART if rule.metric == "duplicateValues" else set()))
    ]
    if lost and not (rule.metric == "nullValues" and not any(treatment(of) in LEFT_OUT for of in fields)):
        yield Unjudged(rule.field, rule.name, f"what lands of {', '.join(lost)} is the value after masking")
        return
    frame = placed[names[0]][0] if fields else ""
    texts = () if rule.metric in ("nullValues", "missingValues") else [of.name for of in fields if treatment(of) == "free_text"]
    condition = unmasked(texts)
    judged: Judged = "rows without placeholder" if condition else "every row"
    for type_, kwargs in _table_asked(rule, fields):
        yield Expectation(type_, rule.name, kwargs.pop("frame", frame), rule.field, {**kwargs, **condition}, judged, rule)


def _table_asked(rule: TableRule, fields: list[Field]) -> Iterator[Asked]:
    column = {"column": fields[0].name} if fields else {}
    if rule.metric == "rowCount":
        yield "expect_table_row_count_to_be_between", {"min_value": 0}
    elif rule.metric == "sql":
        yield "expect_column_values_to_be_in_set", {"column": HOLDS, "value_set": [True], "frame": f"sql:{rule.name}"}
    elif rule.metric == "duplicateValues" and len(fields) == 1:
        yield "expect_column_values_to_be_unique", column
    elif rule.metric == "duplicateValues":
        yield "expect_compound_columns_to_be_unique", {"column_list": [of.name for of in fields]}
    elif rule.metric == "nullValues":
        yield "expect_column_values_to_not_be_null", column
    elif rule.metric == "missingValues":
        yield from ((type_, column | kwargs) for type_, kwargs in _not_missing(rule.argument("missingValues"), fields[0]))
    else:
        yield _invalid(rule, column)


def _invalid(rule: TableRule, column: dict[str, str]) -> Asked:
    values, pattern = rule.argument("validValues"), rule.argument("pattern")
    if values is not None and pattern is not None:
        # One measure of both: a value that breaks the two would count twice.
        return "expect_column_values_to_be_in_set", {"column": f"{column['column']}#{rule.name}", "value_set": [True]}
    if values is not None:
        return "expect_column_values_to_be_in_set", column | {"value_set": list(values)}
    return "expect_column_values_to_match_regex", column | {"regex": python_pattern(pattern)}
