"""Which Delta tables stand at a place, a folder or a bucket, without opening any."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lineage.connectors.object_store import Objects
from lineage.places import joined, remote

LOG = "_delta_log"


def table_names(tables: str, layer: str = "") -> list[str]:
    """Return the tables at a place, or in one layer of it, by their names from there on: `silver/shop/orders`, in order.

    None where nothing stands. Raises StoreRefused or StoreAway for a bucket that cannot be looked at.
    """
    if remote(tables):
        prefix = f"{layer}/" if layer else ""
        return sorted(_below(Objects(tables), prefix))
    top = Path(joined(tables, layer)) if layer else Path(tables)
    return sorted(str(log.parent.relative_to(tables)) for log in top.rglob(LOG)) if top.is_dir() else []


def _below(objects: Objects, prefix: str) -> Iterator[str]:
    """Yield the tables below a prefix: a table has a log, and none within."""
    names = list(objects.folders(prefix))
    if LOG in names:
        yield prefix.rstrip("/")
        return
    for name in names:
        yield from _below(objects, f"{prefix}{name}/")
