"""What the definitions ask for, as plain frozen values: views, windows, services, training sets.

`connectors/feast_registry.py` reads them out of Feast's objects; everything else in this room works on these, so that
neither the aggregates nor the online reader need Feast. A plan goes to JSON and back (the manifest that `apply` writes).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, get_args

from contracts.errors import DefinitionInvalid, NotFound
from features.declarations import Label, TrainingSet

Layer = Literal["silver", "current"]
LAYERS: tuple[Layer, ...] = get_args(Layer)

FUNCTIONS = ("sum", "count", "mean", "min", "max", "last", "first")
"""Aggregation functions that are honoured."""
DTYPES = ("String", "Bytes", "Int32", "Int64", "Float32", "Float64", "Bool", "UnixTimestamp")
"""Feast's types that are honoured, and `Array(...)` of each."""


@dataclass(frozen=True)
class Feature:
    """One column that a model can ask for. `embeds` names the text column that a vector is made from."""

    name: str
    dtype: str
    description: str = ""
    embeds: str = ""
    vector_length: int = 0


@dataclass(frozen=True)
class Window:
    """One aggregation: `function` of `column` over the last `window_us`, moved on every `slide_us`."""

    feature: str
    function: str
    column: str
    window_us: int
    slide_us: int


@dataclass(frozen=True)
class View:
    """One feature view: where its rows come from and how they become values.

    With `windows` its features are aggregates; without, each row of the dataset gives the entity's latest values.
    """

    name: str
    dataset: str
    event_time: str
    entities: tuple[Feature, ...]
    features: tuple[Feature, ...]
    ttl_seconds: int = 0
    windows: tuple[Window, ...] = ()
    current_by: tuple[str, ...] = ()
    """Columns of which only the latest row counts; what earlier rows gave is gone. Empty: every row is history."""
    transform_text: str = ""
    """Source text of the transformation, part of the definition's hash."""
    transform: Callable[[Any], Any] | None = field(default=None, compare=False)
    description: str = ""
    layer: Layer = "silver"
    """Which table of the dataset: its history, or the newest row of each key (a change stream's alone)."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the entity columns, in definition order."""
        return tuple(entity.name for entity in self.entities)

    @property
    def definition_hash(self) -> str:
        """SHA-256 of everything that decides the view's values: two views with one hash give one content."""
        parts = asdict(replace(self, transform=None, description="", ttl_seconds=0))
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def feature(self, name: str) -> Feature:
        """Return the feature of that name. Raises NotFound, naming those there are."""
        for candidate in self.features:
            if candidate.name == name:
                return candidate
        raise NotFound(f"no feature {name!r}", expected=", ".join(f.name for f in self.features), where=f"view {self.name}")


@dataclass(frozen=True)
class Service:
    """The features that a model asks for together, as (view, feature) pairs in order."""

    name: str
    features: tuple[tuple[str, str], ...]
    description: str = ""

    @property
    def views(self) -> tuple[str, ...]:
        """Names of the views, each once, in the order of the service."""
        return tuple(dict.fromkeys(view for view, _ in self.features))


@dataclass(frozen=True)
class Plan:
    """Everything that is defined in one Feast project."""

    project: str
    views: Mapping[str, View]
    services: Mapping[str, Service]
    training_sets: Mapping[str, TrainingSet]

    def view(self, name: str) -> View:
        """Return the view of that name. Raises NotFound, naming those there are."""
        found: View = _named(self.views, name, "feature view")
        return found

    def service(self, name: str) -> Service:
        """Return the service of that name. Raises NotFound, naming those there are."""
        found: Service = _named(self.services, name, "feature service")
        return found

    def training_set(self, name: str) -> TrainingSet:
        """Return the training set's declaration. Raises NotFound, naming those there are."""
        found: TrainingSet = _named(self.training_sets, name, "training set")
        return found


def _named(things: Mapping[str, Any], name: str, kind: str) -> Any:
    if name not in things:
        known = ", ".join(sorted(things)) or "nothing is applied yet"
        raise NotFound(f"no {kind} {name!r}", expected=known, remedy="define it in a file of the definitions folder, then apply")
    return things[name]


def check(plan: Plan) -> None:
    """Refuse what cannot be honoured: called once, before anything is written. Raises DefinitionInvalid."""
    for view in plan.views.values():
        _check_view(view)
    for service in plan.services.values():
        _check_service(plan, service)
    for wanted in plan.training_sets.values():
        if wanted.service not in plan.services:
            raise DefinitionInvalid(
                f"service {wanted.service!r} is not defined",
                expected=", ".join(plan.services),
                where=f"training set {wanted.name}",
            )


def _check_view(view: View) -> None:
    where = f"view {view.name}"
    if not view.entities:
        raise DefinitionInvalid("no entity", expected="at least one entity, with its field in the schema", where=where)
    for column in (*view.entities, *view.features):
        item = column.dtype.removeprefix("Array(").removesuffix(")")
        if item not in DTYPES:
            raise DefinitionInvalid(
                f"{column.name} is {column.dtype}", expected=f"{', '.join(DTYPES)}, or Array of one", where=where
            )
    for window in view.windows:
        _check_window(window, where)
    if view.windows and {w.feature for w in view.windows} != {f.name for f in view.features}:
        odd = {w.feature for w in view.windows} ^ {f.name for f in view.features}
        raise DefinitionInvalid(
            f"{', '.join(sorted(odd))}: in the schema or among the aggregations, not in both",
            expected="one Aggregation with that name for each feature of the schema",
            where=where,
        )


def _check_window(window: Window, where: str) -> None:
    if window.function not in FUNCTIONS:
        raise DefinitionInvalid(f"function {window.function!r}", expected=f"one of {', '.join(FUNCTIONS)}", where=where)
    if window.window_us <= 0 or window.slide_us <= 0 or window.window_us % window.slide_us:
        raise DefinitionInvalid(
            f"{window.feature}: a window of {window.window_us} us that slides by {window.slide_us} us",
            expected="a positive window that is a whole number of slides",
            where=where,
        )
    if not window.column and window.function != "count":
        raise DefinitionInvalid(
            f"{window.feature}: no column", expected=f"a column to take the {window.function} of", where=where
        )


def _check_service(plan: Plan, service: Service) -> None:
    where = f"feature service {service.name}"
    names: dict[str, str] = {}
    for view, feature in service.features:
        plan.view(view).feature(feature)
        if names.setdefault(feature, view) != view:
            raise DefinitionInvalid(
                f"feature {feature!r} is in {names[feature]} and in {view}",
                expected="names that differ within a service",
                where=where,
            )


def to_json(plan: Plan) -> dict[str, Any]:
    """Return the plan as JSON values. Transformations stay behind: readers of a plan do not run them."""
    return {
        "project": plan.project,
        "views": [_view_json(view) for view in plan.views.values()],
        "services": [asdict(service) for service in plan.services.values()],
        "training_sets": [asdict(wanted) for wanted in plan.training_sets.values()],
    }


def _view_json(view: View) -> dict[str, Any]:
    parts = asdict(replace(view, transform=None))
    del parts["transform"]
    return parts | {"definition_hash": view.definition_hash}


def from_json(values: Mapping[str, Any]) -> Plan:
    """Return the plan that `to_json` wrote."""
    views = [_view_from(parts) for parts in values["views"]]
    services = [Service(s["name"], tuple((v, f) for v, f in s["features"]), s["description"]) for s in values["services"]]
    wanted = [_training_set_from(parts) for parts in values["training_sets"]]
    return Plan(values["project"], _by_name(views), _by_name(services), _by_name(wanted))


def _view_from(parts: Mapping[str, Any]) -> View:
    plain = {key: value for key, value in parts.items() if key != "definition_hash"}
    plain["entities"] = tuple(Feature(**entity) for entity in parts["entities"])
    plain["features"] = tuple(Feature(**feature) for feature in parts["features"])
    plain["windows"] = tuple(Window(**window) for window in parts["windows"])
    plain["current_by"] = tuple(parts["current_by"])
    return View(**plain)


def _training_set_from(parts: Mapping[str, Any]) -> TrainingSet:
    label = Label(**{**parts["label"], "on": tuple(parts["label"]["on"])})
    return TrainingSet(**{**parts, "label": label, "keep": tuple(parts["keep"])})


def _by_name(things: Sequence[Any]) -> Mapping[str, Any]:
    return MappingProxyType({thing.name: thing for thing in things})
