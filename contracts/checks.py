"""A contract's row rules as Polars expressions: decided once per schema, run over whole columns.

A null breaks only `required` and the primary key. The first rule that a row breaks, in the contract's order (all missing
values before all other rules), is the one its dead letter names. Patterns are Rust's regular expressions, which run in
linear time whatever they are fed (https://docs.rs/regex/latest/regex/#untrusted-input); they must match the whole value
only if they say so with ^ and $.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import polars as pl

from contracts.contract import Contract, Field, Rule
from contracts.records import Reason

VALUE_TYPES = {"string": pl.String, "integer": pl.Int64, "number": pl.Float64}


@dataclass(frozen=True)
class Check:
    """One rule of one field, with the expression that is true on the rows that break it."""

    reason: Reason
    field: str
    rule: str
    broken: pl.Expr


@cache
def compiled(contract: Contract) -> tuple[Check, ...]:
    """Return the contract's checks in the order in which they decide."""
    missing = [_missing(field) for field in contract.fields if field.required]
    rules = [Check(Reason.RULE_BROKEN, f.name, rule.name, _broken(f, rule)) for f in contract.fields for rule in f.rules]
    return (*missing, *rules)


def broken_checks(rows: pl.DataFrame, contract: Contract) -> pl.Series:
    """Return, by row, the index in `compiled(contract)` of the first check that it breaks, or null."""
    checks = compiled(contract)
    if not checks or not rows.height:
        return pl.Series("check", [None] * rows.height, dtype=pl.UInt32)
    verdicts = rows.select(check.broken.fill_null(value=False).alias(str(index)) for index, check in enumerate(checks))
    if not verdicts.select(pl.any_horizontal(pl.all().any())).item():
        return pl.Series("check", [None], dtype=pl.UInt32).new_from_index(0, rows.height)
    firsts = pl.coalesce(pl.when(pl.col(str(index))).then(pl.lit(index, dtype=pl.UInt32)) for index in range(len(checks)))
    return verdicts.select(firsts.alias("check")).to_series()


def pattern_fault(pattern: object) -> str:
    """Return why a pattern cannot be compiled, or nothing."""
    if not isinstance(pattern, str):
        return f"came {type(pattern).__name__}, expected text"
    try:
        pl.Series([""]).str.contains(pattern, strict=True)
    except pl.exceptions.ComputeError as error:
        return str(error).splitlines()[-1]
    return ""


def _missing(field: Field) -> Check:
    reason = Reason.MISSING_KEY if field.primary_key else Reason.MISSING_VALUE
    return Check(reason, field.name, "primaryKey" if field.primary_key else "required", pl.col(field.name).is_null())


def _broken(field: Field, rule: Rule) -> pl.Expr:
    column, argument = pl.col(field.name), rule.argument
    if rule.kind == "valid_values" and isinstance(argument, tuple):
        return ~column.is_in(pl.Series(list(argument), dtype=VALUE_TYPES[field.logical_type]).implode())
    if rule.kind == "pattern":
        return ~column.str.contains(str(argument))
    expressions = {
        "minimum": lambda: column < argument,
        "maximum": lambda: column > argument,
        "exclusive_minimum": lambda: column <= argument,
        "exclusive_maximum": lambda: column >= argument,
        "min_length": lambda: column.str.len_chars() < argument,
        "max_length": lambda: column.str.len_chars() > argument,
    }
    return expressions[rule.kind]()
