"""What a contract compiles to for others: each target says the same as the stream does, or says that it cannot."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.connectors.files import load_catalog, load_contract
from contracts.contract import Contract
from contracts.schema import silver_schema
from contracts.targets import delta, feast, json_schema, openlineage, plans, words
from infra.settings import PROJECT_FOLDER
from tests.streams.made import cleaned, records_of, verdicts

RICH = load_contract(Path(__file__).parent / "rich.odcs.yaml")
ALL = (RICH, *load_catalog([PROJECT_FOLDER / "contracts"]))

GOOD = {
    "order_id": "A-1",
    "ordered_at": "2026-01-31T12:00:00Z",
    "shipped_at": None,
    "buyer_id": 7,
    "amount": 12.5,
    "state": "open",
    "email": "ada@example.org",
    "note": None,
    "address": {"street": None, "country": "DE"},
    "lines": [{"article": "pen", "count": 2, "marks": ["a"]}],
}
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "order_id": st.sampled_from(["A-1", "a-1", "A-", "A-12345678901", None, 1]),
        "ordered_at": st.sampled_from(["2026-01-31T12:00:00+01:00", "2026-01-31", "yesterday", None]),
        "shipped_at": st.sampled_from(["2026-02-01T00:00:00Z", "soon", None]),
        "buyer_id": st.sampled_from([1, 0, 2**63 - 1, 2**63, "1", None, True]),
        "amount": st.sampled_from([0, 0.25, -1, 1e3, "1", None]),
        "state": st.sampled_from(["open", "shipped", "returned", "lost", None]),
        "email": st.sampled_from(["a@example.org", "nobody", None, 5]),
        "note": st.sampled_from(["x", "", None, ["x"]]),
        "address": st.sampled_from(
            [None, {"country": "DE"}, {"country": "GER"}, {"street": "x"}, {"country": None, "street": "x"}, "x"]
        ),
        "lines": st.sampled_from(
            [
                None,
                [],
                [{"article": "pen", "count": 0}],
                [{"article": None}],
                [None],
                [{"article": "pen", "marks": ["a", "a"]}],
                [{"article": "pen", "marks": ["a", None], "count": None}],
                [{"article": "pen"}] * 101,
            ]
        ),
    },
)


def accepted(values: list[bytes], contract: Contract) -> list[bool]:
    """Say which records the stream lets through. Each has an offset of its own."""
    told = verdicts(cleaned(records_of(values), contract))
    return [told[offset] == "row" for offset in range(len(values))]


@settings(max_examples=60, deadline=None)
@given(st.lists(CHANGES, min_size=1, max_size=12), st.lists(st.sampled_from(sorted(GOOD)), max_size=2))
def test_the_json_schema_accepts_what_the_stream_accepts(changes, absent):
    records = [{**GOOD, **change} for change in changes]
    for name in absent:
        records[0].pop(name, None)
    validator = jsonschema.Draft202012Validator(json_schema.json_schema(RICH))
    told = [validator.is_valid(record) for record in records]
    said = dict(zip([_encoded(record) for record in records], told, strict=True))
    assert said == dict(zip(said, accepted(list(said), RICH), strict=True)), "a value that comes twice is asked once"


def _encoded(record: dict) -> bytes:
    return json.dumps(record, sort_keys=True).encode()


@pytest.mark.parametrize("contract", ALL, ids=lambda contract: contract.dataset)
def test_the_json_schema_is_one_and_says_what_it_cannot(contract):
    schema = json_schema.json_schema(contract)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert json.loads(json.dumps(schema)) == schema
    if contract is RICH:
        assert schema[json_schema.BEYOND] == ["shipped after ordered: shipped_at IS NULL OR shipped_at >= ordered_at"]
        assert schema["properties"]["ordered_at"][json_schema.BEYOND] == ["minimum: 2020-01-01T00:00:00Z"]


@pytest.mark.parametrize("contract", ALL, ids=lambda contract: contract.dataset)
def test_the_delta_schema_is_what_the_writer_makes_of_the_same_columns(contract):
    from deltalake import Schema

    assert delta.delta_schema(contract) == json.loads(Schema.from_arrow(silver_schema(contract)).to_json())


def test_table_properties_name_the_contract_and_its_team():
    made = delta.table_properties(RICH)
    assert made["headwater.contract.createdUnderHash"] == RICH.hash
    assert made["headwater.owner"] == "shop-data"
    assert all(name.startswith("headwater.") and isinstance(value, str) for name, value in made.items())


@pytest.mark.parametrize("contract", ALL, ids=lambda contract: contract.dataset)
def test_every_feast_field_is_of_a_type_that_feast_has_and_every_column_is_told(contract):
    types = pytest.importorskip("feast.types")
    for field in feast.feast_fields(contract):
        assert eval(field.dtype, vars(types))  # noqa: S307  our own text
    named = {field.name for field in feast.feast_fields(contract)} | set(feast.left_out(contract))
    assert named == {field.name for field in contract.fields}


def test_what_lineage_says_of_a_contract_names_its_team_and_none_of_its_members():
    said = openlineage.about(RICH)
    assert ("team:shop-data", "OWNER") in said.owners
    assert "Ada" not in repr(said)
    assert openlineage.Tag("masked", "true", "address.street") in said.tags
    assert openlineage.Tag("criticalDataElement", "true", "buyer_id") in said.tags
    assert "Limitations" in said.documentation


def test_the_masking_plan_tells_what_happens_to_every_value_at_any_depth():
    told = {row.path: row.treatment for row in plans.masking_plan(RICH)}
    assert told["email"] == told["address.street"] == "replace"
    assert told["lines[].marks[]"] == told["note"] == "free_text"
    assert told["address.country"] == told["amount"] == "keep"
    assert all(row.words for row in plans.masking_plan(RICH))


def test_every_rule_is_said_in_words():
    told = {(path, name) for path, name, _ in words.row_rules(RICH)}
    assert {("lines[].marks", "uniqueItems"), ("address.country", "required"), ("", "shipped after ordered")} <= told
    sentences = [words.table_rule_in_words(rule) for rule in RICH.table_rules]
    assert "invalid values of state (valid: open or shipped): less than 20 %, in the silver table" in sentences
