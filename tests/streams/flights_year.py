"""The year of flights, read once for all tests that look at it."""

from __future__ import annotations

from functools import cache

import polars as pl

from streams.connectors.flights import read_frames
from streams.flight_events import Year
from tests.streams.produce_child import whole_year


@cache
def frames() -> tuple[pl.DataFrame, pl.DataFrame, dict[str, str]]:
    """Return the source's flights, weather and zones."""
    return read_frames()


@cache
def events() -> Year:
    """Return all events."""
    return whole_year().events
