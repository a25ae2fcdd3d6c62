"""`headwater bench year`: the year of flights through clean and land at once, as `headwater run` does it; and the memory.

Two processes run side by side until every event is in silver. Each notes its memory at the peak by the time it has told of
the first tenth of the events (100,000 of the year), and at the end: a job that holds on to what it has seen would show here.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from infra.bench import place
from infra.bench.frame import Ratio, Report, interleaved, machine, ratio_of, spread
from infra.settings import PROJECT_FOLDER, Settings

FIRST_DAY = date(2013, 1, 1)
YEAR_DAYS = 366
EARLY_SHARE = 10
SECONDS_GOAL, MEMORY_GOAL = 60.0, 1.2
DOMAIN = "flights"
WATCH_SECONDS = 0.1
LAND_SECONDS_MAX = 600.0


def run(settings: Settings, rounds: int, count: int | None = None) -> Report:
    """Measure; `count` is how many days of flights to carry, the year if not given."""
    ours = replace(settings, contracts=(PROJECT_FOLDER / "contracts",))
    with place.scratch(ours) as there:
        events = _produced(there, count or YEAR_DAYS)
        measured = interleaved(rounds, {"year": lambda number: _round(there, f"year-{number}", events)})
    return _report(measured["year"])


def _produced(settings: Settings, days: int) -> int:
    """Fill the raw topics with so many days of flights; return how many events that is."""
    from infra.commands.produce import send
    from streams.connectors.flights import flights_source

    source = flights_source(FIRST_DAY, FIRST_DAY + timedelta(days=days - 1))
    production = send(settings, source, report=lambda _sent, _skipped: None)
    return sum(produced.records for produced in production.datasets)


def _round(settings: Settings, name: str, events: int) -> dict[str, Any]:
    """Carry the raw topics through both hops, from nothing; return seconds, and the peak of each process."""
    place.emptied(settings, _topics(settings, "clean", "dlq"))
    ours = replace(settings, home=settings.home / name)
    began = time.perf_counter()
    with (
        place.side(ours, "clean_command", datasets=[DOMAIN], mark=events // EARLY_SHARE) as cleaning,
        place.side(ours, "land_command", datasets=[DOMAIN], mark=events // EARLY_SHARE) as landing,
    ):
        clean = place.outcome("clean", cleaning)
        clean_seconds = time.perf_counter() - began
        _wait_until_landed(ours, landing)
        seconds = time.perf_counter() - began
        landing.terminate()
        land = place.outcome("land", landing)
    place.demand("events cleaned", clean["records"], events)
    place.demand("events landed", land["records"], events)
    return {
        "events": events,
        "seconds": seconds,
        "clean_seconds": clean_seconds,
        "clean_early": clean["early_peak_bytes"],
        "clean_peak": clean["peak_bytes"],
        "land_early": land["early_peak_bytes"],
        "land_peak": land["peak_bytes"],
    }


def _wait_until_landed(settings: Settings, landing: Any) -> None:
    """Wait until the tables cover every offset of the clean and dead-letter topics."""
    from contracts.errors import TerminalError
    from streams.connectors.kafka import Slot, end_offsets
    from streams.engines.writer import landed_offset

    contracts = place.contracts(settings, DOMAIN)
    silver = {contract.clean_topic: contract for contract in contracts}
    quarantine = {contract.dead_letter_topic: contract for contract in contracts}
    ends = {Slot(*slot): end for slot, (_, end) in end_offsets(settings.client(), [*silver, *quarantine]).items() if end}

    def landed(slot: Slot) -> int:
        if slot.topic in silver:
            return landed_offset(settings.tables, silver[slot.topic], "silver", slot)
        return landed_offset(settings.tables, quarantine[slot.topic], "quarantine", slot)

    deadline = time.monotonic() + LAND_SECONDS_MAX
    while any(landed(slot) < end for slot, end in ends.items()):
        if landing.poll() is not None or time.monotonic() > deadline:
            raise TerminalError("land ended, or stands still, before all was landed", where=settings.tables)
        time.sleep(WATCH_SECONDS)


def _topics(settings: Settings, *kinds: str) -> list[str]:
    return [f"{contract.dataset}.{kind}.v{contract.major}" for contract in place.contracts(settings, DOMAIN) for kind in kinds]


def _report(rounds: list[dict[str, Any]]) -> Report:
    events = rounds[0]["events"]
    memory = {
        f"{job}_memory": ratio_of(
            f"peak memory of {job} by the end of {events:,} events / by the first {events // EARLY_SHARE:,}",
            [figures[f"{job}_peak"] for figures in rounds],
            [figures[f"{job}_early"] for figures in rounds],
            MEMORY_GOAL,
            at_most=True,
        )
        for job in ("clean", "land")
    }
    seconds = tuple(figures["seconds"] for figures in rounds)
    return Report(
        "year",
        {
            "seconds": Ratio(
                "seconds from the start of both processes until every event is in silver", seconds, SECONDS_GOAL, True
            ),
            **memory,
        },
        {
            "events": events,
            "events_per_second": spread([events / figures["seconds"] for figures in rounds]),
            "clean_seconds": spread([figures["clean_seconds"] for figures in rounds]),
            "peak_mib": {
                name: spread([figures[name] / 2**20 for figures in rounds])
                for name in ("clean_early", "clean_peak", "land_early", "land_peak")
            },
        },
        (
            "Both processes start with empty topics and tables, and their start is counted.",
            "All events are in the raw topics before the clock starts.",
        ),
        machine(),
    )
