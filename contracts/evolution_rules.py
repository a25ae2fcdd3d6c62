"""Whether a changed rule, option, classification or mask asks more than before, or less: tables for `contracts.evolution`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Direction = Literal["same", "looser", "tighter"]

LOWER_BOUNDS = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"})
UPPER_BOUNDS = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"})

RULE_WORDS = frozenset(
    {"id", "name", "description", "dimension", "businessImpact", "authoritativeDefinitions", "tags", "scheduler", "schedule"}
)
"""Of a quality rule, what is said to people."""

STRICTNESS = {"public": 0, "restricted": 2}
"""How much a classification hides: nothing, the personal data in it (all other words, and none), everything."""

MASK_STRICTNESS = {"tokenize": 3, "hash": 4, "mask": 5, "seal": 6, "drop": 7}
"""How much a mask hides, above what any classification does by itself but for `restricted`, which a mask refines."""


def graded_classification(before: str | None, after: str | None) -> Direction:
    """Say whether a field's values are hidden more than before, or less."""
    return _compared(_strictness(STRICTNESS, before or "", 1), _strictness(STRICTNESS, after or "", 1))


def graded_mask(before: str | None, after: str | None, old: Mapping[str, Any], new: Mapping[str, Any]) -> Direction:
    """Say whether a field's mask hides more than before, or less; without a mask its classification decides."""
    return _compared(_mask_strictness(before, old), _mask_strictness(after, new))


def is_looser(direction: Direction) -> bool:
    """Say whether more would be seen than before."""
    return direction == "looser"


def graded_option(name: str, before: Any, after: Any) -> Direction:
    """Say whether an option of a type asks more of a value than before. One that nobody can compare does."""
    if after is None:
        return "looser"
    if before is None or not (_is_number(before) and _is_number(after)):
        return "tighter"
    if name in LOWER_BOUNDS:
        return _compared(before, after)
    if name in UPPER_BOUNDS:
        return _compared(after, before)
    return "tighter"


def graded_quality(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> Literal["words", "looser", "tighter"]:
    """Say whether a quality rule, new, gone or changed, asks more than before; or speaks to people alone."""
    rules = [rule for rule in (before, after) if rule is not None]
    if all(rule.get("type", "library") == "text" for rule in rules):
        return "words"
    if before is None:
        return "tighter"
    if after is None:
        return "looser"
    said = [{key: part for key, part in rule.items() if key not in RULE_WORDS} for rule in rules]
    if said[0] == said[1]:
        return "words"
    return "looser" if _admits_more(said[0], said[1]) else "tighter"


def _admits_more(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Say whether a rule changed by nothing but more valid values."""
    one, other = dict(before), dict(after)
    arguments = [dict(rule.pop("arguments", None) or {}) for rule in (one, other)]
    values = [part.pop("validValues", None) for part in arguments]
    if one != other or arguments[0] != arguments[1] or not all(isinstance(part, list) for part in values):
        return False
    return all(value in values[1] for value in values[0])


def _mask_strictness(mask: str | None, field: Mapping[str, Any]) -> int:
    if mask is not None:
        return _strictness(MASK_STRICTNESS, mask, 0)
    strictness = _strictness(STRICTNESS, field.get("classification", ""), 1)
    return MASK_STRICTNESS["mask"] if strictness == STRICTNESS["restricted"] else strictness


def _strictness(known: Mapping[str, int], word: object, otherwise: int) -> int:
    """Return how much a word hides; what is no word, or none of ours, hides as much as `otherwise`."""
    return known.get(word, otherwise) if isinstance(word, str) else otherwise


def _compared(before: float, after: float) -> Direction:
    """Say `looser` where the second number is the smaller."""
    return "same" if before == after else "looser" if after < before else "tighter"


def _is_number(item: Any) -> bool:
    return isinstance(item, int | float) and not isinstance(item, bool)
