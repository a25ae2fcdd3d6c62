"""Whether the stream's predicates and the landed table's suite say the same, row by row, of rows made from the contract.

Both are compiled from one contract, in two languages: one by `contracts.checks` for Polars, one by `contracts.expectations` for
Great Expectations. What one lets through the other must accept. Each rule is asked of rows in which one field after the other
takes each of its sample values, the others being good; a rule on which the two differ is an error that names it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from contracts.checks import compiled
from contracts.contract import Contract, Field
from contracts.errors import RulesDisagree
from contracts.expectations import PLACEHOLDER_PATTERN, Expectation, expectations
from contracts.frames import COORDINATES, frames
from contracts.masking import treatment
from contracts.records import KIND, OFFSET, PARTITION
from contracts.samples import samples
from contracts.schema import arrow_schema
from contracts.verdicts import Verdict

Judge = Callable[[Mapping[str, pl.DataFrame], Sequence[Expectation]], Sequence[Verdict]]
"""Great Expectations, told to name every row that breaks an expectation."""

EXAMPLES = 3


@dataclass(frozen=True)
class Disagreement:
    """One rule on which the two differ, and the rows of `sample_rows` on which they do."""

    field: str
    rule: str
    stream_alone: tuple[int, ...]
    """Rows that only the stream's predicate calls broken."""
    suite_alone: tuple[int, ...]

    def __str__(self) -> str:
        sides = (("the stream alone", self.stream_alone), ("the suite alone", self.suite_alone))
        told = [f"{who} rejects {len(rows)} rows ({', '.join(map(str, rows[:EXAMPLES]))})" for who, rows in sides if rows]
        return f"{self.field or 'row'}: {self.rule}: {', '.join(told)}"


def sample_rows(contract: Contract) -> pl.DataFrame:
    """Return rows with the contract's columns and made coordinates: a good one, as far as there is one, and its variations."""
    each = {field.name: samples(field) for field in contract.fields}
    good = {field.name: _good(field, each[field.name], contract) for field in contract.fields}
    rows = [good, *({**good, name: value} for name, values in each.items() for value in values)]
    columns = {name: [row[name] for row in rows] for name in each}
    kinds = {} if contract.change == "append" else {KIND: ["insert"] * len(rows)}
    places = {PARTITION: [0] * len(rows), OFFSET: list(range(len(rows)))}
    return pl.DataFrame(columns | kinds | places, schema_overrides=_schema(contract) | {PARTITION: pl.Int32()})


def disagreements(contract: Contract, rows: pl.DataFrame, judge: Judge) -> list[Disagreement]:
    """Return the rules on which the two differ. Rows are those of `sample_rows`, or like them."""
    of_suite, shown = _suite_broken(contract, rows, judge), _shown(contract, rows)
    found = []
    for (path, rule), of_stream in _stream_broken(contract, rows).items():
        if (path, rule) not in of_suite:
            continue
        hidden = shown.get(re.split(r"[.\[]", path)[0], set()) if path else set().union(*shown.values())
        stream, suite = of_stream - hidden, of_suite[path, rule] - hidden
        if stream != suite:
            found.append(Disagreement(path, rule, tuple(sorted(stream - suite)), tuple(sorted(suite - stream))))
    return found


def demand_agreement(contract: Contract, judge: Judge) -> int:
    """Return on how many rows the two agree. Raises RulesDisagree, naming each rule on which they do not."""
    rows = sample_rows(contract)
    found = disagreements(contract, rows, judge)
    if found:
        listed = "\n  ".join(map(str, found))
        raise RulesDisagree(
            f"stream and suite disagree on {len(found)} rules:\n  {listed}",
            expected="one verdict on every row",
            where=contract.dataset,
            remedy="a fault of ours: report the rule with its contract, and say it in other words meanwhile",
        )
    return int(rows.height)


def demand_accepted(contract: Contract, rows: pl.DataFrame, judge: Judge) -> int:
    """Return how many rows that the stream let through the suite accepts. Raises RulesDisagree if it rejects one."""
    broken = {rule: places for rule, places in _suite_broken(contract, rows, judge).items() if places}
    if broken:
        listed = "\n  ".join(f"{path or 'row'}: {rule}: {len(places)} rows" for (path, rule), places in broken.items())
        raise RulesDisagree(
            f"the suite rejects rows that the stream let through:\n  {listed}",
            expected="the landed table to obey every rule that the stream enforces",
            where=contract.dataset,
            remedy="a fault of ours: report the rule with its contract",
        )
    return int(rows.height)


def _stream_broken(contract: Contract, rows: pl.DataFrame) -> dict[tuple[str, str], set[int]]:
    broken: dict[tuple[str, str], set[int]] = {}
    for check in compiled(contract):
        offsets = rows.filter(check.broken.fill_null(value=False))[OFFSET].to_list()
        broken.setdefault((check.field or "", check.rule), set()).update(offsets)
    return broken


def _suite_broken(contract: Contract, rows: pl.DataFrame, judge: Judge) -> dict[tuple[str, str], set[int]]:
    asked = [e for e in expectations(contract) if e.table_rule is None]
    broken: dict[tuple[str, str], set[int]] = {}
    for verdict in judge(frames(rows, contract), asked):
        if verdict.failed:
            raise RulesDisagree(
                f"{verdict.expectation.field}: {verdict.expectation.rule}: the suite cannot judge it ({verdict.failed})",
                where=contract.dataset,
                remedy="a fault of ours: report the rule with its contract",
            )
        offsets = broken.setdefault((verdict.expectation.field, verdict.expectation.rule), set())
        offsets.update(offset for _, offset in verdict.examples)
    return broken


def _shown(contract: Contract, rows: pl.DataFrame) -> dict[str, set[int]]:
    """Return, by top-level field, the rows with a placeholder in it: of its text the table cannot be asked."""
    placeholder = re.compile(PLACEHOLDER_PATTERN)
    names = [field.name for field in contract.fields if treatment(field) in ("free_text", "nested")]
    return {
        name: {n for n, value in zip(rows[OFFSET], rows[name].to_list(), strict=True) if placeholder.search(repr(value))}
        for name in names
    }


def _good(of: Field, values: list[Any], contract: Contract) -> Any:
    """Return the first sample that breaks no rule of its field; else the first."""
    frame = pl.DataFrame({of.name: values}, schema={of.name: _schema(contract)[of.name]}).with_row_index()
    frame = frame.with_columns(pl.lit("insert").alias(KIND))
    checks = [check for check in compiled(contract) if re.split(r"[.\[]", check.field or "")[0] == of.name]
    good = frame.filter(~pl.any_horizontal(pl.lit(value=False), *(c.broken.fill_null(value=False) for c in checks)))
    first = next((n for n in good["index"] if values[n] is not None), None)
    return values[good["index"][0] if first is None and good.height else first or 0]


def _schema(contract: Contract) -> dict[str, pl.DataType]:
    read = pl.DataFrame(pl.from_arrow(arrow_schema(contract).empty_table()))
    return dict(read.schema)


def complete(judged: Callable[..., Sequence[Verdict]]) -> Judge:
    """Return Great Expectations' judge (`connectors.great_expectations.judged`) as one that names every broken row."""
    return lambda made, asked: judged(made, asked, COORDINATES, complete=True)
