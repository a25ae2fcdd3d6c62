"""A window of duplicates comes back from bytes as it was, or not at all."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import kept_windows
from streams.changes import LastChange
from streams.duplicates import Seen, Window, originals
from streams.kept_windows import packed_window, unpacked_window
from tests.streams.made import records_of, value

NAMES = st.lists(st.integers(0, 4), min_size=1, max_size=40)


@given(before=NAMES, after=NAMES, records=st.integers(1, 30), seconds=st.none() | st.integers(0, 5_000))
def test_going_on_from_bytes_gives_the_answers_of_going_on(
    before: list[int], after: list[int], records: int, seconds: int | None
):
    window = Window(records, seconds)
    whole, _ = originals(_batch(before + after, 0), {}, window)
    _, state = originals(_batch(before, 0), {}, window)
    state = {partition: _again(seen) for partition, seen in state.items()}
    found, _ = originals(_batch(after, len(before)), state, window)
    assert found.tolist() == whole.tolist()[len(before) :]


@given(
    latest=st.dictionaries(
        st.integers(0, 2**128 - 1),
        st.tuples(st.integers(0, 2**128 - 1), st.lists(st.integers(0, 2**62), min_size=1, unique=True).map(sorted)),
    ),
    names=NAMES,
    change=st.none() | st.builds(LastChange, st.none() | st.binary(), st.integers(-(2**62), 2**62), st.none() | st.text()),
    last=st.integers(-1, 2**62),
)
def test_all_that_a_window_holds_comes_back(
    latest: dict[int, tuple[int, list[int]]], names: list[int], change: LastChange | None, last: int
):
    _, state = originals(_batch(names, 0), {}, Window(30, 5_000))
    seen = Seen(state[0].contents, latest, last, state[0].times, len(names), change)
    back = _again(seen)
    assert (back.latest, back.last_offset, back.kept, back.last_change) == (latest, last, len(names), change)
    columns = [(*one.contents.old, *one.contents.recent, *one.times) for one in (seen, back)]
    assert all(np.array_equal(before, after) for before, after in zip(*columns, strict=True))


def test_bytes_of_another_form_are_not_read(monkeypatch: pytest.MonkeyPatch):
    kept = packed_window(Seen(last_offset=7))
    monkeypatch.setattr(kept_windows, "FORM", b"2")
    assert unpacked_window(kept) is None


def test_bytes_made_with_another_hash_are_not_read(monkeypatch: pytest.MonkeyPatch):
    kept = packed_window(Seen(last_offset=7))
    monkeypatch.setattr(kept_windows, "SEEDS", (1, 2))
    assert unpacked_window(kept) is None


def test_the_form_knows_every_part_of_a_window():
    known = {"contents", "latest", "last_offset", "times", "kept", "last_change"}
    assert {field.name for field in dataclasses.fields(Seen)} == known, "a new part needs a new FORM, which keeps it"


def _again(seen: Seen) -> Seen:
    back = unpacked_window(packed_window(seen))
    assert back is not None
    return back


def _batch(names: list[int], first: int):
    return records_of([value(f"k{name}") for name in names], first=first)
