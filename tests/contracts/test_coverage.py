"""contracts/TARGETS.md cannot lie: every field of ODCS is in it, and it says what the code does."""

from __future__ import annotations

import pytest

from tests.contracts import coverage

TABLE = {
    cells[0].strip("`"): cells[1:]
    for line in coverage.FILE.read_text("utf-8").splitlines()
    if line.startswith("| `")
    for cells in [[cell.strip() for cell in line.strip("|").split("|")]]
}
NAMES = list(coverage.TARGETS)
RULES = [
    field
    for field in coverage.PROBES
    if field.split(".")[0] in ("string", "integer", "number", "timestamp", "date", "object", "array")
    or field.startswith(("quality: ", "quality[].must", "property.required", "property.unique", "property.primaryKey"))
]
FOR_PEOPLE = ("quality: text", "property.primaryKeyPosition")
"""Rules that nobody judges, and that do not say that anybody does; a position alone is judged by lint."""


@pytest.mark.parametrize("field", coverage.PROBES)
def test_the_table_says_what_each_target_makes_of_a_field(field):
    assert coverage.row(field) == TABLE[field], "if that is meant: python -m tests.contracts.coverage"


def test_every_field_of_the_standard_is_tried():
    tried = {part for field in coverage.PROBES for part in (field, field.partition(":")[0])}
    missing = [
        f"{prefix}.{name}" if prefix else name
        for prefix, name in coverage.odcs_fields()
        if name not in coverage.PARTS and not _is_tried(prefix, name, tried)
    ]
    assert missing == []


def _is_tried(prefix: str, name: str, tried: set[str]) -> bool:
    whole = f"{prefix}.{name}" if prefix else name
    return whole in tried or any(field.startswith((f"{whole}.", f"{whole}[]", f"{whole}:")) for field in tried)


@pytest.mark.parametrize("field", sorted(set(RULES) - set(FOR_PEOPLE)))
def test_no_rule_is_lost_in_silence(field):
    told = dict(zip(NAMES, TABLE[field], strict=True))
    judged = coverage.CARRIED in (told["stream"], told["GX"])
    assert judged or set(told.values()) == {coverage.REFUSED}, (
        "a rule is judged by the stream or on the table, or lint refuses it"
    )
    if told["stream"] == coverage.CARRIED:
        assert told["JSON Schema"] == told["docs"] == coverage.CARRIED, "what the stream refuses, its producers are told"


def test_everything_that_a_contract_says_stands_on_its_page():
    assert [field for field in TABLE if TABLE[field][-1] == coverage.NOTHING] == []
