"""Progress of long work, on standard error: a bar on a terminal, a line now and then elsewhere, nothing if quiet."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

LINES_SECONDS = 5.0
"""Where there is no terminal, a line comes so often."""

Report = Callable[[int], None]
"""Called with how much is done in all, as often as one likes."""


@contextmanager
def progress_shown(what: str, total: int | None, *, quiet: bool = False) -> Iterator[Report]:
    """Give a function that shows how far the work is. `what` names it; `total` is None where only the end tells."""
    if quiet:
        yield lambda _done: None
    elif sys.stderr.isatty():
        with _bar(what, total) as report:
            yield report
    else:
        yield _lines(what, total)


@contextmanager
def _bar(what: str, total: int | None) -> Iterator[Report]:
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)


def _lines(what: str, total: int | None) -> Report:
    said = time.monotonic()

    def report(done: int) -> None:
        nonlocal said
        if time.monotonic() - said >= LINES_SECONDS:
            said = time.monotonic()
            of = f" of {total:,}" if total is not None else ""
            click.echo(f"{what}: {done:,}{of}", err=True)

    return report
