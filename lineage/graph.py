"""The graph that lineage events draw: datasets, the jobs between them, and which column came of which.

Built from any OpenLineage events, ours or another's: a job is joined to all datasets that any of its events name as
input or output, so an event that names only one side costs nothing. Datasets that `symlinks` call by two names are one
node, under the name that events use most plainly: the first one seen as an input or output.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Facets = Mapping[str, Any]


class Name(NamedTuple):
    """A dataset or a job by its OpenLineage name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if "://" in self.namespace else f"{self.namespace}:{self.name}"


class ColumnEdge(NamedTuple):
    """One column made from another. `how` is the transformation's subtype, or its type where no subtype is given."""

    source: Name
    source_column: str
    target: Name
    target_column: str
    how: str
    masking: bool


class Edge(NamedTuple):
    """A dataset that a job reads, or one that it writes."""

    source: Name
    target: Name
    job: Name


@dataclass(frozen=True)
class Graph:
    """Datasets, jobs, and what joins them. Names in edges are those of `datasets`; other names stand in `aliases`."""

    datasets: Mapping[Name, str]
    """Type of each dataset in OpenLineage's words (TOPIC, TABLE, ...), empty where no event said it."""
    reads: frozenset[tuple[Name, Name]]
    """(dataset, job)"""
    writes: frozenset[tuple[Name, Name]]
    """(job, dataset)"""
    columns: frozenset[ColumnEdge]
    aliases: Mapping[Name, Name] = field(default_factory=dict)

    @property
    def jobs(self) -> frozenset[Name]:
        """Every job that reads or writes something."""
        return frozenset({job for _, job in self.reads} | {job for job, _ in self.writes})


@dataclass
class _Drawing:
    """A graph in the making."""

    kinds: dict[Name, str] = field(default_factory=dict)
    reads: set[tuple[Name, Name]] = field(default_factory=set)
    writes: set[tuple[Name, Name]] = field(default_factory=set)
    columns: set[ColumnEdge] = field(default_factory=set)
    same: dict[Name, Name] = field(default_factory=dict)

    def root(self, name: Name) -> Name:
        while (other := self.same.get(name, name)) != name:
            name = other
        return name

    def join(self, name: Name, alias: Name) -> None:
        first, second = self.root(name), self.root(alias)
        if first != second:
            self.same[second] = first

    def seen(self, name: Name, facets: Facets) -> None:
        kind = str(facets.get("datasetType", {}).get("datasetType", ""))
        self.kinds[name] = kind or self.kinds.get(name, "")
        for identifier in facets.get("symlinks", {}).get("identifiers", ()):
            self.join(name, Name(identifier["namespace"], identifier["name"]))


def build_graph(events: Iterable[Mapping[str, Any]]) -> Graph:
    """Return the graph of run, job and dataset events. An event without datasets adds nothing."""
    drawing = _Drawing()
    for event in events:
        _draw(event, drawing)
    return _finished(drawing)


def _draw(event: Mapping[str, Any], drawing: _Drawing) -> None:
    job = _name(event["job"]) if "job" in event else None
    for side in ("inputs", "outputs"):
        for dataset in event.get(side) or ():
            name, facets = _name(dataset), dataset.get("facets") or {}
            drawing.seen(name, facets)
            drawing.columns.update(_column_edges(name, facets))
            if job is not None:
                pair = (name, job) if side == "inputs" else (job, name)
                (drawing.reads if side == "inputs" else drawing.writes).add(pair)
    if "dataset" in event:
        static = event["dataset"]
        facets = static.get("facets") or {}
        drawing.seen(_name(static), facets)
        drawing.columns.update(_column_edges(_name(static), facets))


def _column_edges(target: Name, facets: Facets) -> Iterator[ColumnEdge]:
    for column, made in (facets.get("columnLineage", {}).get("fields") or {}).items():
        for source in made.get("inputFields", ()):
            steps = source.get("transformations") or [{"type": made.get("transformationType", "")}]
            for step in steps:
                how = str(step.get("subtype") or step.get("type") or "")
                yield ColumnEdge(_name(source), source["field"], target, column, how, bool(step.get("masking", False)))


def _name(named: Mapping[str, Any]) -> Name:
    return Name(str(named["namespace"]), str(named["name"]))


def _finished(drawing: _Drawing) -> Graph:
    root = drawing.root
    datasets: dict[Name, str] = {}
    for name, kind in drawing.kinds.items():
        datasets[root(name)] = datasets.get(root(name), "") or kind
    return Graph(
        datasets=datasets,
        reads=frozenset((root(name), job) for name, job in drawing.reads),
        writes=frozenset((job, root(name)) for job, name in drawing.writes),
        columns=frozenset(edge._replace(source=root(edge.source), target=root(edge.target)) for edge in drawing.columns),
        aliases={name: root(name) for name in {*drawing.same, *drawing.kinds} if root(name) != name},
    )


def components(graph: Graph) -> list[frozenset[Name]]:
    """Return the datasets parted by what joins them at all, the largest part first. Jobs join, and are not listed."""
    neighbours: dict[tuple[str, Name], set[tuple[str, Name]]] = {("dataset", name): set() for name in graph.datasets}
    for dataset, job in [*graph.reads, *((name, job) for job, name in graph.writes)]:
        neighbours.setdefault(("job", job), set()).add(("dataset", dataset))
        neighbours[("dataset", dataset)].add(("job", job))
    parts, left = [], set(neighbours)
    while left:
        part = _reached({left.pop()}, neighbours)
        left -= part
        parts.append(frozenset(name for kind, name in part if kind == "dataset"))
    return sorted((part for part in parts if part), key=lambda part: (-len(part), min(part)))


def connected(graph: Graph) -> bool:
    """Say whether every dataset can be reached from every other, whichever way the data flows. True of an empty graph."""
    return len(components(graph)) <= 1


def find(graph: Graph, text: str) -> list[Name]:
    """Return the datasets called so: by whole name or alias, with or without its namespace, or by the end of it after a `/`."""
    known = {**{name: name for name in graph.datasets}, **graph.aliases}
    exact = {target for name, target in known.items() if text in (name.name, str(name))}
    if not exact:
        exact = {target for name, target in known.items() if name.name.endswith(f"/{text}")}
    return sorted(exact)


def upstream(graph: Graph, name: Name) -> list[Edge]:
    """Return every step by which data came to a dataset, the nearest first. Raises KeyError for an unknown name."""
    return _walk(graph, name, backwards=True)


def downstream(graph: Graph, name: Name) -> list[Edge]:
    """Return every step that a dataset's data took, the nearest first. Raises KeyError for an unknown name."""
    return _walk(graph, name, backwards=False)


def upstream_columns(graph: Graph, name: Name, column: str) -> list[ColumnEdge]:
    """Return every step by which a column came to be, the nearest first."""
    into: dict[tuple[Name, str], list[ColumnEdge]] = {}
    for edge in sorted(graph.columns):
        into.setdefault((edge.target, edge.target_column), []).append(edge)
    steps: list[ColumnEdge] = []
    waiting, seen = deque([(graph.aliases.get(name, name), column)]), set()
    while waiting:
        place = waiting.popleft()
        if place in seen:
            continue
        seen.add(place)
        steps += into.get(place, [])
        waiting.extend((edge.source, edge.source_column) for edge in into.get(place, []))
    return steps


def _walk(graph: Graph, name: Name, *, backwards: bool) -> list[Edge]:
    start = graph.aliases.get(name, name)
    if start not in graph.datasets:
        raise KeyError(str(name))
    next_to: dict[Name, list[Edge]] = {}
    for edge in sorted(_edges(graph)):
        next_to.setdefault(edge.target if backwards else edge.source, []).append(edge)
    steps: list[Edge] = []
    waiting, seen = deque([start]), set()
    while waiting:
        place = waiting.popleft()
        if place in seen:
            continue
        seen.add(place)
        steps += next_to.get(place, [])
        waiting.extend(edge.source if backwards else edge.target for edge in next_to.get(place, []))
    return steps


def _edges(graph: Graph) -> Iterator[Edge]:
    writes: dict[Name, list[Name]] = {}
    for job, target in graph.writes:
        writes.setdefault(job, []).append(target)
    for source, job in graph.reads:
        for target in writes.get(job, []):
            yield Edge(source, target, job)


def _reached(start: set[tuple[str, Name]], neighbours: Mapping[tuple[str, Name], set[tuple[str, Name]]]) -> set[tuple[str, Name]]:
    reached, waiting = set(start), deque(start)
    while waiting:
        for other in neighbours[waiting.popleft()] - reached:
            reached.add(other)
            waiting.append(other)
    return reached
