"""`headwater bench checks`: what twenty rules add to the clean hop, on records of one kilobyte.

Both sides are the same hop on the same records, under one contract: with its rules, and without all but key and event time. It is
measured twice: the hop's pure function, the sides taking turns batch by batch, and the whole drained hop with Kafka. That the
rules judge is shown beside it: a record that breaks one rule is planted for each, and its dead letter must name that rule.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
import yaml

from contracts.checks import compiled
from contracts.connectors.files import load_contract, odcs_schema
from contracts.contract import Contract
from contracts.lint import read
from contracts.records import RECORD_SCHEMA
from infra.bench import place, records
from infra.bench.frame import Ratio, Report, interleaved, machine, ratio_of, spread
from infra.settings import Settings

RULES = Path(__file__).parent / "rules.odcs.yaml"
RULE_COUNT = 20
RECORDS = 50_000
DRAINED_SHARE = 4
"""So many times as many records go through the drained hop as through the pure function: it has a start to make up for."""
BATCH = 5_000
GOAL = 0.15
RECORD_BYTES_MAX = 4 * 1024 * 1024
WINDOW = 20_000
KEY = bytes(32)
"""In place of an installation's secret."""
RULE_TURNS = 20
CLEAN, LETTERS = (f"{records.DATASET}.{kind}.v1" for kind in ("clean", "dlq"))

BREAKS: dict[tuple[str | None, str], dict[str, Any]] = {
    ("amount", "required"): {"amount": None},
    ("active", "required"): {"active": None},
    ("country", "required"): {"country": None},
    ("author", "missingValues"): {"author": "N/A"},
    ("record_id", "minLength"): {"record_id": "r-1"},
    ("record_id", "maxLength"): {"record_id": "r-000000001"},
    ("record_id", "pattern"): {"record_id": "R-00000001"},
    ("happened_at", "minimum"): {"happened_at": "2012-12-31T23:59:59Z"},
    ("happened_at", "exclusiveMaximum"): {"happened_at": "2100-01-01T00:00:00Z"},
    ("amount", "minimum"): {"amount": -0.125},
    ("amount", "maximum"): {"amount": 1000000.125},
    ("amount", "multipleOf"): {"amount": 0.1},
    ("count", "minimum"): {"count": -1},
    ("count", "format"): {"count": 32_768, "amount": 100_000},
    ("country", "invalidValues"): {"country": "XX"},
    ("author", "pattern"): {"author": "program"},
    ("text", "minLength"): {"text": ""},
    ("text", "maxLength"): {"text": "x" * 601},
    ("payload", "pattern"): {"payload": "a0b1c2" * 40 + "g"},
    (None, "count within amount"): {"count": 2_000, "amount": 1},
}
"""Field and rule -> how a good record is changed so that it breaks that rule, and none that is asked before it."""

Passed = Mapping[str, float]


def run(settings: Settings, rounds: int, count: int | None = None) -> Report:
    """Measure; `count` is how many records each side of a round takes through the pure function."""
    count = count or RECORDS
    ruled, plain = load_contract(RULES), without_rules(RULES.read_text("utf-8"))
    place.demand("rules of the contract", len(compiled(ruled)) - len(compiled(plain)), RULE_COUNT)
    place.demand("rules that name the record that breaks them", len(named(ruled)), RULE_COUNT)
    given = batches(list(records.values(count)))
    _passed(given[:1], {"ruled": ruled, "plain": plain}, 0)
    pure = [_passed(given, {"ruled": ruled, "plain": plain}, number) for number in range(rounds)]
    drained = _drained(settings, rounds, count * DRAINED_SHARE)
    return _report(pure, drained, count, _each_rule(given[0], ruled))


def without_rules(text: str) -> Contract:
    """Return a contract's file read without its rules: key and event time stay required, as in every contract."""
    return read(_stripped(text), "without rules", odcs_schema())


def _stripped(text: str) -> str:
    data = yaml.safe_load(text)
    event_time = next(each["value"] for each in data["customProperties"] if each["property"] == "eventTime")
    data["schema"][0].pop("quality", None)
    for item in data["schema"][0]["properties"]:
        kept = item.get("primaryKey") or item["name"] == event_time
        for rule in ("logicalTypeOptions", "quality", *(() if kept else ("required",))):
            item.pop(rule, None)
    return str(yaml.safe_dump(data, sort_keys=False))


def named(contract: Contract) -> set[tuple[str | None, str]]:
    """Return the rules, by field and name, that the dead letters of the planted records name, each its own."""
    from streams.clean import process_batch

    good = orjson.loads(next(records.values(1)))
    texts = (f"{good['text'][:500]} {number}" for number in range(len(BREAKS)))  # so that none is another's duplicate
    values = [orjson.dumps({**good, "text": text, **broken}) for text, broken in zip(texts, BREAKS.values(), strict=True)]
    letters = process_batch(batches(values)[0], _state(), contract).dead_letters.to_pylist()
    told = {letter["_offset"]: (letter["field"], letter["rule"]) for letter in letters}
    return {rule for offset, rule in enumerate(BREAKS) if told.get(offset) == rule}


def batches(values: Sequence[bytes]) -> list[pa.RecordBatch]:
    """Return values as batches of one partition's raw records."""
    made = []
    for first in range(0, len(values), BATCH):
        part = values[first : first + BATCH]
        columns = {
            "partition": pa.array(np.zeros(len(part), np.int32)),
            "offset": pa.array(np.arange(first, first + len(part))),
            "timestamp_ms": pa.array(np.full(len(part), 1_767_225_600_000)),
            "key": pa.nulls(len(part), pa.large_binary()),
            "value": pa.array(part, pa.large_binary()),
        }
        made.append(pa.record_batch([columns[name] for name in RECORD_SCHEMA.names], schema=RECORD_SCHEMA))
    return made


def _state() -> Any:
    from streams.clean import CleanState

    return CleanState({}, WINDOW, RECORD_BYTES_MAX, masking_key=KEY)


def _passed(given: Sequence[pa.RecordBatch], contracts: Mapping[str, Contract], number: int) -> Passed:
    """Take the batches through the hop under each contract in turn; return each side's CPU microseconds a record."""
    from streams.clean import process_batch

    states = {side: _state() for side in contracts}
    seconds, rows = dict.fromkeys(contracts, 0.0), dict.fromkeys(contracts, 0)
    for at, batch in enumerate(given):
        for side in list(contracts)[:: 1 if (at + number) % 2 else -1]:
            began = time.process_time()
            outcome = process_batch(batch, states[side], contracts[side])
            seconds[side] += time.process_time() - began
            states[side], rows[side] = outcome.state, rows[side] + outcome.rows.num_rows
    size = sum(batch.num_rows for batch in given)
    for side, found in rows.items():
        place.demand(f"rows of the side {side}", found, size)
    return {side: used / size * 1e6 for side, used in seconds.items()}


def _each_rule(batch: pa.RecordBatch, contract: Contract) -> dict[str, float]:
    """Return the CPU nanoseconds a record of each rule alone, the dearest first."""
    from streams.decode import decoded_values
    from streams.text import regular_rows

    decoded = decoded_values(batch["value"], np.arange(batch.num_rows), contract)
    rows = regular_rows(decoded.rows, contract)
    counted = [check for check in compiled(contract) if (check.field, check.rule) in BREAKS]
    cost = {f"{check.field or 'row'}: {check.rule}": _nanoseconds(rows, check.broken) for check in counted}
    return dict(sorted(cost.items(), key=lambda item: -item[1]))


def _nanoseconds(rows: pl.DataFrame, broken: pl.Expr) -> float:
    def once() -> float:
        began = time.process_time()
        rows.select(broken.any())
        return time.process_time() - began

    return spread([once() / rows.height * 1e9 for _ in range(RULE_TURNS)])["median"]


def _drained(settings: Settings, rounds: int, count: int) -> Mapping[str, list[dict[str, float]]]:
    """Clean a topic from nothing under each contract in turn, each side a process of its own."""
    with place.scratch(replace(settings, contracts=(RULES,))) as ours:
        plain = ours.home / "plain.odcs.yaml"
        plain.write_text(_stripped(RULES.read_text("utf-8")), "utf-8")
        place.filled(ours, f"{records.DATASET}.raw.v1", 4, count)

        def side(name: str, file: Path) -> Callable[[int], Mapping[str, float]]:
            def cleaned(number: int) -> Mapping[str, float]:
                place.emptied(ours, [CLEAN, LETTERS])
                own = replace(ours, home=ours.home / f"{name}-{number}", contracts=(file,))
                figures = place.measured(own, "clean_drained")
                place.demand("records cleaned", figures["records"], count)
                return figures

            return cleaned

        return interleaved(rounds, {"ruled": side("ruled", RULES), "plain": side("plain", plain)})


def _added(ruled: Sequence[float], plain: Sequence[float], where: str) -> Ratio:
    more = [a - b for a, b in zip(ruled, plain, strict=True)]
    return ratio_of(f"CPU time that {RULE_COUNT} rules add / of {where} without them", more, plain, GOAL, at_most=True)


def _report(
    pure: Sequence[Passed], drained: Mapping[str, Sequence[Mapping[str, float]]], count: int, each: Mapping[str, float]
) -> Report:
    by_side = {side: [figures[side] for figures in pure] for side in ("ruled", "plain")}
    cpu = {side: [figures["cpu_us_per_record"] for figures in rounds] for side, rounds in drained.items()}
    return Report(
        "checks",
        {
            "function": _added(by_side["ruled"], by_side["plain"], "the hop's pure function"),
            "hop": _added(cpu["ruled"], cpu["plain"], "the drained hop"),
        },
        {
            "records": count,
            "rules": RULE_COUNT,
            "rules_that_name_their_planted_record": RULE_COUNT,
            "cpu_us_per_record": {
                "function": {side: spread(values) for side, values in by_side.items()},
                "hop": {side: spread(values) for side, values in cpu.items()},
            },
            "cpu_ns_per_record_of_each_rule": dict(each),
        },
        (
            "CPU time of all threads. Both sides are the same hop on the same records, which obey every rule.",
            "The rules stand in infra/bench/rules.odcs.yaml; the side without them keeps key and event time.",
        ),
        machine(),
    )
