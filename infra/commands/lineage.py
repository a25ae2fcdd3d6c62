"""`headwater lineage`: look at the ledger's graph, and ship the ledger to Marquez."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from infra.settings import Settings

if TYPE_CHECKING:
    from lineage.connectors.marquez import ShipReport
    from lineage.graph import Edge, Graph, Name

SHOW_EXAMPLE = """\b
Examples:
  headwater lineage show                              every dataset and job, and whether they are one graph
  headwater lineage show silver/flights/departed      what that table came from, and what came of it
  headwater lineage show silver/flights/departed --column route
"""
SHIP_EXAMPLE = """\b
Examples:
  OPENLINEAGE_URL=http://localhost:5000 headwater lineage ship
  headwater lineage ship --url http://localhost:5000 --follow
"""
REBUILD_EXAMPLE = """\b
Example:
  headwater lineage rebuild --url http://localhost:5000
"""
_LOOK_SECONDS = 1.0


@click.group()
def lineage() -> None:
    """Show where data came from, and ship lineage to Marquez."""


@lineage.command(epilog=SHOW_EXAMPLE)
@click.argument("dataset", required=False)
@click.option("--column", help="Follow one column of DATASET back to where it came from.")
@click.option("--json", "json_wanted", is_flag=True, help="Print the graph as JSON.")
@click.pass_obj
def show(settings: Settings, dataset: str | None, column: str | None, json_wanted: bool) -> None:
    """Show the graph of datasets and jobs that the ledger tells of.

    DATASET is a name as lineage knows it, or the end of one after a `/`. Without it, all are shown, and the exit code
    is 1 if any part of the graph hangs in the air: pipelines may stand side by side, but each must begin at a topic.
    """
    from infra.output import result
    from infra.wiring import ledger
    from lineage.graph import build_graph

    if column and not dataset:
        raise click.UsageError("--column needs a DATASET")
    graph = build_graph(entry.event for entry in ledger(settings).events())
    if dataset is None:
        result(_graph_dict(graph), json_wanted, lambda: "\n".join(_graph_lines(graph)))
        if _in_the_air(graph):
            raise SystemExit(1)
        return
    name = _found(graph, dataset)
    result(_dataset_dict(graph, name, column), json_wanted, lambda: "\n".join(_dataset_lines(graph, name, column)))


@lineage.command(epilog=SHIP_EXAMPLE)
@click.option("--url", help="Endpoint to ship to; OPENLINEAGE_URL or `openlineage_url` in the settings if not given.")
@click.option("--follow", is_flag=True, help="Go on shipping what is added, until Ctrl-C or SIGTERM.")
@click.option("--json", "json_wanted", is_flag=True, help="Print the report as JSON.")
@click.pass_obj
def ship(settings: Settings, url: str | None, follow: bool, json_wanted: bool) -> None:
    """Ship events that Marquez, or another OpenLineage endpoint, has not been told yet.

    Goes on where it stopped the last time. Exits 1 if the endpoint was away or refused events.
    """
    _ship(settings, url, json_wanted, follow=follow)


@lineage.command(epilog=REBUILD_EXAMPLE)
@click.option("--url", help="Endpoint to ship to; OPENLINEAGE_URL or `openlineage_url` in the settings if not given.")
@click.option("--json", "json_wanted", is_flag=True, help="Print the report as JSON.")
@click.pass_obj
def rebuild(settings: Settings, url: str | None, json_wanted: bool) -> None:
    """Ship the whole ledger again, to an endpoint that lost it or never had it."""
    _ship(settings, url, json_wanted, from_start=True)


def _ship(settings: Settings, url: str | None, json_wanted: bool, *, from_start: bool = False, follow: bool = False) -> None:
    from infra.output import result
    from infra.wiring import ledger, stop_on_signal
    from lineage.connectors.marquez import ship

    url = url or settings.openlineage_url
    if not url:
        raise click.UsageError("no endpoint: give --url, or set OPENLINEAGE_URL")
    events, folder, key = ledger(settings), settings.shipped, settings.openlineage_api_key
    with stop_on_signal() as stop:
        report = ship(events, url, folder, api_key=key, from_start=from_start, stop=stop)
        while follow and not stop():
            if report.position.byte_offset < events.size():
                result(report.as_dict(), json_wanted, _ship_text(report))
                report = ship(events, url, folder, api_key=key, stop=stop)
            time.sleep(_LOOK_SECONDS)
    result(report.as_dict(), json_wanted, _ship_text(report))
    if not report.ok and not (follow and report.away == "told to stop"):
        raise SystemExit(1)


def shipped_to(settings: Settings) -> dict[str, Any]:
    """Ship what the endpoint of the settings lacks, without waiting long for it; return the report."""
    from infra.wiring import ledger
    from lineage.connectors.marquez import ship

    return ship(ledger(settings), settings.openlineage_url, settings.shipped, api_key=settings.openlineage_api_key).as_dict()


def _ship_text(report: ShipReport) -> str:
    lines = [f"{report.url}: {report.shipped:,} events shipped, {len(report.refused):,} refused"]
    lines += [
        f"  refused event {each.event_id} (line {each.position.line + 1}): {each.status} {each.reason}" for each in report.refused
    ]
    if report.away:
        lines += [
            f"  stopped at line {report.position.line + 1}: {report.away}",
            "  the rest is shipped by the next `headwater lineage ship`",
        ]
    return "\n".join(lines)


def _found(graph: Graph, text: str) -> Name:
    from contracts.errors import NotFound
    from lineage.graph import find

    names = find(graph, text)
    if len(names) == 1:
        return names[0]
    raise NotFound(
        f"{len(names) or 'no'} datasets are called {text!r}",
        expected=", ".join(map(str, names or sorted(graph.datasets))) or "a ledger with events",
        remedy="give the whole name, as `headwater lineage show` lists it",
    )


def _graph_dict(graph: Graph) -> dict[str, Any]:
    from lineage.graph import components

    parts = components(graph)
    return {
        "connected": len(parts) <= 1,
        "datasets": [
            {"namespace": name.namespace, "name": name.name, "type": kind} for name, kind in sorted(graph.datasets.items())
        ],
        "jobs": [job.name for job in sorted(graph.jobs)],
        "reads": sorted([job.name, str(dataset)] for dataset, job in graph.reads),
        "writes": sorted([job.name, str(dataset)] for job, dataset in graph.writes),
        "components": [[str(name) for name in sorted(part)] for part in parts],
    }


def _graph_lines(graph: Graph) -> Iterator[str]:
    from lineage.graph import components

    if not graph.datasets:
        yield "the ledger tells of no dataset yet: run a job, then look again"
        return
    for job in sorted(graph.jobs):
        yield job.name
        yield from (f"  reads   {_called(graph, name)}" for name in sorted(name for name, reader in graph.reads if reader == job))
        yield from (
            f"  writes  {_called(graph, name)}" for name in sorted(name for writer, name in graph.writes if writer == job)
        )
    parts = components(graph)
    one = "one connected graph" if len(parts) == 1 else f"{len(parts)} pipelines, each one connected graph"
    yield f"{len(graph.datasets)} datasets, {len(graph.jobs)} jobs: {one}"
    yield from (f"  apart, and from no topic: {', '.join(map(str, sorted(part)))}" for part in _in_the_air(graph))


def _in_the_air(graph: Graph) -> list[set[Name]]:
    """Return the parts of a graph of several that no topic leads into: a seam is broken there."""
    from lineage.graph import components

    parts = components(graph)
    return [set(part) for part in parts if len(parts) > 1 and not any(graph.datasets[name] == "TOPIC" for name in part)]


def _dataset_dict(graph: Graph, name: Name, column: str | None) -> dict[str, Any]:
    from lineage.graph import downstream, upstream, upstream_columns

    steps = {"upstream": upstream(graph, name), "downstream": downstream(graph, name)}
    found: dict[str, Any] = {"namespace": name.namespace, "name": name.name, "type": graph.datasets[name]}
    for side, edges in steps.items():
        found[side] = [{"source": str(edge.source), "job": edge.job.name, "target": str(edge.target)} for edge in edges]
    if column:
        found["column"] = column
        found["column_upstream"] = [
            {
                "source": str(edge.source),
                "source_column": edge.source_column,
                "target": str(edge.target),
                "target_column": edge.target_column,
                "how": edge.how,
                "masking": edge.masking,
            }
            for edge in upstream_columns(graph, name, column)
        ]
    return found


def _dataset_lines(graph: Graph, name: Name, column: str | None) -> Iterator[str]:
    from lineage.graph import downstream, upstream, upstream_columns

    yield _called(graph, name)
    if column:
        edges = upstream_columns(graph, name, column)
        yield f"column {column} is made from" if edges else f"nothing is known of a column {column}"
        for edge in edges:
            masked = ", masked" if edge.masking else ""
            yield f"  {edge.target_column} <- {edge.source} : {edge.source_column} ({edge.how}{masked})"
        return
    for title, steps in (("comes from", upstream(graph, name)), ("becomes", downstream(graph, name))):
        yield title if steps else f"{title} nothing that the ledger tells of"
        yield from _step_lines(steps)


def _step_lines(steps: list[Edge]) -> Iterator[str]:
    yield from (f"  {edge.source} --{edge.job.name}--> {edge.target}" for edge in steps)


def _called(graph: Graph, name: Name) -> str:
    kind = graph.datasets[name]
    return f"{name} ({kind.lower()})" if kind else str(name)
