from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest

from contracts.errors import DefinitionInvalid
from features.explain import explanation, offset_ranges, source_rows
from features.gold import events_of, gold_of, gold_schema
from features.plan import Feature
from lineage.facts import OffsetRange
from tests.features.made import KNOWN, STAMP, at, latest_view, rows, sales, windowed

SALE = {"sale_id": pa.string(), "shop": pa.string(), "sold_at": STAMP, "price": pa.int64()}


def sale(price: int, *, sale_id: str = "s", minute: float = 1, partition: int = 0, offset: int = 0) -> dict[str, object]:
    return {"sale_id": sale_id, "shop": "a", "sold_at": at(minute), "price": price, "_partition": partition, "_offset": offset}


def test_the_same_content_from_two_partitions_is_one_row_named_by_the_least_coordinates() -> None:
    table = rows(
        SALE, [sale(3, partition=2, offset=9), sale(3, partition=1, offset=70), sale(4, sale_id="t", minute=2, offset=5)]
    )
    gold = gold_of(latest_view(), table, KNOWN)
    assert gold.duplicates == 1
    assert gold.rows.select(["price", "_partition", "_offset"]).to_pylist() == [
        {"price": 3, "_partition": 1, "_offset": 70},
        {"price": 4, "_partition": 0, "_offset": 5},
    ]


def test_of_two_statements_about_one_moment_the_last_written_holds() -> None:
    table = rows(SALE, [sale(9, sale_id="t", offset=8), sale(3, offset=7)])
    assert gold_of(latest_view(), table, KNOWN).rows["price"].to_pylist() == [9]


def test_rows_without_an_entity_are_left_out_and_counted() -> None:
    gold = gold_of(latest_view(), sales([(None, 1, 5), ("a", 2, 6), (None, 3, 7)]), KNOWN)
    assert (gold.without_entity, gold.rows["price"].to_pylist()) == (2, [6])


def test_a_null_value_is_a_last_value_too() -> None:
    gold = gold_of(latest_view(), sales([("a", 1, 5), ("a", 2, None)]), KNOWN)
    assert gold.rows["price"].to_pylist() == [5, None]


def test_every_row_says_when_it_could_be_known() -> None:
    gold = gold_of(latest_view(), sales([("a", 1, 5)]), KNOWN)
    assert gold.rows["created_timestamp"].to_pylist() == [KNOWN]
    assert gold.rows.schema == gold_schema(latest_view())


def test_a_column_that_silver_lacks_is_named_with_those_it_has() -> None:
    view = latest_view(features=(Feature("prize", "Int64"),))
    with pytest.raises(DefinitionInvalid, match=r"no column prize(.|\n)*price"):
        gold_of(view, sales([("a", 1, 5)]), KNOWN)


def test_values_that_the_declared_type_cannot_hold_are_refused() -> None:
    view = latest_view(features=(Feature("sale_id", "Int64"),))
    with pytest.raises(DefinitionInvalid, match="sale_id has values of type"):
        gold_of(view, rows(SALE, [sale(1, sale_id="not a number")]), KNOWN)


def halves(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.loc[frame.index.repeat(2)].assign(part=["l", "r"] * len(frame))


def test_a_transformation_gives_rows_that_keep_their_origins_time_and_coordinates() -> None:
    view = latest_view(transform=halves, entities=(Feature("shop", "String"), Feature("part", "String")))
    gold = gold_of(view, rows(SALE, [sale(3, offset=40), sale(4, sale_id="t", minute=2, offset=50)]), KNOWN)
    said = gold.rows.select(["part", "price", "event_timestamp", "_offset"]).to_pylist()
    assert [(r["part"], r["price"], r["event_timestamp"], r["_offset"]) for r in said] == [
        ("l", 3, at(1), 40),
        ("l", 4, at(2), 50),
        ("r", 3, at(1), 40),
        ("r", 4, at(2), 50),
    ]


def test_a_transformation_that_forgets_where_its_rows_are_from_is_refused() -> None:
    view = latest_view(transform=lambda frame: frame.set_index("sale_id"))
    with pytest.raises(DefinitionInvalid, match="where they are from"):
        gold_of(view, sales([("a", 1, 5)]), KNOWN)


def test_with_current_by_only_the_latest_row_of_each_key_counts() -> None:
    table = rows(SALE, [sale(1, sale_id="x", offset=0), sale(2, sale_id="x", minute=5, offset=1), sale(3, sale_id="y", offset=2)])
    gold = gold_of(latest_view(current_by=("sale_id",)), table, KNOWN)
    assert sorted(gold.rows["price"].to_pylist()) == [2, 3]


def test_a_window_is_explained_by_exactly_the_rows_it_counted() -> None:
    view = windowed(("count", 10, 5), ("mean", 20, 5))
    table = sales([("a", 1, 5), ("b", 2, 1), ("a", 3, 7), ("a", 14, 9), ("a", 33, 1)])
    for gold_row in gold_of(view, table, KNOWN).rows.to_pylist():
        found = source_rows(view, table, gold_row)
        assert found.height == gold_row["_rows"]
        assert set(found["shop"]) <= {gold_row["shop"]}
        told = explanation(view, table, gold_row, gold_version=3, silver_version=2)
        assert (told.found, told.rows) == (gold_row["_rows"], gold_row["_rows"])


def test_offsets_are_told_as_the_fewest_ranges() -> None:
    table = rows(SALE, [sale(n, partition=n // 4, offset=o) for n, o in enumerate((5, 4, 6, 9, 1, 2))])
    topic = "shop.sold.raw.v1"
    ranges = offset_ranges(events_of(latest_view(), table))
    assert ranges == (OffsetRange(topic, 0, 4, 6), OffsetRange(topic, 0, 9, 9), OffsetRange(topic, 1, 1, 2))
