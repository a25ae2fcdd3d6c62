"""A SQLite database as texts to scan: each cell by table and column, and apart from them what deleted rows left in its pages.

Read as one run of bytes, a cell would be joined to its neighbour, and two versions side by side read like an address.
Pages are read by the database's file format (https://www.sqlite.org/fileformat2.html, sections 1.5 and 1.6).
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import polars as pl

from streams.scan import Piece

MAGIC = b"SQLite format 3\0"
ROWS = 8_192
HEADER_BYTES = 100
LARGEST_PAGE = 65_536
BTREE_HEADERS = {2: 12, 5: 12, 10: 8, 13: 8}
"""A b-tree page's first byte -> the length of its header: interior and leaf pages of indexes and tables."""

DAMAGED = sqlite3.DatabaseError
Readable = Callable[[bytes], str]


def pieces(file: Path, name: str, readable: Readable) -> Iterator[Piece]:
    """Yield the cells, then what is left in pages. Raises sqlite3.DatabaseError for a file that is damaged."""
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        connection.text_factory = bytes
        yield from _cells(connection, name, readable)
    left = [readable(octets) for octets in leftovers(file)]
    yield Piece(name, "deleted rows", pl.Series("text", left, pl.String), lambda _row, _start: "pages of the file")


def _cells(connection: sqlite3.Connection, name: str, readable: Readable) -> Iterator[Piece]:
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'")
    for table in ["sqlite_master", *(str(row[0], "utf-8", "replace") for row in tables.fetchall())]:
        quoted = table.replace('"', '""')
        cursor = connection.execute(f'SELECT * FROM "{quoted}"')  # noqa: S608  the name is quoted
        columns, done = [str(column[0]) for column in cursor.description], 0
        while rows := cursor.fetchmany(ROWS):
            for column, cells in zip(columns, zip(*rows, strict=True), strict=True):
                texts = [readable(cell) if isinstance(cell, bytes) else None for cell in cells]
                yield Piece(name, f"{table}.{column}", pl.Series("text", texts, pl.String), partial(_row, done))
            done += len(rows)


def _row(done: int, row: int, _start: int) -> str:
    return f"row {done + row + 1:,}"


def leftovers(file: Path) -> Iterator[bytes]:
    """Yield what no cell holds: free pages, and the unused parts of b-tree pages. The end of an overflow page is not among it."""
    with file.open("rb") as opened:
        header = opened.read(HEADER_BYTES)
        size = int.from_bytes(header[16:18], "big")
        size = LARGEST_PAGE if size == 1 else size
        free = _free_pages(opened.seek, opened.read, size, int.from_bytes(header[32:36], "big"))
        opened.seek(0)
        number = 0
        while page := opened.read(size):
            number += 1
            if number in free:
                yield page
            else:
                yield from _unused(page, HEADER_BYTES if number == 1 else 0)


def _free_pages(seek: Callable[[int], int], read: Callable[[int], bytes], size: int, trunk: int) -> set[int]:
    """Follow the list of free pages: each trunk names the next one and its leaves. A damaged list ends where it first repeats."""
    free: set[int] = set()
    while trunk and trunk not in free:
        seek((trunk - 1) * size)
        page = read(size)
        if len(page) < size:
            break
        following, count = struct.unpack_from(">II", page)
        leaves = page[8 : 8 + 4 * min(count, size // 4 - 2)]
        free |= {trunk, *struct.unpack(f">{len(leaves) // 4}I", leaves)}
        trunk = following
    return free


def _unused(page: bytes, at: int) -> Iterator[bytes]:
    """Yield a b-tree page's room between its pointers and its cells, and its freed blocks; nothing of a page of another kind."""
    length = BTREE_HEADERS.get(page[at]) if len(page) > at + 12 else None
    if length is None:
        return
    block, cells, content = struct.unpack_from(">HHH", page, at + 1)
    begin, end = at + length + 2 * cells, content or LARGEST_PAGE
    if begin < end <= len(page):
        yield page[begin:end]
    seen: set[int] = set()
    while block and block not in seen and block + 4 <= len(page):
        seen.add(block)
        following, size = struct.unpack_from(">HH", page, block)
        yield page[block + 4 : block + size]
        block = following
