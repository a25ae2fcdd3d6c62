"""Values to try a contract's rules on: at each bound and just beside it, of each length, matching and not quite matching.

The same contract gives the same values, in the same order: nothing here is drawn by chance.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from contracts.contract import Field, Rule
from contracts.formats import TEXT_FORMATS
from contracts.patterns import python_pattern

BOUNDS = ("minimum", "maximum", "exclusive_minimum", "exclusive_maximum")
LETTERS = ("x", "é", "😀")
"""One, two and four bytes in UTF-8: lengths count characters."""
PLACEHOLDER = "<email:bcdfghjklmnp>"
ITEMS_MAX = 8
"""Lists are tried up to this length, or one more than the longest that a rule speaks of."""
LENGTH_MAX = 10_000
VARIANTS = 3
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def samples(of: Field) -> list[Any]:
    """Return values of the field's type, null last, each once: good ones and ones that break its rules."""
    made = {
        "string": _texts,
        "integer": _integers,
        "number": _numbers,
        "boolean": lambda _: (True, False),
        "timestamp": lambda of: (_moment(b) + timedelta(microseconds=n) for b in [*_bounds(of), MOMENT] for n in (0, -1, 1)),
        "date": lambda of: (_day(b) + timedelta(days=n) for b in [*_bounds(of), MOMENT.date()] for n in (0, -1, 1)),
        "object": _objects,
        "array": _lists,
    }[of.logical_type](of)
    unique: dict[str, Any] = {repr(value): value for value in made}
    return [*unique.values(), None]


def _bounds(of: Field) -> list[Any]:
    return [rule.argument for rule in of.rules if rule.kind in BOUNDS]


def _moment(bound: Any) -> datetime:
    return bound if isinstance(bound, datetime) else datetime.fromisoformat(str(bound)).astimezone(UTC)


def _day(bound: Any) -> date:
    return bound if isinstance(bound, date) else date.fromisoformat(str(bound))


def _given(of: Field) -> Iterator[Any]:
    """Yield the contract's own examples, and the values that its rules name."""
    yield from of.examples
    for rule in of.rules:
        if rule.kind in ("valid_values", "not_missing") and isinstance(rule.argument, tuple):
            yield from (value for value in rule.argument if value is not None)


def _integers(of: Field) -> Iterator[int]:
    yield from (value for value in _given(of) if isinstance(value, int))
    for bound in _bounds(of):
        yield from (math.floor(bound) + n for n in (0, -1, 1))
    for rule in of.rules:
        if rule.kind == "multiple_of" and isinstance(rule.argument, int | float):
            yield from (int(rule.argument) * times + n for times in (1, 2, -3) for n in (0, 1))
    yield from (0, 1, -1, 2**31, 2**53, 2**53 + 1, -(2**53) - 1)


def _numbers(of: Field) -> Iterator[float]:
    yield from (float(value) for value in _given(of) if isinstance(value, int | float))
    for bound in map(float, _bounds(of)):
        yield from (bound, math.nextafter(bound, math.inf), math.nextafter(bound, -math.inf), bound + 1, bound - 1)
    for rule in of.rules:
        if rule.kind == "multiple_of" and isinstance(rule.argument, int | float):
            yield from (rule.argument * times for times in (1, 3, 7, 0.5))
    yield from (0.0, -0.5, 1e-9, 2.0**53, 1e300)


def _texts(of: Field) -> Iterator[str]:
    for text in (value for value in _given(of) if isinstance(value, str)):
        yield from (text, text.swapcase(), f"{text} ", f"{text}\n")
    for rule in of.rules:
        yield from _around(rule)
    yield from ("", " ", "x", "Some words, in a line.", PLACEHOLDER, f"{PLACEHOLDER} wrote it")


def _around(rule: Rule) -> Iterator[str]:
    if rule.kind in ("min_length", "max_length") and isinstance(rule.argument, int) and rule.argument <= LENGTH_MAX:
        yield from (letter * max(0, rule.argument + n) for letter in LETTERS for n in (0, -1, 1))
    pattern = rule.argument if rule.kind == "pattern" else TEXT_FORMATS.get(str(rule.argument)) if rule.kind == "format" else None
    for text in matching(str(pattern)) if pattern is not None else ():
        yield from (text, f"{text}\n", f" {text}", text[:-1], f"{text}x", text.swapcase(), re.sub("[0-9]", "٣", text, count=1))


def matching(pattern: str) -> list[str]:
    """Return some texts that a contract's pattern matches: for each place in it another choice of what it allows."""
    written = python_pattern(pattern)
    parsed = parser.parse(written)
    made = ("".join(_said(parsed, variant)) for variant in range(VARIANTS))
    return [text for text in dict.fromkeys(made) if re.search(written, text)]


def _said(parts: Iterable[Any], variant: int) -> Iterator[str]:
    """Yield what one choice of a parsed pattern reads as; what stands between two characters reads as nothing."""
    for kind, argument in parts:
        if kind is ops.LITERAL:
            yield chr(argument)
        elif kind is ops.NOT_LITERAL:
            yield chr(argument + 1)
        elif kind is ops.ANY:
            yield "xé "[variant % 3]
        elif kind is ops.IN:
            yield _one_of(argument, variant)
        elif kind is ops.BRANCH:
            yield from _said(argument[1][variant % len(argument[1])], variant)
        elif kind is ops.SUBPATTERN:
            yield from _said(argument[3], variant)
        elif kind in (ops.MAX_REPEAT, ops.MIN_REPEAT):
            low, high, repeated = argument
            for _ in range(min(int(high), low + variant)):
                yield from _said(repeated, variant)


def _one_of(choices: list[Any], variant: int) -> str:
    """Return one character of a class; of what a class leaves out, the first letter that is not among it."""
    ranges = [(a, a) if kind is ops.LITERAL else a for kind, a in choices if kind is not ops.NEGATE]
    if choices[0][0] is ops.NEGATE:
        return next(c for c in "xyzé😀 \n" if not any(low <= ord(c) <= high for low, high in ranges))
    low, high = ranges[variant % len(ranges)]
    return chr((low, high, (low + high) // 2)[variant % 3])


def _lists(of: Field) -> Iterator[list[Any]]:
    items = samples(of.items) if of.items is not None else []
    several = [item for item in items if item is not None] or [None]
    yield []
    yield from ([item] for item in items)
    sizes = [int(r.argument) for r in of.rules if r.kind in ("min_items", "max_items") and isinstance(r.argument, int | float)]
    for size in sorted({2, *(min(size + n, ITEMS_MAX) for size in sizes for n in (-1, 0, 1) if size + n >= 0)}):
        yield [several[n % len(several)] for n in range(size)]
        yield [several[0]] * size


def _objects(of: Field) -> Iterator[dict[str, Any]]:
    """Yield objects in which one property after the other takes each of its values."""
    each = {child.name: samples(child) for child in of.fields}
    first = {name: values[0] for name, values in each.items()}
    for name, values in each.items():
        yield from ({**first, name: value} for value in values)
