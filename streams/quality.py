"""What a validation tells lineage: verdicts as assertions, and counts by column. No value but the bounds of public numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import polars as pl

from contracts.contract import Contract
from contracts.verdicts import RuleVerdict, Verdict, by_rule
from lineage.facts import Assertion, ColumnMetrics, Quality

WORDS = re.compile(r"\$?\{(table|column)\}")
NUMBERS = ("integer", "number")


def column_metrics(rows: pl.DataFrame, contract: Contract) -> dict[str, ColumnMetrics]:
    """Return the counts of the contract's own columns. Bounds are left out where the contract does not say `public`."""
    made = {}
    for field in contract.fields:
        if field.name not in rows.columns:
            continue
        column = rows[field.name]
        shown = field.public and field.logical_type in NUMBERS
        low, high = (column.min(), column.max()) if shown else (None, None)
        nulls = column.null_count()
        made[field.name] = ColumnMetrics(rows.height - nulls, nulls, _number(low), _number(high))
    return made


def summed_metrics(parts: Iterable[Mapping[str, ColumnMetrics]]) -> dict[str, ColumnMetrics]:
    """Return the counts of parts of the rows together."""
    total: dict[str, ColumnMetrics] = {}
    for part in parts:
        total |= {name: _sum(total[name], one) if name in total else one for name, one in part.items()}
    return total


def quality(rows: int, verdicts: Iterable[Verdict], columns: Mapping[str, ColumnMetrics]) -> Quality:
    """Return what the verdicts on so many rows come to, as facts."""
    return Quality(rows, tuple(_assertion(verdict) for verdict in by_rule(verdicts)), columns)


def query_result(query: str, rows: pl.LazyFrame, column: str) -> object:
    """Return the one value that a contract's SQL gives. `${table}` and `${column}` (ODCS's words) stand for what is judged.

    Raises PolarsError for a query that cannot be run, ValueError for one that gives more, or less, than a value.
    """
    text = WORDS.sub(lambda word: "landed" if word[1] == "table" else column, query)
    found = pl.SQLContext({"landed": rows}).execute(text).collect()
    if found.shape != (1, 1):
        raise ValueError(f"the query gave {found.height} rows of {found.width} columns: expected one value")
    return found.item()


def _sum(a: ColumnMetrics, b: ColumnMetrics) -> ColumnMetrics:
    lows = [low for low in (a.minimum, b.minimum) if low is not None]
    highs = [high for high in (a.maximum, b.maximum) if high is not None]
    return ColumnMetrics(a.count + b.count, a.nulls + b.nulls, min(lows, default=None), max(highs, default=None))


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) else None


def _assertion(verdict: RuleVerdict) -> Assertion:
    return Assertion(
        assertion=verdict.asked,
        success=verdict.holds,
        name=verdict.rule,
        column=verdict.field,
        severity="warn" if verdict.severity in ("info", "warning") else "error",
        expected=verdict.expected,
        actual=f"{verdict.failed} raised" if verdict.failed else f"{verdict.broken} of {verdict.rows} rows break it",
    )
