"""The embedded key store: one SQLite file, its keys wrapped by a master key that lies elsewhere. The only file that opens it.

Both files are for their owner alone (mode 0600). Writers take turns (WAL, a busy timeout, IMMEDIATE transactions); a key
is made by INSERT OR IGNORE and then read, so that two processes that want the same one get the same one. A destroyed
key is overwritten (`secure_delete`) and taken out of the write-ahead log before `destroy` returns. Backups are the
operator's: a copy of this file made before would bring a destroyed key back.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from contracts.errors import DiskFull, HeadwaterError, KeysBroken, NotFound, SealBroken, TransientError
from contracts.key_tree import LEAVES, ROOT, leaves, packed_cover, punctured, unpacked_cover
from contracts.keys import RECORD_PREFIX, SECRET_BYTES, DataKey, Wrapper
from contracts.sealing import seal, unseal

BUSY_SECONDS = 30.0
_ASKED_AT_ONCE = 500
_KEPT = 100_000
"""Subjects' keys kept in memory, about 40 MB."""
_CHECK = "check"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS secrets (name TEXT PRIMARY KEY, wrapped BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS subjects (key_id TEXT PRIMARY KEY, subject TEXT UNIQUE, wrapped BLOB);
CREATE TABLE IF NOT EXISTS blocks (key_id TEXT PRIMARY KEY, topic TEXT, partition INTEGER, block INTEGER, wrapped BLOB NOT NULL,
                                   UNIQUE (topic, partition, block));
CREATE TABLE IF NOT EXISTS destructions (times INTEGER NOT NULL);
"""

Block = tuple[str, int, int]
"""Topic, partition, and the number of the block of offsets."""


class MasterKey:
    """A `Wrapper` by a 32-byte key that this process holds."""

    def __init__(self, secret: bytes) -> None:
        self._key = DataKey("master", secret)

    def wrap(self, plaintext: bytes, context: str) -> bytes:
        """Return the plaintext sealed under the master key, bound to the context."""
        return seal(plaintext, self._key, context)

    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        """Return the plaintext. Raises SealBroken under another key or context."""
        return unseal(wrapped, self._key, context)


def master_key(file: Path, *, make: bool) -> bytes:
    """Return the master key that a file holds as 64 hex digits; with `make`, make it if it is absent.

    Raises KeysBroken if it is absent and not to be made, or holds something else.
    """
    if make and not file.exists():
        _make_private(file, os.urandom(SECRET_BYTES).hex().encode())
    try:
        text = file.read_text("ascii")
    except FileNotFoundError as error:
        raise KeysBroken(
            "there is no master key, but keys that it has wrapped",
            where=str(file),
            remedy="bring the file back, or give HEADWATER_MASTER_KEY: without it nothing that was sealed can be read",
        ) from error
    return parsed_master_key(text, str(file))


def parsed_master_key(text: str, where: str) -> bytes:
    """Return the master key that 64 hex digits tell. Raises KeysBroken, which does not show them."""
    try:
        secret = bytes.fromhex(text)
    except ValueError:
        secret = b""
    if len(secret) != SECRET_BYTES:
        raise KeysBroken("this is no master key", expected=f"{2 * SECRET_BYTES} hex digits", where=where)
    return secret


class SqliteKeyStore:
    """A `contracts.keys.KeyStore` in one file. Opens it on first use; made freely, and shared by the threads of a process."""

    def __init__(self, file: Path, wrapper: Wrapper | None = None) -> None:
        """Keep keys in a file, wrapped by `wrapper`, or by the key in `master.key` beside the file, made on first use."""
        self._file = file
        self._wrapper = wrapper
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._kept: OrderedDict[str, DataKey] = OrderedDict()
        self._destructions = 0
        self._secrets: dict[str, bytes] = {}

    def secret(self, name: str) -> bytes:
        """Return this installation's secret of that name, made on first use."""
        with self._lock:
            if name not in self._secrets:
                with self._writing() as connection:
                    self._secrets[name] = self._secret(connection, name)
            return self._secrets[name]

    def data_key(self, subject: str) -> DataKey:
        """Return the subject's key, made on first use. Raises NotFound for a record whose key was destroyed."""
        key = self.data_keys([subject]).get(subject)
        if key is None:
            raise NotFound("this record's key was destroyed", where=subject)
        return key

    def data_keys(self, subjects: Iterable[str]) -> dict[str, DataKey]:
        """Return the keys of many subjects, made on first use; records whose key was destroyed are left out."""
        wanted = list(dict.fromkeys(subjects))
        records = [subject for subject in wanted if subject.startswith(RECORD_PREFIX)]
        people = [subject for subject in wanted if not subject.startswith(RECORD_PREFIX)]
        with self._lock:
            return (self._people_keys(people) if people else {}) | (self._record_keys(records) if records else {})

    def find(self, key_id: str) -> DataKey | None:
        """Return the key of that id; None if it was destroyed, or never was."""
        return self.found([key_id]).get(key_id)

    def found(self, key_ids: Iterable[str]) -> dict[str, DataKey]:
        """Return the keys of those ids that are still there."""
        wanted = list(dict.fromkeys(key_ids))
        with self._reading() as connection:
            people = [key_id for key_id in wanted if "." not in key_id]
            rows = _select(connection, "SELECT key_id, wrapped FROM subjects WHERE wrapped IS NOT NULL AND key_id IN", people)
            keys = {key_id: DataKey(key_id, self._unwrap(wrapped, f"key:{key_id}")) for key_id, wrapped in rows}
            return keys | self._found_in_blocks(connection, [key_id for key_id in wanted if "." in key_id])

    def destroy(self, subject: str) -> bool:
        """Destroy the subject's key, for ever; return False if there was none."""
        with self._writing() as connection:
            record = subject.startswith(RECORD_PREFIX)
            destroyed = self._punctured(connection, subject) if record else _forgotten(connection, subject)
            if destroyed:
                connection.execute("UPDATE destructions SET times = times + 1")
            self._kept.clear()
        if destroyed:
            with self._reading() as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return destroyed

    def _people_keys(self, subjects: Sequence[str]) -> dict[str, DataKey]:
        with self._reading() as connection:
            self._forget_destroyed(connection)
            absent = [subject for subject in subjects if subject not in self._kept]
            self._keep(connection, absent)
        absent = [subject for subject in absent if subject not in self._kept]
        if absent:
            with self._writing() as connection:
                for subject in absent:
                    key_id = os.urandom(16).hex()
                    row = (key_id, subject, self._wrap(os.urandom(SECRET_BYTES), f"key:{key_id}"))
                    connection.execute("INSERT OR IGNORE INTO subjects (key_id, subject, wrapped) VALUES (?, ?, ?)", row)
                self._keep(connection, absent)
        keys = {subject: self._kept[subject] for subject in subjects}
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return keys

    def _keep(self, connection: sqlite3.Connection, subjects: Sequence[str]) -> None:
        rows = _select(connection, "SELECT subject, key_id, wrapped FROM subjects WHERE subject IN", subjects)
        for subject, key_id, wrapped in rows:
            self._kept[subject] = DataKey(key_id, self._unwrap(wrapped, f"key:{key_id}"))

    def _forget_destroyed(self, connection: sqlite3.Connection) -> None:
        """Forget all keys kept in memory when any process has destroyed one since."""
        times = connection.execute("SELECT times FROM destructions").fetchone()[0]
        if times != self._destructions:
            self._kept.clear()
            self._destructions = times

    def _record_keys(self, subjects: Sequence[str]) -> dict[str, DataKey]:
        wanted: dict[Block, dict[int, str]] = {}
        for subject in subjects:
            topic, partition, offset = subject.removeprefix(RECORD_PREFIX).rsplit(":", 2)
            block, index = divmod(int(offset), LEAVES)
            wanted.setdefault((topic, int(partition), block), {})[index] = subject
        covers = self._covers(list(wanted))
        found: dict[str, DataKey] = {}
        for place, named in wanted.items():
            key_id, cover = covers[place]
            for index, secret in leaves(cover, named).items():
                found[named[index]] = DataKey(f"{key_id}.{index}", secret)
        return found

    def _covers(self, blocks: Sequence[Block]) -> dict[Block, tuple[str, dict[int, bytes]]]:
        """Return each block's id and key tree, made on first use."""
        with self._reading() as connection:
            covers = {block: self._cover(connection, block) for block in blocks}
        absent = [block for block, found in covers.items() if found is None]
        if absent:
            with self._writing() as connection:
                for block in absent:
                    key_id = os.urandom(16).hex()
                    tree = packed_cover({ROOT: os.urandom(SECRET_BYTES)})
                    row = (key_id, *block, self._wrap(tree, f"block:{key_id}"))
                    connection.execute("INSERT OR IGNORE INTO blocks VALUES (?, ?, ?, ?, ?)", row)
                covers |= {block: self._cover(connection, block) for block in absent}
        return {block: found for block, found in covers.items() if found is not None}

    def _cover(self, connection: sqlite3.Connection, block: Block) -> tuple[str, dict[int, bytes]] | None:
        sql = "SELECT key_id, wrapped FROM blocks WHERE topic = ? AND partition = ? AND block = ?"
        row = connection.execute(sql, block).fetchone()
        return None if row is None else (row[0], unpacked_cover(self._unwrap(row[1], f"block:{row[0]}")))

    def _found_in_blocks(self, connection: sqlite3.Connection, key_ids: Sequence[str]) -> dict[str, DataKey]:
        wanted: dict[str, dict[int, str]] = {}
        for key_id in key_ids:
            block_id, _, index = key_id.partition(".")
            if index.isdecimal() and int(index) < LEAVES:
                wanted.setdefault(block_id, {})[int(index)] = key_id
        found: dict[str, DataKey] = {}
        for block_id, wrapped in _select(connection, "SELECT key_id, wrapped FROM blocks WHERE key_id IN", list(wanted)):
            cover = unpacked_cover(self._unwrap(wrapped, f"block:{block_id}"))
            for place, secret in leaves(cover, wanted[block_id]).items():
                key_id = wanted[block_id][place]
                found[key_id] = DataKey(key_id, secret)
        return found

    def _punctured(self, connection: sqlite3.Connection, subject: str) -> bool:
        topic, partition, offset = subject.removeprefix(RECORD_PREFIX).rsplit(":", 2)
        block, index = divmod(int(offset), LEAVES)
        found = self._cover(connection, (topic, int(partition), block))
        if found is None or not leaves(found[1], [index]):
            return False
        key_id, cover = found
        tree = self._wrap(packed_cover(punctured(cover, index)), f"block:{key_id}")
        connection.execute("UPDATE blocks SET wrapped = ? WHERE key_id = ?", (tree, key_id))
        return True

    def _secret(self, connection: sqlite3.Connection, name: str) -> bytes:
        row = (name, self._wrap(os.urandom(SECRET_BYTES), f"secret:{name}"))
        connection.execute("INSERT OR IGNORE INTO secrets VALUES (?, ?)", row)
        wrapped = connection.execute("SELECT wrapped FROM secrets WHERE name = ?", (name,)).fetchone()[0]
        return self._unwrap(wrapped, f"secret:{name}")

    def _wrap(self, plaintext: bytes, context: str) -> bytes:
        assert self._wrapper is not None  # noqa: S101  given when the file was opened
        return self._wrapper.wrap(plaintext, context)

    def _unwrap(self, wrapped: bytes, context: str) -> bytes:
        assert self._wrapper is not None  # noqa: S101  given when the file was opened
        try:
            return self._wrapper.unwrap(wrapped, context)
        except SealBroken as error:
            raise self._broken("its keys do not open under this master key") from error

    def _broken(self, came: str) -> KeysBroken:
        return KeysBroken(came, where=str(self._file), remedy="bring back the master key, or the key store, that belongs to it")

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._translated():
            yield self._opened()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Give the connection within one transaction, alone among all processes; committed, and on the disk, at its end."""
        with self._lock, self._translated():
            connection = self._opened()
            with _transaction(connection):
                yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise self._told(error) from error
        except sqlite3.DatabaseError as error:
            raise self._broken(f"it is no key store: {error}") from error

    def _told(self, error: sqlite3.OperationalError) -> HeadwaterError:
        code = getattr(error, "sqlite_errorcode", None)
        if code == sqlite3.SQLITE_FULL:
            return DiskFull(f"no space left to write to {self._file}", remedy="free some room and start again")
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return TransientError(f"the key store was busy for {BUSY_SECONDS:.0f} s", where=str(self._file))
        return self._broken(f"it cannot be used: {error}")

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = self._connected()
            try:
                self._checked(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _connected(self) -> sqlite3.Connection:
        fresh = not self._file.exists()
        if fresh:
            _make_private(self._file, b"")
        if self._wrapper is None:
            empty = self._file.stat().st_size == 0
            self._wrapper = MasterKey(master_key(self._file.with_name("master.key"), make=empty))
        connection = sqlite3.connect(self._file, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        return connection

    def _checked(self, connection: sqlite3.Connection) -> None:
        """Make the tables if they are absent, and see that the master key is the one they were made with."""
        with _transaction(connection):
            for statement in filter(str.strip, _SCHEMA.split(";")):
                connection.execute(statement)
            connection.execute("INSERT INTO destructions SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM destructions)")
            self._secret(connection, _CHECK)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _forgotten(connection: sqlite3.Connection, subject: str) -> bool:
    """Overwrite the subject's key, and forget whose it was; that there was such a key is kept."""
    statement = "UPDATE subjects SET wrapped = NULL, subject = NULL WHERE subject = ?"
    return connection.execute(statement, (subject,)).rowcount > 0


def _select(connection: sqlite3.Connection, statement: str, wanted: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of `statement`, which ends in IN, for many values: SQLite takes so many at once."""
    for at in range(0, len(wanted), _ASKED_AT_ONCE):
        some = wanted[at : at + _ASKED_AT_ONCE]
        yield from connection.execute(f"{statement} ({', '.join('?' * len(some))})", some)


def _make_private(file: Path, content: bytes) -> None:
    """Make a file that only its owner may read, whole or not at all; leave one that is there."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    trial = file.with_name(f".{file.name}.{os.getpid()}.{threading.get_ident()}")
    handle = os.open(trial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(handle, content)
        os.fsync(handle)
    finally:
        os.close(handle)
    try:
        os.link(trial, file)
    except FileExistsError:
        return
    finally:
        trial.unlink()
