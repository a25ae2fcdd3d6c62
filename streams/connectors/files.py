"""Give a person's own files as a source of raw records: JSON lines, JSON, folders of them, standard input.

What a file holds is sent as it is, byte for byte: a line that breaks its contract becomes a dead letter, not an error here.
Only what cannot be a record at all stops: no such file, an unknown kind of file, a torn archive, a record that no topic takes.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from contracts.contract import Contract
from contracts.errors import NotFound, TerminalError
from lineage.facts import Dataset
from lineage.names import table_name
from streams.json_records import array_items, record_key
from streams.sources import Source, SourceBatch

STDIN = "-"
LINE_ENDINGS = (".jsonl", ".ndjson")
ENDINGS = (*LINE_ENDINGS, ".json")
BATCH_RECORDS = 10_000
BATCH_BYTES = 8 * 1024 * 1024
STDIN_BYTES = 1024 * 1024
RECORD_BYTES_MAX = 15 * 1024 * 1024
"""Below the raw topics' `max.message.bytes`, which counts the key and the headers too."""


def files_source(contract: Contract, paths: Sequence[str], stdin: Callable[[], BinaryIO]) -> Source:
    """Return the records in the paths, in the order given; folders are walked by name. `-` is standard input.

    Nothing is read before the batches are asked for, but every path is looked up. Sent again when asked again: a file
    of yours is not known by its content. Raises NotFound for a path that is not there or holds no file of a known kind.
    """
    found = [(path, _files_of(path)) for path in paths]

    def batches() -> Iterator[SourceBatch]:
        first = 0
        for path, files in found:
            for values in _from_stdin(stdin()) if path == STDIN else _from_files(files):
                keys = [record_key(value, contract.key) for value in values]
                yield SourceBatch(first, [0] * len(values), keys, values)
                first += len(values)

    return Source(
        id=f"files-{contract.dataset}",
        datasets=(contract.dataset,),
        batches=batches,
        inputs={contract.dataset: tuple(_dataset(path) for path in paths)},
        resumable=False,
    )


def records_of(path: str, stdin: Callable[[], BinaryIO]) -> Iterator[bytes]:
    """Yield the records in a file or folder, or on standard input (`-`), as they are. Raises NotFound as `files_source` does."""
    for values in _from_stdin(stdin()) if path == STDIN else _from_files(_files_of(path)):
        yield from values


def _files_of(path: str) -> list[Path]:
    if path == STDIN:
        return []
    place = Path(path)
    if place.is_dir():
        files = [file for file in sorted(place.rglob("*")) if _kind(file) and file.is_file() and not _hidden(file, place)]
        if files:
            return files
        raise NotFound(f"the folder {path} holds nothing to send", expected=f"files ending in {_known_endings()}")
    if not place.exists():
        raise NotFound(f"no such file or folder: {path}", remedy="check the path, or give - and pipe JSON lines in")
    if not _kind(place):
        raise NotFound(
            f"{path} is of no kind that is known here",
            expected=f"a file ending in {_known_endings()}",
            remedy=f"rename it, or pipe JSON lines in: headwater produce DATASET - < {path}",
        )
    return [place]


def _kind(file: Path) -> str:
    """Return the ending that says what a file holds, with `.gz` left aside; empty for an unknown one."""
    name = file.name.lower().removesuffix(".gz")
    return next((ending for ending in ENDINGS if name.endswith(ending)), "")


def _hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


def _known_endings() -> str:
    return f"{', '.join(ENDINGS)}, each also with .gz"


def _from_stdin(stream: BinaryIO) -> Iterator[list[bytes]]:
    """Yield the lines of a pipe as soon as they have come: whoever writes it may take all day."""
    rest, number = b"", 0
    read = getattr(stream, "read1", stream.read)
    while chunk := read(STDIN_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        _must_fit(rest, f"standard input, line {number + len(lines) + 1}")
        if values := list(_records(lines, "standard input", number)):
            yield values
        number += len(lines)
    if values := list(_records([rest], "standard input", number)):
        yield values


def _from_files(files: Sequence[Path]) -> Iterator[list[bytes]]:
    for file in files:
        try:
            with _opened(file) as stream:
                where = str(file)
                yield from _chunks(_lines(stream, where) if _kind(file) in LINE_ENDINGS else _whole(stream, where))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise TerminalError(f"the archive is torn: {error}", expected="a whole gzip file", where=str(file)) from error


def _opened(file: Path) -> BinaryIO:
    return gzip.open(file, "rb") if file.name.lower().endswith(".gz") else file.open("rb")  # type: ignore[return-value]


def _lines(stream: BinaryIO, where: str) -> Iterator[bytes]:
    number = 0
    while line := stream.readline(RECORD_BYTES_MAX + 2):
        yield from _records([line], where, number)
        number += 1


def _records(lines: Sequence[bytes], where: str, before: int) -> Iterator[bytes]:
    """Yield the lines without their ends; blank ones are no records. `before` is how many lines came before these."""
    for number, line in enumerate(lines, start=before + 1):
        value = line.rstrip(b"\r\n")
        _must_fit(value, f"{where}, line {number}")
        if value.strip():
            yield value


def _whole(stream: BinaryIO, where: str) -> Iterator[bytes]:
    for number, value in enumerate(array_items(stream.read()), start=1):
        _must_fit(value, f"{where}, record {number}")
        yield value


def _must_fit(value: bytes, where: str) -> None:
    if len(value) > RECORD_BYTES_MAX:
        raise TerminalError(
            f"a record of more than {RECORD_BYTES_MAX} bytes",
            expected="records that a raw topic takes",
            where=where,
            remedy="cut it up, or leave it out; what came before it has been sent",
        )


def _chunks(values: Iterator[bytes]) -> Iterator[list[bytes]]:
    held: list[bytes] = []
    size = 0
    for value in values:
        held.append(value)
        size += len(value)
        if len(held) == BATCH_RECORDS or size >= BATCH_BYTES:
            yield held
            held, size = [], 0
    if held:
        yield held


def _dataset(path: str) -> Dataset:
    namespace, name = table_name("/dev/stdin" if path == STDIN else str(Path(path).resolve()))
    return Dataset(namespace, name, "files")
