"""Contract files on disk: find them, judge them, read them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from contracts import lint
from contracts.contract import Catalog, Contract
from contracts.errors import ContractInvalid, NotFound
from contracts.versions import side_by_side

SUFFIX = ".odcs.yaml"


@cache
def odcs_schema() -> Mapping[str, Any]:
    """Return the JSON schema of ODCS v3.1, as the open-data-contract-standard package carries it."""
    text = files("open_data_contract_standard").joinpath("schema.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def contract_files(folders: Sequence[Path]) -> list[Path]:
    """Return the contract files under the folders, sorted. Raises NotFound for a folder that is not there."""
    found: list[Path] = []
    for folder in folders:
        if not folder.exists():
            raise NotFound(
                f"no such folder or file: {folder}", expected="contract files", remedy="mend `contracts` in the settings"
            )
        found += [folder] if folder.is_file() else sorted(folder.rglob(f"*{SUFFIX}"))
    return found


def problems(file: Path) -> tuple[lint.Problem, ...]:
    """Return every fault of a contract file."""
    try:
        return lint.problems(_text(file), str(file), odcs_schema())
    except ContractInvalid as error:
        return (lint.Problem(str(file), 1, "", "utf-8", error.came),)


def load_contract(file: Path) -> Contract:
    """Return the contract in a file. Raises ContractInvalid with all its faults."""
    return lint.read(_text(file), str(file), odcs_schema())


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ContractInvalid(f"byte {error.start} is not UTF-8", where=str(file), remedy="save the file as UTF-8") from error


def load_catalog(folders: Sequence[Path]) -> Catalog:
    """Return all contracts under the folders, versions of one major side by side (`contracts.versions`).

    Raises ContractInvalid when two files describe one version, or when versions side by side do not fit together.
    """
    versions: dict[str, dict[str, Contract]] = {}
    origins: dict[tuple[str, str], Path] = {}
    for file in contract_files(folders):
        contract = load_contract(file)
        origin = (contract.dataset, contract.contract_version)
        if origin in origins:
            raise ContractInvalid(
                f"{contract.dataset} {contract.contract_version} is described twice",
                where=f"{origins[origin]} and {file}",
                remedy="keep one of them, or give one another version",
            )
        versions.setdefault(contract.dataset, {})[contract.contract_version] = contract
        origins[origin] = file
    return Catalog({dataset: side_by_side(list(found.values())) for dataset, found in versions.items()})
