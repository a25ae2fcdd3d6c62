"""`headwater explain`: where a served value came from."""

from __future__ import annotations

import click

from infra.output import json_option
from infra.settings import Settings

EXAMPLE = """\b
Example:
  headwater explain flight_delay tailnum=N14228 carrier=UA origin=EWR route=EWR-IAH
"""


@click.command(epilog=EXAMPLE)
@click.argument("service")
@click.argument("entities", nargs=-1, metavar="KEY=VALUE...")
@json_option
@click.pass_context
def explain(ctx: click.Context, service: str, entities: tuple[str, ...], json_wanted: bool) -> None:
    """Read SERVICE's features of one entity, and walk each value back to the raw offsets it was made from."""
    from infra.commands.features import get

    assert isinstance(ctx.obj, Settings)  # noqa: S101  the group sets it
    ctx.invoke(get, service=service, entities=entities, explained=True, json_wanted=json_wanted)
