"""What a contract compiles to: schemas, topics, key, hash."""

from __future__ import annotations

import pyarrow as pa
import pytest

from contracts.contract import Field
from contracts.records import COORDINATE_FIELDS, KNOWN_AT_FIELD
from contracts.schema import arrow_schema, arrow_type, clean_schema, reading_schema, silver_schema
from tests.contracts.made import SOUND, properties, read, sound, text_of

ORDERS = read()


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (Field("a", "string"), pa.string()),
        (Field("a", "integer"), pa.int64()),
        (Field("a", "number"), pa.float64()),
        (Field("a", "boolean"), pa.bool_()),
        (Field("a", "timestamp"), pa.timestamp("us", "UTC")),
        (Field("a", "date"), pa.date32()),
        (Field("a", "array", items=Field("", "integer")), pa.list_(pa.int64())),
        (
            Field("a", "object", fields=(Field("b", "array", items=Field("", "object", fields=(Field("c", "string"),))),)),
            pa.struct([("b", pa.list_(pa.struct([("c", pa.string())])))]),
        ),
    ],
)
def test_each_logical_type_has_its_arrow_type(field, expected):
    assert arrow_type(field) == expected


def test_required_columns_are_not_nullable_and_the_others_are():
    nullable = {field.name: field.nullable for field in arrow_schema(ORDERS)}
    assert nullable == {name: name not in ("order_id", "ordered_at") for name in nullable}


def test_times_are_read_as_texts_and_everything_may_be_absent():
    schema = reading_schema(ORDERS)
    assert schema.field("ordered_at").type == pa.string()
    assert all(field.nullable for field in schema)


def test_silver_is_a_clean_row_with_coordinates_and_knowledge_time():
    names = [field.name for field in ORDERS.fields]
    assert clean_schema(ORDERS).names == [*names, *(field.name for field in COORDINATE_FIELDS)]
    assert silver_schema(ORDERS).names == [*clean_schema(ORDERS).names, KNOWN_AT_FIELD.name]


def test_topics_are_named_by_dataset_and_major_version():
    data = sound()
    data["version"] = "12.3.4"
    contract = read(text_of(data))
    assert (contract.raw_topic, contract.clean_topic, contract.dead_letter_topic) == (
        "shop.orders.raw.v12",
        "shop.orders.clean.v12",
        "shop.orders.dlq.v12",
    )


def test_the_key_is_the_primary_key_in_order():
    data = sound()
    properties(data)[2].update(primaryKey=True, primaryKeyPosition=2)
    assert read(text_of(data)).key == ("order_id", "amount")


def test_the_hash_does_not_see_comments_layout_or_the_order_of_keys():
    data = sound()
    turned = {key: data[key] for key in reversed(data)}
    commented = "# a comment\n" + SOUND.replace("domain: shop", "domain:   'shop'   # another")
    assert read(text_of(data)).hash == read(text_of(turned)).hash == read(commented).hash == ORDERS.hash
    assert len(ORDERS.hash) == 64


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(version="1.0.1"),
        lambda d: d["description"].update(purpose="Else."),
        lambda d: properties(d)[2]["logicalTypeOptions"].update(minimum=1),
        lambda d: properties(d)[0].update(classification="restricted-not"),
        lambda d: d["schema"][0]["properties"].reverse(),
        lambda d: d["customProperties"][1].update(value=3),
    ],
)
def test_the_hash_changes_with_every_change_of_content(change):
    data = sound()
    change(data)
    assert read(text_of(data)).hash != ORDERS.hash


def test_what_the_file_says_is_what_the_contract_says():
    assert ORDERS.dataset == "shop.orders"
    assert (ORDERS.event_time, ORDERS.partitions, ORDERS.description) == ("ordered_at", 2, "Orders of a made-up shop.")
    by_name = {field.name: field for field in ORDERS.fields}
    assert [(r.name, r.kind, r.argument) for r in by_name["amount"].rules] == [
        ("minimum", "minimum", 0),
        ("maximum", "maximum", 100),
    ]
    assert [r.kind for r in by_name["size"].rules] == ["min_length", "max_length", "pattern", "valid_values"]
    assert by_name["size"].rules[-1].argument == ("S", "M", "XL")
    assert by_name["order_id"].required
    assert by_name["order_id"].public
    assert by_name["buyer"].fields == (Field("city", "string"),)
    assert by_name["tags"].items == Field("", "string")
