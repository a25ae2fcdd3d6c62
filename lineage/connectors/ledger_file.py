"""The ledger as one file of canonical lines, which many processes append to and read at once.

`<folder>/events.jsonl` is only ever appended to. An append, under an exclusive lock on the file:

1. read what others appended since we looked, and learn its ids. A last line without a newline was torn by a crash and
   never acknowledged: it is moved aside to `<folder>/torn/` and cut off
2. one write of all new lines. A crash here leaves whole lines, which then count, or a torn one, which step 1 removes
3. fsync, and only then the answer

A write or fsync that fails is undone by cutting the file back to where it was, still under the lock, and acknowledges
nothing. Readers take a shared lock for the moment they look up the end, so they see no line that may yet be undone.
The file is opened afresh for each append: locks belong to an open file, and two threads or a forked child that shared
one would not exclude each other.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from contracts.errors import DiskFull, LedgerBroken
from lineage.ledger import START, Entry, Position, entry_line, entry_of, line_id, packed_id

FILE = "events.jsonl"
_CHUNK_BYTES = 4 * 1024 * 1024
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class FileLedger:
    """A `lineage.ledger.Ledger` in a folder, which is made with the first append."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / FILE
        self._turn = threading.Lock()
        self._ids: set[bytes] = set()
        self._end = START
        """Up to here the ids are known."""

    def append(self, event_id: str, event: Mapping[str, Any]) -> bool:
        """Take an event; return False if its id is there already. See `append_all`."""
        return self.append_all([(event_id, event)])[0]

    def append_all(self, events: Iterable[tuple[str, Mapping[str, Any]]]) -> list[bool]:
        """Take events in order with one write and one fsync; return for each whether it was new.

        Durable on return. Raises DiskFull if there is no room, and OSError for what else the disk answers: then nothing
        was acknowledged, and the same call may be made again. Raises LedgerBroken for a file we did not write.
        """
        batch = [(event_id, entry_line(event_id, event)) for event_id, event in events]
        if not batch:
            return []
        with self._turn, self._locked() as descriptor:
            self._catch_up(descriptor)
            new, lines = self._new(batch)
            self._write(descriptor, b"".join(lines))
            self._ids.update(packed_id(event_id) for (event_id, _), fresh in zip(batch, new, strict=True) if fresh)
            self._end = Position(self._end.line + len(lines), self._end.byte_offset + sum(map(len, lines)))
        return new

    def events(self, start: Position = START) -> Iterator[Entry]:
        """Return the entries from `start` on, which is START or the `end` of an entry read before.

        Raises LedgerBroken if `start` is no such place, or a line is no entry.
        """
        if not self.path.exists():
            if start != START:
                raise _no_such_place(start, 0, self.path)
            return
        with self.path.open("rb") as file:
            end = _durable_end(file.fileno())
            if start.byte_offset > end or not _at_line_start(file.fileno(), start.byte_offset):
                raise _no_such_place(start, end, self.path)
            file.seek(start.byte_offset)
            at = start
            while at.byte_offset < end:
                line = file.readline()
                if not line.endswith(b"\n"):
                    return
                entry = entry_of(line[:-1], at)
                yield entry
                at = entry.end

    def size(self) -> int:
        """Return how many bytes of whole lines there are: a cheap way to see whether something is new."""
        if not self.path.exists():
            return 0
        with self.path.open("rb") as file:
            return _durable_end(file.fileno())

    @contextmanager
    def _locked(self) -> Iterator[int]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            fresh = not self.path.exists()
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise _disk_error(error, self.folder) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if fresh:
                _sync_folder(self.folder)
                _sync_folder(self.folder.parent)
            yield descriptor
        finally:
            os.close(descriptor)

    def _catch_up(self, descriptor: int) -> None:
        size = os.fstat(descriptor).st_size
        if size < self._end.byte_offset:
            raise _no_such_place(self._end, size, self.path)
        if size == self._end.byte_offset:
            return
        rest = b""
        at = self._end
        read_to = at.byte_offset
        learned: set[bytes] = set()
        while chunk := os.pread(descriptor, _CHUNK_BYTES, read_to):
            read_to += len(chunk)
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                learned.add(packed_id(line_id(line, at)))
                at = Position(at.line + 1, at.byte_offset + len(line) + 1)
        if rest:
            self._set_aside(descriptor, at, rest)
        os.fsync(descriptor)  # what a killed writer left unsynced must be as durable as our answer "it is there already"
        self._ids |= learned
        self._end = at

    def _set_aside(self, descriptor: int, at: Position, torn: bytes) -> None:
        """Keep the beginning of a line that a crash cut short, and cut it off: nobody was told that it is there."""
        folder = self.folder / "torn"
        try:
            folder.mkdir(exist_ok=True)
            with (folder / f"line-{at.line + 1}-byte-{at.byte_offset}-{len(torn)}-bytes").open("wb") as file:
                file.write(torn)
                file.flush()
                os.fsync(file.fileno())
            _sync_folder(folder)
            os.ftruncate(descriptor, at.byte_offset)
        except OSError as error:
            raise _disk_error(error, folder) from error

    def _new(self, batch: list[tuple[str, bytes]]) -> tuple[list[bool], list[bytes]]:
        seen: set[bytes] = set()
        new, lines = [], []
        for event_id, line in batch:
            key = packed_id(event_id)
            fresh = key not in self._ids and key not in seen
            seen.add(key)
            new.append(fresh)
            if fresh:
                lines.append(line)
        return new, lines

    def _write(self, descriptor: int, lines: bytes) -> None:
        if not lines:
            return
        try:
            left = memoryview(lines)
            while left:
                left = left[os.write(descriptor, left) :]
            os.fsync(descriptor)
        except OSError as error:
            # If even this fails, the next append finds whole lines, which then count, or a torn one, which it removes.
            with suppress(OSError):
                os.ftruncate(descriptor, self._end.byte_offset)
                os.fsync(descriptor)
            raise _disk_error(error, self.path) from error


def _durable_end(descriptor: int) -> int:
    """Return the end of the last whole line, none of which can be undone any more."""
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    try:
        size = os.fstat(descriptor).st_size
        os.fsync(descriptor)  # a killed writer may have left lines that no fsync has covered
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    while size:
        start = max(0, size - _CHUNK_BYTES)
        newline = os.pread(descriptor, size - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        size = start
    return 0


def _at_line_start(descriptor: int, byte_offset: int) -> bool:
    return byte_offset == 0 or os.pread(descriptor, 1, byte_offset - 1) == b"\n"


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _disk_error(error: OSError, where: Path) -> Exception:
    if error.errno not in _FULL:
        return error
    return DiskFull(
        "no room left for a lineage event",
        expected="room on the disk of the ledger",
        where=str(where),
        remedy="free some space and run the same command again: nothing was half written",
    )


def _no_such_place(position: Position, end: int, path: Path) -> LedgerBroken:
    return LedgerBroken(
        f"byte {position.byte_offset} (line {position.line + 1}) is not where an entry of this ledger begins",
        expected=f"the beginning of a line, at most byte {end}",
        where=str(path),
        remedy="restore the ledger from a copy, or forget the remembered position (`headwater lineage rebuild`)",
    )
