"""The hop from silver to the current table of an `upsert` contract: what silver added since, merged in one commit.

1. the newest deletes into the table of tombstones, one commit. A crash leaves tombstones ahead of the current table: they
   are all true, and the restart, which reads the same changes again, merges them again to no effect
2. rows and progress into the current table, one commit: the point of no return. Progress is a `txn` action whose version is
   the silver version that the table is the newest state of
3. lineage event, carrying both table versions. A crash before leaves a commit without its event: the restart derives it,
   equal, from the commit's metadata

A hop of its own, not a part of `land`: a merge rewrites files, and silver's commits should not wait for that. Where silver
did more than grow since (rows were erased or replaced, columns added), the table is made anew from all of it, by the same
function: for any history both give the same rows.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl
import pyarrow as pa

from contracts.contract import Contract
from contracts.errors import CommitConflict, HeadwaterError
from contracts.records import KIND, Kind
from lineage.facts import ContractRef, HopFacts, RunRef
from lineage.names import commit_id
from streams.connectors import delta
from streams.current import live, newer_in_sql, newest_of, not_outlived, tombstone_schema, tombstones
from streams.engines.direct import Stop
from streams.setup import Setup
from streams.topology import current_dataset, current_job, silver_dataset

WATCH_SECONDS = 0.5
"""How often silver is asked for a newer version: nothing tells of one."""
RACES_MAX = 20
DELETES = f"change.\"{KIND}\" = '{Kind.DELETE.value}'"


@dataclass(frozen=True)
class News:
    """What silver has that the current table lacks: the newest change of each key, up to a silver version."""

    changes: pl.DataFrame
    rows_in: int
    silver_version: int
    whole: bool
    """Whether it is all of silver, and the table is to be made anew."""


class CurrentTable:
    """The current table of one contract, and the run that keeps it."""

    def __init__(self, setup: Setup, contract: Contract) -> None:
        self.setup, self.contract = setup, contract
        self.run: RunRef = setup.run(current_job(contract), "current")
        self.silver, self.uri, self.buried = (
            delta.table_uri(setup.tables, layer, contract.domain, contract.name) for layer in ("silver", "current", "tombstones")
        )
        self._application = f"headwater:{contract.dataset}.silver"
        self._looked_at = -1
        self._commits = 0

    def open(self) -> None:
        """Close runs that dead processes left open, tell of commits that the ledger lacks, and begin ours."""
        setup, contract = self.setup, self.contract
        setup.emitter.close_abandoned(self.run.job, self.run.started_at, setup.alive)
        self._tell_lost()
        inputs = [silver_dataset(contract, setup.servers, self.silver)]
        setup.emitter.start(self.run, inputs, [current_dataset(contract, self.uri, self.silver)], instance=setup.instance)

    def catch_up(self) -> bool:
        """Bring the table to silver's newest version; say whether there was anything to do.

        May be called again: what is up to date is left alone. Raises CommitConflict after too many lost races.
        """
        if not delta.exists(self.silver) or delta.current_version(self.silver) == self._looked_at:
            return False
        for _ in range(RACES_MAX):
            try:
                return self._caught_up()
            except CommitConflict:
                self._tell_lost()  # in an object store, a race may be lost to our own commit, whose answer was lost
        raise CommitConflict(f"lost {RACES_MAX} races", where=self.uri, remedy="one `headwater current` for each dataset")

    def _caught_up(self) -> bool:
        began = self.setup.now()
        schema = self._created()
        seen, lasts = delta.progress(self.uri, [self._application])
        news = self._news(lasts.get(self._application), seen, schema)
        self._looked_at = news.silver_version
        if not news.rows_in and not news.whole:
            return False
        buried = tombstones(news.changes, self.contract)
        self._bury(buried, news, tombstone_schema(schema, self.contract))
        self.setup.step("tombstones")
        made, metadata = self._commit(news, schema, seen, began)
        self.setup.step("current commit")
        self.setup.emitter.commit(self._facts(metadata, made.table_version))
        self.setup.step("current lineage")
        self._compact_if_due(made.table_version)
        return True

    def _created(self) -> pa.Schema:
        """Create both tables unless they are there; return silver's schema, which they have."""
        _, schema = delta.schema(self.silver)
        told = self.contract.dataset
        delta.create_if_absent(self.uri, schema, description=f"The newest row of each key of {told}")
        delta.create_if_absent(
            self.buried, tombstone_schema(schema, self.contract), description=f"Keys of {told} that were deleted, and when"
        )
        return schema

    def _news(self, merged: int | None, seen: int, schema: pa.Schema) -> News:
        silver_version = delta.current_version(self.silver)
        known = merged is not None and delta.schema(self.uri, seen)[1].equals(schema)
        added = delta.added(self.silver, merged + 1, silver_version) if known and merged is not None else None
        batches = added if added is not None else delta.batches(self.silver, table_version=silver_version)
        changes, rows_in = newest_of(batches, self.contract, schema)
        return News(changes, rows_in, silver_version, whole=added is None)

    def _bury(self, buried: pl.DataFrame, news: News, schema: pa.Schema) -> None:
        rows = buried.to_arrow().cast(_nullable(schema)).cast(schema)
        metadata = {"silver_version": str(news.silver_version)}
        if news.whole:
            delta.remake(self.buried, rows, metadata=metadata)
        elif rows.num_rows:
            how = delta.Newer(self.contract.key, newer_in_sql("change", "row"))
            delta.merge_newer(self.buried, rows, how, metadata=metadata)

    def _commit(self, news: News, schema: pa.Schema, seen: int, began: datetime) -> tuple[delta.Commit, dict[str, str]]:
        """Commit rows and progress, with the facts that can be told of it: how many rows there were to be changed."""
        changes = live(news.changes) if news.whole else self._not_outlived(news.changes)
        rows = changes.to_arrow().cast(_nullable(schema)).cast(schema)
        now = self.setup.now()
        told = {
            "run_id": self.run.run_id,
            "engine": self.run.engine,
            "started_at": self.run.started_at.isoformat(),
            "committed_at": now.isoformat(),
            "code_version": self.run.code_version,
            "contract": [self.contract.id, self.contract.contract_version, self.contract.hash],
            "silver_version": news.silver_version,
            "rows_in": news.rows_in,
            "rows": rows.num_rows,
            "microseconds": round((now - began).total_seconds() * 1_000_000),
        }
        metadata, progress = {"current": json.dumps(told, sort_keys=True)}, {self._application: news.silver_version}
        if news.whole:
            return delta.remake(self.uri, rows, metadata=metadata, transactions=progress, after=seen), metadata
        how = delta.Newer(self.contract.key, newer_in_sql("change", "row"), DELETES)
        return delta.merge_newer(self.uri, rows, how, metadata=metadata, transactions=progress, after=seen), metadata

    def _not_outlived(self, changes: pl.DataFrame) -> pl.DataFrame:
        """Return the changes that no known delete of their key is newer than."""
        keys = list(self.contract.key)
        schema = tombstone_schema(delta.schema(self.buried)[1], self.contract)
        buried, _ = newest_of(self._buried_among(changes.select(keys)), self.contract, schema)
        return not_outlived(changes, buried, keys)

    def _buried_among(self, wanted: pl.DataFrame) -> Iterator[pa.RecordBatch]:
        """Yield the tombstones of these keys."""
        for batch in delta.batches(self.buried):
            frame = pl.from_arrow(pa.Table.from_batches([batch]))
            if isinstance(frame, pl.DataFrame):
                kept = frame.join(wanted, on=wanted.columns, how="semi").to_arrow()
                yield from kept.to_batches()

    def _tell_lost(self) -> None:
        """Derive the events of commits that the ledger lacks: a process died between its commit and its event."""
        if not delta.exists(self.uri):
            return
        told = {commit.commit_id for commit in self.setup.emitter.commits(self.run.job)}
        for past in delta.history(self.uri):
            if "current" in past.metadata:
                facts = self._facts(past.metadata, past.table_version)
                if facts.commit_id not in told:
                    self.setup.emitter.commit(facts)

    def _facts(self, metadata: Mapping[str, str], table_version: int) -> HopFacts:
        """Return a commit's facts, from its metadata alone: the same commit gives the same facts, whoever asks."""
        told = json.loads(metadata["current"])
        started = datetime.fromisoformat(told["started_at"])
        output = current_dataset(self.contract, self.uri, self.silver, told["rows"], table_version)
        source = silver_dataset(self.contract, self.setup.servers, self.silver, told["rows_in"], told["silver_version"])
        return HopFacts(
            run=RunRef(self.run.job, "current", told["run_id"], told["engine"], told["code_version"], started),
            commit_id=commit_id(self.run.job, output.name, table_version),
            committed_at=datetime.fromisoformat(told["committed_at"]),
            inputs=(replace(source, column_origins=()),),
            outputs=(output,),
            records_in=told["rows_in"],
            records_out=told["rows"],
            contract=ContractRef(*told["contract"]),
            seconds=told["microseconds"] / 1_000_000,
        )

    def _compact_if_due(self, table_version: int) -> None:
        self._commits += 1
        if not self.setup.limits.compact_files or self._commits % self.setup.limits.compact_files:
            return
        for uri in (self.uri, self.buried):
            try:
                delta.compact(uri, metadata={"compacted_up_to": str(table_version)})
            except CommitConflict:
                return  # another process keeps the same table: the files wait for the next time
        self.setup.step("current compaction")


def merged_version(tables: str, contract: Contract) -> int | None:
    """Return the silver version that a contract's current table is the newest state of; None without a table."""
    uri = delta.table_uri(tables, "current", contract.domain, contract.name)
    return delta.transaction_version(uri, f"headwater:{contract.dataset}.silver") if delta.exists(uri) else None


def run(setup: Setup, stop: Stop, *, drain: bool = False) -> list[RunRef]:
    """Keep the current tables of the `upsert` contracts until told to stop, or with `drain` bring them up to silver once.

    Returns the runs. A dataset without a silver table is waited for, or with `drain` left out.
    """
    tables = [CurrentTable(setup, contract) for contract in setup.contracts if contract.change == "upsert"]
    for table in tables:
        table.open()
    try:
        while not stop():
            worked = [table.catch_up() for table in tables]
            if drain:
                break
            if not any(worked):
                time.sleep(WATCH_SECONDS)
    except HeadwaterError as error:
        _finish(setup, tables, type(error).__name__)
        raise
    return _finish(setup, tables)


def _finish(setup: Setup, tables: Sequence[CurrentTable], failed: str = "") -> list[RunRef]:
    for table in tables:
        setup.emitter.finish(table.run, setup.now(), failed=failed)
    return [table.run for table in tables]


def _nullable(schema: pa.Schema) -> pa.Schema:
    """Return the schema without its nullability: Polars' columns say that all may be null."""
    return pa.schema([field.with_nullable(True) for field in schema])
