"""The sections of a contract's page that say what the stream does with a record: each from the contract, compiled."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from contracts.contract import Contract, Field
from contracts.example import example_record
from contracts.html_text import Child, Html, element, joined, table
from contracts.reasons import REASONS, possible_reasons
from contracts.targets.plans import dedup_plan, document_plan, masking_plan
from contracts.targets.words import row_rules, table_rule_in_words

COMMAND = re.compile(r"(headwater [a-z-]+)((?: --[a-z]+)*)")
"""A command of ours in a sentence, and its options."""

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


def schema_section(contract: Contract, schema: Mapping[str, Any]) -> Html:
    """Return what fields a record has, at any depth."""
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


def rules_section(contract: Contract, data: Mapping[str, Any]) -> Html:
    """Return what is judged: of each record, of the landed table, and by nobody."""
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


def privacy_section(contract: Contract) -> Html:
    """Return what happens to each value before it lands."""
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


def names_section(contract: Contract) -> Html:
    """Return what the topics, tables and jobs are called, here and in lineage."""
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
        "key": ", ".join(contract.key),
        "event time": contract.event_time,
        "contract": contract.id,
        "other versions in force": ", ".join(sorted(other.contract_version for other in contract.others)),
    }
    lines = [
        part for name, value in named.items() if value for part in (element("dt", name), element("dd", element("code", value)))
    ]
    spaces: list[list[Child]] = [
        ["a topic", element("code", "kafka://<broker>:<port>"), element("code", contract.raw_topic)],
        [
            "a table",
            joined(element("code", "file"), " or ", element("code", "s3://<bucket>")),
            f"its path, which ends in {silver}",
        ],
        ["a job", "the installation's project", element("code", f"{contract.dataset}.clean")],
    ]
    return joined(
        element("dl", *lines),
        element("p", "In lineage (OpenLineage, Marquez) the same things are found so:"),
        table(["what", "namespace", "name"], spaces, "Names in lineage"),
    )


def modes_section(contract: Contract) -> Html:
    """Return what becomes of a departure, of a change, of a duplicate."""
    own = [f"{field.name}: {field.mode}. {MODES[field.mode]}" for field in contract.fields if field.mode is not None]
    folded: list[list[Child]] = [list(step) for step in dedup_plan(contract)]
    return joined(
        element("p", element("strong", f"{contract.mode}. "), MODES[contract.mode]),
        element("p", element("strong", f"{contract.change}. "), CHANGES[contract.change]),
        element("ul", *(element("li", text) for text in own)) if own else None,
        element("p", element("strong", "duplicates. "), "The same thing sent twice counts once:"),
        table(["where", "what is folded"], folded, "Duplicates"),
    )


def dead_letters_section(contract: Contract) -> Html:
    """Return the reasons that a record of this contract can be refused for, and what to do about each."""
    rows: list[list[Child]] = [
        [
            element("code", reason.value),
            _coded(REASONS[reason].meaning),
            _with_commands(REASONS[reason].remedy, contract),
            "sealed" if REASONS[reason].payload else "no",
        ]
        for reason in possible_reasons(contract)
    ]
    commands = "\n".join(
        (
            f"headwater dead-letters {contract.dataset}                     # which there are, how many, why",
            f"headwater replay {contract.dataset} --reason rule_broken --dry-run   # what a mended contract would make of them",
            f"headwater replay {contract.dataset} --reason rule_broken",
        )
    )
    said = "A refused record waits in quarantine with its reason, the field and the rule that decided. It stops no other."
    return joined(
        element("p", said),
        table(["reason", "what it means", "what to do", "record kept"], rows, "Reasons of dead letters"),
        element("pre", element("code", commands)),
    )


def _with_commands(remedy: str, contract: Contract) -> Html:
    """Return a remedy as HTML, its command with the dataset filled in."""
    return _coded(COMMAND.sub(rf"`\1 {contract.dataset}\2`", remedy))


def _coded(text: str) -> Html:
    """Return text whose words between backticks are code."""
    return joined(*(element("code", part) if at % 2 else part for at, part in enumerate(text.split("`"))))


def example_section(contract: Contract) -> Html:
    """Return one record as a producer sends it."""
    record = json.dumps(example_record(contract), indent=2, ensure_ascii=False)
    said = "Made of the fields' own examples; where a field has none, of a value that its rules admit."
    return joined(element("p", said), element("pre", element("code", record)))


def documents_section(contract: Contract) -> Html | None:
    """Return how documents become text and passages; nothing where the contract has none."""
    plan: list[list[Child]] = [[element("code", step), words] for step, words in document_plan(contract)]
    return table(["step", "what it does"], plan, "Documents") if plan else None
