"""`headwater land`: run the land hop."""

from __future__ import annotations

import click

from infra.settings import Settings

EXAMPLE = """\b
Examples:
  headwater land                     all contracts, until stopped
  headwater land flights --drain     the flights' topics, up to where they end now
"""


@click.command(epilog=EXAMPLE)
@click.argument("datasets", nargs=-1)
@click.option("--drain", is_flag=True, help="Stop at where the clean and dead-letter topics end now.")
@click.option("--json", "json_wanted", is_flag=True, help="Print the counts of this run as JSON.")
@click.pass_obj
def land(settings: Settings, datasets: tuple[str, ...], drain: bool, json_wanted: bool) -> None:
    """Write clean records to the silver tables and dead letters to quarantine, each raw record once.

    DATASETS are names (flights.departed) or domains (flights); none means all. SIGTERM and Ctrl-C stop it after what it
    holds is committed.
    """
    from infra.jobs import run_land, summary
    from infra.output import result

    counts = run_land(settings, datasets, drain=drain)
    result({"hop": "land", "datasets": counts}, json_wanted, summary("land", counts))
