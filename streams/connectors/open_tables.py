"""Delta tables that a thread holds open, brought up to date instead of read anew.

To open a table is to read its log since the last checkpoint: a file each on a disk, a request each in a bucket. So a table in
a bucket that a thread opened before is asked only for what came since.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from lineage.places import remote

OPEN_MAX = 64

Open = Callable[[str, int | None], Any]
"""Opens a table by its address at a version, or at its newest."""


class OpenTables(threading.local):
    """The tables that each thread opened last at their newest version. Local ones are never kept: they cost little to open."""

    def __init__(self) -> None:
        self._tables: dict[str, Any] = {}

    def at(self, uri: str, table_version: int | None, access: object, fresh: Open) -> Any:
        """Return a table at a version, or at its newest. `access` is how it is reached: with another, it is opened anew.

        Raises what `fresh` raises; after any error the table is forgotten.
        """
        if not remote(uri):
            return fresh(uri, table_version)
        key = f"{uri} {hash(access)}"
        held = self._tables.pop(key, None)
        if table_version is not None and (held is None or held.version() != table_version):
            return fresh(uri, table_version)
        if table_version is None and held is not None:
            held.update_incremental()
        table = held if held is not None else fresh(uri, None)
        while len(self._tables) >= OPEN_MAX:
            del self._tables[next(iter(self._tables))]
        self._tables[key] = table
        return table
