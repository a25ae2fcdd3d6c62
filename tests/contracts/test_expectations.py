"""A contract's rules as a suite that Great Expectations itself reads and judges, and what masking leaves to be asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from contracts.checks import compiled
from contracts.connectors.great_expectations import RESULTS_KEPT, Validation, judged, write_docs
from contracts.contract import Contract, Field, Rule, TableRule
from contracts.expectations import expectation_fault, expectations, suite, suite_hash, unjudged
from contracts.frames import COORDINATES, frames, table_frames
from contracts.verdicts import Verdict, by_rule, failing, summed
from tests.streams.made import cleaned, contract_of, records_of, value

NEST = contract_of(
    Field("amount", "integer", rules=(Rule("minimum", "minimum", 0), Rule("multipleOf", "multiple_of", 5))),
    Field("note", "string", rules=(Rule("maxLength", "max_length", 30),)),
    Field("code", "string", classification="restricted", rules=(Rule("pattern", "pattern", "^[0-9]+$"),)),
    Field("tags", "array", items=Field("", "string", classification="public", rules=(Rule("minLength", "min_length", 2),)),
          rules=(Rule("minItems", "min_items", 1), Rule("uniqueItems", "unique_items", True))),
    Field("place", "object", fields=(Field("city", "string", required=True, classification="public"),)),
    Field("lines", "array", items=Field("", "object", fields=(Field("n", "integer", rules=(Rule("maximum", "maximum", 9),)),))),
)  # fmt: skip
ROWS = pl.DataFrame(
    {
        "id": ["a", "b", "c", "d"],
        "at": [datetime(2026, 1, 1, tzinfo=UTC)] * 4,
        "amount": [5, -5, 7, None],
        "note": ["short", "x" * 40, "y" * 40 + "<email:4f2a>", None],
        "code": ["<masked>", "<masked>", None, "<masked>"],
        "tags": [["ab"], [], ["ab", "ab"], ["c"]],
        "place": [{"city": "x"}, {"city": None}, None, {"city": "y"}],
        "lines": [[{"n": 1}, {"n": 10}], [], None, [{"n": 9}]],
        "_partition": [0, 0, 1, 1],
        "_offset": [10, 11, 20, 21],
    },
    schema_overrides={"at": pl.Datetime("us", "UTC"), "_partition": pl.Int32},
)


def row_verdicts(contract: Contract, rows: pl.DataFrame = ROWS) -> dict[tuple[str, str], set[tuple[int, int]]]:
    asked = [e for e in expectations(contract) if e.table_rule is None]
    found = judged(frames(rows, contract), asked, COORDINATES, complete=True)
    assert not any(verdict.failed for verdict in found)
    made: dict[tuple[str, str], set[tuple[int, int]]] = {}
    for verdict in found:
        made.setdefault((verdict.expectation.field, verdict.expectation.rule), set()).update(verdict.examples)
    return made


def test_every_rule_is_judged_at_its_depth_and_names_the_rows_that_break_it():
    broken = {rule: rows for rule, rows in row_verdicts(NEST).items() if rows}
    assert broken == {
        ("amount", "minimum"): {(0, 11)},
        ("amount", "multipleOf"): {(1, 20)},
        ("note", "maxLength"): {(0, 11)},
        ("tags", "minItems"): {(0, 11)},
        ("tags", "uniqueItems"): {(1, 20)},
        ("tags[]", "minLength"): {(1, 21)},
        ("place.city", "required"): {(0, 11)},
        ("lines[].n", "maximum"): {(0, 10)},
    }


def test_a_rule_on_what_masking_replaced_is_told_as_not_asked_and_not_lost():
    assert [(lost.field, lost.rule) for lost in unjudged(NEST)] == [("code", "pattern")]
    asked = {(e.field, e.rule) for e in expectations(NEST)}
    every = {(f.name, r.name) for f in NEST.fields for r in f.rules}
    assert every <= asked | {("code", "pattern")}


def test_the_suite_is_what_great_expectations_reads():
    import great_expectations as gx

    read = gx.ExpectationSuite(**suite(NEST))
    assert [made.expectation_type for made in read.expectations] == [e.type for e in expectations(NEST)]
    assert read.expectations[0].meta["headwater"]["rule"] == "primaryKey"


def test_the_suites_hash_follows_the_rules():
    other = replace(
        NEST, fields=(*NEST.fields[:2], replace(NEST.fields[2], rules=(Rule("minimum", "minimum", 1),)), *NEST.fields[3:])
    )
    assert suite_hash(NEST) == suite_hash(replace(NEST))
    assert suite_hash(NEST) != suite_hash(other)


@pytest.mark.parametrize(
    ("operator", "bounds", "unit", "kept"),
    [
        ("mustBe", (0,), "rows", False),
        ("mustBeLessThan", (2,), "rows", True),
        ("mustBeLessOrEqualTo", (25,), "percent", True),
        ("mustBeLessThan", (25,), "percent", False),
    ],
)
def test_a_rule_over_the_table_is_held_by_its_counts(operator, bounds, unit, kept):
    rule = TableRule("few", "nullValues", operator, bounds, field="amount", unit=unit)
    contract = replace(NEST, table_rules=(rule,))
    asked = [e for e in expectations(contract) if e.table_rule is not None]
    found = judged(table_frames(ROWS, contract), asked, COORDINATES)
    assert [verdict.holds for verdict in found] == [kept]
    assert [verdict.broken for verdict in found] == [1]


@pytest.mark.parametrize(("missing", "broken"), [((None, 7), 2), ((7,), 1), ((None,), 1), ((8,), 0)])
def test_null_is_a_missing_value_only_where_the_rule_lists_it(missing: tuple[int | None, ...], broken: int):
    field = replace(NEST.fields[2], rules=(Rule("missingValues", "not_missing", missing),))
    over_table = TableRule("few", "missingValues", "mustBe", (0,), field="amount", arguments=(("missingValues", missing),))
    contract = replace(NEST, fields=(*NEST.fields[:2], field, *NEST.fields[3:]), table_rules=(over_table,))
    of_stream = [check.broken for check in compiled(contract) if check.rule == "missingValues"]
    asked = [e for e in expectations(contract) if e.table_rule is not None]
    assert len(row_verdicts(contract)["amount", "missingValues"]) == broken
    assert sum(ROWS.select(of_stream[0].fill_null(value=False)).to_series()) == broken
    assert sum(verdict.broken for verdict in judged(table_frames(ROWS, contract), asked, COORDINATES)) == broken


def test_a_key_that_stands_twice_is_found_and_one_masked_alike_is_not():
    twice = pl.concat([ROWS, ROWS.with_columns(pl.col("_offset") + 100)]).with_columns(note=pl.lit("<email:4f2a>"))
    rules = (
        TableRule("primaryKey", "duplicateValues", "mustBe", (0,), field="id"),
        TableRule("unique", "duplicateValues", "mustBe", (0,), field="note"),
        TableRule("pair", "duplicateValues", "mustBe", (0,), arguments=(("properties", ("id", "amount")),)),
        TableRule("many", "rowCount", "mustBeGreaterThan", (7,), severity="warning"),
    )
    contract = replace(NEST, table_rules=rules)
    asked = [e for e in expectations(contract) if e.table_rule is not None]
    found = judged(table_frames(twice, contract), asked, COORDINATES)
    assert [(verdict.broken, verdict.holds) for verdict in found] == [(8, False), (0, True), (8, False), (0, True)]
    assert [rule.rule for rule in failing(by_rule(found))] == ["primaryKey", "pair"]


def test_verdicts_of_parts_add_up_to_that_of_the_whole():
    asked = [e for e in expectations(NEST) if e.table_rule is None]

    def on(rows: pl.DataFrame) -> tuple[Verdict, ...]:
        return judged(frames(rows, NEST), asked, COORDINATES)

    parts = summed([on(ROWS[:1]), on(ROWS[1:3]), on(ROWS[3:])])
    whole = on(ROWS)
    assert [(v.rows, v.nulls, v.broken, v.examples) for v in parts] == [(v.rows, v.nulls, v.broken, v.examples) for v in whole]


def test_an_expectation_that_cannot_be_evaluated_is_a_verdict_without_the_value_that_broke_it():
    asked = [replace(next(e for e in expectations(NEST) if e.rule == "minimum"), kwargs={"column": "id", "min_value": 3})]
    verdict = judged({"": ROWS.with_columns(id=pl.lit("secret-value"))}, asked, COORDINATES)[0]
    assert verdict.failed
    assert "secret-value" not in repr(verdict)
    assert not verdict.holds


def test_bounds_that_floats_cannot_hold_are_a_fault():
    field = Field("n", "integer")
    assert expectation_fault(field, Rule("maximum", "maximum", 2**53))
    assert not expectation_fault(field, Rule("maximum", "maximum", 2**53 - 1))
    assert expectation_fault(Field("s", "string"), Rule("pattern", "pattern", "(?x)a b"))


def test_no_value_reaches_the_docs_and_nothing_is_written_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    home, here = tmp_path / "home", tmp_path / "here"
    for folder in (home, here):
        folder.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(here)
    rows = ROWS.with_columns(note=pl.lit("very long secret text of a made-up person"), amount=pl.lit(-987654321))
    asked = [e for e in expectations(NEST) if e.table_rule is None]
    verdicts = judged(frames(rows, NEST), asked, COORDINATES)
    page = write_docs(tmp_path / "site", Validation("shop.things", 3, "all", datetime(2026, 1, 1, tzinfo=UTC), verdicts, {}))
    files = [file for file in (tmp_path / "site").rglob("*") if file.is_file() and file.suffix in (".html", ".json")]
    assert page in files
    text = "".join(file.read_text("utf-8") for file in files)
    assert "shop.things" in text
    assert "maxLength" in text or "30" in text
    assert "secret" not in text
    assert "987654321" not in text
    assert [*home.rglob("*"), *here.rglob("*")] == []


def test_the_site_keeps_the_newest_validations_and_one_of_each(tmp_path: Path):
    def validation(version: int) -> Validation:
        return Validation("shop.things", version, "all", datetime(2026, 1, 1, 0, version, tzinfo=UTC), (), {})

    for version in [*range(RESULTS_KEPT + 2), RESULTS_KEPT + 1]:
        write_docs(tmp_path, validation(version))
    kept = sorted({file.parent.parent.name for file in (tmp_path / "results").rglob("*.json")})
    assert len(kept) == RESULTS_KEPT
    assert "v0-all" not in kept
    assert f"v{RESULTS_KEPT + 1}-all" in kept


def test_what_the_stream_let_through_the_suite_accepts():
    values = [value(n, amount=n * 5, note=f"call +44 20 7946 0018 {n}", tags=["ab"], place={"city": "x"}) for n in range(-3, 9)]
    rows = cleaned(records_of(values), NEST).rows
    found = row_verdicts(NEST, pl.DataFrame(pl.from_arrow(rows)))
    assert rows.num_rows == 9
    assert not any(found.values())
