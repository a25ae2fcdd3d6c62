"""`headwater down`: stop the local stack."""

from __future__ import annotations

import click

from infra.output import json_option, result, say
from infra.settings import Settings

EXAMPLES = """\b
Examples:
  headwater down
  headwater --home ./elsewhere down
"""


@click.command(epilog=EXAMPLES)
@json_option
@click.pass_obj
def down(settings: Settings, json_wanted: bool) -> None:
    """Stop the local stack, and what killed commands left running. Data stays where it is.

    Exits 0 also if nothing was running: afterwards nothing is.
    """
    from infra import stack
    from infra.flink import cluster

    for record in cluster.stop(settings):
        say(f"stopped {record.name.replace('-', ' ')} (pid {record.pid}); its jobs go on from their last checkpoints")
    stopped = stack.stop(settings)
    text = f"stopped Kafka (pid {stopped.pid})" if stopped else f"nothing of {settings.home} was running"
    result({"stopped": stopped is not None, "pid": stopped.pid if stopped else None}, json_wanted, text)
