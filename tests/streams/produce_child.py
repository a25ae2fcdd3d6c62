"""A produce run in a process of its own, to be killed: `python -m tests.streams.produce_child DOMAIN LAST_DAY`.

The settings come by `HEADWATER_*` variables. Each batch on its way is told as a line with the number of records so far.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import date
from functools import cache

from contracts.contract import Contract
from infra.settings import Settings, load_settings
from infra.wiring import catalog, setup
from streams.connectors.flights import ReadYear, days_of, read_year
from streams.engines.produce import Pace, Production, Report, no_report, produce
from streams.sources import Source


@cache
def whole_year() -> ReadYear:
    """Return the flights, read once for all runs of this process."""
    return read_year()


def moved(source: Source, contracts: list[Contract], domain: str) -> tuple[Source, tuple[Contract, ...]]:
    """Return a source and its contracts under another domain, so that a test has topics of its own."""
    elsewhere = tuple(replace(contract, domain=domain) for contract in contracts)
    names = dict(zip((contract.dataset for contract in contracts), (contract.dataset for contract in elsewhere), strict=True))
    inputs = {names[dataset]: files for dataset, files in source.inputs.items()}
    return replace(source, datasets=tuple(names[d] for d in source.datasets), inputs=inputs), elsewhere


def flights_in(
    settings: Settings, domain: str, first_day: date | None, last_day: date | None
) -> tuple[Source, tuple[Contract, ...]]:
    """Return some days of the flights, under a domain of the test's own."""
    known = catalog(settings).contracts
    source = days_of(whole_year(), first_day, last_day)
    return moved(source, [known[dataset] for dataset in source.datasets], domain)


def run(
    settings: Settings,
    source: Source,
    contracts: tuple[Contract, ...],
    report: Report = no_report,
    pace: Pace | None = None,
) -> Production:
    """Produce with the settings' broker and ledger."""
    return produce(source, setup(settings, contracts), report=report, pace=pace)


def main() -> None:
    """Tell of each batch, and let the parent choose when to kill."""
    settings = load_settings()
    source, contracts = flights_in(settings, sys.argv[1], None, date.fromisoformat(sys.argv[2]))
    run(settings, source, contracts, lambda sent, _: print(sent, flush=True))  # noqa: T201


if __name__ == "__main__":
    main()
