"""What each reason of a dead letter means, and what its owner can do: for the docs page and for whoever reads the quarantine."""

from __future__ import annotations

from contracts.records import Reason

REMEDIES: dict[Reason, tuple[str, str]] = {
    Reason.NULL_VALUE: (
        "The record has no value (a tombstone), and the contract does not say that records are changes.",
        "Send values, or say change: upsert in the contract.",
    ),
    Reason.TOO_LARGE: (
        "The record is longer than the limit.",
        "Send less in one record, or raise record_bytes_max in the settings.",
    ),
    Reason.UNDECODABLE: ("The value is no JSON object in UTF-8.", "Mend the producer's encoding; then send the record again."),
    Reason.TOO_DEEP: ("Objects or lists stand more than 1,024 deep in each other.", "Send flatter records."),
    Reason.ILL_TYPED: (
        "A field's value is not of its logicalType; of a timestamp: not RFC 3339, or without a time zone.",
        "Mend the producer, or change the type in a new version of the contract; then replay.",
    ),
    Reason.MISSING_KEY: ("A field of the primary key is null or absent.", "Send the whole key with each record."),
    Reason.MISSING_VALUE: (
        "A required value is null, absent, or one that counts as missing.",
        "Send it; or, if it may be absent, say required: false in a new version of the contract, and replay.",
    ),
    Reason.RULE_BROKEN: (
        "A value breaks a rule; the dead letter names field and rule.",
        "Look whether the sender or the rule is wrong; mend that one, then replay.",
    ),
    Reason.UNKNOWN_FIELD: (
        "The record has a field that the contract does not know.",
        "Add it in a new version of the contract and replay, or set the mode to evolve or discard_value.",
    ),
    Reason.DISCARDED_ROW: (
        "The record departs from the contract, whose mode discards such rows. No payload is kept.",
        "Nothing, if that is meant; else set the mode to quarantine, and send the records again.",
    ),
    Reason.FROZEN: (
        "The record departs from a contract that is frozen.",
        "Release a new version of the contract that admits it, then replay.",
    ),
    Reason.UNKNOWN_VERSION: (
        "The record says that it follows a version of the contract that is not in force here.",
        "Install that version's contract file, or have the producer send a version that is in force; then replay.",
    ),
    Reason.NOT_EXTRACTABLE: (
        "No text can be had from the document: its kind is unknown, it is broken, too large when unpacked, or too slow to read.",
        "Send it in a known kind (HTML, Markdown, reST, plain text, PDF), or mend the file.",
    ),
    Reason.NO_ROW: (
        "A change event that speaks of no one row: the source's table was emptied (truncate), or a message stood in its log.",
        "After a truncate, ask whether the rows that were in the table are to be deleted here too, and send deletes for them.",
    ),
    Reason.DUPLICATE: ("The same value came before, in the same raw partition.", "Nothing: the dead letter names the original."),
    Reason.FOREIGN: (
        "A record in a clean or dead-letter topic that no clean job wrote.",
        "Find who writes to that topic, and take the right away from them.",
    ),
}
"""Reason -> (what it means, what to do)."""
