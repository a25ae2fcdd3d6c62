"""Online values in SQLite, in Feast's tables: one row for each entity key and feature. The only file that opens the database.

Feast stores event time as the epoch of a naive local time, in whole seconds (`feast/infra/online_stores/sqlite.py`); it is
read back here the same way. Our own writes keep the exact time beside it (`features.online.EVENT_US`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from contracts.errors import NotFound
from features.online import Stored
from features.plan import View

_KEYS_A_QUERY = 500
_MARKS = "headwater_marks"


class SqliteStore:
    """An `OnlineStore` over the file that Feast's SQLite store writes. Opens it for each call, so it may be shared freely."""

    def __init__(self, file: Path, project: str) -> None:
        self._file = file
        self._project = project

    def read(self, view: str, keys: Sequence[bytes], names: Sequence[str]) -> list[Stored | None]:
        """Return what is stored of each entity key, in order."""
        found: dict[bytes, Stored] = {}
        with closing(self._reading()) as connection:
            for at in range(0, len(keys), _KEYS_A_QUERY):
                some = list(keys[at : at + _KEYS_A_QUERY])
                found |= dict(self._select(connection, view, f"entity_key IN ({_marks(some)})", some, names))
        return [found.get(key) for key in keys]

    def scan(self, view: View, names: Sequence[str]) -> Iterator[tuple[bytes, Stored]]:
        """Yield every entity of the view, by entity key."""
        with closing(self._reading()) as connection:
            yield from self._select(connection, view.name, "1", [], names)

    def remove(self, view: View, keys: Iterable[bytes]) -> int:
        """Remove the view's values of these entities, in one transaction."""
        removed = 0
        with closing(self._writing()) as connection, connection:
            for key in keys:
                statement = f"DELETE FROM {self._table(view.name)} WHERE entity_key = ?"  # noqa: S608  the name is quoted
                removed += connection.execute(statement, [key]).rowcount > 0
        return removed

    def marked(self, view: str) -> str:
        """Return the mark that was set last, empty without one."""
        if not self._file.exists():
            return ""
        with closing(self._writing()) as connection, connection:
            row = connection.execute(f"SELECT mark FROM {_MARKS} WHERE view = ?", [f"{self._project}/{view}"]).fetchone()  # noqa: S608
        return str(row[0]) if row else ""

    def mark(self, view: str, mark: str) -> None:
        """Set the view's mark."""
        with closing(self._writing()) as connection, connection:
            connection.execute(f"INSERT OR REPLACE INTO {_MARKS} VALUES (?, ?)", [f"{self._project}/{view}", mark])  # noqa: S608

    def _table(self, view: str) -> str:
        return '"' + f"{self._project}_{view}".replace('"', '""') + '"'

    def _select(
        self, connection: sqlite3.Connection, view: str, condition: str, keys: Sequence[bytes], names: Sequence[str]
    ) -> Iterator[tuple[bytes, Stored]]:
        statement = (
            f"SELECT entity_key, feature_name, value, event_ts FROM {self._table(view)} "  # noqa: S608  the name is quoted
            f"WHERE {condition} AND feature_name IN ({_marks(names)}) ORDER BY entity_key"
        )
        try:
            rows = connection.execute(statement, [*keys, *names])
        except sqlite3.OperationalError as error:
            raise self._absent(view) from error
        for key, group in groupby(rows, key=lambda row: row[0]):
            entries = list(group)
            yield bytes(key), Stored({name: value for _, name, value, _ in entries}, _event_time(entries[0][3]))

    def _reading(self) -> sqlite3.Connection:
        try:
            return sqlite3.connect(f"{self._file.absolute().as_uri()}?mode=ro", uri=True)
        except sqlite3.OperationalError as error:
            raise self._absent("any view") from error

    def _writing(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._file, timeout=30)
        connection.execute(f"CREATE TABLE IF NOT EXISTS {_MARKS} (view TEXT PRIMARY KEY, mark TEXT NOT NULL)")
        return connection

    def _absent(self, view: str) -> NotFound:
        return NotFound(
            f"no online values of {view}",
            expected="a materialized feature view",
            where=str(self._file),
            remedy="headwater features materialize",
        )


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))


def _event_time(stored: int | str) -> datetime:
    """Return the time as Feast reads it: an epoch is that of a naive local time, which stands for UTC."""
    naive = datetime.fromtimestamp(stored) if isinstance(stored, int) else datetime.fromisoformat(stored)  # noqa: DTZ006
    return naive.replace(tzinfo=UTC) if naive.tzinfo is None else naive.astimezone(UTC)
