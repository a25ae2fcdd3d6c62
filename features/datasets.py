"""What lineage is told of this room's hops: datasets by name, columns with their origins, derived from the definitions.

Facts are made from what a commit carries in its own metadata, so that an event lost in a crash is derived again, equal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from features.aggregates import EVENT_TIMESTAMP
from features.plan import Plan, Service, View
from lineage.facts import Column, ColumnOrigin, Dataset, OffsetRange
from lineage.names import feast_name, table_name

Input = tuple[str, str, str]


def silver_dataset(uri: str, table_version: int, rows: int | None = None, reach: Sequence[Mapping[str, Any]] = ()) -> Dataset:
    """Return a silver table as it was read, with the raw offsets that its rows reach."""
    namespace, name = table_name(uri)
    offsets = tuple(OffsetRange(r["topic"], r["partition"], r["first_offset"], r["last_offset"]) for r in reach)
    return Dataset(namespace, name, "table", table_version=table_version, offsets=offsets, rows=rows)


def gold_dataset(
    uri: str, view: View, table_version: int, rows: int | None = None, origins: Sequence[ColumnOrigin] = ()
) -> Dataset:
    """Return a view's gold table at a version."""
    namespace, name = table_name(uri)
    return Dataset(
        namespace, name, "table", columns=_columns(view), table_version=table_version, rows=rows, column_origins=tuple(origins)
    )


def view_dataset(project: str, view: View, source: tuple[str, str] | None = None, rows: int | None = None) -> Dataset:
    """Return the feature view, every column the gold table's own where `source` names that."""
    namespace, name = feast_name(project, "feature_view", view.name)
    return Dataset(namespace, name, "feature_view", columns=_columns(view), rows=rows, column_origins=_same(view, source))


def online_dataset(project: str, view: View, source: tuple[str, str], rows: int) -> Dataset:
    """Return the view's part of the online store."""
    namespace, name = feast_name(project, "online_store", view.name)
    return Dataset(namespace, name, "online_store", columns=_columns(view), rows=rows, column_origins=_same(view, source))


def service_dataset(plan: Plan, service: Service) -> Dataset:
    """Return the feature service, each column its view's own."""
    namespace, name = feast_name(plan.project, "feature_service", service.name)
    columns, origins = [], []
    for view, feature in service.features:
        found = plan.view(view).feature(feature)
        columns.append(Column(feature, found.dtype, found.description))
        origins.append(ColumnOrigin(feature, ((*feast_name(plan.project, "feature_view", view), feature),)))
    return Dataset(namespace, name, "feature_service", columns=tuple(columns), column_origins=tuple(origins))


def gold_origins(view: View, silver: tuple[str, str], silver_columns: Sequence[str]) -> list[ColumnOrigin]:
    """Return where each gold column comes from, read off the definition.

    A column that a view's own function makes, and that silver does not have, may come from any column: all are named.
    """
    windows = {window.feature: window for window in view.windows}
    content = [name for name in silver_columns if not name.startswith("_")]

    def of(columns: Sequence[str]) -> tuple[Input, ...]:
        return tuple((*silver, column) for column in columns)

    origins = [ColumnOrigin(EVENT_TIMESTAMP, of([view.event_time]), "TRANSFORMATION" if windows else "IDENTITY")]
    for column in (*view.entities, *view.features):
        if column.name in windows:
            source = [windows[column.name].column or view.event_time]
            origins.append(ColumnOrigin(column.name, of(source), "AGGREGATION"))
            continue
        source = [column.embeds or column.name]
        source = source if source[0] in content else content
        plain = view.transform is None and not view.transform_text and not column.embeds
        origins.append(ColumnOrigin(column.name, of(source), "IDENTITY" if plain else "TRANSFORMATION"))
    return origins


def moment(text: str) -> datetime:
    """Return the time that commit metadata holds as ISO 8601."""
    return datetime.fromisoformat(text)


def listed(text: str) -> list[Any]:
    """Return the list that commit metadata holds as JSON."""
    return list(json.loads(text))


def _columns(view: View) -> tuple[Column, ...]:
    columns = [Column(column.name, column.dtype, column.description) for column in (*view.entities, *view.features)]
    return (*columns, Column(EVENT_TIMESTAMP, "UnixTimestamp", "As of when the values hold."))


def _same(view: View, source: tuple[str, str] | None) -> tuple[ColumnOrigin, ...]:
    if source is None:
        return ()
    names = [column.name for column in (*view.entities, *view.features)] + [EVENT_TIMESTAMP]
    return tuple(ColumnOrigin(name, ((*source, name),)) for name in names)
