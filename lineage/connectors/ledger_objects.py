"""The ledger in a bucket: immutable segments whose names are their places, written only where nothing stands.

    segments/<first byte>-<first line>.jsonl     one append: whole canonical lines, never changed, never removed
    packs/1/<first byte>-<first line>.jsonl      PACKED segments in a row, byte for byte, so that a reader asks for few objects
    packs/2/<first byte>-<first line>.jsonl      PACKED of these in a row

One after the other, the segments are what the file ledger's `events.jsonl` would be, byte for byte. An append:

1. put the new lines at the end that we know, if no object stands there (`If-None-Match: *`). Of writers who know the same end
   one succeeds: the store orders them. Succeeding also says that nobody has appended since we looked, so that the ids we know
   are all the ids there are. The answer comes when the store has the object
2. another stands there: read what others appended, learn its ids, and try again behind it. An id that has come meanwhile is
   left out

A crash before the put leaves nothing, one after it an entry that nobody was told of: the next append of the same id finds it.
Segments stay for ever. Were one removed, a writer that slept since before could put another in its place.

When PACKED segments stand behind the last pack, the next append first puts them together as one, and packs likewise. What a pack
holds follows from the segments alone, so two writers who pack at once write the same, and one of them finds it there.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from contracts.errors import CommitConflict, LedgerBroken
from lineage.connectors.object_store import Objects
from lineage.ledger import START, Entry, Position, entry_line, entry_of, line_id, packed_id
from lineage.places import joined

PACKED = 32
SEGMENTS, PACKS = "segments/", "packs/"
KINDS = (f"{PACKS}2/", f"{PACKS}1/", SEGMENTS)
"""From the coarsest to the finest: of each, what stands behind the coarser ones is what a reader asks for."""
NAME = re.compile(r"(?:segments|packs/[12])/([0-9]{20})-([0-9]{12})\.jsonl")
RACES_MAX = 100
READERS = 8
"""Objects asked for at once: a store answers each in milliseconds, and many in the same."""


class Part(NamedTuple):
    """One object of the ledger: its name, where it begins, its size in bytes."""

    name: str
    start: Position
    size: int

    @property
    def end_byte(self) -> int:
        """Where the next part begins."""
        return self.start.byte_offset + self.size


class ObjectLedger:
    """A `lineage.ledger.Ledger` below a place in an object store."""

    def __init__(self, place: str, objects: Objects | None = None) -> None:
        self.place = place
        self._objects = objects or Objects(place)
        self._turn = threading.Lock()
        self._ids: set[bytes] = set()
        self._end = START
        """Up to here the ids are known."""
        self._loose: dict[str, list[Part]] = {kind: [] for kind in KINDS}
        """By kind, up to `_end`: what is in no coarser pack."""
        self._held: dict[Part, bytes] = {}
        """What the loose segments hold: few, since they are packed soon."""
        self._coarsest: list[Part] = []
        """The coarsest packs that were seen: they never change."""

    def append(self, event_id: str, event: Mapping[str, Any]) -> bool:
        """Take an event; return False if its id is there already. See `append_all`."""
        return self.append_all([(event_id, event)])[0]

    def append_all(self, events: Iterable[tuple[str, Mapping[str, Any]]]) -> list[bool]:
        """Take events in order as one object; return for each whether it was new.

        Durable on return. Raises StoreAway or StoreRefused: then nothing was acknowledged, and the same call may be made again.
        Raises LedgerBroken for objects we did not write.
        """
        batch = [(event_id, entry_line(event_id, event)) for event_id, event in events]
        if not batch:
            return []
        with self._turn:
            if self._end == START:
                self._catch_up()
            self._pack()
            for _ in range(RACES_MAX):
                new = self._new(batch)
                if self._put([pair for pair, wanted in zip(batch, new, strict=True) if wanted]):
                    return new
                self._catch_up()
        raise CommitConflict(f"lost {RACES_MAX} races for the end of the ledger", where=self.place, remedy="the same again")

    def events(self, start: Position = START) -> Iterator[Entry]:
        """Return the entries from `start` on, which is START or the `end` of an entry read before.

        Raises LedgerBroken if `start` is no such place, a line is no entry, or an object is missing or not whole.
        """
        parts = self._parts()
        end = parts[-1].end_byte if parts else 0
        if start.byte_offset > end:
            raise self._no_such_place(start, end)
        at = start
        for part, content in self._contents([part for part in parts if part.end_byte > start.byte_offset]):
            skipped = at.byte_offset - part.start.byte_offset
            if skipped and content[skipped - 1 : skipped] != b"\n":
                raise self._no_such_place(start, end)
            for line in content[skipped:-1].split(b"\n"):
                entry = entry_of(line, at)
                yield entry
                at = entry.end

    def size(self) -> int:
        """Return how many bytes of whole lines there are: a cheap way to see whether something is new."""
        parts = self._parts()
        return parts[-1].end_byte if parts else 0

    def _new(self, batch: Sequence[tuple[str, bytes]]) -> list[bool]:
        seen: set[bytes] = set()
        new = []
        for event_id, _ in batch:
            key = packed_id(event_id)
            new.append(key not in self._ids and key not in seen)
            seen.add(key)
        return new

    def _put(self, fresh: Sequence[tuple[str, bytes]]) -> bool:
        """Put new lines at the end that we know; return False if others stand there."""
        if not fresh:
            return True
        lines = b"".join(line for _, line in fresh)
        part = Part(_name(SEGMENTS, self._end), self._end, len(lines))
        if not self._objects.put_if_absent(part.name, lines):
            return False
        self._ids.update(packed_id(event_id) for event_id, _ in fresh)
        self._loose[SEGMENTS].append(part)
        self._held[part] = lines
        self._end = Position(self._end.line + len(fresh), part.end_byte)
        return True

    def _catch_up(self) -> None:
        """Learn the ids that others appended, and what is packed by now."""
        parts, at, learned, held = self._parts(), self._end, set[bytes](), self._held
        for part, content in self._contents([part for part in parts if part.end_byte > at.byte_offset]):
            for line in content[at.byte_offset - part.start.byte_offset : -1].split(b"\n"):
                learned.add(packed_id(line_id(line, at)))
                at = Position(at.line + 1, at.byte_offset + len(line) + 1)
            held[part] = content
        self._ids |= learned
        self._end = at
        self._loose = {kind: [part for part in parts if part.name.startswith(kind)] for kind in KINDS}
        self._held = {part: held[part] for part in self._loose[SEGMENTS]}

    def _pack(self) -> None:
        """Put PACKED loose objects of a kind together, byte for byte, wherever so many have gathered. They stay."""
        for finer, coarser in ((KINDS[2], KINDS[1]), (KINDS[1], KINDS[0])):
            while len(self._loose[finer]) >= PACKED:
                first = self._loose[finer][:PACKED]
                missing = dict(self._contents([part for part in first if part not in self._held]))
                content = b"".join(missing[part] if part in missing else self._held[part] for part in first)
                made = Part(_name(coarser, first[0].start), first[0].start, len(content))
                self._objects.put_if_absent(made.name, content)
                self._loose[coarser].append(made)
                self._loose[finer] = self._loose[finer][PACKED:]
                self._held = {part: content for part, content in self._held.items() if part not in first}

    def _parts(self) -> list[Part]:
        """Return what the ledger is made of, in order: of each kind what stands behind the coarser ones."""
        coarsest = [*self._coarsest, *self._listed(KINDS[0], _end_of(self._coarsest))]
        parts = list(coarsest)
        for kind in KINDS[1:]:
            parts += self._listed(kind, _end_of(parts))
        at = 0
        for part in parts:
            if part.start.byte_offset != at:
                raise self._broken(part, f"{at - part.start.byte_offset:+,} bytes from the end of the one before")
            at = part.end_byte
        self._coarsest = coarsest
        return parts

    def _listed(self, kind: str, first_byte: int) -> list[Part]:
        """Return the objects of a kind that begin at a byte or behind it."""
        parts = []
        for listed in self._objects.listed(kind, f"{kind}{first_byte:020}"):
            named = NAME.fullmatch(listed.name)
            if named is None:
                raise self._broken(Part(listed.name, START, 0), "not a name of ours")
            parts.append(Part(listed.name, Position(int(named[2]), int(named[1])), listed.size))
        return parts

    def _contents(self, parts: Sequence[Part]) -> Iterator[tuple[Part, bytes]]:
        """Yield the parts with what they hold, in order, some asked for ahead."""
        with ThreadPoolExecutor(READERS, "headwater-ledger") as readers:
            for first in range(0, len(parts), READERS):
                some = parts[first : first + READERS]
                for part, content in zip(some, readers.map(self._objects.get, [part.name for part in some]), strict=True):
                    if content is None or len(content) != part.size or not content.endswith(b"\n"):
                        raise self._broken(part, "not whole")
                    yield part, content

    def _broken(self, part: Part, why: str) -> LedgerBroken:
        return LedgerBroken(
            f"an object of the ledger is {why}",
            expected="segments and packs as they were written, one beginning where the other ends",
            where=joined(self.place, part.name),
            remedy="restore the object from a copy or an earlier version of it; objects of the ledger are never edited",
        )

    def _no_such_place(self, position: Position, end: int) -> LedgerBroken:
        return LedgerBroken(
            f"byte {position.byte_offset} (line {position.line + 1}) is not where an entry of this ledger begins",
            expected=f"the beginning of a line, at most byte {end}",
            where=self.place,
            remedy="restore the ledger from a copy, or forget the remembered position (`headwater lineage rebuild`)",
        )


def _name(kind: str, start: Position) -> str:
    """Return the name of what begins at a place: names are in the order of places."""
    return f"{kind}{start.byte_offset:020}-{start.line:012}.jsonl"


def _end_of(parts: Sequence[Part]) -> int:
    return parts[-1].end_byte if parts else 0
