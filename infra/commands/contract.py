"""`headwater contract`: judge contract files, and show what they compile to."""

from __future__ import annotations

from pathlib import Path

import click

from infra.commands.contract_diff import diff
from infra.commands.contract_infer import infer
from infra.commands.contract_pages import docs, export, show
from infra.commands.contract_test import test
from infra.output import json_option, result
from infra.settings import Settings

EXAMPLE = """\b
Examples:
  headwater contract lint                            all contract files of the settings
  headwater contract lint contracts/shop/orders.odcs.yaml
  headwater contract diff old/orders.odcs.yaml contracts/shop/orders.odcs.yaml
  headwater contract infer orders.jsonl --as shop.orders --out contracts/shop/orders.odcs.yaml
  headwater contract show flights.departed --target rules
  headwater contract docs
"""


@click.group(epilog=EXAMPLE)
def contract() -> None:
    """Judge contracts, show what they compile to, test and compare them, draft one from records."""


for command in (show, test, diff, infer, docs, export):
    contract.add_command(command)


@contract.command(epilog=EXAMPLE)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@json_option
@click.pass_obj
def lint(settings: Settings, paths: tuple[Path, ...], json_wanted: bool) -> None:
    """Name every fault of contract files by file, line, field and rule. Exits 1 if there is any.

    PATHS are files or folders; none means all contract files of the settings.
    """
    from dataclasses import asdict

    from contracts.connectors.files import contract_files, problems

    files = contract_files(paths or settings.contracts)
    found = [problem for file in files for problem in problems(file)]
    lines = [*map(str, found), f"{len(files)} contract files, {len(found)} faults"]
    result({"files": list(map(str, files)), "problems": [asdict(p) for p in found]}, json_wanted, "\n".join(lines))
    if found:
        raise SystemExit(1)
