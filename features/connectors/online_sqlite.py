"""Online values in SQLite, in Feast's tables: one row for each entity key and feature. The only file that opens the database.

Feast stores event time as the epoch of a naive local time, in whole seconds (`feast/infra/online_stores/sqlite.py`); it is
read back here the same way. Our own writes keep the exact time beside it (`features.online.EVENT_US`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from contracts.errors import NotFound
from features.feast_encode import encoder
from features.feast_layout import from_microseconds, value
from features.online import FENCE, FENCE_DIGITS, Asked, Row, Stored, overtaken
from features.plan import View

_KEYS_A_QUERY = 500
_MARKS = "headwater_marks"
"""Our own table: a project's mark and claim of each view, by name."""
_BUSY_SECONDS = 30
_FEASTS_COLUMNS = (
    "entity_key BLOB, feature_name TEXT, value BLOB, value_text TEXT, vector_value BLOB, event_ts timestamp, "
    "created_ts timestamp, PRIMARY KEY(entity_key, feature_name)"
)


class SqliteStore:
    """An `OnlineStore` over the file that Feast's SQLite store writes. Opens it for each call, so it may be shared freely."""

    def __init__(self, file: Path, project: str) -> None:
        self._file = file
        self._project = project

    def read(self, asked: Sequence[Asked]) -> list[list[Stored | None]]:
        """Return what is stored, for each view and entity in order."""
        with closing(self._reading()) as connection:
            return [self._read(connection, ask) for ask in asked]

    def scan(self, view: View, names: Sequence[str]) -> Iterator[tuple[bytes, Stored]]:
        """Yield every entity of the view, by entity key."""
        with closing(self._reading()) as connection:
            yield from self._select(connection, view.name, "1", [], names)

    def claim(self, view: str) -> str:
        """Return a fence for a writer that begins now: one more than the last."""
        with closing(self._writing()) as connection, _transaction(connection):
            fence = f"{int(self._kept(connection, _claim(view)) or 0) + 1:0{FENCE_DIGITS}}"
            self._keep(connection, _claim(view), fence)
        return fence

    def claimed(self, view: str) -> str:
        """Return the fence of the last claim, empty without one."""
        return self._look(_claim(view))

    def write(self, view: View, rows: Sequence[Row], fence: str) -> None:
        """Write the rows in one transaction, in Feast's cells. Raises CommitConflict where the view was claimed since."""
        columns = "entity_key, feature_name, value, value_text, event_ts, created_ts"
        statement = f"INSERT OR REPLACE INTO {self._table(view.name)} ({columns}) VALUES (?, ?, ?, ?, ?, ?)"  # noqa: S608
        with closing(self._writing()) as connection, _transaction(connection):
            self._demand(connection, view.name, fence)
            # As Feast's `apply` makes it: a file that was lost is made anew by the values that come back to it.
            connection.execute(f"CREATE TABLE IF NOT EXISTS {self._table(view.name)} ({_FEASTS_COLUMNS})")
            connection.executemany(statement, _cells(rows, fence))

    def remove(self, view: View, keys: Iterable[bytes], fence: str) -> int:
        """Remove the view's values of these entities, in one transaction."""
        removed = 0
        with closing(self._writing()) as connection, _transaction(connection):
            self._demand(connection, view.name, fence)
            for key in keys:
                statement = f"DELETE FROM {self._table(view.name)} WHERE entity_key = ?"  # noqa: S608  the name is quoted
                removed += connection.execute(statement, [key]).rowcount > 0
        return removed

    def sweep(self, view: View, fence: str) -> int:
        """Remove every entity of the view that was not written under this fence, in one transaction."""
        table, kept = self._table(view.name), [FENCE, encoder("String")(fence)]
        ours = f"SELECT entity_key FROM {table} WHERE feature_name = ? AND value = ?"  # noqa: S608  the name is quoted
        with closing(self._writing()) as connection, _transaction(connection):
            self._demand(connection, view.name, fence)
            connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({_FEASTS_COLUMNS})")
            query = f"SELECT DISTINCT entity_key FROM {table} WHERE entity_key NOT IN ({ours})"  # noqa: S608
            others = connection.execute(query, kept).fetchall()
            connection.executemany(f"DELETE FROM {table} WHERE entity_key = ?", others)  # noqa: S608
        return len(others)

    def marked(self, view: str) -> str:
        """Return the mark that was set last, empty without one."""
        return self._look(view)

    def mark(self, view: str, mark: str, fence: str) -> None:
        """Set the view's mark. Raises CommitConflict where the view was claimed since."""
        with closing(self._writing()) as connection, _transaction(connection):
            self._demand(connection, view, fence)
            self._keep(connection, view, mark)

    def _look(self, name: str) -> str:
        if not self._file.exists():
            return ""
        with closing(self._writing()) as connection:
            return self._kept(connection, name)

    def _kept(self, connection: sqlite3.Connection, name: str) -> str:
        row = connection.execute(f"SELECT mark FROM {_MARKS} WHERE view = ?", [f"{self._project}/{name}"]).fetchone()  # noqa: S608
        return str(row[0]) if row else ""

    def _keep(self, connection: sqlite3.Connection, name: str, text: str) -> None:
        connection.execute(f"INSERT OR REPLACE INTO {_MARKS} VALUES (?, ?)", [f"{self._project}/{name}", text])  # noqa: S608

    def _demand(self, connection: sqlite3.Connection, view: str, fence: str) -> None:
        if self._kept(connection, _claim(view)) != fence:
            raise overtaken(view)

    def _read(self, connection: sqlite3.Connection, ask: Asked) -> list[Stored | None]:
        found: dict[bytes, Stored] = {}
        for at in range(0, len(ask.keys), _KEYS_A_QUERY):
            some = list(ask.keys[at : at + _KEYS_A_QUERY])
            found |= dict(self._select(connection, ask.view, f"entity_key IN ({_marks(some)})", some, ask.names))
        return [found.get(key) for key in ask.keys]

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
        connection = sqlite3.connect(self._file, timeout=_BUSY_SECONDS, isolation_level=None)
        connection.execute(f"CREATE TABLE IF NOT EXISTS {_MARKS} (view TEXT PRIMARY KEY, mark TEXT NOT NULL)")
        return connection

    def _absent(self, view: str) -> NotFound:
        return NotFound(
            f"no online values of {view}",
            expected="a materialized feature view",
            where=str(self._file),
            remedy="headwater features materialize",
        )


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Hold the database for writing from the first look on: what is read in the block still holds when it commits."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _claim(view: str) -> str:
    return f"claim:{view}"


def _cells(rows: Iterable[Row], fence: str) -> Iterator[tuple[bytes, str, bytes, str | None, int, None]]:
    """Yield Feast's cells of each row: one for each feature, and what Feast cannot read as a value beside them."""
    # Feast's client parses every value of an entity, this one too.
    held = encoder("String")(fence)
    for row in rows:
        # Feast's own adapter: the epoch of the time as if it were local.
        stamp = int(from_microseconds(row.event_us).replace(tzinfo=None).timestamp())
        for name, content in row.values.items():
            yield row.key, name, content, _text(content), stamp, None
        yield row.key, FENCE, held, None, stamp, None


def _text(content: bytes) -> str | None:
    """Return a value as Feast's column for text search has it: text, numbers and truth, and nothing of other kinds."""
    found = value(content)
    return str(found) if isinstance(found, str | int | float) else None


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))


def _event_time(stored: int | str) -> datetime:
    """Return the time as Feast reads it: an epoch is that of a naive local time, which stands for UTC."""
    naive = datetime.fromtimestamp(stored) if isinstance(stored, int) else datetime.fromisoformat(stored)  # noqa: DTZ006
    return naive.replace(tzinfo=UTC) if naive.tzinfo is None else naive.astimezone(UTC)
