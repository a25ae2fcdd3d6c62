"""The hop from silver and gold to a training set: pin every table, join, write Parquet and a manifest, tell.

A training set is a folder `<training sets>/<name>-<id>` with `rows.parquet` and `manifest.json`, on a disk or in a bucket. The id
is derived from what went in and what came out, so building again from the same tables gives the same folder. A crash leaves no
half a training set under its id (`features/connectors/training_set_store.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import NotFound
from contracts.records import CONTRACT_HASH
from features.connectors.training_set_store import ROWS_FILE, keep, keep_file, read_manifest, read_rows, rows_size, set_names
from features.datasets import gold_dataset, service_dataset, silver_dataset
from features.engines.aggregate import gold_uri, silver_uri
from features.engines.training_parts import Source, Tables, work_folder, written_in_parts
from features.plan import Plan, View
from features.training import AT, COORDINATES, declaration_hash, identity, training_rows
from features.workspace import Workspace
from lineage.digest import table_digest
from lineage.facts import Column, ColumnOrigin, Dataset, HopFacts, RunRef
from lineage.names import commit_id, feast_name, table_name
from lineage.places import joined
from streams.connectors import delta
from streams.connectors.maintenance import extent

ROWS_MAX = 2_000_000
"""A table with more rows is not read whole: about 1 GB of the flights' columns."""


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
    """The tables of one training set, pinned. Versions and contract hashes go by table name."""

    tables: Tables
    versions: Mapping[str, int]
    contract_hashes: Mapping[str, list[str]]
    largest: int
    """Rows of the largest of them."""


def build_training_set(
    workspace: Workspace,
    plan: Plan,
    name: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    known_at: datetime | None = None,
    rows_max: int = ROWS_MAX,
) -> Built:
    """Build the declared training set from the tables as they stand; return where it is.

    Where one of the tables has more than `rows_max` rows it is built part by part, of about so many rows each, with the same
    outcome (`features.engines.training_parts`). Raises NotFound where a table is not there yet, or where no row is left.
    """
    wanted = plan.training_set(name)
    workspace.close_abandoned(f"{wanted.service}.training_set")
    run = workspace.run(f"{wanted.service}.training_set", "training_set")
    workspace.emitter.start(run, [service_dataset(plan, plan.service(wanted.service))], instance=workspace.instance)
    try:
        bounds = {"since": since, "until": until, "known_at": known_at}
        built = _built(workspace, plan, name, bounds, rows_max)
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


def _built(workspace: Workspace, plan: Plan, name: str, bounds: Mapping[str, datetime | None], rows_max: int) -> Built:
    """Make the rows, at once or part by part, and keep them."""
    wanted, inputs = plan.training_set(name), _pinned(workspace, plan, name)
    if inputs.largest > rows_max:
        with work_folder(workspace.feature_store) as folder:
            parts = written_in_parts(plan, wanted, inputs.tables, folder, rows_max, **bounds)
            counts = {"rows": parts.rows, "spine_rows": parts.spine_rows, "unanswered": parts.spine_rows - parts.answered}
            told = {**counts, "positive": parts.positive, "digest": parts.digest}
            return _kept(
                workspace,
                plan,
                name,
                inputs,
                told,
                bounds,
                lambda at, called, manifest: keep_file(at, called, parts.file, manifest),
            )
    spine, answers = (_whole(source) for source in (inputs.tables.spine, inputs.tables.answers))
    logs = {view: _whole(source) for view, source in inputs.tables.logs.items()}
    made = training_rows(plan, wanted, spine, answers, logs, **bounds)
    table = made.rows.to_arrow()
    counts = {"rows": table.num_rows, "spine_rows": made.spine_rows, "unanswered": made.unanswered}
    told = {**counts, "positive": int(made.rows[wanted.label.name].sum()), "digest": table_digest(table)}
    return _kept(workspace, plan, name, inputs, told, bounds, lambda at, called, manifest: keep(at, called, table, manifest))


def _pinned(workspace: Workspace, plan: Plan, name: str) -> _Inputs:
    wanted = plan.training_set(name)
    views = [plan.view(view) for view in plan.service(wanted.service).views]
    silver = {dataset: silver_uri(workspace, dataset) for dataset in (wanted.spine, wanted.label.dataset)}
    gold = {view.name: gold_uri(workspace, view.name) for view in views}
    versions = {f"silver {dataset}": delta.current_version(uri) for dataset, uri in silver.items()}
    versions |= {f"gold {view}": delta.current_version(uri) for view, uri in gold.items()}
    tables = {dataset: _source(uri, versions[f"silver {dataset}"]) for dataset, uri in silver.items()}
    hashes = {dataset: _distinct(uri, versions[f"silver {dataset}"], CONTRACT_HASH) for dataset, uri in silver.items()}
    logs = {view.name: _source(gold[view.name], versions[f"gold {view.name}"], _log_columns(view)) for view in views}
    rows = max(extent(uri, versions[f"silver {dataset}"])[0] for dataset, uri in silver.items())
    largest = max(rows, *(extent(uri, versions[f"gold {view}"])[0] for view, uri in gold.items()))
    return _Inputs(Tables(tables[wanted.spine], tables[wanted.label.dataset], logs, rows), versions, hashes, largest)


def _source(uri: str, table_version: int, columns: Sequence[str] = ()) -> Source:
    """Return a table to be read batch by batch: its content with the rows' coordinates, or some columns."""
    schema = delta.schema(uri, table_version)[1]
    names = columns or [name for name in schema.names if not name.startswith("_") or name in COORDINATES]
    wanted = pa.schema([schema.field(name) for name in names])
    return Source(wanted, lambda some: delta.batches(uri, columns=list(some), table_version=table_version, **delta.AHEAD_LITTLE))


def _distinct(uri: str, table_version: int, column: str) -> list[str]:
    found: set[str] = set()
    for batch in delta.batches(uri, columns=[column], table_version=table_version):
        found.update(pc.unique(batch.column(0)).to_pylist())
    return sorted(found)


def _whole(source: Source) -> pl.DataFrame:
    return pl.concat([source.nothing, *source.frames()])


def _log_columns(view: View) -> list[str]:
    return [*view.keys, *(feature.name for feature in view.features), "event_timestamp", "created_timestamp"]


def _kept(
    workspace: Workspace,
    plan: Plan,
    name: str,
    inputs: _Inputs,
    told: Mapping[str, Any],
    bounds: Mapping[str, datetime | None],
    put: Callable[[str, str, Mapping[str, Any]], object],
) -> Built:
    """Keep the rows under the id that follows from what went in and what came out, unless they are there."""
    wanted = plan.training_set(name)
    if not told["rows"]:
        raise NotFound(f"{name} has no row", expected=f"answered rows of {wanted.spine}", remedy="widen --from and --to")
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
        **told,
    }
    training_set_id = identity(content)
    place, called = workspace.training_sets, f"{name}-{training_set_id}"
    there = read_manifest(place, called)
    manifest = there or {"id": training_set_id, **content}
    if there is None:
        put(place, called, manifest)
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
