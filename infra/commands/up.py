"""`headwater up`: start the local stack and leave it running."""

from __future__ import annotations

import click

from infra.output import json_option, result, say
from infra.settings import Settings

EXAMPLES = """\b
Examples:
  headwater up
  HEADWATER_BROKER_PORT=29092 headwater up --json
"""


@click.command(epilog=EXAMPLES)
@click.option("--prepare", is_flag=True, help="Only fetch and check what the stack needs; start nothing.")
@json_option
@click.pass_obj
def up(settings: Settings, prepare: bool, json_wanted: bool) -> None:
    """Start the local stack, ready to take records when this returns; if it is up already, say so.

    With bootstrap.servers in the settings the broker is not ours: then there is nothing to start.
    """
    from infra import jars, stack

    if prepare:
        program, fetched = jars.java(settings), jars.fetched_jars(settings, say)
        data = {"java": program, "kafka_release": fetched.kafka_release, "jars": fetched.folder}
        result(data, json_wanted, f"Kafka {fetched.kafka_release} is ready to start, with {program}")
        return
    broker = stack.start(settings, say)
    data = {"started": broker.started, "pid": broker.pid, "port": broker.port, "kafka_release": broker.kafka_release}
    how = "is up" if broker.started else "was up already"
    text = f"Kafka {broker.kafka_release} {how} at {settings.bootstrap_servers} (pid {broker.pid}); data in {settings.home}"
    result(data | {"bootstrap_servers": settings.bootstrap_servers, "home": settings.home}, json_wanted, text)
