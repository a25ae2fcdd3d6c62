"""The sections of a contract's page that hold what its file says to people, and that nothing here is made from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from contracts.html_text import Child, Html, element, joined, link, table


def team_of(data: Mapping[str, Any]) -> str:
    """Return the name of the team that answers for a contract; empty where it names none."""
    team = data.get("team")
    return str(team.get("name", "")) if isinstance(team, dict) else ""


def service_section(data: Mapping[str, Any]) -> Html | None:
    """Return what service is promised; nothing where nothing is."""
    promises = data.get("slaProperties", ())
    if not promises:
        return None
    rows: list[list[Child]] = [
        [
            sla["property"],
            " ".join(str(sla[part]) for part in ("value", "valueExt", "unit") if sla.get(part) is not None),
            sla.get("element", ""),
            ". ".join(str(sla[part]) for part in ("description", "driver", "schedule") if sla.get(part)),
        ]
        for sla in promises
    ]
    return table(["promise", "value", "of", "why"], rows, "Service levels")


def people_section(data: Mapping[str, Any]) -> Html | None:
    """Return who answers for the contract, and where to ask; nothing where it names nobody."""
    team = data.get("team") or {}
    members = team.get("members", ()) if isinstance(team, dict) else team
    parts: list[Child] = []
    if isinstance(team, dict) and team.get("name"):
        parts.append(
            element("p", element("strong", team["name"]), f". {team['description']}" if team.get("description") else None)
        )
    if members:
        rows: list[list[Child]] = [[m.get("name") or m["username"], m.get("role", ""), m.get("description", "")] for m in members]
        parts.append(table(["member", "role", "about"], rows, "Team"))
    if data.get("support"):
        lines: list[list[Child]] = [
            [s["channel"], link(s["url"]) if s.get("url") else "", s.get("tool", ""), s.get("description", "")]
            for s in data["support"]
        ]
        parts.append(table(["channel", "where", "tool", "for"], lines, "Support"))
    if data.get("roles"):
        roles: list[list[Child]] = [[r["role"], r.get("access", ""), r.get("description", "")] for r in data["roles"]]
        parts.append(table(["role", "access", "about"], roles, "Roles"))
    return joined(*parts) if parts else None


def more_section(data: Mapping[str, Any]) -> Html | None:
    """Return the rest of what a contract says: definitions elsewhere, price, product, tenant, relationships."""
    schema = data["schema"][0]
    lines: list[Child] = [
        data[name] and element("li", f"{name}: {data[name]}")
        for name in ("tenant", "dataProduct", "contractCreatedTs")
        if name in data
    ]
    definitions = [
        *data.get("authoritativeDefinitions", ()),
        *(data.get("description") or {}).get("authoritativeDefinitions", ()),
    ]
    lines += [element("li", link(given["url"], given["type"])) for given in definitions]
    price = data.get("price") or {}
    if price.get("priceAmount") is not None:
        words = (price["priceAmount"], price.get("priceCurrency", ""), "per", price.get("priceUnit", "unit"))
        lines.append(element("li", "price: " + " ".join(str(word) for word in words)))
    for item in schema["properties"]:
        lines += [
            element("li", f"{item['name']} refers to {given.get('to')}: not judged") for given in item.get("relationships", ())
        ]
    lines += [
        element("li", f"{given.get('from')} refer to {given.get('to')}: not judged") for given in schema.get("relationships", ())
    ]
    lines += [element("li", f"server {s['server']}: {s['type']}, {s.get('environment', '')}") for s in data.get("servers", ())]
    return element("ul", *lines) if lines else None


def whole_contract(data: Mapping[str, Any]) -> Html:
    """Return all that the file says, folded: what no section above has a place for stands here."""
    text = json.dumps(data, indent=2, ensure_ascii=False)
    return element("details", element("summary", "The whole contract, as data"), element("pre", element("code", text)))
