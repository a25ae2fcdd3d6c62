"""Every change between two versions of a contract is found and graded, and the version's number must admit it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import lint
from contracts.contract import Contract
from contracts.effects import TABLE, effects, touched
from contracts.evolution import Change, Grade, diff, ordered, version_step
from tests.contracts.made import properties, sound

Mutation = Callable[[dict[str, Any]], Any]


def built(change: Mutation = lambda _data: None, version: str = "1.0.0") -> Contract:
    data = sound()
    data["version"] = version
    change(data)
    return lint.built(data)


def changes(change: Mutation) -> tuple[Change, ...]:
    return diff(built(), built(change)).changes


def prop(data: dict[str, Any], name: str) -> dict[str, Any]:
    return next(item for item in properties(data) if item["name"] == name)


def add(**item: Any) -> Mutation:
    return lambda data: data["schema"][0]["properties"].append(item)


def custom(name: str, value: Any) -> Mutation:
    return lambda data: data["customProperties"].append({"property": name, "value": value})


def of(name: str, **items: Any) -> Mutation:
    return lambda data: prop(data, name).update(items)


def without(name: str, key: str) -> Mutation:
    return lambda data: prop(data, name).pop(key)


def option(name: str, key: str, value: Any) -> Mutation:
    return lambda data: prop(data, name)["logicalTypeOptions"].update({key: value})


def values(*items: str) -> Mutation:
    return lambda data: prop(data, "size")["quality"][0]["arguments"].update({"validValues": list(items)})


GRADED: dict[str, tuple[Mutation, str, Grade]] = {
    "a description": (lambda d: d["description"].update(purpose="x"), "description", Grade.DOCUMENTATION),
    "an owner": (lambda d: d.update(team={"name": "x"}), "team", Grade.DOCUMENTATION),
    "examples": (of("size", examples=["S"]), "size.examples", Grade.DOCUMENTATION),
    "a rule for people": (
        lambda d: prop(d, "amount").update(quality=[{"type": "text", "description": "x"}]),
        "amount.quality",
        Grade.DOCUMENTATION,
    ),
    "order of columns": (lambda d: properties(d) and d["schema"][0]["properties"].reverse(), "order", Grade.DOCUMENTATION),
    "an optional field": (add(name="paid", logicalType="boolean"), "paid", Grade.ADDITION),
    "an optional field within": (
        lambda d: prop(d, "buyer")["properties"].append({"name": "zip", "logicalType": "string"}),
        "buyer.zip",
        Grade.ADDITION,
    ),
    "a wider bound below": (option("amount", "minimum", -5), "amount.logicalTypeOptions.minimum", Grade.ADDITION),
    "a wider bound above": (option("amount", "maximum", 1000), "amount.logicalTypeOptions.maximum", Grade.ADDITION),
    "no pattern": (
        lambda d: prop(d, "size")["logicalTypeOptions"].pop("pattern"),
        "size.logicalTypeOptions.pattern",
        Grade.ADDITION,
    ),
    "more valid values": (values("S", "M", "XL", "L"), "size.quality", Grade.ADDITION),
    "a mode": (custom("mode", "evolve"), "mode", Grade.ADDITION),
    "a field's mode": (of("amount", customProperties=[{"property": "mode", "value": "evolve"}]), "amount.mode", Grade.ADDITION),
    "a tighter bound below": (option("amount", "minimum", 5), "amount.logicalTypeOptions.minimum", Grade.REVISION),
    "a tighter bound above": (option("amount", "maximum", 5), "amount.logicalTypeOptions.maximum", Grade.REVISION),
    "another pattern": (option("size", "pattern", "x"), "size.logicalTypeOptions.pattern", Grade.REVISION),
    "fewer valid values": (values("S", "M"), "size.quality", Grade.REVISION),
    "a new rule": (option("weight", "maximum", 5), "weight.logicalTypeOptions.maximum", Grade.REVISION),
    "a required field": (of("amount", required=True), "amount.required", Grade.REVISION),
    "an optional field gone": (lambda d: d["schema"][0]["properties"].pop(2), "amount", Grade.REVISION),
    "integer to number": (of("amount", logicalType="number"), "amount.logicalType", Grade.REVISION),
    "stricter masking": (of("size", classification="restricted"), "size.classification", Grade.REVISION),
    "partitions": (lambda d: d["customProperties"][1].update(value=8), "partitions", Grade.REVISION),
    "what nobody knows": (custom("magic", 1), "magic", Grade.REVISION),
    "number to integer": (of("weight", logicalType="integer"), "weight.logicalType", Grade.MODEL),
    "string to number": (of("size", logicalType="number"), "size.logicalType", Grade.MODEL),
    "what an array holds": (of("tags", items={"logicalType": "integer"}), "tags[].logicalType", Grade.MODEL),
    "a new required field": (add(name="shop", logicalType="string", required=True), "shop", Grade.MODEL),
    "a required field gone": (lambda d: d["schema"][0]["properties"].pop(1), "ordered_at", Grade.MODEL),
    "another key": (of("size", primaryKey=True, required=True), "size.primaryKey", Grade.MODEL),
    "another event time": (lambda d: d["customProperties"][0].update(value="paid_at"), "eventTime", Grade.MODEL),
    "another name": (lambda d: d.update(name="sales"), "name", Grade.MODEL),
    "a change stream": (custom("change", "upsert"), "change", Grade.MODEL),
}  # fmt: skip


@pytest.mark.parametrize("name", GRADED)
def test_a_change_has_its_grade(name):
    mutation, path, grade = GRADED[name]
    found = changes(mutation)
    assert (path, grade) in [(change.path, change.grade) for change in found]
    assert max(change.grade for change in found) == grade


def test_a_contract_does_not_differ_from_itself():
    found = diff(built(), built())
    assert not found.changes
    assert found.admitted


@pytest.mark.parametrize(
    ("before", "after", "loosened"),
    [
        ("restricted", "public", True),
        ("restricted", "internal", True),
        ("internal", "public", True),
        (None, "public", True),
        ("public", "restricted", False),
        ("public", None, False),
        ("internal", "confidential", False),
    ],
)
def test_masking_that_is_loosened_is_called_out(before, after, loosened):
    def classified(word: str | None) -> Contract:
        return built(of("size", **({"classification": word} if word else {})))

    (change,) = diff(classified(before), classified(after)).changes
    assert change.loosens_masking is loosened


def test_a_weaker_mask_and_a_masked_field_that_becomes_public_are_called_out():
    hashed = of("size", customProperties=[{"property": "mask", "value": "hash"}])
    tokenised = of("size", customProperties=[{"property": "mask", "value": "tokenize"}])
    for before, after, loosened in ((hashed, tokenised, True), (tokenised, hashed, False), (hashed, lambda _d: None, True)):
        (change,) = diff(built(before), built(after)).changes
        assert change.loosens_masking is loosened


@pytest.mark.parametrize(
    ("step", "admits"),
    [
        ("1.0.0", None),
        ("1.0.1", Grade.DOCUMENTATION),
        ("1.1.0", Grade.ADDITION),
        ("2.0.0", Grade.MODEL),
        ("0.9.0", None),
    ],
)
@pytest.mark.parametrize("name", GRADED)
def test_the_version_admits_what_its_step_allows(step, admits, name):
    mutation, _, grade = GRADED[name]
    assert diff(built(), built(mutation, step)).admitted is (admits is not None and grade <= admits)


def test_of_a_frozen_contract_only_the_next_major_admits_anything():
    frozen = built(custom("mode", "freeze"))

    def described(data: dict[str, Any]) -> None:
        custom("mode", "freeze")(data)
        data["description"]["purpose"] = "x"

    assert not diff(frozen, built(described, "1.0.1")).admitted
    assert diff(frozen, built(described, "2.0.0")).admitted


def _leaves(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every part of the data, leaves and branches."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, part in items:
        yield (*path, key)
        yield from _leaves(part, (*path, key))


RICH = sound()
prop(RICH, "size")["customProperties"] = [{"property": "mask", "value": "hash", "description": "x"}]
RICH["schema"][0]["quality"] = [{"type": "text", "description": "x"}, {"metric": "rowCount", "mustBeGreaterThan": 0}]
RICH["slaProperties"] = [{"property": "frequency", "value": 1, "unit": "d"}]
PATHS = [path for path in _leaves(RICH) if path != ("version",)]


def _at(data: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        data = data[step]
    return data


def _source(data: dict[str, Any]) -> Contract:
    """Return a contract of data that no lint has seen: what is compared is its text."""
    import json
    from dataclasses import replace

    return replace(built(), source=json.dumps(data))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: ".".join(map(str, path)))
def test_nothing_that_goes_is_lost(path):
    changed = copy.deepcopy(RICH)
    holder = _at(changed, path[:-1])
    del holder[path[-1]]
    _assert_told(diff(_source(RICH), _source(changed)).changes)
    _assert_told(diff(_source(changed), _source(RICH)).changes)


ANYTHING = st.one_of(
    st.integers(), st.text(max_size=5), st.booleans(), st.lists(st.text(max_size=3), max_size=2), st.just({"a": 1})
)


@given(path=st.sampled_from([p for p in PATHS if not isinstance(_at(RICH, p), dict | list)]), item=ANYTHING)
def test_nothing_that_becomes_another_is_lost(path, item):
    changed = copy.deepcopy(RICH)
    _at(changed, path[:-1])[path[-1]] = item
    same = _at(RICH, path) == item and type(_at(RICH, path)) is type(item)
    found = diff(_source(RICH), _source(changed)).changes
    assert bool(found) is not (same or _at(RICH, path) == item)
    if found:
        _assert_told(found)


@given(st.sampled_from([p for p in PATHS if isinstance(_at(RICH, p), list) and len(_at(RICH, p)) > 1]), st.randoms())
def test_no_order_that_changes_is_lost(path, random):
    changed = copy.deepcopy(RICH)
    items = _at(changed, path)
    random.shuffle(items)
    assert bool(diff(_source(RICH), _source(changed)).changes) is (items != _at(RICH, path))


def _assert_told(found: tuple[Change, ...]) -> None:
    assert found
    for change in found:
        assert change.grade in Grade
        assert effects(change) == TABLE[change.kind]


def test_who_uses_a_changed_column_is_told_unless_it_is_words_that_changed():
    users = {"amount": ("feature view spent",), "buyer": ("feature view buyers",), "size": ("feature view sizes",)}

    def change(data: dict[str, Any]) -> None:
        prop(data, "buyer")["properties"][0]["logicalType"] = "integer"
        prop(data, "amount")["description"] = "x"
        prop(data, "size")["required"] = True

    assert touched(changes(change), users) == {"buyer": ("feature view buyers",), "size": ("feature view sizes",)}


def test_version_numbers_are_compared_as_numbers():
    assert version_step("1.9.0", "1.10.0") == "minor"
    assert [c.contract_version for c in ordered([built(version=v) for v in ("1.9.0", "1.10.0", "1.2.9")])] == [
        "1.10.0",
        "1.9.0",
        "1.2.9",
    ]
