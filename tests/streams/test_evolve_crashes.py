"""A contract that evolves, through real Kafka and Delta: killed at each step, the tables are as if nothing had happened."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.connectors.files import load_contract
from infra.commands.audit import audited
from infra.settings import Settings
from streams.connectors import delta
from tests.streams.crash_driver import Told, run, start
from tests.streams.made import raw
from tests.streams.undisturbed import CONTRACT, Place, assert_one_event_per_table_commit

pytestmark = pytest.mark.servers

EVOLVING = "customProperties:\n  - property: mode\n    value: evolve\n"
GROWTH = [
    "",
    ',"coupon":7',
    "",
    ',"amount":2.5',
    ',"coupon":"S10","place":{"deep":[1]}',
    ',"amount":-1',
    ',"_mine":1',
    ',"coupon":true',
]
"""What records have more and more of: a new column, a wider one, one that becomes text; and what is refused."""


def log_of(size: int) -> list[tuple[int, bytes | None]]:
    return [(n % 2, raw(f"o{n}", GROWTH[min(n // 4, 7)] if n % 3 else "")) for n in range(size)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "orders.odcs.yaml"
    made.write_text(CONTRACT.read_text("utf-8").replace("customProperties:\n", EVOLVING, 1), "utf-8")
    return made


def tables(place: Place) -> tuple[list[str], list[str], dict[str, str]]:
    """Return silver and quarantine as sorted lines without what differs between runs, and silver's types."""
    lines = []
    for layer in ("silver", "quarantine"):
        rows = delta.read(delta.table_uri(place.settings.tables, layer, place.contract.domain, place.contract.name)).to_pylist()
        kept = [{k: v for k, v in sorted(row.items()) if k not in ("_known_at", "_topic", "payload", "_key_id")} for row in rows]
        lines.append(sorted(json.dumps(row, default=str) for row in kept))
    schema = delta.schema(delta.table_uri(place.settings.tables, "silver", place.contract.domain, place.contract.name))[1]
    return lines[0], lines[1], {field.name: str(field.type) for field in schema}


def told(place: Place, file: Path, job: str, group: str, **more: object) -> Told:
    return replace(place.told(job, group, **more), contract=str(file))


def killed(told: Told) -> None:
    process = start(told)
    _, errors = process.communicate(timeout=60)
    assert process.returncode in (-signal.SIGKILL, 0), errors


def kill_in_turn(place: Place, file: Path, job: str, steps: Sequence[tuple[str, int]]) -> None:
    for attempt, (step, times) in enumerate(steps):
        killed(told(place, file, job, f"try{attempt}", step=step, times=times))
    run(told(place, file, job, "last"))


def test_an_evolving_contract_killed_at_each_step_comes_out_as_undisturbed(
    broker_settings: Settings, tmp_path: Path, file: Path
) -> None:
    def place(domain: str) -> Place:
        settings = replace(broker_settings, home=tmp_path / domain)
        return Place(settings, replace(load_contract(file), domain=domain)).ready(log_of(48))

    calm, rough = place("evolve_calm"), place("evolve_rough")
    run(told(calm, file, "clean", "only"))
    run(told(calm, file, "land", "only"))
    kill_in_turn(rough, file, "clean", [("dead letters", 1), ("clean records", 2), ("lineage", 1)])
    kill_in_turn(
        rough, file, "land", [("silver commit", 1), ("silver commit", 2), ("silver lineage", 1), ("silver compaction", 1)]
    )
    expected = tables(calm)
    assert tables(rough) == expected
    assert (expected[2]["coupon"], expected[2]["amount"], expected[2]["place"]) == ("string", "double", "string")
    assert any("unknown_field" in line for line in expected[1])
    for each in (calm, rough):
        report = audited(each.settings, [each.contract])
        assert report.ok, report.as_dict()
        assert_one_event_per_table_commit(each)
