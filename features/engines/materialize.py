"""The hop from gold to the online store: each entity's newest row, in Feast's layout.

| step | what a crash after it leaves |
| --- | --- |
| 1 look at the store's mark: stop if it names today's gold and nobody has written since | nothing |
| 2 claim the view: a fence that overtakes every writer before | a claim, so that the mark counts no more |
| 3 pin gold; write the rows by parts, each under the fence and naming its gold version | some new, some old, all true |
| 4 remove the entities that were not written under the fence: gold no longer has them | all new, no mark |
| 5 set the mark, if nobody has claimed the view since | a store without its event |
| 6 lineage event, derived from the mark | a finished hop |

A restart runs the same code: without a mark that holds it writes everything again, equal. Gold is pinned after the claim, so
a greater fence never stands for an older gold version; of two at once, the earlier gives way (`CommitConflict`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

from contracts.errors import NotFound
from features.connectors.online_store import online_store
from features.datasets import gold_dataset, moment, online_dataset, view_dataset
from features.engines.aggregate import gold_uri, last_build
from features.engines.newest import newest_parts
from features.online import OnlineStore
from features.online_rows import online_rows
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
class Mark:
    """What the online store keeps about its values of one view: the materialization point, and who made it so."""

    gold_version: int
    until: str
    rows_in: int
    entities: int
    removed: int
    run_id: str
    started_at: str
    finished_at: str
    code_version: str
    fence: str = ""


def materialize(workspace: Workspace, plan: Plan, views: Iterable[str] = (), until: datetime | None = None) -> list[Materialized]:
    """Bring the online store up to the gold tables of the views (all by default); return what was done, in plan order.

    With `until`, each entity's newest row at or before that time is taken. May be called again: what the store's mark
    names is left alone. The definitions must be applied. Raises NotFound where a view has no gold table yet, TransientError
    where the store is away, CommitConflict where a later materialization overtook this one: the mark is untouched then.
    """
    store = online_store(workspace)
    wanted = until.isoformat() if until is not None else ""
    return [_materialize(workspace, plan.view(name), store, wanted) for name in list(views) or list(plan.views)]


def rewrite(workspace: Workspace, view: View, store: OnlineStore, until: str) -> Materialized:
    """Write all of the view's values again, whatever the mark says: how a store that lost or spoilt some is repaired."""
    mark = _write(workspace, view, store, until)
    return _told(workspace, view, mark, up_to_date=False)


def read_mark(store: OnlineStore, view: str) -> Mark | None:
    """Return the view's mark, None without one."""
    text = store.marked(view)
    return Mark(**json.loads(text)) if text else None


def gold_version_of(workspace: Workspace, view: View) -> int:
    """Return the newest version of the view's gold table. Raises NotFound without one."""
    source = gold_uri(workspace, view.name)
    if last_build(source) is None:
        raise NotFound(f"no gold table of {view.name}", expected=f"a table at {source}", remedy="headwater features build")
    return delta.current_version(source)


def _materialize(workspace: Workspace, view: View, store: OnlineStore, until: str) -> Materialized:
    gold_version = gold_version_of(workspace, view)
    mark = read_mark(store, view.name)
    if mark is not None:
        _tell(workspace, _facts(workspace, view, mark))
    workspace.close_abandoned(f"{view.name}.materialize")
    # A claim after the mark's is a writer that has not ended, or never will: what it wrote, nobody has said.
    up_to_date = mark is not None and (mark.gold_version, mark.until, mark.fence) == (
        gold_version,
        until,
        store.claimed(view.name),
    )
    if mark is None or not up_to_date:
        mark = _write(workspace, view, store, until)
    return _told(workspace, view, mark, up_to_date=up_to_date)


def _told(workspace: Workspace, view: View, mark: Mark, *, up_to_date: bool) -> Materialized:
    facts = _facts(workspace, view, mark)
    _tell(workspace, facts)
    return Materialized(view.name, mark.gold_version, mark.entities, mark.removed, up_to_date, facts.seconds)


def _tell(workspace: Workspace, facts: HopFacts) -> None:
    workspace.emitter.commit(facts)
    workspace.emitter.finish(facts.run, facts.committed_at)


def _write(workspace: Workspace, view: View, store: OnlineStore, until: str) -> Mark:
    run = workspace.run(f"{view.name}.materialize", "materialize")
    uri = gold_uri(workspace, view.name)
    fence = store.claim(view.name)
    gold_version = gold_version_of(workspace, view)
    workspace.emitter.start(run, [gold_dataset(uri, view, gold_version)], instance=workspace.instance)
    try:
        entities = _fill(store, view, uri, gold_version, until, fence)
        removed = store.sweep(view, fence)
        mark = Mark(
            gold_version=gold_version,
            until=until,
            rows_in=delta.row_count(uri, gold_version),
            entities=entities,
            removed=removed,
            run_id=run.run_id,
            started_at=run.started_at.isoformat(),
            finished_at=workspace.now().isoformat(),
            code_version=workspace.code_version,
            fence=fence,
        )
        store.mark(view.name, json.dumps(asdict(mark), sort_keys=True), fence)
    except BaseException as error:
        workspace.emitter.finish(run, workspace.now(), failed=type(error).__name__)
        raise
    return mark


def _fill(store: OnlineStore, view: View, uri: str, gold_version: int, until: str, fence: str) -> int:
    entities = 0
    for part in newest_parts(view, uri, gold_version, until):
        for batch in part.to_batches(max_chunksize=BATCH):
            store.write(view, list(online_rows(view, batch, gold_version)), fence)
        entities += part.num_rows
    return entities


def _facts(workspace: Workspace, view: View, mark: Mark) -> HopFacts:
    job, uri = f"{view.name}.materialize", gold_uri(workspace, view.name)
    gold = table_name(uri)
    finished = moment(mark.finished_at)
    run = RunRef(job, "materialize", mark.run_id, "polars", mark.code_version, moment(mark.started_at), workspace.parent)
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
