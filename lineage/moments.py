"""Moments as lineage writes them: ISO 8601 in UTC with microseconds and a `Z`, one spelling per instant."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(moment: datetime) -> str:
    """Return the spelling of an instant. Raises ValueError for a datetime that does not say its zone."""
    if moment.tzinfo is None:
        raise ValueError("a moment without a zone: pass datetimes with tzinfo")
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def parsed(text: str) -> datetime:
    """Return the instant that a text says; without a zone it is taken as UTC."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
