"""Explain a served value: read the gold row it names and the silver version that gold was made from. Without Feast."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import NotFound
from features.aggregates import EVENT_TIMESTAMP
from features.engines.aggregate import gold_uri, source_uri
from features.explain import Explanation, explanation
from features.plan import View
from features.workspace import Workspace
from streams.connectors import delta


def explain_value(
    workspace: Workspace, view: View, entity: Mapping[str, Any], event_time: datetime, gold_version: int
) -> Explanation:
    """Return the gold row of the entity at the event time, at that gold version, and the raw records behind it.

    Raises NotFound where gold has no such row: the value was not written by us, or not from that version.
    """
    uri = gold_uri(workspace, view.name)
    row = _gold_row(uri, view, entity, event_time, gold_version)
    silver_version = _silver_version(uri, gold_version)
    silver = _entity_rows(source_uri(workspace, view), silver_version, view, row)
    return explanation(view, silver, row, gold_version=gold_version, silver_version=silver_version)


def _gold_row(uri: str, view: View, entity: Mapping[str, Any], event_time: datetime, gold_version: int) -> dict[str, Any]:
    wanted = {**{key: entity[key] for key in view.keys}, EVENT_TIMESTAMP: event_time}
    for batch in delta.batches(uri, table_version=gold_version):
        rows = _matching(pa.Table.from_batches([batch]), wanted)
        if rows.num_rows:
            found: dict[str, Any] = rows.slice(0, 1).to_pylist()[0]
            return found
    raise NotFound(
        "gold has no row for this entity at this event time",
        where=f"{uri} version {gold_version}",
        remedy="headwater features materialize",
    )


def _silver_version(uri: str, gold_version: int) -> int:
    told = [
        past.metadata for past in delta.history(uri) if past.table_version <= gold_version and "silver_version" in past.metadata
    ]
    if not told:
        raise NotFound("no commit says which silver version gold was made from", where=f"{uri} version {gold_version}")
    return int(told[-1]["silver_version"])


def _entity_rows(uri: str, silver_version: int, view: View, row: Mapping[str, Any]) -> pa.Table:
    """Return the entity's silver rows, batch by batch; of a view without windows, the rows of its one raw record."""
    columns = view.keys if view.windows else ("_topic", "_partition", "_offset")
    wanted = {name: row[name] for name in columns}
    parts = [_matching(pa.Table.from_batches([batch]), wanted) for batch in delta.batches(uri, table_version=silver_version)]
    if not parts:
        raise NotFound("the silver table is empty", where=f"{uri} version {silver_version}")
    return pa.concat_tables(parts)


def _matching(rows: pa.Table, wanted: Mapping[str, Any]) -> pa.Table:
    for name, value in wanted.items():
        rows = rows.filter(pc.equal(rows[name], pa.scalar(value, rows.schema.field(name).type)))
    return rows
