"""The history of a Delta table: what each commit was, with the version that it truly made."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from contracts.errors import CommitConflict

METADATA_KEY = "headwater"
"""Under which a commit of ours carries its facts."""
LOOKS_MAX = 20


@dataclass(frozen=True)
class PastCommit:
    """One commit of the table's history, with the metadata that its writer gave it."""

    table_version: int
    committed_at: datetime
    operation: str
    metadata: dict[str, str]
    files: int


def numbered_history(newest_table: Callable[[], Any], newest: int | None) -> list[dict[str, Any]]:
    """Return the entries of a table's history, newest first, each with the version it made; with `newest`, so many.

    delta-rs lists the log as it is by then, and numbers it from the version that it had loaded: beside another writer the
    numbers are wrong. So they count only if the table was at that version before and after. Raises CommitConflict if it never is.
    """
    for _ in range(LOOKS_MAX):
        table = newest_table()
        loaded = int(table.version())
        entries = table.history(newest)
        if int(newest_table().version()) == loaded:
            found: list[dict[str, Any]] = entries[:newest]
            return found
    raise CommitConflict(f"the table was written {LOOKS_MAX} times while its history was read", remedy="the same again")


def past_commit(entry: Mapping[str, Any]) -> PastCommit:
    """Return an entry of a history as a commit."""
    metrics = entry.get("operationMetrics") or {}
    return PastCommit(
        table_version=int(entry["version"]),
        committed_at=datetime.fromtimestamp(entry["timestamp"] / 1000, UTC),
        operation=str(entry.get("operation", "")),
        metadata=json.loads(entry[METADATA_KEY]) if METADATA_KEY in entry else {},
        files=int(metrics.get("num_added_files", 0)),
    )
