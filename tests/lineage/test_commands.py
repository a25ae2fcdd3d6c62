"""`headwater audit` and `headwater lineage` as a person calls them; the audit against a real broker and real tables."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner, Result

from infra.commands.audit import audit
from infra.commands.lineage import lineage
from infra.settings import PROJECT_FOLDER, Settings
from lineage.connectors.ledger_file import FileLedger
from tests.lineage import made
from tests.lineage.test_graph import CLEAN, GOLD, RAW, SERVICE, path

DATASET, TOPIC = "audited.departed", "audited.departed.raw.v1"
ROW_SCHEMA = pa.schema([("_topic", pa.string()), ("_partition", pa.int32()), ("_offset", pa.int64())])


def called(settings: Settings, command: Any, *arguments: str) -> Result:
    return CliRunner().invoke(command, arguments, obj=settings)


@pytest.fixture
def told(tmp_path: Path) -> Settings:
    """Settings with a ledger that tells of a whole path."""
    settings = Settings(home=tmp_path)
    ledger = FileLedger(Path(settings.ledger))
    ledger.append_all([(f"event {place}", event) for place, event in enumerate(path())])
    return settings


def test_show_lists_jobs_and_says_that_all_is_one_graph(told: Settings) -> None:
    shown = called(told, lineage, "show")
    assert shown.exit_code == 0
    assert "shop.orders.clean\n  reads   kafka://127.0.0.1:19092/shop.orders.raw.v1 (topic)" in shown.output
    assert "6 datasets, 5 jobs: one connected graph" in shown.output
    data = json.loads(called(told, lineage, "show", "--json").output)
    assert data["connected"] is True
    assert len(data["datasets"]) == 6


def test_show_of_a_graph_in_two_parts_names_what_stands_apart_and_says_no(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    FileLedger(Path(settings.ledger)).append_all([(str(place), event) for place, event in enumerate(path(with_symlink=False))])
    shown = called(settings, lineage, "show")
    assert shown.exit_code == 1
    assert f"apart, and from no topic: {SERVICE}" in shown.output


def test_show_follows_a_dataset_and_a_column_both_ways(told: Settings) -> None:
    data = json.loads(called(told, lineage, "show", "gold/order_stats", "--column", "mean_1h", "--json").output)
    assert [step["source"] for step in data["upstream"]][-1] == str(RAW)
    assert data["column_upstream"][-1]["source_column"] == "route"
    text = called(told, lineage, "show", GOLD.name).output
    assert f"{CLEAN} --shop.orders.land--> " in text
    masked = called(told, lineage, "show", GOLD.name, "--column", "mean_1h").output
    assert "(TRANSFORMATION, masked)" in masked


def test_show_of_what_is_not_there_names_what_is(told: Settings) -> None:
    shown = called(told, lineage, "show", "nowhere")
    assert shown.exit_code == 1
    assert made.RAW in str(shown.exception)


def test_ship_without_an_endpoint_is_a_misuse(told: Settings) -> None:
    for command in ("ship", "rebuild"):
        assert called(told, lineage, command).exit_code == 2
    assert called(told, lineage, "show", "--column", "x").exit_code == 2


@pytest.fixture
def audited(broker_settings: Settings, tmp_path: Path) -> Settings:
    """A topic with 40 records in each of three partitions, an aborted transaction in partition 2, an expired beginning in
    partition 1, and tables that hold each record once."""
    text = (PROJECT_FOLDER / "contracts" / "flights" / "departed.odcs.yaml").read_text("utf-8")
    own = tmp_path / "contracts" / "audited"
    own.mkdir(parents=True)
    text = text.replace("flights.departed", DATASET).replace("domain: flights", "domain: audited")
    (own / "departed.odcs.yaml").write_text(text.replace("flights:departed", "audited:departed"), "utf-8")
    settings = replace(broker_settings, home=tmp_path, contracts=(own,))
    _fill_topic(broker_settings.client())
    _fill_tables(settings)
    return settings


def _fill_topic(client: dict[str, Any]) -> None:
    from confluent_kafka import Producer, TopicPartition
    from confluent_kafka.admin import AdminClient

    from streams.connectors.kafka import Sender, ensure_topics

    if not ensure_topics(client, {TOPIC: 3}):
        return
    with Sender(client) as sender:
        for partition in range(3):
            for number in range(40):
                sender.send(TOPIC, b'{"n": %d}' % number, partition=partition)
    transactional = Producer(client | {"transactional.id": "aborts"})
    transactional.init_transactions(30)
    transactional.begin_transaction()
    for _ in range(3):
        transactional.produce(TOPIC, b"never", partition=2)
    transactional.flush(30)
    transactional.abort_transaction(30)
    admin = AdminClient(client)  # its futures are answered only while it lives
    for future in admin.delete_records([TopicPartition(TOPIC, 1, 10)]).values():
        future.result(30)


def _fill_tables(settings: Settings) -> None:
    quarantined = [(TOPIC, partition, offset) for partition in range(3) for offset in (3, 17)]
    silver = [(TOPIC, partition, offset) for partition in range(3) for offset in range(40)]
    append(settings, "silver", [row for row in silver if row not in quarantined])
    append(settings, "quarantine", quarantined)


def append(settings: Settings, layer: str, coordinates: list[tuple[str, int, int]]) -> None:
    from streams.connectors import delta

    rows = pa.Table.from_pylist([dict(zip(ROW_SCHEMA.names, row, strict=True)) for row in coordinates], schema=ROW_SCHEMA)
    if layer == "quarantine":
        rows = rows.append_column("reason", pa.array(["ill_typed"] * len(rows), pa.string()))
    uri = delta.table_uri(settings.tables, layer, *DATASET.split("."))
    delta.create_if_absent(uri, rows.schema)
    delta.append(uri, rows, metadata={})


def lose(settings: Settings, layer: str, partition: int, offset: int) -> None:
    from streams.connectors import delta

    uri = delta.table_uri(settings.tables, layer, *DATASET.split("."))
    delta.opened(uri).delete(f"_partition = {partition} AND _offset = {offset}")


@pytest.mark.servers
def test_a_whole_installation_passes_with_voids_and_an_expired_beginning(audited: Settings) -> None:
    done = called(audited, audit)
    assert done.exit_code == 0, done.output
    assert "ok: each of 124 raw offsets has exactly one fate" in done.output
    parts = {part["partition"]: part for part in json.loads(called(audited, audit, "--json").output)["datasets"][0]["partitions"]}
    assert {number: part["void"] for number, part in parts.items()} == {0: 0, 1: 0, 2: 4}, "three aborted records and a marker"
    assert parts[1]["start_offset"] == 10
    assert parts[0]["quarantine"] == {"ill_typed": 2}


@pytest.mark.servers
def test_a_planted_loss_and_a_planted_double_are_both_named_though_the_counts_agree(audited: Settings) -> None:
    lose(audited, "silver", 0, 12)
    append(audited, "silver", [(TOPIC, 2, 30)])
    done = called(audited, audit, DATASET)
    assert done.exit_code == 1
    assert f"{TOPIC} partition 0: missing 12 (1)" in done.output
    assert f"{TOPIC} partition 2: doubled in silver 30 (1)" in done.output
    assert "not ok: 1 missing, 1 doubled, of 124 raw offsets" in done.output


@pytest.mark.servers
def test_what_expired_unread_and_what_the_broker_never_had_are_named(audited: Settings) -> None:
    lose(audited, "silver", 1, 5)
    append(audited, "quarantine", [(TOPIC, 0, 500), (TOPIC, 0, 3)])
    data = json.loads(called(audited, audit, "--json").output)
    first, second, _ = data["datasets"][0]["partitions"]
    assert first["strangers"]["intervals"] == [[500, 500]]
    assert first["doubled"]["quarantine"]["first"] == [3]
    assert second["expired_unread"]["intervals"] == [[5, 5]]
    assert (data["ok"], data["missing"], data["strangers"], data["expired_unread"]) == (False, 0, 1, 1)


@pytest.mark.servers
def test_before_anything_is_landed_everything_is_missing_and_said_to_be_on_its_way(audited: Settings, tmp_path: Path) -> None:
    done = called(replace(audited, home=tmp_path / "elsewhere"), audit)
    assert done.exit_code == 1
    assert "missing 0-39 (40); 40 of them after all that is landed: are clean and land still at work?" in done.output
