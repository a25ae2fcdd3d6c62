"""A contract as a page for people: what a record looks like, what is promised, who answers for it, what to do when it breaks.

Each page is complete in itself: one file, no script, nothing loaded from elsewhere. All that a contract says is escaped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from contracts.contract import Contract, Field
from contracts.docs_style import STYLE
from contracts.example import example_record
from contracts.html_text import Child, Html, element, joined, link, table
from contracts.remedies import REMEDIES
from contracts.targets.plans import dedup_plan, masking_plan
from contracts.targets.words import row_rules, table_rule_in_words

MODES = {
    "quarantine": "A record that departs from the contract is a dead letter; it waits in quarantine with its reason.",
    "evolve": "New fields become new columns, and wider types widen the column; all else that departs is a dead letter.",
    "freeze": "Nothing may change: every departure is a dead letter, and the table keeps its columns.",
    "discard_row": "A record that departs is dropped; its coordinates and the reason are kept, its payload is not.",
    "discard_value": "A value that departs is left out, where the field may be absent; the rest of the record is kept.",
}
CHANGES = {
    "append": "Each record is a fact of its own.",
    "upsert": "Each record is the newest state of its key: silver keeps the history, the current table the newest of each.",
}
SECTIONS = ("Schema", "Rules", "Example", "Privacy", "Names", "Modes", "Dead letters", "Service", "People", "More")


def page(contract: Contract) -> str:
    """Return a contract's page."""
    data = json.loads(contract.source)
    parts = {
        "Schema": _schema(contract, data["schema"][0]),
        "Rules": _rules(contract, data),
        "Example": element("pre", element("code", json.dumps(example_record(contract), indent=2, ensure_ascii=False))),
        "Privacy": _privacy(contract),
        "Names": _names(contract),
        "Modes": _modes(contract),
        "Dead letters": _dead_letters(),
        "Service": _service(data),
        "People": _people(data),
        "More": _more(data),
    }
    given = [(name, part) for name, part in parts.items() if part]
    nav = element("nav", *(element("a", name, href=f"#{_anchor(name)}") for name, _ in given), aria_label="Sections")
    body = [element("section", element("h2", name), part, id=_anchor(name)) for name, part in given]
    back = element("p", element("a", "All contracts", href="index.html"), class_="dim")
    return _document(contract.dataset, back, _head(contract, data), nav, *body, _whole(data), _foot(contract))


def index_page(contracts: Sequence[Contract]) -> str:
    """Return the page that leads to all others."""
    rows: list[list[Child]] = [
        [
            element("a", contract.dataset, href=f"{contract.dataset}.html"),
            contract.description,
            contract.contract_version,
            len(contract.fields),
            team_of(json.loads(contract.source)),
        ]
        for contract in sorted(contracts, key=lambda contract: contract.dataset)
    ]
    listed = table(["dataset", "what it is", "version", "fields", "team"], rows, "Contracts")
    return _document("Contracts", element("h1", "Contracts"), listed)


def team_of(data: Mapping[str, Any]) -> str:
    """Return the name of the team that answers for a contract; empty where it names none."""
    team = data.get("team")
    return str(team.get("name", "")) if isinstance(team, dict) else ""


def _document(title: str, *children: Child) -> str:
    head = joined(
        Html('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        element("title", title),
        Html(f"<style>{STYLE}</style>"),
    )
    made = element("html", element("head", head), element("body", element("main", *children)), lang="en")
    return f"<!doctype html>\n{made}\n"


def _anchor(name: str) -> str:
    return name.lower().replace(" ", "-")


def _head(contract: Contract, data: Mapping[str, Any]) -> Html:
    parts = data.get("description") or {}
    said = [element("p", contract.description)]
    said += [
        element("p", element("strong", f"{name.capitalize()}: "), parts[name])
        for name in ("limitations", "usage")
        if name in parts
    ]
    words = [f"version {contract.contract_version}", str(data.get("status", "")), *data.get("tags", ())]
    tags = element("ul", *(element("li", word, class_="tag") for word in words if word), class_="tags")
    return joined(element("h1", contract.dataset), tags, *said)


def _schema(contract: Contract, schema: Mapping[str, Any]) -> Html:
    rows = [
        row
        for field, item in zip(contract.fields, schema["properties"], strict=True)
        for row in _field_rows(field, item, field.name)
    ]
    grain = schema.get("dataGranularityDescription") or schema.get("description")
    heads = ["field", "type", "must be there", "what it means", "classification", "examples"]
    return joined(element("p", grain) if grain else None, table(heads, rows, "Schema"))


def _field_rows(field: Field, item: Mapping[str, Any], path: str) -> Iterator[list[Child]]:
    needed = "key" if field.primary_key else "yes" if field.required else ""
    meaning = joined(
        item.get("businessName") and element("strong", f"{item['businessName']}. "),
        field.description,
        element("span", " Critical.", class_="confidential") if item.get("criticalDataElement") else None,
        f" {item['transformDescription']}" if item.get("transformDescription") else None,
    )
    kind = field.classification or "none"
    examples = joined(*(element("div", element("code", json.dumps(e, ensure_ascii=False))) for e in field.examples))
    yield [
        element("code", path),
        field.logical_type,
        needed,
        meaning,
        element("span", kind, class_=kind if kind in ("public", "restricted", "confidential") else "dim"),
        examples,
    ]
    for child, within in zip(field.fields, item.get("properties", ()), strict=True):
        yield from _field_rows(child, within, f"{path}.{child.name}")
    if field.items is not None:
        yield from _field_rows(field.items, item["items"], f"{path}[]")


def _rules(contract: Contract, data: Mapping[str, Any]) -> Html:
    rows: list[list[Child]] = [
        [
            element("code", path or "(the record)"),
            element("ul", *(element("li", f"{words} ({name})") for _, name, words in group)),
        ]
        for path, group in groupby(row_rules(contract), key=lambda rule: rule[0])
    ]
    parts: list[Child] = [
        element("p", "Judged on every record, before it is masked. The first one that it breaks becomes the reason."),
        table(["field", "a value is"], rows, "Rules of a record"),
    ]
    if contract.table_rules:
        judged: list[list[Child]] = [
            [rule.name, table_rule_in_words(rule), rule.severity, rule.description] for rule in contract.table_rules
        ]
        parts += [
            element("p", "Judged on the landed table, after landing."),
            table(["rule", "the table has", "severity", "why"], judged, "Rules of the table"),
        ]
    texts = list(_quality_texts(data["schema"][0], ""))
    if texts:
        parts += [element("p", "Said for people, and judged by nobody:"), element("ul", *(element("li", text) for text in texts))]
    return joined(*parts)


def _quality_texts(item: Mapping[str, Any], path: str) -> Iterator[str]:
    for quality in item.get("quality", ()):
        if quality.get("type") == "text":
            said = quality.get("description") or quality.get("name") or ""
            yield f"{path}: {said}" if path else said
    for child in (*item.get("properties", ()), *([item["items"]] if "items" in item else ())):
        yield from _quality_texts(child, ".".join(part for part in (path, child.get("name", "")) if part))


def _privacy(contract: Contract) -> Html:
    plan: list[list[Child]] = [[element("code", row.path), row.classification, row.words] for row in masking_plan(contract)]
    person = (
        f"Records are about the person whom {contract.subject} names."
        if contract.subject
        else "Records name no person as their subject."
    )
    return joined(
        element(
            "p", person, " What lands is what this table leaves; raw values are kept sealed, in bronze and with dead letters."
        ),
        table(["field", "classification", "its values are"], plan, "Masking"),
    )


def _names(contract: Contract) -> Html:
    silver = f"silver/{contract.domain}/{contract.name}"
    current = {"current table": f"current/{contract.domain}/{contract.name}"} if contract.change == "upsert" else {}
    named = {
        "raw topic": contract.raw_topic,
        "clean topic": contract.clean_topic,
        "dead-letter topic": contract.dead_letter_topic,
        "silver table": silver,
        **current,
        "quarantine table": f"quarantine/{contract.domain}/{contract.name}",
        "bronze table": f"bronze/{contract.domain}/{contract.name}",
        "contract": contract.id,
        "event time": contract.event_time,
        "key": ", ".join(contract.key),
    }
    lines = [part for name, value in named.items() for part in (element("dt", name), element("dd", element("code", value)))]
    return element("dl", *lines)


def _modes(contract: Contract) -> Html:
    own = [f"{field.name}: {field.mode}. {MODES[field.mode]}" for field in contract.fields if field.mode is not None]
    folded: list[list[Child]] = [list(step) for step in dedup_plan(contract)]
    return joined(
        element("p", element("strong", f"{contract.mode}. "), MODES[contract.mode]),
        element("p", element("strong", f"{contract.change}. "), CHANGES[contract.change]),
        element("ul", *(element("li", text) for text in own)) if own else None,
        table(["duplicates", "are"], folded, "Duplicates"),
    )


def _dead_letters() -> Html:
    rows: list[list[Child]] = [[element("code", reason.value), *REMEDIES[reason]] for reason in REMEDIES]
    return table(["reason", "what it means", "what to do"], rows, "Reasons of dead letters")


def _service(data: Mapping[str, Any]) -> Html | None:
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


def _people(data: Mapping[str, Any]) -> Html | None:
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


def _more(data: Mapping[str, Any]) -> Html | None:
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


def _whole(data: Mapping[str, Any]) -> Html:
    """Return all that the file says, folded: what no section above has a place for stands here."""
    text = json.dumps(data, indent=2, ensure_ascii=False)
    return element("details", element("summary", "The whole contract, as data"), element("pre", element("code", text)))


def _foot(contract: Contract) -> Html:
    return element("footer", f"Made of contract {contract.contract_version}, content hash {contract.hash}.")
