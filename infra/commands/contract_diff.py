"""`headwater contract diff`: what changed between two contract files, and whether the new one's number admits it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from infra.output import json_option, result
from infra.settings import Settings

if TYPE_CHECKING:
    from contracts.evolution import Change, Diff

EXAMPLE = """\b
Examples:
  headwater contract diff old/orders.odcs.yaml contracts/shop/orders.odcs.yaml
  git show HEAD:contracts/shop/orders.odcs.yaml > /tmp/old.odcs.yaml
  headwater contract diff /tmp/old.odcs.yaml contracts/shop/orders.odcs.yaml --json
"""
TOLD_MAX = 60
"""Characters of a value in a line for people; `--json` has it whole."""


@click.command(epilog=EXAMPLE)
@click.argument("old", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("new", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
@click.pass_obj
def diff(settings: Settings, old: Path, new: Path, json_wanted: bool) -> None:
    """Grade every change from one contract file to another: DOCUMENTATION, ADDITION, REVISION or MODEL.

    Says what each derived thing would do, and which feature views, services and training sets use a changed field. Exits 1 if
    the new file's version number does not admit the changes: a patch brings words, a minor version an ADDITION, a major one
    anything. Masking that a change loosens is always called out.
    """
    from contracts.connectors.files import load_contract
    from contracts.effects import touched
    from contracts.evolution import diff as compared

    found = compared(load_contract(old), load_contract(new))
    users = touched(found.changes, _users(settings, found.new.dataset))
    result(_data(found, users), json_wanted, lambda: "\n".join(_lines(found, users)))
    if not found.admitted:
        raise SystemExit(1)


def _users(settings: Settings, dataset: str) -> dict[str, tuple[str, ...]]:
    """Return who uses the dataset's columns, as far as definitions have been applied here."""
    from contracts.errors import NotFound
    from features.connectors.manifest_file import applied_manifest
    from features.users import column_users
    from infra.commands.features import workspace

    try:
        return column_users(applied_manifest(workspace(settings)).plan, dataset)
    except NotFound:
        return {}


def _data(found: Diff, users: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    return {
        "dataset": found.new.dataset,
        "old": {"contract_version": found.old.contract_version, "hash": found.old.hash},
        "new": {"contract_version": found.new.contract_version, "hash": found.new.hash},
        "step": found.step,
        "grade": found.grade.name if found.changes else None,
        "admitted": found.admitted,
        "loosens_masking": [change.path for change in found.changes if change.loosens_masking],
        "changes": [_change(change) for change in found.changes],
        "users": users,
    }


def _change(change: Change) -> dict[str, Any]:
    from contracts.effects import effects

    return {
        "path": change.path,
        "grade": change.grade.name,
        "kind": change.kind,
        "before": change.before,
        "after": change.after,
        "loosens_masking": change.loosens_masking,
        "effects": dict(effects(change)),
    }


def _lines(found: Diff, users: Mapping[str, tuple[str, ...]]) -> list[str]:
    from contracts.effects import effects

    if not found.changes:
        return [f"{found.new.dataset}: nothing changed, {found.old.contract_version} to {found.new.contract_version}"]
    lines = []
    for change in sorted(found.changes, key=lambda change: (-change.grade, change.path)):
        lines.append(f"{change.grade.name:13}  {change.path}: {_told(change.before)} -> {_told(change.after)}")
        if change.loosens_masking:
            lines.append("               LOOSENS MASKING: what was hidden would stand in clear in new rows")
        lines += [f"               {thing}: {what}" for thing, what in effects(change).items()]
    lines += [f"used: {column} by {', '.join(told)}" for column, told in users.items()]
    return [*lines, _verdict(found)]


def _verdict(found: Diff) -> str:
    moves = f"{found.old.contract_version} to {found.new.contract_version} ({found.step})"
    if found.admitted:
        return f"{found.new.dataset}: {found.grade.name}, and {moves} admits it"
    return f"{found.new.dataset}: {found.grade.name}, and {moves} does not admit it\n  try: version {_wanted(found)}"


def _wanted(found: Diff) -> str:
    """Return the least version number that would admit the changes."""
    from contracts.evolution import Grade

    major, minor, patch = map(int, found.old.contract_version.split("."))
    if found.grade > Grade.ADDITION or found.old.mode == "freeze":
        return f"{major + 1}.0.0"
    return f"{major}.{minor + 1}.0" if found.grade is Grade.ADDITION else f"{major}.{minor}.{patch + 1}"


def _told(item: Any) -> str:
    text = "absent" if item is None else str(item)
    return text if len(text) <= TOLD_MAX else text[: TOLD_MAX - 3] + "..."
