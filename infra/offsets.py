"""Raw coordinates and times as they are given on the command line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from streams.intervals import IntervalSet

HELP = "Only these offsets of a raw partition: P:A-B, both in, or P:A, or P for all of it. May be repeated."
_SPAN = re.compile(r"([0-9]{1,9})(?::([0-9]{1,18})(?:-([0-9]{1,18}))?)?")
LAST = 2**63 - 2


def offsets_given(given: Sequence[str]) -> dict[int, IntervalSet]:
    """Return the offsets by partition. Raises UsageError for what does not read like HELP."""
    from streams.intervals import IntervalSet  # noqa: PLC0415  read by commands that load it anyway

    found: dict[int, list[tuple[int, int]]] = {}
    for text in given:
        match = _SPAN.fullmatch(text)
        if match is None:
            raise click.UsageError(f"--offsets {text!r}: expected P:A-B, P:A or P, as in 0:100-199")
        partition, first, last = match.groups()
        span = (0, LAST) if first is None else (int(first), int(last or first))
        if span[1] < span[0]:
            raise click.UsageError(f"--offsets {text!r}: the last offset is before the first")
        found.setdefault(int(partition), []).append(span)
    return {partition: IntervalSet.from_pairs(spans) for partition, spans in found.items()}


def moment_given(_ctx: click.Context, param: click.Parameter, text: str | None) -> datetime | None:
    """Read a time: ISO 8601, in UTC unless it says otherwise. A click callback."""
    if text is None:
        return None
    try:
        read = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no time, as 2026-03-01 or 2026-03-01T10:00:00Z are", param=param) from error
    return read if read.tzinfo else read.replace(tzinfo=UTC)
