"""Judge a current table by the history it was merged from, key by key: a reading that shares no code with the merge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl
import pyarrow as pa

from contracts.records import CHANGED_AT, KIND, OFFSET, PARTITION, SEQUENCE, TOPIC

PLACE = (TOPIC, PARTITION, OFFSET)
HISTORY_COLUMNS = (CHANGED_AT, SEQUENCE, *PLACE, KIND)


@dataclass(frozen=True)
class CurrentVerdict:
    """How many keys of a current table are as the history of its silver version has them, and how many are not."""

    dataset: str
    silver_version: int
    behind: int
    """Silver versions since: what they changed is not in the table yet, which is no fault."""
    keys: int
    """Keys that are there, by the history."""
    missing: int
    """Of these, how many the table lacks."""
    stale: int
    """Keys whose row is not their newest change."""
    risen: int
    """Keys that the table has and the history does not: deleted, or never there."""
    doubled: int
    """Keys with more than one row."""

    @property
    def ok(self) -> bool:
        """Whether the table is what its history says."""
        return not (self.missing or self.stale or self.risen or self.doubled)

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict as JSON types."""
        return {**asdict(self), "ok": self.ok}


def judged_current(
    dataset: str, history: pa.Table, current: pa.Table, keys: Sequence[str], *, silver_version: int, behind: int
) -> CurrentVerdict:
    """Return the verdict on a current table. `history` has its keys and HISTORY_COLUMNS, `current` its keys and PLACE."""
    names = list(keys)
    order = [pl.col(CHANGED_AT), pl.col(SEQUENCE).fill_null(""), *map(pl.col, PLACE)]
    ends = pl.DataFrame(history).group_by(names).agg(pl.col(*PLACE, KIND).sort_by(order).last())
    expected = ends.filter(pl.col(KIND) != "delete").drop(KIND)
    table = pl.DataFrame(current)
    held = table.unique(names)
    both = expected.join(held, on=names, suffix="_held")
    same = both.filter([pl.col(name) == pl.col(f"{name}_held") for name in PLACE])
    return CurrentVerdict(
        dataset,
        silver_version,
        behind,
        keys=expected.height,
        missing=expected.height - both.height,
        stale=both.height - same.height,
        risen=held.height - both.height,
        doubled=table.height - held.height,
    )
