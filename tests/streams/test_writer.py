"""The table writer against real Delta tables: what two writers do to each other, and what a failed commit leaves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from contracts.errors import CommitConflict
from contracts.records import QUARANTINE_SCHEMA
from infra.wiring import emitter, key_store
from lineage.facts import RunRef
from streams import land
from streams.batches import landing_batch
from streams.connectors import delta, maintenance
from streams.connectors.kafka import Slot
from streams.encode import encoded_rows
from streams.engines.vault import with_payloads
from streams.engines.writer import TableWriter
from streams.outcome import offset_ranges
from streams.setup import Limits, Setup
from tests.streams.made import PLAIN, Message, a_moment, cleaned, records_of, sent, value


@pytest.fixture
def setup(tmp_settings) -> Setup:
    return Setup(
        client={"bootstrap.servers": "nowhere:9"},
        tables=tmp_settings.tables,
        contracts=(PLAIN,),
        emitter=emitter(tmp_settings),
        keys=key_store(tmp_settings),
        now=a_moment,
        instance="one",
        alive=lambda _instance: True,
        code_version="0",
        limits=Limits(compact_files=0),
    )


def writer_of(setup: Setup, kind: type[TableWriter] = TableWriter) -> TableWriter:
    writer = kind(setup, PLAIN, "silver", RunRef("shop.things.land", "land", "run", "direct", "0", a_moment()))
    writer.open()
    return writer


def clean_messages(partition: int, size: int) -> list[Message]:
    """Return the clean topic's records of one partition."""
    rows = cleaned(records_of([value(f"{partition}-{n}") for n in range(size)], partition=partition), PLAIN).rows
    return sent(encoded_rows(rows, PLAIN), PLAIN.clean_topic)


def take(writer: TableWriter, messages: list[Message]) -> None:
    """Buffer messages as the lander does."""
    records = landing_batch(messages)
    outcome = land.process_batch(records, writer.held, PLAIN)
    writer.held = outcome.state
    spans = {Slot(PLAIN.clean_topic, p): span for p, span in offset_ranges(records["partition"], records["offset"]).items()}
    writer.buffer.add(outcome.rows, spans, records=len(messages), size=1, repeated=outcome.repeated)


def landed_offsets(writer: TableWriter) -> dict[int, list[int]]:
    rows = delta.read(writer.uri, columns=["_partition", "_offset"]).to_pylist()
    return {p: sorted(r["_offset"] for r in rows if r["_partition"] == p) for p in (0, 1)}


def test_a_writer_that_was_overtaken_keeps_the_rows_that_the_other_did_not_write(setup):
    ours, zero, one = writer_of(setup), clean_messages(0, 10), clean_messages(1, 20)
    take(ours, zero + one[:10])
    other = writer_of(setup)
    take(other, zero[:6])
    other.commit()
    hints = ours.commit()
    assert hints == {Slot(PLAIN.clean_topic, 0): 10, Slot(PLAIN.clean_topic, 1): 10}
    take(ours, one[10:])
    ours.commit()
    assert landed_offsets(ours) == {0: list(range(10)), 1: list(range(20))}
    commits = setup.emitter.commits("shop.things.land")
    assert [c.records_out for c in commits] == [6, 14, 10]
    assert commits[1].repeated == 6


def test_a_writer_that_was_overtaken_as_a_whole_writes_nothing(setup):
    ours, zero = writer_of(setup), clean_messages(0, 10)
    take(ours, zero)
    other = writer_of(setup)
    take(other, zero)
    other.commit()
    assert ours.commit() == {}
    assert landed_offsets(ours) == {0: list(range(10)), 1: []}
    assert len(setup.emitter.commits("shop.things.land")) == 1


class Interrupted(TableWriter):
    """Another writer commits in the very moment between this one's look at the table and its commit."""

    between: TableWriter | None = None

    def _trimmed(self) -> int:
        seen = super()._trimmed()
        if self.between is not None:
            other, self.between = self.between, None
            other.commit()
        return seen


def test_nobody_can_commit_between_the_look_at_the_table_and_the_commit(setup):
    ours, zero = writer_of(setup, Interrupted), clean_messages(0, 10)
    take(ours, zero)
    other = writer_of(setup)
    take(other, zero[:7])
    ours.between = other
    ours.commit()
    assert landed_offsets(ours) == {0: list(range(10)), 1: []}


def test_a_commit_whose_event_was_lost_is_told_by_the_next_process_with_the_same_id(setup, tmp_path):
    class Killed(Exception):
        pass

    def crash(name: str) -> None:
        if name == "silver commit":
            raise Killed

    from dataclasses import replace

    dying = writer_of(replace(setup, step=crash))
    take(dying, clean_messages(0, 5))
    with pytest.raises(Killed):
        dying.commit()
    assert setup.emitter.commits("shop.things.land") == []
    writer_of(setup)
    writer_of(setup)
    (told,) = setup.emitter.commits("shop.things.land")
    assert (told.records_in, told.records_out, told.run_id) == (5, 5, "run")
    assert [(span.first_offset, span.last_offset) for span in told.offsets] == [(0, 4)]


def test_the_progress_of_each_partition_stands_in_the_commit(setup):
    writer = writer_of(setup)
    take(writer, clean_messages(0, 3) + clean_messages(1, 5))
    writer.commit()
    again = writer_of(setup)
    assert again.next_offset(Slot(PLAIN.clean_topic, 0)) == 3
    assert again.next_offset(Slot(PLAIN.clean_topic, 1)) == 5
    take(again, clean_messages(0, 3))
    assert not again.buffer.rows
    assert again.commit() == {}
    assert delta.current_version(writer.uri) == 1


def test_compaction_merges_files_and_changes_no_row(setup):
    from dataclasses import replace

    writer = writer_of(replace(setup, limits=Limits(compact_files=3)))
    messages = clean_messages(0, 9)
    for at in range(0, 9, 3):
        take(writer, messages[at : at + 3])
        writer.commit()
    assert len(maintenance.file_sizes(writer.uri)) == 1
    assert landed_offsets(writer)[0] == list(range(9))
    assert writer_of(setup).next_offset(Slot(PLAIN.clean_topic, 0)) == 9
    assert Path(writer.uri).is_dir()


def test_a_quarantine_table_of_an_earlier_version_gets_the_columns_that_it_lacks(setup):
    uri = delta.table_uri(setup.tables, "quarantine", PLAIN.domain, PLAIN.name)
    late = ("payload", "_key_id", "_replay_id")
    delta.create_if_absent(uri, pa.schema([field for field in QUARANTINE_SCHEMA if field.name not in late]))
    run = RunRef("shop.things.land", "land", "run", "direct", "0", a_moment())
    records = records_of([b"{broken", value("a")])
    letters = with_payloads(cleaned(records, PLAIN).dead_letters, records, PLAIN, setup.keys)
    for _ in range(2):
        writer = TableWriter(setup, PLAIN, "quarantine", run)
        writer.open()
    writer.buffer.add(letters, {Slot(PLAIN.dead_letter_topic, 0): (0, 0)}, records=1, size=1, repeated=0)
    writer.commit()
    assert delta.column_names(uri) == [*(name for name in QUARANTINE_SCHEMA.names if name not in late), *late]
    assert delta.read(uri)["_key_id"].null_count == 0


def test_a_compaction_that_another_writer_overtakes_waits_for_the_next_time(setup, monkeypatch):
    def overtaken(_uri: str, **_more: object) -> int:
        raise CommitConflict("rows of these files were changed meanwhile")

    eager = replace(setup, limits=Limits(compact_files=1))
    writer = writer_of(eager)
    monkeypatch.setattr(delta, "compact", overtaken)
    take(writer, clean_messages(0, 3))
    writer.commit()
    assert len(delta.read(writer.uri)) == 3
