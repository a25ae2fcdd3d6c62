"""The digest of a table: blind to order, and to nothing else."""

from __future__ import annotations

import datetime as dt
import math
import random
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage import digest
from lineage.digest import table_digest

COLUMNS = {
    "text": (pa.string(), st.none() | st.text(st.characters(exclude_categories=("Cs",)), max_size=5)),
    "whole": (pa.int64(), st.none() | st.integers(-(2**63), 2**63 - 1)),
    "real": (pa.float64(), st.none() | st.floats(allow_nan=False)),
    "flag": (pa.bool_(), st.none() | st.booleans()),
    "moment": (pa.timestamp("us", "UTC"), st.none() | st.datetimes(timezones=st.just(dt.UTC))),
    "reals": (pa.list_(pa.float32()), st.none() | st.lists(st.none() | st.floats(width=32, allow_nan=False), max_size=3)),
    "pair": (
        pa.struct([("a", pa.int64()), ("b", pa.binary())]),
        st.none() | st.fixed_dictionaries({"a": st.none() | st.integers(0, 3), "b": st.none() | st.binary(max_size=2)}),
    ),
}
SCHEMA = pa.schema([(name, kind) for name, (kind, _) in COLUMNS.items()])
rows = st.lists(st.fixed_dictionaries({name: values for name, (_, values) in COLUMNS.items()}), max_size=8)


def table(content: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(content, schema=SCHEMA)


def bits(content: list[dict[str, Any]]) -> list[str]:
    """The rows as an exact, sortable text each: repr tells -0.0 from 0.0."""
    return sorted(repr(row) for row in table(content).to_pylist())


@given(rows, st.randoms(use_true_random=False), st.integers(0, 8))
def test_any_order_of_rows_and_columns_and_any_split_into_chunks_give_the_same(
    content: list[dict[str, Any]], chance: random.Random, cut: int
) -> None:
    shuffled = chance.sample(content, len(content))
    parts = pa.concat_tables([table(shuffled[:cut]), table(shuffled[cut:])])
    assert table_digest(parts.select(chance.sample(SCHEMA.names, len(SCHEMA)))) == table_digest(table(content))


@given(rows, rows)
def test_two_tables_have_one_digest_only_if_they_hold_the_same_rows(
    one: list[dict[str, Any]], other: list[dict[str, Any]]
) -> None:
    assert (table_digest(table(one)) == table_digest(table(other))) == (bits(one) == bits(other))


@given(rows.filter(bool), st.data())
def test_a_row_lost_doubled_or_changed_is_seen(content: list[dict[str, Any]], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(content) - 1))
    name = data.draw(st.sampled_from(SCHEMA.names))
    changed = content[place] | {name: data.draw(COLUMNS[name][1].filter(lambda value: repr(value) != repr(content[place][name])))}
    whole = table_digest(table(content))
    assert table_digest(table(content[:place] + content[place + 1 :])) != whole
    assert table_digest(table([*content, content[place]])) != whole
    if bits([changed]) != bits([content[place]]):
        assert table_digest(table([*content[:place], changed, *content[place + 1 :]])) != whole


def of(values: list[Any], kind: pa.DataType) -> str:
    return table_digest(pa.table({"c": pa.array(values, kind)}))


def test_pairs_that_an_exclusive_or_would_not_see_are_seen() -> None:
    assert len({of(values, pa.string()) for values in (["a", "a"], ["b", "b"], [], ["a", "a", "b", "b"])}) == 4


def test_null_and_what_looks_like_it_differ() -> None:
    assert len({of([value], pa.string()) for value in (None, "null", "", '"null"', "None")}) == 5
    assert len({of([value], pa.list_(pa.string())) for value in (None, [], [None], [""], ["null"])}) == 5
    pair = pa.struct([("a", pa.string())])
    assert of([None], pair) != of([{"a": None}], pair)


def test_values_do_not_run_into_each_other() -> None:
    def two(a: str, b: str) -> str:
        return table_digest(pa.table({"a": [a], "b": [b]}))

    assert len({two("x", "yz"), two("xy", "z"), two('x","1":"y', "z"), two("x\n", "yz")}) == 4


def test_floats_count_by_their_bits_and_every_nan_is_the_same() -> None:
    assert of([0.1 + 0.2], pa.float64()) != of([0.3], pa.float64())
    assert of([0.0], pa.float64()) != of([-0.0], pa.float64())
    negative_nan = pa.array([-1], pa.int64()).view(pa.float64())
    assert math.isnan(negative_nan[0].as_py())
    assert table_digest(pa.table({"c": negative_nan})) == of([float("nan")], pa.float64())
    assert of([float("nan")], pa.float64()) != of([None], pa.float64())


def test_names_and_types_count_and_the_layout_in_memory_does_not() -> None:
    assert of([1], pa.int64()) != of([1], pa.int32())
    assert table_digest(pa.table({"a": [1]})) != table_digest(pa.table({"b": [1]}))
    assert of([], pa.int64()) != of([], pa.string())
    assert of(["x", None], pa.string()) == of(["x", None], pa.large_string())
    assert of(["x", None, "x"], pa.dictionary(pa.int32(), pa.string())) == of(["x", None, "x"], pa.string())
    assert of([[1, 2]], pa.list_(pa.int64(), 2)) == of([[1, 2]], pa.large_list(pa.int64()))
    assert of([dt.datetime(2026, 1, 1)], pa.timestamp("us")) != of([dt.datetime(2026, 1, 1)], pa.timestamp("us", "UTC"))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (pa.decimal128(10, 2), [Decimal("1.10"), None]),
        (pa.date32(), [dt.date(2026, 1, 1), None]),
        (pa.time64("us"), [dt.time(1), None]),
        (pa.binary(), [b"\xff\x00", None]),
        (pa.float16(), [1.5, None]),
        (pa.list_(pa.struct([("x", pa.list_(pa.float64()))])), [[{"x": [1.0, None]}, None], None]),
        (pa.null(), [None, None]),
    ],
)
def test_other_types_are_taken_too_whatever_slice_they_come_in(kind: pa.DataType, values: list[Any]) -> None:
    whole = pa.table({"c": pa.array(values, kind)})
    sliced = pa.concat_tables([whole, whole]).combine_chunks().slice(1, 2)
    assert table_digest(sliced) == table_digest(whole)
    if kind != pa.null():
        assert table_digest(whole) != table_digest(whole.slice(0, 1))


def test_a_type_without_exact_text_is_named() -> None:
    with pytest.raises(TypeError, match="column odd"):
        table_digest(pa.table({"odd": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64()))}))


def test_knowledge_time_is_left_out_unless_asked_for() -> None:
    early, late = (pa.table({"a": [1], "_known_at": [when]}) for when in (1, 2))
    assert table_digest(early) == table_digest(late)
    assert table_digest(early, leave_out=()) != table_digest(late, leave_out=())
    assert table_digest(early, leave_out=("a", "_known_at")).startswith("v1:")


def test_chunks_larger_than_one_pass_are_summed_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = pa.table({"a": range(1000)})
    before = table_digest(whole)
    monkeypatch.setattr(digest, "_CHUNK_ROWS", 7)
    assert table_digest(whole) == before


def test_the_digest_of_a_known_table_never_changes() -> None:
    """Digests are compared across releases and environments: a change of the algorithm needs a new `v`."""
    known = pa.table(
        {
            "text": ['é\U0001f600\n"\\\x00\x7f', None],
            "real": [-0.0, 1e-300],
            "moment": pa.array([0, None], pa.timestamp("us", "UTC")),
            "bytes": [b"\x00\xff", b""],
            "reals": pa.array([[1.5, None], None], pa.list_(pa.float64())),
        }
    )
    assert table_digest(known) == "v1:26fe8871971f0457ee8ad182fc3bb967f6697503d9ac68f57909dfa9467b13b4"
