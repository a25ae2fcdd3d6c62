"""Online reads: the features of one service for one set of entities, each with its event time and gold version.

Pure over a small port, `OnlineStore`; the stores stand in `connectors/`. Values come out as Feast's own
`get_online_features` gives them, at a hundredth of its start-up time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from contracts.errors import CommitConflict, NotFound
from features.feast_layout import Unknown, entity_key, from_microseconds, parsed_key, timestamp, values
from features.plan import Plan, View

GOLD_VERSION = "_gold_version"
"""Kept beside each entity's features: the version of the gold table that the values are from."""
EVENT_US = "_event_us"
"""Kept beside each entity's features: event time in microseconds. Feast's SQLite store keeps whole seconds."""
FENCE = "_fence"
"""Kept beside each entity's features: the fence of the claim that wrote them, as each store likes it."""
FENCE_DIGITS = 16

Status = Literal["present", "null", "missing", "expired", "unreadable"]


@dataclass(frozen=True)
class Stored:
    """What a store holds of one entity in one view: values as Feast wrote them, and the store's own event time."""

    values: Mapping[str, bytes]
    stamp: datetime | bytes
    """The event time, or the message that says it: hardly any read wants it, since EVENT_US stands beside."""

    @property
    def event_time(self) -> datetime:
        """When the values hold from, as Feast's clients see it."""
        return self.stamp if isinstance(self.stamp, datetime) else timestamp(self.stamp)


@dataclass(frozen=True)
class Row:
    """What is to stand in a store of one entity in one view. `values` holds GOLD_VERSION and EVENT_US beside the features."""

    key: bytes
    event_us: int
    values: Mapping[str, bytes]


@dataclass(frozen=True)
class Asked:
    """What one view is asked for: so many entities by key, and of each the values of these names."""

    view: str
    keys: Sequence[bytes]
    names: Sequence[str]


class OnlineStore(Protocol):
    """A place for online values in Feast's layout, safe for several readers and writers.

    Who writes claims the view first. The claim's fence is greater than every fence before it and stands beside each entity
    that is written under it, so that a writer which was overtaken changes nothing that a later one has written. Every method
    raises TransientError where the store does not answer in time, after having waited for it; each may be called again.
    """

    def read(self, asked: Sequence[Asked]) -> list[list[Stored | None]]:
        """Return what is stored, for each view and entity in order; None for an entity that is not there."""
        ...

    def scan(self, view: View, names: Sequence[str]) -> Iterator[tuple[bytes, Stored]]:
        """Yield every entity of the view, in no set order, part by part. An entity may come twice."""
        ...

    def claim(self, view: str) -> str:
        """Return a fence for a writer that begins now. Fences compare as text: the later is the greater."""
        ...

    def claimed(self, view: str) -> str:
        """Return the fence of the last claim, empty without one."""
        ...

    def write(self, view: View, rows: Sequence[Row], fence: str) -> None:
        """Write the rows, each whole or not at all. Durable as far as the store is, on return.

        Raises CommitConflict where the view was claimed since: then no row stands that was not there before.
        """
        ...

    def remove(self, view: View, keys: Iterable[bytes], fence: str) -> int:
        """Remove the view's values of these entities, except what a later claim wrote; return how many were removed."""
        ...

    def sweep(self, view: View, fence: str) -> int:
        """Remove every entity of the view that was not written under this fence; return how many there were.

        Raises CommitConflict where the view was claimed since.
        """
        ...

    def marked(self, view: str) -> str:
        """Return the mark that was set last, empty without one."""
        ...

    def mark(self, view: str, mark: str, fence: str) -> None:
        """Set the view's mark: what its values were made from. Raises CommitConflict where the view was claimed since."""
        ...


@dataclass(frozen=True)
class Served:
    """One feature's value, and where it came from."""

    view: str
    feature: str
    value: Any
    status: Status
    event_time: datetime | None
    gold_version: int | None


def served_vector(
    plan: Plan, store: OnlineStore, service: str, entities: Mapping[str, str], now: datetime | None = None
) -> list[Served]:
    """Return the service's features for the entities, in the service's order.

    With `now`, a value whose event time is longer ago than its view's time to live is `expired`, and still shown. Raises
    NotFound when an entity column of the service is not given, or when one is given that it does not have.
    """
    asked = plan.service(service)
    views = [plan.view(name) for name in asked.views]
    demand_entities(service, views, entities)
    asked_of = [Asked(view.name, [key_of(view, entities)], stored_names(view)) for view in views]
    read = {view.name: stored[0] for view, stored in zip(views, store.read(asked_of), strict=True)}
    return [_served(plan.view(view), feature, read[view], now) for view, feature in asked.features]


def entity_columns(views: Iterable[View]) -> dict[str, str]:
    """Return the entity columns of the views, each once, with its type."""
    return {entity.name: entity.dtype for view in views for entity in view.entities}


def stored_names(view: View) -> list[str]:
    """Return the names of all that is kept of an entity in the view: its features, and what they are from."""
    return [*(feature.name for feature in view.features), GOLD_VERSION, EVENT_US]


def overtaken(view: str) -> CommitConflict:
    """Return the error for a writer whose view was claimed by a later one."""
    return CommitConflict(
        f"a later materialization of {view} has begun: this one gave way to it",
        expected="one at a time",
        remedy="nothing, if that one ends well; else headwater features materialize",
    )


def key_of(view: View, entities: Mapping[str, Any]) -> bytes:
    """Return the view's serialized entity key. Raises NotFound for a value that is not of the column's type."""
    try:
        values = [parsed_key(str(entities[e.name]), e.dtype) for e in view.entities]
    except ValueError as error:
        raise NotFound("an entity value is not of its column's type", expected=str(entity_columns([view]))) from error
    return entity_key(view.keys, values, [entity.dtype for entity in view.entities])


def demand_entities(service: str, views: Sequence[View], entities: Mapping[str, Any]) -> None:
    """Raise NotFound unless exactly the service's entity columns are given."""
    columns = entity_columns(views)
    if odd := sorted(set(columns) ^ set(entities)):
        example = " ".join(f"{name}=..." for name in columns)
        raise NotFound(
            f"entity columns missing or unknown: {', '.join(odd)}",
            expected=", ".join(columns),
            where=f"feature service {service}",
            remedy=f"headwater features get {service} {example}",
        )


def _served(view: View, feature: str, stored: Stored | None, now: datetime | None) -> Served:
    if stored is None or feature not in stored.values:
        return Served(view.name, feature, None, "missing", None, None)
    event_us, gold_version, decoded = values([stored.values.get(name, b"") for name in (EVENT_US, GOLD_VERSION, feature)])
    event_time = from_microseconds(event_us) if isinstance(event_us, int) else stored.event_time
    status: Status = "null" if decoded is None else "unreadable" if isinstance(decoded, Unknown) else "present"
    if status == "present" and now is not None and view.ttl_seconds and now - event_time > timedelta(seconds=view.ttl_seconds):
        status = "expired"
    return Served(view.name, feature, decoded, status, event_time, gold_version if isinstance(gold_version, int) else None)
