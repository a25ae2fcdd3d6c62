"""Notice, between two batches, that the contracts of a running job have changed on disk.

A job keeps the contracts that it was started with: one batch is never judged under two. When their files have changed, it
finishes what is under way, closes its runs, and starts again under the new ones, in the same process, on the same group.
It does not where that would be worse than going on: files with faults, versions that break with one another, or a frozen
contract that changed under its major version. It says so then, once for each state of the files, and goes on as it was.
A Faust worker, of which a process can start one, always goes on and says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from contracts.contract import Contract
from contracts.errors import HeadwaterError
from infra.settings import Settings
from infra.wiring import chosen

LOOK_SECONDS = 1.0
"""Between two looks at the files. What is seen must be seen twice: an editor may be in the middle of it."""

Seen = tuple[tuple[str, int, int], ...]
Say = Callable[[str], None]


def say_aloud(text: str) -> None:
    """Tell a person who watches the job: results go to standard output, everything else to standard error."""
    click.echo(f"headwater: {text}", err=True)


class ContractWatch:
    """The contracts of one job, and whether other ones are in force by now. Not for several threads at once."""

    def __init__(
        self,
        settings: Settings,
        datasets: Sequence[str],
        *,
        restarts: bool = True,
        clock: Callable[[], float] = time.monotonic,
        say: Say = say_aloud,
    ) -> None:
        self.settings, self.datasets, self.restarts = settings, datasets, restarts
        self._clock, self._say = clock, say
        self._judged = self._last = self._seen()
        self._looked_at = clock()
        self.contracts = chosen(settings, datasets)
        """Those that the job is to run under. They change when `changed` has said yes."""

    def changed(self) -> bool:
        """Say whether the job should start again, under `contracts`. Costs nothing but once a second a look at the files."""
        now = self._clock()
        if now - self._looked_at < LOOK_SECONDS:
            return False
        self._looked_at = now
        last, self._last = self._last, self._seen()
        if self._last != last or self._last == self._judged:
            return False
        self._judged = self._last
        return self._taken()

    def _taken(self) -> bool:
        """Take what the files say now, if a job can run under it and it is not what we have."""
        try:
            found = chosen(self.settings, self.datasets)
        except HeadwaterError as error:
            self._say(f"the contract files have changed and cannot be used; this job goes on under what it has\n  {error}")
            return False
        if _hashes(found) == _hashes(self.contracts):
            return False
        if frozen := _frozen(self.contracts, found):
            self._say(
                f"{frozen} is frozen and its file has changed; this job goes on under what it has, and would not start again"
            )
            return False
        names = ", ".join(_named(self.contracts, found))
        if not self.restarts:
            self._say(f"the contract files have changed ({names}): this job goes on under what it has until it is started again")
            return False
        self._say(f"the contract files have changed ({names}): starting again under them")
        self.contracts = found
        return True

    def _seen(self) -> Seen:
        """Return every contract file with its time and size; what goes away meanwhile is not there."""
        found: list[tuple[str, int, int]] = []
        for folder in self.settings.contracts:
            for file in [folder] if folder.is_file() else sorted(folder.rglob("*.odcs.yaml")):
                found += _stamp(file)
        return tuple(found)


def _stamp(file: Path) -> Seen:
    try:
        told = file.stat()
    except FileNotFoundError:
        return ()
    return ((str(file), told.st_mtime_ns, told.st_size),)


def _hashes(contracts: Sequence[Contract]) -> dict[str, tuple[str, ...]]:
    return {c.dataset: (c.hash, *(other.hash for other in c.others), *sorted(c.withdrawn)) for c in contracts}


def _frozen(before: Sequence[Contract], after: Sequence[Contract]) -> str:
    """Return the first frozen dataset whose content is another one now; empty for none."""
    now = {contract.dataset: contract.hash for contract in after}
    return next((c.dataset for c in before if c.mode == "freeze" and now.get(c.dataset, c.hash) != c.hash), "")


def _named(before: Sequence[Contract], after: Sequence[Contract]) -> list[str]:
    """Return the datasets that differ, each with its version now."""
    old, versions = _hashes(before), {contract.dataset: contract.contract_version for contract in after}
    new = _hashes(after)
    return [f"{name} {versions.get(name, 'gone')}" for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
