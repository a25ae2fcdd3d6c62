"""Upkeep of Delta tables through delta-rs: merge small files, order rows, take away files that no version needs, checkpoint.

None of it changes a row, and all of it keeps the `txn` actions that jobs keep their progress in. It may run beside them: a
commit that loses its race to another writer of the same files changes nothing, and says so (CommitConflict).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties
from deltalake.exceptions import CommitFailedError, DeltaError

from contracts.errors import SettingsInvalid
from streams.connectors import delta

READER_FEATURES = frozenset({"timestampNtz", "v2Checkpoint", "vacuumProtocolCheck"})
"""Delta features beyond its first protocol that delta-rs reads through Arrow: `deletionVectors`, for one, is not among them."""


@dataclass(frozen=True)
class Files:
    """What the files of a version of a table come to."""

    rows: int
    size: int
    files: int
    smallest: int
    median: int
    largest: int


def files(uri: str, table_version: int | None = None) -> Files:
    """Return what a version's data files come to, in bytes."""
    actions = pa.table(delta.opened(uri, table_version).get_add_actions(flatten=True))
    sizes = sorted(int(size) for size in actions["size_bytes"].to_pylist())
    rows = int(pc.sum(actions["num_records"]).as_py() or 0)
    ends = (sizes[0], sizes[len(sizes) // 2], sizes[-1]) if sizes else (0, 0, 0)
    return Files(rows, sum(sizes), len(sizes), *ends)


def extent(uri: str, table_version: int | None = None) -> tuple[int, int]:
    """Return how many rows a version of a table has, and how many bytes its files."""
    found = files(uri, table_version)
    return found.rows, found.size


def file_sizes(uri: str) -> list[int]:
    """Return the size in bytes of each data file of the newest version."""
    actions = pa.table(delta.opened(uri).get_add_actions(flatten=True))
    return [int(size) for size in actions["size_bytes"].to_pylist()]


def unreadable(uri: str) -> list[str]:
    """Return the features of a table that delta-rs does not read: another engine has enabled them."""
    features = delta.opened(uri).protocol().reader_features or []
    return sorted(set(features) - READER_FEATURES)


def optimized(uri: str, *, z_order: Sequence[str], metadata: Mapping[str, str]) -> int:
    """Merge small files, or with `z_order` write all rows anew in the order of these columns; return how many files it replaced.

    One commit. Raises CommitConflict when another writer changed rows of these files meanwhile, and SettingsInvalid for a
    column that the table lacks.
    """
    if not z_order:
        return delta.compact(uri, metadata=metadata)
    present = delta.column_names(uri)
    absent = [name for name in z_order if name not in present]
    if absent:
        raise SettingsInvalid(f"no column {', '.join(absent)}", expected=", ".join(present), where=uri, remedy="mend --z-order")
    try:
        told = CommitProperties(custom_metadata={delta.METADATA_KEY: json.dumps(dict(metadata), sort_keys=True)})
        metrics = delta.opened(uri).optimize.z_order(
            list(z_order), commit_properties=told, post_commithook_properties=delta.HOOKS
        )
    except CommitFailedError as error:
        raise delta.conflict(error, uri) from error
    except (OSError, DeltaError) as error:
        raise delta.translated(error, uri) from error
    return int(metrics["numFilesRemoved"])


def vacuumed(uri: str, *, retain_hours: int, keep_versions: Sequence[int], dry_run: bool) -> list[str]:
    """Delete files that neither the newest version nor any of `keep_versions` has, and that went out so many hours ago.

    Return their names, which with `dry_run` is all that is done.
    """
    table = delta.opened(uri)
    try:
        gone: list[str] = table.vacuum(
            retain_hours,
            dry_run=dry_run,
            enforce_retention_duration=False,
            post_commithook_properties=delta.HOOKS,
            full=True,
            keep_versions=sorted(set(keep_versions)) or None,
        )
    except (OSError, DeltaError) as error:
        raise delta.translated(error, uri) from error
    return sorted(gone)


def checkpointed(uri: str) -> int:
    """Write a checkpoint of the newest version, so that opening the table reads one file and not its whole log; return it."""
    table = delta.opened(uri)
    try:
        table.create_checkpoint()
    except (OSError, DeltaError) as error:
        raise delta.translated(error, uri) from error
    return int(table.version())
