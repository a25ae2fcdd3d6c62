"""`headwater table`: keep Delta tables, by delta-rs where it can, by Spark where it cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from contracts.errors import NotFound, TerminalError
from infra.output import json_option, result, rows_text, say
from infra.settings import Settings

if TYPE_CHECKING:
    from infra.pins import Pin
    from streams.connectors.spark import Session

RETAIN_HOURS = 168
"""Delta's own default. Below it a reader or writer that is under way may lose a file that it has begun with."""
GROUP_EXAMPLE = """\b
Examples:
  headwater table optimize flights.departed                        all tables of a dataset
  headwater table optimize silver/flights/departed --z-order tailnum,departed_at
  headwater table vacuum flights.departed --dry-run
  headwater table history gold/carrier_delays
"""
engine_option = click.option(
    "--engine",
    type=click.Choice(["delta-rs", "spark"]),
    default="delta-rs",
    show_default=True,
    help="What does it. Spark is for tables that another engine gave features which delta-rs lacks.",
)


@click.group(epilog=GROUP_EXAMPLE)
def table() -> None:
    """Keep Delta tables. TABLE is silver/shop/orders or gold/view; a dataset (shop.orders) or domain means all its tables.

    Jobs may run meanwhile: upkeep changes no row and no progress.
    """


@table.command(epilog=GROUP_EXAMPLE)
@click.argument("name", metavar="TABLE|DATASET")
@click.option(
    "--z-order", default="", help="Columns, by commas: write all rows anew in an order that keeps each of them together."
)
@click.option(
    "--cluster-by", default="", help="Columns, by commas: liquid clustering (Spark), for tables that no job of ours writes."
)
@click.option("--purge", is_flag=True, help="Take deletion vectors off (Spark): delta-rs then reads the table again.")
@engine_option
@json_option
@click.pass_obj
def optimize(settings: Settings, name: str, z_order: str, cluster_by: str, purge: bool, engine: str, json_wanted: bool) -> None:
    """Merge small files. Rows stay, and earlier versions until they are vacuumed."""
    if (cluster_by or purge) and engine != "spark":
        raise click.UsageError("--cluster-by and --purge need --engine spark")
    if cluster_by and z_order:
        raise click.UsageError("a clustered table has an order already: --cluster-by or --z-order")
    order, clusters = _columns(z_order), _columns(cluster_by)

    def done(place: str, spark: Session | None) -> dict[str, Any]:
        if spark is None:
            from streams.connectors import maintenance

            return {"replaced": maintenance.optimized(place, z_order=order, metadata={"upkeep": "optimize"})}
        from streams.connectors import spark_tables

        if purge:
            return {"replaced": spark_tables.purged(spark, place)}
        return {"replaced": spark_tables.optimized(spark, place, z_order=order, cluster_by=clusters)}

    _each(settings, name, engine, json_wanted, _compared(done), _optimized_line, ours=not clusters)


@table.command(epilog=GROUP_EXAMPLE)
@click.argument("name", metavar="TABLE|DATASET")
@click.option(
    "--retain",
    type=click.IntRange(min=0),
    default=RETAIN_HOURS,
    show_default=True,
    help="Keep what went out within so many hours.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be deleted, and delete nothing.")
@click.option(
    "--force", is_flag=True, help="Delete also what training sets and served values rest on, and within fewer than 168 hours."
)
@engine_option
@json_option
@click.pass_obj
def vacuum(settings: Settings, name: str, retain: int, dry_run: bool, force: bool, engine: str, json_wanted: bool) -> None:
    """Delete data files that no version needs which is new enough, or which something still rests on.

    A version stays readable if a training set was made from it, if gold that is in use was computed from it, if served values
    name it, or if a current table has not read it yet; `--dry-run` says which these are.
    """
    if retain < RETAIN_HOURS and not (force or dry_run):
        raise click.UsageError(
            f"--retain {retain} is less than {RETAIN_HOURS}: running jobs could lose files; --force if none runs"
        )

    def done(place: str, spark: Session | None, called: str) -> dict[str, Any]:
        pinned = [] if force else _pins(settings, called, place)
        told = [f"version {pin.table_version}: {pin.why}" for pin in pinned]
        if spark is None:
            from streams.connectors import maintenance

            keep = [pin.table_version for pin in pinned]
            gone = maintenance.vacuumed(place, retain_hours=retain, keep_versions=keep, dry_run=dry_run)
            return {"deleted": len(gone), "kept_for": told, "files": gone}
        from streams.connectors import spark_tables

        hours = max(retain, _hours_since(place, pinned[0].table_version)) if pinned else retain
        gone = spark_tables.vacuumed(spark, place, retain_hours=hours, dry_run=dry_run)
        return {"deleted": len(gone), "kept_for": told, "files": gone, "retain_hours": hours}

    _each(settings, name, engine, json_wanted, done, lambda told: _vacuumed_line(told, dry_run=dry_run))


@table.command(epilog=GROUP_EXAMPLE)
@click.argument("name", metavar="TABLE|DATASET")
@json_option
@click.pass_obj
def checkpoint(settings: Settings, name: str, json_wanted: bool) -> None:
    """Write a checkpoint of the newest version: opening the table then reads one file, not its whole log."""
    from streams.connectors import maintenance

    def done(place: str, _spark: Session | None, _called: str) -> dict[str, Any]:
        return {"table_version": maintenance.checkpointed(place)}

    _each(
        settings,
        name,
        "delta-rs",
        json_wanted,
        done,
        lambda told: f"{told['table']}: checkpoint of version {told['table_version']}",
    )


@table.command(epilog=GROUP_EXAMPLE)
@click.argument("name", metavar="TABLE|DATASET")
@click.option("--newest", type=click.IntRange(min=1), default=20, show_default=True, help="So many of the last commits.")
@json_option
@click.pass_obj
def history(settings: Settings, name: str, newest: int, json_wanted: bool) -> None:
    """Show a table's last commits: what each did, which hop made it, and what it was of."""
    from streams.connectors import delta

    def done(place: str, _spark: Session | None, _called: str) -> dict[str, Any]:
        return {"commits": [_past(past) for past in delta.history(place, newest)]}

    _each(settings, name, "delta-rs", json_wanted, done, _history_text)


def places(settings: Settings, name: str) -> list[tuple[str, str]]:
    """Return the tables that a name means, as (name, place). Raises NotFound, with what there is."""
    from streams.connectors import delta
    from streams.connectors.table_places import table_names

    known = table_names(settings.tables)
    spelt = name.strip("/")
    below = spelt.replace(".", "/")
    found = [
        each
        for each in known
        if each == spelt or each.partition("/")[2] == below or each.partition("/")[2].startswith(f"{below}/")
    ]
    if found:
        return [(each, delta.table_uri(settings.tables, each)) for each in found]
    if "/" in name and delta.exists(name):
        return [(name, name)]
    raise NotFound(f"no table or dataset {name!r}", expected=", ".join(known) or "none is there yet", where=settings.tables)


def _each(
    settings: Settings,
    name: str,
    engine: str,
    json_wanted: bool,
    done: Callable[[str, Session | None, str], dict[str, Any]],
    line: Callable[[dict[str, Any]], str],
    *,
    ours: bool = True,
) -> None:
    """Do something to each table that the name means, and print what it came to."""
    found = places(settings, name)
    foreign = [place for called, place in found if called == place]
    if not ours and len(foreign) < len(found):
        raise TerminalError(
            "a clustered table cannot be written by delta-rs, and so by none of our jobs",
            where=name,
            remedy="--z-order keeps the columns together as well",
        )
    told = []
    with _engine(settings, engine) as spark:
        for called, place in found:
            if spark is None:
                _demand_readable(place, called)
            told.append({"table": called, **done(place, spark, called)})
    result({"tables": told}, json_wanted, lambda: "\n".join(line(each) for each in told))


@contextmanager
def _engine(settings: Settings, engine: str) -> Iterator[Session | None]:
    if engine == "delta-rs":
        yield None
        return
    from infra.spark.place import place
    from streams.connectors.spark import session

    with session(place(settings, say)) as spark:
        yield spark


def _demand_readable(place: str, called: str) -> None:
    from streams.connectors import maintenance

    features = maintenance.unreadable(place)
    if features:
        raise TerminalError(
            f"the table has {', '.join(features)}, which delta-rs does not read",
            where=called,
            remedy=f"headwater table optimize {called} --engine spark --purge"
            if features == ["deletionVectors"]
            else "--engine spark",
        )


def _compared(done: Callable[[str, Session | None], dict[str, Any]]) -> Callable[[str, Session | None, str], dict[str, Any]]:
    """Return what is done with the table's files before and after it."""
    from streams.connectors import maintenance

    def compared(place: str, spark: Session | None, _called: str) -> dict[str, Any]:
        before = maintenance.files(place)
        told = done(place, spark)
        return {**told, "before": asdict(before), "after": asdict(maintenance.files(place))}

    return compared


def _pins(settings: Settings, called: str, place: str) -> list[Pin]:
    from infra.pins import pins
    from streams.connectors import delta

    newest = delta.current_version(place)
    return [pin for pin in pins(settings, called) if pin.table_version <= newest]


def _hours_since(place: str, table_version: int) -> int:
    """Return how many hours ago a version was the newest: what went out since is what it may need."""
    from infra.wiring import now
    from streams.connectors import delta

    later = [past.committed_at for past in delta.history(place) if past.table_version > table_version]
    return int((now() - min(later)).total_seconds() // 3600) + 1 if later else 0


def _columns(given: str) -> list[str]:
    return [name.strip() for name in given.split(",") if name.strip()]


def _past(past: Any) -> dict[str, Any]:
    import json

    facts = json.loads(past.metadata.get("facts", "{}"))
    told = {"table_version": past.table_version, "committed_at": past.committed_at, "operation": past.operation}
    return told | {
        "hop": facts.get("hop", past.metadata.get("upkeep", "")),
        "rows": facts.get("records_out"),
        "files": past.files,
    }


def _optimized_line(told: dict[str, Any]) -> str:
    before, after = told["before"], told["after"]
    return (
        f"{told['table']}: {before['files']} files of {before['median'] / 2**20:.1f} MB (median) are now "
        f"{after['files']} of {after['median'] / 2**20:.1f} MB; {told['replaced']} replaced, {after['rows']:,} rows"
    )


def _vacuumed_line(told: dict[str, Any], *, dry_run: bool) -> str:
    shown = told["files"] if dry_run else []
    kept = [f"  kept: {why}" for why in told["kept_for"]]
    what = "would be deleted" if dry_run else "deleted"
    return "\n".join([f"{told['table']}: {told['deleted']} files {what}", *kept, *(f"  {name}" for name in shown)])


def _history_text(told: dict[str, Any]) -> str:
    heads = ["version", "at", "operation", "hop", "rows", "files"]
    rows = [
        [
            c["table_version"],
            c["committed_at"].isoformat(" ", "seconds"),
            c["operation"],
            c["hop"],
            c["rows"] if c["rows"] is not None else "",
            c["files"],
        ]
        for c in told["commits"]
    ]
    return f"{told['table']}\n{rows_text(heads, rows)}"
