"""A table's history beside other writers: each commit under the version that it made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from contracts.errors import CommitConflict
from streams.connectors import delta
from streams.connectors.delta_history import numbered_history

ROWS = pa.table({"a": [1]})


@pytest.fixture
def uri(tmp_path: Path) -> str:
    made = str(tmp_path / "t")
    delta.create_if_absent(made, ROWS.schema)
    for number in range(1, 4):
        delta.append(made, ROWS, metadata={"number": str(number)})
    return made


class Raced:
    """A table that others write so many times after it was opened, before its history is read."""

    def __init__(self, uri: str, writes: list[int]) -> None:
        self._uri, self._writes, self._table = uri, writes, delta.opened(uri)

    def version(self) -> int:
        return int(self._table.version())

    def history(self, newest: int | None) -> list[dict[str, Any]]:
        for _ in range(self._writes.pop() if self._writes else 0):
            delta.append(self._uri, ROWS, metadata={"number": str(delta.current_version(self._uri) + 1)})
        return list(self._table.history(newest))


def raced(uri: str, writes: list[int]) -> Callable[[], Raced]:
    return lambda: Raced(uri, writes)


@pytest.mark.parametrize("newest", [None, 1, 2])
def test_versions_are_right_though_others_write_meanwhile(uri: str, newest: int | None) -> None:
    entries = numbered_history(raced(uri, [1, 2]), newest)
    told = {entry["version"]: entry.get("headwater", "") for entry in entries}
    assert max(told) == 6
    assert len(told) == (newest or 7)
    assert all(f'"{version}"' in text for version, text in told.items() if version)


def test_a_table_that_is_written_without_end_is_given_up(uri: str) -> None:
    with pytest.raises(CommitConflict):
        numbered_history(raced(uri, [1] * 100), None)


def test_what_commits_added_is_judged_by_these_commits_and_not_by_later_ones(uri: str) -> None:
    delta.overwrite(uri, ROWS, metadata={})
    overwritten = delta.current_version(uri)
    delta.append(uri, pa.table({"a": [2]}), metadata={})
    delta.append(uri, pa.table({"a": [3]}), metadata={})
    assert delta.added(uri, overwritten, overwritten) is None
    batches = delta.added(uri, overwritten + 1, overwritten + 1)
    assert batches is not None
    assert [row["a"] for batch in batches for row in batch.to_pylist()] == [2]
    assert list(delta.added(uri, overwritten + 3, overwritten + 2) or ()) == []


def test_a_commit_tells_the_version_that_it_made(uri: str) -> None:
    assert delta.append(uri, pa.table({"a": [4, 5]}), metadata={}) == delta.Commit(4, 2)
    assert delta.history(uri, 1)[0].table_version == 4
