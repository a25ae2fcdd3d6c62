"""Replay on real Delta tables: what moves, what stays, and that every record has one fate at every moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from contracts.contract import Contract, DuplicatePlan, Field, Rule
from contracts.errors import CommitConflict, NotFound
from contracts.keys import SUBJECT_SECRET, record_subject
from contracts.records import CONTRACT_HASH, INGESTED_AT, KEY_ID, KIND, KNOWN_AT, OFFSET, PARTITION, PAYLOAD, REPLAY_ID
from infra.commands.audit import CoordinateReader
from infra.wiring import emitter, key_store
from lineage.audit import audit
from lineage.verdicts import AuditReport
from streams.archive import bronze_rows
from streams.batches import ARCHIVE_SCHEMA
from streams.clean import process_batch
from streams.connectors import delta
from streams.connectors.kafka import Slot
from streams.engines.cleaner import fresh_state
from streams.engines.letters import standing
from streams.engines.replayer import replay
from streams.engines.vault import with_payloads
from streams.engines.writer import Layer, TableWriter
from streams.intervals import IntervalSet
from streams.outcome import offset_ranges
from streams.replay import Selection
from streams.sealed import subjects
from streams.setup import Limits, Setup, Step
from streams.topology import archive_job, land_job, replay_job
from tests.streams.made import SENT_AT_MS, contract_of, records_of, value

STRICT = contract_of(
    Field("amount", "integer", rules=(Rule("minimum", "minimum", 0), Rule("maximum", "maximum", 100))),
    Field("Note", "string", classification="public"),
    Field("place", "object", fields=(Field("tags", "array", items=Field("", "string", classification="public")),)),
)
VALUES: list[bytes | None] = [
    value("a", amount=1, Note="one", place={"tags": ["x", "y"]}),
    value("b", amount=150),
    value("b", amount=150),
    b"{broken",
    value("c", amount=-5),
    value("d", amount=50),
    None,
    value("e", amount=700),
]


def mended(contract: Contract, highest: int, new_hash: str = "b" * 64) -> Contract:
    """Return the contract with another upper bound of `amount`."""
    rules = (Rule("minimum", "minimum", 0), Rule("maximum", "maximum", highest))
    fields = tuple(replace(field, rules=rules) if field.name == "amount" else field for field in contract.fields)
    return replace(contract, fields=fields, hash=new_hash)


@dataclass(frozen=True)
class _Log:
    start: int
    end: int
    offsets: np.ndarray


@dataclass
class World:
    """One dataset's tables, filled as the clean, land and archive hops fill them, without a broker."""

    setup: Setup
    home: Path
    ends: dict[int, int]
    moment: list[datetime]

    def now(self) -> datetime:
        self.moment[0] += timedelta(seconds=1)
        return self.moment[0]

    def filled(self, values: Mapping[int, Sequence[bytes | None]], contract: Contract = STRICT, *, bronze: bool = True) -> World:
        for partition, log in values.items():
            records = records_of(log, partition=partition, first=self.ends.get(partition, 0))
            outcome = process_batch(records, fresh_state(self.setup, 1_000), contract)
            letters = with_payloads(outcome.dead_letters, records, contract, self.setup.keys)
            self.write("silver", outcome.rows, records, contract, contract.clean_topic)
            self.write("quarantine", letters, records, contract, contract.dead_letter_topic)
            if bronze:
                kept = pa.record_batch([*records.columns, pa.nulls(len(records), pa.large_binary())], schema=ARCHIVE_SCHEMA)
                named = subjects(kept, contract, self.setup.keys.secret(SUBJECT_SECRET))
                rows = bronze_rows(kept, named, self.setup.keys.data_keys(named), contract)
                self.write("bronze", rows, records, contract, contract.raw_topic)
            self.ends[partition] = self.ends.get(partition, 0) + len(log)
        return self

    def writer(self, layer: Layer, contract: Contract = STRICT) -> TableWriter:
        job, hop = (archive_job(contract), "archive") if layer == "bronze" else (land_job(contract), "land")
        made = TableWriter(self.setup, contract, layer, self.setup.run(job, hop))  # type: ignore[arg-type]
        made.open()
        return made

    def write(self, layer: Layer, rows: pa.Table, records: pa.RecordBatch, contract: Contract, topic: str) -> None:
        writer = self.writer(layer, contract)
        spans = offset_ranges(records["partition"], records["offset"])
        writer.buffer.add(rows, {Slot(topic, p): span for p, span in spans.items()}, records=len(records), size=1, repeated=0)
        writer.commit()

    def with_step(self, step: Step) -> Setup:
        return replace(self.setup, step=step)

    def uri(self, layer: str) -> str:
        return delta.table_uri(self.setup.tables, layer, STRICT.domain, STRICT.name)

    def silver(self) -> dict[tuple[int, int], dict[str, object]]:
        return {(row[PARTITION], row[OFFSET]): row for row in delta.read(self.uri("silver")).to_pylist()}

    def reasons(self) -> dict[tuple[int, int], str]:
        rows = standing(self.setup.tables, STRICT)
        return dict(
            zip(zip(rows[PARTITION].to_pylist(), rows[OFFSET].to_pylist(), strict=True), rows["reason"].to_pylist(), strict=True)
        )

    def versions(self) -> list[int]:
        return [delta.current_version(self.uri(layer)) for layer in ("silver", "quarantine")]

    def present(self, topic: str) -> Mapping[int, _Log]:
        return {p: _Log(0, end, np.arange(end)) for p, end in self.ends.items()} if topic == STRICT.raw_topic else {}

    def end_offsets(self, _topic: str) -> Mapping[int, int]:
        return self.ends

    def audited(self) -> AuditReport:
        reader = CoordinateReader(self.setup.tables, [STRICT])
        return audit([(STRICT.dataset, STRICT.raw_topic)], _Raw(self), reader)

    def told_whole(self) -> bool:
        """Say whether the ledger has one event for each commit of a replay."""
        commits = self.setup.emitter.commits(replay_job(STRICT))
        told = sorted(
            (name, version) for commit in commits for _, name, version in commit.outputs if name.startswith(self.setup.tables)
        )
        made = [
            (self.uri(layer), past.table_version)
            for layer in ("silver", "quarantine")
            for past in delta.history(self.uri(layer))
            if '"hop": "replay"' in past.metadata.get("facts", "")
        ]
        return told == sorted(made)


@dataclass
class _Raw:
    world: World

    def present(self, topic: str) -> Mapping[int, _Log]:
        return self.world.present(topic)

    def ends(self, topic: str) -> Mapping[int, int]:
        return self.world.end_offsets(topic)


@pytest.fixture
def world(tmp_settings) -> World:
    moment = [datetime(2026, 1, 2, tzinfo=UTC)]
    made = Setup(
        client={"bootstrap.servers": "nowhere:9"},
        tables=tmp_settings.tables,
        contracts=(STRICT,),
        emitter=emitter(tmp_settings),
        keys=key_store(tmp_settings),
        now=lambda: moment[0],
        instance="one",
        alive=lambda _instance: False,
        code_version="0",
        limits=Limits(compact_files=0),
    )
    here = World(made, tmp_settings.home, {}, moment)
    here.setup = replace(made, now=here.now)
    return here


ALL = {0: VALUES, 1: [value("z", amount=1_000)]}
WIDER = mended(STRICT, 200)


def test_a_mended_contract_lets_what_was_quarantined_into_silver(world):
    world.filled(ALL)
    before = world.silver()
    report = replay(world.setup, WIDER, Selection(reasons=frozenset({"rule_broken"})))
    assert (report.selected, report.accepted, dict(report.rejected)) == (4, 1, {"rule_broken": 3})
    assert set(world.silver()) - set(before) == {(0, 1)}
    row = world.silver()[0, 1]
    assert (row["id"], row["amount"], row[CONTRACT_HASH]) == ("b", 150, "b" * 64)
    assert row[INGESTED_AT] == datetime.fromtimestamp(SENT_AT_MS / 1000, UTC)
    assert row[KNOWN_AT] > max(each[KNOWN_AT] for each in before.values())
    assert {spot: each for spot, each in world.silver().items() if spot in before} == before
    assert world.reasons() == {
        (0, 2): "duplicate", (0, 3): "undecodable", (0, 4): "rule_broken", (0, 6): "null_value", (0, 7): "rule_broken",
        (1, 0): "rule_broken",
    }  # fmt: skip
    assert report.event_time == (row["at"], row["at"])
    assert world.audited().ok
    assert world.told_whole()


@pytest.mark.parametrize("source", ["quarantine", "bronze"])
def test_replaying_twice_changes_nothing(world, source):
    world.filled(ALL)
    replay(world.setup, WIDER, Selection(source))
    versions, silver = world.versions(), world.silver()
    again = replay(world.setup, WIDER, Selection(source))
    assert (again.accepted, again.changed, again.refused) == (0, 0, 0)
    assert (world.versions(), world.silver()) == (versions, silver)


def test_both_sources_come_to_the_same(world, tmp_path):
    world.filled(ALL)
    other = replace(world, setup=replace(world.setup, tables=str(tmp_path / "other")), ends={})
    other.filled(ALL)
    replay(world.setup, WIDER, Selection("quarantine"))
    replay(other.setup, WIDER, Selection("bronze"))

    def content(here: World) -> list[tuple[tuple[int, int], object]]:
        return sorted((spot, row["amount"]) for spot, row in here.silver().items())

    assert content(world) == content(other)
    assert world.reasons() == other.reasons()


def test_bronze_rewrites_only_the_rows_whose_content_changed(world):
    world.filled(ALL)
    before = world.silver()
    hidden = replace(
        WIDER,
        fields=tuple(replace(f, classification="restricted") if f.name == "Note" else f for f in WIDER.fields),
    )
    report = replay(world.setup, hidden, Selection("bronze"))
    assert (report.accepted, report.changed, dict(report.columns)) == (1, 1, {"Note": 1})
    after = world.silver()
    assert after[0, 0]["Note"] == "<masked>"
    assert after[0, 0] == before[0, 0] | {"Note": "<masked>", CONTRACT_HASH: "b" * 64, KNOWN_AT: after[0, 0][KNOWN_AT]}
    assert after[0, 5] == before[0, 5]
    assert world.audited().ok


def test_a_record_that_obeys_no_more_goes_from_silver_to_quarantine(world):
    world.filled(ALL)
    report = replay(world.setup, mended(STRICT, 40), Selection("bronze"))
    assert (report.refused, report.accepted) == (1, 0)
    assert set(world.silver()) == {(0, 0)}
    assert world.reasons()[0, 5] == "rule_broken"
    assert world.audited().ok
    back = replay(world.setup, STRICT, Selection(reasons=frozenset({"rule_broken"})))
    assert back.accepted == 1
    assert set(world.silver()) == {(0, 0), (0, 5)}
    assert world.audited().ok
    again = replay(world.setup, mended(STRICT, 40), Selection("bronze"))
    assert again.refused == 1
    assert world.audited().ok
    assert world.told_whole()


def test_the_windows_of_duplicates_have_no_say_in_a_replay(world):
    world.filled({0: [value("b", amount=150), *[value(f"n{n}", amount=1) for n in range(3)], value("b", amount=150)]})
    wide = replace(WIDER, duplicates=DuplicatePlan(window_records=1_000))
    report = replay(world.setup, wide, Selection("bronze"))
    assert report.accepted == 1
    assert world.reasons() == {(0, 4): "duplicate"}
    assert world.audited().ok


def test_a_record_refused_for_another_reason_says_so(world):
    world.filled(ALL)
    needed = replace(WIDER, fields=(*WIDER.fields, Field("city", "string", required=True)))
    report = replay(world.setup, needed, Selection(reasons=frozenset({"rule_broken"})))
    assert dict(report.rejected) == {"missing_value": 4}
    rows = {row[OFFSET]: row for row in standing(world.setup.tables, STRICT).to_pylist() if row[PARTITION] == 0}
    assert (rows[1]["reason"], rows[1]["field"]) == ("missing_value", "city")
    assert rows[1][KEY_ID] is not None
    assert world.audited().ok


def test_a_dry_run_tells_the_same_and_writes_nothing(world):
    world.filled(ALL)
    versions, commits = world.versions(), len(list(world.setup.emitter.ledger.events()))
    dry = replay(world.setup, WIDER, Selection("bronze"), dry_run=True)
    assert (world.versions(), len(list(world.setup.emitter.ledger.events()))) == (versions, commits)
    assert replay(world.setup, WIDER, Selection("bronze")) == dry


class Crash(Exception):
    """The process is gone."""


STEPS = ["replay quarantine commit", "replay quarantine lineage", "replay silver commit", "replay silver lineage"]
TURNS: list[tuple[str, Contract]] = [("quarantine", WIDER), ("bronze", mended(STRICT, 40)), ("bronze", WIDER)]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(("source", "contract"), TURNS, ids=["mended", "tightened", "from bronze"])
def test_a_replay_that_dies_behind_a_step_comes_out_right_when_run_again(world, tmp_path, source, contract, step):
    def dying(name: str) -> None:
        if name == step:
            raise Crash

    world.filled(ALL)
    calm = replace(world, setup=replace(world.setup, tables=str(tmp_path / "calm")), ends={}).filled(ALL)
    replay(calm.setup, contract, Selection(source))
    with pytest.raises(Crash):
        replay(world.with_step(dying), contract, Selection(source))
    assert world.audited().ok
    replay(world.setup, contract, Selection(source))
    assert world.audited().ok
    assert world.reasons() == calm.reasons()
    assert {spot: row["amount"] for spot, row in world.silver().items()} == {
        spot: row["amount"] for spot, row in calm.silver().items()
    }
    assert world.told_whole()
    assert world.setup.emitter.close_abandoned(replay_job(STRICT), world.now(), lambda _: False) == []


def test_every_record_has_one_fate_at_every_step(world):
    seen: list[bool] = []
    world.filled(ALL)
    watching = world.with_step(lambda _name: seen.append(world.audited().ok))
    for contract in (WIDER, mended(STRICT, 40), mended(STRICT, 10_000), STRICT):
        replay(watching, contract, Selection("bronze"))
    assert len(seen) >= 12
    assert all(seen)


def test_the_audit_still_names_a_real_doubling(world):
    world.filled(ALL)
    replay(world.setup, WIDER, Selection())
    silver = delta.read(world.uri("silver"))
    delta.append(world.uri("silver"), silver.filter(pa.array([at == 1 for at in silver[OFFSET].to_pylist()])), metadata={})
    assert [list(p.doubled) for p in world.audited().datasets[0].partitions] == [["silver"], []]


def test_an_unmarked_row_of_quarantine_that_silver_has_too_is_a_doubling_until_it_is_replayed(world):
    world.filled(ALL)
    lenient = mended(STRICT, 200)
    records = records_of([VALUES[1]], first=1)
    rows = process_batch(records, fresh_state(world.setup, 0), lenient).rows
    known = pa.repeat(pa.scalar(world.now(), pa.timestamp("us", "UTC")), 1)
    delta.append(world.uri("silver"), rows.append_column(pa.field(KNOWN_AT, known.type, nullable=False), known), metadata={})
    assert not world.audited().ok
    report = replay(world.setup, lenient, Selection())
    assert report.accepted == 0
    assert world.audited().ok


def test_an_erased_record_is_counted_and_left_where_it_is(world):
    world.filled(ALL)
    world.setup.keys.destroy(record_subject(STRICT.raw_topic, 0, 1))
    report = replay(world.setup, WIDER, Selection())
    assert (report.erased, report.accepted) == (1, 0)
    assert world.reasons()[0, 1] == "rule_broken"
    assert world.audited().ok


def test_what_no_table_holds_yet_is_left_to_clean_and_land(world):
    world.filled(ALL)
    records = records_of([value("n", amount=1)], first=len(VALUES))
    kept = pa.record_batch([*records.columns, pa.nulls(1, pa.large_binary())], schema=ARCHIVE_SCHEMA)
    named = subjects(kept, STRICT, world.setup.keys.secret(SUBJECT_SECRET))
    world.write("bronze", bronze_rows(kept, named, world.setup.keys.data_keys(named), STRICT), records, STRICT, STRICT.raw_topic)
    report = replay(world.setup, WIDER, Selection("bronze"))
    assert report.unlanded == 1
    assert (0, len(VALUES)) not in world.silver()


def test_a_contract_that_evolves_now_widens_silver_by_what_it_had_refused(world):
    strict = replace(STRICT, mode="quarantine")
    world.filled({0: [value("a", amount=1), value("b", amount=2, colour="red"), value("c", amount=3, size=1.5)]}, strict)
    assert set(world.reasons().values()) == {"unknown_field"}
    evolving = replace(STRICT, mode="evolve", hash="c" * 64)
    dry = replay(world.setup, evolving, Selection(), dry_run=True)
    report = replay(world.setup, evolving, Selection())
    assert report.accepted == dry.accepted == 2
    rows = world.silver()
    assert [(rows[0, at]["colour"], rows[0, at]["size"]) for at in range(3)] == [(None, None), ("red", None), (None, 1.5)]
    assert replay(world.setup, evolving, Selection("bronze")).changed == 0
    world.filled({0: [value("d", amount=4, size="large")]}, evolving)
    assert world.silver()[0, 2]["size"] == "1.5"
    assert replay(world.setup, evolving, Selection("bronze")).changed == 0
    assert world.audited().ok
    assert world.told_whole()


def test_a_type_that_is_wider_now_rewrites_silver_once_and_keeps_its_rows(world):
    evolving = replace(STRICT, mode="evolve")
    world.filled({0: [value("a", amount=1, size=1), value("b", amount=700, size="large")]}, evolving)
    report = replay(world.setup, replace(mended(STRICT, 1_000), mode="evolve"), Selection())
    assert report.accepted == 1
    assert [world.silver()[0, at]["size"] for at in (0, 1)] == ["1", "large"]
    assert world.audited().ok


def test_a_null_value_that_a_contract_refused_becomes_a_delete_once_it_is_one_of_changes(world):
    records = records_of([value("a", amount=1), None], keys=[b"a", b"a"])
    letters = with_payloads(
        process_batch(records, fresh_state(world.setup, 1_000), STRICT).dead_letters, records, STRICT, world.setup.keys
    )
    world.filled({0: [value("a", amount=1)]}, bronze=False)
    world.write("quarantine", letters, records, STRICT, STRICT.dead_letter_topic)
    world.ends[0] = 2
    assert world.reasons() == {(0, 1): "null_value"}
    report = replay(world.setup, replace(STRICT, change="upsert", hash="d" * 64), Selection())
    assert report.accepted == 1
    assert (world.silver()[0, 1]["id"], world.silver()[0, 1][KIND]) == ("a", "delete")
    assert world.audited().ok


def test_only_what_is_selected_is_replayed(world):
    world.filled(ALL)
    only = {1: IntervalSet.of(np.array([0]))}
    report = replay(world.setup, mended(STRICT, 10_000), Selection(offsets=only))
    assert (report.selected, report.accepted) == (1, 1)
    later = datetime.fromtimestamp(SENT_AT_MS / 1000, UTC) + timedelta(seconds=1)
    assert replay(world.setup, mended(STRICT, 10_000), Selection(since=later)).selected == 0
    assert replay(world.setup, mended(STRICT, 10_000), Selection(until=later, reasons=frozenset({"rule_broken"}))).accepted == 2
    assert world.audited().ok


def test_a_land_that_comes_second_learns_what_a_replay_has_moved(world):
    world.filled(ALL)
    rows = process_batch(records_of([VALUES[1]], first=1), fresh_state(world.setup, 0), WIDER).rows
    late = world.writer("silver", WIDER)
    late.buffer.add(rows, {Slot(STRICT.clean_topic, 0): (90, 90)}, records=1, size=1, repeated=0)
    replay(world.setup, WIDER, Selection())
    late.commit()
    assert late.buffer.repeated == 0
    assert len(delta.read(world.uri("silver"))) == 3
    assert world.audited().ok


def test_a_land_between_judging_and_committing_makes_the_replay_judge_again(world):
    world.filled(ALL)
    came: list[str] = []

    def landing(name: str) -> None:
        if name == "replay quarantine commit" and not came:
            came.append(name)
            world.filled({2: [value("new", amount=3)]})

    report = replay(world.with_step(landing), WIDER, Selection())
    assert came
    assert report.accepted == 1
    assert {(0, 1), (2, 0)} <= set(world.silver())
    assert world.audited().ok


def test_a_replay_that_always_comes_second_gives_up_and_goes_on_when_run_again(world, monkeypatch):
    def lost(*_arguments: object, **_more: object) -> None:
        raise CommitConflict("another writer was faster")

    world.filled(ALL)
    with monkeypatch.context() as patched:
        patched.setattr(delta, "append", lost)
        with pytest.raises(CommitConflict, match="races"):
            replay(world.setup, WIDER, Selection())
    assert world.audited().ok
    assert replay(world.setup, WIDER, Selection()).accepted == 1
    assert world.audited().ok
    assert world.told_whole()


def test_a_table_of_an_earlier_version_without_payloads_is_told_so(world):
    world.filled(ALL)
    uri = world.uri("quarantine")
    old = delta.read(uri).drop_columns([PAYLOAD, KEY_ID, REPLAY_ID])
    earlier = replace(world, setup=replace(world.setup, tables=str(world.home / "earlier")))
    for layer in ("silver", "bronze"):
        table = delta.read(world.uri(layer))
        delta.create_if_absent(earlier.uri(layer), table.schema)
        delta.append(earlier.uri(layer), table, metadata={})
    delta.create_if_absent(earlier.uri("quarantine"), old.schema)
    delta.append(earlier.uri("quarantine"), old, metadata={})
    assert earlier.audited().ok
    report = replay(earlier.setup, WIDER, Selection(reasons=frozenset({"rule_broken"})))
    assert (report.absent, report.accepted) == (4, 0)
    assert replay(earlier.setup, WIDER, Selection("bronze", frozenset({"rule_broken"}))).accepted == 1
    assert earlier.audited().ok


def test_without_tables_it_says_what_to_do_first(world):
    with pytest.raises(NotFound, match="headwater land"):
        replay(world.setup, WIDER, Selection())
    with pytest.raises(NotFound, match="headwater archive"):
        replay(world.filled(ALL, bronze=False).setup, WIDER, Selection("bronze"))
