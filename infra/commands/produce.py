"""`headwater produce`: send the examples, or a person's own files, to raw topics."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import click

from contracts.errors import NotFound
from infra.settings import Settings

if TYPE_CHECKING:
    from contracts.contract import Contract
    from streams.engines.produce import Production
    from streams.sources import Source

EXAMPLES = ("flights", "docs")

EPILOG = """\b
Examples:
  headwater produce flights --to 2013-01-31                    a month, as fast as it goes
  headwater produce flights --from 2013-02-01 --speed 3600     an hour of flights a second
  headwater produce docs                                       what installed packages say
  headwater produce shop.orders orders.jsonl                   your own; .json, folders, .gz too
  headwater produce shop.orders old.jsonl --contract-version 1.0.0
  tail -f orders.jsonl | headwater produce shop.orders -       your own, as they come
"""


@click.command(epilog=EPILOG)
@click.argument("what")
@click.argument("paths", nargs=-1)
@click.option("--from", "first_day", type=click.DateTime(["%Y-%m-%d"]), help="First day of flights, UTC, by event time.")
@click.option("--to", "last_day", type=click.DateTime(["%Y-%m-%d"]), help="Last day of flights, included.")
@click.option(
    "--speed", type=click.FloatRange(min=0, min_open=True), help="Seconds of event time per second; flat out if not given."
)
@click.option("--contract-version", help="Version of the contract that the records follow; the newest in force if not given.")
@click.option("--json", "json_wanted", is_flag=True, help="Print what was sent as JSON.")
@click.pass_obj
def produce(
    settings: Settings,
    what: str,
    paths: tuple[str, ...],
    first_day: datetime | None,
    last_day: datetime | None,
    speed: float | None,
    contract_version: str | None,
    json_wanted: bool,
) -> None:
    """Send records to raw topics, creating the topics if they are absent.

    WHAT is an example (flights or docs), or a dataset or raw topic that a contract describes, with PATHS of JSON lines,
    JSON files or folders of them; - is standard input. An example is sent once, however often this is typed: what the
    topics hold already is skipped. Files of your own are sent as they are, each time.
    """
    from infra.output import result
    from infra.processes import ended_in_order
    from infra.progress import progress_shown

    days = (first_day.date() if first_day else None, last_day.date() if last_day else None)
    if what != "flights" and (any(days) or speed):
        raise click.UsageError("--from, --to and --speed are for flights: only they are replayed in event time")
    if first_day and last_day and first_day > last_day:
        raise click.UsageError(f"--from {days[0]} comes after --to {days[1]}")
    source = example_source(what, *days) if what in EXAMPLES and not paths else own_source(settings, what, paths)
    with ended_in_order(), progress_shown(f"produce {what}", source.total, quiet=json_wanted) as shown:
        production = send(
            settings,
            source,
            speed=speed,
            report=lambda sent, skipped: shown(sent + skipped),
            contract_version=contract_version,
        )
    result(as_data(production), json_wanted, lambda: as_text(production))


def example_source(name: str, first_day: date | None = None, last_day: date | None = None) -> Source:
    """Return one of the examples; days, both included, apply to the flights alone."""
    if name == "flights":
        from streams.connectors.flights import flights_source

        return flights_source(first_day, last_day)
    from streams.connectors.packages import packages_source

    return packages_source()


def own_source(settings: Settings, what: str, paths: tuple[str, ...]) -> Source:
    """Return a person's files as a source. Raises NotFound for a dataset that no contract describes, naming near ones."""
    from infra.wiring import chosen
    from streams.connectors.files import files_source

    contracts = chosen(settings, [what])
    if len(contracts) > 1:
        names = ", ".join(contract.dataset for contract in contracts)
        raise click.UsageError(f"{what} has several datasets; name one of {names}")
    if not paths:
        raise click.UsageError(f"give the files to send to {contracts[0].dataset}, or - to read JSON lines from standard input")
    return files_source(contracts[0], paths, lambda: sys.stdin.buffer)


def send(
    settings: Settings,
    source: Source,
    *,
    speed: float | None = None,
    report: Callable[[int, int], None],
    contract_version: str | None = None,
) -> Production:
    """Send a source to the broker of the settings; `report` hears (sent, skipped) as it goes. See `streams.engines.produce`.

    Raises NotFound for a contract version that is not in force: its records would all be dead letters.
    """
    from infra.wiring import chosen, setup
    from streams.engines.produce import Pace
    from streams.engines.produce import produce as produced

    contracts = chosen(settings, source.datasets)
    for contract in contracts if contract_version else ():
        _in_force(contract, str(contract_version))
    given = setup(settings, contracts)
    return produced(source, given, pace=Pace(speed), report=report, contract_version=contract_version)


def _in_force(contract: Contract, wanted: str) -> None:
    known = [version.contract_version for version in (contract, *contract.others)]
    if wanted not in known:
        raise NotFound(f"{contract.dataset} has no version {wanted} in force", expected=f"one of {', '.join(known)}")


def as_data(production: Production) -> dict[str, Any]:
    """Return what a run came to, as `--json` prints it."""
    datasets = {
        produced.dataset: {
            "topic": produced.topic,
            "records": produced.records,
            "skipped": produced.skipped,
            "bytes": produced.bytes,
        }
        for produced in production.datasets
    }
    return {
        "hop": "produce",
        "source": production.source,
        "datasets": datasets,
        "told_later": production.told_later,
        "seconds": round(production.seconds, 3),
        "records_per_second": round(_per_second(production)),
    }


def as_text(production: Production) -> str:
    """Return what a run came to, as lines a person reads."""
    lines = [
        f"produce {produced.dataset}: {produced.records:,} records ({produced.bytes / 1e6:.1f} MB) to {produced.topic}"
        + (f", {produced.skipped:,} were there already" if produced.skipped else "")
        for produced in production.datasets
    ]
    if production.told_later:
        lines.append(f"{production.told_later:,} records of a run that was cut short are in the lineage now")
    records = sum(produced.records for produced in production.datasets)
    rate = f", {_per_second(production):,.0f} a second" if records else ": all of it was there already"
    lines.append(f"{records:,} records in {production.seconds:.1f} s{rate}")
    return "\n".join(lines)


def _per_second(production: Production) -> float:
    return sum(produced.records for produced in production.datasets) / max(production.seconds, 1e-6)
