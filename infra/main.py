"""The command line: `headwater COMMAND`. A table says which command lives where; only the one that is called is loaded.

Each command exits 0 when true, 1 when the answer is no or the world is broken, 2 when misused, 130 on Ctrl-C.
"""

from __future__ import annotations

import difflib
import errno
import importlib
from pathlib import Path

import click

from contracts.errors import HeadwaterError, SettingsInvalid
from infra.settings import Settings, load_settings
from lineage import places

COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("infra.commands.run:run", "Carry the examples the whole path, once, and show the result."),
    "up": ("infra.commands.up:up", "Start the local stack, or find it running."),
    "status": ("infra.commands.status:status", "Show the stack, its topics and tables."),
    "down": ("infra.commands.down:down", "Stop the local stack. Data stays."),
    "contract": ("infra.commands.contract:contract", "Judge, show, test and compare contracts; draft one from records."),
    "mask": ("infra.commands.mask:mask", "Replace personal data in JSON lines, for prompts and logs."),
    "produce": ("infra.commands.produce:produce", "Send an example's records, or your own, into raw topics."),
    "clean": ("infra.commands.clean:clean", "Raw topic to clean topic: check, mask, drop duplicates."),
    "land": ("infra.commands.land:land", "Clean topic to silver, dead letters to quarantine (Delta)."),
    "current": ("infra.commands.current:current", "Silver to the newest row of each key, for change streams (Delta)."),
    "flink": ("infra.commands.flink:flink", "Run, stop and see clean jobs on a Flink cluster."),
    "archive": ("infra.commands.archive:archive", "Raw topic to bronze: every record for ever, sealed per subject (Delta)."),
    "bronze": ("infra.commands.bronze:bronze", "Read archived raw records back."),
    "dead-letters": ("infra.commands.dead_letters:dead_letters", "List what is quarantined, and why."),
    "replay": ("infra.commands.replay:replay", "Send quarantined or archived records through today's contract."),
    "backfill": ("infra.commands.backfill:backfill", "Archived records that no table holds into silver and quarantine."),
    "table": ("infra.commands.table:table", "Keep Delta tables: merge files, vacuum, checkpoint, history."),
    "features": ("infra.commands.features:features", "Apply, build, materialize, get and search features."),
    "training-set": ("infra.commands.training_set:training_set", "Build point-in-time correct training sets."),
    "lineage": ("infra.commands.lineage:lineage", "Show lineage, and ship it to Marquez."),
    "audit": ("infra.commands.audit:audit", "Account for every raw record, offset by offset."),
    "scan": ("infra.commands.scan:scan", "Look for personal data in clear where it should not be."),
    "explain": ("infra.commands.explain:explain", "Walk from a served value to the offsets it came from."),
    "extract": ("infra.commands.extract:extract", "A document on stdin, its text and parts as JSON."),
    "bench": ("infra.commands.bench:bench", "Measure, and print the numbers that the README states."),
}
"""Command -> where it lives (`module:object`), and what `--help` says of it without loading it."""

EXAMPLES = """\b
Examples:
  headwater run
  headwater up && headwater produce flights --to 2013-01-07
  headwater --home ./elsewhere status --json
"""


class Commands(click.Group):
    """A click group over the table: it answers `--help` without importing any command."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names in the table's order, which is the order of first use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Load a command. Raises UsageError if the table names one whose module this installation lacks."""
        if cmd_name not in COMMANDS:
            return None
        module_name, _, attribute = COMMANDS[cmd_name][0].partition(":")
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name != module_name:
                raise
            raise click.UsageError(f"{cmd_name!r} is not part of this installation (no {module_name})") from error
        command = getattr(module, attribute)
        assert isinstance(command, click.Command)  # noqa: S101  a fault in our own table
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments name; a misspelt one is answered with the nearest."""
        near = difflib.get_close_matches(args[0], COMMANDS, n=1)
        if args[0] not in COMMANDS and not args[0].startswith("-") and near:
            ctx.fail(f"no such command {args[0]!r}. Did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the commands as the table says them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, short) for name, (_, short) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; tell our own errors by their message, not by a traceback."""
        try:
            return super().invoke(ctx)
        except HeadwaterError as error:
            click.echo(f"headwater: {error}", err=True)
            ctx.exit(2 if isinstance(error, SettingsInvalid) else 1)
        except OSError as error:
            told = _told(error, ctx.obj)
            if not told:
                raise
            click.echo(f"headwater: {told}", err=True)
            ctx.exit(1)
        except KeyboardInterrupt:
            click.echo("headwater: interrupted", err=True)
            ctx.exit(130)


def _told(error: OSError, settings: Settings | None) -> str:
    """Return what a person can do about the operating system's or an object store's refusal; empty if nothing."""
    if settings is not None and settings.reaches and (trouble := places.told(error, settings.tables)):
        return str(trouble)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{error.filename or 'the disk'}: no room left\n  try: make room, then the same command again"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS) and error.filename:
        return f"{error.filename}: {error.strerror}\n  try: --home with a folder that you may write to"
    return ""


@click.group(cls=Commands, epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", type=click.Path(dir_okay=False, path_type=Path), help="Settings file [./headwater.toml].")
@click.option("--home", type=click.Path(file_okay=False, path_type=Path), help="Folder for all data [./.headwater].")
@click.version_option(package_name="headwater", message="%(version)s")
@click.pass_context
def main(ctx: click.Context, config: Path | None, home: Path | None) -> None:
    """Headwater: raw documents and events in, features that you can prove out."""
    ctx.obj = load_settings(config, home=home)
    if ctx.obj.reaches:
        from infra.wiring import reach_stores  # noqa: PLC0415  loads what `--help` must not wait for

        reach_stores(ctx.obj)


if __name__ == "__main__":
    main(prog_name="headwater")
