"""What a hop function returns: rows, dead letters, duplicates, next offsets, counts and state, side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.records import Reason

State = TypeVar("State")


@dataclass(frozen=True)
class Outcome(Generic[State]):
    """The result of one batch of one topic. Every record that came in is in exactly one of `rows`, `dead_letters`, `repeated`."""

    rows: pa.Table
    dead_letters: pa.Table
    """In contracts.records.DEAD_LETTER_SCHEMA, duplicates included: their reason is `duplicate`."""
    repeated: int
    """Records dropped because the table, or this batch, already holds their coordinates."""
    next_offsets: Mapping[int, int]
    """First unread offset of each input partition."""
    state: State
    discarded: Mapping[str, int] = field(default_factory=dict)
    """Values left out of rows that were kept, by field."""
    masked: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """What was masked in the rows: by field, by type of entity or treatment."""

    @property
    def reasons(self) -> dict[str, int]:
        """Count the dead letters by reason, duplicates left out."""
        counts = Counter(self.dead_letters["reason"].to_pylist())
        counts.pop(Reason.DUPLICATE.value, None)
        return dict(sorted(counts.items()))

    @property
    def duplicates(self) -> int:
        """Count the exact duplicates."""
        return int(pc.sum(pc.equal(self.dead_letters["reason"], Reason.DUPLICATE.value)).as_py() or 0)


def offset_ranges(partitions: pa.Array, offsets: pa.Array) -> dict[int, tuple[int, int]]:
    """Return, by partition, the first and last offset of a batch."""
    held, at = partitions.to_numpy(), offsets.to_numpy()
    spans = {partition: at[held == partition] for partition in np.unique(held).tolist()}
    return {partition: (int(here.min()), int(here.max())) for partition, here in spans.items()}
