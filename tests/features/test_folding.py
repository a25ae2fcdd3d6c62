"""Which row stands for which: against a plain oracle, in any order of arrival, in any split, with rows that go."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.folding import BEYOND, NO_WINDOW, UNKNOWN, Folded, Sketched, folded
from features.shingles import ShingleSets
from features.signatures import SKETCH, Banding, band_hashes, banding, signatures, similarity

THRESHOLD = 0.5
Row = tuple[int, frozenset[int]]
"""A made-up row: event time and shingles."""

ROWS = st.lists(st.tuples(st.integers(0, 12), st.frozensets(st.integers(1, 9), max_size=6)), max_size=14)


def sketched(rows: Sequence[Row]) -> Sketched:
    """Return the rows as the hop keeps them; equal sets are equal content."""
    values = [np.array(sorted(value * 0x0F1E2D3C % 2**32 for value in held), np.uint32) for _, held in rows]
    edges = np.cumsum([0, *(len(v) for v in values)])
    sets = ShingleSets(np.concatenate([np.empty(0, np.uint32), *values]), edges.astype(np.int64))
    content = [[hash(held) & 0xFFFFFFFF | 1, len(held)] if held else [0, 0] for _, held in rows]
    return Sketched(
        np.array([at for at, _ in rows], np.int64),
        np.array(content, np.uint64).reshape(-1, 2),
        band_hashes(signatures(sets), banding(THRESHOLD), sets),
        sets,
        sets.sizes,
    )


def oracle(rows: Sketched, window: int) -> list[int]:
    """Return the representatives by the definition: every row against every earlier one that stands for itself."""
    found: list[int] = []
    for rank in range(len(rows)):
        leaders = [at for at in range(rank) if found[at] == at and rows.event_us[rank] - rows.event_us[at] <= window]
        found.append(next((at for at in leaders if neighbours(rows, at, rank)), rank))
    return found


def neighbours(rows: Sketched, one: int, other: int) -> bool:
    if (rows.content[one] == rows.content[other]).all() and rows.content[one].any():
        return True
    shared = (rows.bands[one] == rows.bands[other]) & (rows.bands[one] != 0)
    parts = [rows.sketches.values[rows.sketches.edges[at] : rows.sketches.edges[at + 1]] for at in (one, other)]
    return bool(shared.any()) and similarity(*parts) >= THRESHOLD


def arrived(rows: Sequence[Row], batches: Sequence[Sequence[int]], window: int, gone: frozenset[int] = frozenset()) -> list[int]:
    """Return the representatives, as places in `rows`, after the batches of places came one by one, and `gone` left at last."""
    standing: dict[int, tuple[int, float]] = {}
    there: list[int] = []
    for batch in [*batches, ()]:
        last = not batch
        there = sorted([*there, *batch]) if batch else [at for at in there if at not in gone]
        rank = {at: n for n, at in enumerate(there)}
        before = np.array([rank.get(standing[at][0], UNKNOWN) if at in standing else UNKNOWN for at in there], np.int64)
        scores = np.array([standing[at][1] if at in standing else 1.0 for at in there])
        result = folded(sketched([rows[at] for at in there]), THRESHOLD, window, before, scores)
        standing = {
            at: (there[to], score)
            for at, to, score in zip(there, result.representative.tolist(), result.similarity.tolist(), strict=True)
        }
        if last:
            break
    return [standing[at][0] if at in standing else -1 for at in range(len(rows))]


def ordered(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row[0])


@given(ROWS, st.data(), st.sampled_from([0, 3, NO_WINDOW]))
def test_any_order_and_split_gives_what_the_definition_says(made: list[Row], data: st.DataObject, window: int) -> None:
    rows = ordered(made)
    order = data.draw(st.permutations(range(len(rows))))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(rows)), max_size=4)))
    edges = [0, *cuts, len(rows)]
    batches = [order[a:b] for a, b in pairwise(edges) if a < b]
    assert arrived(rows, batches, window) == oracle(sketched(rows), window)


@given(ROWS, st.data())
def test_rows_that_go_leave_what_would_be_without_them(made: list[Row], data: st.DataObject) -> None:
    rows = ordered(made)
    gone = data.draw(st.frozensets(st.integers(0, max(0, len(rows) - 1))))
    left = [at for at in range(len(rows)) if at not in gone]
    after = arrived(rows, [range(len(rows))] if rows else [], NO_WINDOW, gone)
    expected = oracle(sketched([rows[at] for at in left]), NO_WINDOW)
    assert [after[at] for at in left] == [left[to] for to in expected]


@given(ROWS)
def test_a_folded_row_is_as_similar_to_its_representative_as_the_threshold_says(made: list[Row]) -> None:
    rows = sketched(ordered(made))
    result = folded(rows, THRESHOLD)
    for rank, to in enumerate(result.representative.tolist()):
        assert to == result.representative[to], "a representative stands for itself: no chains"
        assert to == rank or (neighbours(rows, to, rank) and result.similarity[rank] >= THRESHOLD)


def test_a_new_row_changes_its_own_surroundings_alone() -> None:
    far = [(n, frozenset({100 * n, 100 * n + 1, 100 * n + 2})) for n in range(1, 50)]
    near = [(60, frozenset({1, 2, 3, 4})), (61, frozenset({1, 2, 3, 5}))]
    rows = sketched([*far, *near])
    whole = folded(rows, THRESHOLD)
    before = whole.representative.copy()
    before[-1] = UNKNOWN
    again = folded(rows, THRESHOLD, NO_WINDOW, before, whole.similarity)
    assert again.representative.tolist() == whole.representative.tolist()
    assert again.settled == 1


def test_a_representative_beyond_the_rows_given_is_left_alone() -> None:
    same = frozenset({1, 2, 3})
    rows = sketched([(10, same), (11, same), (12, same)])
    result = folded(rows, THRESHOLD, 2, np.array([BEYOND, BEYOND, UNKNOWN], np.int64))
    assert result.representative.tolist() == [BEYOND, BEYOND, 2]


def test_no_rows_fold_into_none() -> None:
    result: Folded = folded(sketched([]), THRESHOLD)
    assert result.settled == 0


def test_rows_without_a_word_are_duplicates_by_content_alone() -> None:
    rows = sketched([(0, frozenset()), (1, frozenset())])
    assert folded(rows, THRESHOLD).representative.tolist() == [0, 1], "no text at all is nobody's duplicate"
    signs = Sketched(rows.event_us, np.array([[7, 7], [7, 7]], np.uint64), rows.bands, rows.sketches, rows.sizes)
    assert folded(signs, THRESHOLD).representative.tolist() == [0, 0]


def test_bands_are_as_selective_as_recall_allows() -> None:
    for threshold in (0.2, 0.5, 0.7, 0.85, 0.95, 1.0):
        made = banding(threshold)
        assert made.bands * made.slots <= 128
        assert made.share(threshold) >= 0.99
        assert made.slots == 128 or Banding(128 // (made.slots + 1), made.slots + 1).share(threshold) < 0.99


def test_a_sketch_of_large_sets_tells_their_similarity() -> None:
    values = np.random.default_rng(5).choice(2**32, 12_000, replace=False).astype(np.uint32)
    one, other = np.sort(values[:10_000])[:SKETCH], np.sort(values[2_000:])[:SKETCH]
    assert abs(similarity(one, other) - 8_000 / 12_000) < 0.05
