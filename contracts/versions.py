"""Versions of one contract side by side: which are in force, and which of them a record follows.

Files of one dataset and one major version stand for one topic. In force are those whose status is `active` or `deprecated`; a
file alone is in force whatever its status. The newest active one is what records without a version follow, and what tables
look like; it must be an ADDITION to the others, so that their rows fit. Another major version is a dataset of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from contracts.contract import Contract
from contracts.errors import ContractInvalid
from contracts.evolution import Grade, diff, number, ordered

IN_FORCE = ("active", "deprecated")


def side_by_side(versions: Sequence[Contract]) -> Contract:
    """Return the one contract that stands for all files of a dataset: the newest active, with the others that are in force.

    Raises ContractInvalid where it is no ADDITION to one of them, naming the changes.
    """
    if len(versions) == 1:
        return versions[0]
    known = ordered(versions)
    newest = next((version for version in known if version.status == "active"), known[0])
    others = [version for version in known if version.status in IN_FORCE and number(version) < number(newest)]
    for other in others:
        _refuse_break(other, newest)
    columns = frozenset(field.name.lower() for version in (newest, *others) for field in version.fields)
    withdrawn = frozenset(version.contract_version for version in known if version not in (newest, *others))
    return replace(newest, others=tuple(replace(other, reserved=columns) for other in others), withdrawn=withdrawn)


def followed(contract: Contract, said: str) -> Contract | None:
    """Return the contract that judges a record which says that it follows a version; None if that is not in force.

    An older version of the same major whose file is gone is judged by the next one in force: that is an ADDITION to it.
    """
    for version in (contract, *contract.others):
        if version.contract_version == said:
            return version
    asked = tuple(map(int, said.split(".")))
    if said in contract.withdrawn or asked[0] != contract.major:
        return None
    newer = [version for version in (contract, *contract.others) if number(version) > asked]
    return min(newer, key=number, default=None)


def _refuse_break(older: Contract, newest: Contract) -> None:
    found = diff(older, newest)
    breaks = [change.path for change in found.changes if change.grade > Grade.ADDITION]
    if breaks:
        raise ContractInvalid(
            f"{newest.dataset} {newest.contract_version} stands beside {older.contract_version} and breaks with it: "
            + ", ".join(breaks),
            expected="an ADDITION to every version of its major that is in force",
            remedy="give it the next major version, with topics of its own, or set the older file's status to retired",
        )
