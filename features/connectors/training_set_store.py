"""Training sets as they are kept: `<place>/<name>-<id>` with `rows.parquet` and `manifest.json`, in a folder or a bucket.

A set is there when its manifest is. In a folder, both are written under another name and renamed together. In a bucket the
rows come first and the manifest last, each put if absent: ids follow from content, so who finds it there has written the same.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from contracts.errors import TerminalError
from lineage.connectors.object_store import Objects
from lineage.places import joined, remote

ROWS_FILE = "rows.parquet"
MANIFEST_FILE = "manifest.json"


def set_names(place: str) -> list[str]:
    """Return the names of the training sets at a place, in order."""
    if remote(place):
        return sorted(Objects(place).folders())
    return sorted(path.name for path in Path(place).glob("*-*") if not path.name.startswith("."))


def read_manifest(place: str, name: str) -> dict[str, Any] | None:
    """Return the manifest of a set, or None where there is no such set, or no whole one."""
    if remote(place):
        content = Objects(place).get(f"{name}/{MANIFEST_FILE}")
    else:
        file = Path(place) / name / MANIFEST_FILE
        content = file.read_bytes() if file.is_file() else None
    return None if content is None else dict(json.loads(content))


def read_rows(place: str, name: str) -> pa.Table:
    """Return the rows of a set that is there."""
    if not remote(place):
        return pq.read_table(Path(place) / name / ROWS_FILE)
    content = Objects(place).get(f"{name}/{ROWS_FILE}")
    if content is None:
        raise TerminalError(
            "a training set has a manifest and no rows", where=joined(place, name), remedy="remove and build it again"
        )
    return pq.read_table(pa.BufferReader(content))


def rows_size(place: str, name: str) -> int:
    """Return the size in bytes of a set's file of rows."""
    if remote(place):
        return next(iter(Objects(place).listed(f"{name}/{ROWS_FILE}"))).size
    return (Path(place) / name / ROWS_FILE).stat().st_size


def keep_file(place: str, name: str, rows: Path, manifest: Mapping[str, Any]) -> None:
    """Keep a set whose rows are in a Parquet file already, as `keep` does. The file is moved away.

    In a bucket the file is sent in one piece, and is in memory, compressed, for that time.
    """
    text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    if remote(place):
        objects = Objects(place)
        objects.put_if_absent(f"{name}/{ROWS_FILE}", rows.read_bytes())
        objects.put_if_absent(f"{name}/{MANIFEST_FILE}", text.encode())
        return
    _kept_in_folder(Path(place) / name, lambda file: shutil.move(rows, file), text)


def keep(place: str, name: str, table: pa.Table, manifest: Mapping[str, Any]) -> None:
    """Keep a set, whole or not at all. Durable on return."""
    text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    if remote(place):
        objects, rows = Objects(place), pa.BufferOutputStream()
        pq.write_table(table, rows, compression="zstd")
        objects.put_if_absent(f"{name}/{ROWS_FILE}", rows.getvalue().to_pybytes())
        objects.put_if_absent(f"{name}/{MANIFEST_FILE}", text.encode())
        return
    _kept_in_folder(Path(place) / name, lambda file: pq.write_table(table, file, compression="zstd"), text)


def _kept_in_folder(folder: Path, put: Callable[[Path], object], text: str) -> None:
    """Make the folder under another name, and rename it when it is whole."""
    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    put(draft / ROWS_FILE)
    with (draft / MANIFEST_FILE).open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    draft.rename(folder)
