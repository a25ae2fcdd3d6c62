"""What a validation found: counts and coordinates by expectation, never a value. Verdicts of parts add up to the whole's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from contracts.contract import TableRule
from contracts.expectations import Expectation

EXAMPLES_MAX = 5

Coordinates = tuple[int, int]
"""Raw partition and offset."""


@dataclass(frozen=True)
class Verdict:
    """What one expectation found in the rows that it was asked of."""

    expectation: Expectation
    rows: int = 0
    """Rows that it was asked of, those without a value included."""
    nulls: int = 0
    broken: int = 0
    examples: tuple[Coordinates, ...] = ()
    """Raw coordinates of some rows that broke it; of all, where the validation was told to be complete."""
    failed: str = ""
    """Why Great Expectations could not judge at all: the kind of error, no more, because its text can quote values."""

    @property
    def holds(self) -> bool:
        """Whether the rule is kept: no row breaks it, or the counts satisfy a rule over the whole table."""
        rule = self.expectation.table_rule
        if self.failed:
            return False
        if rule is None or rule.metric == "sql":
            return self.broken == 0
        return rule.holds(self.measured)

    @property
    def measured(self) -> float:
        """What a rule over the whole table is held against: rows, or percent of them."""
        rule = self.expectation.table_rule
        count = self.rows if rule is not None and rule.metric == "rowCount" else self.broken
        if rule is None or rule.unit == "rows":
            return count
        return 100 * count / self.rows if self.rows else 0.0

    def plus(self, other: Verdict) -> Verdict:
        """Return the verdict on two parts of the rows together."""
        return replace(
            self,
            rows=self.rows + other.rows,
            nulls=self.nulls + other.nulls,
            broken=self.broken + other.broken,
            examples=(*self.examples, *other.examples)[: max(EXAMPLES_MAX, len(self.examples))],
            failed=self.failed or other.failed,
        )


@dataclass(frozen=True)
class RuleVerdict:
    """What became of one rule of the contract: its expectations together."""

    rule: str
    field: str
    severity: str
    holds: bool
    rows: int
    broken: int
    examples: tuple[Coordinates, ...]
    failed: str
    asked: str
    """The first of its expectations' types."""
    expected: str
    """In words: of a rule over the table, its operator and bounds."""

    def as_json(self) -> dict[str, Any]:
        """Return it as `contract test --json` prints it."""
        return {
            "rule": self.rule,
            "field": self.field,
            "severity": self.severity,
            "holds": self.holds,
            "rows": self.rows,
            "broken": self.broken,
            "examples": [{"partition": partition, "offset": offset} for partition, offset in self.examples],
            **({"failed": self.failed} if self.failed else {}),
        }


def summed(parts: Iterable[Sequence[Verdict]]) -> tuple[Verdict, ...]:
    """Return the verdicts on parts of the rows, added up by expectation, in the order of the first part."""
    total: list[Verdict] = []
    for part in parts:
        total = [a.plus(b) for a, b in zip(total, part, strict=True)] if total else list(part)
    return tuple(total)


def by_rule(verdicts: Iterable[Verdict]) -> tuple[RuleVerdict, ...]:
    """Return the verdicts by the contract's rules. What a rule asks in two ways no row breaks in both, so counts add up."""
    grouped: dict[tuple[str, str, str], list[Verdict]] = {}
    for verdict in verdicts:
        asked = verdict.expectation
        grouped.setdefault((asked.frame, asked.field, asked.rule), []).append(verdict)
    return tuple(_rule_verdict(group) for group in grouped.values())


def _rule_verdict(group: Sequence[Verdict]) -> RuleVerdict:
    asked = group[0].expectation
    rule = asked.table_rule
    whole = replace(group[0], broken=sum(v.broken for v in group), failed=next((v.failed for v in group if v.failed), ""))
    return RuleVerdict(
        rule=asked.rule,
        field=asked.field,
        severity=rule.severity if rule is not None else "error",
        holds=whole.holds,
        rows=whole.rows,
        broken=whole.broken,
        examples=tuple(sorted({example for v in group for example in v.examples})[:EXAMPLES_MAX]),
        failed=whole.failed,
        asked=asked.type,
        expected="no row breaks it" if rule is None else rule_in_words(rule),
    )


def rule_in_words(rule: TableRule) -> str:
    """Return what a rule over the table asks: `rowCount mustBeGreaterThan 100 rows`."""
    return f"{rule.metric} {rule.operator} {' and '.join(map(str, rule.bounds))} {rule.unit}"


def failing(rules: Iterable[RuleVerdict]) -> tuple[RuleVerdict, ...]:
    """Return the rules that fail the table: those that only warn do not."""
    return tuple(rule for rule in rules if not rule.holds and rule.severity not in ("info", "warning"))


def counts(verdicts: Iterable[Verdict]) -> Mapping[str, int]:
    """Return how many rules hold, warn and fail."""
    rules = by_rule(verdicts)
    failed = len(failing(rules))
    held = sum(rule.holds for rule in rules)
    return {"hold": held, "warn": len(rules) - held - failed, "fail": failed}
