"""What one raw partition's window of duplicates holds, as bytes that outlive the process and the code: for keyed state.

The form has a number, and a mark of the hash function: bytes of another form, or made with another hash (Polars may change its
own with a release), are not read, and whoever asks rebuilds the window from the raw log instead.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from itertools import repeat

import numpy as np
import polars as pl

from streams.changes import LastChange
from streams.duplicates import SEEDS, Seen
from streams.packing import packed, unpacked

FORM = b"1"
_CONTENT_BYTES = 16
_HEAD = struct.Struct("<qq")
_PLACE = struct.Struct("<q")


def packed_window(seen: Seen) -> bytes:
    """Return the window as bytes: about 24 a record that it holds."""
    contents, ats = _flat((content, [at] if isinstance(at, int) else at) for content, at in seen.offsets.items())
    keys, key_ats = _flat((key, held[1]) for key, held in seen.latest.items())
    latest, _ = _flat((held[0], held[1]) for held in seen.latest.values())
    change = seen.last_change
    moved = None if change is None else packed([change.key, _PLACE.pack(change.changed_at), _text(change.sequence)])
    parts = [contents, ats, keys, latest, key_ats, seen.times[0].tobytes(), seen.times[1].tobytes(), moved]
    return packed([FORM, _mark(), _HEAD.pack(seen.last_offset, seen.kept), *parts])


def unpacked_window(data: bytes) -> Seen | None:
    """Return the window that `packed_window` wrote; None for bytes of another form or another hash."""
    form, mark, head, *parts = unpacked(data)
    if form != FORM or mark != _mark():
        return None
    last_offset, kept = _HEAD.unpack(head or b"")
    contents, ats, keys, latest, key_ats, offsets, times = (part or b"" for part in parts[:7])
    seen = Seen(last_offset=last_offset, kept=kept, last_change=_change(parts[7]))
    seen.times = (np.frombuffer(offsets, np.int64).copy(), np.frombuffer(times, np.int64).copy())
    for content, at in zip(_numbers(contents), np.frombuffer(ats, np.int64).tolist(), strict=True):
        before = seen.offsets.get(content)
        seen.offsets[content] = at if before is None else [*([before] if isinstance(before, int) else before), at]
    for key, content, at in zip(_numbers(keys), _numbers(latest), np.frombuffer(key_ats, np.int64).tolist(), strict=True):
        seen.latest[key] = (content, [*seen.latest.get(key, (content, []))[1], at])
    return seen


def _flat(entries: Iterable[tuple[int, Sequence[int]]]) -> tuple[bytes, bytes]:
    """Return contents and offsets, a pair for each offset."""
    contents: list[int] = []
    offsets: list[int] = []
    for content, ats in entries:
        contents.extend(repeat(content, len(ats)))
        offsets.extend(ats)
    joined = b"".join([content.to_bytes(_CONTENT_BYTES, "little") for content in contents])
    return joined, np.array(offsets, np.int64).tobytes()


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
