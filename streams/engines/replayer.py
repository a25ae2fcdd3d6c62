"""The replay engine: records of quarantine or bronze through today's contract and code, and what comes of it into the tables.

It commits to silver and quarantine itself, beside a running `land`; the clean topic is left alone, because the clean hop's
recovery trusts the order of its end. For each part of the records, in this order:

1. quarantine, in one Delta commit: rows that are to yield to silver are marked, new verdicts told. A crash behind it leaves
   marked rows that silver does not hold: they are quarantined still, and the next replay finds them
2. lineage event of it. A crash before leaves a commit without its event: the next replay derives it from the metadata
3. silver, in one Delta commit: rows added, replaced, taken out. Now the marks have their effect
4. lineage event of it, as in 2

Each commit is made for the very version that was judged, and raises the `txn` version of REPLAY_APPLICATION: a `land` that comes
second learns anew what the table holds. To recover is to run the same replay again: what is done already is not done twice.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from contracts.contract import Contract, DuplicatePlan
from contracts.errors import CommitConflict, NotFound
from contracts.reasons import REASONS
from contracts.records import (
    BRONZE_SCHEMA,
    INGESTED_AT,
    KEY_ID,
    KNOWN_AT_FIELD,
    OFFSET,
    PARTITION,
    QUARANTINE_SCHEMA,
    REPLAY_ID,
    TOPIC,
)
from lineage.facts import ContractRef, Dataset, HopFacts, OffsetRange, RunRef
from streams.bronze import RawRecord, of_bronze, of_quarantine
from streams.clean import process_batch
from streams.connectors import delta
from streams.engines.cleaner import fresh_state
from streams.engines.frozen import refuse_changed
from streams.engines.letters import resolved
from streams.engines.vault import with_payloads
from streams.engines.writer import RACES_MAX, REPLAY_APPLICATION, Layer, at_version, commit_metadata, widened_table
from streams.intervals import IntervalSet
from streams.outcome import offset_ranges
from streams.replay import Change, Report, Selection, Spot, change_of, raw_batch, spans_of, spots_of, within
from streams.setup import Setup
from streams.topology import bronze_dataset, contract_ref, quarantine_dataset, replay_job, silver_dataset
from streams.widening import fitted, retyped, table_schema, widened

COORDINATES = (TOPIC, PARTITION, OFFSET)
PART_RECORDS = 20_000
PART_BYTES = 64 * 1024 * 1024
"""Of sealed bytes: a part is closed when it has so many."""
UNREPLAYABLE = frozenset(reason.value for reason, told in REASONS.items() if not told.replayable)


def replay(setup: Setup, contract: Contract, selection: Selection, *, dry_run: bool = False) -> Report:
    """Send the selected records through today's contract and code, put the tables right, and return what it came to.

    With `dry_run` nothing is written, lineage included. Raises NotFound where a table that it needs is not there, and
    CommitConflict where other writers were faster too many times: the same call goes on where it stopped.
    """
    return _Replay(setup, contract, selection, dry_run=dry_run).report()


class _Replay:
    """One replay of one dataset."""

    def __init__(self, setup: Setup, contract: Contract, selection: Selection, *, dry_run: bool) -> None:
        self.setup, self.contract, self.selection, self.dry_run = setup, contract, selection, dry_run
        self.run: RunRef = setup.run(replay_job(contract), "replay")
        self._uris = {layer: delta.table_uri(setup.tables, layer, contract.domain, contract.name) for layer in _LAYERS}
        self._report = Report()
        self._resolved: Mapping[int, IntervalSet] = {}
        """Quarantined records that silver holds by an earlier replay."""

    def report(self) -> Report:
        """Do it all."""
        needed: set[Layer] = {"silver", "quarantine", self.selection.source}
        for layer in sorted(needed):
            if not delta.exists(self._uris[layer]):
                wanted = "headwater archive, headwater land" if layer == "bronze" else "headwater clean, headwater land"
                raise NotFound(f"no {layer} table of {self.contract.dataset}", where=self._uris[layer], remedy=wanted)
        refuse_changed(self.contract, self._uris["silver"])
        if self.dry_run:
            self._replay_parts()
            return self._report
        widened_table(self._uris["quarantine"], QUARANTINE_SCHEMA)
        self._begin()
        try:
            self._replay_parts()
        except BaseException as error:
            self.setup.emitter.finish(self.run, self.setup.now(), failed=type(error).__name__)
            raise
        self.setup.emitter.finish(self.run, self.setup.now())
        return self._report

    def _begin(self) -> None:
        emitter = self.setup.emitter
        emitter.close_abandoned(self.run.job, self.run.started_at, self.setup.alive)
        self._tell_lost()
        emitter.start(
            self.run,
            [_dataset(self.selection.source, self.contract, self.setup, self._uris)],
            [_dataset(layer, self.contract, self.setup, self._uris) for layer in ("silver", "quarantine")],
            instance=self.setup.instance,
        )

    def _replay_parts(self) -> None:
        for rows in self._parts():
            self._replay_part(rows)

    def _parts(self) -> Iterator[pa.Table]:
        """Yield the selected rows of the source, as it stands now, in parts that fit in memory."""
        source = self.selection.source
        by = [*COORDINATES, INGESTED_AT, *(["reason"] if source == "quarantine" else [])]
        self._resolved = resolved(self._uris["quarantine"], self._uris["silver"], self.contract.raw_topic)
        wanted = self._wanted_of_bronze() if source == "bronze" and self.selection.reasons else None
        present = delta.column_names(self._uris[source])
        schema = QUARANTINE_SCHEMA if source == "quarantine" else BRONZE_SCHEMA
        stretches = delta.selected(
            self._uris[source],
            columns=[name for name in schema.names if name in present],
            by=by,
            choose=lambda rows: self._chosen(rows, wanted),
        )
        waiting: list[pa.Table] = []
        for stretch in stretches:
            waiting.append(_completed(stretch, schema))
            if sum(rows.num_rows for rows in waiting) >= PART_RECORDS or sum(rows.nbytes for rows in waiting) >= PART_BYTES:
                yield pa.concat_tables(waiting)
                waiting = []
        if waiting:
            yield pa.concat_tables(waiting)

    def _chosen(self, rows: pa.Table, wanted: Mapping[int, IntervalSet] | None) -> np.ndarray:
        chosen = self.selection.chosen(rows, self.contract.raw_topic)
        if self.selection.source == "quarantine":
            chosen &= ~np.isin(rows["reason"].to_numpy(), list(UNREPLAYABLE))
            chosen &= ~within(rows, self._resolved)
        return chosen if wanted is None else chosen & Selection(offsets=wanted).chosen(rows, self.contract.raw_topic)

    def _wanted_of_bronze(self) -> dict[int, IntervalSet]:
        """Return the records that are in quarantine for one of the reasons asked for."""
        there = Selection("quarantine", self.selection.reasons)
        uri = self._uris["quarantine"]
        columns = [*COORDINATES, INGESTED_AT, "reason"]
        chosen = delta.selected(uri, columns=columns, by=columns, choose=lambda rows: there.chosen(rows, self.contract.raw_topic))
        found = spans_of([spot for rows in chosen for spot in spots_of(rows)])
        return found or {-1: IntervalSet()}

    def _replay_part(self, rows: pa.Table) -> None:
        """Replay one part; judge again, and commit again what is left to do, when another writer came between."""
        records = self._records(rows)
        if not records:
            return
        rows_today, letters = self._today(records)
        for _ in range(RACES_MAX):
            try:
                done = self._attempt(rows_today, letters)
            except CommitConflict:
                self._tell_lost()  # in an object store, a race may be lost to our own commit, whose answer was lost
                continue
            if done:
                return
        raise CommitConflict(f"lost {RACES_MAX} races", where=self._uris["silver"], remedy="run the same replay again")

    def _records(self, rows: pa.Table) -> list[RawRecord]:
        """Return the raw records of rows of the source that can still be read."""
        keys = self.setup.keys.found(each for each in rows[KEY_ID].to_pylist() if each is not None)
        read = of_quarantine(rows, keys) if self.selection.source == "quarantine" else of_bronze(rows, keys)
        found = list(read)
        self._report.selected += len(found)
        self._report.erased += sum(record.state == "erased" for record in found)
        self._report.absent += sum(record.state == "absent" for record in found)
        return [record for record in found if record.state == "kept"]

    def _today(self, records: Sequence[RawRecord]) -> tuple[pa.Table, pa.Table]:
        """Return the rows and the dead letters that the records come to under today's contract and code."""
        batch = raw_batch(records)
        alone = replace(self.contract, duplicates=DuplicatePlan(window_records=0))
        outcome = process_batch(batch, fresh_state(self.setup, duplicate_window=0), alone)
        return outcome.rows, with_payloads(outcome.dead_letters, batch, self.contract, self.setup.keys)

    def _attempt(self, rows: pa.Table, letters: pa.Table) -> bool:
        """Commit what is to be done, by the tables as they stand; return False where silver had to be widened first."""
        seen = {layer: delta.current_version(self._uris[layer]) for layer in ("silver", "quarantine")}
        spans = spans_of([*spots_of(rows), *spots_of(letters)])
        quarantine = self._present("quarantine", spans, seen, QUARANTINE_SCHEMA)
        there = delta.schema(self._uris["silver"], seen["silver"])[1]
        known_at = self.setup.now()
        rows = rows.append_column(KNOWN_AT_FIELD, pa.repeat(pa.scalar(known_at, KNOWN_AT_FIELD.type), rows.num_rows))
        schema = widened(table_schema(there, self.contract), rows)
        if not self.dry_run and rows.num_rows and (retyped(there, schema) or len(schema) > len(there)):
            self._widen_silver(schema, there, seen["silver"])
            return False
        silver = self._present("silver", spans, seen, schema)
        rows, letters, unlanded = self._judged(fitted(rows, schema), letters, silver, quarantine)
        change, fates, columns = change_of(rows, letters, silver, quarantine, self.run.run_id)
        if not self.dry_run:
            self._commit_quarantine(change, rows, letters, seen["quarantine"], known_at)
            self._commit_silver(change, rows, letters, seen["silver"], known_at)
        self._count(fates, columns, unlanded, rows, letters, silver)
        return True

    def _judged(
        self, rows: pa.Table, letters: pa.Table, silver: pa.Table, quarantine: pa.Table
    ) -> tuple[pa.Table, pa.Table, int]:
        """Return rows and letters without those of records that no table holds yet, or that are no matter of the contract's.

        Also how many no table holds.
        """
        landed = {*spots_of(silver), *spots_of(quarantine)}
        fixed = {
            spot
            for spot, reason in zip(spots_of(quarantine), quarantine["reason"].to_pylist(), strict=True)
            if reason in UNREPLAYABLE
        }
        kept = landed - fixed
        unlanded = sum(spot not in landed for spot in (*spots_of(rows), *spots_of(letters)))
        return _among(rows, kept), _among(letters, kept), unlanded

    def _present(self, layer: Layer, spans: Mapping[int, IntervalSet], seen: Mapping[str, int], schema: pa.Schema) -> pa.Table:
        """Return what a table holds of these records at the version seen, in the schema wanted."""
        uri, wanted = self._uris[layer], Selection(offsets=spans or {-1: IntervalSet()})
        present = delta.schema(uri, seen[layer])[1].names
        rows = delta.selected(
            uri,
            columns=present,
            by=COORDINATES,
            choose=lambda rows: wanted.chosen(rows, self.contract.raw_topic),
            table_version=seen[layer],
        )
        fit = fitted if layer == "silver" else _completed
        found = [fit(part, schema) for part in rows]
        return pa.concat_tables(found) if found else schema.empty_table()

    def _widen_silver(self, schema: pa.Schema, there: pa.Schema, seen: int) -> None:
        """Give silver the columns and types that the rows need, in a commit that changes no row's content."""
        if retyped(there, schema):
            fit = partial(fitted, schema=schema)
            turn = self._turn("silver", seen)
            delta.rewrite(self._uris["silver"], schema.empty_table(), fit, metadata={}, transactions=turn, after=seen)
        else:
            delta.add_columns(self._uris["silver"], schema)
        self.setup.step("replay widening")

    def _commit_quarantine(self, change: Change, rows: pa.Table, letters: pa.Table, seen: int, known_at: datetime) -> None:
        if not change.letters.num_rows and not change.marked:
            return
        names = QUARANTINE_SCHEMA.names
        told = change.letters.append_column(
            KNOWN_AT_FIELD, pa.repeat(pa.scalar(known_at, KNOWN_AT_FIELD.type), len(change.letters))
        )
        marks = _keyed(change.marked, self.contract.raw_topic).append_column(
            REPLAY_ID, pa.repeat(self.run.run_id, len(change.marked))
        )
        source = pa.concat_tables([_acting(told.select(names), "letter"), _acting(marks, "mark")], promote_options="default")
        actions = [
            delta.MergeAction("letter", tuple(names), inserts=True),
            delta.MergeAction("mark", (REPLAY_ID,)),
        ]
        reasons = Counter(change.letters["reason"].to_pylist())
        facts = self._facts("quarantine", rows, letters, known_at, change.letters.num_rows, reasons)
        made = delta.merge(self._uris["quarantine"], source, actions, **self._how("quarantine", facts, seen))
        self.setup.step("replay quarantine commit")
        self._tell(facts, made.table_version, "quarantine")

    def _commit_silver(self, change: Change, rows: pa.Table, letters: pa.Table, seen: int, known_at: datetime) -> None:
        if not change.silver_rows.num_rows and not change.silver_gone:
            return
        uri, written = self._uris["silver"], change.silver_rows
        facts = self._facts("silver", rows, letters, known_at, written.num_rows, {})
        how = self._how("silver", facts, seen)
        if change.silver_replaces or change.silver_gone:
            gone = _acting(_keyed(change.silver_gone, self.contract.raw_topic), "gone")
            source = pa.concat_tables([_acting(written, "row"), gone], promote_options="default")
            actions = [
                delta.MergeAction("gone", deletes=True),
                delta.MergeAction("row", tuple(written.column_names), inserts=True),
            ]
            made = delta.merge(uri, source, actions, **how)
        else:
            made = delta.append(uri, written, metadata=how["metadata"], transactions=how["transactions"], after=seen)
        self.setup.step("replay silver commit")
        self._tell(facts, made.table_version, "silver")

    def _how(self, layer: Layer, facts: HopFacts, seen: int) -> dict[str, Any]:
        """Return what a commit carries and rests on."""
        metadata = commit_metadata(facts, contract_ref(self.contract)) | {"source": self.selection.source}
        return {"keys": COORDINATES, "metadata": metadata, "transactions": self._turn(layer, seen), "after": seen}

    def _turn(self, layer: Layer, seen: int) -> dict[str, int]:
        last = delta.opened(self._uris[layer], seen).transaction_version(REPLAY_APPLICATION)
        return {REPLAY_APPLICATION: 0 if last is None else int(last) + 1}

    def _facts(
        self, layer: Layer, rows: pa.Table, letters: pa.Table, known_at: datetime, written: int, reasons: Mapping[str, int]
    ) -> HopFacts:
        spots = pa.concat_tables([rows.select(COORDINATES), letters.select(COORDINATES)])
        spans = offset_ranges(spots[PARTITION], spots[OFFSET])
        ranges = tuple(OffsetRange(self.contract.raw_topic, p, first, last) for p, (first, last) in sorted(spans.items()))
        return HopFacts(
            run=self.run,
            commit_id="",
            committed_at=known_at,
            inputs=(replace(_dataset(self.selection.source, self.contract, self.setup, self._uris), offsets=ranges),),
            outputs=(replace(_dataset(layer, self.contract, self.setup, self._uris), rows=written),),
            records_in=spots.num_rows,
            records_out=written,
            dead_letters=dict(reasons),
            contract=contract_ref(self.contract),
        )

    def _tell(self, facts: HopFacts, table_version: int, layer: Layer) -> None:
        self.setup.emitter.commit(at_version(facts, table_version))
        self.setup.step(f"replay {layer} lineage")

    def _tell_lost(self) -> None:
        """Derive the events of a replay's commits that the ledger lacks: its process died between commit and event."""
        told = {commit.commit_id for commit in self.setup.emitter.commits(self.run.job)}
        for layer in ("silver", "quarantine"):
            for past in delta.history(self._uris[layer]):
                committed = json.loads(past.metadata.get("facts", "{}"))
                if committed.get("hop") != "replay":
                    continue
                facts = at_version(self._facts_told(committed, layer, past.metadata["source"]), past.table_version)
                if facts.commit_id not in told:
                    self.setup.emitter.commit(facts)

    def _facts_told(self, told: Mapping[str, Any], layer: str, source: str) -> HopFacts:
        """Return the facts that a commit's metadata tells, as its process would have told them to the ledger."""
        ranges = tuple(OffsetRange(*span) for span in told["offsets"])
        started = datetime.fromisoformat(told["started_at"])
        return HopFacts(
            run=RunRef(self.run.job, "replay", told["run_id"], told["engine"], told["code_version"], started),
            commit_id="",
            committed_at=datetime.fromisoformat(told["committed_at"]),
            inputs=(replace(_dataset(source, self.contract, self.setup, self._uris), offsets=ranges),),
            outputs=(replace(_dataset(layer, self.contract, self.setup, self._uris), rows=told["records_out"]),),
            records_in=told["records_in"],
            records_out=told["records_out"],
            dead_letters=told["dead_letters"],
            contract=ContractRef(told["contract_id"], told["contract_version"], told["contract_hash"]),
        )

    def _count(
        self,
        fates: Mapping[str, Sequence[Spot]],
        columns: Counter[str],
        unlanded: int,
        rows: pa.Table,
        letters: pa.Table,
        silver: pa.Table,
    ) -> None:
        report = self._report
        report.accepted += len(fates["accepted"])
        report.changed += len(fates["changed"])
        report.columns += columns
        report.refused += len(fates["refused"])
        report.rejected += Counter(letters["reason"].to_pylist())
        report.unlanded += unlanded
        report.unchanged += rows.num_rows - len(fates["accepted"]) - len(fates["changed"])
        touched = {spot for name in ("accepted", "changed", "refused") for spot in fates[name]}
        for table in (rows, silver):
            report.touched(_among(table, touched)[self.contract.event_time].to_pylist())


_LAYERS: tuple[Layer, ...] = ("silver", "quarantine", "bronze")


def _dataset(layer: str, contract: Contract, setup: Setup, uris: Mapping[Layer, str]) -> Dataset:
    if layer == "silver":
        return replace(silver_dataset(contract, setup.servers, uris["silver"]), column_origins=())
    return quarantine_dataset(uris["quarantine"]) if layer == "quarantine" else bronze_dataset(uris["bronze"])


def _among(table: pa.Table, spots: set[Spot]) -> pa.Table:
    return table.filter(pa.array([spot in spots for spot in spots_of(table)], pa.bool_()))


def _completed(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return rows in the schema: a table of an earlier version lacks some of its columns."""
    for field in schema:
        if field.name not in rows.column_names:
            rows = rows.append_column(field, pa.nulls(rows.num_rows, field.type))
    return rows.select(schema.names).cast(schema)


def _keyed(spots: Sequence[Spot], topic: str) -> pa.Table:
    return pa.table(
        {
            TOPIC: pa.repeat(topic, len(spots)),
            PARTITION: pa.array([partition for partition, _ in spots], pa.int32()),
            OFFSET: pa.array([offset for _, offset in spots], pa.int64()),
        }
    )


def _acting(rows: pa.Table, action: str) -> pa.Table:
    """Return rows for `delta.merge`, which of any column may be null."""
    schema = pa.schema([field.with_nullable(True) for field in rows.schema])
    return rows.cast(schema).append_column(delta.ACTION, pa.repeat(action, rows.num_rows))
