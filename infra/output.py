"""What commands print: the result on stdout, for a person or as JSON; everything said on the way on stderr.

So `headwater status --json | jq` gets one JSON document whatever is said meanwhile.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

json_option = click.option("--json", "json_wanted", is_flag=True, help="Print the result as JSON.")
"""The option that every command has: `@json_option`, and a parameter `json_wanted: bool`."""


def say(text: str) -> None:
    """Tell the person at the terminal something on the way."""
    click.echo(text, err=True)


def result(data: Mapping[str, Any], json_wanted: bool, text: str | Callable[[], str]) -> None:
    """Print a command's result: `data` as one JSON document if wanted, else `text`, made only then if it is a function."""
    if json_wanted:
        click.echo(json.dumps(data, indent=2, ensure_ascii=False, default=_plain))
        return
    click.echo(text() if callable(text) else text)


def rows_text(heads: list[str], rows: list[list[Any]]) -> str:
    """Return a plain table: columns as wide as they must be, numbers to the right."""
    texts = [heads, *[[f"{cell:,}" if _number(cell) else str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[i]) for row in texts) for i in range(len(heads))]
    right = [bool(rows) and all(_number(row[i]) for row in rows) for i in range(len(heads))]
    return "\n".join(_line(row, widths, right) for row in texts)


def _line(row: list[str], widths: list[int], right: list[bool]) -> str:
    cells = (
        cell.rjust(width) if to_right else cell.ljust(width) for cell, width, to_right in zip(row, widths, right, strict=True)
    )
    return "  ".join(cells).rstrip()


def _number(cell: object) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def _plain(value: object) -> Any:
    """Return what JSON has for a value of ours that it does not know."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"no JSON for {type(value).__name__}")
