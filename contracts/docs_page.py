"""A contract as a page for people: what a record looks like, what is promised, who answers for it, what to do when it breaks.

Each page is complete in itself: one file, no script, nothing loaded from elsewhere. All that a contract says is escaped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from contracts.contract import Contract
from contracts.docs_sections import (
    dead_letters_section,
    documents_section,
    example_section,
    modes_section,
    names_section,
    privacy_section,
    rules_section,
    schema_section,
)
from contracts.docs_style import STYLE
from contracts.docs_words import more_section, people_section, service_section, team_of, whole_contract
from contracts.html_text import Child, Html, element, joined, link, table


def page(contract: Contract) -> str:
    """Return a contract's page."""
    data = json.loads(contract.source)
    parts = {
        "Schema": schema_section(contract, data["schema"][0]),
        "Rules": rules_section(contract, data),
        "Example": example_section(contract),
        "Privacy": privacy_section(contract),
        "Documents": documents_section(contract),
        "Names": names_section(contract),
        "Modes": modes_section(contract),
        "Dead letters": dead_letters_section(contract),
        "Service": service_section(data),
        "People": people_section(data),
        "More": more_section(data),
    }
    given = [(name, part) for name, part in parts.items() if part]
    nav = element("nav", *(element("a", name, href=f"#{_anchor(name)}") for name, _ in given), aria_label="Sections")
    body = [element("section", element("h2", name), part, id=_anchor(name)) for name, part in given]
    back = element("p", element("a", "All contracts", href="index.html"), class_="dim")
    return _document(contract.dataset, back, _head(contract, data), nav, *body, whole_contract(data), _foot(contract))


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
    said.append(_owner(data))
    words = [f"version {contract.contract_version}", str(data.get("status", "")), *data.get("tags", ())]
    tags = element("ul", *(element("li", word, class_="tag") for word in words if word), class_="tags")
    return joined(element("h1", contract.dataset), tags, *said)


def _owner(data: Mapping[str, Any]) -> Html:
    """Return who answers for the contract, and the first place to ask; or that nobody is named."""
    team, places = team_of(data), data.get("support") or ()
    ask: list[Child] = [" Ask in ", link(places[0].get("url", ""), places[0]["channel"]), "."] if places else []
    named: list[Child] = [element("strong", team), "."] if team else ["the contract names no team."]
    return element("p", element("strong", "Kept by: "), *named, *ask)


def _foot(contract: Contract) -> Html:
    return element("footer", f"Made of contract {contract.contract_version}, content hash {contract.hash}.")
