"""`archive`, `bronze`, `dead-letters`, `replay` as a person calls them: a contract is wrong, it is mended, its records land."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from contracts.connectors.files import load_contract
from contracts.keys import SUBJECT_SECRET, subject_id
from infra.commands.archive import archive
from infra.commands.audit import audit, audited
from infra.commands.bronze import bronze
from infra.commands.clean import clean
from infra.commands.dead_letters import dead_letters
from infra.commands.land import land
from infra.commands.replay import replay
from infra.settings import Settings
from infra.wiring import emitter, key_store
from streams.connectors import delta
from streams.connectors.kafka import Sender, ensure_topics
from streams.topology import replay_job
from tests.streams.crash_driver import Told, start
from tests.streams.made import SENT_AT_MS
from tests.streams.undisturbed import KEPT

CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: urn:headwater:test:mended
domain: mended
name: orders
version: 1.0.0
status: active
customProperties:
  - {property: eventTime, value: at}
  - {property: partitions, value: 2}
  - {property: subject, value: customer}
schema:
  - name: orders
    logicalType: object
    properties:
      - {name: id, logicalType: string, required: true, primaryKey: true, classification: public}
      - {name: at, logicalType: timestamp, required: true, classification: public}
      - {name: customer, logicalType: string}
      - {name: amount, logicalType: integer, logicalTypeOptions: {minimum: 0, maximum: MAXIMUM}}
"""
RECORDS = [
    {"id": f"o{n}", "at": "2026-03-01T10:00:00Z", "customer": f"person{n % 3}@example.org", "amount": n * 10} for n in range(40)
]


def called(settings: Settings, command: Any, *arguments: str) -> Result:
    return CliRunner().invoke(command, arguments, obj=settings)


def data_of(result: Result) -> Any:
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def place(broker_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return an installation of one contract, too strict by far, whose records are cleaned, landed and archived."""
    home = tmp_path_factory.mktemp("mended")
    folder = home / "contracts" / "mended"
    folder.mkdir(parents=True)
    settings = replace(broker_settings, home=home, contracts=(home / "contracts",))
    written(settings, 100)
    contract = load_contract(folder / "orders.odcs.yaml")
    ensure_topics(settings.client(), {contract.raw_topic: contract.partitions}, KEPT)
    with Sender(settings.client()) as sender:
        for n, record in enumerate(RECORDS):
            sender.send(contract.raw_topic, json.dumps(record).encode(), partition=n % 2, timestamp_ms=SENT_AT_MS + n)
    for command in (clean, land, archive):
        assert called(settings, command, "mended", "--drain").exit_code == 0
    return settings


def written(settings: Settings, maximum: int) -> Path:
    file = settings.contracts[0] / "mended" / "orders.odcs.yaml"
    file.write_text(CONTRACT.replace("MAXIMUM", str(maximum)))
    return file


def amounts(settings: Settings) -> list[int]:
    return sorted(delta.read(delta.table_uri(settings.tables, "silver", "mended", "orders"))["amount"].to_pylist())


pytestmark = pytest.mark.servers


def test_a_mended_contract_lands_what_it_had_refused(place: Settings, tmp_path: Path):
    told = data_of(called(place, dead_letters, "--json", "--example", "--unseal"))["dead_letters"]
    assert [(group["reason"], group["rule"], group["count"]) for group in told] == [("rule_broken", "maximum", 29)]
    assert told[0]["example"]["state"] == "kept"
    assert told[0]["example"]["shown"] | {"id": "", "amount": 0} == {
        "id": "", "at": "2026-03-01T10:00:00Z", "customer": "<text of 19>", "amount": 0,
    }  # fmt: skip
    assert "example.org" not in called(place, dead_letters, "--unseal").output
    assert "example.org" in called(place, dead_letters, "--unseal", "--raw").output

    file = written(place, 200)
    for command in (clean, land):
        assert called(place, command, "mended", "--drain").exit_code == 0
    assert len(amounts(place)) == 11, "a restart does not judge anew what was told under the contract before"
    assert called(place, audit, "mended").exit_code == 0
    dry = data_of(called(place, replay, "mended.orders", "--reason", "rule_broken", "--dry-run", "--json"))
    assert (dry["selected"], dry["accepted"], dry["rejected"]) == (29, 10, {"rule_broken": 19})
    assert len(amounts(place)) == 11

    contract = load_contract(file)
    for step in ("replay quarantine commit", "replay silver commit"):
        died = start(
            Told("replay", str(place.home), {k: str(v) for k, v in place.client().items()}, str(file), "mended", "x", step=step)
        )
        _, errors = died.communicate(timeout=60)
        assert died.returncode == -signal.SIGKILL, errors
        assert audited(place, [contract]).ok
    done = data_of(called(place, replay, "mended.orders", "--reason", "rule_broken", "--json"))
    assert done["rejected"] == {"rule_broken": 19}
    assert amounts(place) == [n * 10 for n in range(21)]
    commits = emitter(place).commits(replay_job(contract))
    assert len({commit.commit_id for commit in commits}) == len(commits) == 2
    assert emitter(place).close_abandoned(replay_job(contract), commits[0].committed_at, lambda _: False) == []

    assert data_of(called(place, replay, "mended.orders", "--json"))["accepted"] == 0
    for command in (clean, land, archive):
        assert called(place, command, "mended", "--drain").exit_code == 0
    assert amounts(place) == [n * 10 for n in range(21)]
    assert called(place, audit, "mended").exit_code == 0
    assert called(place, audit, "mended", "--bronze").exit_code == 0


def test_an_erased_person_is_erased_in_bronze_and_stays_in_quarantine(place: Settings):
    lines = [json.loads(line) for line in called(place, bronze, "mended.orders").stdout.splitlines()]
    assert {line["state"] for line in lines} == {"kept"}
    assert len(lines) == len(RECORDS)
    raw = json.loads(called(place, bronze, "mended.orders", "--offsets", "1:19", "--raw").stdout)
    assert json.loads(raw["value"]) == RECORDS[39]

    keys = key_store(place)
    keys.destroy(subject_id("person0@example.org", keys.secret(SUBJECT_SECRET)))
    lines = [json.loads(line) for line in called(place, bronze, "mended.orders", "--raw").stdout.splitlines()]
    assert sum(line["state"] == "erased" for line in lines) == 14
    assert not any("person0@" in json.dumps(line) for line in lines)
    written(place, 10_000)
    last = called(place, replay, "mended.orders", "--json")
    assert last.exit_code == 1
    told = data_of(last)
    assert told["erased"] + told["accepted"] == 19
    assert told["erased"] == 7
    assert called(place, audit, "mended").exit_code == 0


@pytest.mark.parametrize(
    ("command", "arguments", "said"),
    [
        (replay, ["mended.orders", "--reason", "duplicate"], "contract does not decide it"),
        (replay, ["mended.orders", "--reason", "strange"], "expected one of"),
        (replay, ["mended.orders", "--offsets", "0:9-1"], "before the first"),
        (replay, ["mended.orders", "--since", "soon"], "is no time"),
        (bronze, ["mended.orders", "--offsets", "x"], "expected P:A-B"),
        (dead_letters, ["--raw"], "goes with --unseal"),
    ],
)
def test_a_misuse_exits_2_and_says_what_was_expected(place: Settings, command: Any, arguments: list[str], said: str):
    result = called(place, command, *arguments)
    assert result.exit_code == 2
    assert said in result.output
