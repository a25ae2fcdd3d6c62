"""Judge a contract file: all that is wrong with it at once, each by file, line, field and rule; or read it.

Two judges: the ODCS v3.1 JSON schema, and our own rules for what the stream must be able to honour. A rule in a contract
that nothing would enforce is a fault, not a comment: whoever wrote it believes that it holds.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jsonschema
import orjson

from contracts import yaml_text
from contracts.contract import PARTITIONS_DEFAULT, Contract, Field, content_hash
from contracts.custom import CHOICES, OF_CONTRACT, OF_FIELD, contract_attributes, fault, field_attributes
from contracts.errors import ContractInvalid
from contracts.lint_rules import Found, Path, option_faults, quality_faults, schema_quality_faults
from contracts.masking import mask_faults
from contracts.rules import expression_rules, row_rules, table_rules

TYPES = ("string", "integer", "number", "boolean", "timestamp", "date", "object", "array")
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
DATASET_NAME = re.compile(r"[a-z][a-z0-9_]*")
CONTRACT_VERSION = re.compile(r"[0-9]{1,9}\.[0-9]{1,9}\.[0-9]{1,9}")
PARTITIONS_MAX = 1_000
UNKEPT = {
    "partitioned": "tables are not partitioned by a column here: files are kept sorted and small instead",
    "partitionKeyPosition": "tables are not partitioned by a column here: files are kept sorted and small instead",
    "encryptedName": "no second column is made: expected the custom property mask, with seal",
}
"""What would be promised and not done."""


@dataclass(frozen=True)
class Problem:
    """One fault of a contract file."""

    file: str
    line: int
    field: str
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.field or 'contract'}: {self.rule}: {self.message}"


def problems(text: str, file: str, odcs_schema: Mapping[str, Any]) -> tuple[Problem, ...]:
    """Return every fault of a contract's text, in the order of lines; none when the stream can honour it whole."""
    parsed = yaml_text.parse(text)
    unsound = [Problem(file, fault.line, "", "yaml", fault.message) for fault in parsed.faults]
    if not all(fault.readable for fault in parsed.faults):
        return tuple(unsound)
    if not isinstance(parsed.data, dict):
        return (Problem(file, 1, "", "yaml", "the file holds no mapping: expected an ODCS contract"),)
    found = list(_no_json(parsed.data)) or _against_both(parsed.data, odcs_schema)
    made = [Problem(file, parsed.line(f.path), _field_name(parsed.data, f.path), f.rule, f.message) for f in found]
    return tuple(sorted([*unsound, *made], key=lambda p: (p.line, p.field, p.rule)))


def read(text: str, file: str, odcs_schema: Mapping[str, Any]) -> Contract:
    """Return the contract. Raises ContractInvalid with all the file's faults, a line each."""
    found = problems(text, file, odcs_schema)
    if found:
        listed = "\n  ".join(map(str, found))
        raise ContractInvalid(f"{len(found)} fault(s)\n  {listed}", where=file, remedy="mend them, then: headwater contract lint")
    return built(yaml_text.parse(text).data)


def built(data: Mapping[str, Any]) -> Contract:
    """Return the contract of data that has no faults."""
    schema = data["schema"][0]
    canonical = orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
    attributes = contract_attributes(data)
    return Contract(
        id=data["id"],
        domain=data["domain"],
        name=dataset_name(data["name"], data["version"]),
        contract_version=data["version"],
        hash=content_hash(canonical),
        fields=tuple(_field(item) for item in schema["properties"]),
        description=data.get("description", {}).get("purpose", "") or schema.get("description", ""),
        rules=tuple(expression_rules(schema)),
        table_rules=tuple(table_rules(schema, upsert=attributes["change"] == "upsert")),
        status=data.get("status", "active"),
        source=canonical.decode(),
        **attributes,
    )


def dataset_name(name: str, contract_version: str) -> str:
    """Return the name of a contract's tables and jobs: from the second major version on it carries that, for they run at once."""
    major = int(contract_version.split(".", maxsplit=1)[0])
    return name if major < 2 else f"{name}_v{major}"


def _field(item: Mapping[str, Any], named: Collection[str] = ()) -> Field:
    """Return a property. `named` are those that the object around it says are required, as its option and not as theirs."""
    within = item.get("logicalTypeOptions", {}).get("required", ()) if item["logicalType"] == "object" else ()
    return Field(
        name=item.get("name", ""),
        logical_type=item["logicalType"],
        required=any([item.get("required"), item.get("primaryKey"), item.get("name") in named]),
        primary_key=bool(item.get("primaryKey", False)),
        classification=item.get("classification", ""),
        description=item.get("description", ""),
        rules=tuple(row_rules(item)),
        fields=tuple(_field(child, within) for child in item.get("properties", ())),
        items=_field(item["items"]) if "items" in item else None,
        examples=tuple(item.get("examples", ())),
        unique=bool(item.get("unique", False)),
        **field_attributes(item),
    )


def _no_json(data: Mapping[str, Any]) -> Iterator[Found]:
    """Find what YAML can say and JSON, of which the contract's hash is made, cannot: bytes, sets, numbers beyond 64 bits."""
    try:
        orjson.dumps(data)
    except (TypeError, ValueError) as error:
        yield Found((), "json", f"the contract cannot be written as JSON: {error}")


def _against_both(data: Mapping[str, Any], odcs_schema: Mapping[str, Any]) -> list[Found]:
    """Find what ODCS says, and what we say of the properties that ODCS finds nothing in: ours can rely on their shape."""
    odcs = list(_against_odcs(data, odcs_schema))
    if not _has_shape(data):
        return odcs
    faulted = [fault.path for fault in odcs]
    unsound = frozenset(path[:4] for path in faulted)
    return [*odcs, *(fault for fault in _against_ours(data, unsound) if fault.path not in faulted)]


def _has_shape(data: Mapping[str, Any]) -> bool:
    """Say whether there are lists where lists belong, and mappings in them: else ODCS has named the fault."""
    schema, custom = data.get("schema"), data.get("customProperties", [])
    if not isinstance(schema, list) or not isinstance(custom, list):
        return False
    lists = [schema, custom, *(item.get("properties") or [] for item in schema if isinstance(item, dict))]
    return all(isinstance(part, list) and all(isinstance(item, dict) for item in part) for part in lists) and all(
        "property" in item and "value" in item for item in custom
    )


def _against_odcs(data: Mapping[str, Any], odcs_schema: Mapping[str, Any]) -> Iterator[Found]:
    if data.get("apiVersion") != "v3.1.0":
        yield Found(("apiVersion",), "apiVersion", f"came {data.get('apiVersion')!r}, expected 'v3.1.0'")
    validator = jsonschema.validators.validator_for(odcs_schema)(odcs_schema)
    for error in validator.iter_errors(data):
        deepest = jsonschema.exceptions.best_match([error]) or error
        yield Found(tuple(deepest.absolute_path), str(deepest.validator), deepest.message[:300])


def _against_ours(data: Mapping[str, Any], faulted: Collection[Path]) -> Iterator[Found]:
    yield from _heads(data)
    if len(data.get("schema", ())) != 1:
        yield Found(
            ("schema",), "one schema", f"came {len(data.get('schema', ()))} schema objects, expected one: a contract is a topic"
        )
        return
    schema = data["schema"][0]
    if schema.get("name") != data.get("name"):
        yield Found(
            ("schema", 0, "name"), "schema name", f"came {schema.get('name')!r}, expected {data.get('name')!r}, as the contract"
        )
    properties = schema.get("properties") or ()
    if not properties:
        yield Found(("schema", 0), "properties", "there are none: expected at least a key and an event time")
    yield from _fields(properties, ("schema", 0, "properties"), nested=False, faulted=faulted)
    if not any(tuple(path[:3]) == ("schema", 0, "quality") for path in faulted):
        yield from schema_quality_faults(schema, ("schema", 0))
    yield from _unkept_names(data, schema)
    yield from _custom(data, {str(item.get("name")): item for item in properties})


def _heads(data: Mapping[str, Any]) -> Iterator[Found]:
    for key in ("name", "domain"):
        if not DATASET_NAME.fullmatch(str(data.get(key, ""))):
            yield Found(
                (key,), key, f"came {data.get(key)!r}, expected lower case letters, digits and _: it becomes a topic's name"
            )
    if not CONTRACT_VERSION.fullmatch(str(data.get("version"))):
        yield Found(("version",), "version", f"came {data.get('version')!r}, expected three numbers, as in 1.0.0")


def _fields(
    properties: Sequence[Mapping[str, Any]],
    path: Path,
    *,
    nested: bool,
    inside_array: bool = False,
    faulted: Collection[Path] = (),
) -> Iterator[Found]:
    seen: set[str] = set()
    for index, item in enumerate(properties):
        at = (*path, index)
        name = str(item.get("name", ""))
        if not NAME.fullmatch(name):
            yield Found((*at, "name"), "name", f"came {name!r}, expected letters, digits and _, first a letter: _ alone is ours")
        if name.lower() in seen:
            yield Found((*at, "name"), "name", f"{name!r} stands here twice (capitals do not tell columns apart)")
        seen.add(name.lower())
        if at in faulted:
            continue
        yield from _one_field(item, at, nested=nested, inside_array=inside_array)


def _one_field(item: Mapping[str, Any], at: Path, *, nested: bool, inside_array: bool = False) -> Iterator[Found]:
    kind = item.get("logicalType")
    if kind not in TYPES:
        yield Found((*at, "logicalType"), "logicalType", f"came {kind!r}, expected one of {', '.join(TYPES)}")
        return
    if nested and kind in ("timestamp", "date"):
        yield Found((*at, "logicalType"), "logicalType", f"a {kind} inside an object or array is not parsed: expected a string")
    for index, given in enumerate(item.get("customProperties", ())):
        yield from _known(given, OF_FIELD, (*at, "customProperties", index), {})
        if given.get("property") == "mode" and given.get("value") == "discard_value" and _demanded(item):
            message = "a value that must be there cannot be left out: expected another mode, or a field that is not required"
            yield Found((*at, "customProperties", index), "mode", message)
    yield from _roles(item, at, nested=nested)
    yield from _unkept(item, at)
    yield from option_faults(item, at)
    yield from quality_faults(item, at, inside_array=inside_array)
    if kind == "object":
        if not item.get("properties"):
            yield Found(at, "properties", "an object without properties would lose all it holds")
        yield from _fields(item.get("properties", ()), (*at, "properties"), nested=True, inside_array=inside_array)
    if kind == "array":
        if "items" not in item:
            yield Found(at, "items", "an array must say what it holds")
        else:
            yield from _one_field(item["items"], (*at, "items"), nested=True, inside_array=True)


def _demanded(item: Mapping[str, Any]) -> bool:
    return bool(item.get("required") or item.get("primaryKey"))


def _roles(item: Mapping[str, Any], at: Path, *, nested: bool) -> Iterator[Found]:
    """Find what a property cannot be at once: nested and a key, restricted and a key, of many values and a key."""
    kind = item["logicalType"]
    for role in ("primaryKey", "unique"):
        if nested and item.get(role):
            yield Found(at, role, "is enforced at the top level only")
        if item.get(role) and kind in ("object", "array"):
            yield Found(at, role, f"an {kind} cannot be a key: expected a single value")
    mask = field_attributes(item)["mask"]
    if mask in CHOICES["mask"]:
        yield from (Found((*at, "customProperties"), "mask", message) for message in mask_faults(item, mask))
    restricted = item.get("classification") == "restricted" and mask is None
    if restricted and (item.get("primaryKey") or (item.get("required") and kind != "string" and not nested)):
        yield Found(
            at, "classification", "a restricted value is masked away, so it cannot be a key, nor required unless a string"
        )


def _unkept(item: Mapping[str, Any], at: Path) -> Iterator[Found]:
    """Find what ODCS lets a property say of its storage, and what no table of ours does."""
    for name, reason in UNKEPT.items():
        if item.get(name):
            yield Found((*at, name), name, reason)
    physical = item.get("physicalName")
    if physical is not None and physical != item.get("name"):
        yield Found(
            (*at, "physicalName"),
            "physicalName",
            f"came {physical!r}, expected {item.get('name')!r}: records and columns go by name",
        )


def _unkept_names(data: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Found]:
    """Find a topic's name that is not the one which follows from domain, name and version."""
    physical, version = schema.get("physicalName"), str(data.get("version"))
    topic = f"{data.get('domain')}.{data.get('name')}.raw.v{version.split('.', maxsplit=1)[0]}"
    if physical is not None and physical != topic and CONTRACT_VERSION.fullmatch(version):
        yield Found(("schema", 0, "physicalName"), "physicalName", f"came {physical!r}, expected {topic!r}, the raw topic's name")


def _custom(data: Mapping[str, Any], properties: Mapping[str, Mapping[str, Any]]) -> Iterator[Found]:
    custom = {}
    for index, item in enumerate(data.get("customProperties", ())):
        custom[item["property"]] = item["value"]
        yield from _known(item, OF_CONTRACT, ("customProperties", index), properties)
    named = custom.get("eventTime")
    event_time = properties.get(named) if isinstance(named, str) else None
    if event_time is None or event_time.get("logicalType") != "timestamp" or not event_time.get("required"):
        yield Found(("customProperties",), "eventTime", f"came {named!r}, expected the name of a required timestamp property")
    partitions = custom.get("partitions", PARTITIONS_DEFAULT)
    if not isinstance(partitions, int) or isinstance(partitions, bool) or not 1 <= partitions <= PARTITIONS_MAX:
        yield Found(
            ("customProperties",), "partitions", f"came {partitions!r}, expected a whole number from 1 to {PARTITIONS_MAX}"
        )
    yield from _changes(custom, properties)
    positions = [item.get("primaryKeyPosition", -1) for item in properties.values() if item.get("primaryKey")]
    if positions != sorted(positions):
        yield Found(
            ("schema", 0, "properties"), "primaryKeyPosition", f"came {positions}: expected the key's properties in key order"
        )
    if not positions:
        yield Found(
            ("schema", 0, "properties"), "primaryKey", "no property is one: expected at least one, it becomes the record's key"
        )


def _changes(custom: Mapping[str, Any], properties: Mapping[str, Mapping[str, Any]]) -> Iterator[Found]:
    """Find what would make a change stream lose rows: changes read as facts, keys that masking would make equal."""
    if custom.get("change", "append") != "upsert":
        if custom.get("envelope", "none") != "none":
            yield Found(
                ("customProperties",), "envelope", "a change event is no fact of its own: expected change upsert beside it"
            )
        return
    for at, (name, item) in enumerate(properties.items()):
        mask = next((g.get("value") for g in item.get("customProperties", ()) if g.get("property") == "mask"), None)
        text = item.get("logicalType") == "string" and item.get("classification") != "public"
        if item.get("primaryKey") and (mask in ("mask", "drop", "seal") or (text and mask not in ("hash", "tokenize"))):
            yield Found(
                ("schema", 0, "properties", at),
                "primaryKey",
                f"{name} is masked, so two keys could become one: expected classification public, or mask hash or tokenize",
            )


def _known(
    item: Mapping[str, Any], known: Sequence[str], at: Path, properties: Mapping[str, Mapping[str, Any]]
) -> Iterator[Found]:
    """Find a custom property that is not known in its place, or not what it may be."""
    name = str(item["property"])
    if name not in known:
        yield Found(at, name, f"is not known here: expected one of {', '.join(known)}")
    elif message := fault(name, item["value"], properties):
        yield Found(at, name, message)


def _field_name(data: Any, path: Path) -> str:
    """Return a path as a person would say it: `tailnum.logicalTypeOptions.pattern` for schema[0].properties[5]...."""
    words: list[str] = []
    for step in path:
        data = _part(data, step)
        if isinstance(step, int):
            name = data.get("name") if isinstance(data, dict) else None
            words.append(str(name) if name else f"[{step}]")
        elif step != "properties":
            words.append(step)
    return ".".join(words).removeprefix("schema.").replace(".[", "[")


def _part(data: Any, step: str | int) -> Any:
    if isinstance(data, dict):
        return data.get(step)
    return data[step] if isinstance(data, list) and isinstance(step, int) and step < len(data) else None
