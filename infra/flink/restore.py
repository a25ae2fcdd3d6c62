"""From where a domain's job goes on: the newest of its savepoints and checkpoints. And which of them are kept.

On a file system they are found by looking. Elsewhere (S3) they are what was noted last: by whoever stopped the job, or
followed it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from infra.flink.cluster import home_of
from infra.flink.submit import state_uri
from infra.settings import Settings

SAVEPOINTS_KEPT = 3
METADATA = "_metadata"
"""Flink writes it last, whole or not at all: a folder without it is none to go on from."""


def restore_point(settings: Settings, domain: str) -> str | None:
    """Return the savepoint or checkpoint to go on from; None for a job that never made one."""
    folder = local_state(settings, domain)
    if folder is None:
        return noted(settings, domain).get("restore")
    found = [*folder.glob(f"savepoints/*/{METADATA}"), *folder.glob(f"checkpoints/*/chk-*/{METADATA}")]
    newest = max(found, key=lambda file: file.stat().st_mtime_ns, default=None)
    return None if newest is None else newest.parent.as_uri()


def local_state(settings: Settings, domain: str) -> Path | None:
    """Return the folder of a domain's checkpoints and savepoints; None if it is on no file system of ours."""
    address = urlparse(state_uri(settings, domain))
    return Path(unquote(address.path)) if address.scheme == "file" else None


def made_private(settings: Settings, domain: str) -> None:
    """Make the folder for its owner alone: a checkpoint holds the raw records that were gathered in its moment."""
    folder = local_state(settings, domain)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def note(settings: Settings, domain: str, **told: Any) -> None:
    """Note what a later process should know of a domain's job, over what was noted before."""
    file = _file(settings, domain)
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".tmp")
    draft.write_text(json.dumps({**noted(settings, domain), **told}, indent=1) + "\n", "utf-8")
    draft.replace(file)


def noted(settings: Settings, domain: str) -> dict[str, Any]:
    """Return what was noted; nothing if nothing was, or the note is not whole."""
    try:
        read = json.loads(_file(settings, domain).read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


def prune(settings: Settings, domain: str) -> None:
    """Take away what a savepoint just made has replaced: all checkpoints, which are of ended jobs, and the oldest savepoints."""
    folder = local_state(settings, domain)
    if folder is None:
        return
    whole = sorted((file.parent for file in folder.glob(f"savepoints/*/{METADATA}")), key=lambda at: at.stat().st_mtime_ns)
    _remove([*whole[:-SAVEPOINTS_KEPT], *folder.glob("checkpoints/*")])


def _remove(folders: Iterable[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)  # a job manager that is ending may be at it as well


def _file(settings: Settings, domain: str) -> Path:
    return home_of(settings) / "jobs" / f"{domain}.json"
