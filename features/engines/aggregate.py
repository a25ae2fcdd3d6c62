"""The hop from silver to gold: read silver at one pinned version, compute, commit, tell.

| step | what a crash after it leaves |
| --- | --- |
| 1 pin the silver version, compute | nothing |
| 2 replace the gold rows in one Delta commit, its metadata saying what it was made from | gold without its event |
| 3 lineage event, derived from that metadata | a finished hop |

A restart runs the same code: it tells the last commit again, which the ledger takes once, closes what dead processes left
open, and stops there if that commit was made from the same silver version, definition and code.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import DefinitionInvalid, NotFound
from contracts.records import CONTRACT_HASH
from features.datasets import gold_dataset, gold_origins, listed, moment, silver_dataset
from features.gold import Embed, frontier, gold_of, gold_schema
from features.plan import Plan, View
from features.workspace import Workspace
from lineage.facts import Dataset, HopFacts, RunRef
from lineage.names import commit_id, table_name
from streams.connectors import delta


@dataclass(frozen=True)
class GoldBuilt:
    """What became of one view: the gold table as it stands now."""

    view: str
    table_version: int
    silver_version: int
    rows_in: int
    rows: int
    duplicates: int
    folded: int
    """Rows that another of their cluster stands for."""
    without_entity: int
    up_to_date: bool
    seconds: float


def gold_uri(workspace: Workspace, view: str) -> str:
    """Return where a view's gold table stands."""
    return delta.table_uri(workspace.tables, "gold", view)


def silver_uri(workspace: Workspace, dataset: str) -> str:
    """Return where a dataset's silver table stands."""
    return delta.table_uri(workspace.tables, "silver", *dataset.split(".", 1))


def source_uri(workspace: Workspace, view: View) -> str:
    """Return where the table stands that a view's rows come from."""
    return delta.table_uri(workspace.tables, view.layer, *view.dataset.split(".", 1))


def build_gold(workspace: Workspace, plan: Plan, views: Iterable[str] = ()) -> list[GoldBuilt]:
    """Bring the views' gold tables (all by default) up to their silver tables; return what was done, in plan order.

    May be called again: what is up to date is left alone. Raises NotFound where a dataset has no silver table yet, and
    DefinitionInvalid where a view cannot be computed from it; the views before it are committed then.
    """
    wanted = list(views) or list(plan.views)
    return [_build(workspace, plan.view(name)) for name in wanted]


def last_build(uri: str) -> delta.PastCommit | None:
    """Return the newest commit of a gold table that holds rows of ours, or None."""
    if not delta.exists(uri):
        return None
    built = [past for past in delta.history(uri) if "silver_version" in past.metadata]
    return built[-1] if built else None


def _build(workspace: Workspace, view: View) -> GoldBuilt:
    source, target = source_uri(workspace, view), gold_uri(workspace, view.name)
    silver_version = _silver_version(source, view)
    past = last_build(target)
    if past is not None:
        _tell(workspace, _facts(view, past, source, target, workspace))
    workspace.close_abandoned(f"{view.name}.aggregate")
    folds = _duplicates_version(workspace, view)
    if past is not None and _same_inputs(past.metadata, view, silver_version, folds, workspace):
        return _built(view, past, up_to_date=True)
    run = workspace.run(f"{view.name}.aggregate", "aggregate")
    workspace.emitter.start(run, [silver_dataset(source, silver_version)], instance=workspace.instance)
    try:
        past = _commit(workspace, run, view, silver_version, folds)
    except BaseException as error:
        workspace.emitter.finish(run, workspace.now(), failed=type(error).__name__)
        raise
    _tell(workspace, _facts(view, past, source, target, workspace))
    return _built(view, past, up_to_date=False)


def _tell(workspace: Workspace, facts: HopFacts) -> None:
    workspace.emitter.commit(facts)
    workspace.emitter.finish(facts.run, facts.committed_at)


def _silver_version(source: str, view: View) -> int:
    if not delta.exists(source):
        raise NotFound(
            f"no {view.layer} table of {view.dataset}",
            expected=f"a landed dataset at {source}",
            where=f"view {view.name}",
            remedy="produce, clean and land it first: headwater run" if view.layer == "silver" else "headwater current --drain",
        )
    return delta.current_version(source)


def duplicates_uri(tables: Path | str, dataset: str) -> str:
    """Return where the table of a dataset's duplicates stands, if its contract wants them folded."""
    return delta.table_uri(tables, "gold", "duplicates", *dataset.split(".", 1))


def _duplicates_version(workspace: Workspace, view: View) -> int | None:
    """Return the version of the dataset's duplicates that the view takes its representatives from; None if it takes none."""
    uri = duplicates_uri(workspace.tables, view.dataset)
    return None if view.windows or view.layer != "silver" or not delta.exists(uri) else delta.current_version(uri)


def _same_inputs(
    metadata: Mapping[str, str], view: View, silver_version: int, duplicates_version: int | None, workspace: Workspace
) -> bool:
    return (
        int(metadata["silver_version"]) == silver_version
        and metadata.get("duplicates_version") == _text(duplicates_version)
        and metadata["definition_hash"] == view.definition_hash
        and metadata.get("passages") == str(workspace.passages(view.dataset))
        and metadata["code_version"] == workspace.code_version
    )


def _text(version: int | None) -> str | None:
    return None if version is None else str(version)


def _commit(
    workspace: Workspace, run: RunRef, view: View, silver_version: int, duplicates_version: int | None
) -> delta.PastCommit:
    source, target = source_uri(workspace, view), gold_uri(workspace, view.name)
    silver = delta.read(source, table_version=silver_version)
    gold = gold_of(
        view,
        silver,
        workspace.now(),
        _embedder(view),
        _duplicates(workspace, view, duplicates_version),
        workspace.passages(view.dataset),
    )
    metadata = {
        "run_id": run.run_id,
        "run_started_at": run.started_at.isoformat(),
        "code_version": workspace.code_version,
        "view": view.name,
        "passages": str(workspace.passages(view.dataset)),
        "definition_hash": view.definition_hash,
        "silver": view.dataset,
        "silver_version": str(silver_version),
        "silver_columns": json.dumps(silver.column_names),
        "frontier": json.dumps(frontier(silver)),
        "contract_hashes": json.dumps(sorted(pc.unique(silver[CONTRACT_HASH]).to_pylist())),
        "rows_in": str(gold.rows_in),
        "rows": str(gold.rows.num_rows),
        "duplicates": str(gold.duplicates),
        "folded": str(gold.folded),
        "without_entity": str(gold.without_entity),
        "seconds": f"{(workspace.now() - run.started_at).total_seconds():.3f}",
    }
    if duplicates_version is not None:
        metadata["duplicates_version"] = str(duplicates_version)
    delta.create_if_absent(target, gold_schema(view), description=view.description)
    _demand_schema(target, view)
    delta.overwrite(target, gold.rows, metadata=metadata)
    past = last_build(target)
    if past is None:
        raise NotFound(f"the commit just made to {target} is not in its history")
    return past


def _duplicates(workspace: Workspace, view: View, table_version: int | None) -> pa.Table | None:
    uri = duplicates_uri(workspace.tables, view.dataset)
    return None if table_version is None else delta.read(uri, table_version=table_version)


def _embedder(view: View) -> Embed | None:
    if not any(feature.embeds for feature in view.features):
        return None
    from features.connectors.embedding import embed  # noqa: PLC0415  loads a model, wanted by such views alone

    return embed


def _demand_schema(target: str, view: View) -> None:
    """Refuse to replace a table of another shape: readers of the old one would break without a word."""
    there = {field.name: _type_name(field.type) for field in pa.schema(delta.opened(target).schema().to_arrow())}
    wanted = {field.name: _type_name(field.type) for field in gold_schema(view)}
    if there != wanted:
        odd = sorted(set(there.items()) ^ set(wanted.items()))
        raise DefinitionInvalid(
            f"the gold table has other columns or types: {', '.join(sorted({name for name, _ in odd}))}",
            expected="the columns that the view had when its table was made",
            where=f"view {view.name}",
            remedy=f"give the changed view a new name ({view.name}_v2), or remove {target} to start anew",
        )


def _type_name(kind: pa.DataType) -> str:
    return f"list<{kind.value_type}>" if pa.types.is_list(kind) or pa.types.is_large_list(kind) else str(kind)


def _facts(view: View, past: delta.PastCommit, source: str, target: str, workspace: Workspace) -> HopFacts:
    """Return the commit's facts, from its metadata alone: the same commit gives the same facts, whoever asks."""
    told = past.metadata
    job = f"{view.name}.aggregate"
    run = RunRef(
        job, "aggregate", told["run_id"], "polars", told["code_version"], moment(told["run_started_at"]), workspace.parent
    )
    origins = gold_origins(view, table_name(source), listed(told["silver_columns"]))
    folds = told.get("duplicates_version")
    duplicates = table_name(duplicates_uri(workspace.tables, view.dataset))
    also = () if folds is None else (Dataset(*duplicates, "table", table_version=int(folds)),)
    return HopFacts(
        run=run,
        commit_id=commit_id(job, target, past.table_version),
        committed_at=past.committed_at,
        inputs=(silver_dataset(source, int(told["silver_version"]), int(told["rows_in"]), listed(told["frontier"])), *also),
        outputs=(gold_dataset(target, view, past.table_version, int(told["rows"]), origins),),
        records_in=int(told["rows_in"]),
        records_out=int(told["rows"]),
        duplicates=int(told["duplicates"]) + int(told.get("folded", 0)),
        seconds=float(told["seconds"]),
    )


def _built(view: View, past: delta.PastCommit, *, up_to_date: bool) -> GoldBuilt:
    told = past.metadata
    return GoldBuilt(
        view=view.name,
        table_version=past.table_version,
        silver_version=int(told["silver_version"]),
        rows_in=int(told["rows_in"]),
        rows=int(told["rows"]),
        duplicates=int(told["duplicates"]),
        folded=int(told.get("folded", 0)),
        without_entity=int(told["without_entity"]),
        up_to_date=up_to_date,
        seconds=float(told["seconds"]),
    )
