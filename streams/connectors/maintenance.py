"""Upkeep of Delta tables through delta-rs: what a table's files come to."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from streams.connectors import delta


def extent(uri: str, table_version: int | None = None) -> tuple[int, int]:
    """Return how many rows a version of a table has, and how many bytes its files."""
    actions = pa.table(delta.opened(uri, table_version).get_add_actions(flatten=True))
    return tuple(int(pc.sum(actions[name]).as_py() or 0) for name in ("num_records", "size_bytes"))  # type: ignore[return-value]
