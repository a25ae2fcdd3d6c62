"""The hop that finds duplicates on the way to gold: sketch what is new in silver, say which row stands for which, commit, tell.

| step | what a crash after it leaves |
| --- | --- |
| 1 pin the silver version; append sketches of rows that have none, in bounded commits | sketches ahead of the duplicates |
| 2 replace the duplicates in one commit, its metadata saying how far the sketches had come | duplicates without their event |
| 3 lineage event, derived from that metadata | a finished hop |

A restart runs the same code: which rows have a sketch is read from their coordinates, how far the duplicates go from their
last commit. So step 1 is never done twice for a row, and step 2 looks again only at what is new since.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from contracts.contract import Contract
from contracts.records import OFFSET, PARTITION, TOPIC
from features.datasets import listed, moment, silver_dataset
from features.engines.aggregate import duplicates_uri, silver_uri
from features.folding import NO_WINDOW
from features.near_duplicates import (
    COORDINATES,
    DUPLICATE_SCHEMA,
    EVENT_TIME,
    LIVE_COLUMNS,
    SKETCH_SCHEMA,
    SKETCHED_AT,
    duplicates_of,
    live_rows,
    plan_hash,
    silver_columns,
    sketched,
    window_us,
)
from features.workspace import Workspace
from lineage.facts import Column, ColumnOrigin, ContractRef, Dataset, HopFacts, RunRef
from lineage.names import commit_id, table_name
from streams.connectors import delta, maintenance
from streams.intervals import IntervalSet

COMMIT_BYTES = 64 * 1024 * 1024
"""Sketches are committed when so many bytes of them have gathered."""
COMPACT_FILES = 20

Held = dict[tuple[str, int], IntervalSet]
"""Offsets by topic and partition."""


@dataclass(frozen=True)
class Folds:
    """What became of one dataset: the duplicates as they stand now."""

    dataset: str
    table_version: int
    silver_version: int
    rows_in: int
    """Silver rows, all of them."""
    sketched: int
    """Rows that were read and sketched for it."""
    settled: int
    """Rows that were compared for it."""
    exact: int
    near: int
    up_to_date: bool
    seconds: float

    @property
    def folded(self) -> int:
        """Rows that another stands for."""
        return self.exact + self.near


@dataclass(frozen=True)
class _Sketches:
    """The sketches as they stand: of which silver rows, made by what."""

    uri: str
    sequence: int
    """Newest table version: that of the last row's commit, or later."""
    epoch: int
    """The table version since which rows were only added."""
    added: int


def sketches_uri(workspace: Workspace, dataset: str) -> str:
    """Return where the table of a dataset's sketches stands."""
    return delta.table_uri(workspace.tables, "gold", "sketches", *dataset.split(".", 1))


def fold_duplicates(workspace: Workspace, contracts: Iterable[Contract]) -> list[Folds]:
    """Bring the duplicates of each contract that wants them folded up to its silver table; return what was done.

    Datasets that have no silver table yet are left out. May be called again: what is up to date is left alone. Raises
    CommitConflict where another process writes the same tables: call again.
    """
    wanted = [contract for contract in contracts if contract.near_duplicates is not None]
    return [_fold(workspace, c) for c in wanted if delta.exists(silver_uri(workspace, c.dataset))]


def last_fold(uri: str) -> delta.PastCommit | None:
    """Return the newest commit of a table of duplicates that holds ours, or None."""
    return _last(uri, "silver_version")


def _fold(workspace: Workspace, contract: Contract) -> Folds:
    job = f"{contract.dataset}.fold"
    target, source = duplicates_uri(workspace.tables, contract.dataset), silver_uri(workspace, contract.dataset)
    past = last_fold(target)
    if past is not None:
        _tell(workspace, _facts(workspace, contract, past))
    workspace.close_abandoned(job)
    silver_version = delta.current_version(source)
    if past is not None and _same(past.metadata, contract, silver_version):
        return _folds(contract, past, up_to_date=True)
    run = workspace.run(job, "fold")
    workspace.emitter.start(run, [silver_dataset(source, silver_version)], instance=workspace.instance)
    try:
        held = _coordinates(source, silver_version)
        sketches = _sketched(workspace, contract, silver_version, held)
        past = _commit(workspace, run, contract, past, sketches, silver_version, held)
    except BaseException as error:
        workspace.emitter.finish(run, workspace.now(), failed=type(error).__name__)
        raise
    _tell(workspace, _facts(workspace, contract, past))
    return _folds(contract, past, up_to_date=False)


def _same(metadata: Mapping[str, str], contract: Contract, silver_version: int) -> bool:
    return (int(metadata["silver_version"]), metadata["plan_hash"]) == (silver_version, plan_hash(contract))


def _tell(workspace: Workspace, facts: HopFacts) -> None:
    workspace.emitter.commit(facts)
    workspace.emitter.finish(facts.run, facts.committed_at)


def _last(uri: str, key: str) -> delta.PastCommit | None:
    if not delta.exists(uri):
        return None
    return next((past for past in reversed(delta.history(uri)) if key in past.metadata), None)


def _coordinates(uri: str, table_version: int) -> Held:
    """Return the offsets that a table holds: a few intervals, however many rows."""
    held: Held = {}
    for batch in delta.batches(uri, columns=COORDINATES, table_version=table_version):
        for slot, offsets in _by_slot(pa.Table.from_batches([batch])):
            held[slot] = held.get(slot, IntervalSet()).union(IntervalSet.of(offsets))
    return held


def _by_slot(rows: pa.Table) -> Iterator[tuple[tuple[str, int], np.ndarray]]:
    frame = pl.DataFrame(pl.from_arrow(rows))
    for (topic, partition), group in frame.group_by(TOPIC, PARTITION):
        yield (str(topic), int(str(partition))), group[OFFSET].to_numpy()


def _within(rows: pa.Table, held: Held) -> np.ndarray:
    """Say which rows' coordinates are among those."""
    frame = pl.DataFrame(pl.from_arrow(rows)).with_row_index("at")
    found = np.zeros(frame.height, bool)
    for (topic, partition), group in frame.group_by(TOPIC, PARTITION):
        among = held.get((str(topic), int(str(partition))), IntervalSet())
        found[group["at"].to_numpy()] = among.contains(group[OFFSET].to_numpy())
    return found


def _sketched(workspace: Workspace, contract: Contract, silver_version: int, silver: Held) -> _Sketches:
    """Sketch the silver rows that have no sketch; where rows are gone from silver, or the plan is another, begin anew."""
    uri, source = sketches_uri(workspace, contract.dataset), silver_uri(workspace, contract.dataset)
    delta.create_if_absent(uri, SKETCH_SCHEMA, description=f"What near duplicates of {contract.dataset} are found by.")
    made = _last(uri, "plan_hash")
    version = delta.current_version(uri)
    held = _coordinates(uri, version)
    gone = any(not silver.get(slot, IntervalSet()).contains(_offsets(offsets)).all() for slot, offsets in held.items())
    if made is None or made.metadata["plan_hash"] != plan_hash(contract) or gone:
        marks = {"plan_hash": plan_hash(contract), "epoch": str(version + 1)}
        version = delta.overwrite(uri, SKETCH_SCHEMA.empty_table(), metadata=marks).table_version
        held = {}
    else:
        marks = {name: made.metadata[name] for name in ("plan_hash", "epoch")}
    rows = delta.selected(
        source,
        columns=silver_columns(contract),
        by=COORDINATES,
        choose=lambda table: ~_within(table, held),
        table_version=silver_version,
    )
    added = 0
    for part in _bounded(sketched(row, contract, 0) for row in rows):
        version = _append(uri, part, marks, version)
        added += part.num_rows
    if len(maintenance.file_sizes(uri)) > COMPACT_FILES:
        delta.compact(uri, metadata=marks)
    return _Sketches(uri, version, int(marks["epoch"]), added)


def _offsets(held: IntervalSet) -> np.ndarray:
    return np.concatenate([np.empty(0, np.int64), *(np.arange(first, last + 1) for first, last in held.pairs())])


def _bounded(parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Yield the parts together, about COMMIT_BYTES at a time."""
    gathered: list[pa.Table] = []
    for part in parts:
        gathered.append(part)
        if sum(table.nbytes for table in gathered) >= COMMIT_BYTES:
            yield pa.concat_tables(gathered)
            gathered = []
    if gathered:
        yield pa.concat_tables(gathered)


def _append(uri: str, rows: pa.Table, marks: Mapping[str, str], after: int) -> int:
    """Append the rows as the table version after `after`, and no other: then no row can have been sketched twice."""
    place = SKETCH_SCHEMA.get_field_index(SKETCHED_AT)
    numbered = rows.set_column(place, SKETCH_SCHEMA.field(place), pa.repeat(after + 1, rows.num_rows))
    return delta.append(uri, numbered, metadata=marks, after=after).table_version


def _commit(
    workspace: Workspace,
    run: RunRef,
    contract: Contract,
    past: delta.PastCommit | None,
    sketches: _Sketches,
    silver_version: int,
    silver: Held,
) -> delta.PastCommit:
    target = duplicates_uri(workspace.tables, contract.dataset)
    told = past.metadata if past is not None else {}
    known = (told.get("plan_hash"), told.get("epoch")) == (plan_hash(contract), str(sketches.epoch))
    reached = int(told["reached"]) if known else -1
    old = _frame(delta.read(target)) if known else _frame(DUPLICATE_SCHEMA.empty_table())
    rows, settled = _duplicates(contract, sketches, old, reached)
    kinds = rows["kind"].to_pylist()
    metadata = {
        "run_id": run.run_id,
        "run_started_at": run.started_at.isoformat(),
        "code_version": workspace.code_version,
        "contract_version": contract.contract_version,
        "contract_hash": contract.hash,
        "plan_hash": plan_hash(contract),
        "epoch": str(sketches.epoch),
        "reached": str(sketches.sequence),
        "silver_version": str(silver_version),
        "frontier": json.dumps(_frontier(silver)),
        "rows_in": str(sum(len(offsets) for offsets in silver.values())),
        "sketched": str(sketches.added),
        "settled": str(settled),
        "exact": str(kinds.count("exact")),
        "near": str(kinds.count("near")),
        "seconds": f"{(workspace.now() - run.started_at).total_seconds():.3f}",
    }
    delta.create_if_absent(target, DUPLICATE_SCHEMA, description=f"Rows of {contract.dataset} that another row stands for.")
    delta.overwrite(target, rows, metadata=metadata)
    made = last_fold(target)
    assert made is not None  # noqa: S101  the commit just made
    return made


def _duplicates(contract: Contract, sketches: _Sketches, old: pl.DataFrame, reached: int) -> tuple[pa.Table, int]:
    """Return the duplicates now, and how many rows were looked at: sketches are read only as far back as the window asks."""
    standing, first = _standing(contract, sketches, reached)
    if first is None:
        return old.select(DUPLICATE_SCHEMA.names).to_arrow().cast(DUPLICATE_SCHEMA), 0
    first = max(first - window_us(contract), -NO_WINDOW)
    cut = pl.col(EVENT_TIME).dt.epoch("us") >= first
    parts = [_frame(pa.Table.from_batches([batch])).filter(cut) for batch in delta.batches(sketches.uri)]
    live = pl.concat([_frame(SKETCH_SCHEMA.empty_table()), *parts])
    if standing is not None:
        live = live.join(standing, on=list(COORDINATES), how="semi")
    found = duplicates_of(live.sort(EVENT_TIME, *COORDINATES), old.filter(cut), reached, first, contract)
    earlier = old.filter(~cut).select(DUPLICATE_SCHEMA.names).to_arrow().cast(DUPLICATE_SCHEMA)
    return pa.concat_tables([earlier, found.rows]), found.settled


def _standing(contract: Contract, sketches: _Sketches, reached: int) -> tuple[pl.DataFrame | None, int | None]:
    """Return which rows stand (None: all), and the event time in microseconds of the first row that came or went."""
    upsert = contract.change == "upsert"
    columns = LIVE_COLUMNS if upsert else (EVENT_TIME, SKETCHED_AT)
    fresh = pl.col(SKETCHED_AT) > reached
    parts = (_frame(pa.Table.from_batches([batch])) for batch in delta.batches(sketches.uri, columns=columns))
    if not upsert:
        firsts = [part.filter(fresh)[EVENT_TIME].dt.epoch("us").min() for part in parts]
        return None, min((int(str(at)) for at in firsts if at is not None), default=None)
    rows = pl.concat([_frame(SKETCH_SCHEMA.empty_table()).select(columns), *parts])
    now, before = live_rows(rows, contract), live_rows(rows.filter(~fresh), contract)
    moved = pl.concat([now.filter(fresh), before.join(now, on=list(COORDINATES), how="anti")])
    at = moved[EVENT_TIME].dt.epoch("us").min()
    return now.select(COORDINATES), None if at is None else int(str(at))


def _frame(rows: pa.Table) -> pl.DataFrame:
    return pl.DataFrame(pl.from_arrow(rows))


def _frontier(silver: Held) -> list[dict[str, int | str]]:
    return [
        {"topic": topic, "partition": partition, "first_offset": int(held.first[0]), "last_offset": int(held.last[-1])}
        for (topic, partition), held in sorted(silver.items())
        if len(held)
    ]


def _facts(workspace: Workspace, contract: Contract, past: delta.PastCommit) -> HopFacts:
    """Return the commit's facts, from its metadata alone."""
    told, job = past.metadata, f"{contract.dataset}.fold"
    target, source = duplicates_uri(workspace.tables, contract.dataset), silver_uri(workspace, contract.dataset)
    run = RunRef(job, "fold", told["run_id"], "polars", told["code_version"], moment(told["run_started_at"]), workspace.parent)
    duplicates = int(told["exact"]) + int(told["near"])
    namespace, name = table_name(target)
    origins = tuple(ColumnOrigin(column, ((*table_name(source), column),)) for column in COORDINATES)
    columns = tuple(Column(field.name, str(field.type)) for field in DUPLICATE_SCHEMA)
    return HopFacts(
        run=run,
        commit_id=commit_id(job, target, past.table_version),
        committed_at=past.committed_at,
        inputs=(silver_dataset(source, int(told["silver_version"]), int(told["rows_in"]), listed(told["frontier"])),),
        outputs=(
            Dataset(
                namespace, name, "table",
                columns=columns, table_version=past.table_version, rows=duplicates, column_origins=origins,
            ),
        ),
        records_in=int(told["rows_in"]),
        records_out=duplicates,
        duplicates=duplicates,
        contract=ContractRef(contract.id, told["contract_version"], told["contract_hash"]),
        seconds=float(told["seconds"]),
    )  # fmt: skip


def _folds(contract: Contract, past: delta.PastCommit, *, up_to_date: bool) -> Folds:
    told = past.metadata
    return Folds(
        dataset=contract.dataset,
        table_version=past.table_version,
        silver_version=int(told["silver_version"]),
        rows_in=int(told["rows_in"]),
        sketched=int(told["sketched"]),
        settled=int(told["settled"]),
        exact=int(told["exact"]),
        near=int(told["near"]),
        up_to_date=up_to_date,
        seconds=float(told["seconds"]),
    )
