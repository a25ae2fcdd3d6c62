"""Cases beside contracts: what they say is compared whole, a difference is readable, an update keeps what a person wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from contracts.connectors.files import contract_files
from contracts.errors import ContractInvalid
from infra.main import main
from infra.settings import PROJECT_FOLDER
from streams.cases import case_of, differences, fates
from streams.connectors.case_files import case_files, read_case, update_case
from tests.contracts.made import SOUND
from tests.streams.made import PLAIN

GOOD = {"id": "a", "at": "2013-01-01T06:00:00Z", "amount": 3}


def case(*records: object):
    return case_of({"about": "made up", "records": list(records)}, "made.yaml")


def lines(*records: object) -> list[str]:
    made = case(*records)
    return [line for difference in differences(made, fates(made, PLAIN)) for line in difference.lines()]


def test_a_row_that_is_just_what_was_sent_is_the_same():
    assert fates(case({"value": {**GOOD, "note": None}}), PLAIN) == [{"row": "same"}]
    assert lines({"value": GOOD, "row": "same"}, {"value": {**GOOD, "amount": 4}, "row": {**GOOD, "amount": 4}}) == []


def test_every_way_to_write_a_value_has_its_fate():
    records = (
        {"value": GOOD, "row": "same"},
        {"value": GOOD, "dead_letter": {"reason": "duplicate", "original": 0}},
        {"value": None, "dead_letter": {"reason": "null_value"}},
        {"text": "{", "dead_letter": {"reason": "undecodable", "rule": "json"}},
        {"base64": "/w==", "dead_letter": {"reason": "undecodable", "rule": "utf-8"}},
        {"value": {**GOOD, "amount": -1}, "dead_letter": {"reason": "rule_broken", "field": "amount", "rule": "minimum"}},
    )
    assert lines(*records) == []


def test_a_difference_says_which_part_of_which_record_differs():
    assert lines({"value": GOOD, "row": {**GOOD, "amount": 4}}) == ["  record 0:", "    - amount: 4", "    + amount: 3"]
    assert lines({"value": GOOD, "dead_letter": {"reason": "null_value"}})[:2] == [
        "  record 0: expected dead_letter, came row",
        "    + amount: 3",
    ]
    assert lines({"value": GOOD, "row": {**GOOD, "paid": True}}) == ["  record 0:", "    - paid: true"]


@pytest.mark.parametrize(
    "record",
    [{}, {"value": 1, "text": "1"}, {"value": GOOD, "rows": {}}, {"value": GOOD, "row": "as sent"}, {"base64": "?"},
     {"value": GOOD, "row": "same", "dead_letter": {}}, {"value": GOOD, "at": "yesterday"}, {"value": GOOD, "at": "2026-01-01"}],
)  # fmt: skip
def test_what_is_no_case_is_refused_with_its_place(record: object):
    with pytest.raises(ContractInvalid) as caught:
        case({"value": GOOD}, record)
    assert "record 1" in caught.value.where


def test_a_case_without_records_is_refused():
    with pytest.raises(ContractInvalid):
        case_of({"about": "nothing"}, "made.yaml")


def test_an_update_writes_what_came_and_keeps_the_rest(tmp_path: Path):
    file = tmp_path / "one.yaml"
    file.write_text(
        "# Why this case.\nabout: made up\nrecords:\n"
        "  # Kept.\n  - value: {id: a, at: '2013-01-01T06:00:00Z', note: null}\n    row: {id: wrong}\n"
        "  - value: {id: b, at: '2013-01-01T06:00:00Z', amount: -1}\n    row: same\n"
    )
    came = fates(read_case(file), PLAIN)
    update_case(file, came)
    text = file.read_text("utf-8")
    assert differences(read_case(file), came) == []
    assert "# Why this case." in text
    assert "# Kept." in text
    assert "note: null" in text
    assert "dead_letter: {reason: rule_broken, field: amount, rule: minimum}" in text
    update_case(file, came)
    assert file.read_text("utf-8") == text


def test_every_example_contract_has_cases_and_they_hold():
    for file in contract_files([PROJECT_FOLDER / "contracts"]):
        assert case_files(file), f"{file} has no cases"
    done = CliRunner().invoke(main, ["contract", "test", "--cases", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert {run["dataset"] for run in told["cases"]} >= {"docs.pages", "flights.departed", "flights.weather"}


def test_the_command_fails_on_a_difference_updates_on_request_and_then_holds(tmp_path: Path):
    (tmp_path / "orders.odcs.yaml").write_text(SOUND)
    cases = tmp_path / "orders.cases"
    cases.mkdir()
    (cases / "one.yaml").write_text("about: an order\nrecords:\n  - value: {order_id: a}\n    row: same\n")
    (tmp_path / "headwater.toml").write_text(f'contracts = ["{tmp_path}"]\n')

    def ran(*more: str):
        return CliRunner().invoke(main, ["--config", str(tmp_path / "headwater.toml"), "contract", "test", "--cases", *more])

    failed = ran()
    assert failed.exit_code == 1
    assert "expected row, came dead_letter" in failed.output
    assert ran("--update").exit_code == 0
    assert ran().exit_code == 0
    assert ran("--since-last").exit_code == 2
