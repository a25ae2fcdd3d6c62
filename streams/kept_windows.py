"""What one raw partition's window of duplicates holds, as bytes that outlive the process and the code: for keyed state.

The form has a number, and a mark of the hash function: bytes of another form, or made with another hash (Polars may change its
own with a release), are not read, and whoever asks rebuilds the window from the raw log instead.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from streams.changes import LastChange
from streams.contents import Contents, Run
from streams.duplicates import SEEDS, Seen
from streams.packing import packed, unpacked

FORM = b"1"
_CONTENT_BYTES = 16
_HEAD = struct.Struct("<qq")
_PLACE = struct.Struct("<q")


def packed_window(seen: Seen) -> bytes:
    """Return the window as bytes: 24 a record that it holds, put together by copying whole columns."""
    runs = [column.tobytes() for run in (seen.contents.old, seen.contents.recent) for column in run]
    keys, key_ats = _flat((key, held[1]) for key, held in seen.latest.items())
    latest, _ = _flat((held[0], held[1]) for held in seen.latest.values())
    change = seen.last_change
    moved = None if change is None else packed([change.key, _PLACE.pack(change.changed_at), _text(change.sequence)])
    times = [column.tobytes() for column in seen.times]
    return packed([FORM, _mark(), _HEAD.pack(seen.last_offset, seen.kept), *runs, *times, keys, latest, key_ats, moved])


def unpacked_window(data: bytes) -> Seen | None:
    """Return the window that `packed_window` wrote; None for bytes of another form or another hash."""
    form, mark, head, *parts = unpacked(data)
    if form != FORM or mark != _mark():
        return None
    last_offset, kept = _HEAD.unpack(head or b"")
    columns = [part or b"" for part in parts[:11]]
    seen = Seen(Contents(_run(columns[:3]), _run(columns[3:6])), last_offset=last_offset, kept=kept)
    seen.times = (_column(columns[6], np.int64), _column(columns[7], np.int64))
    entries = zip(_numbers(columns[8]), _numbers(columns[9]), _column(columns[10], np.int64).tolist(), strict=True)
    for key, content, at in entries:
        seen.latest[key] = (content, [*seen.latest.get(key, (content, []))[1], at])
    seen.last_change = _change(parts[11])
    return seen


def _run(columns: Sequence[bytes]) -> Run:
    return Run(_column(columns[0], np.uint64), _column(columns[1], np.uint64), _column(columns[2], np.int64))


def _column(data: bytes, kind: type[np.generic]) -> np.ndarray:
    """Return a column of its own: what is read from bytes could not be written to."""
    return np.frombuffer(data, kind).copy()


def _flat(entries: Iterable[tuple[int, Sequence[int]]]) -> tuple[bytes, bytes]:
    """Return keys and offsets, a pair for each offset."""
    keys: list[bytes] = []
    offsets: list[int] = []
    for key, ats in entries:
        keys.extend([key.to_bytes(_CONTENT_BYTES, "little")] * len(ats))
        offsets.extend(ats)
    return b"".join(keys), np.array(offsets, np.int64).tobytes()


def _numbers(joined: bytes) -> list[int]:
    return [int.from_bytes(joined[at : at + _CONTENT_BYTES], "little") for at in range(0, len(joined), _CONTENT_BYTES)]


def _mark() -> bytes:
    """Return what the hash function makes of a known value: another function makes something else of it."""
    return struct.pack("<QQ", *(pl.Series([b"headwater"]).hash(seed)[0] for seed in SEEDS))


def _text(sequence: str | None) -> bytes | None:
    return None if sequence is None else sequence.encode()


def _change(data: bytes | None) -> LastChange | None:
    if data is None:
        return None
    key, changed_at, sequence = unpacked(data)
    return LastChange(key, _PLACE.unpack(changed_at or b"")[0], None if sequence is None else sequence.decode())
