"""What a sample of records holds, field by field: how often, of which types, which texts and numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import polars as pl

DEPTH_MAX = 8
"""Objects and arrays deeper than this are not looked into."""
NAMES_MAX = 200
"""An object with more names than this is a map: its names are data."""

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_UUID = re.compile(r"[0-9A-Fa-f]{8}-([0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")


@dataclass
class Profile:
    """What came at one place. `asked` counts the objects that could have had it, `given` the values that were not null."""

    asked: int = 0
    given: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    texts: list[str] = field(default_factory=list)
    numbers: list[int | float] = field(default_factory=list)
    children: dict[str, Profile] = field(default_factory=dict)
    items: Profile | None = None
    too_deep: bool = False

    @property
    def always(self) -> bool:
        """Whether it was never absent and never null."""
        return self.given == self.asked > 0

    def kind(self) -> str:
        """Return the JSON kind that most values had; whole numbers among fractions are numbers. Empty without any value."""
        counts = Counter(self.kinds)
        if counts["number"]:
            counts["number"] += counts.pop("integer", 0)
        return max(sorted(counts), key=lambda kind: counts[kind], default="")

    def others(self) -> int:
        """Return how many values were of another kind than most."""
        kind = self.kind()
        return sum(n for name, n in self.kinds.items() if name != kind and not (kind == "number" and name == "integer"))


def profile(records: Iterable[dict[str, Any]]) -> Profile:
    """Return what the records hold."""
    whole = Profile()
    for record in records:
        whole.asked += 1
        _add(whole, record, 0)
    return whole


def are_times(texts: list[str]) -> bool:
    """Say whether every text is a time with a zone (RFC 3339), as the stream reads it."""
    if not texts or not all(_TIME.fullmatch(text) for text in texts):
        return False
    parsed = pl.Series(texts).str.to_datetime("%+", strict=False, time_zone="UTC", time_unit="us")
    return not parsed.null_count()


def are_dates(texts: list[str]) -> bool:
    """Say whether every text is a date."""
    if not texts or not all(_DATE.fullmatch(text) for text in texts):
        return False
    return not pl.Series(texts).str.to_date("%Y-%m-%d", strict=False).null_count()


def are_uuids(texts: list[str]) -> bool:
    """Say whether every text is a UUID."""
    return bool(texts) and all(_UUID.fullmatch(text) for text in texts)


def _add(to: Profile, value: Any, depth: int) -> None:
    if value is None:
        return
    to.given += 1
    to.kinds[_kind(value)] += 1
    if isinstance(value, str):
        to.texts.append(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        to.numbers.append(value)
    elif isinstance(value, dict | list) and depth >= DEPTH_MAX:
        to.too_deep = True
    elif isinstance(value, dict):
        _add_object(to, value, depth)
    elif isinstance(value, list):
        to.items = to.items or Profile()
        for item in value:
            to.items.asked += 1
            _add(to.items, item, depth + 1)


def _add_object(to: Profile, value: dict[str, Any], depth: int) -> None:
    for name in value:
        if name not in to.children and len(to.children) <= NAMES_MAX:
            to.children[name] = Profile()
    for name, item in value.items():
        if name in to.children:
            _add(to.children[name], item, depth + 1)
    for child in to.children.values():
        child.asked = to.kinds["object"]


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer" if -(2**63) <= value < 2**63 else "number"
    return {float: "number", str: "string", dict: "object", list: "array"}[type(value)]
