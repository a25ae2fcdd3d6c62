"""Exact duplicates: the same key and value again, within a window of offsets of one raw partition.

A record is a duplicate when its content came at one of the `window` offsets before its own; the earliest of those is its
original. That is a function of the raw log alone, so every engine, batch size and restart gives the same answer: to go on
at offset n, the state is rebuilt by reading the records from n - window on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import polars as pl
import pyarrow as pa

SEEDS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F)
"""Two 64-bit hashes of the content, 128 bits together: among 10^9 records a false duplicate has odds of 1 in 10^20."""

SWEEP = 1.5
"""A partition's memory is swept when it holds so many windows: so it is bounded, at a constant cost per record."""


@dataclass
class Seen:
    """What one raw partition's window holds: by content, the offset at which it came, or the offsets, ascending."""

    offsets: dict[int, int | list[int]] = field(default_factory=dict)
    last_offset: int = -1


DuplicateState = dict[int, Seen]
"""By raw partition."""


def originals(records: pa.RecordBatch, state: DuplicateState, window: int) -> tuple[np.ndarray, DuplicateState]:
    """Return, by record, the offset of its original or -1, and the state after the batch. Null values are no duplicates.

    Records must come in the order of each partition; one at or before the state's last offset (a replay of the same
    record) is never its own duplicate. The given state is left as it was only if nothing raises: it is handed on, not copied.
    """
    found = np.full(records.num_rows, -1, np.int64)
    if window <= 0 or not records.num_rows:
        return found, state
    contents, offsets = _contents(records), records["offset"].to_pylist()
    partitions = records["partition"].to_numpy()
    edges = [0, *(np.flatnonzero(np.diff(partitions)) + 1).tolist(), records.num_rows]
    for start, end in pairwise(edges):
        seen = state.setdefault(int(partitions[start]), Seen())
        for row, original in _repeats(seen, window, contents[start:end], offsets[start:end]):
            found[start + row] = original
        seen.last_offset = max(seen.last_offset, offsets[end - 1])
        _sweep(seen, window)
    return found, state


def _repeats(seen: Seen, window: int, contents: list[int | None], offsets: list[int]) -> Iterator[tuple[int, int]]:
    """Yield (row, original's offset) of each duplicate, and remember every content."""
    memory = seen.offsets
    for row, (content, offset) in enumerate(zip(contents, offsets, strict=True)):
        if content is None:
            continue
        entry = memory.setdefault(content, offset)
        if entry == offset:
            continue
        earlier = [entry] if isinstance(entry, int) else entry
        kept = [at for at in earlier if at >= offset - window]
        before = [at for at in kept if at < offset]
        if before:
            yield row, before[0]
        memory[content] = sorted({*kept, offset})


def _sweep(seen: Seen, window: int) -> None:
    if len(seen.offsets) > SWEEP * window:
        oldest = seen.last_offset - window
        seen.offsets = {k: at for k, at in seen.offsets.items() if (at if isinstance(at, int) else at[-1]) >= oldest}


def _contents(records: pa.RecordBatch) -> list[int | None]:
    """Return, by record, a 128-bit hash of key and value; None for a null value."""
    frame = pl.DataFrame({"key": pl.from_arrow(records["key"]), "value": pl.from_arrow(records["value"])})
    hashed = frame.select(
        (pl.col("value").hash(seed) ^ pl.col("key").hash(seed ^ 0xFFFF)).alias(f"hash_{at}") for at, seed in enumerate(SEEDS)
    )
    valid = frame["value"].is_not_null()
    pairs = zip(hashed["hash_0"].to_list(), hashed["hash_1"].to_list(), valid.to_list(), strict=True)
    return [first << 64 | second if given else None for first, second, given in pairs]
