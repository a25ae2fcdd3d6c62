"""`headwater current`: keep the current tables of change streams."""

from __future__ import annotations

import click

from infra.settings import Settings

EXAMPLE = """\b
Examples:
  headwater current                          all contracts with `change: upsert`, until stopped
  headwater current shop.customers --drain   one dataset, up to what silver holds now
"""


@click.command(epilog=EXAMPLE)
@click.argument("datasets", nargs=-1)
@click.option("--drain", is_flag=True, help="Stop at what the silver tables hold now.")
@click.option("--json", "json_wanted", is_flag=True, help="Print the counts of this run as JSON.")
@click.pass_obj
def current(settings: Settings, datasets: tuple[str, ...], drain: bool, json_wanted: bool) -> None:
    """Merge the silver history of change streams into tables of the newest row of each key: `current/<domain>/<name>`.

    DATASETS are names (shop.customers) or domains (shop); none means all. Contracts that are not `change: upsert` are
    passed over: their silver rows are facts, each is current. SIGTERM and Ctrl-C stop it after the commit at hand.
    """
    from infra.jobs import run_current, summary
    from infra.output import result

    counts = run_current(settings, datasets, drain=drain)
    result({"hop": "current", "datasets": counts}, json_wanted, summary("current", counts) or "no dataset is a change stream")
