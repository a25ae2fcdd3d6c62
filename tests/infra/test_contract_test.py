"""`headwater contract test` on landed tables: exit codes, what it prints and leaves, and a process of its own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from contracts.connectors.files import load_contract
from contracts.contract import Contract
from infra.main import main
from infra.quality import validated_beside
from infra.settings import Settings, load_settings
from infra.wiring import emitter, key_store, now
from lineage.facts import RunRef
from streams.clean import process_batch
from streams.connectors.kafka import Slot
from streams.engines.writer import TableWriter
from streams.setup import Limits, Setup
from tests.contracts.made import SOUND
from tests.streams.made import records_of

PRIVATE = "blue elephant"
"""Stands in a field that the contract does not say is public."""


@pytest.fixture
def contract(tmp_path: Path) -> Contract:
    (tmp_path / "orders.odcs.yaml").write_text(SOUND)
    (tmp_path / "headwater.toml").write_text(f'contracts = ["{tmp_path}"]\nhome = "home"\n')
    return load_contract(tmp_path / "orders.odcs.yaml")


@pytest.fixture
def settings(tmp_path: Path, contract: Contract) -> Settings:
    return load_settings(tmp_path / "headwater.toml", environ={}, folder=tmp_path)


def land(settings: Settings, contract: Contract, *values: bytes, first: int = 0) -> None:
    """Land values in one commit, judged by no rule: as if the contract had got its rules later."""
    lenient = replace(contract, fields=tuple(replace(field, rules=()) for field in contract.fields))
    given = Setup(
        client={"bootstrap.servers": "nowhere:9"},
        tables=settings.tables,
        contracts=(lenient,),
        emitter=emitter(settings),
        keys=key_store(settings),
        now=now,
        instance="one",
        alive=lambda _instance: True,
        code_version="0",
        limits=Limits(compact_files=0),
    )
    from streams.cases import fresh_state

    outcome = process_batch(records_of(list(values), first=first), fresh_state(), lenient)
    assert outcome.rows.num_rows == len(values)
    writer = TableWriter(given, lenient, "silver", RunRef("shop.orders.land", "land", "run", "direct", "0", now()))
    writer.open()
    span = {Slot(lenient.clean_topic, 0): (first, first + len(values) - 1)}
    writer.buffer.add(outcome.rows, span, records=len(values), size=1, repeated=0)
    writer.commit()


def order(key: str, amount: int) -> bytes:
    told = {"order_id": key, "ordered_at": "2026-01-01T00:00:00Z", "amount": amount, "buyer": {"city": PRIVATE}}
    return json.dumps(told).encode()


def ran(settings: Settings, *arguments: str) -> Result:
    config = settings.home.parent / "headwater.toml"
    return CliRunner().invoke(main, ["--config", str(config), "--home", str(settings.home), "contract", "test", *arguments])


def test_it_says_what_holds_and_exits_1_for_what_does_not_naming_rule_count_and_row_but_no_value(settings, contract):
    assert ran(settings).exit_code == 0
    land(settings, contract, order("a", 5), order("b", 6))
    held = ran(settings, "shop.orders", "--json")
    assert held.exit_code == 0, held.output
    assert json.loads(held.stdout)["validations"][0]["rows"] == 2
    land(settings, contract, order("c", -987_654_321), first=2)
    failed = ran(settings, "--since-last")
    assert failed.exit_code == 1
    assert "fails amount: minimum: 1 of 1 rows, as raw partition:offset 0:2" in failed.output
    assert "nothing new: shop.orders" in ran(settings, "--since-last").output
    assert ran(settings, "shop.orders", "--table-version", "1").exit_code == 0
    assert ran(settings, "shop.orders", "--commit", "2").exit_code == 1
    left = [file for file in settings.home.rglob("*") if file.is_file() and file.suffix in (".html", ".json", ".jsonl")]
    written = "".join(file.read_text("utf-8") for file in left if "_delta_log" not in file.parts)
    assert "minimum" in written
    assert "987654321" not in written + failed.output
    assert PRIVATE not in written + failed.output


def test_misuse_is_2_and_what_is_not_there_is_said(settings, contract):
    assert ran(settings, "--commit", "1", "--since-last", "shop.orders").exit_code == 2
    assert ran(settings, "--commit", "1").exit_code == 1
    assert ran(settings, "--update").exit_code == 2
    missing = ran(settings, "shop.orders")
    assert missing.exit_code == 1
    assert "no Delta table" in missing.output
    land(settings, contract, order("a", 5))
    assert ran(settings, "shop.orders", "--table-version", "9").exit_code == 1


def test_stream_and_suite_of_a_contract_agree_by_command(settings, contract):
    found = ran(settings, "shop.orders", "--agreement", "--json")
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["datasets"]["shop.orders"]["landed"] > 0


def test_a_process_of_its_own_validates_beside_other_work(settings, contract):
    land(settings, contract, order("a", 5), order("b", -1))
    with validated_beside(settings, ["shop"]) as answer:
        told = answer()
    assert told["shop.orders"]["rows"] == 2
    assert told["shop.orders"]["fail"] == ["amount: minimum: 1 of 2 rows break it"]
