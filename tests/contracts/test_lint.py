"""Lint: every fault at once, each by file, line, field and rule; and nothing passes that would stop a job later."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import yaml_text
from contracts.connectors.files import contract_files
from contracts.errors import ContractInvalid
from infra.main import main
from infra.settings import PROJECT_FOLDER
from tests.contracts.made import SOUND, after, problems, properties, read, sound, text_of

ODCS = Path(__file__).parents[2].parent / "shared" / "vectors" / "odcs" / "schema" / "odcs-json-schema-v3.1.0.json"
ID, AT, AMOUNT, SIZE, WEIGHT, BUYER, TAGS = range(7)


def put(index: int, **changes: object):
    """Return a change that sets keys of a property."""
    return lambda data: properties(data)[index].update(changes)


def custom(name: str, value: object):
    def change(data: dict) -> None:
        data["customProperties"] = [c for c in data["customProperties"] if c["property"] != name]
        if value is not None:
            data["customProperties"].append({"property": name, "value": value})

    return change


def quality(index: int, **changes: object):
    rule = {"type": "library", "metric": "invalidValues", "mustBe": 0, "arguments": {"validValues": ["S"]}, **changes}
    return lambda data: properties(data)[index].update(quality=[rule])


def table_quality(**rule: object):
    return lambda data: data["schema"][0].update(quality=[rule])


FAULTS = {
    "a quality rule without a metric": (put(AMOUNT, quality=[{}]), "orders.amount.quality[0]", "metric"),
    "a rule of the schema without a metric": (lambda d: d["schema"][0].update(quality=[{}]), "orders.quality[0]", "metric"),
    "another version of ODCS": (lambda d: d.update(apiVersion="v3.0.2"), "apiVersion", "apiVersion"),
    "no id": (lambda d: d.pop("id"), "", "required"),
    "a version that is no version": (lambda d: d.update(version="1"), "version", "version"),
    "a version in other digits": (lambda d: d.update(version="١.0.0"), "version", "version"),
    "a version with a newline": (lambda d: d.update(version="1.0.0\n"), "version", "version"),
    "capitals in the name": (lambda d: d.update(name="Orders"), "name", "name"),
    "a newline in the domain": (lambda d: d.update(domain="shop\n"), "domain", "domain"),
    "two schemas": (lambda d: d["schema"].append(copy.deepcopy(d["schema"][0])), "schema", "one schema"),
    "no schema": (lambda d: d.update(schema=[]), "schema", "one schema"),
    "another schema name": (lambda d: d["schema"][0].update(name="others"), "others.name", "schema name"),
    "no properties": (lambda d: d["schema"][0].update(properties=[]), "orders", "properties"),
    "an unknown type": (put(AMOUNT, logicalType="decimal"), "orders.amount.logicalType", "enum"),
    "a type that is not honoured": (
        put(AMOUNT, logicalType="time", logicalTypeOptions={}),
        "orders.amount.logicalType",
        "logicalType",
    ),
    "no type": (lambda d: properties(d)[ID].pop("logicalType"), "orders.order_id.logicalType", "logicalType"),
    "a name of ours": (put(AMOUNT, name="_offset"), "orders._offset.name", "name"),
    "a name with a newline": (put(AMOUNT, name="amount\n"), "orders.amount\n.name", "name"),
    "a name twice": (put(AMOUNT, name="Size"), "orders.size.name", "name"),
    "no key": (put(ID, primaryKey=False), "orders", "primaryKey"),
    "an object for a key": (put(BUYER, primaryKey=True, primaryKeyPosition=2), "orders.buyer", "primaryKey"),
    "keys in another order": (put(AMOUNT, primaryKey=True, primaryKeyPosition=0), "orders", "primaryKeyPosition"),
    "a restricted key": (put(ID, classification="restricted"), "orders.order_id", "classification"),
    "a restricted required number": (put(AMOUNT, classification="restricted", required=True), "orders.amount", "classification"),
    "an option of another type": (put(AMOUNT, logicalTypeOptions={"minLength": 1}), "orders.amount.logicalTypeOptions", None),
    "an option that is not enforced": (
        put(BUYER, logicalTypeOptions={"maxProperties": 2}),
        "orders.buyer.logicalTypeOptions.maxProperties",
        "maxProperties",
    ),
    "a pattern that is none": (
        put(SIZE, logicalTypeOptions={"pattern": "("}),
        "orders.size.logicalTypeOptions.pattern",
        "pattern",
    ),
    "a pattern that looks back": (
        put(SIZE, logicalTypeOptions={"pattern": "(?<=a)b"}),
        "orders.size.logicalTypeOptions.pattern",
        "pattern",
    ),
    "an object of nothing": (put(BUYER, properties=[]), "orders.buyer", "properties"),
    "a list of nothing": (lambda d: properties(d)[TAGS].pop("items"), "orders.tags", "items"),
    "a time within an object": (
        lambda d: properties(d)[BUYER]["properties"][0].update(logicalType="date"),
        "orders.buyer.city.logicalType",
        "logicalType",
    ),
    "a key within an object": (
        lambda d: properties(d)[BUYER]["properties"][0].update(primaryKey=True),
        "orders.buyer.city",
        "primaryKey",
    ),
    "something required that is not there": (
        put(BUYER, logicalTypeOptions={"required": ["street"]}),
        "orders.buyer.logicalTypeOptions.required",
        "required",
    ),
    "part of a multiple": (
        put(AMOUNT, logicalTypeOptions={"multipleOf": 0.5}),
        "orders.amount.logicalTypeOptions.multipleOf",
        "multipleOf",
    ),
    "a format of nobody's": (put(SIZE, logicalTypeOptions={"format": "size"}), "orders.size.logicalTypeOptions.format", "format"),
    "numbers that do not fit": (
        put(AMOUNT, logicalTypeOptions={"format": "u64"}),
        "orders.amount.logicalTypeOptions.format",
        "format",
    ),
    "a bound that is no time": (
        put(AT, logicalTypeOptions={"minimum": "2013-01-01T00:00:00"}),
        "orders.ordered_at.logicalTypeOptions.minimum",
        "minimum",
    ),
    "times without a zone": (
        put(AT, logicalTypeOptions={"timezone": False}),
        "orders.ordered_at.logicalTypeOptions.timezone",
        "timezone",
    ),
    "a pattern of Rust's alone": (
        put(SIZE, logicalTypeOptions={"pattern": "(?i)a"}),
        "orders.size.logicalTypeOptions.pattern",
        "pattern",
    ),
    "a column of another name": (put(SIZE, physicalName="groesse"), "orders.size.physicalName", "physicalName"),
    "a topic of another name": (lambda d: d["schema"][0].update(physicalName="orders"), "orders.physicalName", "physicalName"),
    "a table in parts": (put(SIZE, partitioned=True), "orders.size.partitioned", "partitioned"),
    "a rule that says no threshold": (
        lambda d: properties(d)[SIZE].update(quality=[{"metric": "nullValues"}]),
        "orders.size.quality[0]",
        "oneOf",
    ),
    "a threshold that is no number": (quality(SIZE, mustBe="none"), "orders.size.quality[0].mustBe", "mustBe"),
    "a unit of nobody's": (quality(SIZE, unit="crates"), "orders.size.quality[0].unit", "unit"),
    "rows counted in a field": (quality(SIZE, metric="rowCount", arguments={}), "orders.size.quality[0]", "rowCount"),
    "nothing said to be valid": (quality(SIZE, arguments={}), "orders.size.quality[0]", "invalidValues"),
    "two queries": (quality(SIZE, type="sql", query="select 1; select 2"), "orders.size.quality[0].query", "sql"),
    "a query of another engine's": (
        quality(SIZE, type="sql", query="select count(*) from ${server}"),
        "orders.size.quality[0].query",
        "sql",
    ),
    "some in an array": (
        lambda d: properties(d)[TAGS]["items"].update(
            quality=[{"metric": "invalidValues", "arguments": {"pattern": "x"}, "mustBeLessThan": 5}]
        ),
        "orders.tags.items.quality[0]",
        "invalidValues",
    ),
    "a restricted value asked of the table": (
        lambda d: properties(d)[SIZE].update(
            classification="restricted", quality=[{"metric": "duplicateValues", "mustBeLessThan": 5}]
        ),
        "orders.size.quality[0]",
        "duplicateValues",
    ),
    "another engine": (table_quality(type="custom", engine="soda", implementation="x"), "orders.quality[0]", "engine"),
    "an expression of many rows": (
        table_quality(type="custom", engine="headwater", implementation={"expression": "sum(amount) > 1"}),
        "orders.quality[0].implementation",
        "expression",
    ),
    "an expression of no field": (
        table_quality(type="custom", engine="headwater", implementation={"expression": "colour = 'red'"}),
        "orders.quality[0].implementation",
        "expression",
    ),
    "an expression that is no verdict": (
        table_quality(type="custom", engine="headwater", implementation={"expression": "amount + 1"}),
        "orders.quality[0].implementation",
        "expression",
    ),
    "a field's rule on the table": (table_quality(metric="nullValues", mustBe=0), "orders.quality[0]", "nullValues"),
    "duplicates of nothing": (table_quality(metric="duplicateValues", mustBe=0), "orders.quality[0].arguments", "properties"),
    "values of another type": (quality(SIZE, arguments={"validValues": [1]}), "orders.size.quality[0].arguments", "validValues"),
    "truth among numbers": (
        quality(AMOUNT, arguments={"validValues": [True]}),
        "orders.amount.quality[0].arguments",
        "validValues",
    ),
    "values that are no list": (quality(SIZE, arguments={"validValues": "S"}), "orders.size.quality[0].arguments", "validValues"),
    "values of a time": (quality(AT, arguments={"validValues": ["x"]}), "orders.ordered_at.quality[0].arguments", "validValues"),
    "a pattern for a number": (quality(AMOUNT, arguments={"pattern": "x"}), "orders.amount.quality[0].arguments", "pattern"),
    "no event time": (custom("eventTime", None), "customProperties", "eventTime"),
    "an event time that is no field": (custom("eventTime", "when"), "customProperties", "eventTime"),
    "an event time that is a list": (custom("eventTime", ["ordered_at"]), "customProperties", "eventTime"),
    "an event time that is a text": (custom("eventTime", "size"), "customProperties", "eventTime"),
    "an event time that may be absent": (put(AT, required=False), "customProperties", "eventTime"),
    "no partitions": (custom("partitions", 0), "customProperties", "partitions"),
    "partitions in words": (custom("partitions", "four"), "customProperties", "partitions"),
    "partitions true": (custom("partitions", True), "customProperties", "partitions"),
    "an unknown custom property": (custom("evntTime", "x"), "customProperties[2]", "evntTime"),
    "change events as facts": (custom("envelope", "debezium"), "customProperties", "envelope"),
    "a number beyond 64 bits": (put(AMOUNT, examples=[2**70]), "contract", "json"),
}


def test_nothing_is_wrong_with_a_sound_contract():
    assert problems(SOUND) == ()


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told_by_its_field_and_rule(name):
    change, field, rule = FAULTS[name]
    found = after(change)
    assert found
    assert any((p.field or "contract").startswith(field) and rule in (p.rule, None) for p in found), list(map(str, found))
    assert all(p.file == "orders.odcs.yaml" and p.line >= 1 and p.message for p in found)


@pytest.mark.parametrize("name", sorted(set(FAULTS) - {"a number beyond 64 bits"}))
def test_what_lint_finds_no_contract_is_read_from(name):
    data = sound()
    FAULTS[name][0](data)
    with pytest.raises(ContractInvalid) as raised:
        read(text_of(data))
    assert "orders.odcs.yaml" in str(raised.value)


TEN = """\
apiVersion: v3.1.0
kind: DataContract
id: urn:test:shop:orders
domain: Shop
name: orders
version: one
status: active
customProperties:
  - property: eventTime
    value: nothing
  - property: partitions
    value: 0
  - property: colour
    value: red
schema:
  - name: others
    logicalType: object
    properties:
      - name: order_id
        logicalType: string
        primaryKey: true
      - name: _ours
        logicalType: timestamp
        required: true
      - name: amount
        logicalType: integer
        logicalTypeOptions:
          multipleOf: 3.5
      - name: size
        logicalType: string
        logicalTypeOptions:
          pattern: '('
      - name: tags
        logicalType: array
      - name: kind
        logicalType: decimal
      - name: 9lives
        logicalType: decimal
status: draft
"""


def test_ten_faults_and_more_in_one_file_are_all_told_at_once_with_their_lines():
    found = {(p.line, p.rule) for p in problems(TEN)}
    assert found >= {
        (4, "domain"),
        (6, "version"),
        (8, "eventTime"),
        (8, "partitions"),
        (13, "colour"),
        (16, "schema name"),
        (22, "name"),
        (28, "multipleOf"),
        (32, "pattern"),
        (33, "items"),
        (36, "enum"),
        (37, "name"),
        (38, "enum"),
        (39, "yaml"),
    }, "what is no sound YAML, what ODCS refuses and what we refuse, each beside the other"
    assert [p.line for p in problems(TEN)] == sorted(p.line for p in problems(TEN))


def test_the_command_tells_all_faults_of_all_files_at_once_and_exits_1(tmp_path: Path):
    (tmp_path / "orders.odcs.yaml").write_text(TEN, "utf-8")
    (tmp_path / "broken.odcs.yaml").write_text("a: [1\n", "utf-8")
    ended = CliRunner().invoke(main, ["contract", "lint", str(tmp_path), "--json"])
    assert ended.exit_code == 1
    told = json.loads(ended.stdout)["problems"]
    assert len(told) == len(problems(TEN)) + 1
    assert {Path(problem["file"]).name for problem in told} == {"orders.odcs.yaml", "broken.odcs.yaml"}


def test_a_fault_reads_as_one_line_that_an_editor_can_follow():
    (fault,) = after(put(SIZE, logicalTypeOptions={"pattern": "("}))
    assert str(fault).startswith(f"orders.odcs.yaml:{fault.line}: orders.size.logicalTypeOptions.pattern: pattern: ")
    assert "\n" not in str(fault)


KEYS = st.sampled_from(
    [
        "name",
        "logicalType",
        "properties",
        "items",
        "quality",
        "logicalTypeOptions",
        "required",
        "primaryKey",
        "classification",
        "examples",
    ]
)
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=4)
    | st.sampled_from(["string", "object", "array"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 6), KEYS, JUNK)
def test_no_property_whatever_it_says_makes_lint_stumble(index, key, junk):
    data = sound()
    properties(data)[index][key] = junk
    text = text_of(data)
    if not problems(text):
        assert read(text).fields


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(
        ["apiVersion", "id", "domain", "name", "version", "status", "description", "customProperties", "schema", "tags"]
    ),
    JUNK,
)
def test_no_head_whatever_it_says_makes_lint_stumble(key, junk):
    data = sound()
    data[key] = junk
    text = text_of(data)
    if not problems(text):
        assert read(text).hash


@pytest.mark.parametrize("text", ["", "5", "[]", "null", "a: b", "---\n---\n", "schema: []", "\0", "- a: 1"])
def test_a_file_that_is_no_contract_is_a_fault_and_no_crash(text):
    assert problems(text)


def project_files() -> list[Path]:
    return contract_files([PROJECT_FOLDER / "contracts"])


@pytest.mark.parametrize("file", project_files(), ids=lambda file: file.stem)
def test_every_contract_of_the_project_is_valid_against_the_published_schema(file):
    if not ODCS.is_file():
        pytest.skip(f"the published schema is not at {ODCS}")
    schema = json.loads(ODCS.read_text("utf-8"))
    validator = jsonschema.validators.validator_for(schema)(schema)
    data = yaml_text.parse(file.read_text("utf-8")).data
    assert [e.message for e in validator.iter_errors(data)] == []


@pytest.mark.parametrize("file", project_files(), ids=lambda file: file.stem)
def test_every_contract_of_the_project_is_free_of_faults(file):
    from contracts.connectors.files import problems as problems_of

    assert problems_of(file) == ()


def test_the_schema_that_lint_uses_judges_as_the_published_one():
    if not ODCS.is_file():
        pytest.skip(f"the published schema is not at {ODCS}")
    from contracts.connectors.files import odcs_schema

    published = json.loads(ODCS.read_text("utf-8"))
    assert odcs_schema()["required"] == published["required"]
    assert set(odcs_schema()["$defs"]) == set(published["$defs"])


@pytest.mark.parametrize(("name", "refused"), [("order_id", True), ("ordered_at", True), ("amount", False)])
def test_a_value_that_must_be_there_cannot_be_discarded(name, refused):
    def change(data):
        field = next(item for item in properties(data) if item["name"] == name)
        field["customProperties"] = [{"property": "mode", "value": "discard_value"}]

    assert [(fault.field, fault.rule) for fault in after(change)] == (
        [(f"orders.{name}.customProperties[0]", "mode")] if refused else []
    )


@pytest.mark.parametrize(
    ("item", "refused"),
    [
        ({"classification": "public"}, False),
        ({}, True),
        ({"classification": "internal"}, True),
        ({"classification": "internal", "customProperties": [{"property": "mask", "value": "hash"}]}, False),
        ({"classification": "public", "customProperties": [{"property": "mask", "value": "mask"}]}, True),
        ({"logicalType": "integer"}, False),
    ],
)
def test_keys_of_a_change_stream_must_stay_apart_when_masked(item, refused):
    def change(data):
        key = properties(data)[ID]
        key.pop("classification")
        key.update(item)
        custom("change", "upsert")(data)

    found = [(fault.field, fault.rule) for fault in after(change) if fault.rule == "primaryKey"]
    assert found == ([("orders.order_id", "primaryKey")] if refused else [])
