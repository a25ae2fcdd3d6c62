"""The table of contracts/TARGETS.md: each field of ODCS v3.1 against each target, found by trying it and not by saying so.

For every path of the ODCS JSON schema there is a probe: a change of a sound contract that uses the field, or uses it otherwise.
The changed contract is linted, compiled to every target, and each target's output is compared with what it was. So a mark in the
table means that the target's output follows the field. `python -m tests.contracts.coverage` rewrites the file.
"""

from __future__ import annotations

import copy
import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from contracts import frames, lint, schema
from contracts.checks import compiled
from contracts.connectors.files import odcs_schema
from contracts.contract import Contract
from contracts.docs_page import page
from contracts.expectations import expectations, suite
from contracts.targets import delta, feast, json_schema, openlineage, plans
from infra.settings import PROJECT_FOLDER

FILE = PROJECT_FOLDER / "contracts" / "TARGETS.md"
BASE = Path(__file__).parent / "rich.odcs.yaml"
CARRIED, REFUSED, NOTHING = "yes", "refused", ""

HEAD = """# What becomes of each field of ODCS v3.1

Made by `python -m tests.contracts.coverage`, and held to the code by a test: each row's field was used, or used otherwise, in a
contract; *yes* stands where that target's output changed. *refused*: `headwater contract lint` names it as a fault, and why, so
nobody believes in a rule that nothing judges. A row with *yes* under docs alone is documentation: it is on the contract's page,
at least in the fold with the whole contract. *stream* is what a record goes through, *GX* the suite that judges the landed table.
What JSON Schema has no word for (bounds of times, expressions over several fields) it carries as `x-headwater-beyond`.

"""


def _stream(contract: Contract) -> str:
    """Return all that the stream goes by: names, checks, plans, modes; not what is said for people alone."""
    checks = [(check.reason, check.field, check.rule, check.broken.meta.serialize()) for check in compiled(contract)]
    modes = [(field.name, field.mode) for field in contract.fields]
    plan = replace(contract, fields=(), rules=(), table_rules=(), source="", hash="", description="", id="", status="")
    return f"{checks}{modes}{plan!r}{schema.reading_schema(contract)}{schema.arrow_schema(contract)}"


def _gx(contract: Contract) -> str:
    asked = (expectations(contract), {**suite(contract), "meta": None}, _measured(contract))
    return repr(asked).replace(contract.hash, "").replace(contract.id, "")


def _measured(contract: Contract) -> list[Any]:
    """Return what the suite asks of measures that are added to the rows: remainders, expressions, what queries give."""
    measures = [*frames._measures(contract.fields), *frames._spanning(contract)]
    queries = [(rule.query, rule.operator, rule.bounds) for rule in contract.table_rules if rule.metric == "sql"]
    return [*(measure.meta.serialize() for measure in measures), *queries]


def _json_schema(contract: Contract) -> str:
    return re.sub(r'"\$comment": "[^"]*"', "", json.dumps(json_schema.json_schema(contract)))


def _delta(contract: Contract) -> str:
    properties = {k: v for k, v in delta.table_properties(contract).items() if not k.endswith("Hash")}
    return f"{delta.delta_schema(contract)}{properties}{contract.description}"


TARGETS: dict[str, Callable[[Contract], str]] = {
    "stream": _stream,
    "Delta": _delta,
    "masking": lambda contract: repr(plans.masking_plan(contract)),
    "JSON Schema": _json_schema,
    "GX": _gx,
    "Feast": feast.declaration,
    "OpenLineage": lambda contract: repr(openlineage.about(contract)) + repr([(f.name, f.description) for f in contract.fields]),
    "docs": lambda contract: page(contract).replace(contract.hash, ""),
}

DATA = tuple[Any, ...]
ID, AT, SHIPPED, BUYER, AMOUNT, STATE, EMAIL, NOTE, ADDRESS, LINES = range(10)


def _of(index: int, *rest: str | int) -> DATA:
    return ("schema", 0, "properties", index, *rest)


def _options(index: int, option: str) -> DATA:
    return _of(index, "logicalTypeOptions", option)


DEFINITIONS = [{"type": "tutorial", "url": "https://example.org/tutorial", "description": "how to"}]
CUSTOM = [{"property": "colour", "value": "red"}]
FEW = {"metric": "invalidValues", "name": "few returns", "arguments": {"validValues": ["open", "shipped"]}, "unit": "percent",
       "severity": "warning", "dimension": "conformity", "description": "Returns cost money."}  # fmt: skip
BOUNDS = {
    "mustBe": 3, "mustNotBe": 3, "mustBeGreaterThan": 3, "mustBeGreaterOrEqualTo": 3, "mustBeLessThan": 3,
    "mustBeLessOrEqualTo": 3, "mustBeBetween": [1, 2], "mustNotBeBetween": [1, 2],
}  # fmt: skip
INVALID = {"metric": "invalidValues", "arguments": {"pattern": "^o"}}

PROBES: dict[str, tuple[DATA, Any]] = {
    "apiVersion": (("apiVersion",), "v3.0.2"),
    "kind": (("kind",), "Contract"),
    "id": (("id",), "urn:test:other"),
    "version": (("version",), "2.2.0"),
    "name": (("name",), "others"),
    "domain": (("domain",), "store"),
    "status": (("status",), "deprecated"),
    "tenant": (("tenant",), "another"),
    "tags": (("tags",), ["changed"]),
    "dataProduct": (("dataProduct",), "shop-product"),
    "contractCreatedTs": (("contractCreatedTs",), "2026-02-01T00:00:00Z"),
    "slaDefaultElement": (("slaDefaultElement",), "orders.ordered_at"),
    "authoritativeDefinitions": (("authoritativeDefinitions",), DEFINITIONS),
    "description.purpose": (("description", "purpose"), "Changed."),
    "description.usage": (("description", "usage"), "Changed."),
    "description.limitations": (("description", "limitations"), "Changed."),
    "description.authoritativeDefinitions": (("description", "authoritativeDefinitions"), DEFINITIONS),
    "description.customProperties": (("description", "customProperties"), CUSTOM),
    "servers": (("servers",), [{"server": "here", "type": "kafka", "host": "127.0.0.1:9092"}]),
    "roles[].role": (("roles", 0, "role"), "another"),
    "roles[].access": (("roles", 0, "access"), "write"),
    "roles[].description": (("roles", 0, "description"), "Changed."),
    "roles[].firstLevelApprovers": (("roles", 0, "firstLevelApprovers"), "shop-data"),
    "roles[].secondLevelApprovers": (("roles", 0, "secondLevelApprovers"), "shop-data"),
    "roles[].customProperties": (("roles", 0, "customProperties"), CUSTOM),
    "support[].channel": (("support", 0, "channel"), "#changed"),
    "support[].url": (("support", 0, "url"), "https://example.org/changed"),
    "support[].tool": (("support", 0, "tool"), "teams"),
    "support[].description": (("support", 0, "description"), "Changed."),
    "support[].scope": (("support", 0, "scope"), "issues"),
    "support[].invitationUrl": (("support", 0, "invitationUrl"), "https://example.org/join"),
    "support[].customProperties": (("support", 0, "customProperties"), CUSTOM),
    "price.priceAmount": (("price", "priceAmount"), 2),
    "price.priceCurrency": (("price", "priceCurrency"), "USD"),
    "price.priceUnit": (("price", "priceUnit"), "record"),
    "team.name": (("team", "name"), "another"),
    "team.description": (("team", "description"), "Changed."),
    "team.tags": (("team", "tags"), ["changed"]),
    "team.customProperties": (("team", "customProperties"), CUSTOM),
    "team.authoritativeDefinitions": (("team", "authoritativeDefinitions"), DEFINITIONS),
    "team.members[].username": (("team", "members"), [{"username": "grace@example.org"}]),
    "team.members[].name": (("team", "members", 0, "name"), "Grace Example"),
    "team.members[].role": (("team", "members", 0, "role"), "steward"),
    "team.members[].description": (("team", "members", 0, "description"), "Changed."),
    "team.members[].dateIn": (("team", "members", 0, "dateIn"), "2026-01-01"),
    "team.members[].dateOut": (("team", "members", 0, "dateOut"), "2026-01-01"),
    "team.members[].replacedByUsername": (("team", "members", 0, "replacedByUsername"), "grace@example.org"),
    "team.members[].tags": (("team", "members", 0, "tags"), ["changed"]),
    "team.members[].customProperties": (("team", "members", 0, "customProperties"), CUSTOM),
    "team.members[].authoritativeDefinitions": (("team", "members", 0, "authoritativeDefinitions"), DEFINITIONS),
    "slaProperties[].property": (("slaProperties", 0, "property"), "freshness"),
    "slaProperties[].value": (("slaProperties", 0, "value"), 6),
    "slaProperties[].valueExt": (("slaProperties", 0, "valueExt"), 7),
    "slaProperties[].unit": (("slaProperties", 0, "unit"), "h"),
    "slaProperties[].element": (("slaProperties", 0, "element"), "orders.shipped_at"),
    "slaProperties[].driver": (("slaProperties", 0, "driver"), "regulatory"),
    "slaProperties[].description": (("slaProperties", 0, "description"), "Changed."),
    "slaProperties[].scheduler": (("slaProperties", 0, "scheduler"), "cron"),
    "slaProperties[].schedule": (("slaProperties", 0, "schedule"), "0 20 * * *"),
    "customProperties: eventTime": (("customProperties", 0, "value"), "nothing"),
    "customProperties: mode": (("customProperties", 1, "value"), "freeze"),
    "customProperties: subject": (("customProperties", 2, "value"), "order_id"),
    "customProperties: partitions": (("customProperties", 3), {"property": "partitions", "value": 8}),
    "customProperties: change": (("customProperties", 3), {"property": "change", "value": "upsert"}),
    "customProperties: envelope": (("customProperties", 4), {"property": "envelope", "value": "debezium"}),
    "customProperties: duplicates": (("customProperties", 3), {"property": "duplicates", "value": {"windowRecords": 5}}),
    "customProperties: nearDuplicates": (("customProperties", 3), {"property": "nearDuplicates", "value": {"fields": ["note"]}}),
    "customProperties: document": (("customProperties", 3), {"property": "document", "value": {"field": "note"}}),
    "customProperties: passages": (("customProperties", 3), {"property": "passages", "value": {"tokens": 100}}),
    "customProperties: any other": (("customProperties", 3), CUSTOM[0]),
    "schema[].name": (("schema", 0, "name"), "others"),
    "schema[].physicalName": (("schema", 0, "physicalName"), "orders"),
    "schema[].physicalType": (("schema", 0, "physicalType"), "topic"),
    "schema[].logicalType": (("schema", 0, "logicalType"), "array"),
    "schema[].description": (("schema", 0, "description"), "An order."),
    "schema[].businessName": (("schema", 0, "businessName"), "Order"),
    "schema[].tags": (("schema", 0, "tags"), ["changed"]),
    "schema[].dataGranularityDescription": (("schema", 0, "dataGranularityDescription"), "Changed."),
    "schema[].authoritativeDefinitions": (("schema", 0, "authoritativeDefinitions"), DEFINITIONS),
    "schema[].relationships": (("schema", 0, "relationships"), [{"from": "orders.buyer_id", "to": "buyers.id"}]),
    "schema[].properties": (("schema", 0, "properties", NOTE), None),
    "schema[].quality": (("schema", 0, "quality"), None),
    "property.name": (_of(NOTE, "name"), "remark"),
    "property.logicalType": (_of(SHIPPED, "logicalType"), "date"),
    "property.logicalType: time": (_of(SHIPPED, "logicalType"), "time"),
    "property.physicalName": (_of(NOTE, "physicalName"), "remark"),
    "property.physicalType": (_of(NOTE, "physicalType"), "VARCHAR(20)"),
    "property.description": (_of(NOTE, "description"), "Changed."),
    "property.businessName": (_of(NOTE, "businessName"), "Remark"),
    "property.tags": (_of(NOTE, "tags"), ["changed"]),
    "property.required": (_of(SHIPPED, "required"), True),
    "property.required (nested)": (_of(ADDRESS, "properties", 0, "required"), True),
    "property.unique": (_of(SHIPPED, "unique"), True),
    "property.primaryKey": (_of(BUYER, "primaryKey"), True),
    "property.primaryKeyPosition": (_of(ID, "primaryKeyPosition"), 7),
    "property.classification": (_of(STATE, "classification"), "internal"),
    "property.criticalDataElement": (_of(NOTE, "criticalDataElement"), True),
    "property.examples": (_of(NOTE, "examples"), ["a remark"]),
    "property.partitioned": (_of(STATE, "partitioned"), True),
    "property.partitionKeyPosition": (_of(STATE, "partitionKeyPosition"), 1),
    "property.encryptedName": (_of(EMAIL, "encryptedName"), "email_sealed"),
    "property.transformSourceObjects": (_of(NOTE, "transformSourceObjects"), ["form"]),
    "property.transformLogic": (_of(NOTE, "transformLogic"), "trim(note)"),
    "property.transformDescription": (_of(NOTE, "transformDescription"), "Trimmed."),
    "property.authoritativeDefinitions": (_of(NOTE, "authoritativeDefinitions"), DEFINITIONS),
    "property.relationships": (_of(BUYER, "relationships"), [{"to": "buyers.id"}]),
    "property.properties": (_of(ADDRESS, "properties", 0, "name"), "road"),
    "property.items": (_of(LINES, "items", "properties", 0, "name"), "thing"),
    "property.logicalTypeOptions": (_of(AMOUNT, "logicalTypeOptions"), None),
    "property.quality": (_of(STATE, "quality"), None),
    "property.customProperties: mode": (_of(NOTE, "customProperties"), [{"property": "mode", "value": "discard_value"}]),
    "property.customProperties: mask": (_of(EMAIL, "customProperties"), [{"property": "mask", "value": "hash"}]),
    "property.customProperties: any other": (_of(NOTE, "customProperties"), CUSTOM),
    "string.minLength": (_options(ID, "minLength"), 2),
    "string.maxLength": (_options(ID, "maxLength"), 3),
    "string.pattern": (_options(ID, "pattern"), "^A"),
    "string.format": (_of(ID, "logicalTypeOptions"), {"format": "uuid"}),
    "string.format: password": (_options(ID, "format"), "password"),
    "string.format: binary": (_options(ID, "format"), "binary"),
    "integer.minimum": (_options(BUYER, "minimum"), 5),
    "integer.maximum": (_options(BUYER, "maximum"), 5),
    "integer.exclusiveMinimum": (_options(BUYER, "exclusiveMinimum"), 5),
    "integer.exclusiveMaximum": (_options(BUYER, "exclusiveMaximum"), 5),
    "integer.multipleOf": (_options(BUYER, "multipleOf"), 5),
    "integer.format": (_options(BUYER, "format"), "u8"),
    "integer.format: u64, i128, u128": (_options(BUYER, "format"), "u64"),
    "number.minimum": (_options(AMOUNT, "minimum"), 5),
    "number.maximum": (_options(AMOUNT, "maximum"), 5),
    "number.exclusiveMinimum": (_options(AMOUNT, "exclusiveMinimum"), 5),
    "number.exclusiveMaximum": (_options(AMOUNT, "exclusiveMaximum"), 5),
    "number.multipleOf": (_options(AMOUNT, "multipleOf"), 0.5),
    "number.format": (_options(AMOUNT, "format"), "f32"),
    **{f"timestamp.{bound}": (_options(SHIPPED, bound), "2026-01-01T00:00:00Z")
       for bound in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")},
    "timestamp.format": (_options(SHIPPED, "format"), "dd.MM.yyyy"),
    "timestamp.timezone": (_options(SHIPPED, "timezone"), False),
    "timestamp.defaultTimezone": (_options(SHIPPED, "defaultTimezone"), "Europe/Berlin"),
    **{f"date.{bound}": (_of(SHIPPED), {"name": "shipped_at", "logicalType": "date", "logicalTypeOptions": {bound: "2026-01-01"}})
       for bound in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")},
    "date.format": (_of(SHIPPED), {"name": "shipped_at", "logicalType": "date", "logicalTypeOptions": {"format": "dd.MM.yyyy"}}),
    "object.required": (_options(ADDRESS, "required"), ["street"]),
    "object.minProperties": (_options(ADDRESS, "minProperties"), 1),
    "object.maxProperties": (_options(ADDRESS, "maxProperties"), 9),
    "array.minItems": (_options(LINES, "minItems"), 2),
    "array.maxItems": (_options(LINES, "maxItems"), 9),
    "array.uniqueItems": (_of(LINES), {"name": "lines", "logicalType": "array", "logicalTypeOptions": {"uniqueItems": True},
                                       "items": {"logicalType": "string", "classification": "public"}}),
    "quality: nullValues": (_of(SHIPPED, "quality"), [{"metric": "nullValues", "mustBe": 0}]),
    "quality: missingValues": (_of(STATE, "quality", 2), {"metric": "missingValues", "mustBe": 0}),
    "quality: invalidValues": (_of(STATE, "quality", 2), {**INVALID, "mustBe": 0}),
    "quality: duplicateValues": (_of(SHIPPED, "quality"), [{"metric": "duplicateValues", "mustBe": 0}]),
    "quality: rowCount": (("schema", 0, "quality", 0, "mustBeGreaterThan"), 5),
    "quality: sql": (("schema", 0, "quality", 1, "query"), "SELECT count(*) FROM ${table}"),
    "quality: custom, engine headwater": (("schema", 0, "quality", 2, "implementation"), {"expression": "amount > 1"}),
    "quality: custom, other engines": (("schema", 0, "quality", 2, "engine"), "soda"),
    "quality: text": (("schema", 0, "quality", 3, "description"), "Changed."),
    **{f"quality[].{operator}": (_of(STATE, "quality", 1), {**FEW, operator: bound}) for operator, bound in BOUNDS.items()},
    "quality[].arguments": (_of(STATE, "quality", 0, "arguments", "validValues"), ["open"]),
    "quality[].arguments: any other": (_of(STATE, "quality", 0, "arguments", "colour"), "red"),
    "quality[].unit": (_of(STATE, "quality", 1, "unit"), "rows"),
    "quality[].severity": (_of(STATE, "quality", 1, "severity"), "error"),
    "quality[].name": (_of(STATE, "quality", 0, "name"), "known states"),
    "quality[].description": (_of(STATE, "quality", 1, "description"), "Changed."),
    "quality[].dimension": (_of(STATE, "quality", 1, "dimension"), "accuracy"),
    "quality[].businessImpact": (_of(STATE, "quality", 1, "businessImpact"), "operational"),
    "quality[].method": (_of(STATE, "quality", 1, "method"), "reconciliation"),
    "quality[].schedule": (_of(STATE, "quality", 1, "schedule"), "0 20 * * *"),
    "quality[].scheduler": (_of(STATE, "quality", 1, "scheduler"), "cron"),
    "quality[].tags": (_of(STATE, "quality", 1, "tags"), ["changed"]),
    "quality[].authoritativeDefinitions": (_of(STATE, "quality", 1, "authoritativeDefinitions"), DEFINITIONS),
    "quality[].customProperties": (_of(STATE, "quality", 1, "customProperties"), CUSTOM),
}  # fmt: skip
"""Field of ODCS -> where it stands in the contract of `BASE`, and what is put there; None: it is taken away."""


PREPARED: dict[str, dict[DATA, Any]] = {
    "name": {("schema", 0, "name"): "others", ("schema", 0, "physicalName"): None},
    "domain": {("schema", 0, "physicalName"): None},
    "date.": {_of(SHIPPED): {"name": "shipped_at", "logicalType": "date"}},
    "array.uniqueItems": {
        _of(LINES): {"name": "lines", "logicalType": "array", "items": {"logicalType": "string", "classification": "public"}}
    },
    "property.primaryKey": {_of(BUYER, "primaryKeyPosition"): 2},
    "customProperties: envelope": {("customProperties", 4): {"property": "change", "value": "upsert"}},
}
"""What a contract needs besides, for a field to be used at all: done to it before, and not counted."""


@cache
def _base() -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(BASE.read_text("utf-8"))
    return data


def prepared(field: str) -> dict[str, Any]:
    """Return the base contract's data with what a field needs."""
    data = copy.deepcopy(_base())
    for prefix, changes in PREPARED.items():
        if field == prefix or (prefix.endswith(".") and field.startswith(prefix)):
            for path, value in changes.items():
                _put(data, path, value)
    return data


def changed(field: str) -> dict[str, Any]:
    """Return the prepared contract's data with the field put to another use."""
    data = prepared(field)
    _put(data, *PROBES[field])
    return data


def _put(data: dict[str, Any], path: DATA, value: Any) -> None:
    """Put a value at a path, making what is missing on the way; None takes away what stands there."""
    at: Any = data
    for step, following in itertools.pairwise(path):
        at = at.setdefault(step, {} if isinstance(following, str) else []) if isinstance(at, dict) else at[step]
    if value is None:
        del at[path[-1]]
    elif isinstance(at, list) and path[-1] >= len(at):
        at.append(value)
    else:
        at[path[-1]] = value


def contract_of(data: dict[str, Any]) -> Contract | None:
    """Return the contract, or None if lint refuses it."""
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
    return None if lint.problems(text, "x", odcs_schema()) else lint.built(data)


def row(field: str) -> list[str]:
    """Return what each target makes of a field."""
    contract = contract_of(changed(field))
    if contract is None:
        return [REFUSED] * len(TARGETS)
    before = lint.built(prepared(field))
    return [CARRIED if made(contract) != made(before) else NOTHING for made in TARGETS.values()]


def table() -> str:
    """Return the file's text."""
    lines = [f"| field | {' | '.join(TARGETS)} |", f"| --- |{' --- |' * len(TARGETS)}"]
    lines += [f"| `{field}` | {' | '.join(row(field))} |" for field in PROBES]
    return HEAD + "\n".join(lines) + "\n"


def odcs_fields() -> Iterator[tuple[str, str]]:
    """Yield definition and name of every field that the ODCS schema has for what a contract holds."""
    whole = odcs_schema()
    yield from (("", name) for name in whole["properties"])
    yield from (("description", name) for name in whole["properties"]["description"]["properties"])
    for name, prefix in DEFINED.items():
        yield from ((prefix, field) for field in whole["$defs"][name].get("properties", ()))
    for part in whole["$defs"]["SchemaBaseProperty"]["allOf"][1:]:
        kinds = re.findall(r'"const": "(\w+)"', json.dumps(part["if"]))
        options = part["then"]["properties"].get("logicalTypeOptions", {}).get("properties", ())
        yield from ((kind, option) for kind in kinds if kind != "time" for option in options)
    for choice in whole["$defs"]["DataQualityOperators"]["oneOf"]:
        yield from (("quality[]", name) for name in choice["properties"])


DEFINED = {
    "SchemaElement": "property",
    "SchemaObject": "schema[]",
    "SchemaBaseProperty": "property",
    "DataQuality": "quality[]",
    "SupportItem": "support[]",
    "Pricing": "price",
    "Team": "team",
    "TeamMember": "team.members[]",
    "Role": "roles[]",
    "ServiceLevelAgreementProperty": "slaProperties[]",
}
"""Definition of the ODCS schema -> how its fields are called here."""

PARTS = ("id", "type")
"""Fields that only name the part they stand in."""


if __name__ == "__main__":
    FILE.write_text(table(), "utf-8")
