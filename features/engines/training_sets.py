"""The hop from silver and gold to a training set: pin every table, join, write Parquet and a manifest, tell.

A training set is a folder `<training sets>/<name>-<id>` with `rows.parquet` and `manifest.json`, on a disk or in a bucket. The id
is derived from what went in and what came out, so building again from the same tables gives the same folder. A crash leaves no
half a training set under its id (`features/connectors/training_set_store.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import NotFound
from contracts.records import CONTRACT_HASH
from features.connectors.training_set_store import ROWS_FILE, keep, read_manifest, read_rows, rows_size, set_names
from features.datasets import gold_dataset, service_dataset, silver_dataset
from features.engines.aggregate import gold_uri, silver_uri
from features.plan import Plan, View
from features.training import AT, Made, declaration_hash, identity, training_rows
from features.workspace import Workspace
from lineage.digest import table_digest
from lineage.facts import Column, ColumnOrigin, Dataset, HopFacts, RunRef
from lineage.names import commit_id, feast_name, table_name
from lineage.places import joined
from streams.connectors import delta


@dataclass(frozen=True)
class Built:
    """A training set that is kept."""

    id: str
    folder: str
    """Its folder, on a disk or in a bucket."""
    manifest: Mapping[str, Any]
    existed: bool
    bytes: int = 0
    """Of its file of rows."""


@dataclass(frozen=True)
class _Inputs:
    """The tables of one training set, read at pinned versions. Versions and contract hashes go by table name."""

    spine: pa.Table
    answers: pa.Table
    logs: Mapping[str, pl.DataFrame]
    versions: Mapping[str, int]
    contract_hashes: Mapping[str, list[str]]


def build_training_set(
    workspace: Workspace,
    plan: Plan,
    name: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    known_at: datetime | None = None,
) -> Built:
    """Build the declared training set from the tables as they stand; return where it is.

    Raises NotFound where a table is not there yet, or where no row is left.
    """
    wanted = plan.training_set(name)
    workspace.close_abandoned(f"{wanted.service}.training_set")
    run = workspace.run(f"{wanted.service}.training_set", "training_set")
    workspace.emitter.start(run, [service_dataset(plan, plan.service(wanted.service))], instance=workspace.instance)
    try:
        inputs = _read(workspace, plan, name)
        spine, answers = _frame(inputs.spine), _frame(inputs.answers)
        made = training_rows(plan, wanted, spine, answers, inputs.logs, since=since, until=until, known_at=known_at)
        built = _write(workspace, plan, name, inputs, made, {"since": since, "until": until, "known_at": known_at})
    except BaseException as error:
        workspace.emitter.finish(run, workspace.now(), failed=type(error).__name__)
        raise
    facts = _facts(workspace, plan, name, built, run)
    workspace.emitter.commit(facts)
    workspace.emitter.finish(run, facts.committed_at)
    return built


def read_training_set(place: str, training_set_id: str) -> tuple[dict[str, Any], pl.DataFrame]:
    """Return the manifest and the rows of a training set by its id, or by its folder's name. Raises NotFound."""
    names = set_names(place)
    found = [name for name in names if name == training_set_id or name.endswith(f"-{training_set_id}")]
    manifest = read_manifest(place, found[0]) if found else None
    if manifest is None:
        known = ", ".join(names) or "none is built yet"
        raise NotFound(f"no training set {training_set_id}", expected=known, remedy="headwater training-set build flight_delay")
    return manifest, _frame(read_rows(place, found[0]))


def _read(workspace: Workspace, plan: Plan, name: str) -> _Inputs:
    wanted = plan.training_set(name)
    views = [plan.view(view) for view in plan.service(wanted.service).views]
    silver = {dataset: silver_uri(workspace, dataset) for dataset in (wanted.spine, wanted.label.dataset)}
    gold = {view.name: gold_uri(workspace, view.name) for view in views}
    versions = {f"silver {dataset}": delta.current_version(uri) for dataset, uri in silver.items()}
    versions |= {f"gold {view}": delta.current_version(uri) for view, uri in gold.items()}
    tables = {dataset: delta.read(uri, table_version=versions[f"silver {dataset}"]) for dataset, uri in silver.items()}
    hashes = {dataset: sorted(pc.unique(table[CONTRACT_HASH]).to_pylist()) for dataset, table in tables.items()}
    logs = {
        view.name: _frame(delta.read(gold[view.name], table_version=versions[f"gold {view.name}"], columns=_log_columns(view)))
        for view in views
    }
    return _Inputs(tables[wanted.spine], tables[wanted.label.dataset], logs, versions, hashes)


def _log_columns(view: View) -> list[str]:
    return [*view.keys, *(feature.name for feature in view.features), "event_timestamp", "created_timestamp"]


def _write(
    workspace: Workspace, plan: Plan, name: str, inputs: _Inputs, made: Made, bounds: Mapping[str, datetime | None]
) -> Built:
    wanted = plan.training_set(name)
    if made.rows.is_empty():
        raise NotFound(f"{name} has no row", expected=f"answered rows of {wanted.spine}", remedy="widen --from and --to")
    table = made.rows.to_arrow()
    content = {
        "name": name,
        "service": wanted.service,
        "label": wanted.label.name,
        "features": [feature for _, feature in plan.service(wanted.service).features],
        "bounds": {key: bound.isoformat() if bound is not None else None for key, bound in bounds.items()},
        "table_versions": dict(inputs.versions),
        "contract_hashes": dict(inputs.contract_hashes),
        "declaration_hash": declaration_hash(plan, wanted),
        "code_version": workspace.code_version,
        "rows": table.num_rows,
        "spine_rows": made.spine_rows,
        "unanswered": made.unanswered,
        "positive": int(made.rows[wanted.label.name].sum()),
        "digest": table_digest(table),
    }
    training_set_id = identity(content)
    place, called = workspace.training_sets, f"{name}-{training_set_id}"
    there = read_manifest(place, called)
    manifest = there or {"id": training_set_id, **content}
    if there is None:
        keep(place, called, table, manifest)
    return Built(training_set_id, joined(place, called), manifest, there is not None, rows_size(place, called))


def _facts(workspace: Workspace, plan: Plan, name: str, built: Built, run: RunRef) -> HopFacts:
    wanted = plan.training_set(name)
    service = plan.service(wanted.service)
    silver = (wanted.spine, wanted.label.dataset)
    versions = built.manifest["table_versions"]
    committed_at = workspace.now()
    inputs = [silver_dataset(silver_uri(workspace, dataset), versions[f"silver {dataset}"]) for dataset in silver]
    inputs += [gold_dataset(gold_uri(workspace, v), plan.view(v), versions[f"gold {v}"]) for v in service.views]
    return HopFacts(
        run=run,
        commit_id=commit_id(run.job, built.folder, built.id),
        committed_at=committed_at,
        inputs=(*inputs, service_dataset(plan, service)),
        outputs=(_output(workspace, plan, name, built),),
        records_in=int(built.manifest["spine_rows"]),
        records_out=int(built.manifest["rows"]),
        seconds=(committed_at - run.started_at).total_seconds(),
    )


def _output(workspace: Workspace, plan: Plan, name: str, built: Built) -> Dataset:
    wanted = plan.training_set(name)
    service = plan.service(wanted.service)
    served = feast_name(plan.project, "feature_service", service.name)
    spine = table_name(silver_uri(workspace, wanted.spine))
    answers = table_name(silver_uri(workspace, wanted.label.dataset))
    columns = [Column(feature, plan.view(view).feature(feature).dtype) for view, feature in service.features]
    origins = [ColumnOrigin(feature, ((*served, feature),)) for _, feature in service.features]
    origins.append(ColumnOrigin(wanted.label.name, ((*answers, wanted.label.column),), "TRANSFORMATION"))
    origins.append(ColumnOrigin(AT, ((*spine, wanted.timestamp),)))
    origins += [ColumnOrigin(kept, ((*spine, kept),)) for kept in wanted.keep]
    namespace, path = table_name(joined(built.folder, ROWS_FILE))
    return Dataset(
        namespace,
        path,
        "training_set",
        columns=(*columns, Column(wanted.label.name, "Bool", wanted.description), Column(AT, "UnixTimestamp")),
        rows=int(built.manifest["rows"]),
        bytes=built.bytes,
        files=1,
        column_origins=tuple(origins),
    )


def _frame(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    if not isinstance(frame, pl.DataFrame):
        raise TypeError(type(frame))
    return frame
