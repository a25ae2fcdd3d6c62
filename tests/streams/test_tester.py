"""Validation of real Delta tables: which rows a scope takes, what the ledger is told, and that the same one is told once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.contract import TableRule
from contracts.errors import NotFound
from infra.quality import told
from infra.settings import Settings
from infra.wiring import emitter, key_store
from lineage.commits import commit_record
from lineage.facts import RunRef
from streams import land
from streams.batches import landing_batch
from streams.connectors import delta
from streams.connectors.kafka import Slot
from streams.encode import encoded_rows
from streams.engines import tester
from streams.engines.tester import Scope, validated
from streams.engines.writer import TableWriter
from streams.outcome import offset_ranges
from streams.setup import Limits, Setup
from streams.topology import test_job as job_of
from tests.streams.made import PLAIN, a_moment, cleaned, records_of, sent, value

LENIENT = replace(PLAIN, fields=tuple(replace(field, rules=()) for field in PLAIN.fields))
"""As PLAIN, for a table that was landed before its contract got rules."""


class Clock:
    """Time that goes on by a second each time it is asked."""

    def __init__(self) -> None:
        self.second = 0

    def __call__(self):
        self.second += 1
        return a_moment(self.second % 60).replace(minute=self.second // 60)


@pytest.fixture
def setup(tmp_settings: Settings) -> Setup:
    return Setup(
        client={"bootstrap.servers": "nowhere:9"},
        tables=tmp_settings.tables,
        contracts=(PLAIN,),
        emitter=emitter(tmp_settings),
        keys=key_store(tmp_settings),
        now=Clock(),
        instance="one",
        alive=lambda _instance: True,
        code_version="0",
        limits=Limits(compact_files=0),
    )


def landed(setup: Setup, *amounts: int, first: int = 0) -> int:
    """Land a row for each amount, in one commit, whatever PLAIN says of them; return the table version."""
    writer = TableWriter(setup, LENIENT, "silver", RunRef("shop.things.land", "land", "run", "direct", "0", a_moment()))
    writer.open()
    values = [value(f"k{first + n}", amount=amount, note="n") for n, amount in enumerate(amounts)]
    rows = cleaned(records_of(values, first=first), LENIENT).rows
    records = landing_batch(sent(encoded_rows(rows, LENIENT), LENIENT.clean_topic, first=first))
    outcome = land.process_batch(records, writer.held, LENIENT)
    spans = {Slot(LENIENT.clean_topic, p): span for p, span in offset_ranges(records["partition"], records["offset"]).items()}
    writer.buffer.add(outcome.rows, spans, records=len(values), size=1, repeated=0)
    writer.commit()
    return delta.current_version(writer.uri)


def broken(found: tester.Validated) -> dict[str, list[tuple[int, int]]]:
    return {f"{rule.field}: {rule.rule}": list(rule.examples) for rule in found.rules if not rule.holds}


def test_a_scope_takes_all_rows_those_of_one_commit_or_those_after_the_last_test(setup: Setup):
    one = landed(setup, 1, -1)
    found = validated(setup, PLAIN, tester.newest(setup, PLAIN), None)
    assert (found.rows, broken(found)) == (2, {"amount: minimum": [(0, 1)]})
    assert not found.ok
    assert tester.since_last(setup, PLAIN) is None
    two = landed(setup, 5, -2, -3, first=2)
    scope = tester.since_last(setup, PLAIN)
    assert scope == Scope("since", two, one)
    assert validated(setup, PLAIN, scope, None).rows == 3
    assert broken(validated(setup, PLAIN, Scope("commit", one), None)) == {"amount: minimum": [(0, 1)]}
    assert broken(validated(setup, PLAIN, Scope("all", one), None)) == {"amount: minimum": [(0, 1)]}
    assert broken(validated(setup, PLAIN, Scope("all", two), None)) == {"amount: minimum": [(0, 1), (0, 3), (0, 4)]}
    with pytest.raises(NotFound):
        validated(setup, PLAIN, Scope("commit", 0), None)


def test_compaction_changes_no_verdict_on_a_commits_rows(setup: Setup):
    landed(setup, 1, -1)
    two = landed(setup, 5, -2, first=2)
    before = broken(validated(setup, PLAIN, Scope("commit", two), None))
    delta.compact(tester.silver_uri(setup, PLAIN), metadata={"compacted_up_to": "2"})
    assert tester.since_last(setup, PLAIN) == Scope("all", delta.current_version(tester.silver_uri(setup, PLAIN)))
    assert broken(validated(setup, PLAIN, Scope("commit", two), None)) == before == {"amount: minimum": [(0, 3)]}


def test_a_test_of_one_commit_says_nothing_of_those_before(setup: Setup):
    landed(setup, 1)
    two = landed(setup, 2, first=1)
    validated(setup, PLAIN, Scope("commit", two), None)
    assert tester.since_last(setup, PLAIN) == Scope("all", two)


def test_another_contract_asks_all_rows_again(setup: Setup):
    version = landed(setup, 1)
    validated(setup, PLAIN, tester.newest(setup, PLAIN), None)
    assert tester.since_last(setup, replace(PLAIN, hash="b" * 64)) == Scope("all", version)


def test_the_same_validation_is_told_once_and_another_suites_anew(setup: Setup):
    landed(setup, 1)
    scope = tester.newest(setup, PLAIN)
    assert [validated(setup, PLAIN, scope, None).told for _ in range(2)] == [True, False]
    stricter = replace(PLAIN, table_rules=(TableRule("few", "rowCount", "mustBeLessThan", (9,)),), hash="b" * 64)
    assert validated(setup, stricter, scope, None).told
    assert len(setup.emitter.commits(job_of(PLAIN))) == 2


def test_a_crash_before_the_ledger_learns_of_it_leaves_the_test_to_be_made_again(setup: Setup, tmp_path: Path):
    landed(setup, 1)
    scope = tester.newest(setup, PLAIN)

    class Killed(Exception):
        pass

    def step(name: str) -> None:
        if name == "test docs":
            raise Killed

    with pytest.raises(Killed):
        validated(replace(setup, step=step), PLAIN, scope, tmp_path)
    assert tester.since_last(setup, PLAIN) == scope
    assert validated(setup, PLAIN, scope, tmp_path).told
    assert len(list((tmp_path / "results").rglob("*.json"))) == 1
    assert len(setup.emitter.commits(job_of(PLAIN))) == 1


def test_the_ledger_tells_each_rule_and_no_value_that_is_not_public(setup: Setup, tmp_settings: Settings):
    landed(setup, 7_654_321, -7_654_321)
    validated(setup, PLAIN, tester.newest(setup, PLAIN), None)
    events = [entry.event for entry in setup.emitter.ledger.events() if entry.event["job"]["name"] == job_of(PLAIN)]
    assert [event["eventType"] for event in events] == ["START", "RUNNING", "COMPLETE"]
    facets = events[1]["inputs"][0]["inputFacets"]
    verdicts = {(a["column"], a["name"]): (a["success"], a["actual"]) for a in facets["dataQualityAssertions"]["assertions"]}
    assert verdicts["amount", "minimum"] == (False, "1 of 2 rows break it")
    assert verdicts["id", "primaryKey"] == (True, "0 of 2 rows break it")
    assert facets["dataQualityMetrics"]["rowCount"] == 2
    assert facets["dataQualityMetrics"]["columnMetrics"]["note"] == {"count": 2, "nullCount": 0}
    assert "7654321" not in json.dumps(events)
    assert commit_record(events[1]) is not None
    assert told(tmp_settings, [PLAIN])[PLAIN.dataset]["fail"] == ["amount: minimum: 1 of 2 rows break it"]


def test_rules_over_the_table_see_all_rows_whatever_is_new(setup: Setup):
    rules = (
        TableRule("primaryKey", "duplicateValues", "mustBe", (0,), field="id"),
        TableRule("paid", "sql", "mustBe", (0,), query="SELECT count(*) FROM ${table} WHERE amount > 100"),
        TableRule("typo", "sql", "mustBe", (0,), query="SELECT nothing FROM ${table}"),
        TableRule("current", "duplicateValues", "mustBe", (0,), field="id", table="current"),
    )
    contract = replace(PLAIN, table_rules=rules)
    landed(setup, 1, 2)
    assert broken(validated(setup, contract, tester.newest(setup, contract), None)) == {": typo": []}
    landed(setup, 101, first=2)
    scope = tester.since_last(setup, contract)
    assert scope is not None
    found = validated(setup, contract, scope, None)
    assert (found.rows, broken(found)) == (1, {": paid": [], ": typo": []})
    assert [rule.failed for rule in found.rules if rule.rule == "typo"] == ["ColumnNotFoundError"]
    assert [(lost.rule, lost.why) for lost in found.unjudged] == [("current", "there is no current table yet")]


def test_watching_tests_what_is_new_until_told_to_stop(setup: Setup):
    seen: list[tuple[int, int]] = []
    rounds = iter([2, 3, 4])

    def again() -> bool:
        first = next(rounds, None)
        if first is not None:
            landed(setup, 1, first=first)
        return first is not None

    landed(setup, 1, 2)
    tester.watch(setup, again, lambda found: seen.append((found.scope.table_version, found.rows)))
    assert seen == [(1, 2), (2, 1), (3, 1), (4, 1)]
