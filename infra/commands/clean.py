"""`headwater clean`: run the clean hop."""

from __future__ import annotations

import click

from infra.settings import Settings

EXAMPLE = """\b
Examples:
  headwater clean                          all contracts, until stopped
  headwater clean flights --drain          the flights' topics, up to where they end now
  headwater clean docs.pages --engine faust
  headwater clean flights --engine flink --drain
"""


@click.command(epilog=EXAMPLE)
@click.argument("datasets", nargs=-1)
@click.option(
    "--engine", type=click.Choice(["direct", "faust", "flink"]), default="direct", show_default=True, help="What fetches."
)
@click.option("--drain", is_flag=True, help="Stop at where the raw topics end now.")
@click.option("--json", "json_wanted", is_flag=True, help="Print the counts of this run as JSON.")
@click.pass_obj
def clean(settings: Settings, datasets: tuple[str, ...], engine: str, drain: bool, json_wanted: bool) -> None:
    """Check, mask and tidy raw records: good ones to the clean topic, the rest to the dead-letter topic.

    DATASETS are names (flights.departed) or domains (flights); none means all. Start it several times to share the
    partitions. SIGTERM and Ctrl-C stop it after the batch at hand is committed.
    """
    from infra.jobs import run_clean, summary
    from infra.output import result

    counts = run_clean(settings, datasets, engine, drain=drain)
    result({"hop": "clean", "engine": engine, "datasets": counts}, json_wanted, summary("clean", counts))
