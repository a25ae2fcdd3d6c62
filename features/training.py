"""Training sets, pure: rows to learn from, what was known at their time, and the answer that came later."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import polars as pl

from contracts.errors import DefinitionInvalid
from contracts.records import OFFSET, PARTITION, TOPIC
from features.asof import as_of
from features.declarations import Label, TrainingSet
from features.plan import Plan, Service, View

AT = "asked_at"
"""Column with each row's time: features are as of this moment."""

COORDINATES = (TOPIC, PARTITION, OFFSET)
"""Where a spine's row came from: what orders rows of one time."""


@dataclass(frozen=True)
class Made:
    """The rows of a training set, and what was met on the way to them."""

    rows: pl.DataFrame
    spine_rows: int
    unanswered: int
    """Rows of the spine without an answer, left out: flights that never arrived."""


def training_rows(
    plan: Plan,
    wanted: TrainingSet,
    spine: pl.DataFrame,
    answers: pl.DataFrame,
    logs: Mapping[str, pl.DataFrame],
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    known_at: datetime | None = None,
) -> Made:
    """Return one row for each answered row of the spine within [since, until), ordered by time and the spine's coordinates.

    `logs` are the gold tables of the service's views. Raises DefinitionInvalid where the spine or the answers lack a column.
    """
    rows, asked = answered_rows(plan, wanted, spine, answers, since=since, until=until)
    return Made(featured(plan, wanted, rows, logs, known_at=known_at), asked, asked - rows.height)


def answered_rows(
    plan: Plan,
    wanted: TrainingSet,
    spine: pl.DataFrame,
    answers: pl.DataFrame,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> tuple[pl.DataFrame, int]:
    """Return the answered rows without their features, by time and coordinates, and how many rows asked.

    Rows of one answer's key decide of each other alone: parts of both tables by that key come to parts of the same rows.
    """
    entities = entities_of(plan, wanted)
    _demand(spine, [wanted.timestamp, *entities, *wanted.keep], wanted.spine, wanted)
    asked = _asked(spine, wanted, since, until)
    rows = asked.join(_answered(answers, wanted), on=list(wanted.label.on), how="inner", maintain_order="left")
    kept = [*entities, *(name for name in wanted.keep if name not in entities), AT, wanted.label.name]
    return rows.select(*kept, *(name for name in COORDINATES if name not in kept)), asked.height


def featured(
    plan: Plan, wanted: TrainingSet, rows: pl.DataFrame, logs: Mapping[str, pl.DataFrame], *, known_at: datetime | None = None
) -> pl.DataFrame:
    """Return answered rows with the features as they were at each row's time, in the training set's columns."""
    service = plan.service(wanted.service)
    views = [plan.view(name) for name in service.views]
    made = rows.drop([name for name in COORDINATES if name not in wanted.keep])
    for view in views:
        made = _with_features(made, view, service, logs[view.name], known_at)
    features = [feature for _, feature in service.features]
    stamps = [stamp_column(view.name) for view in views]
    leading = [name for name in made.columns if name not in (*features, *stamps, wanted.label.name)]
    return made.select(*leading, *features, wanted.label.name, *stamps)


def entities_of(plan: Plan, wanted: TrainingSet) -> list[str]:
    """Return the join keys of all views that the set's service serves, each once."""
    return list(dict.fromkeys(key for name in plan.service(wanted.service).views for key in plan.view(name).keys))


def stamp_column(view: str) -> str:
    """Return the name of the column with the event time of the view's row that was joined: proof of no look-ahead."""
    return f"_{view}_at"


def identity(manifest: Mapping[str, Any]) -> str:
    """Return the id of a training set: the same inputs, definition and content give the same id."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:16]


def declaration_hash(plan: Plan, wanted: TrainingSet) -> str:
    """Return the hash of everything declared that decides the rows: the set, its service, the views' definitions and lives."""
    service = plan.service(wanted.service)
    parts = {
        "training_set": {key: value for key, value in asdict(wanted).items() if key != "description"},
        "features": [list(pair) for pair in service.features],
        "views": {name: [plan.view(name).definition_hash, plan.view(name).ttl_seconds] for name in service.views},
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _asked(spine: pl.DataFrame, wanted: TrainingSet, since: datetime | None, until: datetime | None) -> pl.DataFrame:
    content = [name for name in spine.columns if not name.startswith("_")]
    rows = spine.sort(wanted.timestamp, *COORDINATES).unique(content, keep="first", maintain_order=True)
    rows = rows.drop_nulls(wanted.timestamp).with_columns(pl.col(wanted.timestamp).alias(AT))
    if since is not None:
        rows = rows.filter(pl.col(AT) >= since)
    return rows if until is None else rows.filter(pl.col(AT) < until)


def _answered(answers: pl.DataFrame, wanted: TrainingSet) -> pl.DataFrame:
    """Return one answer for each key: of several the last written, which corrects those before it."""
    label = wanted.label
    _demand(answers, [*label.on, label.column], label.dataset, wanted)
    last = answers.drop_nulls([*label.on, label.column]).sort(*COORDINATES)
    last = last.unique(list(label.on), keep="last", maintain_order=True)
    return last.select(*label.on, _compared(label).alias(label.name))


def _compared(label: Label) -> pl.Expr:
    column = pl.col(label.column)
    match label.comparison:
        case ">":
            return column > label.threshold
        case ">=":
            return column >= label.threshold
        case "<":
            return column < label.threshold
        case "<=":
            return column <= label.threshold
        case "==":
            return column == label.threshold


def _with_features(
    rows: pl.DataFrame, view: View, service: Service, log: pl.DataFrame, known_at: datetime | None
) -> pl.DataFrame:
    return as_of(
        rows,
        log,
        at=AT,
        keys=view.keys,
        features=[feature for name, feature in service.features if name == view.name],
        ttl_seconds=view.ttl_seconds,
        known_at=known_at,
        matched=stamp_column(view.name),
    )


def _demand(rows: pl.DataFrame, columns: list[str], dataset: str, wanted: TrainingSet) -> None:
    missing = sorted(set(columns) - set(rows.columns))
    if missing:
        known = ", ".join(name for name in rows.columns if not name.startswith("_"))
        raise DefinitionInvalid(
            f"{dataset} has no column {', '.join(missing)}", expected=known, where=f"training set {wanted.name}"
        )
