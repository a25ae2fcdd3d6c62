"""The commit of a backfill to one table, beside a running `land`: neither writes a raw record that the other has written.

It is `engines/writer.py`'s commit, with two differences. It moves no progress, for it read no topic: so it learns what the
table holds whenever the table has a version that it did not judge by. And it raises the `txn` version of REPLAY_APPLICATION,
whereupon a `land` that comes second learns anew what the table holds. Both commit for the very version that they judged, or
not at all; of two that want the same version one is refused, looks again, and drops what it finds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pyarrow as pa

from contracts.contract import Contract
from contracts.records import OFFSET, PARTITION, TOPIC
from lineage.facts import Dataset, OffsetRange, RunRef
from streams.backfill import Part
from streams.connectors import delta
from streams.connectors.kafka import Slot
from streams.engines.writer import REPLAY_APPLICATION, Buffer, Layer, TableWriter
from streams.held import fresh_rows, held_coordinates
from streams.land import Held
from streams.setup import Setup
from streams.topology import bronze_dataset


class BackfillWriter(TableWriter):
    """Buffers what a backfill has for one table, and commits it. Not for several threads at once."""

    def __init__(self, setup: Setup, contract: Contract, layer: Layer, run: RunRef, bronze: str) -> None:
        super().__init__(setup, contract, layer, run)
        self._bronze = bronze
        self._judged = -1
        """The table version that `held` is of."""
        self.elsewhere: Callable[[], Held] = Held
        """Says what the dataset's other table holds now: a record has one fate."""
        self.overtaken = 0

    def add(self, rows: pa.Table, part: Part) -> None:
        """Take the rows of one part that are for this table."""
        if not rows.num_rows:
            return
        span = {Slot(self.contract.raw_topic, part.partition): (part.first_offset, part.last_offset)}
        self.buffer.add(rows, span, records=part.records, size=rows.nbytes, repeated=0)
        self.buffer.seconds += part.seconds

    @property
    def commits(self) -> int:
        """How many commits were made."""
        return self._commits

    @property
    def full(self) -> bool:
        """Whether what is buffered is a commit's worth."""
        limits, held = self.setup.limits, self.buffer
        return bool(held.rows) and (held.records >= limits.commit_records or held.size >= limits.commit_bytes)

    def reload(self) -> None:
        """Drop what is buffered and learn from the table what it holds."""
        self.buffer, self._judged = Buffer(), -1
        self.learn()

    def learn(self) -> Held:
        """Return what the table holds now: of a table that grew, only what came is read."""
        seen, lasts = delta.progress(self.uri, [REPLAY_APPLICATION])
        self._replays = lasts.get(REPLAY_APPLICATION, -1)
        if seen != self._judged:
            came = (
                delta.added(self.uri, self._judged + 1, seen, columns=[TOPIC, PARTITION, OFFSET]) if self._judged >= 0 else None
            )
            self.held = self._held_at(seen) if came is None else _with(self.held, held_coordinates(came))
            self._judged = seen
        return self.held

    def _trimmed(self) -> int:
        """Drop from the buffer what a table has by now; return the table version that this was judged by."""
        other, mine = self.elsewhere(), self.learn()
        kept = []
        for rows in self.buffer.rows:
            fresh, _ = fresh_rows(rows, mine)
            fresh, _ = fresh_rows(fresh, other)
            self.buffer.repeated += rows.num_rows - fresh.num_rows
            self.overtaken += rows.num_rows - fresh.num_rows
            kept += [fresh] if fresh.num_rows else []
        self.buffer.rows = kept
        return self._judged

    def _transactions(self) -> dict[str, int]:
        return {REPLAY_APPLICATION: self._replays + 1}

    def _input(self, ranges: tuple[OffsetRange, ...]) -> Dataset:
        return replace(bronze_dataset(self._bronze), offsets=ranges)


def _with(held: Held, more: Held) -> Held:
    offsets = dict(held.offsets)
    for place, came in more.offsets.items():
        offsets[place] = offsets[place].union(came) if place in offsets else came
    return Held(offsets)
