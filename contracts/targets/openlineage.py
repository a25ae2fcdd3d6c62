"""What a contract says of its datasets, in the words of OpenLineage: documentation, owners and tags.

`lineage.event_facets` writes the facets; this room stands below it and hands over plain values. Owners are teams, which are no
personal data; the names of a team's members stay in the contract and its docs page.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from contracts.contract import Contract, Field
from contracts.masking import masks

SOURCE = "CONTRACT"
"""Where a tag says that it is from."""


@dataclass(frozen=True)
class Tag:
    """One tag of a dataset, or of a field of it when `field` is given (a dotted path)."""

    key: str
    value: str
    field: str = ""


@dataclass(frozen=True)
class About:
    """What a contract says of a dataset, whichever hop touches it."""

    documentation: str
    owners: tuple[tuple[str, str], ...]
    """(URN, type)."""
    tags: tuple[Tag, ...]


def about(contract: Contract) -> About:
    """Return documentation, owners and tags. Members of a team are people: they are left out."""
    data = json.loads(contract.source) if contract.source else {}
    return About(_documentation(contract, data), tuple(_owners(data)), tuple(_tags(contract, data)))


def _documentation(contract: Contract, data: Mapping[str, Any]) -> str:
    parts = data.get("description") or {}
    said = [
        contract.description,
        *(f"{name.capitalize()}: {parts[name]}" for name in ("limitations", "usage") if parts.get(name)),
    ]
    return "\n\n".join(part for part in said if part)


def _owners(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    team = data.get("team")
    if isinstance(team, dict) and team.get("name"):
        yield f"team:{team['name']}", "OWNER"
    if data.get("domain"):
        yield f"domain:{data['domain']}", "DOMAIN"


def _tags(contract: Contract, data: Mapping[str, Any]) -> Iterator[Tag]:
    yield from (Tag(tag, "true") for tag in data.get("tags", ()))
    for name in ("status", "tenant", "dataProduct"):
        if data.get(name):
            yield Tag(name, str(data[name]))
    schema = (data.get("schema") or [{}])[0]
    yield from (Tag(tag, "true") for tag in schema.get("tags", ()))
    for field, item in zip(contract.fields, schema.get("properties", ()), strict=False):
        yield from _field_tags(field, item, field.name)


def _field_tags(field: Field, item: Mapping[str, Any], path: str) -> Iterator[Tag]:
    if field.classification:
        yield Tag("classification", field.classification, path)
    if masks(field) and field.logical_type not in ("object", "array"):
        yield Tag("masked", "true", path)
    if item.get("criticalDataElement"):
        yield Tag("criticalDataElement", "true", path)
    yield from (Tag(tag, "true", path) for tag in item.get("tags", ()))
    for child, within in zip(field.fields, item.get("properties", ()), strict=False):
        yield from _field_tags(child, within, f"{path}.{child.name}")
