"""The commit and recovery of one table of one contract: silver or quarantine, which land writes, or bronze, which archive does.

1. rows and progress in one Delta commit: the point of no return. Before it, progress is compared with the table's, again
   after each lost race: what another writer committed is trimmed from the buffer, the rest is kept. The commit is made for
   the very version that was compared, so nobody can come between. Columns that the rows need and the table lacks are made
   in the same commit. A crash before leaves nothing
2. lineage event, carrying the table version. A crash before leaves a commit without its event: the restart derives it,
   equal, from the commit's metadata
3. broker offsets, as a hint (the engine's)

The facts of a commit are in its metadata, so that any later process can tell of it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, Literal

import pyarrow as pa

from contracts.contract import Contract
from contracts.errors import CommitConflict
from contracts.records import BRONZE_SCHEMA, KNOWN_AT_FIELD, QUARANTINE_SCHEMA, REPLAY_ID, Reason
from contracts.schema import silver_schema
from contracts.targets.delta import table_properties
from lineage.facts import ContractRef, Dataset, HopFacts, OffsetRange, RunRef
from lineage.names import commit_id
from streams.connectors import delta
from streams.connectors.kafka import Slot
from streams.engines.frozen import refuse_changed
from streams.held import fresh_rows, held_coordinates
from streams.land import Held
from streams.setup import Setup
from streams.topology import (
    bronze_dataset,
    clean_dataset,
    contract_ref,
    dead_letter_dataset,
    quarantine_dataset,
    raw_dataset,
    silver_dataset,
)
from streams.widening import effective_hash, evolved_columns, fitted, retyped, table_schema, widened

Layer = Literal["silver", "quarantine", "bronze"]
Evolved = tuple[tuple[str, str], ...]
"""Name and type of each column of a table that is not as its contract has it."""
RACES_MAX = 20
REPLAY_APPLICATION = "headwater:replay"
"""Whose `txn` version goes up with each commit of a replay, which moves no progress: what is held is then learnt anew."""


@dataclass
class Buffer:
    """What waits for the next commit of a table."""

    rows: list[pa.Table] = field(default_factory=list)
    records: int = 0
    size: int = 0
    repeated: int = 0
    seconds: float = 0.0
    since: float = 0.0
    """Monotonic time at which the first of it came."""
    spans: dict[Slot, tuple[int, int]] = field(default_factory=dict)
    """First and last input offset that the commit covers."""

    def add(self, rows: pa.Table, spans: Mapping[Slot, tuple[int, int]], *, records: int, size: int, repeated: int) -> None:
        """Take what one batch came to."""
        if rows.num_rows:
            self.rows.append(rows)
        self.records += records
        self.size += size
        self.repeated += repeated
        for slot, (first, last) in spans.items():
            known = self.spans.get(slot)
            self.spans[slot] = (known[0] if known else first, last)


class TableWriter:
    """Buffers rows for one table and commits them with their progress. Not for several threads at once."""

    def __init__(self, setup: Setup, contract: Contract, layer: Layer, run: RunRef) -> None:
        self.setup, self.contract, self.layer, self.run = setup, contract, layer, run
        self.uri = delta.table_uri(setup.tables, layer, contract.domain, contract.name)
        self.schema = layer_schema(contract, layer)
        self.buffer = Buffer()
        self.held = Held()
        self._replays = -1
        self._commits = 0
        self._known: tuple[int, pa.Schema] = (-1, self.schema)
        """The table's schema, and the version that it was read at."""

    def open(self) -> None:
        """Create the table if it is absent, tell of commits that the ledger lacks, and learn which coordinates it holds."""
        about = {
            "silver": self.contract.description,
            "quarantine": f"Records of {self.contract.dataset} not in silver, and why",
            "bronze": f"Raw records of {self.contract.dataset}, sealed",
        }
        delta.create_if_absent(self.uri, self.schema, description=about[self.layer], properties=table_properties(self.contract))
        if self.layer == "silver":
            refuse_changed(self.contract, self.uri)
            table_schema(self._schema_at(None), self.contract)
        else:
            widened_table(self.uri, self.schema)
        self._tell_lost()
        self.reload()

    def reload(self) -> None:
        """Drop what is buffered and learn from the table what it holds."""
        self.buffer = Buffer()
        seen, lasts = delta.progress(self.uri, [REPLAY_APPLICATION])
        self._replays, self.held = lasts.get(REPLAY_APPLICATION, -1), self._held_at(seen)

    def next_offset(self, slot: Slot) -> int:
        """Return where to go on with an input partition, as the table says."""
        last = delta.transaction_version(self.uri, _application(slot))
        return 0 if last is None else last + 1

    @property
    def holds(self) -> bool:
        """Whether anything waits for the next commit."""
        return bool(self.buffer.spans or self.buffer.rows)

    def due(self, now: float) -> bool:
        """Say whether the buffer should be committed now (monotonic seconds)."""
        limits, held = self.setup.limits, self.buffer
        waited = now - held.since >= limits.commit_seconds
        return self.holds and (waited or held.records >= limits.commit_records or held.size >= limits.commit_bytes)

    def commit(self) -> dict[Slot, int]:
        """Commit the buffer, but for what another writer has committed meanwhile; return how far the broker may be told.

        Raises DiskFull with nothing committed: the same call can be made again when there is room.
        """
        for _ in range(RACES_MAX):
            seen = self._trimmed() if self.buffer.rows else 0
            if not self.buffer.rows:
                return self._passed()
            known_at = self.setup.now()
            there = self._schema_at(seen) if self.layer == "silver" else self.schema
            rows = self._fitted(there, known_at)
            evolved = self._evolved(rows.schema)
            facts = self._facts(rows, known_at, evolved)
            metadata = commit_metadata(facts, contract_ref(self.contract), evolved)
            try:
                made = self._write(rows, there, metadata, seen)
            except CommitConflict:
                self._tell_own_since(seen)
                continue
            self._known = (made.table_version, rows.schema)
            self.setup.step(f"{self.layer} commit")
            return self._told(facts, made.table_version)
        raise CommitConflict(f"lost {RACES_MAX} races", where=self.uri, remedy="fewer writers on this table")

    def _passed(self) -> dict[Slot, int]:
        """Write nothing, because all that came was repeated: progress stays, and what is read again is dropped again."""
        self.buffer = Buffer()
        return {}

    def _told(self, facts: HopFacts, table_version: int) -> dict[Slot, int]:
        hints = {slot: last + 1 for slot, (_, last) in self.buffer.spans.items()}
        self.setup.emitter.commit(at_version(facts, table_version))
        self.setup.step(f"{self.layer} lineage")
        self.buffer = Buffer()
        self._commits += 1
        self._compact_if_due(table_version)
        return hints

    def _trimmed(self) -> int:
        """Drop from the buffer what the table has by now; return the table version that this was judged by."""
        spans = self.buffer.spans
        seen, lasts = delta.progress(self.uri, [REPLAY_APPLICATION, *map(_application, spans)])
        overtaken = {
            slot: lasts[_application(slot)] for slot, (first, _) in spans.items() if lasts.get(_application(slot), -1) >= first
        }
        replays = lasts.get(REPLAY_APPLICATION, -1)
        if not overtaken and replays == self._replays:
            return seen
        self._replays = replays
        held, kept = self._held_at(seen), []
        for rows in self.buffer.rows:
            fresh, held = fresh_rows(rows, held)
            self.buffer.repeated += rows.num_rows - fresh.num_rows
            kept += [fresh] if fresh.num_rows else []
        self.held, self.buffer.rows = held, kept
        for slot, last in overtaken.items():
            first, end = spans.pop(slot)
            if last < end:
                spans[slot] = (max(first, last + 1), end)
        return seen

    def _held_at(self, table_version: int | None) -> Held:
        columns = ["_topic", "_partition", "_offset"]
        return held_coordinates(delta.batches(self.uri, columns=columns, table_version=table_version))

    def _transactions(self) -> dict[str, int]:
        return {_application(slot): last for slot, (_, last) in self.buffer.spans.items()}

    def _schema_at(self, table_version: int | None) -> pa.Schema:
        """Return the table's schema at a version: another writer may have widened it."""
        if table_version is None or self._known[0] != table_version:
            self._known = delta.schema(self.uri, table_version)
        return self._known[1]

    def _fitted(self, there: pa.Schema, known_at: datetime) -> pa.Table:
        """Return the buffered rows in the table's columns, with those that it must be widened by."""
        rows = pa.concat_tables(self.buffer.rows, promote_options="default")
        column = pa.repeat(pa.scalar(known_at, KNOWN_AT_FIELD.type), rows.num_rows)
        rows = rows.append_column(KNOWN_AT_FIELD.with_nullable(False), column)
        if self.layer == "quarantine":
            rows = rows.append_column(REPLAY_ID, pa.nulls(rows.num_rows, pa.string()))
        if self.layer != "silver":
            return rows.select(self.schema.names).cast(self.schema)
        return fitted(rows, widened(table_schema(there, self.contract), rows))

    def _write(self, rows: pa.Table, there: pa.Schema, metadata: Mapping[str, str], seen: int) -> delta.Commit:
        """Commit rows and progress. Columns that the rows add to the table come in the same commit, as does a wider type."""
        progress = self._transactions()
        if self.layer == "silver" and retyped(there, rows.schema):
            schema = rows.schema
            fit = partial(fitted, schema=schema)
            return delta.rewrite(self.uri, rows, fit, metadata=metadata, transactions=progress, after=seen)
        widen = self.layer == "silver" and len(rows.schema) > len(there)
        return delta.append(self.uri, rows, metadata=metadata, transactions=progress, after=seen, widen=widen)

    def _evolved(self, schema: pa.Schema) -> Evolved:
        """Return the name and type of each column that is not as the contract has it."""
        if self.layer != "silver":
            return ()
        return tuple((field.name, str(field.type)) for field in evolved_columns(schema, self.contract))

    def _facts(self, rows: pa.Table, known_at: datetime, evolved: Evolved) -> HopFacts:
        spans = sorted(self.buffer.spans.items(), key=lambda item: (item[0].topic, item[0].partition))
        ranges = tuple(OffsetRange(slot.topic, slot.partition, first, last) for slot, (first, last) in spans)
        reasons = Counter(rows["reason"].to_pylist()) if self.layer == "quarantine" else {}
        duplicates = reasons.pop(Reason.DUPLICATE.value, 0)
        return HopFacts(
            run=self.run,
            commit_id="",
            committed_at=known_at,
            inputs=(self._input(ranges),),
            outputs=(self._output(rows.num_rows, evolved),),
            records_in=self.buffer.records,
            records_out=rows.num_rows,
            dead_letters=reasons,
            duplicates=duplicates,
            repeated=self.buffer.repeated,
            contract=replace(contract_ref(self.contract), hash=effective_hash(self.contract.hash, evolved)),
            seconds=round(self.buffer.seconds * 1_000_000) / 1_000_000,
        )

    def _input(self, ranges: tuple[OffsetRange, ...]) -> Dataset:
        if self.layer == "bronze":
            return raw_dataset(self.contract, self.setup.servers, ranges)
        make = clean_dataset if self.layer == "silver" else dead_letter_dataset
        return replace(make(self.contract, self.setup.servers, None, ranges), column_origins=())

    def _output(self, rows: int | None, evolved: Evolved = ()) -> Dataset:
        if self.layer == "silver":
            return silver_dataset(self.contract, self.setup.servers, self.uri, rows, evolved=evolved)
        return quarantine_dataset(self.uri, rows) if self.layer == "quarantine" else bronze_dataset(self.uri, rows)

    def _tell_lost(self) -> None:
        """Derive the events of commits that the ledger lacks: a process died between its commit and its event."""
        told = {commit.commit_id for commit in self.setup.emitter.commits(self.run.job)}
        for past in delta.history(self.uri):
            committed = json.loads(past.metadata.get("facts", "{}"))
            if not committed or committed.get("hop", self.run.hop) != self.run.hop:
                continue
            facts = at_version(self._facts_told(committed), past.table_version)
            if facts.commit_id not in told:
                self.setup.emitter.commit(facts)

    def _tell_own_since(self, seen: int) -> None:
        """Tell of commits of this run behind a version: a race that was lost to ourselves.

        In an object store, the answer to a commit may be lost, and what is sent again then finds its own first try there.
        """
        for past in delta.history(self.uri, max(1, delta.current_version(self.uri) - seen)):
            committed = json.loads(past.metadata.get("facts", "{}"))
            if past.table_version > seen and committed.get("run_id") == self.run.run_id:
                self.setup.emitter.commit(at_version(self._facts_told(committed), past.table_version))

    def _facts_told(self, told: Mapping[str, Any]) -> HopFacts:
        """Return the facts that a commit's metadata tells, as its process would have told them to the ledger."""
        ranges = tuple(OffsetRange(*span) for span in told["offsets"])
        started = datetime.fromisoformat(told["started_at"])
        run = RunRef(self.run.job, self.run.hop, told["run_id"], told["engine"], told["code_version"], started)
        return HopFacts(
            run=run,
            commit_id="",
            committed_at=datetime.fromisoformat(told["committed_at"]),
            inputs=(self._input(ranges),),
            outputs=(self._output(told["records_out"], tuple((name, kind) for name, kind in told.get("evolved", ()))),),
            records_in=told["records_in"],
            records_out=told["records_out"],
            dead_letters=told["dead_letters"],
            duplicates=told["duplicates"],
            repeated=told["repeated"],
            contract=ContractRef(told["contract_id"], told["contract_version"], told["contract_hash"]),
            seconds=told["microseconds"] / 1_000_000,
        )

    def _compact_if_due(self, table_version: int) -> None:
        if self.setup.limits.compact_files and self._commits % self.setup.limits.compact_files == 0:
            try:
                delta.compact(self.uri, metadata={"compacted_up_to": str(table_version)})
            except CommitConflict:
                return  # a replay came between: the files wait for the next time
            self.setup.step(f"{self.layer} compaction")


def layer_schema(contract: Contract, layer: Layer) -> pa.Schema:
    """Return the schema of one of a contract's tables."""
    return {"silver": silver_schema(contract), "quarantine": QUARANTINE_SCHEMA, "bronze": BRONZE_SCHEMA}[layer]


def widened_table(uri: str, schema: pa.Schema) -> None:
    """Add the columns that a table of an earlier version lacks. Of several processes that begin at once, one does."""
    for attempt in range(RACES_MAX):
        try:
            delta.add_columns(uri, schema)
        except CommitConflict:
            if attempt == RACES_MAX - 1:
                raise
        else:
            return


def landed_offset(tables: str, contract: Contract, layer: Layer, slot: Slot) -> int:
    """Return the first offset of an input partition that the table does not cover; 0 without a table."""
    uri = delta.table_uri(tables, layer, contract.domain, contract.name)
    last = delta.transaction_version(uri, _application(slot)) if delta.exists(uri) else None
    return 0 if last is None else last + 1


def _application(slot: Slot) -> str:
    """Return the Delta application id of a consumed partition: its `txn` version is the last offset covered."""
    return f"headwater:{slot.topic}:{slot.partition}"


def at_version(facts: HopFacts, table_version: int) -> HopFacts:
    """Return the facts with the table version that the commit became, and the id that follows from it."""
    outputs = tuple(replace(output, table_version=table_version) for output in facts.outputs)
    return replace(facts, outputs=outputs, commit_id=commit_id(facts.run.job, facts.outputs[0].name, table_version))


def commit_metadata(facts: HopFacts, contract: ContractRef, evolved: Evolved = ()) -> dict[str, str]:
    """Return what the commit carries: run, code, contract, offset ranges, counts, and which columns are beyond the contract."""
    told = {
        "hop": facts.run.hop,
        "run_id": facts.run.run_id,
        "engine": facts.run.engine,
        "started_at": facts.run.started_at.isoformat(),
        "committed_at": facts.committed_at.isoformat(),
        "code_version": facts.run.code_version,
        "contract_id": contract.id,
        "contract_version": contract.contract_version,
        "contract_hash": effective_hash(contract.hash, evolved),
        **({"declared_hash": contract.hash, "evolved": [list(pair) for pair in evolved]} if evolved else {}),
        "offsets": [[o.topic, o.partition, o.first_offset, o.last_offset] for d in facts.inputs for o in d.offsets],
        "records_in": facts.records_in,
        "records_out": facts.records_out,
        "dead_letters": dict(facts.dead_letters),
        "duplicates": facts.duplicates,
        "repeated": facts.repeated,
        "microseconds": round(facts.seconds * 1_000_000),
    }
    return {"facts": json.dumps(told, sort_keys=True)}
