"""A draft as YAML text with its comments: what `contract infer` prints. Scalars that YAML could misread are in quotes."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from contracts.infer import COMMENT

WIDTH = 110
_BARE = re.compile(r"[A-Za-z][A-Za-z0-9_/.-]*(?: [A-Za-z0-9_/.,()-]+)*")
_SPECIAL = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n", "nan", "inf"})


def yaml_draft(data: Mapping[str, Any]) -> str:
    """Return the text of a draft."""
    return "\n".join(_mapping(data, 0)) + "\n"


def _mapping(data: Mapping[str, Any], indent: int) -> Iterator[str]:
    space = " " * indent
    for line in data.get(COMMENT, ()):
        yield from textwrap.wrap(line, WIDTH - indent, initial_indent=f"{space}# ", subsequent_indent=f"{space}#   ")
    for name, value in data.items():
        if name == COMMENT:
            continue
        if isinstance(value, Mapping):
            yield f"{space}{name}:"
            yield from _mapping(value, indent + 2)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            yield from _sequence(name, value, indent)
        else:
            yield f"{space}{name}: {_scalar(value)}"


def _sequence(name: str, values: Sequence[Any], indent: int) -> Iterator[str]:
    space = " " * indent
    if not any(isinstance(value, Mapping) for value in values):
        yield f"{space}{name}: [{', '.join(map(_scalar, values))}]"
        return
    yield f"{space}{name}:"
    for value in values:
        lines = list(_mapping({k: v for k, v in value.items() if k != COMMENT}, indent + 4))
        yield from _mapping({COMMENT: value.get(COMMENT, ())}, indent + 2)
        yield f"{space}  - {lines[0].strip()}"
        yield from lines[1:]


def _scalar(value: Any) -> str:
    if isinstance(value, str) and _BARE.fullmatch(value) and value.lower() not in _SPECIAL:
        return value
    quoted = '"' if isinstance(value, str) else None
    return yaml.safe_dump(value, default_style=quoted, width=1 << 20).removesuffix("\n").removesuffix("\n...")
