"""A contract as the schema and the properties of its silver table, in the words of the Delta protocol.

The schema is the protocol's JSON (https://github.com/delta-io/delta/blob/master/PROTOCOL.md#schema-serialization-format), as any
Delta reader finds it. Row rules are not CHECK constraints: a constraint would be judged on masked values, after the stream has
judged the clear ones, and would make the table unreadable to older writers. Nullability is enforced, of columns, by Delta itself.
"""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from contracts.contract import Contract
from contracts.schema import silver_schema

PREFIX = "headwater."
PRIMITIVES = {
    pa.string(): "string",
    pa.large_string(): "string",
    pa.int64(): "long",
    pa.int32(): "integer",
    pa.float64(): "double",
    pa.bool_(): "boolean",
    pa.date32(): "date",
    pa.timestamp("us", "UTC"): "timestamp",
    pa.binary(): "binary",
    pa.large_binary(): "binary",
}


def delta_schema(contract: Contract) -> dict[str, Any]:
    """Return the silver table's schema, our columns included."""
    return _struct(list(silver_schema(contract)))


def table_properties(contract: Contract) -> dict[str, str]:
    """Return the properties that a table is created with: what does not change while it lives.

    The version and hash are those that it was created under; each commit carries its own.
    """
    data = json.loads(contract.source) if contract.source else {}
    said = {
        "dataset": contract.dataset,
        "contract.id": contract.id,
        "contract.createdUnderVersion": contract.contract_version,
        "contract.createdUnderHash": contract.hash,
        "change": contract.change,
        "key": ",".join(contract.key),
        "eventTime": contract.event_time,
        "owner": team_name(data),
        "tags": ",".join(data.get("tags", ())),
    }
    return {f"{PREFIX}{name}": value for name, value in said.items() if value}


def team_name(data: dict[str, Any]) -> str:
    """Return the name of the team that a contract's data says owns it; empty where it says none."""
    team = data.get("team")
    return str(team.get("name", "")) if isinstance(team, dict) else ""


def _struct(fields: list[pa.Field]) -> dict[str, Any]:
    made = [{"name": f.name, "type": _type(f.type), "nullable": f.nullable, "metadata": {}} for f in fields]
    return {"type": "struct", "fields": made}


def _type(kind: pa.DataType) -> Any:
    if pa.types.is_struct(kind):
        return _struct(list(kind))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return {"type": "array", "elementType": _type(kind.value_type), "containsNull": kind.value_field.nullable}
    return PRIMITIVES[kind]
