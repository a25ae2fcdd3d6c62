"""Rows of a table as flat frames, which Great Expectations can judge: its pandas engine sees neither structs nor lists.

The first frame, named by the empty text, holds the contract's top level; each object and each list of single values or
objects has one more: a row per object that is there, a row per item. Every frame keeps the raw coordinates of the row that
it comes from, so that a verdict names the record and never a value. Measures stand beside the columns that they measure:
`tags#items` (how many), `tags#repeated` (how many of them repeat another), `<column>#<rule>` (whether a rule without a word
in Great Expectations holds), `=<rule>` (whether a rule over several columns does).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import polars as pl

from contracts.checks import BREAKS, row_expression
from contracts.contract import Contract, Field, TableRule
from contracts.expectations import HOLDS, ITEM, MEASURED, expectations, nested_frame
from contracts.masking import treatment
from contracts.records import KIND, OFFSET, PARTITION, Kind

COORDINATES = (PARTITION, OFFSET)
"""Raw coordinates within the contract's raw topic: what names a row."""

NESTED = ("object", "array")


def frames(rows: pl.DataFrame, contract: Contract) -> dict[str, pl.DataFrame]:
    """Return the frames that the contract's row expectations ask, by name. `rows` are silver's, in its columns."""
    wanted = {expectation.frame for expectation in expectations(contract) if expectation.table_rule is None}
    made = {name: frame for name, frame in _frames(_states(rows), contract.fields, "") if name in wanted}
    return made | ({"": made[""].with_columns(_spanning(contract))} if "" in made else {})


def _states(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows but for deletes, which tell a key and a time: little is demanded of them, and the stream has judged it."""
    return rows.filter(pl.col(KIND) != Kind.DELETE.value) if KIND in rows.columns else rows


def table_frames(rows: pl.DataFrame, contract: Contract) -> dict[str, pl.DataFrame]:
    """Return the frames that the rules over the whole table ask, without those of queries. Rows as in `frames`."""
    wanted = {e.frame for e in expectations(contract) if e.table_rule is not None and not e.frame.startswith("sql:")}
    made = {name: frame for name, frame in _frames(rows, contract.fields, "") if name in wanted}
    return {name: frame.with_columns(_invalidity(contract.table_rules, name)) for name, frame in made.items()}


def query_frame(rule: TableRule, measured: object) -> pl.DataFrame:
    """Return the frame of a query's rule: one row, that says whether the value that the query gave satisfies it."""
    return pl.DataFrame({HOLDS: [rule.holds(measured)]})


def _frames(rows: pl.DataFrame, fields: Iterable[Field], name: str) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield the frame of these fields, whose values stand in columns of their names, then those of what is nested in them."""
    here = [of for of in fields if (of.name or ITEM) in rows.columns]
    yield name, rows.select(*_coordinates(rows), *map(_flat, here), *_measures(here))
    for of in here:
        if treatment(of) != "nested":
            continue
        column, within = of.name or ITEM, nested_frame(name, of)
        held = rows.select(*_coordinates(rows), pl.col(column)).filter(pl.col(column).is_not_null())
        if of.logical_type == "object":
            yield from _frames(held.unnest(column), of.fields, within)
        elif of.items is not None:
            items = held.filter(pl.col(column).list.len() > 0).explode(column).rename({column: ITEM})
            yield from _frames(items, [of.items], within)


def _coordinates(rows: pl.DataFrame) -> list[str]:
    return [name for name in COORDINATES if name in rows.columns]


def _flat(of: Field) -> pl.Expr:
    """Return a field's column; of an object or a list, whether it is there: true or null."""
    column = pl.col(of.name or ITEM)
    if of.logical_type not in NESTED:
        return column
    return pl.when(column.is_not_null()).then(pl.lit(value=True)).alias(of.name or ITEM)


def _measures(fields: Iterable[Field]) -> Iterator[pl.Expr]:
    for of in fields:
        name = of.name or ITEM
        column, kinds = pl.col(name), {rule.kind for rule in of.rules}
        if kinds & {"min_items", "max_items"}:
            yield column.list.len().cast(pl.Int64).alias(f"{name}#items")
        if "unique_items" in kinds:
            repeated = column.list.len().cast(pl.Int64) - column.list.n_unique().cast(pl.Int64)
            yield repeated.alias(f"{name}#repeated")
        for rule in of.rules:
            if rule.kind in MEASURED:
                yield (~BREAKS[rule.kind](column, rule.argument, of)).alias(f"{name}#{rule.name}")


def _spanning(contract: Contract) -> Iterator[pl.Expr]:
    """Yield whether each rule over several columns holds. What it cannot tell (null) breaks nothing, as in the stream."""
    for rule in contract.rules:
        yield row_expression(str(rule.argument)).fill_null(value=True).alias(f"={rule.name}")


def _invalidity(rules: Iterable[TableRule], frame: str) -> Iterator[pl.Expr]:
    """Yield whether a value is valid by a set and by a pattern at once."""
    for rule in rules:
        place, _, name = rule.field.rpartition(".")
        values, pattern = rule.argument("validValues"), rule.argument("pattern")
        if place == frame and rule.metric == "invalidValues" and values is not None and pattern is not None:
            valid = pl.col(name).is_in(list(values)) & pl.col(name).str.contains(pattern)
            yield valid.alias(f"{name}#{rule.name}")
