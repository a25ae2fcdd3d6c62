"""What became of a contract: every change between two of its versions, graded, and what each derived thing would do.

The grades are OpenLineage's (spec/Versioning.md, after SchemaVer), with one below them:

| grade | the rows there are | the version's number |
| --- | --- | --- |
| DOCUMENTATION | are untouched, and so is what is asked of new ones | patch: 1.0.0 to 1.0.1 |
| ADDITION | all fit the new contract | minor: 1.0.1 to 1.1.0 |
| REVISION | may fit it, or may not | major: 1.1.0 to 2.0.0 |
| MODEL | do not fit it | major |

The whole file is compared, not what the stream obeys of it: a part that nothing here knows is a REVISION, since nobody can say
that it is less. Fields are matched by name: a renamed one is one removed and one added.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Literal

from contracts.contract import Contract
from contracts.evolution_rules import graded_classification, graded_mask, graded_option, graded_quality, is_looser

Data = Mapping[str, Any]


class Grade(IntEnum):
    """How much a change asks of the rows there are."""

    DOCUMENTATION = 0
    ADDITION = 1
    REVISION = 2
    MODEL = 3


Kind = Literal[
    "words",
    "name",
    "topic",
    "event time",
    "key",
    "field added",
    "field removed",
    "type",
    "required",
    "rule",
    "masking",
    "mode",
    "plan",
    "unknown",
]
"""What a change is about: it decides what each derived thing would do (`contracts.effects`)."""

Step = Literal["none", "patch", "minor", "major", "backward"]

ADMITS = {"patch": Grade.DOCUMENTATION, "minor": Grade.ADDITION, "major": Grade.MODEL}
"""The greatest grade that each step of the version's number may bring. The others may bring nothing."""


@dataclass(frozen=True)
class Change:
    """One change. `path` is as a person says it (`buyer.city.logicalType`); `before` and `after` are None for what is absent."""

    path: str
    field: str
    """The column concerned, with what is in it by dots; empty for the contract itself."""
    kind: Kind
    grade: Grade
    before: Any
    after: Any
    loosens_masking: bool = False
    """Whether what was hidden until now would stand in clear: said aloud whatever the grade."""


@dataclass(frozen=True)
class Diff:
    """All changes from one contract to another, and whether the new one's number admits them."""

    old: Contract
    new: Contract
    changes: tuple[Change, ...]

    @property
    def grade(self) -> Grade:
        """The greatest of the changes'."""
        return max((change.grade for change in self.changes), default=Grade.DOCUMENTATION)

    @property
    def step(self) -> Step:
        """How the version's number moves."""
        return version_step(self.old.contract_version, self.new.contract_version)

    @property
    def admitted(self) -> bool:
        """Whether the new number may bring these changes. Of a frozen contract it must be the next major for any."""
        if not self.changes:
            return self.step != "backward"
        if self.old.mode == "freeze" and self.step != "major":
            return False
        return self.step in ADMITS and self.grade <= ADMITS[self.step]


def diff(old: Contract, new: Contract) -> Diff:
    """Return what changed. Both must have been read from files: it is their whole text that is compared, but for the number."""
    return Diff(old, new, tuple(_of_contract(json.loads(old.source), json.loads(new.source))))


def version_step(old: str, new: str) -> Step:
    """Return how a version's number moves."""
    before, after = (tuple(map(int, version.split("."))) for version in (old, new))
    if before == after:
        return "none"
    if after < before:
        return "backward"
    return "major" if after[0] > before[0] else "minor" if after[1] > before[1] else "patch"


def ordered(versions: Sequence[Contract]) -> list[Contract]:
    """Return contracts by their version's number, the newest first."""
    return sorted(versions, key=number, reverse=True)


def number(contract: Contract) -> tuple[int, ...]:
    """Return a contract's version as the numbers by which versions are ordered."""
    return tuple(map(int, contract.contract_version.split(".")))


WORDS = frozenset(
    {"apiVersion", "description", "tags", "team", "roles", "support", "price", "servers", "authoritativeDefinitions"}
    | {"slaProperties", "slaDefaultElement", "tenant", "dataProduct", "contractCreatedTs", "businessName", "examples"}
    | {"physicalName", "physicalType", "transformSourceObjects", "transformLogic", "transformDescription"}
    | {"criticalDataElement", "encryptedName", "partitioned", "partitionKeyPosition", "dataGranularityDescription"}
)
"""What is said to people, and what other systems than ours go by: nothing in the stream follows from it."""

OF_CONTRACT: Mapping[str, tuple[Kind, Grade]] = {
    "id": ("name", Grade.MODEL),
    "kind": ("name", Grade.MODEL),
    "domain": ("name", Grade.MODEL),
    "name": ("name", Grade.MODEL),
}
OF_SCHEMA: Mapping[str, tuple[Kind, Grade]] = {"name": ("name", Grade.MODEL), "logicalType": ("type", Grade.MODEL)}
CUSTOM: Mapping[str, tuple[Kind, Grade]] = {
    "eventTime": ("event time", Grade.MODEL),
    "partitions": ("topic", Grade.REVISION),
    "mode": ("mode", Grade.ADDITION),
    "change": ("key", Grade.MODEL),
    "envelope": ("topic", Grade.MODEL),
    "subject": ("masking", Grade.REVISION),
    "duplicates": ("plan", Grade.ADDITION),
    "nearDuplicates": ("plan", Grade.REVISION),
    "document": ("plan", Grade.REVISION),
    "passages": ("plan", Grade.REVISION),
}
OF_FIELD: Mapping[str, tuple[Kind, Grade]] = {
    "primaryKey": ("key", Grade.MODEL),
    "primaryKeyPosition": ("key", Grade.MODEL),
}


def _of_contract(old: Data, new: Data) -> Iterator[Change]:
    for key in _keys(old, new, {"version", "schema", "customProperties", "status"}):
        yield from _plain(key, key, "", old, new, OF_CONTRACT)
    if old.get("status") != new.get("status"):
        grade = Grade.REVISION if new.get("status") == "retired" else Grade.ADDITION
        yield Change("status", "", "mode", grade, old.get("status"), new.get("status"))
    yield from _custom("", "", old, new)
    before, after = old.get("schema", ()), new.get("schema", ())
    if len(before) != 1 or len(after) != 1:
        if before != after:
            yield Change("schema", "", "unknown", Grade.MODEL, before, after)
        return
    for key in _keys(before[0], after[0], {"properties", "quality", "customProperties"}):
        yield from _plain(f"schema.{key}", key, "", before[0], after[0], OF_SCHEMA)
    yield from _quality("schema", "", before[0], after[0])
    yield from _custom("schema.", "", before[0], after[0])
    yield from _fields("", before[0].get("properties", ()), after[0].get("properties", ()))


def _fields(within: str, old: Sequence[Data], new: Sequence[Data]) -> Iterator[Change]:
    """Compare the properties of the schema or of an object, by name."""
    before, after = ({str(item.get("name", "")): item for item in items} for items in (old, new))
    if len(before) < len(old) or len(after) < len(new):
        if list(old) != list(new):
            yield Change(within or "properties", within, "unknown", Grade.MODEL, list(before), list(after))
        return
    for name in before:
        path = f"{within}.{name}" if within else name
        if name not in after:
            grade = Grade.MODEL if _demanded(before[name]) else Grade.REVISION
            yield Change(path, path, "field removed", grade, before[name], None, loosens_masking=False)
        else:
            yield from _field(path, before[name], after[name])
    for name in after:
        if name not in before:
            path = f"{within}.{name}" if within else name
            yield Change(path, path, "field added", Grade.MODEL if _demanded(after[name]) else Grade.ADDITION, None, after[name])
    kept = [[name for name in names if name in before and name in after] for names in (before, after)]
    if kept[0] != kept[1]:
        yield _reordered(within, kept, before)


def _reordered(within: str, kept: Sequence[Sequence[str]], before: Mapping[str, Data]) -> Change:
    keys = [[name for name in names if before[name].get("primaryKey")] for names in kept]
    path = f"{within}.order" if within else "order"
    kind: tuple[Kind, Grade] = ("words", Grade.DOCUMENTATION) if keys[0] == keys[1] else ("key", Grade.MODEL)
    return Change(path, within, *kind, list(kept[0]), list(kept[1]))


def _field(path: str, old: Data, new: Data) -> Iterator[Change]:
    """Compare one field, with all that is in it."""
    apart = {"logicalType", "required", "unique", "classification", "customProperties", "logicalTypeOptions", "quality"}
    for key in _keys(old, new, {*apart, "properties", "items", "name"}):
        yield from _plain(f"{path}.{key}", key, path, old, new, OF_FIELD)
    kinds = old.get("logicalType"), new.get("logicalType")
    if kinds[0] != kinds[1]:
        wider = kinds == ("integer", "number")
        yield Change(f"{path}.logicalType", path, "type", Grade.REVISION if wider else Grade.MODEL, kinds[0], kinds[1])
    demands: tuple[tuple[str, Kind], ...] = (("required", "required"), ("unique", "rule"))
    for key, kind in demands:
        if old.get(key) != new.get(key):
            tighter = bool(new.get(key)) and not old.get(key)
            same = bool(new.get(key)) == bool(old.get(key))
            grade = Grade.DOCUMENTATION if same else Grade.REVISION if tighter else Grade.ADDITION
            yield Change(f"{path}.{key}", path, kind, grade, old.get(key), new.get(key))
    yield from _classification(path, old, new)
    yield from _options(path, old.get("logicalTypeOptions", {}), new.get("logicalTypeOptions", {}))
    yield from _quality(path, path, old, new)
    yield from _custom(f"{path}.", path, old, new)
    yield from _fields(path, old.get("properties", ()), new.get("properties", ()))
    yield from _items(path, old.get("items"), new.get("items"))


def _items(path: str, old: Data | None, new: Data | None) -> Iterator[Change]:
    if old is None or new is None:
        if old != new:
            yield Change(f"{path}[]", path, "type", Grade.MODEL, old, new)
        return
    if old.get("name") != new.get("name"):
        yield Change(f"{path}[].name", path, "words", Grade.DOCUMENTATION, old.get("name"), new.get("name"))
    yield from _field(f"{path}[]", old, new)


def _classification(path: str, old: Data, new: Data) -> Iterator[Change]:
    before, after = old.get("classification"), new.get("classification")
    if before != after:
        told = graded_classification(before, after)
        loosens = told == "looser"
        grade = Grade.DOCUMENTATION if told == "same" else Grade.REVISION
        yield Change(f"{path}.classification", path, "masking", grade, before, after, loosens_masking=loosens)


def _options(path: str, old: Data, new: Data) -> Iterator[Change]:
    for name in sorted({*old, *new}):
        if name not in old or name not in new or old[name] != new[name]:
            before, after = old.get(name), new.get(name)
            grade = Grade.ADDITION if graded_option(name, before, after) == "looser" else Grade.REVISION
            yield Change(f"{path}.logicalTypeOptions.{name}", path, "rule", grade, before, after)


def _quality(path: str, field: str, old: Data, new: Data) -> Iterator[Change]:
    """Compare rules: those that are equal are matched first, the rest in their order."""
    before, after = ([dict(rule) for rule in item.get("quality", ())] for item in (old, new))
    gone, come = [rule for rule in before if rule not in after], [rule for rule in after if rule not in before]
    for at in range(max(len(gone), len(come))):
        pair = gone[at] if at < len(gone) else None, come[at] if at < len(come) else None
        told = graded_quality(*pair)
        grade = {"words": Grade.DOCUMENTATION, "looser": Grade.ADDITION, "tighter": Grade.REVISION}[told]
        kind: Kind = "words" if told == "words" else "rule"
        yield Change(f"{path}.quality", field, kind, grade, pair[0], pair[1])
    if not gone and not come and before != after:
        yield Change(f"{path}.quality.order", field, "words", Grade.DOCUMENTATION, before, after)


def _custom(prefix: str, field: str, old: Data, new: Data) -> Iterator[Change]:
    before, after = (_by_name(item) for item in (old, new))
    for name in sorted({*before, *after}):
        one, other = before.get(name, {}), after.get(name, {})
        if one == other:
            continue
        path = f"{prefix}{name}"
        if one.get("value") == other.get("value") and bool(one) == bool(other):
            yield Change(path, field, "words", Grade.DOCUMENTATION, one, other)
        elif name == "mask" and field:
            loosens = is_looser(graded_mask(one.get("value"), other.get("value"), old, new))
            yield Change(path, field, "masking", Grade.REVISION, one.get("value"), other.get("value"), loosens_masking=loosens)
        else:
            kind, grade = CUSTOM.get(name, ("unknown", Grade.REVISION))
            yield Change(path, field, kind, grade, one.get("value"), other.get("value"))
    listed = [[given.get("property") for given in item.get("customProperties", ())] for item in (old, new)]
    if listed[0] != listed[1] and sorted(map(str, listed[0])) == sorted(map(str, listed[1])):
        yield Change(f"{prefix}customProperties.order", field, "words", Grade.DOCUMENTATION, listed[0], listed[1])


def _by_name(item: Data) -> dict[str, Data]:
    return {str(given.get("property")): given for given in item.get("customProperties", ())}


def _plain(path: str, key: str, field: str, old: Data, new: Data, known: Mapping[str, tuple[Kind, Grade]]) -> Iterator[Change]:
    if key in old and key in new and old[key] == new[key]:
        return
    words: tuple[Kind, Grade] = ("words", Grade.DOCUMENTATION)
    told = words if key in WORDS else known.get(key, ("unknown", Grade.REVISION))
    yield Change(path, field, *told, old.get(key), new.get(key))


def _keys(old: Data, new: Data, apart: set[str]) -> list[str]:
    return sorted({*old, *new} - apart)


def _demanded(item: Data) -> bool:
    return bool(item.get("required") or item.get("primaryKey"))
