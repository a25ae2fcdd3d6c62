"""`headwater backfill`: archived records that no table holds yet, into silver and quarantine."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from infra.offsets import HELP, moment_given, offsets_given
from infra.output import json_option, result, say
from infra.settings import Settings

if TYPE_CHECKING:
    from contracts.contract import Contract
    from streams.backfill import Report
    from streams.replay import Selection

EXAMPLE = """\b
Examples:
  headwater backfill flights.departed --dry-run                        what the tables lack of the archive
  headwater backfill flights.departed --from 2026-03-01 --to 2026-04-01
  headwater backfill flights.departed --engine spark                   on all cores, or on the cluster at spark_master
"""


@click.command(epilog=EXAMPLE)
@click.argument("dataset")
@click.option("--from", "since", callback=moment_given, help="Only records that came at or after this time (ISO 8601, UTC).")
@click.option("--to", "until", callback=moment_given, help="Only records that came before this time.")
@click.option("--offsets", multiple=True, help=HELP)
@click.option(
    "--engine", type=click.Choice(["direct", "spark"]), default="direct", show_default=True,
    help="Where records are judged: in this process, or on Spark (`spark_master` in the settings).",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say how much the tables lack, and change nothing.")
@json_option
@click.pass_obj
def backfill(
    settings: Settings,
    dataset: str,
    since: datetime | None,
    until: datetime | None,
    offsets: tuple[str, ...],
    engine: str,
    dry_run: bool,
    json_wanted: bool,
) -> None:
    """Clean archived records of DATASET that neither silver nor quarantine holds, and write what they come to.

    The rows are those that `clean` and `land` would have made. What a table holds stays as it is (to judge that anew, see
    replay): run twice, it finds nothing. `land` may run meanwhile. Ctrl-C stops it after what is judged is committed; the same
    command goes on. Exits 1 if a record could not be read, because its key is destroyed, or if it was stopped before the end.
    """
    from infra.wiring import one
    from streams.replay import Selection

    contract = one(settings, dataset)
    selection = Selection("bronze", since=since, until=until, offsets=offsets_given(offsets))
    report = backfilled(settings, contract, selection, engine, dry_run=dry_run)
    told = {"dataset": contract.dataset, "engine": engine, "dry_run": dry_run, **asdict(report)}
    result(told, json_wanted, lambda: lines(contract.dataset, report, dry_run=dry_run))
    if report.erased or report.stopped:
        raise SystemExit(1)


def backfilled(settings: Settings, contract: Contract, selection: Selection, engine: str, *, dry_run: bool = False) -> Report:
    """Run a backfill in this process, on the engine of that name, and return what it came to."""
    from functools import partial

    from infra.memory import return_freed_memory
    from infra.spark.place import opened, place
    from infra.wiring import setup, stop_on_signal
    from streams.engines.backfill import backfill as run
    from streams.engines.backfill import direct_parts

    return_freed_memory()
    with stop_on_signal() as stop:
        if engine == "direct" or dry_run:
            given = setup(settings, [contract])
            return run(given, contract, selection, direct_parts(given), stop, dry_run=dry_run)
        from streams.connectors.spark import session, version
        from streams.engines.backfill_spark import spark_parts

        given = setup(settings, [contract], engine=f"spark/{version()}")
        # The key store is made here if it is not there, and not by several executors at once.
        given.keys.secret("masking")
        with session(place(settings, say)) as spark:
            parts = spark_parts(spark, partial(opened, str(settings.key_store)), given.limits)
            return run(given, contract, selection, parts, stop, dry_run=dry_run)


def lines(dataset: str, report: Report, *, dry_run: bool) -> str:
    """Return the report as a person reads it."""
    left = report.selected - report.held
    then = f"{left:,} to be judged" if dry_run else f"{left:,} not"
    told = [f"backfill {dataset}: {report.selected:,} archived records, {report.held:,} of them in the tables already, {then}"]
    letters = dict(sorted(report.dead_letters.items()))
    counts: list[tuple[Any, str]] = [
        (report.rows, "rows for silver"),
        *((count, f"for quarantine: {reason}") for reason, count in letters.items()),
        (report.overtaken, "written by another job meanwhile: not written again"),
        (report.erased, "erased: their keys are destroyed, nobody can read them"),
        (report.commits, "commits"),
    ]
    told += [f"  {count:,} {what}" for count, what in counts if count]
    if report.stopped:
        told.append("stopped before the end: the same command goes on")
    return "\n".join(told)
