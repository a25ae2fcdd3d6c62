"""The current table: what is merged from a history as it comes is what the whole history gives, in any order of arrival."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.contract import Contract, Field
from contracts.schema import silver_schema
from infra.settings import Settings
from infra.wiring import setup
from streams.connectors import delta
from streams.current import frame_of, live, newest, newest_of, not_outlived, tombstone_schema, tombstones
from streams.current_audit import HISTORY_COLUMNS, PLACE, CurrentVerdict, judged_current
from streams.engines.current import CurrentTable, merged_version, run
from streams.setup import Setup
from tests.streams.made import contract_of

CONTRACT = replace(contract_of(Field("note", "string"), name="states"), change="upsert")
SCHEMA = silver_schema(CONTRACT)
NOON = datetime(2013, 1, 1, 12, tzinfo=UTC)

CHANGE = st.tuples(
    st.sampled_from("abc"),
    st.sampled_from(["upsert", "update", "delete"]),
    st.integers(0, 3),
    st.sampled_from([None, "1", "2"]),
    st.integers(0, 1),
)
HISTORY = st.lists(CHANGE, max_size=12)


def history(changes: Sequence[tuple]) -> pa.Table:
    """Return silver rows of changes, each at an offset of its own."""
    rows = [
        {
            "id": key,
            "at": NOON + timedelta(seconds=second),
            "note": None if kind == "delete" else f"{key} {offset}",
            "_kind": kind,
            "_changed_at": NOON + timedelta(seconds=second),
            "_sequence": sequence,
            "_topic": CONTRACT.raw_topic,
            "_partition": partition,
            "_offset": offset,
            "_ingested_at": NOON,
            "_contract_hash": CONTRACT.hash,
            "_known_at": NOON + timedelta(hours=1),
        }
        for offset, (key, kind, second, sequence, partition) in enumerate(changes)
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def expected(rows: pa.Table) -> dict[str, str]:
    """Return the note of each key that is there in the end, by reading the history one change at a time."""
    best: dict[str, tuple] = {}
    for row in rows.to_pylist():
        order = (row["_changed_at"], row["_sequence"] or "", row["_topic"], row["_partition"], row["_offset"])
        if row["id"] not in best or order > best[row["id"]][0]:
            best[row["id"]] = (order, row["_kind"], row["note"])
    return {key: note for key, (_, kind, note) in best.items() if kind != "delete"}


def notes(rows: pl.DataFrame) -> dict[str, str]:
    return dict(zip(rows["id"].to_list(), rows["note"].to_list(), strict=True))


@given(HISTORY)
def test_the_newest_of_a_history_is_what_reading_it_change_by_change_gives(changes):
    rows = history(changes)
    found, count = newest_of(rows.to_batches(), CONTRACT, SCHEMA)
    assert count == rows.num_rows
    assert notes(live(found)) == expected(rows)


@given(HISTORY, st.randoms(use_true_random=False), st.lists(st.integers(0, 12), max_size=3))
def test_merging_parts_in_any_order_gives_what_the_whole_gives(changes, random, cuts):
    rows = frame_of(history(changes))
    shuffled = rows[random.sample(range(rows.height), rows.height)]
    edges = sorted({0, rows.height, *(c for c in cuts if c < rows.height)})
    state, buried = rows.clear(), tombstones(rows.clear(), CONTRACT)
    for start, end in itertools.pairwise(edges):
        part = newest(shuffled[start:end], CONTRACT.key)
        buried = newest(pl.concat([buried, tombstones(part, CONTRACT)]), CONTRACT.key)
        state = live(newest(pl.concat([state, not_outlived(part, buried, CONTRACT.key)]), CONTRACT.key))
    assert notes(state) == expected(rows.to_arrow().cast(SCHEMA))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Setup:
    """Return what an engine is given, on tables of the tests' own. No broker is asked."""
    home = tmp_path_factory.mktemp("current")
    return setup(replace(Settings(), home=home), [CONTRACT])


def landed(place: Setup, parts: Sequence[pa.Table], name: str) -> Contract:
    """Return a contract with a silver table of the parts, a commit each."""
    contract = replace(CONTRACT, name=name)
    uri = delta.table_uri(place.tables, "silver", contract.domain, name)
    delta.create_if_absent(uri, SCHEMA)
    for part in parts:
        delta.append(uri, part, metadata={})
    return contract


def current(place: Setup, contract: Contract) -> dict[str, str]:
    return notes(frame_of(delta.read(delta.table_uri(place.tables, "current", contract.domain, contract.name))))


_names = iter(range(10_000))


@settings(max_examples=12)
@given(HISTORY, st.randoms(use_true_random=False), st.integers(1, 4), st.booleans())
def test_the_delta_table_is_the_newest_state_after_each_round_whatever_the_order(place, changes, random, size, compacting):
    rows = history(changes)
    order = random.sample(range(rows.num_rows), rows.num_rows)
    contract = landed(place, [], f"states{next(_names)}")
    uri = delta.table_uri(place.tables, "silver", contract.domain, contract.name)
    table = CurrentTable(place, contract)
    table.open()
    came: list[int] = []
    for start in range(0, rows.num_rows, size):
        part = order[start : start + size]
        came += part
        delta.append(uri, rows.take(part), metadata={})
        if compacting:
            delta.compact(uri, metadata={})
        assert table.catch_up()
        assert current(place, contract) == expected(rows.take(came))
        assert merged_version(place.tables, contract) == delta.current_version(uri)
    assert not table.catch_up() or not rows.num_rows


def test_an_older_update_does_not_bring_a_deleted_row_back(place):
    new, gone, late = (history([("a", "upsert", 1, None, 0)]), history([("a", "delete", 3, None, 0)]), None)
    late = history([("b", "upsert", 0, None, 0), ("a", "upsert", 2, None, 0)]).slice(1)
    contract = landed(place, [new], "late")
    run(replace(place, contracts=(contract,)), lambda: False, drain=True)
    assert current(place, contract) == {"a": "a 0"}
    for part in (gone, late):
        landed(place, [part], "late")
        run(replace(place, contracts=(contract,)), lambda: False, drain=True)
        assert current(place, contract) == {}


def test_a_row_erased_from_silver_leaves_the_current_table(place):
    rows = history([("a", "upsert", 1, None, 0), ("b", "upsert", 1, None, 0), ("b", "delete", 2, None, 0)])
    contract = landed(place, [rows], "erased")
    mine = replace(place, contracts=(contract,))
    run(mine, lambda: False, drain=True)
    assert current(place, contract) == {"a": "a 0"}
    delta.overwrite(delta.table_uri(place.tables, "silver", contract.domain, "erased"), rows.slice(1, 1), metadata={})
    run(mine, lambda: False, drain=True)
    assert current(place, contract) == {"b": "b 1"}


def test_columns_that_silver_gained_are_in_the_current_table(place):
    contract = landed(place, [history([("a", "upsert", 1, None, 0)])], "wider")
    mine = replace(place, contracts=(contract,))
    run(mine, lambda: False, drain=True)
    more = history([("a", "upsert", 1, None, 0), ("b", "upsert", 2, None, 0)]).slice(1)
    wide = more.append_column("rank", pa.array([7]))
    delta.append(delta.table_uri(place.tables, "silver", contract.domain, "wider"), wide, metadata={}, widen=True)
    run(mine, lambda: False, drain=True)
    held = frame_of(delta.read(delta.table_uri(place.tables, "current", contract.domain, "wider")))
    assert dict(zip(held["id"], held["rank"], strict=True)) == {"a": None, "b": 7}


def test_rows_are_silvers_own_with_their_coordinates_and_knowledge_time(place):
    rows = history([("a", "upsert", 1, "1", 1), ("a", "update", 1, "2", 0)])
    contract = landed(place, [rows], "whole")
    run(replace(place, contracts=(contract,)), lambda: False, drain=True)
    held = delta.read(delta.table_uri(place.tables, "current", contract.domain, "whole"))
    assert held.to_pylist() == rows.slice(1).to_pylist()


class Died(Exception):
    """Stands for kill -9: what stands behind the step is not done."""


@pytest.mark.parametrize("step", ["tombstones", "current commit", "current lineage"])
def test_killed_behind_a_step_it_goes_on_as_if_nothing_had_happened(place, step):
    name = f"crash_{step.replace(' ', '_')}"
    rows = history(
        [("a", "upsert", 1, None, 0), ("b", "upsert", 1, None, 0), ("a", "delete", 2, None, 0), ("b", "update", 3, None, 0)]
    )
    contract = landed(place, [rows.slice(0, 2)], name)
    mine = replace(place, contracts=(contract,))
    run(mine, lambda: False, drain=True)
    landed(place, [rows.slice(2)], name)

    def deadly(done: str) -> None:
        if done == step:
            raise Died

    with pytest.raises(Died):
        run(replace(mine, step=deadly), lambda: False, drain=True)
    run(replace(mine, alive=lambda _instance: False), lambda: False, drain=True)
    assert current(place, contract) == {"b": "b 3"}
    uri = delta.table_uri(place.tables, "current", contract.domain, name)
    made = [past.table_version for past in delta.history(uri) if "current" in past.metadata]
    commits = place.emitter.commits(f"{contract.dataset}.current")
    assert [commit.outputs[0][2] for commit in commits] == made
    assert sum(commit.records_in for commit in commits) == rows.num_rows
    assert place.emitter.close_abandoned(f"{contract.dataset}.current", datetime.now(UTC), lambda _instance: False) == []


def test_two_processes_on_one_table_lose_nothing(place):
    rows = history([(key, "upsert", second, None, 0) for second in range(4) for key in "abc"])
    contract = landed(place, [rows.slice(0, 3)], "rivals")
    one, other = CurrentTable(place, contract), CurrentTable(place, contract)
    one.open()
    other.open()
    one.catch_up()

    def rival(done: str) -> None:
        if done == "tombstones":
            landed(place, [rows.slice(6, 3)], "rivals")
            other.catch_up()

    landed(place, [rows.slice(3, 3)], "rivals")
    one.setup = replace(place, step=rival)
    one.catch_up()
    one.setup = place
    landed(place, [rows.slice(9)], "rivals")
    one.catch_up()
    assert current(place, contract) == expected(rows)


def test_tombstones_hold_a_key_and_its_place_alone():
    assert tombstone_schema(SCHEMA, CONTRACT).names == ["id", "_changed_at", "_sequence", "_topic", "_partition", "_offset"]


def test_a_dataset_without_a_silver_table_is_left_out(place, tmp_path: Path):
    assert len(run(replace(place, tables=str(tmp_path)), lambda: False, drain=True)) == 1
    assert not delta.exists(delta.table_uri(tmp_path, "current", CONTRACT.domain, CONTRACT.name))


AUDITED = (*CONTRACT.key, *HISTORY_COLUMNS)


@given(HISTORY)
def test_the_audit_finds_a_merged_table_right(changes):
    rows = history(changes)
    found, _ = newest_of(rows.to_batches(), CONTRACT, SCHEMA)
    verdict = audit_of(rows, live(found))
    assert verdict.ok
    assert verdict.keys == len(expected(rows))


def test_the_audit_names_what_is_wrong_with_a_table():
    rows = history(
        [
            ("a", "upsert", 1, None, 0),
            ("a", "update", 2, None, 0),
            ("b", "upsert", 1, None, 0),
            ("c", "upsert", 1, None, 0),
            ("c", "delete", 2, None, 0),
        ]
    )
    right = frame_of(rows)[[1, 2]]
    assert audit_of(rows, right).ok
    assert audit_of(rows, frame_of(rows)[[1]]).missing == 1
    assert audit_of(rows, frame_of(rows)[[0, 2]]).stale == 1
    assert audit_of(rows, frame_of(rows)[[1, 2, 3]]).risen == 1
    assert audit_of(rows, frame_of(rows)[[1, 2, 2]]).doubled == 1
    assert not audit_of(rows, frame_of(rows)[[1]]).ok


def audit_of(rows: pa.Table, table: pl.DataFrame) -> CurrentVerdict:
    held = table.select(*CONTRACT.key, *PLACE).to_arrow()
    return judged_current("shop.states", rows.select(AUDITED), held, CONTRACT.key, silver_version=1, behind=0)
