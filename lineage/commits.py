"""Commits and runs, read back from the events that told of them: what a restart, a report or a walk to the offsets asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from lineage.facts import ContractRef, Hop, OffsetRange, ParentRun, RunRef
from lineage.moments import parsed


@dataclass(frozen=True)
class CommitRecord:
    """One commit as the ledger tells it. `inputs` and `outputs` are (namespace, name, table version where it has one)."""

    commit_id: str
    run_id: str
    job: str
    hop: Hop
    engine: str
    code_version: str
    committed_at: datetime
    records_in: int
    records_out: int
    dead_letters: Mapping[str, int]
    duplicates: int
    repeated: int
    discarded: Mapping[str, int]
    seconds: float
    contract: ContractRef | None
    inputs: tuple[tuple[str, str, int | None], ...]
    outputs: tuple[tuple[str, str, int | None], ...]
    offsets: tuple[OffsetRange, ...]
    """Of the inputs, by topic and partition."""
    output_offsets: tuple[OffsetRange, ...]


def job_name(event: Mapping[str, Any]) -> str:
    """Return the name of the job that an event speaks of, empty for an event without one."""
    return str(event.get("job", {}).get("name", ""))


def commit_record(event: Mapping[str, Any]) -> CommitRecord | None:
    """Return the commit that an event tells of, or None for an event that tells of none, or is not ours."""
    facets = event.get("run", {}).get("facets", {})
    commit, own = facets.get("headwater_commit"), facets.get("headwater_run")
    if commit is None or own is None:
        return None
    contract = commit.get("contract")
    return CommitRecord(
        commit_id=commit["commitId"],
        run_id=event["run"]["runId"],
        job=job_name(event),
        hop=own["hop"],
        engine=own["engine"],
        code_version=own["codeVersion"],
        committed_at=parsed(commit["committedAt"]),
        records_in=commit["recordsIn"],
        records_out=commit["recordsOut"],
        dead_letters=commit["deadLetters"],
        duplicates=commit["duplicates"],
        repeated=commit["repeated"],
        discarded=commit.get("discarded", {}),
        seconds=commit["microseconds"] / 1_000_000,
        contract=None if contract is None else ContractRef(contract["id"], contract["contractVersion"], contract["hash"]),
        inputs=_datasets(event, "inputs"),
        outputs=_datasets(event, "outputs"),
        offsets=tuple(_ranges(event, "inputs", "inputFacets")),
        output_offsets=tuple(_ranges(event, "outputs", "outputFacets")),
    )


def run_ref(event: Mapping[str, Any]) -> tuple[RunRef, str | None] | None:
    """Return the run that an event is of, and the instance that started it where the event says; None if not ours."""
    facets = event.get("run", {}).get("facets", {})
    own = facets.get("headwater_run")
    if own is None:
        return None
    parent = facets.get("parent")
    return RunRef(
        job=job_name(event),
        hop=cast("Hop", own["hop"]),
        run_id=event["run"]["runId"],
        engine=own["engine"],
        code_version=own["codeVersion"],
        started_at=parsed(own["startedAt"]),
        parent=None if parent is None else ParentRun(parent["job"]["name"], parent["run"]["runId"]),
    ), own.get("instance")


def _datasets(event: Mapping[str, Any], side: str) -> tuple[tuple[str, str, int | None], ...]:
    return tuple((dataset["namespace"], dataset["name"], _table_version(dataset)) for dataset in event.get(side, ()))


def _table_version(dataset: Mapping[str, Any]) -> int | None:
    said = dataset.get("facets", {}).get("version", {}).get("datasetVersion")
    return int(said) if said is not None else None


def _ranges(event: Mapping[str, Any], side: str, facets: str) -> Iterator[OffsetRange]:
    for dataset in event.get(side, ()):
        for span in dataset.get(facets, {}).get("headwater_offsets", {}).get("ranges", ()):
            yield OffsetRange(span["topic"], span["partition"], span["firstOffset"], span["lastOffset"])
