"""`headwater contract show|export|docs`: what a person and a script get."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from infra.commands.contract_pages import TARGETS
from infra.commands.contract_targets import TARGETS as SHOWN
from infra.main import main


def run(*arguments: str):
    return CliRunner().invoke(main, ["contract", *arguments], catch_exceptions=False)


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_is_shown_as_text_and_as_json(target):
    assert set(TARGETS) == set(SHOWN)
    shown = run("show", "docs.pages", "--target", target)
    assert shown.exit_code == 0
    assert "page_id" in shown.output
    assert json.loads(run("show", "docs.pages", "--target", target, "--json").stdout)


def test_a_dataset_that_is_not_there_is_answered_with_those_that_are():
    shown = run("show", "docs.pagse")
    assert shown.exit_code == 1
    assert "docs.pages" in shown.output


def test_docs_are_written_for_every_contract_with_an_index(tmp_path):
    written = run("docs", "--out", str(tmp_path), "--json")
    assert written.exit_code == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert {"index.html", "docs.pages.html", "flights.departed.html"} <= names
    assert len(json.loads(written.stdout)["files"]) == len(names)


def test_an_export_is_written_where_it_should_be(tmp_path):
    assert run("export", "flights.departed", "mermaid", "--out", str(tmp_path / "x")).exit_code == 0
    assert "flight_id" in (tmp_path / "x").read_text("utf-8")
