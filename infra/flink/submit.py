"""Hand a clean job to a cluster: code and contracts gathered in a folder, a plan beside them, and Flink's own `flink run`.

What a job needs travels with it, so the cluster needs Flink's Python environment and nothing of this project. What stays where it
is: Kafka, the key store's file, and the folder of checkpoints, which every TaskManager must reach under the same names.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import orjson

from contracts.connectors.files import contract_files
from contracts.contract import Contract
from contracts.errors import StackBroken
from infra.flink.cluster import configured, environ, home_of, pyflink
from infra.flink.jars import job_jars
from infra.flink.kafka_clients import SINK, SOURCE, java_properties
from infra.flink.rest import Cluster
from infra.settings import PROJECT_FOLDER, Settings
from streams.setup import Setup
from streams.topology import CLEAN_GROUPS, facts_topic

ROOMS = ("contracts", "lineage", "streams")
CONTRACT_FOLDER = "contract_files"
GATHER_MILLISECONDS = 400
SUBMIT_SECONDS_MAX = 240.0
MAX_PARALLELISM = 128
"""Key groups, fixed for the life of a job's state: it can be scaled to so many."""
SUBMITTED = re.compile(r"Job has been submitted with JobID ([0-9a-f]{32})")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Submission:
    """What one job is submitted as."""

    domain: str
    contracts: tuple[Contract, ...]
    parallelism: int
    restore: str | None
    """Savepoint or checkpoint to go on from."""

    @property
    def name(self) -> str:
        """Name of the job in the cluster."""
        return job_name(self.domain)


def job_name(domain: str) -> str:
    """Return what a domain's clean job is called in Flink."""
    return f"headwater.clean.{domain}"


def state_uri(settings: Settings, domain: str) -> str:
    """Return the folder of a domain's checkpoints and savepoints, as a URI."""
    base = settings.flink_state or str(home_of(settings) / "state")
    return f"{base if '://' in base else Path(base).resolve().as_uri()}/{domain}"


def submitted(settings: Settings, setup: Setup, there: Cluster, submission: Submission, say: Say) -> str:
    """Submit a job; return its id. It may not run yet. Raises StackBroken with the last that Flink said."""
    package = pyflink(settings)
    jars = job_jars(settings, package, say)
    configured(settings, package)
    home_of(settings).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="job-", dir=home_of(settings)) as folder:
        code = _gathered(settings, Path(folder))
        plan = Path(folder) / "plan.json"
        plan.touch(0o600)
        plan.write_bytes(orjson.dumps(_plan(settings, setup, submission, jars)))
        command = ["bash", str(package / "bin" / "flink"), "run", "--detached", "--parallelism", str(submission.parallelism)]
        command += [f"-D{name}={value}" for name, value in _options(settings, there, submission).items()]
        command += ["--fromSavepoint", submission.restore] if submission.restore else []
        python = str(settings.flink_python)
        command += [
            "-pym",
            "streams.engines.flink_job",
            "-pyfs",
            str(code),
            "-pyexec",
            python,
            "-pyclientexec",
            python,
            str(plan),
        ]
        return _run(command, environ(settings, package), Path(folder))


def run_module(settings: Settings, there: Cluster, module: str, name: str, arguments: Callable[[str], list[str]]) -> str:
    """Submit a module of ours as a job of its own, for a benchmark; return its id. `arguments` are given the jars' addresses."""
    package = pyflink(settings)
    jars = job_jars(settings, package, lambda _: None)
    configured(settings, package)
    with tempfile.TemporaryDirectory(prefix="job-", dir=home_of(settings)) as folder:
        code = _gathered(settings, Path(folder), (*ROOMS, "infra"))
        address, python = urlparse(there.url), str(settings.flink_python)
        told = {"execution.target": "remote", "rest.address": str(address.hostname), "rest.port": str(address.port)}
        told |= {
            "pipeline.name": name,
            "execution.checkpointing.interval": f"{round(settings.flink_checkpoint_seconds * 1000)} ms",
        }
        command = ["bash", str(package / "bin" / "flink"), "run", "--detached", "--parallelism", "1"]
        command += [f"-D{key}={value}" for key, value in told.items()] + ["-pym", module, "-pyfs", str(code)]
        command += ["-pyexec", python, "-pyclientexec", python, *arguments(";".join(jar.as_uri() for jar in jars))]
        return _run(command, environ(settings, package), Path(folder))


def _run(command: list[str], env: Mapping[str, str], folder: Path) -> str:
    """Run `flink run`, without what our own environment holds of settings: a plan says all that a job needs."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("HEADWATER_")}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SUBMIT_SECONDS_MAX, env={**ours, **env}, cwd=folder, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise StackBroken(
            f"`flink run` did not end in {SUBMIT_SECONDS_MAX:.0f} s", remedy="see whether the cluster answers"
        ) from error
    found = SUBMITTED.search(done.stdout)
    if done.returncode or found is None:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip() and not line.startswith("\tat ")]
        raise StackBroken(f"`flink run` ended with {done.returncode}:\n" + "\n".join(said[-15:]), where="flink run")
    return found[1]


def _gathered(settings: Settings, folder: Path, rooms: Sequence[str] = ROOMS) -> Path:
    """Copy the rooms that a job runs, and the contract files, into a folder of the job's own."""
    code = folder / "code"
    for room in rooms:
        leave = shutil.ignore_patterns("__pycache__", "*.odcs.yaml", "*.cases", "README.md")
        shutil.copytree(PROJECT_FOLDER / room, code / room, ignore=leave)
    shipped = code / CONTRACT_FOLDER
    shipped.mkdir()
    for number, file in enumerate(contract_files(settings.contracts)):
        shutil.copy(file, shipped / f"{number:04d}-{file.name}")
    return code


def _plan(settings: Settings, setup: Setup, submission: Submission, jars: list[Path]) -> dict[str, Any]:
    """Return the plan that `streams.engines.flink_job` reads."""
    client = {name: value for name, value in setup.client.items() if isinstance(value, str | int | float | bool)}
    facts = facts_topic(submission.domain)
    kafka = java_properties(client)
    return {
        "spec": {
            "contracts": CONTRACT_FOLDER,
            "hashes": {contract.raw_topic: contract.hash for contract in submission.contracts},
            "facts_topic": facts,
            "key_store": str(settings.key_store),
            "client": client,
            "limits": asdict(setup.limits),
        },
        "jars": [jar.as_uri() for jar in jars],
        "group": CLEAN_GROUPS["flink"],
        "source": {**kafka, **SOURCE},
        "sink": {**kafka, **SINK},
        "transactions": submission.name,
        "outputs": [*(topic for c in submission.contracts for topic in (c.clean_topic, c.dead_letter_topic)), facts],
        "gather_milliseconds": GATHER_MILLISECONDS,
    }


def _options(settings: Settings, there: Cluster, submission: Submission) -> dict[str, str]:
    address, state = urlparse(there.url), state_uri(settings, submission.domain)
    return {
        "execution.target": "remote",
        "rest.address": address.hostname or "127.0.0.1",
        "rest.port": str(address.port or 8081),
        "pipeline.name": submission.name,
        "pipeline.max-parallelism": str(MAX_PARALLELISM),
        # Without it every unnested record would carry a copy of its whole batch from one operator to the next.
        "pipeline.object-reuse": "true",
        "state.backend.type": "hashmap",
        "execution.checkpointing.interval": f"{round(settings.flink_checkpoint_seconds * 1000)} ms",
        "execution.checkpointing.mode": "EXACTLY_ONCE",
        "execution.checkpointing.dir": f"{state}/checkpoints",
        "execution.checkpointing.savepoint-dir": f"{state}/savepoints",
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "execution.checkpointing.num-retained": "2",
        "execution.checkpointing.tolerable-failed-checkpoints": "1000",
        "restart-strategy.type": "exponential-delay",
        "restart-strategy.exponential-delay.initial-backoff": "1 s",
        "restart-strategy.exponential-delay.max-backoff": "30 s",
        "restart-strategy.exponential-delay.attempts-before-reset-backoff": "12",
        "python.executable": str(settings.flink_python),
        "python.fn-execution.bundle.size": "8",
        "python.fn-execution.bundle.time": "250",
    }
