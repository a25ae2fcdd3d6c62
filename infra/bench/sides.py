"""One side of a benchmark as a process: `python -m infra.bench.sides NAME ARGUMENTS` prints its figures as one JSON line.

Headwater's own sides call what the commands call. What only a benchmark asks (when did the first record come, how long
did a commit take) is noted around the engine's own objects, so that the engines carry no instruments.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson

from infra.bench import rivals
from infra.bench.clock import Clock, peak_bytes
from infra.settings import Settings, load_settings


def clean_drained(settings: Settings) -> dict[str, Any]:
    """Run the clean hop (`direct`) up to the end of the raw topics."""
    from infra.wiring import catalog, setup
    from streams.engines import direct

    clock = Clock()
    given = setup(settings, tuple(catalog(settings)), step=lambda _name: clock.done())
    with first_fetch_noted(clock, direct):
        runs = direct.clean(given, lambda: False, drain=True)
    return clock.figures(_records(given.emitter, runs))


def land_drained(settings: Settings) -> dict[str, Any]:
    """Run the land hop up to the end of the clean and dead-letter topics; tell how long its commits took."""
    from infra.wiring import catalog, setup
    from streams.engines import lander

    clock = Clock()
    given = setup(settings, tuple(catalog(settings)), step=lambda _name: clock.done())
    with first_fetch_noted(clock, lander), commits_timed() as seconds:
        runs = lander.run(given, lambda: False, drain=True)
    return clock.figures(_records(given.emitter, runs)) | {"commit_seconds": seconds}


def clean_command(settings: Settings, datasets: list[str]) -> dict[str, Any]:
    """Run what `headwater clean DATASETS --drain` runs."""
    from infra.jobs import run_clean

    counts = run_clean(settings, datasets, "direct", drain=True)
    return {"records": sum(count["records_in"] for count in counts.values()), "peak_bytes": peak_bytes()}


def land_command(settings: Settings, datasets: list[str]) -> dict[str, Any]:
    """Run what `headwater land DATASETS` runs, until SIGTERM."""
    from infra.jobs import run_land

    counts = run_land(settings, datasets, drain=False)
    return {"records": sum(count["records_in"] for count in counts.values()), "peak_bytes": peak_bytes()}


@contextmanager
def first_fetch_noted(clock: Clock, engine: Any) -> Iterator[None]:
    """Have the engine's fetcher note when its first records came."""

    class Noting(engine.Fetcher):  # type: ignore[misc]
        def fetch(self, records: int, size: int, seconds: float) -> Any:
            messages = super().fetch(records, size, seconds)
            if messages:
                clock.come()
            return messages

    plain, engine.Fetcher = engine.Fetcher, Noting
    try:
        yield
    finally:
        engine.Fetcher = plain


@contextmanager
def commits_timed() -> Iterator[list[float]]:
    """Give a list that each append to a Delta table puts its seconds in."""
    from streams.connectors import delta

    seconds: list[float] = []
    plain = delta.append

    def timed(*arguments: Any, **named: Any) -> Any:
        began = time.perf_counter()
        made = plain(*arguments, **named)
        seconds.append(time.perf_counter() - began)
        return made

    delta.append = timed
    try:
        yield seconds
    finally:
        delta.append = plain


def _records(emitter: Any, runs: Any) -> int:
    """Return how many records the runs took in, as they told the ledger."""
    mine = {run.run_id for run in runs}
    return sum(commit.records_in for run in runs for commit in emitter.commits(run.job) if commit.run_id in mine)


SIDES: dict[str, Callable[..., dict[str, Any]]] = {
    "clean_drained": clean_drained,
    "land_drained": land_drained,
    "clean_command": clean_command,
    "land_command": land_command,
    "bare_consume": rivals.bare_consume,
    "bare_copy": rivals.bare_copy,
    "faust_agent": rivals.faust_agent,
}


def main(name: str, arguments: str) -> None:
    """Run one side and print its figures."""
    print(orjson.dumps(SIDES[name](load_settings(), **orjson.loads(arguments))).decode(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
