"""What `headwater contract show` prints of a contract: each target by name, as data and as text."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from contracts.contract import Contract
from infra.output import rows_text

Shown = tuple[Mapping[str, Any], str]
"""A target as data, and as a person reads it."""


def summary(contract: Contract) -> Shown:
    """Return a contract at a glance: its names, its columns, how many rules judge it."""
    from contracts.targets.words import row_rules

    rules = list(row_rules(contract))
    data = {
        "dataset": contract.dataset,
        "contract_version": contract.contract_version,
        "hash": contract.hash,
        "topics": [contract.raw_topic, contract.clean_topic, contract.dead_letter_topic],
        "key": list(contract.key),
        "event_time": contract.event_time,
        "mode": contract.mode,
        "change": contract.change,
        "row_rules": len(rules),
        "table_rules": len(contract.table_rules),
    }
    heads = "\n".join(f"{name}: {', '.join(value) if isinstance(value, list) else value}" for name, value in data.items())
    rows = [[f.name, f.logical_type, "required" if f.required else "", f.classification, f.description] for f in contract.fields]
    return data, f"{heads}\n\n{rows_text(['field', 'type', '', 'classification', 'description'], rows)}"


def arrow(contract: Contract) -> Shown:
    """Return the Arrow schema of a clean row."""
    from contracts.schema import clean_schema

    fields = [{"name": f.name, "type": str(f.type), "nullable": f.nullable} for f in clean_schema(contract)]
    rows = [[f["name"], f["type"], "" if f["nullable"] else "not null"] for f in fields]
    return {"fields": fields}, rows_text(["column", "type", ""], rows)


def delta(contract: Contract) -> Shown:
    """Return the silver table's schema and properties, in the Delta protocol's words."""
    from contracts.targets.delta import delta_schema, table_properties

    return _as_json({"schema": delta_schema(contract), "properties": table_properties(contract)})


def json_schema(contract: Contract) -> Shown:
    """Return the JSON Schema of a raw record."""
    from contracts.targets.json_schema import json_schema as made

    return _as_json(made(contract))


def feast(contract: Contract) -> Shown:
    """Return the columns as Feast's fields."""
    from contracts.targets.feast import declaration, feast_fields, left_out

    without = list(left_out(contract))
    data = {"fields": [asdict(field) for field in feast_fields(contract)], "left_out": without}
    left = f"# no Feast type: {', '.join(without)}\n" if without else ""
    return data, left + declaration(contract)


def openlineage(contract: Contract) -> Shown:
    """Return what lineage says of the contract's datasets."""
    from contracts.targets.openlineage import about

    return _as_json(asdict(about(contract)))


def masking(contract: Contract) -> Shown:
    """Return the masking plan, and the dedup plan."""
    from contracts.targets.plans import dedup_plan, masking_plan

    plan, steps = masking_plan(contract), dedup_plan(contract)
    rows = [[row.path, row.logical_type, row.classification, row.words] for row in plan]
    text = rows_text(["field", "type", "classification", "its values are"], rows)
    folded = rows_text(["duplicates", "are"], [list(step) for step in steps])
    return {"masking": [asdict(row) for row in plan], "duplicates": [list(step) for step in steps]}, f"{text}\n\n{folded}"


def rules(contract: Contract) -> Shown:
    """Return the rules in words: of records, and of tables."""
    from contracts.targets.words import row_rules, table_rule_in_words

    per_row = [list(rule) for rule in row_rules(contract)]
    per_table = [[rule.name, rule.severity, table_rule_in_words(rule)] for rule in contract.table_rules]
    text = rows_text(["field", "rule", "a record's value is"], per_row)
    tables = rows_text(["rule", "severity", "the landed table has"], per_table)
    return {"row_rules": per_row, "table_rules": per_table}, f"{text}\n\n{tables}"


def _as_json(data: Mapping[str, Any]) -> Shown:
    return data, json.dumps(data, indent=2, ensure_ascii=False)


TARGETS: dict[str, Callable[[Contract], Shown]] = {
    "summary": summary,
    "rules": rules,
    "arrow": arrow,
    "delta": delta,
    "json-schema": json_schema,
    "feast": feast,
    "openlineage": openlineage,
    "masking": masking,
}
"""Name of a target -> what shows it."""
