"""`headwater replay`: records that already have a fate, through today's contract and code."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from infra.offsets import HELP, moment_given, offsets_given
from infra.output import json_option, result
from infra.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.replay import Report

EXAMPLE = """\b
Examples:
  headwater replay shop.orders --reason rule_broken --dry-run      what would come of it
  headwater replay shop.orders --reason rule_broken                after the contract was mended
  headwater replay shop.orders --from bronze --offsets 0:100-199   these records, whatever became of them
"""


@click.command(epilog=EXAMPLE)
@click.argument("dataset")
@click.option("--reason", "reasons", multiple=True, help="Only records that are quarantined for this. May be repeated.")
@click.option("--since", callback=moment_given, help="Only records that came at or after this time (ISO 8601, UTC).")
@click.option("--until", callback=moment_given, help="Only records that came before this time.")
@click.option("--offsets", multiple=True, help=HELP)
@click.option(
    "--from", "source", type=click.Choice(["quarantine", "bronze"]), default="quarantine", show_default=True,
    help="Where the records are read: what dead letters carry, or the archive, which has every record.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@json_option
@click.pass_obj
def replay(
    settings: Settings,
    dataset: str,
    reasons: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    offsets: tuple[str, ...],
    source: str,
    dry_run: bool,
    json_wanted: bool,
) -> None:
    """Send records of DATASET through its contract as it is today, and put silver and quarantine right.

    Coordinates stay, so a second replay changes nothing, and one that was killed is finished by the same command. `clean` and
    `land` may run meanwhile. Duplicates stay what they are. Exits 1 if a record could not be read: erased, or without payload.
    """
    from infra.commands.dead_letters import demand_known
    from infra.wiring import one, setup
    from streams.engines import replayer
    from streams.replay import Selection

    demand_known(reasons)
    fixed = sorted(set(reasons) & replayer.UNREPLAYABLE)
    if fixed:
        raise click.UsageError(f"--reason {fixed[0]}: the contract does not decide it, so a replay cannot change it")
    contract = one(settings, dataset)
    selection = Selection(
        "bronze" if source == "bronze" else "quarantine", frozenset(reasons), since, until, offsets_given(offsets)
    )
    report = replayer.replay(setup(settings, [contract]), contract, selection, dry_run=dry_run)
    told = {"dataset": contract.dataset, "from": source, "dry_run": dry_run, **_as_dict(report)}
    views = _views(settings, contract.dataset) if report.event_time else []
    told["views"] = views
    result(told, json_wanted, lambda: "\n".join(lines(report, views, dry_run=dry_run)))
    if report.erased or report.absent:
        raise SystemExit(1)


def _as_dict(report: Report) -> dict[str, Any]:
    told = asdict(report) | {"columns": dict(report.columns), "rejected": dict(sorted(report.rejected.items()))}
    return told | {"event_time": [moment.isoformat() for moment in report.event_time] if report.event_time else None}


def _views(settings: Settings, dataset: str) -> list[str]:
    """Return the feature views that are computed from the dataset's silver table, as its gold tables say."""
    from streams.connectors import delta
    from streams.connectors.table_places import table_names

    gold = [name.split("/") for name in table_names(settings.tables, "gold")]
    built = {names[1]: delta.history(delta.table_uri(settings.tables, *names)) for names in gold if len(names) == 2}
    return [view for view, commits in built.items() if any(past.metadata.get("silver") == dataset for past in commits)]


def lines(report: Report, views: Sequence[str], *, dry_run: bool) -> list[str]:
    """Return the report as a person reads it."""
    would = "would be " if dry_run else ""
    told = [f"{report.selected:,} records replayed" if not dry_run else f"{report.selected:,} records selected (dry run)"]
    counts = [
        (report.accepted, f"{would}accepted: in silver now, quarantined before"),
        (report.changed, f"{would}changed: in silver, and otherwise than before{_columns(report)}"),
        (report.refused, f"{would}refused: quarantined now, in silver before"),
        (report.unchanged, "as they were"),
        (report.erased, "erased: their keys are destroyed"),
        (report.absent, "without payload: try --from bronze, where the raw topic was archived"),
        (report.unlanded, "in no table yet: clean and land them first"),
    ]
    told += [f"  {count:,} {what}" for count, what in counts if count]
    told += [f"  {count:,} rejected: {reason}" for reason, count in sorted(report.rejected.items())]
    if report.event_time:
        first, last = (moment.isoformat(" ", "seconds") for moment in report.event_time)
        told.append(f"rows of silver {would}touched between {first} and {last} (event time)")
        told += [f"  then: headwater features build {view} && headwater features materialize {view}" for view in views]
    return told


def _columns(report: Report) -> str:
    named = ", ".join(f"{name} in {count:,}" for name, count in report.columns.most_common())
    return f" ({named})" if named else ""
