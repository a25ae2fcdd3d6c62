"""The hop from gold to the online store: each entity's newest row, through Feast's own online store class.

| step | what a crash after it leaves |
| --- | --- |
| 1 pin the gold version; stop if the store's mark names it | nothing |
| 2 write the rows, batch by batch, each value's neighbour naming its gold version | some entities new, some old, all true |
| 3 remove the entities that gold no longer has | all new, no mark |
| 4 set the mark | a store without its event |
| 5 lineage event, derived from the mark | a finished hop |

A restart runs the same code: without the mark it writes everything again, equal.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import polars as pl
import pyarrow as pa

from contracts.errors import NotFound
from features.aggregates import EVENT_TIMESTAMP
from features.connectors.online_store import online_store
from features.datasets import gold_dataset, moment, online_dataset, view_dataset
from features.engines.aggregate import gold_uri, last_build
from features.feast_layout import entity_key
from features.gold import CREATED_TIMESTAMP
from features.online import EVENT_US, GOLD_VERSION
from features.plan import Plan, View
from features.workspace import Workspace
from lineage.facts import HopFacts, RunRef
from lineage.names import commit_id, table_name
from streams.connectors import delta

BATCH = 2_000


@dataclass(frozen=True)
class Materialized:
    """What became of one view: what the online store now holds of it."""

    view: str
    gold_version: int
    entities: int
    removed: int
    up_to_date: bool
    seconds: float


@dataclass(frozen=True)
class _Mark:
    """What the online store keeps about its values of one view."""

    gold_version: int
    until: str
    rows_in: int
    entities: int
    removed: int
    run_id: str
    started_at: str
    finished_at: str
    code_version: str


def materialize(workspace: Workspace, plan: Plan, views: Iterable[str] = (), until: datetime | None = None) -> list[Materialized]:
    """Bring the online store up to the gold tables of the views (all by default); return what was done, in plan order.

    With `until`, each entity's newest row at or before that time is taken. May be called again: what the store's mark
    names is left alone. The definitions must be applied. Raises NotFound where a view has no gold table yet.
    """
    from features.connectors.feast_registry import feature_store  # noqa: PLC0415  Feast takes seconds to load

    feast = feature_store(workspace)
    return [_materialize(workspace, plan.view(name), until, feast) for name in list(views) or list(plan.views)]


def newest_rows(view: View, gold: pa.Table, until: datetime | None = None) -> pa.Table:
    """Return each entity's newest row, at or before `until` where it is given, ordered by entity."""
    frame = pl.from_arrow(gold)
    assert isinstance(frame, pl.DataFrame)  # noqa: S101  a table is never a series
    if until is not None:
        frame = frame.filter(pl.col(EVENT_TIMESTAMP) <= until)
    rows = frame.sort(*view.keys, EVENT_TIMESTAMP, CREATED_TIMESTAMP).unique(list(view.keys), keep="last", maintain_order=True)
    return rows.to_arrow()


def _materialize(workspace: Workspace, view: View, until: datetime | None, feast: Any) -> Materialized:
    source = gold_uri(workspace, view.name)
    if last_build(source) is None:
        raise NotFound(f"no gold table of {view.name}", expected=f"a table at {source}", remedy="headwater features build")
    gold_version = delta.current_version(source)
    store = online_store(workspace)
    mark = _read_mark(store.marked(view.name))
    wanted = until.isoformat() if until is not None else ""
    if mark is not None:
        _tell(workspace, _facts(workspace, view, mark))
    workspace.close_abandoned(f"{view.name}.materialize")
    up_to_date = mark is not None and (mark.gold_version, mark.until) == (gold_version, wanted)
    if mark is None or not up_to_date:
        mark = _write(workspace, view, gold_version, until, feast)
    facts = _facts(workspace, view, mark)
    _tell(workspace, facts)
    return Materialized(view.name, gold_version, mark.entities, mark.removed, up_to_date, facts.seconds)


def _tell(workspace: Workspace, facts: HopFacts) -> None:
    workspace.emitter.commit(facts)
    workspace.emitter.finish(facts.run, facts.committed_at)


def _read_mark(text: str) -> _Mark | None:
    return _Mark(**json.loads(text)) if text else None


def _write(workspace: Workspace, view: View, gold_version: int, until: datetime | None, feast: Any) -> _Mark:
    from features.connectors.feast_registry import write_online  # noqa: PLC0415

    run = workspace.run(f"{view.name}.materialize", "materialize", engine="feast")
    uri = gold_uri(workspace, view.name)
    workspace.emitter.start(run, [gold_dataset(uri, view, gold_version)], instance=workspace.instance)
    try:
        gold = delta.read(uri, table_version=gold_version)
        rows = newest_rows(view, gold, until)
        for batch in rows.to_batches(max_chunksize=BATCH):
            event_us = batch.column(EVENT_TIMESTAMP).cast(pa.int64()).to_pylist()
            extra = {GOLD_VERSION: [gold_version] * batch.num_rows, EVENT_US: event_us}
            write_online(feast, view, batch.to_pylist(), extra)
        removed = _remove_others(workspace, view, rows)
        mark = _Mark(
            gold_version=gold_version,
            until=until.isoformat() if until is not None else "",
            rows_in=gold.num_rows,
            entities=rows.num_rows,
            removed=removed,
            run_id=run.run_id,
            started_at=run.started_at.isoformat(),
            finished_at=workspace.now().isoformat(),
            code_version=workspace.code_version,
        )
        online_store(workspace).mark(view.name, json.dumps(asdict(mark), sort_keys=True))
    except BaseException as error:
        workspace.emitter.finish(run, workspace.now(), failed=type(error).__name__)
        raise
    return mark


def _remove_others(workspace: Workspace, view: View, rows: pa.Table) -> int:
    """Remove the entities that the store holds and gold does not, so that a page that is gone is not found."""
    dtypes = [entity.dtype for entity in view.entities]
    kept = {entity_key(view.keys, list(row.values()), dtypes) for row in rows.select(list(view.keys)).to_pylist()}
    store = online_store(workspace)
    gone = [key for key, _ in store.scan(view, [GOLD_VERSION]) if key not in kept]
    return store.remove(view, gone)


def _facts(workspace: Workspace, view: View, mark: _Mark) -> HopFacts:
    job, uri = f"{view.name}.materialize", gold_uri(workspace, view.name)
    gold = table_name(uri)
    finished = moment(mark.finished_at)
    run = RunRef(job, "materialize", mark.run_id, "feast", mark.code_version, moment(mark.started_at), workspace.parent)
    return HopFacts(
        run=run,
        commit_id=commit_id(job, uri, f"{mark.gold_version} {mark.until} {mark.run_id}"),
        committed_at=finished,
        inputs=(gold_dataset(uri, view, mark.gold_version, mark.rows_in),),
        outputs=(
            view_dataset(workspace.project, view, gold, mark.rows_in),
            online_dataset(workspace.project, view, gold, mark.entities),
        ),
        records_in=mark.rows_in,
        records_out=mark.entities,
        seconds=(finished - run.started_at).total_seconds(),
    )
