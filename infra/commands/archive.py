"""`headwater archive`: run the archive hop."""

from __future__ import annotations

import click

from infra.settings import Settings

EXAMPLE = """\b
Examples:
  headwater archive                     all contracts, until stopped
  headwater archive flights --drain     the flights' topics, up to where they end now
"""


@click.command(epilog=EXAMPLE)
@click.argument("datasets", nargs=-1)
@click.option("--drain", is_flag=True, help="Stop at where the raw topics end now.")
@click.option("--json", "json_wanted", is_flag=True, help="Print the counts of this run as JSON.")
@click.pass_obj
def archive(settings: Settings, datasets: tuple[str, ...], drain: bool, json_wanted: bool) -> None:
    """Keep raw records for ever, in the bronze tables, sealed under a key per subject.

    DATASETS are names (flights.departed) or domains (flights); none means all. Start it before raw topics expire: what it
    has not read by then is gone. SIGTERM and Ctrl-C stop it after what it holds is committed.
    """
    from infra.jobs import run_archive, summary
    from infra.output import result

    counts = run_archive(settings, datasets, drain=drain)
    result({"hop": "archive", "datasets": counts}, json_wanted, summary("archive", counts))
