"""`headwater bench`: measure, and print the numbers that the README states."""

from __future__ import annotations

import click

from infra.bench.table import BENCHES
from infra.output import json_option, result, say
from infra.settings import Settings

ALL = "all"
ROUNDS = 5
EXAMPLES = (
    """\b
Benchmarks:
"""
    + "".join(f"  {name:<7}{about}\n" for name, (_, about) in BENCHES.items())
    + """
\b
Examples:
  headwater bench clean
  headwater bench all --rounds 3 --json
"""
)


@click.command(epilog=EXAMPLES)
@click.argument("name", type=click.Choice([*BENCHES, ALL]))
@click.option("--rounds", type=click.IntRange(min=1), default=ROUNDS, show_default=True, help="How often each side runs.")
@click.option("--count", type=click.IntRange(min=1), help="Records a round (year: days), to try it out with few.")
@json_option
@click.pass_obj
@click.pass_context
def bench(ctx: click.Context, settings: Settings, name: str, rounds: int, count: int | None, json_wanted: bool) -> None:
    """Measure on this machine, both sides in turn, and compare with the goal. Exits 1 if a goal is missed.

    Starts a broker of its own in a temporary folder and leaves nothing behind. Run it on a machine that is otherwise idle.
    """
    from infra.bench.table import bench as named

    reports = []
    for chosen in BENCHES if name == ALL else [name]:
        say(f"measuring {chosen}: {BENCHES[chosen][1]}")
        reports.append(named(chosen)(settings, rounds, count))
    data = {report.bench: report.as_data() for report in reports}
    result(data if name == ALL else data[name], json_wanted, "\n\n".join(report.as_text() for report in reports))
    ctx.exit(0 if all(report.met for report in reports) else 1)
