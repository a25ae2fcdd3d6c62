"""Exports by datacontract-cli: each format that we name is made, and what cannot be is said plainly."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.connectors.exports import FORMATS, exported
from contracts.connectors.files import load_contract
from contracts.errors import NotFound
from infra.settings import PROJECT_FOLDER

DEPARTED = load_contract(PROJECT_FOLDER / "contracts" / "flights" / "departed.odcs.yaml")
RICH = load_contract(Path(__file__).parent / "rich.odcs.yaml")


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_that_is_named_is_made_of_an_example(name):
    text = exported(DEPARTED, name)
    assert "flight_id" in text or "FlightId" in text


def test_a_format_that_is_none_is_answered_with_those_that_are():
    with pytest.raises(NotFound, match="avro"):
        exported(RICH, "parchment")


def test_a_nested_contract_is_written_as_avro():
    assert '"shop' in exported(RICH, "avro") or '"orders"' in exported(RICH, "avro")
