"""Which row stands for which: a function of the rows, whatever order they came in, brought up to date from what was known.

Two rows are neighbours when they share a band (or their whole content), lie within the window of each other in event time,
and their similarity reaches the threshold: a property of the two alone. Rows are taken in their own order, by (event time,
coordinates): a row with an earlier neighbour that stands for itself is folded into the least such; any other row stands for
itself. So:

- arrival cannot matter: greedy by arrival would, greedy by the rows' own order is a function of the set of rows
  (the lexicographically first maximal independent set: Blelloch, Fineman, Shun, *Greedy sequential maximal independent
  set...*, 2012);
- there are no chains: connected components join A to Z by way of all that lie between; here every folded row was itself
  found similar enough to the row that stands for it;
- what comes anew changes its own surroundings alone: a row is looked at again only if it is new, if the row that stood for
  it does so no more, or if a lesser neighbour of it begins to.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.shingles import U64, ShingleSets
from features.signatures import similarity

Ranks = npt.NDArray[np.int64]

UNKNOWN = -1
"""In place of a representative: the row is new, or what stood for it is gone."""
BEYOND = -2
"""In place of a representative: one that lies before all rows given, and that nothing given can change."""
NO_WINDOW = 1 << 62


@dataclass(frozen=True)
class Sketched:
    """Rows in their own order: a row's place in the arrays is its rank."""

    event_us: Ranks
    content: U64
    """Two words each: a 128-bit hash of the texts; 0, 0 where there is no text."""
    bands: U64
    """A row of band hashes each, 0 for none."""
    sketches: ShingleSets
    sizes: npt.NDArray[np.int64]
    """Shingles each row has, those beyond its sketch too."""

    def __len__(self) -> int:
        return len(self.event_us)


@dataclass(frozen=True)
class Folded:
    """By row: the rank of the row that stands for it (its own, or BEYOND), and how similar the two are."""

    representative: Ranks
    similarity: npt.NDArray[np.float64]
    settled: int
    """How many rows were looked at."""


def folded(
    rows: Sketched,
    threshold: float,
    window_us: int = NO_WINDOW,
    before: Ranks | None = None,
    scores: npt.NDArray[np.float64] | None = None,
) -> Folded:
    """Return which row stands for which. `before` and `scores` are what held of these rows without the new ones.

    All rows within the window of an UNKNOWN one, or of one that is gone, and all later ones must be given.
    """
    count = len(rows)
    known = np.full(count, UNKNOWN, np.int64) if before is None else before.copy()
    fold = _Fold(rows, threshold, window_us, known, np.ones(count) if scores is None else scores.copy())
    settled = fold.settle()
    return Folded(fold.representative, fold.score, settled)


class _Fold:
    """The rows that are to be looked at, least first, and for each band the rows in it that stand for themselves."""

    def __init__(self, rows: Sketched, threshold: float, window_us: int, before: Ranks, scores: npt.NDArray[np.float64]) -> None:
        self.rows, self.threshold = rows, threshold
        self.before, self.score = before, scores
        self.representative = before.copy()
        self.low = np.searchsorted(rows.event_us, rows.event_us - window_us)
        self.high = np.searchsorted(rows.event_us, rows.event_us + window_us, side="right")
        self.groups = _Groups(np.concatenate([rows.bands, _content_band(rows.content)], axis=1))
        self.queued = before == UNKNOWN
        self.resting = len(rows) - int(np.count_nonzero(self.queued))
        self.contents, self.sizes = _codes(rows.content).tolist(), rows.sizes.tolist()
        self.leaders: dict[int, list[int]] = {}
        self.followers = np.argsort(before, kind="stable")
        self.followed = before[self.followers]

    def settle(self) -> int:
        """Look at every row that must be, least first; return how many those were."""
        ranks = np.arange(len(self.rows))
        alone = self.queued & ~self.groups.shared
        self.representative[alone] = ranks[alone]
        self.score[alone] = 1.0
        heap: list[int] = np.flatnonzero(self.queued & ~alone).tolist()
        while heap:
            for woken in self._settle(heapq.heappop(heap)):
                heapq.heappush(heap, woken)
        return int(np.count_nonzero(self.queued))

    def _settle(self, rank: int) -> list[int]:
        """Decide what stands for a row; return the rows that must be looked at because of it, all of them later."""
        was = int(self.before[rank])
        leader, score = self._leader_of(rank)
        self.representative[rank], self.score[rank] = leader, score
        if leader == rank and was != rank:
            return self._enlist(rank)
        if leader != rank and was == rank:
            return self._delist(rank)
        return []

    def _leader_of(self, rank: int) -> tuple[int, float]:
        """Return the least earlier neighbour that stands for itself, and its similarity; the row itself if there is none."""
        low, found = int(self.low[rank]), set[int]()
        for group in self.groups.of(rank):
            listed = self._leaders(group)
            found.update(listed[bisect_left(listed, low) : bisect_left(listed, rank)])
        for candidate in sorted(found):
            score = self._similarity(candidate, rank)
            if score >= self.threshold:
                return candidate, score
        return rank, 1.0

    def _similarity(self, one: int, other: int) -> float:
        if self.contents[one] == self.contents[other]:
            return 1.0
        less, more = sorted((self.sizes[one], self.sizes[other]))
        if less < self.threshold * more:
            return 0.0  # the similarity is at most the one's size over the other's
        values, edges = self.rows.sketches.values, self.rows.sketches.edges
        return similarity(values[edges[one] : edges[one + 1]], values[edges[other] : edges[other + 1]])

    def _leaders(self, group: int) -> list[int]:
        """Return the rows of a group that stand for themselves, ascending; gathered when the group is first met."""
        listed = self.leaders.get(group)
        if listed is None:
            members = self.groups.members(group)
            listed = self.leaders[group] = members[self.representative[members] == members].tolist()
        return listed

    def _enlist(self, rank: int) -> list[int]:
        """Let a row stand for itself from now on; return its later kin that a greater row stands for."""
        woken: list[int] = []
        for group in self.groups.of(rank):
            listed = self._leaders(group)
            place = bisect_left(listed, rank)
            if listed[place : place + 1] != [rank]:
                insort(listed, rank)
            if not self.resting:
                continue
            members = self.groups.members(group)
            members = members[np.searchsorted(members, rank, side="right") : np.searchsorted(members, self.high[rank])]
            woken += self._woken(members[self.representative[members] > rank])
        return woken

    def _delist(self, rank: int) -> list[int]:
        """Take a row that is folded now out of those that stand for themselves; return the rows that it stood for."""
        for group in self.groups.of(rank):
            listed = self._leaders(group)
            place = bisect_left(listed, rank)
            if listed[place : place + 1] == [rank]:
                del listed[place]
        first, end = np.searchsorted(self.followed, [rank, rank + 1])
        return self._woken(self.followers[first:end])

    def _woken(self, ranks: Ranks) -> list[int]:
        fresh = ranks[~self.queued[ranks]]
        self.queued[fresh] = True
        self.resting -= len(fresh)
        woken: list[int] = fresh.tolist()
        return woken


class _Groups:
    """Rows by what they share: a group for each band hash that two rows or more have."""

    def __init__(self, keys: U64) -> None:
        flat, width = keys.reshape(-1), keys.shape[1]
        order = np.argsort(flat, kind="stable")
        ordered = flat[order]
        same: npt.NDArray[np.bool_] = ordered[1:] == ordered[:-1]
        several = np.zeros(len(flat), np.bool_)
        several[1:] |= same
        several[:-1] |= same
        several[ordered == 0] = False
        places, values = order[several], ordered[several]
        opens = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]])) if len(values) else np.zeros(0, np.int64)
        self._members: Ranks = places // width
        self._edges: Ranks = np.append(opens, len(places))
        self._of = np.full(keys.shape, -1, np.int64)
        self._of.reshape(-1)[places] = np.repeat(np.arange(len(opens)), np.diff(self._edges))
        self.shared = np.asarray(self._of.max(axis=1, initial=-1) >= 0)

    def of(self, rank: int) -> list[int]:
        """Return the groups that a row is in."""
        return [group for group in self._of[rank].tolist() if group >= 0]

    def members(self, group: int) -> Ranks:
        """Return the ranks of a group's rows, ascending."""
        members: Ranks = self._members[self._edges[group] : self._edges[group + 1]]
        return members


def _codes(content: U64) -> Ranks:
    """Return a number for each row, the same where the content is."""
    return np.unique(content, axis=0, return_inverse=True)[1].reshape(-1)


def _content_band(content: U64) -> U64:
    """Return one more band, that rows of the same content share, those without a word too."""
    return content[:, :1]
