"""What one record has that its contract does not, and what its modes make of it: for the few that a typed reader refuses.

`contracts.modes` says which mode decides where. A record's settlement depends on the record and the contract alone. Rules
and missing values are judged later, on columns (`contracts.checks`); here it is types and unknown fields.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from contracts.contract import Contract, Field, Mode
from contracts.modes import COLUMN_NAME, EXACT_MAX, discardable, evolved_name, mode_at, widenable
from contracts.records import Reason

PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "timestamp": (str,),
    "date": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
}

LONG_DIGITS = re.compile(rb"[0-9]{16}")
"""As many as any whole number has that a double may round."""

EVOLVED_DEPTH_MAX = 100
"""Nesting of an unknown field that may become a column of JSON text: what any reader of it bears."""

Path = tuple[str | int, ...]
Scalar = str | bool | int | float


@dataclass(frozen=True)
class Departure:
    """One place where a record departs from its contract. `names` are the contract's, from the column inward."""

    path: Path
    names: tuple[str, ...]
    reason: Literal[Reason.ILL_TYPED, Reason.UNKNOWN_FIELD]
    field: Field | None = None
    """That the value is not of; None for an unknown field."""


@dataclass(frozen=True)
class Refusal:
    """Why a record is a dead letter: `field` and `rule` as it names them, never a value."""

    reason: Reason
    field: str | None
    rule: str | None


@dataclass(frozen=True)
class Settlement:
    """What the modes make of a record's departures: a refusal, or the value as it goes on, with what was left out or evolved."""

    refusal: Refusal | None = None
    value: Mapping[str, Any] | None = None
    discarded: tuple[str, ...] = ()
    """The column, or for an unknown field the object, that each value left out was of; `` at the top level."""
    evolved: Mapping[str, Any] | None = None
    """Unknown fields by the column that each becomes: unmasked still, of any JSON type."""
    widened: frozenset[str] = frozenset()
    """Integer columns that must be of numbers to hold this record: nothing else is said then, it is judged again so."""


def departures(read: Mapping[str, Any], contract: Contract) -> list[Departure]:
    """Return where a record departs: ill-typed values in the contract's order, then unknown fields. A null is no value."""
    plan = _plan(contract.fields)
    found = [d for field in contract.fields for d in _of_value(read.get(field.name), field, (field.name,), (field.name,))]
    return [*found, *_unknown(read, plan, (), ())]


def is_unknown(found: Sequence[Departure]) -> bool:
    """Say whether any of the departures is an unknown field, which no typed reader needs to be asked about."""
    return any(departure.reason is Reason.UNKNOWN_FIELD for departure in found)


def settled(value: bytes, read: dict[str, Any], found: Sequence[Departure], contract: Contract) -> Settlement:
    """Return what becomes of a record with these departures. `read` is changed: what is left out, is left out of it."""
    widened = frozenset(str(d.path[0]) for d in found if _widens(d, read, contract))
    discarded: list[str] = []
    columns: dict[str, Path] = {}
    for departure in found:
        if departure.reason is Reason.ILL_TYPED and departure.path[0] in widened:
            continue
        mode = mode_at(contract, departure.names)
        if mode == "discard_value" and _can_discard(departure, contract):
            discarded.append(".".join(departure.names))
        elif mode == "evolve" and (column := _column(departure, read, contract)) and not _holds(columns, column):
            columns[column] = departure.path
        else:
            return Settlement(_refusal(departure))
    if widened:
        return Settlement(widened=widened)
    whole = _exactly(value) if columns and LONG_DIGITS.search(value) else read
    evolved = {column: _at(whole, path) for column, path in columns.items()}
    for departure in found:
        _leave_out(read, departure)
    return Settlement(value=read, discarded=tuple(discarded), evolved=evolved or None)


def evolved_of(read: dict[str, Any], contract: Contract) -> tuple[dict[str, Any], dict[str, Scalar]]:
    """Return a clean record without, and only, what goes beyond the contract's columns; as our own clean hop wrote it."""
    known = {field.name: field for field in contract.fields}
    beyond: dict[str, Scalar] = {}
    for name, item in list(read.items()):
        field = known.get(name)
        strange = field is None or (field.logical_type == "integer" and isinstance(item, float))
        if strange and isinstance(item, str | bool | int | float) and COLUMN_NAME.fullmatch(name):
            beyond[name] = read.pop(name)
    return read, beyond


@cache
def _plan(fields: tuple[Field, ...]) -> Mapping[str, Field]:
    return {field.name: field for field in fields}


def _of_value(item: Any, field: Field, path: Path, names: tuple[str, ...]) -> Iterator[Departure]:
    """Yield where a value, or anything in it, is not of its field's type."""
    if item is None:
        return
    kinds = PYTHON_TYPES[field.logical_type]
    if not isinstance(item, kinds) or (isinstance(item, bool) and bool not in kinds):
        yield Departure(path, names, Reason.ILL_TYPED, field)
    elif isinstance(item, dict):
        for child in field.fields:
            yield from _of_value(item.get(child.name), child, (*path, child.name), (*names, child.name))
    elif isinstance(item, list) and field.items is not None:
        for index, part in enumerate(item):
            yield from _of_value(part, field.items, (*path, index), names)
    elif isinstance(item, int) and field.logical_type == "integer" and not -(2**63) <= item < 2**63:
        yield Departure(path, names, Reason.ILL_TYPED, field)


def _unknown(read: Mapping[str, Any], plan: Mapping[str, Field], path: Path, names: tuple[str, ...]) -> Iterator[Departure]:
    """Yield the unknown fields of an object, then those within the known ones."""
    if not read.keys() <= plan.keys():
        strange = [name for name, item in read.items() if name not in plan and item is not None]
        yield from (Departure((*path, name), names, Reason.UNKNOWN_FIELD) for name in strange)
    for name, field in plan.items():
        if field.logical_type in ("object", "array"):
            yield from _unknown_within(read.get(name), field, (*path, name), (*names, name))


def _unknown_within(item: Any, field: Field, path: Path, names: tuple[str, ...]) -> Iterator[Departure]:
    if isinstance(item, dict) and field.logical_type == "object":
        yield from _unknown(item, _plan(field.fields), path, names)
    elif isinstance(item, list) and field.items is not None:
        for index, part in enumerate(item):
            yield from _unknown_within(part, field.items, (*path, index), names)


def _widens(departure: Departure, read: Mapping[str, Any], contract: Contract) -> bool:
    """Say whether the value is a number in an integer column that may widen."""
    field = departure.field
    if len(departure.path) != 1 or field is None or not widenable(contract, field):
        return False
    return isinstance(read[field.name], float)


def _can_discard(departure: Departure, contract: Contract) -> bool:
    if departure.field is None:
        return True
    column = next(field for field in contract.fields if field.name == departure.names[0])
    return len(departure.path) > 1 or discardable(contract, column)


def _column(departure: Departure, read: Mapping[str, Any], contract: Contract) -> str | None:
    """Return the column that an unknown field becomes; None for one in an array's items, of which a record may have many."""
    names = [part for part in departure.path if isinstance(part, str)]
    if departure.field is not None or len(names) < len(departure.path) or _is_deep(_at(read, departure.path)):
        return None
    return evolved_name(contract, names)


def _holds(columns: Mapping[str, Path], column: str) -> bool:
    """Say whether the record has had this column already: capitals do not tell columns apart."""
    return column.lower() in {name.lower() for name in columns}


def _refusal(departure: Departure) -> Refusal:
    """Name the contract's fields alone: the name of an unknown field is the sender's own text, and may be personal."""
    rule = "logicalType" if departure.reason is Reason.ILL_TYPED else None
    return Refusal(departure.reason, ".".join(departure.names) or None, rule)


def _is_deep(item: Any) -> bool:
    """Say whether a value is nested deeper than we would write out."""
    layer = [item]
    for _ in range(EVOLVED_DEPTH_MAX):
        layer = [inner for held in layer for inner in _inside(held)]
        if not layer:
            return False
    return True


def _inside(item: Any) -> Iterable[Any]:
    if isinstance(item, dict):
        return item.values()
    return item if isinstance(item, list) else ()


def _at(read: Any, path: Path) -> Any:
    for step in path:
        read = read[step]
    return read


def _leave_out(read: Any, departure: Departure) -> None:
    """Take the value out of the record: an unknown field goes, any other place holds null."""
    holder = _at(read, departure.path[:-1])
    if departure.field is None:
        del holder[departure.path[-1]]
    else:
        holder[departure.path[-1]] = None


def _exactly(value: bytes) -> Any:
    """Read a record with every whole number that a double would round as its digits: orjson rounds those beyond 64 bits."""
    return json.loads(value, parse_int=_digits)


def _digits(text: str) -> int | str:
    return int(text) if len(text) <= len(str(EXACT_MAX)) and abs(int(text)) <= EXACT_MAX else text


def effective(mode: Mode, reason: Reason, field: str | None, rule: str | None) -> Refusal:
    """Return a departure's refusal as its mode has it: the reason itself, or `discarded_row` or `frozen` with it in `rule`."""
    if mode not in ("discard_row", "freeze"):
        return Refusal(reason, field, rule)
    told = reason.value if rule is None else f"{reason.value}: {rule}"
    return Refusal(Reason.DISCARDED_ROW if mode == "discard_row" else Reason.FROZEN, field, told)
