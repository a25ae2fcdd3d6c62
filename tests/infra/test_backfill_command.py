"""`headwater backfill` as it is typed: what it says, how it exits, and that a second one finds nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from contracts.keys import record_subject
from infra.bench import records
from infra.bench.backfill_sides import archive_made
from infra.commands.backfill import backfill
from infra.settings import Settings
from infra.wiring import key_store


@pytest.fixture
def archived(tmp_settings: Settings) -> Settings:
    made = replace(tmp_settings, contracts=(records.CONTRACTS,))
    archive_made(made, 40)
    return made


def asked(settings: Settings, *words: str) -> Result:
    return CliRunner().invoke(backfill, [records.DATASET, *words], obj=settings)


def counts(done: Result) -> dict[str, Any]:
    return dict(json.loads(done.stdout))


def test_it_fills_once_and_a_second_one_finds_nothing(archived):
    planned = asked(archived, "--dry-run")
    assert planned.exit_code == 0
    assert "40 to be judged" in planned.output
    first = asked(archived, "--json")
    assert (first.exit_code, counts(first)["rows"], counts(first)["held"]) == (0, 40, 0)
    again = asked(archived, "--json")
    assert (again.exit_code, counts(again)["judged"], counts(again)["held"]) == (0, 0, 40)


def test_only_what_was_asked_for_is_filled(archived):
    assert counts(asked(archived, "--offsets", "2:3-5", "--json"))["rows"] == 3
    assert counts(asked(archived, "--from", "2099-01-01", "--json"))["selected"] == 0


def test_it_exits_1_where_a_record_is_erased_and_2_for_a_time_that_is_none(archived):
    key_store(archived).destroy(record_subject(f"{records.DATASET}.raw.v1", 0, 0))
    done = asked(archived)
    assert done.exit_code == 1
    assert "1 erased" in done.output
    assert asked(archived, "--from", "yesterday").exit_code == 2
