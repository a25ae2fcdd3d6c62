"""Vectors of many entities at once are what each alone gives, from one trip to the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from contracts.errors import NotFound
from features.connectors.online_store import online_store
from features.online import Asked, Stored, served_vector
from features.plan import Plan
from features.vectors import Origin, read_vectors, reading_of
from features.workspace import Workspace

ENTITIES = [
    {"tailnum": tailnum, "carrier": carrier, "origin": origin, "route": f"{origin}-CCC"}
    for tailnum in ("N1ZZ", "N2ZZ", "N0NE")
    for carrier in ("ZZ", "YY")
    for origin in ("AAA", "BBB")
]


class Counting:
    """A store that counts how often it is read."""

    def __init__(self, store: Any) -> None:
        self.store, self.reads = store, 0

    def read(self, asked: Sequence[Asked]) -> list[list[Stored | None]]:
        self.reads += 1
        return list(self.store.read(asked))


def test_many_at_once_equal_each_alone(built: tuple[Workspace, Plan]) -> None:
    place, plan = built
    store: Any = Counting(online_store(place))
    made = read_vectors(reading_of(plan, "flight_delay"), store, ENTITIES)
    assert store.reads == 1
    for entity, row, origins in zip(ENTITIES, made.values, made.origins, strict=True):
        alone = served_vector(plan, online_store(place), "flight_delay", entity)
        assert [(s.view, s.feature) for s in alone] == list(made.features)
        assert [s.value for s in alone] == row
        for served in alone:
            known = None if served.event_time is None else Origin(served.event_time, served.gold_version)
            assert origins.get(served.view) == known


def test_what_is_not_there_is_no_origin_and_no_value(built: tuple[Workspace, Plan]) -> None:
    place, plan = built
    reading = reading_of(plan, "sensor_state")
    made = read_vectors(reading, online_store(place), [{"sensor_id": 10**6}, {"sensor_id": 7}])
    assert (set(made.values[0]), made.origins[0]) == ({None}, {})
    assert set(made.origins[1]) == {"sensor_last"}
    assert read_vectors(reading, online_store(place), []).values == []


@pytest.mark.parametrize("odd", [{"sensor": 1}, {"sensor_id": 1, "route": "x"}, {}, {"sensor_id": "seven"}])
def test_other_entity_columns_than_the_services_are_refused(built: tuple[Workspace, Plan], odd: dict[str, Any]) -> None:
    place, plan = built
    with pytest.raises(NotFound):
        read_vectors(reading_of(plan, "sensor_state"), online_store(place), [{"sensor_id": 7}, odd])
