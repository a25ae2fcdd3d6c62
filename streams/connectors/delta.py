"""Delta tables, through delta-rs: create, append, overwrite, read at a version, read the history. The only file that knows it.

A commit of ours carries its own facts: under the key `headwater` of the commit's metadata, as JSON text by name. Logs are
kept for ten years, because that metadata is what lost lineage is derived from again.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import (
    CommitProperties,
    DeltaTable,
    PostCommitHookProperties,
    Schema,
    Transaction,
    WriterProperties,
    write_deltalake,
)
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.table import TableMerger

from contracts.errors import CommitConflict, DiskFull, HeadwaterError, NotFound, TerminalError
from lineage import places
from lineage.connectors.object_store import storage_options, way_in
from streams.connectors.delta_history import METADATA_KEY as METADATA_KEY  # noqa: PLC0414  named by who writes commits, too
from streams.connectors.delta_history import PastCommit as PastCommit  # noqa: PLC0414  named by who reads histories
from streams.connectors.delta_history import numbered_history, past_commit
from streams.connectors.open_tables import OpenTables

LOG_RETENTION = "interval 3650 days"
CHECKPOINT_INTERVAL, REMOTE_CHECKPOINT_INTERVAL = "50", "10"
"""Commits between checkpoints. To open a table reads those since the last one: a request each in a bucket."""
WRITER = WriterProperties(compression="ZSTD", compression_level=1, max_row_group_size=131_072)
SELECTED_ROWS = 8_192
"""Rows of a file read at once where only some are wanted."""
HOOKS = PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=False)

KEEPING = frozenset({"OPTIMIZE", "VACUUM START", "VACUUM END"})
"""Operations of upkeep, which change no row."""

Choose = Callable[[pa.Table], np.ndarray]
"""Says of each row whether it is wanted."""


@dataclass(frozen=True)
class Commit:
    """One commit that was made: the version it became, and the rows it added."""

    table_version: int
    rows: int


@dataclass(frozen=True)
class MergeAction:
    """What `merge` does with the rows whose ACTION column holds this name."""

    name: str
    columns: tuple[str, ...] = ()
    """That a row of the table with the same keys takes over."""
    inserts: bool = False
    """Whether a row without such a one is added, of these columns."""
    deletes: bool = False
    """Whether the table's row goes instead."""


AHEAD_LITTLE = {"batch_readahead": 1, "fragment_readahead": 1, "batch_size": 16_384}
"""For `batches`."""
ACTION = "__action"
"""Column of the rows given to `merge`, never of a table."""


def table_uri(tables: Path | str, layer: str, *names: str) -> str:
    """Return where a table stands: `<tables>/silver/<domain>/<name>`, `<tables>/gold/<view>`."""
    return "/".join([str(tables).rstrip("/"), layer, *names])


def exists(uri: str) -> bool:
    """Say whether there is a table."""
    try:
        return bool(DeltaTable.is_deltatable(uri, storage_options(uri)))
    except (OSError, DeltaError) as error:
        raise translated(error, uri) from error


def create_if_absent(
    uri: str,
    schema: pa.Schema,
    *,
    description: str = "",
    properties: Mapping[str, str] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Create the table unless it is there. Two creators at once: one wins, the other finds it."""
    if exists(uri):
        return
    try:
        DeltaTable.create(
            uri,
            schema,
            mode="ignore",
            description=description or None,
            configuration={
                "delta.logRetentionDuration": LOG_RETENTION,
                "delta.checkpointInterval": REMOTE_CHECKPOINT_INTERVAL if places.remote(uri) else CHECKPOINT_INTERVAL,
                **(properties or {}),
            },
            storage_options=storage_options(uri),
            commit_properties=_properties(metadata or {}, {}, None),
            raise_if_key_not_exists=False,  # properties of our own, beside Delta's
        )
    except CommitFailedError as error:
        if not exists(uri):  # else another made it meanwhile, or we did, and the answer was lost
            raise conflict(error, uri) from error
    except (OSError, DeltaError) as error:
        raise translated(error, uri) from error


def column_names(uri: str) -> list[str]:
    """Return the names of the table's columns. Raises NotFound without a table."""
    return [field.name for field in opened(uri).schema().fields]


def add_columns(uri: str, schema: pa.Schema) -> list[str]:
    """Add the nullable columns of the schema that the table lacks, in one commit; return their names.

    For tables that an earlier version of ours made. Raises CommitConflict when another writer came between.
    """
    table = opened(uri)
    present = {field.name for field in table.schema().fields}
    absent = [field for field in Schema.from_arrow(schema).fields if field.name not in present and field.nullable]
    if absent:
        try:
            table.alter.add_columns(absent, post_commithook_properties=HOOKS)
        except CommitFailedError as error:
            raise conflict(error, uri) from error
        except (OSError, DeltaError) as error:
            raise translated(error, uri) from error
    return [field.name for field in absent]


def append(
    uri: str,
    rows: pa.Table,
    *,
    metadata: Mapping[str, str],
    transactions: Mapping[str, int] | None = None,
    after: int | None = None,
    widen: bool = False,
) -> Commit:
    """Append rows and progress in one commit, and do not try again by itself.

    With `widen`, columns that the rows have and the table lacks are added in the same commit, null in all rows before.

    `after` is the table version that the caller judged by: the commit is the next one, or fails.

    `transactions` are Delta `txn` actions, application id to version. Raises CommitConflict when another writer took the
    version: read `progress` again before a second try. DiskFull when there is no room; nothing is committed then.
    """
    return _write(opened(uri, after), uri, rows, "append", metadata, transactions or {}, "merge" if widen else None)


def rewrite(
    uri: str,
    rows: pa.Table,
    fit: Callable[[pa.Table], pa.Table],
    *,
    metadata: Mapping[str, str],
    transactions: Mapping[str, int],
    after: int,
) -> Commit:
    """Write all rows of a table anew in another schema, with `rows`, which have it, and progress, in one commit.

    `fit` gives the table's own rows that schema, batch by batch. Raises as `append` does; before the commit nothing is changed.
    """
    table = opened(uri, after)
    held = (fit(pa.Table.from_batches([batch])) for batch in table.to_pyarrow_dataset().to_batches())
    batches = (batch for part in chain(held, (rows,)) for batch in part.to_batches())
    reader = pa.RecordBatchReader.from_batches(rows.schema, batches)
    return _write(table, uri, reader, "overwrite", metadata, transactions, "overwrite", rows.num_rows)


def merge(
    uri: str,
    rows: pa.Table,
    actions: Sequence[MergeAction],
    *,
    keys: Sequence[str],
    metadata: Mapping[str, str],
    transactions: Mapping[str, int],
    after: int,
) -> Commit:
    """Bring rows into a table by their keys in one commit: each as the action that its ACTION column names says.

    `keys` hold no null, and each key comes once. Whole numbers among them also say which files need not be looked at.
    Raises as `append` does: the commit is the one after `after`, or fails.
    """
    table = opened(uri, after)
    bounds = [
        f"target.{name} BETWEEN {pc.min(rows[name]).as_py()} AND {pc.max(rows[name]).as_py()}"
        for name in keys
        if pa.types.is_integer(rows.schema.field(name).type)
    ]
    same = " AND ".join([*(f"target.{name} = source.{name}" for name in keys), *bounds])
    merger = table.merge(
        rows,
        same,
        source_alias="source",
        target_alias="target",
        writer_properties=WRITER,
        commit_properties=_properties(metadata, transactions, 0),
        post_commithook_properties=HOOKS,
    )
    for action in actions:
        named, columns = f"source.{ACTION} = '{action.name}'", {name: f'source."{name}"' for name in action.columns}
        if action.deletes:
            merger = merger.when_matched_delete(named)
            continue
        merger = merger.when_matched_update({f'"{name}"': value for name, value in columns.items()}, named)
        if action.inserts:
            merger = merger.when_not_matched_insert({f'"{name}"': value for name, value in columns.items()}, named)
    _executed(merger, uri)
    return _made(table, rows.num_rows)


def overwrite(uri: str, rows: pa.Table, *, metadata: Mapping[str, str]) -> Commit:
    """Replace all rows in one commit; earlier versions stay readable. Raises as `append` does."""
    return _write(opened(uri), uri, rows, "overwrite", metadata, {})


def remake(
    uri: str,
    rows: pa.Table,
    *,
    metadata: Mapping[str, str],
    transactions: Mapping[str, int] | None = None,
    after: int | None = None,
) -> Commit:
    """Replace all rows, and the schema by theirs, with progress, in one commit. Raises as `append` does."""
    return _write(opened(uri, after), uri, rows, "overwrite", metadata, transactions or {}, "overwrite")


@dataclass(frozen=True)
class Newer:
    """How changes come into a table, one row of each key: by SQL, over `change` and `row`."""

    keys: Sequence[str]
    newer: str
    """Whether the change is newer than the row."""
    deletes: str = "false"
    """Whether the change deletes: then the row is removed, or none is made."""


def merge_newer(
    uri: str,
    changes: pa.Table,
    how: Newer,
    *,
    metadata: Mapping[str, str],
    transactions: Mapping[str, int] | None = None,
    after: int | None = None,
) -> Commit:
    """Bring newer changes into the rows of their keys, with progress, in one commit; return it with the rows it changed.

    Where none is newer, delta-rs commits nothing: progress is then committed alone. Raises as `append` does.
    """
    table = opened(uri, after)
    merger = (
        table.merge(
            changes,
            " AND ".join(f'row."{key}" = change."{key}"' for key in how.keys),
            source_alias="change",
            target_alias="row",
            writer_properties=WRITER,
            commit_properties=_properties(metadata, transactions or {}, 0),
            post_commithook_properties=HOOKS,
        )
        .when_matched_delete(f"{how.newer} AND {how.deletes}")
        .when_matched_update_all(how.newer)
        .when_not_matched_insert_all(f"NOT ({how.deletes})")
    )
    counted = _executed(merger, uri)
    changed = sum(int(counted[f"num_target_rows_{what}"]) for what in ("inserted", "updated", "deleted"))
    if not changed:
        return append(uri, changes.slice(0, 0), metadata=metadata, transactions=transactions, after=after)
    return _made(table, changed)


def _executed(merger: TableMerger, uri: str) -> dict[str, Any]:
    """Run a merge, once; return what it counted."""
    try:
        return dict(merger.execute())
    except CommitFailedError as error:
        raise conflict(error, uri) from error
    except (OSError, DeltaError) as error:
        raise translated(error, uri) from error


def added(uri: str, first: int, last: int, *, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch] | None:
    """Return the rows that the commits from version `first` to `last` added; None if any did more than add rows.

    Upkeep adds none. Read from Delta's change data feed, which of commits that add is the files they added.
    """
    table = opened(uri, last)
    for entry in table.history(last - first + 1):
        appended = entry.get("operation") == "WRITE" and (entry.get("operationParameters") or {}).get("mode") == "Append"
        if entry["version"] >= first and not appended and entry.get("operation") not in KEEPING:
            return None
    if first > last:
        return iter(())
    for entry in _history(uri, current_version(uri) - first + 1):
        appended = entry.get("operation") == "WRITE" and (entry.get("operationParameters") or {}).get("mode") == "Append"
        if first <= entry["version"] <= last and not appended and entry.get("operation") != "OPTIMIZE":
            return None
    table = opened(uri, last)
    reader: Iterator[pa.RecordBatch] = pa.RecordBatchReader.from_stream(
        table.load_cdf(starting_version=first, ending_version=last, columns=list(columns) if columns is not None else None)
    )
    return reader


def read(uri: str, *, columns: Sequence[str] | None = None, table_version: int | None = None) -> pa.Table:
    """Return the rows of the newest or a pinned version. Raises NotFound without a table or version."""
    return opened(uri, table_version).to_pyarrow_table(columns=list(columns) if columns is not None else None)


def batches(
    uri: str, *, columns: Sequence[str] | None = None, table_version: int | None = None, where: pc.Expression = None, **ahead: int
) -> Iterator[pa.RecordBatch]:
    """Yield the rows, or those that satisfy `where`, batch by batch; with AHEAD_LITTLE, where memory is short."""
    dataset = opened(uri, table_version).to_pyarrow_dataset()
    yield from dataset.to_batches(columns=list(columns) if columns is not None else None, filter=where, **ahead)


def row_count(uri: str, table_version: int | None = None) -> int:
    """Return how many rows the newest or a pinned version has, from its log where that says so."""
    return int(opened(uri, table_version).count())


def lazy(uri: str, *, table_version: int | None = None) -> pl.LazyFrame:
    """Return the table as a query that reads only the columns and rows which it comes to need."""
    return pl.scan_pyarrow_dataset(opened(uri, table_version).to_pyarrow_dataset())


def selected(
    uri: str, *, columns: Sequence[str], by: Sequence[str], choose: Choose, table_version: int | None = None
) -> Iterator[pa.Table]:
    """Yield the rows that `choose` says yes to, by the columns `by`, a stretch at a time.

    Of a file without such a row only the columns `by` are read.
    """
    dataset = opened(uri, table_version).to_pyarrow_dataset()
    for fragment in dataset.get_fragments():
        chosen = choose(fragment.to_table(schema=dataset.schema, columns=list(by)))
        if not chosen.any():
            continue
        first = 0
        for batch in fragment.to_batches(schema=dataset.schema, columns=list(columns), batch_size=SELECTED_ROWS):
            wanted = chosen[first : first + batch.num_rows]
            first += batch.num_rows
            if wanted.any():
                yield pa.Table.from_batches([batch]).filter(pa.array(wanted))


def schema(uri: str, table_version: int | None = None) -> tuple[int, pa.Schema]:
    """Return the newest or a pinned version, and the schema that the table has at it. Raises NotFound without a table."""
    table = opened(uri, table_version)
    return int(table.version()), pa.schema(table.schema().to_arrow())


def current_version(uri: str) -> int:
    """Return the newest table version. Raises NotFound without a table."""
    return int(opened(uri).version())


def transaction_version(uri: str, application: str) -> int | None:
    """Return the last version that the application committed by a `txn` action, or None."""
    found = opened(uri).transaction_version(application)
    return None if found is None else int(found)


def progress(uri: str, applications: Iterable[str]) -> tuple[int, dict[str, int]]:
    """Return the newest table version, and the last version of each application's `txn` actions in it; absent without one."""
    table = opened(uri)
    found = {application: table.transaction_version(application) for application in applications}
    return int(table.version()), {application: int(last) for application, last in found.items() if last is not None}


def history(uri: str, newest: int | None = None) -> list[PastCommit]:
    """Return the commits of the table, oldest first; with `newest`, only so many of the last."""
    return [past_commit(entry) for entry in reversed(_history(uri, newest))]


def compact(uri: str, *, metadata: Mapping[str, str]) -> int:
    """Merge small files in one commit that changes no row; return how many files it replaced.

    Raises CommitConflict when another writer changed rows of these files meanwhile; nothing is changed then.
    """
    try:
        metrics = opened(uri).optimize.compact(
            commit_properties=_properties(metadata, {}, None), post_commithook_properties=HOOKS
        )
    except CommitFailedError as error:
        raise conflict(error, uri) from error
    except (OSError, DeltaError) as error:
        raise translated(error, uri) from error
    return int(metrics["numFilesRemoved"])


_open_tables = OpenTables()


def opened(uri: str, table_version: int | None = None) -> DeltaTable:
    """Return delta-rs's own table object. Raises NotFound without a table or version.

    Of a table in a bucket, a thread is given the object that it was given before, brought up to date: not to be kept.
    """
    try:
        return _open_tables.at(uri, table_version, way_in(), _fresh)
    except TableNotFoundError as error:
        raise NotFound(f"no Delta table at {uri}", remedy="land something into it first: headwater status") from error
    except (OSError, DeltaError) as error:
        told = translated(error, uri)
        if table_version is None or isinstance(error, OSError) or isinstance(told, HeadwaterError):
            raise told from error
        raise NotFound(f"{uri} has no version {table_version}", remedy="headwater status shows the versions") from error


def _fresh(uri: str, table_version: int | None) -> DeltaTable:
    return DeltaTable(uri, version=table_version, storage_options=storage_options(uri))


def _history(uri: str, newest: int | None) -> list[dict[str, Any]]:
    return numbered_history(lambda: opened(uri), newest)


def _write(
    table: DeltaTable,
    uri: str,
    rows: pa.Table | pa.RecordBatchReader,
    mode: Literal["append", "overwrite"],
    metadata: Mapping[str, str],
    transactions: Mapping[str, int],
    schema_mode: Literal["merge", "overwrite"] | None = None,
    added: int | None = None,
) -> Commit:
    try:
        write_deltalake(
            table,
            rows,
            mode=mode,
            schema_mode=schema_mode,
            writer_properties=WRITER,
            commit_properties=_properties(metadata, transactions, 0 if mode == "append" or schema_mode else None),
            post_commithook_properties=HOOKS,
        )
    except CommitFailedError as error:
        raise conflict(error, uri) from error
    except (OSError, DeltaError) as error:
        raise translated(error, uri) from error
    return _made(table, rows.num_rows if added is None else added)


def _made(table: DeltaTable, rows: int) -> Commit:
    return Commit(int(table.version()), rows)


def _properties(metadata: Mapping[str, str], transactions: Mapping[str, int], retries: int | None) -> CommitProperties:
    return CommitProperties(
        custom_metadata={METADATA_KEY: json.dumps(dict(metadata), sort_keys=True)} if metadata else None,
        app_transactions=[Transaction(app, version) for app, version in sorted(transactions.items())] or None,
        max_commit_retries=retries,
    )


def conflict(error: Exception, uri: str) -> HeadwaterError:
    """Return what a refused commit means: another writer was first, or the table has features that delta-rs cannot write."""
    told = str(error).splitlines()[0]
    if "Unsupported table features" not in told:
        return CommitConflict(told, where=uri)
    return TerminalError(told, expected="features that delta-rs writes", where=uri, remedy="streams/README.md: Upkeep of tables")


def translated(error: Exception, uri: str) -> Exception:
    """Return delta-rs's error as one of ours where it is one: DiskFull, StoreAway, StoreRefused; else as it is."""
    text = str(error)
    if getattr(error, "errno", None) == errno.ENOSPC or "No space left on device" in text or "os error 28" in text:
        return DiskFull(f"no space left to write to {uri}", remedy="free some room and start again: nothing was half written")
    return (places.told(error, uri) if places.remote(uri) else None) or error
