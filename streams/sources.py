"""What a source of raw records hands to the engine that sends them: batches, in an order that never changes.

A source numbers its records. The number stands in the `source` header of each record (`contracts.records.SOURCE_HEADER`)
as `<source id>+<start>:<sequence>`, where `start` is the first number of the stretch that its partition holds without a
gap. So a run that was killed, or is simply typed again, reads the last header of each partition and sends only the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from contracts.errors import TerminalError
from contracts.records import SOURCE_HEADER
from lineage.facts import Dataset

UNKNOWN = -1
"""Sequence before the first one: nothing is there."""


@dataclass(frozen=True)
class SourceBatch:
    """Consecutive records of a source: parallel lists, the first record's number, and what each belongs to.

    `datasets` says of each record which of the source's datasets it is, by index. `event_times_us` are microseconds since
    1970 UTC, and empty where the source does not know them.
    """

    first_sequence: int
    datasets: Sequence[int]
    keys: Sequence[bytes | None]
    values: Sequence[bytes]
    event_times_us: Sequence[int] = ()

    def __len__(self) -> int:
        return len(self.values)

    def part(self, start: int, stop: int) -> SourceBatch:
        """Return the records from the place `start` to the one before `stop`, with their numbers."""
        return SourceBatch(
            self.first_sequence + start,
            self.datasets[start:stop],
            self.keys[start:stop],
            self.values[start:stop],
            self.event_times_us[start:stop],
        )


@dataclass(frozen=True)
class Source:
    """Raw records of one or more datasets, to be read as often as one likes unless it is a stream.

    `id` names the input by its content (a fingerprint), so that a changed input counts as a new source. `resumable` is
    False where sending again is what the user means: their own files. `total` is None where only reading tells.
    """

    id: str
    datasets: tuple[str, ...]
    batches: Callable[[], Iterator[SourceBatch]]
    inputs: Mapping[str, tuple[Dataset, ...]]
    first_sequence: int = 0
    total: int | None = None
    resumable: bool = True


@dataclass(frozen=True)
class Tail:
    """What the last record of a partition says of its source."""

    source: str
    start: int
    sequence: int


def source_header(source: str, start: int) -> bytes:
    """Return the part of the header's value that all records of a run share; the sequence's digits follow it."""
    return f"{source}+{start}:".encode()


def parsed_tail(header: bytes | None) -> Tail | None:
    """Return what a header says; None for a record that no source of ours wrote."""
    if header is None:
        return None
    name, _, sequence = header.decode("utf-8", "replace").rpartition(":")
    source, _, start = name.rpartition("+")
    if not (source and start.isdecimal() and sequence.isdecimal()):
        return None
    return Tail(source, int(start), int(sequence))


@dataclass(frozen=True)
class Progress:
    """Where a run goes on: the start that its headers carry, and by dataset and partition the last number already there."""

    start: int
    last_sequences: tuple[tuple[int, ...], ...]


def progress(source: Source, tails: Mapping[str, Sequence[Tail | None]]) -> Progress:
    """Return where a source goes on, from the tails of its partitions by dataset. Called once, before anything is sent.

    A partition whose tail is of another source, or of none, gets all of this one. Raises TerminalError when the run would
    begin before the stretch that is there: the earlier records would come after later ones, and the later ones again.
    """
    own = {name: [t if t is not None and t.source == source.id else None for t in tails[name]] for name in source.datasets}
    found = [tail for name in source.datasets for tail in own[name] if tail is not None]
    latest = max((tail.start for tail in found), default=source.first_sequence)
    if not source.resumable or not found:
        return Progress(source.first_sequence, tuple(tuple(UNKNOWN for _ in tails[name]) for name in source.datasets))
    if source.first_sequence < latest:
        raise _begins_too_early(source, latest)
    everywhere = all(tail is not None and source.first_sequence <= tail.sequence + 1 for name in own for tail in own[name])
    sequences = tuple(tuple(tail.sequence if tail else UNKNOWN for tail in own[name]) for name in source.datasets)
    return Progress(latest if everywhere else source.first_sequence, sequences)


def _begins_too_early(source: Source, latest: int) -> TerminalError:
    return TerminalError(
        f"the raw topics already hold this source from record {latest} on, and this run begins at record {source.first_sequence}",
        expected="a run that begins where the one before it began, or after it",
        where=f"source {source.id}, header {SOURCE_HEADER!r}",
        remedy="give --from no earlier than before, or produce into an empty broker (headwater down, another home)",
    )
