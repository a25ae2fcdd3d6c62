"""What an engine is given to work with: where things are, who it is, how much it may hold. Filled by `infra/`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contracts.contract import Contract
from contracts.keys import KeyStore
from lineage.emit import Emitter
from lineage.facts import Hop, RunRef
from lineage.names import run_id
from streams.documents.model import Sandbox

Step = Callable[[str], None]


def no_step(_name: str) -> None:
    """Do nothing at a commit step: tests put a crash here."""


@dataclass(frozen=True)
class Limits:
    """How much a job holds at once. Sizes in bytes, times in seconds; see `infra.settings` for what each means."""

    batch_records: int = 5_000
    batch_bytes: int = 16 * 1024 * 1024
    record_bytes_max: int = 4 * 1024 * 1024
    commit_records: int = 100_000
    commit_bytes: int = 64 * 1024 * 1024
    commit_seconds: float = 5.0
    compact_files: int = 20
    duplicate_window: int = 20_000


@dataclass(frozen=True)
class Setup:
    """Everything that an engine needs besides its hop function."""

    client: Mapping[str, Any]
    """librdkafka's configuration."""
    tables: str
    contracts: tuple[Contract, ...]
    emitter: Emitter
    keys: KeyStore
    now: Callable[[], datetime]
    instance: str
    """This process, as `lineage` remembers it."""
    alive: Callable[[str], bool]
    """Whether another instance still runs."""
    code_version: str
    engine: str = "direct"
    limits: Limits = Limits()
    sandbox: Sandbox | None = None
    """Where documents are read that may crash their reader; needed where a contract has documents."""
    step: Step = no_step
    """Called with the name of each commit step just done."""

    @property
    def servers(self) -> str:
        """Where the broker is, as lineage names it."""
        return str(self.client["bootstrap.servers"])

    def run(self, job: str, hop: Hop) -> RunRef:
        """Return the run that this process is of a job."""
        started = self.now()
        micros = int(started.timestamp() * 1_000_000)
        return RunRef(job, hop, run_id(job, micros, self.instance), self.engine, self.code_version, started)
