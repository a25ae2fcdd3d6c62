"""The one emitter: jobs hand it facts, it hands the ledger events.

A restarted job runs the same code: it commits its facts again where the ledger may lack them (the ledger takes each
once), and closes the runs that dead processes of the same job left open.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from lineage.commits import CommitRecord, commit_record, job_name, run_ref
from lineage.events import ENDINGS, LineageEvent, committed, finished, started
from lineage.facts import Dataset, HopFacts, RunRef
from lineage.ledger import START, Entry, Ledger
from lineage.names import JOB_NAMESPACE


class Emitter:
    """Makes events of facts and appends them to a ledger. Each method is durable on return, and may be called again."""

    def __init__(self, ledger: Ledger, namespace: str = JOB_NAMESPACE) -> None:
        self.ledger = ledger
        self.namespace = namespace
        self._read_to = START
        self._commits: dict[str, list[CommitRecord]] = {}
        self._open: dict[str, dict[str, tuple[RunRef, str]]] = {}
        """Of each job, by run id: the runs without an end, with the instance that started them."""
        self._ended: set[str] = set()

    def start(self, run: RunRef, inputs: Sequence[Dataset] = (), outputs: Sequence[Dataset] = (), *, instance: str) -> None:
        """Tell that a run began. `instance` names the process: `close_abandoned` is asked later whether it lives."""
        self._append(started(run, inputs, outputs, instance=instance, namespace=self.namespace))

    def commit(self, facts: HopFacts) -> bool:
        """Tell of one commit; return False if the ledger already held it. Called after the commit, never before."""
        return self._append(committed(facts, self.namespace))

    def finish(self, run: RunRef, at: datetime, *, failed: str = "", aborted: bool = False) -> None:
        """Tell that a run ended: FAIL with the message `failed`, ABORT, or COMPLETE. Only the first end counts."""
        self._append(finished(run, at, failed=failed, aborted=aborted, namespace=self.namespace))

    def whole(self, facts: HopFacts, *, instance: str) -> bool:
        """Tell of a run that is over, with its one commit: START to COMPLETE as one; False if it was told before."""
        run = facts.run
        inputs = [replace(dataset, quality=None) for dataset in facts.inputs]
        told = (
            started(run, inputs, facts.outputs, instance=instance, namespace=self.namespace),
            committed(facts, self.namespace),
            finished(run, facts.committed_at, namespace=self.namespace),
        )
        return any(self.ledger.append_all([(event.id, event.event) for event in told]))

    def close_abandoned(self, job: str, at: datetime, alive: Callable[[str], bool]) -> list[str]:
        """Tell ABORT for the job's runs that have no end and whose instance is dead; return their ids.

        Called by a process that starts on the job, so that killed ones do not look as if they ran for ever.
        """
        self._catch_up()
        abandoned = [run for run, instance in self._open.get(job, {}).values() if not alive(instance)]
        ends = [finished(run, at, aborted=True, namespace=self.namespace) for run in abandoned]
        added = self.ledger.append_all([(end.id, end.event) for end in ends])
        return [run.run_id for run, new in zip(abandoned, added, strict=True) if new]

    def commits(self, job: str) -> list[CommitRecord]:
        """Return the job's commits in ledger order, those of other processes and earlier runs included."""
        self._catch_up()
        return list(self._commits.get(job, ()))

    def _append(self, event: LineageEvent) -> bool:
        return self.ledger.append(event.id, event.event)

    def _catch_up(self) -> None:
        for entry in self.ledger.events(self._read_to):
            self._learn(entry)
            self._read_to = entry.end

    def _learn(self, entry: Entry) -> None:
        event = entry.event
        if event.get("job", {}).get("namespace") != self.namespace:
            return
        found = run_ref(event)
        if found is None:
            return
        run, instance = found
        open_runs = self._open.setdefault(job_name(event), {})
        if event.get("eventType") in ENDINGS:
            open_runs.pop(run.run_id, None)
            self._ended.add(run.run_id)
        elif run.run_id not in self._ended and (instance is not None or run.run_id not in open_runs):
            open_runs[run.run_id] = (run, instance or "")
        if (commit := commit_record(event)) is not None:
            self._commits.setdefault(job_name(event), []).append(commit)
