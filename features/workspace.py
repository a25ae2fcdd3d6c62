"""Where the room works and what it is handed: made from the settings by `infra/`, so that nothing here reads them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from contracts.contract import PassagePlan
from features.redis_access import RedisAccess
from lineage.emit import Emitter
from lineage.facts import Hop, ParentRun, RunRef
from lineage.names import run_id


def no_plan(_dataset: str) -> PassagePlan | None:
    """Say that no contract says how documents are cut: passages then have their usual size."""


@dataclass(frozen=True)
class Workspace:
    """Folders, stores, clock and emitter of one installation."""

    tables: str
    """Place of the Delta tables; paths in definitions count from here."""
    feature_store: Path
    """Folder of the registry, the manifest and the SQLite online store."""
    training_sets: str
    """Place of the training sets."""
    project: str
    definitions: tuple[Path, ...]
    emitter: Emitter
    now: Callable[[], datetime]
    code_version: str
    instance: str
    """What tells this process from another of the same job."""
    alive: Callable[[str], bool]
    """Whether the process that an instance names still runs, so that a killed one's runs are closed."""
    secret: Callable[[str], bytes]
    """This installation's secret of a name, 32 bytes, made on first use: for names of entities that tell nothing."""
    online_store: str = "sqlite"
    redis: RedisAccess = field(default_factory=RedisAccess)
    parent: ParentRun | None = None
    passages: Callable[[str], PassagePlan | None] = no_plan
    """How a dataset's contract wants its documents cut for search."""

    @property
    def registry_file(self) -> Path:
        """Feast's registry."""
        return self.feature_store / "registry.db"

    @property
    def manifest_file(self) -> Path:
        """The plan as JSON, for readers that cannot wait for Feast to load."""
        return self.feature_store / "manifest.json"

    @property
    def online_file(self) -> Path:
        """The SQLite online store."""
        return self.feature_store / "online.db"

    def run(self, job: str, hop: Hop, engine: str = "polars") -> RunRef:
        """Return a new run of the job, started now."""
        started = self.now()
        return RunRef(
            job=job,
            hop=hop,
            run_id=run_id(job, int(started.timestamp() * 1_000_000), self.instance),
            engine=engine,
            code_version=self.code_version,
            started_at=started,
            parent=self.parent,
        )

    def close_abandoned(self, job: str) -> None:
        """Close the runs of the job that dead processes left open. Called after what they committed was told."""
        self.emitter.close_abandoned(job, self.now(), self.alive)
