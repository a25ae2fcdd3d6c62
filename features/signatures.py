"""Shingle sets as signatures: bands that similar sets share, and sketches that tell how similar two sets are.

Signatures are MinHash (Broder 1997) by Fast Similarity Sketching (Dahlgaard, Knudsen, Thorup, FOCS 2017): each slot's value
is equal in two sets with the probability of their Jaccard similarity, as with one permutation a slot, at the cost of a few
passes over the set and not of one a slot. Slots are joined into bands (Leskovec, Rajaraman, Ullman, *Mining of Massive
Datasets*, 3.4): sets that share a band are candidates.

A sketch is the set's least hashes (bottom-k, Cohen and Kaplan 2007), so that a pair of candidates is verified without its
texts: exactly for sets of at most `SKETCH` shingles, about six kilobytes of text, and beyond with a standard error of at
most 0.016.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from features.shingles import U64, ShingleSets, mixed

SLOTS = 128
SKETCH = 1_024
"""Shingles kept of a set, four bytes each."""
RECALL_AT_THRESHOLD = 0.99
"""Pairs as similar as the threshold that share a band, at least; more similar ones share one more surely."""
SIGNATURE_VERSION = "words3.fss128.bottom1024.1"
"""Stands beside what is kept: signatures of another version are made anew."""

_ROUNDS = 8
_SLOT_SHIFT = np.uint64(64 - 7)
_EMPTY = np.uint64(0xFFFFFFFFFFFFFFFF)
_STEP = np.uint64(0x9E3779B97F4A7C15)
_LOW = np.uint64(0xFFFFFFFF)


@dataclass(frozen=True)
class Banding:
    """How many bands a signature is cut into, of how many slots each."""

    bands: int
    slots: int

    def share(self, similarity: float) -> float:
        """Return the probability that two sets of that similarity share a band."""
        return float(1 - (1 - similarity**self.slots) ** self.bands)


def banding(threshold: float) -> Banding:
    """Return the bands with the most slots, so the fewest false candidates, that lose at most 1 in 100 at the threshold."""
    options = (Banding(SLOTS // slots, slots) for slots in range(SLOTS, 0, -1))
    return next((made for made in options if made.share(threshold) >= RECALL_AT_THRESHOLD), Banding(SLOTS, 1))


def signatures(sets: ShingleSets) -> U64:
    """Return a row of `SLOTS` values for each set; what stands in the row of an empty set means nothing."""
    table = np.full((len(sets), SLOTS), _EMPTY, np.uint64)
    owners = np.repeat(np.arange(len(sets)), sets.sizes)
    values = sets.values.astype(np.uint64)
    _first_round(table, owners, values)
    for number in range(1, _ROUNDS + 1):
        open_rows = (table == _EMPTY).any(axis=1) & (sets.sizes > 0)
        if not open_rows.any():
            return table
        chosen = open_rows[owners]
        _round(table, owners[chosen], values[chosen], number)
    _last_round(table, sets)
    return table


def band_hashes(table: U64, made: Banding, sets: ShingleSets) -> U64:
    """Return a row of one 64-bit hash for each band of each signature; 0 for those of an empty set: it has no bands."""
    used = table[:, : made.bands * made.slots].reshape(len(table), made.bands, made.slots)
    joined = np.broadcast_to(np.arange(1, made.bands + 1, dtype=np.uint64) * _STEP, (len(table), made.bands)).copy()
    for slot in range(made.slots):
        joined = mixed(joined ^ used[:, :, slot])
    joined[sets.sizes == 0] = 0
    return joined


def sketches(sets: ShingleSets) -> list[bytes]:
    """Return the least `SKETCH` shingles of each set, ascending, little-endian."""
    values, edges = sets.values.astype("<u4"), sets.edges.tolist()
    return [values[a : min(b, a + SKETCH)].tobytes() for a, b in pairwise(edges)]


def similarity(one: npt.NDArray[np.uint32], other: npt.NDArray[np.uint32]) -> float:
    """Return the Jaccard similarity of two sets by their sketches: exact where both sets are whole in them.

    Of the least `SKETCH` hashes of the union, each set's sketch holds those that the set has.
    """
    both = np.concatenate([one, other])
    both.sort()
    twice = both[1:] == both[:-1]
    union = len(both) - int(np.count_nonzero(twice))
    if union <= SKETCH:
        return (len(both) - union) / union if union else 0.0
    first = np.flatnonzero(np.concatenate([[True], ~twice]))[SKETCH]
    return int(np.count_nonzero(twice[: first - 1])) / SKETCH


def _first_round(table: U64, owners: npt.NDArray[np.int64], values: U64) -> None:
    """Fill slots by the shingles' own hashes: they are ascending, so the first of a slot is its least."""
    slots = owners * SLOTS + (values >> np.uint64(32 - 7)).astype(np.int64)
    if len(slots):
        first = np.concatenate([[True], slots[1:] != slots[:-1]])
        table.reshape(-1)[slots[first]] = values[first]


def _round(table: U64, owners: npt.NDArray[np.int64], values: U64, number: int) -> None:
    """Throw every shingle once more: it lands in a slot, with a value above those of all earlier rounds."""
    thrown = mixed(values + np.array([number], np.uint64) * _STEP)
    slots = owners * SLOTS + (thrown >> _SLOT_SHIFT).astype(np.int64)
    flat = table.reshape(-1)
    empty = flat[slots] == _EMPTY
    np.minimum.at(flat, slots[empty], (np.uint64(number) << np.uint64(32)) | (thrown[empty] & _LOW))


def _last_round(table: U64, sets: ShingleSets) -> None:
    """Give each slot that is still empty a permutation of its own: few slots, or few shingles."""
    rows, slots = np.nonzero((table == _EMPTY) & (sets.sizes > 0)[:, None])
    if not len(rows):
        return
    sizes = sets.sizes[rows]
    starts = np.cumsum(sizes) - sizes
    within = np.arange(int(sizes.sum())) - np.repeat(starts, sizes)
    values = sets.values[np.repeat(sets.edges[rows], sizes) + within].astype(np.uint64)
    thrown = mixed(values + np.repeat(slots.astype(np.uint64) + np.uint64(_ROUNDS + 1), sizes) * _STEP)
    least = np.minimum.reduceat(thrown & _LOW, starts)
    table[rows, slots] = (np.uint64(_ROUNDS + 1) << np.uint64(32)) | least
