"""Any file, as texts to scan: Parquet by column, text by blocks of lines, everything else by the readable runs within it.

Local folders and S3 alike, through Arrow's file systems. A folder is taken as it lies: files that a Delta table no longer
names, its log with the smallest and greatest value of each column, a database's free pages, all are looked at. A local SQLite
database is read by its cells.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

import polars as pl
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from contracts.errors import NotFound
from lineage.connectors.object_store import file_system
from lineage.places import remote
from streams.connectors import scanned_sqlite
from streams.scan import Piece

BLOCK_BYTES = 64 * 1024
CHUNK_BYTES = 4 * 1024 * 1024
OVERLAP_BYTES = 512
"""How much of a chunk without a newline the next one begins with: what is cut in two at its end is whole there."""
SNIFFED_BYTES = 8 * 1024
ROWS = 8_192

READABLE = re.compile(rb"(?:[\t\x20-\x7e]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}){6,}")
"""Runs of six or more printable characters in UTF-8: what `strings` shows of a binary file, and not of ASCII alone."""

CHANCE_BYTES = 16
CHANCE_SHARE = 0.1
"""Of random bytes, one in a hundred stands in a readable run, and now and then a run reads like a short address: in 80 MB of
them we saw twelve, of six to nine characters. A run of 16 holds one by chance about once in 25 GB."""

UNREADABLE = (OSError, EOFError, zlib.error, pa.ArrowException, scanned_sqlite.DAMAGED)
"""What `pieces` raises for a file that cannot be read, or is not what its first bytes say."""

ESCAPED = re.compile(r"\\u00([2-7][0-9a-fA-F])|\\+[nrtbf\"]")
"""What JSON escapes: an ASCII character, which would hide an address from a pattern, or a line's end, which would join words."""


@dataclass(frozen=True)
class Place:
    """A file to scan: its path in its file system, its size in bytes, and how a report names it."""

    path: str
    size: int
    name: str


@dataclass(frozen=True)
class Folder:
    """What a path or an address comes to: a file system, and the files there."""

    system: pafs.FileSystem
    places: tuple[Place, ...]
    left_out: tuple[str, ...]


def folder_at(target: str, leave_out: Iterable[str] = ()) -> Folder:
    """Return the files at a local path or an `s3://` address, those below `leave_out` named apart.

    S3 is reached as the settings say, or AWS's usual variables, or as the address's query does (`?endpoint_override=...`).
    Raises NotFound when nothing is there.
    """
    if "://" in target:
        system, path = _remote(target)
        shown = target.split("?", maxsplit=1)[0].rstrip("/")
    else:
        system, path = pafs.LocalFileSystem(), str(Path(target).resolve())
        shown = target.rstrip("/") or "/"
    info = system.get_file_info(path)
    if info.type == pafs.FileType.NotFound:
        raise NotFound(f"nothing at {shown}", expected="a file, a folder or a bucket", remedy="mend the path or the address")
    if info.type == pafs.FileType.File:
        return Folder(system, (Place(path, info.size, shown),), ())
    skipped = tuple(str(Path(folder).resolve()) if "://" not in target else folder for folder in leave_out)
    infos = system.get_file_info(pafs.FileSelector(path, recursive=True))
    files = [found for found in infos if found.type == pafs.FileType.File]
    kept = [found for found in files if not any(found.path == s or found.path.startswith(s + "/") for s in skipped)]
    named = [Place(found.path, found.size, shown + found.path.removeprefix(path.rstrip("/"))) for found in kept]
    return Folder(system, tuple(sorted(named, key=lambda place: place.name)), skipped)


def is_folder(place: str) -> bool:
    """Say whether there is a folder at a local path or an address: of a bucket, whether anything's name begins so."""
    if "://" not in place:
        return Path(place).is_dir()
    system, path = _remote(place)
    return bool(system.get_file_info(path).type == pafs.FileType.Directory)


def _remote(target: str) -> tuple[pafs.FileSystem, str]:
    if remote(target) and "?" not in target:
        return file_system(target)
    system, path = pafs.FileSystem.from_uri(target)
    return system, path


def pieces(system: pafs.FileSystem, place: Place) -> Iterator[Piece]:
    """Yield a file's texts. Raises one of UNREADABLE."""
    with system.open_input_file(place.path) as opened:
        head = opened.read(SNIFFED_BYTES)
        opened.seek(0)
        if head[:4] == b"PAR1":
            yield from _parquet(opened, place.name)
        elif head[:16] == scanned_sqlite.MAGIC and isinstance(system, pafs.LocalFileSystem):
            yield from scanned_sqlite.pieces(Path(place.path), place.name, readable)
        elif head[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=cast("BinaryIO", opened)) as within:
                yield from _octets(within.read, place.name, text=None)
        else:
            yield from _octets(opened.read, place.name, text=_is_text(head))


def _parquet(opened: Any, name: str) -> Iterator[Piece]:
    """Yield the text of every column. A table's files are one place, the table: its parts are named with the row."""
    table, _, part = name.rpartition("/")
    done = 0
    for batch in pq.ParquetFile(opened).iter_batches(batch_size=ROWS):
        for column, texts in _texts_of(batch):
            yield Piece(table or name, column, texts, partial(_row, part, done))
        done += batch.num_rows


def _row(part: str, done: int, row: int, _start: int) -> str:
    return f"{part}, row {done + row + 1}"


def _texts_of(batch: pa.RecordBatch) -> Iterator[tuple[str, pl.Series]]:
    """Yield each text column, those within objects and lists by their path."""
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        yield from _texts_in(name, column)


def _texts_in(name: str, column: pa.Array) -> Iterator[tuple[str, pl.Series]]:
    kind = column.type
    if pa.types.is_dictionary(kind):
        yield from _texts_in(name, column.cast(kind.value_type))
    elif pa.types.is_struct(kind):
        for index in range(kind.num_fields):
            yield from _texts_in(f"{name}.{kind.field(index).name}", column.field(index))
    elif pa.types.is_map(kind):
        yield from _texts_in(f"{name}.key", column.keys)
        yield from _texts_in(f"{name}.value", column.items)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        yield from _texts_in(f"{name}[]", column.flatten())
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        yield name, pl.Series(name, column).cast(pl.String)
    elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        yield name, pl.Series(name, [None if v is None else readable(v) for v in column.to_pylist()], pl.String)


def readable(octets: bytes) -> str:
    """Return what a person could read in bytes of any kind: the runs of printable UTF-8, a line each.

    Bytes that look random, as ciphertext does, hold short runs by chance: of those only the long ones are told.
    """
    runs = READABLE.findall(octets)
    total = sum(map(len, runs))
    if total < CHANCE_BYTES + CHANCE_SHARE * len(octets) and 2 * total < len(octets):
        runs = [run for run in runs if len(run) >= CHANCE_BYTES]
    return "\n".join(run.decode("utf-8", "replace") for run in runs)


def unescaped(text: str) -> str:
    """Return a text with what JSON escapes as it is meant. It keeps its lines: an escaped line's end becomes a space."""
    return ESCAPED.sub(lambda match: chr(int(match[1], 16)) if match[1] else " ", text) if "\\" in text else text


def _is_text(head: bytes) -> bool:
    """Say whether a file that begins so is UTF-8 text; its end may cut a character in two."""
    if b"\0" in head:
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.start >= len(head) - 3
    return True


def _octets(read: Callable[[int], bytes], name: str, *, text: bool | None) -> Iterator[Piece]:
    """Yield a file's texts chunk by chunk; `text` is None where its first chunk is to tell whether it is text."""
    rest, line, position, ended = b"", 1, 0, False
    while not ended:
        came = read(CHUNK_BYTES)
        ended = len(came) < CHUNK_BYTES
        chunk = rest + came
        text = _is_text(chunk[:SNIFFED_BYTES]) if text is None else text
        whole, rest = (chunk, b"") if ended else _cut(chunk)
        if whole:
            yield _piece(whole, name, line, position, text=text)
        line, position = line + whole.count(b"\n"), position + len(chunk) - len(rest)


def _cut(chunk: bytes) -> tuple[bytes, bytes]:
    """Return what to look at now and what to begin the next chunk with: cut behind a newline, or both with the end of it."""
    at = chunk.rfind(b"\n") + 1
    return (chunk[:at], chunk[at:]) if at else (chunk, chunk[-OVERLAP_BYTES:])


def _piece(octets: bytes, name: str, line: int, position: int, *, text: bool) -> Piece:
    blocks = list(_blocks(octets))
    if not text:
        return Piece(
            name, "", pl.Series("text", [readable(block) for block in blocks], pl.String), partial(_byte, blocks, position)
        )
    texts = [unescaped(block.decode("utf-8", "replace")) for block in blocks]
    return Piece(name, "", pl.Series("text", texts, pl.String), partial(_line, texts, line))


def _line(texts: list[str], line: int, row: int, start: int) -> str:
    return f"line {line + sum(text.count(chr(10)) for text in texts[:row]) + texts[row][:start].count(chr(10)):,}"


def _byte(blocks: list[bytes], position: int, row: int, _start: int) -> str:
    return f"after byte {position + sum(map(len, blocks[:row])):,}"


def _blocks(octets: bytes) -> Iterator[bytes]:
    """Cut at a newline behind every 64 KiB: many texts of human size are faster to look through than one."""
    begin = 0
    while begin < len(octets):
        end = octets.find(b"\n", min(begin + BLOCK_BYTES, len(octets) - 1)) + 1 or len(octets)
        yield octets[begin:end]
        begin = end
