"""A contract's row rules as Polars expressions: decided once per schema, run over whole columns, at any depth.

A null breaks only what says that there must be a value. The first rule that a row breaks, in the contract's order (all missing
values before all other rules), is the one its dead letter names, by the field's path: `buyer.city`, `lines[].amount`. Patterns
are Rust's regular expressions, which run in linear time whatever they are fed
(https://docs.rs/regex/latest/regex/#untrusted-input); they must match the whole value only if they say so with ^ and $.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from fractions import Fraction
from functools import cache
from typing import Any

import polars as pl

from contracts.contract import Contract, Field, Rule
from contracts.formats import TEXT_FORMATS, bounds
from contracts.records import KIND, Kind, Reason

VALUE_TYPES = {"string": pl.String, "integer": pl.Int64, "number": pl.Float64, "boolean": pl.Boolean}
MISSING = ("not_null", "not_missing")
"""Kinds of rules that a null breaks."""

EVERYTHING = ("i64", "f64")
"""Formats that every value has which could be read at all."""

EXACT_MAX = float(2**53)
"""Beyond this not every whole number is a float64, so multiples are not told apart."""

ROUNDING = 2.0**-51
"""How far apart, in proportion, two ways to compute one float64 may end."""

COLUMN_TYPES: dict[str, pl.DataType] = {
    "string": pl.String(),
    "integer": pl.Int64(),
    "number": pl.Float64(),
    "boolean": pl.Boolean(),
    "timestamp": pl.Datetime("us", "UTC"),
    "date": pl.Date(),
}
SQL_TOKEN = re.compile(
    r"""\s*(?:(?P<word>[A-Za-z_]\w*)|"(?P<quoted>[^"]+)"|'(?:[^']|'')*'|\d+(?:\.\d+)?|<=|>=|<>|!=|[=<>+\-*(),])"""
)
SQL_WORDS = frozenset(
    ["and", "or", "not", "is", "null", "in", "between", "like", "true", "false", "case", "when", "then", "else", "end", "date"]
)
SQL_FUNCTIONS = frozenset(["length", "char_length", "lower", "upper", "abs", "coalesce", "round", "floor", "ceil"])
"""The fragment of SQL that speaks of one row alone, and that every engine of ours reads alike: no aggregate is in it."""


@dataclass(frozen=True)
class Check:
    """One rule, with the expression that is true on the rows that break it. `field` is a path; None when several decide."""

    reason: Reason
    field: str | None
    rule: str
    broken: pl.Expr

    @property
    def column(self) -> str:
        """Name of the column that the field is, or stands in; empty when several decide."""
        return (self.field or "").partition(".")[0].removesuffix("[]")


@cache
def compiled(contract: Contract) -> tuple[Check, ...]:
    """Return the contract's checks in the order in which they decide."""
    found = [check for field in contract.fields for check in field_checks(field)]
    over_rows = [Check(Reason.RULE_BROKEN, None, rule.name, ~row_expression(str(rule.argument))) for rule in contract.rules]
    every = (*sorted(found, key=lambda check: check.reason is Reason.RULE_BROKEN), *over_rows)
    return every if contract.change == "append" else tuple(_but_of_deletes(check, contract) for check in every)


def field_checks(field: Field) -> tuple[Check, ...]:
    """Return the checks of one column, and of all that it holds, over a frame that has it."""
    return tuple(_checks(field, pl.col(field.name), field.name))


def broken_checks(rows: pl.DataFrame, contract: Contract) -> pl.Series:
    """Return, by row, the index in `compiled(contract)` of the first check that it breaks, or null."""
    checks = compiled(contract)
    if not checks or not rows.height:
        return pl.Series("check", [None] * rows.height, dtype=pl.UInt32)
    # Most batches break nothing: one answer a check is asked first, and whole columns only of the checks that found something.
    fired = rows.select(check.broken.any().alias(str(index)) for index, check in enumerate(checks)).row(0)
    firsts = [pl.when(checks[at].broken).then(pl.lit(at, dtype=pl.UInt32)) for at, found in enumerate(fired) if found]
    if not firsts:
        return pl.Series("check", [None], dtype=pl.UInt32).new_from_index(0, rows.height)
    return rows.with_columns(pl.coalesce(firsts).alias("check"))["check"]


def pattern_fault(pattern: object) -> str:
    """Return why a pattern cannot be compiled, or nothing."""
    if not isinstance(pattern, str):
        return f"came {type(pattern).__name__}, expected text"
    try:
        pl.Series([""]).str.contains(pattern, strict=True)
    except pl.exceptions.ComputeError as error:
        return str(error).splitlines()[-1]
    return ""


def row_expression(expression: str) -> pl.Expr:
    """Return an SQL expression over one row. It has no fault (`expression_fault`)."""
    return pl.sql_expr(expression)


def expression_fault(expression: str, columns: Mapping[Any, Any]) -> str:
    """Return why an SQL expression cannot judge one row, or nothing. `columns` are the properties' logical types, by name."""
    if strange := _strange_token(expression, columns):
        known = ", ".join(sorted(SQL_FUNCTIONS))
        return f"{strange!r} is no property, and not among the operators and functions that judge one row: {known}"
    schema = {name: COLUMN_TYPES[kind] for name, kind in columns.items() if kind in COLUMN_TYPES}
    try:
        made = pl.DataFrame(schema=schema).select(pl.sql_expr(expression))
    except pl.exceptions.PolarsError as error:
        return f"cannot be computed: {str(error).splitlines()[0]}"
    return "" if made.dtypes == [pl.Boolean()] else f"gives {made.dtypes[0]}, expected true or false"


def _strange_token(expression: str, columns: Mapping[Any, Any]) -> str:
    """Return the first token that is outside the fragment, or nothing."""
    at = 0
    while at < len(expression.rstrip()):
        token = SQL_TOKEN.match(expression, at)
        if token is None:
            return expression[at:].strip()[:20]
        word, quoted = token["word"], token["quoted"]
        called = expression[token.end() :].lstrip().startswith("(")
        if quoted is not None and quoted not in columns:
            return quoted
        known = (word or "").lower()
        if word is not None and not (
            known in SQL_FUNCTIONS
            if called and known not in ("in", "and", "or", "not", "when", "then", "else")
            else word in columns or known in SQL_WORDS
        ):
            return word
        at = token.end()
    return ""


def _checks(field: Field, column: pl.Expr, path: str) -> Iterator[Check]:
    """Yield the checks of a field and of all that it holds, over an expression of its values."""
    if field.required:
        yield _missing(field, column, path)
    for rule in field.rules:
        if not (rule.kind == "format" and rule.argument in EVERYTHING):
            reason = Reason.MISSING_VALUE if rule.kind in MISSING else Reason.RULE_BROKEN
            yield Check(reason, path, rule.name, _broken(column, field, rule))
    for child in field.fields:
        for check in _checks(child, column.struct.field(child.name), f"{path}.{child.name}"):
            # What an absent object would hold is not missing.
            yield replace(check, broken=check.broken & column.is_not_null())
    if field.items is not None:
        for check in _checks(field.items, pl.element(), f"{path}[]"):
            yield replace(check, broken=column.list.eval(check.broken.fill_null(value=False)).list.any())


def _missing(field: Field, column: pl.Expr, path: str) -> Check:
    reason = Reason.MISSING_KEY if field.primary_key else Reason.MISSING_VALUE
    return Check(reason, path, "primaryKey" if field.primary_key else "required", column.is_null())


def _but_of_deletes(check: Check, contract: Contract) -> Check:
    """Return a check of an `upsert` contract that deletes are spared, but for what they tell: their key, and when."""
    if check.field in (*contract.key, contract.event_time):
        return check
    return replace(check, broken=check.broken & (pl.col(KIND) != Kind.DELETE.value))


def _broken(column: pl.Expr, field: Field, rule: Rule) -> pl.Expr:
    return BREAKS[rule.kind](column, _literal(field, rule), field)


def _literal(field: Field, rule: Rule) -> Any:
    """Return a rule's argument as Polars compares it: a moment for the text of one."""
    if field.logical_type == "timestamp" and isinstance(rule.argument, str):
        return pl.lit(datetime.fromisoformat(rule.argument).astimezone(UTC), dtype=pl.Datetime("us", "UTC"))
    if field.logical_type == "date" and isinstance(rule.argument, str):
        return pl.lit(date.fromisoformat(rule.argument))
    return rule.argument


def _among(column: pl.Expr, values: Any, field: Field) -> pl.Expr:
    known = [value for value in values if value is not None]
    return column.is_in(pl.Series(known, dtype=VALUE_TYPES[field.logical_type]).implode())


def _missing_value(column: pl.Expr, values: Any, field: Field) -> pl.Expr:
    same_type = [v for v in values if isinstance(v, str) == (field.logical_type == "string")]
    if field.logical_type not in VALUE_TYPES:
        return column.is_null()
    among = _among(column, same_type, field)
    return column.is_null() | among if None in values else among


def _no_format(column: pl.Expr, name: Any, field: Field) -> pl.Expr:
    if field.logical_type == "string":
        return ~column.str.contains(TEXT_FORMATS[name])
    low, high = bounds(name)
    return ~column.is_between(low, high)


def _no_multiple(column: pl.Expr, of: Any, field: Field) -> pl.Expr:
    """Break where no multiple is within the rounding of a value: 0.07 is one of 0.01, though no two floats divide so."""
    if field.logical_type == "integer":
        return column % int(of) != 0
    part = Fraction(str(of))
    times = (column * part.denominator / part.numerator).round()
    gap = (times * part.numerator / part.denominator - column).abs()
    return (times.abs() < EXACT_MAX) & (gap > column.abs() * ROUNDING)


BREAKS: dict[str, Callable[[pl.Expr, Any, Field], pl.Expr]] = {
    "minimum": lambda column, argument, _: column < argument,
    "maximum": lambda column, argument, _: column > argument,
    "exclusive_minimum": lambda column, argument, _: column <= argument,
    "exclusive_maximum": lambda column, argument, _: column >= argument,
    "multiple_of": _no_multiple,
    "min_length": lambda column, argument, _: column.str.len_chars() < argument,
    "max_length": lambda column, argument, _: column.str.len_chars() > argument,
    "pattern": lambda column, argument, _: ~column.str.contains(str(argument)),
    "format": _no_format,
    "valid_values": lambda column, argument, field: ~_among(column, argument, field),
    "not_null": lambda column, _argument, _: column.is_null(),
    "not_missing": _missing_value,
    "min_items": lambda column, argument, _: column.list.len() < argument,
    "max_items": lambda column, argument, _: column.list.len() > argument,
    "unique_items": lambda column, _argument, _: column.list.n_unique() < column.list.len(),
}
"""Kind of rule -> where a column breaks it, given the rule's argument and the field."""
