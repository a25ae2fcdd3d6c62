"""What each reason of a dead letter means, and what to do about it: one table, from which docs and the command line tell it.

`headwater dead-letters` and the docs page show what stands here; `headwater replay` asks it which records another try could
change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from contracts.contract import Contract, Field
from contracts.modes import DEPARTURES
from contracts.records import Reason


@dataclass(frozen=True)
class Explained:
    """One reason in words."""

    meaning: str
    remedy: str
    replayable: bool = True
    """Whether the contract and the code decide it, so that a changed one can decide otherwise."""
    payload: bool = True
    """Whether the dead letter carries the record, sealed."""


_MEND = "Have the sender mend what it sends; or, if the contract is wrong, mend the contract, then: headwater replay"

REASONS: dict[Reason, Explained] = {
    Reason.NULL_VALUE: Explained(
        "The record has no value, and its contract knows no deletes.",
        "If a missing value means a delete, say `change: upsert` in the contract, then: headwater replay",
    ),
    Reason.TOO_LARGE: Explained(
        "The record, or the row that it becomes, is longer than may be sent on.",
        "Raise record_bytes_max (the record) or shorten what is sent. Dead letters carry at most 8 MiB: longer ones replay "
        "--from bronze",
    ),
    Reason.UNDECODABLE: Explained(
        "The value is not UTF-8, not JSON, not one object, or names a key twice.",
        "Look at one: headwater dead-letters --example. It is the sender that has to write JSON",
    ),
    Reason.TOO_DEEP: Explained(
        "Objects and lists stand too deep in each other: more than any reader of JSON need follow.", "Have the sender flatten it."
    ),
    Reason.ILL_TYPED: Explained(
        "A value is of another type than its field's: text for a number, a time without a zone, a day that does not exist.", _MEND
    ),
    Reason.MISSING_KEY: Explained("A field of the primary key is absent or null.", _MEND),
    Reason.MISSING_VALUE: Explained("A required field is absent or null, or holds what the contract counts as missing.", _MEND),
    Reason.RULE_BROKEN: Explained("A value breaks the rule that the dead letter names.", _MEND),
    Reason.UNKNOWN_FIELD: Explained(
        "The record has a field that its contract does not know.",
        "Add the field to the contract, or choose another mode (`evolve`, `discard_value`), then: headwater replay",
    ),
    Reason.DISCARDED_ROW: Explained(
        "The record departs from its contract, whose mode discards such rows.",
        "Nothing, if that is wanted. The dead letter keeps no payload: replay --from bronze, where the raw topic was archived",
        payload=False,
    ),
    Reason.FROZEN: Explained(
        "The record departs from a contract that is frozen.",
        "Give the contract a new version that admits it, then: headwater replay",
    ),
    Reason.UNKNOWN_VERSION: Explained(
        "The record says that it follows a version of the contract that is not in force.",
        "Put that version's file beside the others, or have the sender name one that is in force; then: headwater replay",
    ),
    Reason.NOT_EXTRACTABLE: Explained(
        "A document that no text can be had from: of an unknown kind, too large when unpacked, broken, or too slow to read.",
        "Look at one: headwater dead-letters --example. After an update that reads it: headwater replay",
    ),
    Reason.NO_ROW: Explained(
        "A change event that speaks of no one row: a table emptied, a message in the source's log.",
        "Nothing. But after a table was emptied (truncate) its rows stand here still: to be rid of them, send a delete for each.",
    ),
    Reason.DUPLICATE: Explained(
        "The same key and value came before, within the window of its raw partition; `original_offset` says where.",
        "Nothing: the first one stands for it.",
        replayable=False,
        payload=False,
    ),
    Reason.FOREIGN: Explained(
        "A record in a clean or dead-letter topic that no clean job of ours wrote.",
        "Find who writes there, and keep these topics writable for Headwater alone.",
        replayable=False,
        payload=False,
    ),
}


def possible_reasons(contract: Contract) -> tuple[Reason, ...]:
    """Return the reasons that a record of the contract's topic can be refused for, in the order of `REASONS`.

    What only other kinds of contracts know (documents, change events, another mode) is left out.
    """
    judges = (contract, *contract.others)
    modes = {mode for judge in judges for mode in (judge.mode, *_modes(judge.fields))}
    never = set(DEPARTURES) if modes <= {"freeze", "discard_row"} else set()
    never |= set() if "freeze" in modes else {Reason.FROZEN}
    never |= set() if "discard_row" in modes else {Reason.DISCARDED_ROW}
    never |= set() if any(judge.document for judge in judges) else {Reason.NOT_EXTRACTABLE}
    never |= set() if contract.envelope == "debezium" else {Reason.NO_ROW}
    return tuple(reason for reason in REASONS if reason not in never)


def _modes(fields: Iterable[Field]) -> Iterator[str]:
    for field in fields:
        if field.mode is not None:
            yield field.mode
        yield from _modes((*field.fields, *([field.items] if field.items is not None else [])))
