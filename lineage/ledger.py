"""The ledger: what a place for events promises, and how one entry looks in bytes.

An entry is one line of canonical JSON, `{"event":{...},"id":"..."}`. The id comes last because keys are in order, so
that it is found from the line's end without reading the event. The line is what a Merkle leaf is made of.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import orjson

from contracts.errors import LedgerBroken
from lineage.canonical import canonical_json

_ID_MARK = b',"id":"'
_LINE_START = b'{"event":{'
_LINE_END = b'"}'


class Position(NamedTuple):
    """A place between two entries: so many lines, and so many bytes, stand before it."""

    line: int = 0
    byte_offset: int = 0


START = Position()


@dataclass(frozen=True)
class Entry:
    """One event in its place. `end` is where the next entry begins: what a reader remembers to go on."""

    position: Position
    end: Position
    event_id: str
    event: dict[str, Any]


class Ledger(Protocol):
    """An append-only sequence of events, each id once.

    `append` and `append_all` return when what they acknowledge will survive a crash of the machine; on an error
    nothing was acknowledged, and the same call may be made again. Many threads and processes may append at once; all
    readers see one order. An entry that a reader was given keeps its position for ever.
    """

    def append(self, event_id: str, event: Mapping[str, Any]) -> bool:
        """Take an event; return False if its id is there already, whoever put it there."""
        ...

    def append_all(self, events: Iterable[tuple[str, Mapping[str, Any]]]) -> list[bool]:
        """Take events in order, as one: all of them are there on return, none of the new ones after an error."""
        ...

    def events(self, start: Position = START) -> Iterator[Entry]:
        """Return the entries from a position on, up to the end as it stood when the first one was asked for."""
        ...

    def size(self) -> int:
        """Return how many bytes of whole lines there are: a cheap way to see whether something is new."""
        ...


def entry_line(event_id: str, event: Mapping[str, Any]) -> bytes:
    """Return the line of an entry, its newline included."""
    return canonical_json({"event": event, "id": event_id}) + b"\n"


def line_id(line: bytes, position: Position) -> str:
    """Return the id of a line, without its newline. Raises LedgerBroken if it is no entry's line.

    A quote within an event's text is escaped, so the last mark in the line is the true one.
    """
    at = line.rfind(_ID_MARK)
    if at < 0 or not line.startswith(_LINE_START) or not line.endswith(_LINE_END):
        raise broken_line(position)
    return str(orjson.loads(line[at + len(_ID_MARK) - 1 : -1]))


def packed_id(event_id: str) -> bytes:
    """Return an id in the fewest bytes: 16 for a UUID in its one usual spelling, which all of ours have."""
    if len(event_id) == 36:
        try:
            packed = bytes.fromhex(event_id.replace("-", ""))
        except ValueError:
            packed = b""
        text = packed.hex()
        if len(packed) == 16 and event_id == f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}":
            return packed
    return b"=" + event_id.encode("utf-8")


def entry_of(line: bytes, position: Position) -> Entry:
    """Return the entry of a line, without its newline. Raises LedgerBroken if it is no entry's line."""
    try:
        read = orjson.loads(line)
        event, event_id = read["event"], read["id"]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise broken_line(position) from error
    if not isinstance(event, dict) or not isinstance(event_id, str):
        raise broken_line(position)
    return Entry(position, Position(position.line + 1, position.byte_offset + len(line) + 1), event_id, event)


def broken_line(position: Position) -> LedgerBroken:
    """Return the error for a line that no code of ours wrote."""
    return LedgerBroken(
        "a line of the ledger is no entry",
        expected='{"event":{...},"id":"..."} as canonical JSON',
        where=f"line {position.line + 1}, byte {position.byte_offset}",
        remedy="restore the ledger from a copy; its lines are never edited",
    )
