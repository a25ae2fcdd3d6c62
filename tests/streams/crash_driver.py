"""Run a streaming job as a process of its own, told what to do on the command line, and die outright at a commit step.

`python -m tests.streams.crash_driver '{"job": "clean", ...}'`, with the fields of `Told`. With a `step`, the process kills
itself (SIGKILL: no handler runs, nothing is flushed) when that step is called for the `times`-th time.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from contracts.connectors.files import load_contract
from contracts.contract import Contract
from contracts.errors import HeadwaterError
from infra.settings import PROJECT_FOLDER, Settings, load_settings
from infra.wiring import setup, stop_on_signal
from streams.setup import Limits, Setup, no_step
from tests.streams.made import KnownMaskingKey


@dataclass(frozen=True)
class Told:
    """What a driver process is told."""

    job: str
    home: str
    kafka: Mapping[str, str]
    contract: str
    """The contract's file."""
    domain: str
    group: str
    engine: str = "direct"
    drain: bool = True
    step: str = ""
    times: int = 1
    ready: str = ""
    """A file to make at the first commit step, for a test that waits for the job to be at work."""
    limits: Mapping[str, Any] = field(default_factory=dict)
    kept: Mapping[str, Any] = field(default_factory=dict)
    """Settings that say where tables and ledger stand."""

    def settings(self) -> Settings:
        """Return the settings of the driver's home."""
        home = Path(self.home)
        plain = load_settings(environ={}, folder=home, home=home)
        return replace(plain, kafka=MappingProxyType(dict(self.kafka)), **self.kept)

    def dataset(self) -> Contract:
        """Return the contract, in a domain of the test's own, so that its topics are too."""
        return replace(load_contract(Path(self.contract)), domain=self.domain)

    def setup(self, step: Callable[[str], None] = no_step) -> Setup:
        """Return what the engine is given."""
        made = setup(self.settings(), [self.dataset()], engine=self.engine, step=step)
        return replace(made, limits=replace(Limits(), **self.limits), keys=KnownMaskingKey(made.keys))


def start(told: Told, **options: Any) -> subprocess.Popen[str]:
    """Start a driver process."""
    command = [sys.executable, "-m", "tests.streams.crash_driver", json.dumps(asdict(told))]
    return subprocess.Popen(command, cwd=PROJECT_FOLDER, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def run(told: Told, stop: Callable[[], bool] = lambda: False, step: Callable[[str], None] = no_step) -> None:
    """Run the job in this process."""
    made = told.setup(step)
    if told.job == "land":
        from streams.engines import lander

        lander.run(made, stop, drain=told.drain, group=told.group)
    elif told.job == "replay":
        from streams.engines.replayer import replay
        from streams.replay import Selection

        replay(made, made.contracts[0], Selection())
    elif told.job == "backfill":
        from streams.engines.backfill import backfill, direct_parts
        from streams.replay import Selection

        backfill(made, made.contracts[0], Selection("bronze"), direct_parts(made), stop)
    elif told.job == "archive":
        from streams.engines import archiver

        archiver.run(made, stop, drain=told.drain, group=told.group)
    elif told.engine == "faust":
        from streams.engines import faust_worker

        folder = Path(told.home) / "faust"
        folder.mkdir(parents=True, exist_ok=True)
        faust_worker.clean(made, stop, drain=told.drain, data_folder=folder, group=told.group)
    else:
        from streams.engines import direct

        direct.clean(made, stop, drain=told.drain, group=told.group)


def deadly_step(told: Told) -> Callable[[str], None]:
    """Return a commit step that marks the first call, and kills the process at the one told."""
    left = told.times

    def step(name: str) -> None:
        nonlocal left
        if told.ready:
            Path(told.ready).touch()
        if name == told.step:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return step


def main(text: str) -> int:
    """Run what is told, and print the process's greatest memory in MB."""
    told = Told(**json.loads(text))
    try:
        with stop_on_signal() as stop:
            run(told, stop, deadly_step(told))
    except HeadwaterError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201
        return 1
    print(json.dumps({"megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))  # noqa: T201
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
