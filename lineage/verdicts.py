"""Verdicts of the audit: what became of the offsets of each raw partition, as frozen facts that turn into JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.int64]

FIRST_SHOWN = 5


@dataclass(frozen=True)
class Offsets:
    """A set of offsets as intervals, both ends included, in order."""

    intervals: tuple[tuple[int, int], ...] = ()

    @property
    def count(self) -> int:
        """How many offsets there are."""
        return sum(last - first + 1 for first, last in self.intervals)

    def first(self, most: int = FIRST_SHOWN) -> list[int]:
        """Return the first few offsets."""
        shown: list[int] = []
        for first, last in self.intervals:
            shown += range(first, min(last + 1, first + most - len(shown)))
            if len(shown) == most:
                break
        return shown

    def as_dict(self) -> dict[str, Any]:
        """Return the set as JSON types."""
        return {"count": self.count, "first": self.first(), "intervals": [list(span) for span in self.intervals]}

    @classmethod
    def of(cls, offsets: Array) -> Offsets:
        """Return the set of a sorted array without repetition."""
        if not len(offsets):
            return cls()
        breaks = np.flatnonzero(np.diff(offsets) > 1)
        firsts = np.concatenate([offsets[:1], offsets[breaks + 1]])
        lasts = np.concatenate([offsets[breaks], offsets[-1:]])
        return cls(tuple(zip(firsts.tolist(), lasts.tolist(), strict=True)))

    @classmethod
    def gaps(cls, offsets: Array, end: int) -> Offsets:
        """Return what a sorted array of offsets below `end`, without repetition, leaves out of 0 to `end`."""
        edges = np.concatenate([np.array([-1], np.int64), offsets, np.array([end], np.int64)])
        wide = np.flatnonzero(np.diff(edges) > 1)
        return cls(tuple(zip((edges[wide] + 1).tolist(), (edges[wide + 1] - 1).tolist(), strict=True)))


@dataclass(frozen=True)
class PartitionVerdict:
    """What became of the offsets of one raw partition, 0 up to `end_offset`."""

    topic: str
    partition: int
    start_offset: int
    end_offset: int
    silver: int
    quarantine: Mapping[str, int]
    void: int
    expired_unread: Offsets
    missing: Offsets
    doubled: Mapping[str, Offsets]
    """By where they stand twice: `silver`, `quarantine`, `silver and quarantine`."""
    strangers: Offsets
    last_offset: int
    """The last offset that any table holds, -1 for none: what is missing after it may only be on its way."""
    newer: int = 0
    """Rows that were landed after the audit looked up the partition's end, and are left to the next one."""

    @property
    def ok(self) -> bool:
        """Whether each offset has one fate, and none was lost to retention."""
        return not (self.missing.count or self.doubled or self.strangers.count or self.expired_unread.count)

    @property
    def unreached(self) -> int:
        """How many of the missing offsets lie behind everything landed."""
        return sum(max(0, last - max(first, self.last_offset + 1) + 1) for first, last in self.missing.intervals)

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict as JSON types."""
        return {
            "topic": self.topic,
            "partition": self.partition,
            "ok": self.ok,
            "start_offset": self.start_offset,
            "end_offset": self.end_offset,
            "last_offset": self.last_offset,
            "silver": self.silver,
            "quarantine": dict(self.quarantine),
            "void": self.void,
            "newer": self.newer,
            "unreached": self.unreached,
            "expired_unread": self.expired_unread.as_dict(),
            "missing": self.missing.as_dict(),
            "doubled": {where: offsets.as_dict() for where, offsets in self.doubled.items()},
            "strangers": self.strangers.as_dict(),
        }


@dataclass(frozen=True)
class DatasetVerdict:
    """The verdicts of a dataset's raw partitions. `foreign` counts dead letters that never were raw records of ours."""

    dataset: str
    partitions: tuple[PartitionVerdict, ...]
    foreign: int = 0

    @property
    def ok(self) -> bool:
        """Whether every partition is."""
        return all(partition.ok for partition in self.partitions)

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict as JSON types."""
        judged = [partition.as_dict() for partition in self.partitions]
        return {"dataset": self.dataset, "ok": self.ok, "foreign": self.foreign, "partitions": judged}


@dataclass(frozen=True)
class AuditReport:
    """The verdicts of all datasets asked about."""

    datasets: tuple[DatasetVerdict, ...]

    @property
    def ok(self) -> bool:
        """Whether every dataset is."""
        return all(dataset.ok for dataset in self.datasets)

    @property
    def partitions(self) -> tuple[PartitionVerdict, ...]:
        """Every partition's verdict, in order."""
        return tuple(partition for dataset in self.datasets for partition in dataset.partitions)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON types, with totals."""
        judged = self.partitions
        return {
            "ok": self.ok,
            "offsets": sum(partition.end_offset for partition in judged),
            "silver": sum(partition.silver for partition in judged),
            "quarantine": sum(sum(partition.quarantine.values()) for partition in judged),
            "void": sum(partition.void for partition in judged),
            "expired_unread": sum(partition.expired_unread.count for partition in judged),
            "missing": sum(partition.missing.count for partition in judged),
            "doubled": sum(offsets.count for partition in judged for offsets in partition.doubled.values()),
            "strangers": sum(partition.strangers.count for partition in judged),
            "datasets": [dataset.as_dict() for dataset in self.datasets],
        }
