"""Feature vectors of many entities at once: what a model service asks for, in one trip to the store.

What can be decided from the definitions is decided once (`reading_of`): which views, their key's beginning, the names to ask
for, where each value goes. A read then makes keys, asks once for all views, and decodes what came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contracts.errors import NotFound
from features.feast_layout import entity_key_prefix, entity_key_values, from_microseconds, parsed_key, values
from features.online import EVENT_US, GOLD_VERSION, Asked, OnlineStore, Stored, demand_entities, entity_columns, stored_names
from features.plan import Plan, View


@dataclass(frozen=True)
class Origin:
    """Where a view's values of one entity come from."""

    event_time: datetime
    gold_version: int | None


@dataclass(frozen=True)
class Vectors:
    """Feature values: a row for each entity in the order asked, columns in the service's order.

    None stands for null and for missing, `feast_layout.Unknown` for what cannot be read.
    """

    features: tuple[tuple[str, str], ...]
    values: list[list[Any]]
    origins: list[dict[str, Origin]]
    """For each entity the views that know it, by name: a feature of a view that is not there is missing, and not null."""


@dataclass(frozen=True)
class _ViewReading:
    view: View
    prefix: bytes
    columns: tuple[tuple[str, str], ...]
    """Entity columns with their types, in the key's order."""
    names: tuple[str, ...]
    places: tuple[tuple[int, str], ...]
    """Where in the row each of the view's features goes."""


@dataclass(frozen=True)
class Reading:
    """How one service is read: made once, used for every request until the definitions change."""

    service: str
    features: tuple[tuple[str, str], ...]
    columns: frozenset[str]
    views: tuple[_ViewReading, ...]


def reading_of(plan: Plan, service: str) -> Reading:
    """Return how the service's features are read. Raises NotFound for a service or a view that is not defined."""
    asked = plan.service(service)
    views = [plan.view(name) for name in asked.views]
    readings = tuple(_view_reading(view, asked.features) for view in views)
    return Reading(service, asked.features, frozenset(entity_columns(views)), readings)


def read_vectors(reading: Reading, store: OnlineStore, entities: Sequence[Mapping[str, Any]]) -> Vectors:
    """Return the features of the entities: one read of the store, whatever their number and the number of views.

    Raises NotFound where an entity column is missing, unknown, or of another type, and what the store raises.
    """
    for entity in entities:
        if entity.keys() != reading.columns:
            demand_entities(reading.service, [of.view for of in reading.views], entity)
    asked = [Asked(of.view.name, [_key(of, entity) for entity in entities], of.names) for of in reading.views]
    columns: list[list[Any]] = [[] for _ in reading.features]
    origins: list[dict[str, Origin]] = [{} for _ in entities]
    for of, found in zip(reading.views, store.read(asked), strict=True):
        for origin, stored in zip(origins, found, strict=True):
            if stored is not None:
                origin[of.view.name] = _origin(stored)
        held = [stored.values if stored is not None else {} for stored in found]
        for at, name in of.places:
            columns[at] = values([one.get(name, b"") for one in held])
    return Vectors(reading.features, [list(row) for row in zip(*columns, strict=True)], origins)


def _view_reading(view: View, features: Sequence[tuple[str, str]]) -> _ViewReading:
    places = tuple((at, name) for at, (of, name) in enumerate(features) if of == view.name)
    names = tuple(name for name in stored_names(view) if name in {GOLD_VERSION, EVENT_US, *(name for _, name in places)})
    columns = tuple(sorted((entity.name, entity.dtype) for entity in view.entities))
    return _ViewReading(view, entity_key_prefix(view.keys), columns, names, places)


def _key(of: _ViewReading, entity: Mapping[str, Any]) -> bytes:
    try:
        values = [parsed_key(str(entity[name]), dtype) for name, dtype in of.columns]
    except ValueError as error:
        raise NotFound("an entity value is not of its column's type", expected=str(entity_columns([of.view]))) from error
    return of.prefix + entity_key_values(values, [dtype for _, dtype in of.columns])


def _origin(stored: Stored) -> Origin:
    event_us, gold_version = values([stored.values.get(EVENT_US, b""), stored.values.get(GOLD_VERSION, b"")])
    event_time = from_microseconds(event_us) if isinstance(event_us, int) else stored.event_time
    return Origin(event_time, gold_version if isinstance(gold_version, int) else None)
