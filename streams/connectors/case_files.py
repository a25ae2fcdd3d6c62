"""Case files on disk, beside their contracts: `orders.odcs.yaml` has its cases in `orders.cases/*.yaml`."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from contracts import yaml_text
from contracts.connectors.files import SUFFIX
from contracts.errors import ContractInvalid
from streams.cases import FATES, Case, Fate, case_of

FOLDER_SUFFIX = ".cases"
WIDTH = 120


def case_files(contract_file: Path) -> list[Path]:
    """Return the case files of a contract file, by name."""
    folder = contract_file.with_name(contract_file.name.removesuffix(SUFFIX) + FOLDER_SUFFIX)
    return sorted(folder.glob("*.yaml")) if folder.is_dir() else []


def read_case(file: Path) -> Case:
    """Return the case in a file. Raises ContractInvalid for what is no case, naming the line or the record."""
    try:
        parsed = yaml_text.parse(file.read_text("utf-8"))
    except UnicodeDecodeError as error:
        raise ContractInvalid(f"byte {error.start} is not UTF-8", where=str(file), remedy="save the file as UTF-8") from error
    if parsed.faults:
        fault = parsed.faults[0]
        raise ContractInvalid(fault.message, expected="YAML", where=f"{file}:{fault.line}")
    return case_of(parsed.data, str(file))


def update_case(file: Path, came: Sequence[Fate]) -> None:
    """Write what each record came to into its place; everything else, comments too, stays as a person wrote it."""
    yaml = YAML()
    yaml.width = WIDTH
    yaml.preserve_quotes = True
    yaml.representer.add_representer(type(None), lambda made, _: made.represent_scalar("tag:yaml.org,2002:null", "null"))
    yaml.indent(mapping=2, sequence=4, offset=2)
    data = yaml.load(file.read_text("utf-8"))
    for item, fate in zip(data["records"], came, strict=True):
        _replace(item, fate)
    text = io.StringIO()
    yaml.dump(data, text)
    file.write_text(text.getvalue(), "utf-8")


def _replace(item: Any, fate: Fate) -> None:
    for name in FATES:
        if name in item and fate.get(name) != item[name]:
            del item[name]
    for name, told in fate.items():
        if item.get(name) != told:
            item[name] = told if name == "row" else _on_one_line(told)


def _on_one_line(told: Mapping[str, Any]) -> CommentedMap:
    made = CommentedMap(told)
    made.fa.set_flow_style()
    return made
