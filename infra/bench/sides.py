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

from infra.bench import backfill_sides, rivals
from infra.bench.clock import Clock, peak_bytes
from infra.memory import leave_loaded_alone, return_freed_memory
from infra.settings import Settings, load_settings


def clean_drained(settings: Settings) -> dict[str, Any]:
    """Run the clean hop (`direct`) up to the end of the raw topics."""
    from infra.wiring import catalog, setup
    from streams.engines import direct

    return_freed_memory()
    clock = Clock()
    given = setup(settings, tuple(catalog(settings)), step=lambda _name: clock.done())
    leave_loaded_alone()
    with first_fetch_noted(clock, direct):
        runs = direct.clean(given, lambda: False, drain=True)
    return clock.figures(_records(given.emitter, runs))


def land_drained(settings: Settings) -> dict[str, Any]:
    """Run the land hop up to the end of the clean and dead-letter topics; tell how long its commits took."""
    from infra.wiring import catalog, setup
    from streams.engines import lander

    return_freed_memory()
    clock = Clock()
    given = setup(settings, tuple(catalog(settings)), step=lambda _name: clock.done())
    leave_loaded_alone()
    with first_fetch_noted(clock, lander), commits_timed() as seconds:
        runs = lander.run(given, lambda: False, drain=True)
    return clock.figures(_records(given.emitter, runs)) | {"commit_seconds": seconds}


def clean_command(settings: Settings, datasets: list[str], mark: int) -> dict[str, Any]:
    """Run what `headwater clean DATASETS --drain` runs; tell the memory at its peak by `mark` records, and by the end."""
    from infra.wiring import chosen, setup
    from streams.engines import direct

    return_freed_memory()
    given = setup(settings, chosen(settings, datasets))
    leave_loaded_alone()
    with peaks_noted(given.emitter, mark) as peaks:
        runs = direct.clean(given, lambda: False, drain=True)
    return {"records": _records(given.emitter, runs), **peaks, "peak_bytes": peak_bytes()}


def land_command(settings: Settings, datasets: list[str], mark: int) -> dict[str, Any]:
    """Run what `headwater land DATASETS` runs, until SIGTERM; tell its memory as `clean_command` does."""
    from infra.wiring import chosen, setup, stop_on_signal
    from streams.engines import lander

    return_freed_memory()
    given = setup(settings, chosen(settings, datasets))
    leave_loaded_alone()
    with stop_on_signal() as stop, peaks_noted(given.emitter, mark) as peaks:
        runs = lander.run(given, stop)
    return {"records": _records(given.emitter, runs), **peaks, "peak_bytes": peak_bytes()}


@contextmanager
def peaks_noted(emitter: Any, mark: int) -> Iterator[dict[str, int]]:
    """Give a dictionary that holds `early_peak_bytes` once the commits told so far cover `mark` records."""
    plain, told, peaks = emitter.commit, 0, dict[str, int]()

    def noting(facts: Any) -> bool:
        nonlocal told
        made: bool = plain(facts)
        told += facts.records_in
        if told >= mark:
            peaks.setdefault("early_peak_bytes", peak_bytes())
        return made

    emitter.commit = noting
    try:
        yield peaks
    finally:
        emitter.commit = plain


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
    "archive_made": backfill_sides.archive_made,
    "backfill_side": backfill_sides.backfill_side,
    "bare_consume": rivals.bare_consume,
    "bare_copy": rivals.bare_copy,
    "faust_agent": rivals.faust_agent,
}


def main(name: str, arguments: str) -> None:
    """Run one side and print its figures."""
    print(orjson.dumps(SIDES[name](load_settings(), **orjson.loads(arguments))).decode(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
