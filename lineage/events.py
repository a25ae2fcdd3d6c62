"""OpenLineage run events, derived from facts: the same facts give the same event, byte for byte, and the same id.

A run is told as START, one RUNNING per commit, and one of COMPLETE, ABORT or FAIL; batch jobs take the same path with
fewer commits. An event that a crash swallowed is made again from the commit's metadata, equal, so the ledger, which
takes each id once, holds one event per commit whatever happened. For that, nothing that only the lost process knew may
stand in a RUNNING event: its instance is told in START alone.

Events are plain dicts of JSON types. The client library's classes would cost 0.6 s at import and are not needed to
write what the spec says; the tests hold every event against the spec's schemas and against those classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from lineage.event_facets import EVENT_SCHEMA, FacetWriter
from lineage.facts import Dataset, HopFacts, RunRef
from lineage.moments import iso
from lineage.names import JOB_NAMESPACE, derived_id

Event = dict[str, Any]
EventType = Literal["START", "RUNNING", "COMPLETE", "ABORT", "FAIL"]

ENDINGS: frozenset[str] = frozenset({"COMPLETE", "ABORT", "FAIL"})


@dataclass(frozen=True)
class LineageEvent:
    """An event and its id."""

    id: str
    event: Event


def event_id(event_type: EventType, run_id: str, commit_id: str = "") -> str:
    """Return the id of an event. The three endings share one: a run ends once, and the first to say how is right."""
    return derived_id("END" if event_type in ENDINGS else event_type, run_id, commit_id)


def started(
    run: RunRef,
    inputs: Sequence[Dataset] = (),
    outputs: Sequence[Dataset] = (),
    *,
    instance: str,
    namespace: str = JOB_NAMESPACE,
) -> LineageEvent:
    """Return the START of a run; `instance` names the process, so that others can tell whether it lives."""
    write = FacetWriter(run.code_version)
    event = _event("START", run, run.started_at, namespace, write.run(run, namespace, instance))
    event["inputs"] = [_named(dataset, write) for dataset in inputs]
    event["outputs"] = [_written(dataset, write) for dataset in outputs]
    return LineageEvent(event_id("START", run.run_id), event)


def committed(facts: HopFacts, namespace: str = JOB_NAMESPACE) -> LineageEvent:
    """Return the RUNNING event of one commit."""
    run = facts.run
    write = FacetWriter(run.code_version)
    facets = write.run(run, namespace) | {"headwater_commit": write.commit(facts)}
    event = _event("RUNNING", run, facts.committed_at, namespace, facets)
    event["inputs"] = [_with(_named(dataset, write), inputFacets=write.input(dataset)) for dataset in facts.inputs]
    event["outputs"] = [_with(_written(dataset, write), outputFacets=write.output(dataset)) for dataset in facts.outputs]
    return LineageEvent(event_id("RUNNING", run.run_id, facts.commit_id), event)


def finished(
    run: RunRef, at: datetime, *, failed: str = "", aborted: bool = False, namespace: str = JOB_NAMESPACE
) -> LineageEvent:
    """Return the end of a run: FAIL with the message `failed`, ABORT, or COMPLETE.

    The message must hold no record's content; errors of `contracts.errors` never do.
    """
    write = FacetWriter(run.code_version)
    facets = write.run(run, namespace)
    if failed:
        facets["errorMessage"] = write.error(failed)
    kind: EventType = "FAIL" if failed else "ABORT" if aborted else "COMPLETE"
    return LineageEvent(event_id(kind, run.run_id), _event(kind, run, at, namespace, facets))


def _event(kind: EventType, run: RunRef, at: datetime, namespace: str, run_facets: dict[str, Any]) -> Event:
    write = FacetWriter(run.code_version)
    return {
        "eventType": kind,
        "eventTime": iso(at),
        "producer": write.producer,
        "schemaURL": EVENT_SCHEMA,
        "run": {"runId": run.run_id, "facets": run_facets},
        "job": {"namespace": namespace, "name": run.job, "facets": write.job(run.hop)},
        "inputs": [],
        "outputs": [],
    }


def _named(dataset: Dataset, write: FacetWriter) -> Event:
    return {"namespace": dataset.namespace, "name": dataset.name, "facets": write.dataset(dataset)}


def _written(dataset: Dataset, write: FacetWriter) -> Event:
    named = _named(dataset, write)
    if dataset.column_origins:
        named["facets"]["columnLineage"] = write.column_lineage(dataset.column_origins)
    return named


def _with(named: Event, **facets: dict[str, Any]) -> Event:
    return named | {key: value for key, value in facets.items() if value}
