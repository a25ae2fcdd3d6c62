"""Upkeep by the command, on tables that land has written: no row changes, no progress, and nothing goes that is rested on."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner

from infra import pins as pins_of
from infra.commands.table import places, table
from infra.main import main
from infra.pins import Pin, pins
from infra.settings import Settings
from streams.connectors import delta, maintenance
from streams.connectors.kafka import Slot
from streams.engines.writer import landed_offset
from streams.outcome import offset_ranges
from tests.streams.archived import Archived, raw_records
from tests.streams.made import PLAIN
from tests.streams.test_backfill import log_of, undisturbed

SILVER = "silver/shop/things"


@pytest.fixture
def place(tmp_settings) -> Archived:
    return Archived.at(tmp_settings, PLAIN)


def landed_in_parts(place: Archived, log: Any, parts: int) -> None:
    """Land as land does: one writer a table, so many commits of each partition."""
    writers = {layer: place.writer(layer) for layer in ("silver", "quarantine")}
    for records in raw_records(log):
        outcome, size = place.cleaned(records), -(-len(records) // parts)
        for first in range(0, len(records), size):
            span = offset_ranges(records.slice(first, size)["partition"], records.slice(first, size)["offset"])
            for layer, rows, topic in (
                ("silver", outcome.rows, PLAIN.clean_topic),
                ("quarantine", outcome.dead_letters, PLAIN.dead_letter_topic),
            ):
                low, high = next(iter(span.values()))
                here = [low <= offset <= high for offset in rows["_offset"].to_pylist()]
                taken = rows.filter(here) if rows.num_rows else rows
                writers[layer].buffer.add(taken, {Slot(topic, p): s for p, s in span.items()}, records=1, size=1, repeated=0)
                writers[layer].commit()


def asked(settings: Settings, *words: str) -> dict[str, Any]:
    done = CliRunner().invoke(table, [*words, "--json"], obj=settings)
    assert done.exit_code == 0, (done.output, done.exception)
    return {each["table"]: each for each in json.loads(done.stdout)["tables"]}


def progress(place: Archived) -> list[int]:
    """Return where land goes on with each partition of its two topics, as the tables say."""
    slots = [("silver", PLAIN.clean_topic), ("quarantine", PLAIN.dead_letter_topic)]
    return [landed_offset(place.setup.tables, PLAIN, layer, Slot(topic, p)) for layer, topic in slots for p in (0, 1)]  # type: ignore[arg-type]


def test_upkeep_changes_no_row_and_no_progress_and_land_goes_on(place, tmp_path):
    log = log_of(240, 1)
    first = {p: values[:60] for p, values in log.items()}
    landed_in_parts(place, first, 6)
    before, told = place.digests(), progress(place)
    assert all(told)
    merged = asked(place.settings, "optimize", "shop.things")
    assert merged[SILVER]["before"]["files"] > 6
    assert merged[SILVER]["after"]["files"] == 1
    asked(place.settings, "optimize", SILVER, "--z-order", "id,at")
    asked(place.settings, "vacuum", "shop.things", "--retain", "0", "--force")
    asked(place.settings, "checkpoint", "shop.things")
    assert place.digests() == before
    assert progress(place) == told
    place.land(log)
    assert place.digests() == undisturbed(place, log, tmp_path / "calm")
    assert not [past for past in delta.history(place.uri("silver")) if past.operation == "WRITE" and not past.metadata]


def test_a_writer_that_was_open_commits_after_upkeep(place, tmp_path):
    log = log_of(60, 2)
    landed_in_parts(place, {0: log[0], 1: []}, 3)
    writer = place.writer("silver")
    records = raw_records({1: log[1]})[0]
    writer.buffer.add(place.cleaned(records).rows, {Slot(PLAIN.clean_topic, 1): (0, 29)}, records=30, size=1, repeated=0)
    asked(place.settings, "optimize", "shop.things")
    asked(place.settings, "vacuum", "shop.things", "--retain", "0", "--force")
    writer.commit()
    place.write("quarantine", place.cleaned(records).dead_letters, records, PLAIN.dead_letter_topic)
    assert place.digests() == undisturbed(place, log, tmp_path / "calm")


def test_vacuum_keeps_what_a_training_set_was_made_from(place):
    landed_in_parts(place, log_of(80, 3), 4)
    pinned = delta.current_version(place.uri("silver"))
    rows = delta.read(place.uri("silver"), table_version=pinned).num_rows
    folder = place.settings.home / "training_sets" / "delays-0123"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"id": "0123", "table_versions": {"silver shop.things": pinned}}))
    asked(place.settings, "optimize", SILVER)
    said = asked(place.settings, "vacuum", SILVER, "--retain", "0", "--dry-run")[SILVER]
    assert said["kept_for"] == [f"version {pinned}: training set delays-0123"]
    assert not said["files"]
    asked(place.settings, "vacuum", SILVER, "--retain", "0", "--force", "--dry-run")
    forced = asked(place.settings, "vacuum", SILVER, "--retain", "0", "--force", "--dry-run")[SILVER]
    assert forced["deleted"] > 1
    assert delta.read(place.uri("silver"), table_version=pinned).num_rows == rows
    kept = maintenance.vacuumed(place.uri("silver"), retain_hours=0, keep_versions=[pinned], dry_run=False)
    assert kept == []
    assert delta.read(place.uri("silver"), table_version=pinned).num_rows == rows
    asked(place.settings, "vacuum", SILVER, "--retain", "0", "--force")
    with pytest.raises(Exception, match=r"(?i)not found|no such file"):
        delta.read(place.uri("silver"), table_version=pinned)


def test_versions_between_pins_may_go(place):
    landed_in_parts(place, log_of(80, 4), 2)
    asked(place.settings, "optimize", SILVER)
    place.land({0: [], 1: []})
    first = delta.current_version(place.uri("silver"))
    asked(place.settings, "optimize", SILVER, "--z-order", "id")
    asked(place.settings, "optimize", SILVER, "--z-order", "at")
    gone = maintenance.vacuumed(place.uri("silver"), retain_hours=0, keep_versions=[first], dry_run=False)
    assert gone
    assert delta.read(place.uri("silver"), table_version=first).num_rows == place.rows("silver")


def test_gold_pins_the_silver_it_was_computed_from_and_current_what_it_has_not_read(place, monkeypatch):
    landed_in_parts(place, log_of(20, 5), 2)
    gold = delta.table_uri(place.setup.tables, "gold", "totals")
    rows = delta.read(place.uri("silver"))
    delta.create_if_absent(gold, rows.schema)
    for version in (1, 2, 3):
        delta.append(gold, rows, metadata={"silver": PLAIN.dataset, "silver_version": str(version)})
    assert pins(place.settings, SILVER) == [Pin(3, "gold/totals version 3")]
    monkeypatch.setattr(pins_of, "_of_training_sets", lambda _s, layer, _c: [Pin(2, "a set")] if layer == "gold" else [])
    assert pins(place.settings, SILVER) == [Pin(2, "gold/totals version 2"), Pin(3, "gold/totals version 3")]
    monkeypatch.undo()
    current = delta.table_uri(place.setup.tables, "current", "shop", "things")
    delta.create_if_absent(current, rows.schema)
    delta.append(current, rows, metadata={}, transactions={f"headwater:{PLAIN.dataset}.silver": 2})
    newest = delta.current_version(place.uri("silver"))
    assert {pin.table_version for pin in pins(place.settings, SILVER)} == {3, *range(2, newest + 1)}


def test_a_short_retention_wants_force(place):
    landed_in_parts(place, log_of(10, 6), 1)
    done = CliRunner().invoke(table, ["vacuum", SILVER, "--retain", "1"], obj=place.settings)
    assert done.exit_code == 2
    assert "--force" in done.output


def test_clustering_is_refused_for_tables_that_jobs_write(place):
    landed_in_parts(place, log_of(10, 7), 1)
    done = CliRunner().invoke(
        main, ["--home", str(place.settings.home), "table", "optimize", SILVER, "--engine", "spark", "--cluster-by", "id"]
    )
    assert done.exit_code == 1
    assert "--z-order" in done.output


def test_a_name_means_a_table_a_dataset_or_a_domain(place):
    landed_in_parts(place, log_of(10, 8), 1)
    both = ["quarantine/shop/things", SILVER]
    assert [name for name, _ in places(place.settings, "shop.things")] == both
    assert [name for name, _ in places(place.settings, "shop")] == both
    assert [name for name, _ in places(place.settings, SILVER)] == [SILVER]
    done = CliRunner().invoke(main, ["--home", str(place.settings.home), "table", "history", "nothing"])
    assert done.exit_code == 1
    assert SILVER in done.output


def test_history_tells_the_hop_of_each_commit(place):
    landed_in_parts(place, log_of(20, 9), 2)
    asked(place.settings, "optimize", SILVER)
    commits = asked(place.settings, "history", SILVER)[SILVER]["commits"]
    assert [c["hop"] for c in commits] == ["", *["land"] * (len(commits) - 2), "optimize"]
    text = CliRunner().invoke(table, ["history", SILVER, "--newest", "1"], obj=replace(place.settings))
    assert "OPTIMIZE" in text.output


def test_a_column_that_is_not_there_is_named(place):
    landed_in_parts(place, log_of(10, 10), 1)
    done = CliRunner().invoke(main, ["--home", str(place.settings.home), "table", "optimize", SILVER, "--z-order", "nowhere"])
    assert done.exit_code == 2
    assert "nowhere" in done.output
