"""Compare the online store with gold, entity by entity, and repair it: what a lost, half-written or foreign-written store needs.

The comparison is with the materialization point, which the store's mark names (gold version and `until`); without a mark, as
after a FLUSHALL, with today's gold. It only reads. A store that differs is written again whole, by the same code as always,
under a new claim, from today's gold; then it is compared once more, so that "repaired" is something that was seen.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from contracts.errors import NotFound
from features.connectors.online_store import online_store
from features.engines.aggregate import gold_uri
from features.engines.materialize import BATCH, gold_version_of, read_mark, rewrite
from features.engines.newest import newest_parts
from features.feast_layout import from_microseconds
from features.online import GOLD_VERSION, Asked, OnlineStore, Row, Stored, stored_names
from features.online_rows import online_rows
from features.plan import Plan, View
from features.workspace import Workspace

EXAMPLES = 5
KEY_SECRET = "online_keys"  # noqa: S105  a name, not a secret
"""Name of the secret that entity keys are told under."""


@dataclass(frozen=True)
class Verified:
    """How the online store stands to gold in one view, and what was done about it."""

    view: str
    gold_version: int
    """The materialization point: what was compared with."""
    until: str
    entities: int
    """Entities that gold has at that point."""
    missing: int
    stale: int
    """Entities whose stored bytes are not gold's: older, half-written, or somebody else's."""
    extra: int
    """Entities in the store that gold does not have."""
    unfinished: bool
    """Whether a writer claimed the view after the mark was set: it is at work, or was killed."""
    examples: tuple[tuple[str, str], ...] = ()
    """A few of them: what is wrong, and the keyed hash of the entity key."""
    repaired_to: int | None = None
    """The gold version that was written to repair it, None where nothing was written."""
    left: int = 0
    """Differences that the comparison after the repair still found."""

    @property
    def differences(self) -> int:
        """How many entities are not as gold has them."""
        return self.missing + self.stale + self.extra

    @property
    def sound(self) -> bool:
        """Whether the store is now known to hold what gold does."""
        return not self.left if self.repaired_to is not None else not self.differences


@dataclass
class _Found:
    """Differences met so far: all are counted, a few kept."""

    secret: bytes
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("missing", "stale", "extra"), 0))
    examples: list[tuple[str, str]] = field(default_factory=list)

    def note(self, kind: str, key: bytes) -> None:
        self.counts[kind] += 1
        if self.counts[kind] <= EXAMPLES:
            self.examples.append((kind, hmac.new(self.secret, key, hashlib.sha256).hexdigest()[:16]))


def verify_online(workspace: Workspace, plan: Plan, views: Iterable[str] = (), *, repair: bool = True) -> list[Verified]:
    """Compare the views (all by default) with gold; with `repair`, write again those that differ. In plan order.

    Memory is bounded: entities are read in parts, and eight bytes of each are kept. Raises NotFound where a view has no gold
    table, TransientError where the store is away, CommitConflict where a later materialization overtook the repair.
    """
    store = online_store(workspace)
    return [_verified(workspace, plan.view(name), store, repair=repair) for name in list(views) or list(plan.views)]


def _verified(workspace: Workspace, view: View, store: OnlineStore, *, repair: bool) -> Verified:
    found = _compared(workspace, view, store)
    if not repair or not (found.differences or found.unfinished):
        return found
    workspace.close_abandoned(f"{view.name}.materialize")
    written = rewrite(workspace, view, store, found.until)
    return replace(found, repaired_to=written.gold_version, left=_compared(workspace, view, store).differences)


def _compared(workspace: Workspace, view: View, store: OnlineStore) -> Verified:
    """Compare with the mark's gold; with today's where there is no mark, or where that version is vacuumed or of a lost table."""
    mark, claimed, current = read_mark(store, view.name), store.claimed(view.name), gold_version_of(workspace, view)
    until, fence = (mark.until, mark.fence) if mark is not None else ("", "")
    point = current if mark is None else mark.gold_version
    try:
        return _compared_at(workspace, view, store, point, until, unfinished=claimed != fence)
    except (NotFound, FileNotFoundError):
        if point == current:
            raise
    return _compared_at(workspace, view, store, current, until, unfinished=claimed != fence)


def _compared_at(
    workspace: Workspace, view: View, store: OnlineStore, gold_version: int, until: str, *, unfinished: bool
) -> Verified:
    found = _Found(workspace.secret(KEY_SECRET))
    digests: list[npt.NDArray[np.uint64]] = []
    for part in newest_parts(view, gold_uri(workspace, view.name), gold_version, until):
        for batch in part.to_batches(max_chunksize=BATCH):
            rows = list(online_rows(view, batch, gold_version))
            _compare(store, view, rows, found)
            digests.append(_digests([row.key for row in rows]))
    known = np.sort(np.concatenate(digests)) if digests else np.empty(0, np.uint64)
    _note_others(store, view, known, found)
    return Verified(
        view=view.name,
        gold_version=gold_version,
        until=until,
        entities=len(known),
        unfinished=unfinished,
        examples=tuple(found.examples),
        **found.counts,
    )


def _compare(store: OnlineStore, view: View, rows: Sequence[Row], found: _Found) -> None:
    """Note the entities that are missing, and those whose bytes differ."""
    asked = Asked(view.name, [row.key for row in rows], stored_names(view))
    try:
        [held] = store.read([asked])
    except NotFound:
        # A file or table that is not there at all: SQLite's way of having lost everything.
        held = [None] * len(rows)
    for row, stored in zip(rows, held, strict=True):
        if stored is None:
            found.note("missing", row.key)
        elif not _equal(row, stored):
            found.note("stale", row.key)


def _equal(row: Row, stored: Stored) -> bool:
    """Say whether the store holds the row's bytes, and its time for Feast's clients: SQLite's to the second."""
    apart = abs((stored.event_time - from_microseconds(row.event_us)).total_seconds())
    return apart < 1 and all(stored.values.get(name) == content for name, content in row.values.items())


def _note_others(store: OnlineStore, view: View, known: npt.NDArray[np.uint64], found: _Found) -> None:
    """Note the entities that the store has and gold has not, each once however often a scan shows it."""
    seen: set[int] = set()
    for keys in _scanned(store, view):
        digests = _digests(keys)
        places = np.minimum(np.searchsorted(known, digests), max(len(known) - 1, 0))
        strange = known[places] != digests if len(known) else np.ones(len(keys), dtype=bool)
        for at in np.flatnonzero(strange):
            if (digest := int(digests[at])) not in seen:
                seen.add(digest)
                found.note("extra", keys[at])


def _scanned(store: OnlineStore, view: View) -> Iterator[list[bytes]]:
    keys: list[bytes] = []
    try:
        for key, _ in store.scan(view, [GOLD_VERSION]):
            keys.append(key)
            if len(keys) == BATCH:
                yield keys
                keys = []
    except NotFound:
        # Nothing is there, so nothing is there too much.
        keys = []
    if keys:
        yield keys


def _digests(keys: Sequence[bytes]) -> npt.NDArray[np.uint64]:
    """Return eight bytes for each key. Two of a million entities share them once in thirty million stores."""
    return np.frombuffer(b"".join(hashlib.blake2b(key, digest_size=8).digest() for key in keys), dtype=np.uint64)
