"""Coordinates rebuilt from a table are those that were landed."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from streams.held import fresh_rows, held_coordinates
from streams.land import Held

COORDINATES = st.lists(st.tuples(st.sampled_from(["a.raw.v1", "a.raw.v2"]), st.integers(0, 2), st.integers(0, 30)), max_size=30)


def table(coordinates: list[tuple[str, int, int]]) -> pa.Table:
    topics, partitions, offsets = zip(*coordinates, strict=True) if coordinates else ((), (), ())
    return pa.table(
        {
            "_topic": pa.array(topics, pa.string()),
            "_partition": pa.array(partitions, pa.int32()),
            "_offset": pa.array(offsets, pa.int64()),
        }
    )


def members(held: Held) -> set[tuple[str, int, int]]:
    return {(t, p, o) for (t, p), known in held.offsets.items() for first, last in known.pairs() for o in range(first, last + 1)}


@given(COORDINATES, st.integers(1, 7))
def test_held_is_the_set_of_the_table_s_coordinates_however_its_files_are_cut(coordinates, size):
    assert members(held_coordinates(table(coordinates).to_batches(max_chunksize=size))) == set(coordinates)


@given(COORDINATES, COORDINATES)
def test_fresh_rows_are_the_first_of_each_coordinate_that_is_not_held(known, came):
    held = held_coordinates(table(known).to_batches())
    fresh, grown = fresh_rows(table(came), held)
    expected = list(dict.fromkeys(c for c in came if c not in set(known)))
    assert [tuple(row.values()) for row in fresh.to_pylist()] == expected
    assert members(grown) == set(known) | set(came)
    assert members(held) == set(known)
