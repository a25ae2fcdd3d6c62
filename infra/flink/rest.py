"""Flink's REST API, as much of it as runs a job: who is there, how a job fares, stop it with a savepoint.

https://nightlies.apache.org/flink/flink-docs-stable/docs/ops/rest_api/
"""

from __future__ import annotations

import http.client
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from contracts.errors import NotFound, StackBroken, TransientError

ANSWER_SECONDS = 10.0
SAVEPOINT_SECONDS_MAX = 300.0
POLL_SECONDS = 0.1
LIVING = frozenset({"INITIALIZING", "CREATED", "RUNNING", "RESTARTING", "FAILING", "RECONCILING", "CANCELLING", "SUSPENDED"})
RAISED = re.compile(r"^(?:Caused by: )?((?:[A-Za-z_]\w*\.)*[A-Z]\w*)(?=:|$)", re.MULTILINE)
"""The class of an error where a Java or Python trace names it, at the beginning of a line."""


class FlinkAway(TransientError):
    """The Flink cluster did not answer within the time allowed."""


@dataclass(frozen=True)
class Job:
    """One job of a cluster."""

    id: str
    name: str
    state: str
    started_ms: int

    @property
    def living(self) -> bool:
        """Whether it runs or may run again by itself."""
        return self.state in LIVING


class Cluster:
    """A Flink cluster by its REST address. Every method raises FlinkAway when there is no answer."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def slots(self) -> int:
        """Return how many task slots the cluster has; 0 while no TaskManager is there."""
        return int(self._asked("/overview")["slots-total"])

    def release(self) -> str:
        """Return the cluster's Flink release."""
        return str(self._asked("/overview")["flink-version"])

    def answers(self) -> bool:
        """Say whether the cluster is there at all."""
        try:
            self._asked("/overview")
        except FlinkAway:
            return False
        return True

    def jobs(self, name: str) -> list[Job]:
        """Return the jobs of that name that the cluster knows of, the newest first."""
        found = [Job(job["jid"], job["name"], job["state"], job["start-time"]) for job in self._asked("/jobs/overview")["jobs"]]
        return sorted((job for job in found if job.name == name), key=lambda job: -job.started_ms)

    def running(self, name: str) -> Job | None:
        """Return the job of that name that lives, or None."""
        return next((job for job in self.jobs(name) if job.living), None)

    def parallelism(self, job_id: str) -> int:
        """Return the greatest parallelism among a job's operators."""
        return max((int(vertex["parallelism"]) for vertex in self._asked(f"/jobs/{job_id}")["vertices"]), default=0)

    def whole(self, job_id: str) -> bool:
        """Say whether all parts of a job run, its Python workers among them."""
        job = self._asked(f"/jobs/{job_id}")
        return bool(job["state"] == "RUNNING" and all(vertex["status"] == "RUNNING" for vertex in job["vertices"]))

    def checkpoints(self, job_id: str) -> Mapping[str, Any]:
        """Return what the cluster tells of a job's checkpoints: `counts`, `latest`, `history`."""
        told: Mapping[str, Any] = self._asked(f"/jobs/{job_id}/checkpoints")
        return told

    def cause(self, job_id: str) -> str:
        """Return the class of the error that a job failed of last; empty if of none. Messages may hold data, so none is told."""
        entries = self._asked(f"/jobs/{job_id}/exceptions")["exceptionHistory"]["entries"]
        found = RAISED.findall(entries[0]["stacktrace"]) if entries else []
        return str(found[-1]) if found else ""

    def cancel(self, job_id: str) -> None:
        """End a job without a savepoint."""
        self._asked(f"/jobs/{job_id}?mode=cancel", method="PATCH")

    def stop(self, job_id: str, folder: str, *, meanwhile: Callable[[], None] = lambda: None) -> str:
        """Stop a job with a savepoint under a folder; return where it is. What the job sent is committed by then.

        Raises StackBroken when Flink cannot: the job goes on as it was.
        """
        body = {"targetDirectory": folder, "drain": False, "formatType": "CANONICAL"}
        trigger = self._asked(f"/jobs/{job_id}/stop", method="POST", body=body)["request-id"]
        deadline = time.monotonic() + SAVEPOINT_SECONDS_MAX
        while True:
            told = self._asked(f"/jobs/{job_id}/savepoints/{trigger}")
            if told["status"]["id"] == "COMPLETED":
                break
            if time.monotonic() > deadline:
                raise StackBroken(f"Flink made no savepoint in {SAVEPOINT_SECONDS_MAX:.0f} s", where=self.url)
            meanwhile()
            time.sleep(POLL_SECONDS)
        made = told["operation"]
        if "location" not in made:
            cause = made.get("failure-cause", {}).get("class", "an unknown cause")
            raise StackBroken(
                f"Flink made no savepoint: {cause}", where=f"{self.url}/#/job/{job_id}", remedy="see its log; again"
            )
        return str(made["location"])

    def _asked(self, path: str, *, method: str = "GET", body: Mapping[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310  the address is a setting
            f"{self.url}{path}", data=data, method=method, headers={"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:  # noqa: S310
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            if error.code == http.HTTPStatus.NOT_FOUND:
                raise NotFound(f"Flink knows nothing of {path}", where=self.url) from error
            raise self._away(f"{path} was answered with {error.code}") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._away(str(error)) from error

    def _away(self, why: str) -> FlinkAway:
        remedy = "headwater flink run starts our own cluster; or mend flink_url"
        return FlinkAway(f"Flink did not answer: {why}", where=self.url, remedy=remedy)
