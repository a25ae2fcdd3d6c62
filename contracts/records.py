"""Records and their coordinates: the Arrow shapes that every hop hands to the next.

A record keeps the topic, partition and offset it was born with: as the `src` header in clean and dead-letter topics
(`flights.departed.raw.v1:3:1234`), and as the columns below in Delta. Columns that start with `_` are ours; a
contract may not use them.
"""

from __future__ import annotations

from enum import StrEnum

import pyarrow as pa

SRC_HEADER = "src"
"""Header with a record's raw coordinates, `topic:partition:offset`, ASCII."""

CONTRACT_HEADER = "contract"
"""Header with the hash of the contract that the record was cleaned under."""

REASON_HEADER = "reason"
"""Header of a dead letter with its reason code."""

VERSION_HEADER = "contract-version"
"""Header of a raw record with the version of the contract that it follows; without it, the newest in force."""

SOURCE_HEADER = "source"
"""Header of a raw record that an example source made: `<source>:<sequence>`, so that a replay can go on where it stopped."""

RECORD_SCHEMA = pa.schema(
    [
        pa.field("partition", pa.int32(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("timestamp_ms", pa.int64(), nullable=False),
        pa.field("key", pa.large_binary()),
        pa.field("value", pa.large_binary()),
    ]
)
"""One batch of raw records of one topic, in the order of each partition.

`timestamp_ms` is the record's own in Kafka, in milliseconds since 1970 UTC.
"""

VERSION_FIELD = pa.field("version", pa.large_binary())
"""What a raw record says in VERSION_HEADER. A batch has this column, behind the others, only where some record says so."""

EVOLVED = "_evolved"
"""Column of a row on its way, never of a table: what goes beyond the contract's columns, as JSON text. Mostly absent."""

TOPIC, PARTITION, OFFSET, INGESTED_AT = "_topic", "_partition", "_offset", "_ingested_at"
CONTRACT_HASH = "_contract_hash"
KEY_ID, PAYLOAD, REPLAY_ID = "_key_id", "payload", "_replay_id"
KNOWN_AT = "_known_at"

COORDINATE_FIELDS = (
    pa.field(TOPIC, pa.string(), nullable=False),
    pa.field(PARTITION, pa.int32(), nullable=False),
    pa.field(OFFSET, pa.int64(), nullable=False),
    pa.field(INGESTED_AT, pa.timestamp("us", "UTC"), nullable=False),
    pa.field(CONTRACT_HASH, pa.string(), nullable=False),
)
"""What every silver row carries besides its contract's columns."""

KIND, CHANGED_AT, SEQUENCE = "_kind", "_changed_at", "_sequence"
CHANGE_FIELDS = (
    pa.field(KIND, pa.string(), nullable=False),
    pa.field(CHANGED_AT, pa.timestamp("us", "UTC"), nullable=False),
    pa.field(SEQUENCE, pa.string()),
)
"""What a row of an `upsert` contract carries besides: what it does to its key, when its source made the change, and at which
place of the source's own log, as text that sorts. The newest change of a key is the greatest by the latter two, then by
coordinates; a change without a place is before those with one at its moment.
"""


class Kind(StrEnum):
    """What a change does to its key: all but `delete` put the row that they hold in its place."""

    UPSERT = "upsert"
    """A record without an envelope: whether its key was there before is not said."""
    INSERT = "insert"
    UPDATE = "update"
    READ = "read"
    """What a snapshot found."""
    DELETE = "delete"


KNOWN_AT_FIELD = pa.field(KNOWN_AT, pa.timestamp("us", "UTC"), nullable=False)
"""Knowledge time: when the commit that holds the row was made.

The only column that differs between two runs over the same records.
"""


class Reason(StrEnum):
    """Why a record is not in silver. The names are stable: dashboards and replays select by them."""

    NULL_VALUE = "null_value"
    TOO_LARGE = "too_large"
    UNDECODABLE = "undecodable"
    TOO_DEEP = "too_deep"
    ILL_TYPED = "ill_typed"
    MISSING_KEY = "missing_key"
    MISSING_VALUE = "missing_value"
    RULE_BROKEN = "rule_broken"
    UNKNOWN_FIELD = "unknown_field"
    """It has a field, at any depth, that its contract does not know."""
    DISCARDED_ROW = "discarded_row"
    """Its contract's mode discards what departs from it: no payload is kept; `rule` says what the departure was."""
    FROZEN = "frozen"
    """It departs from a contract that is frozen: `rule` says how."""
    UNKNOWN_VERSION = "unknown_version"
    """It says that it follows a version of the contract that is not in force."""
    NOT_EXTRACTABLE = "not_extractable"
    """A document that no text can be had from: of an unknown kind, too large when unpacked, broken, or too slow to read."""
    DUPLICATE = "duplicate"
    NO_ROW = "no_row"
    """A change event that speaks of no one row: a table emptied (Debezium's truncate), a message in the source's log."""
    FOREIGN = "foreign"
    """A record in a clean or dead-letter topic that no clean job of ours wrote."""


DEAD_LETTER_SCHEMA = pa.schema(
    [
        *COORDINATE_FIELDS[:4],
        pa.field("reason", pa.string(), nullable=False),
        pa.field("field", pa.string()),
        pa.field("rule", pa.string()),
        pa.field("original_offset", pa.int64()),
        pa.field("contract_version", pa.string(), nullable=False),
        COORDINATE_FIELDS[4],
        pa.field(PAYLOAD, pa.binary()),
        pa.field(KEY_ID, pa.string()),
    ]
)
"""A dead letter: coordinates, reason, the field and rule that decided (never a value), the contract, the raw record sealed.

`original_offset` is set on duplicates alone: the first record with the same content, in the same raw partition. `payload` is
what `streams.sealed` packs and seals, under the key that `_key_id` names; both are null where a reason keeps nothing.
"""

QUARANTINE_SCHEMA = pa.schema([*DEAD_LETTER_SCHEMA, KNOWN_AT_FIELD, pa.field(REPLAY_ID, pa.string())])
"""The Delta table that dead letters land in.

`_replay_id` is null until a replay moves the record: then its row yields to silver, which means that the record counts as
quarantined only while silver does not hold it. So there is one fate at every moment, also between two commits.
"""


BRONZE_SCHEMA = pa.schema(
    [
        *COORDINATE_FIELDS[:4],
        pa.field("timestamp_ms", pa.int64(), nullable=False),
        pa.field("key", pa.binary()),
        pa.field("value", pa.binary()),
        pa.field("headers", pa.binary()),
        pa.field(KEY_ID, pa.string()),
        COORDINATE_FIELDS[4],
        KNOWN_AT_FIELD,
    ]
)
"""The Delta table that keeps raw records for ever: coordinates in clear, all else sealed under the key that `_key_id` names.

What was null in the record is null here. `_ingested_at` is `timestamp_ms` as far as a calendar goes; `_contract_hash` is of the
contract that told whose the record is.
"""

ERASED = "erased"
"""Key id of a record whose key had been destroyed before it was archived: nothing of it is kept."""


def src_header(topic: str, partition: int, offset: int) -> bytes:
    """Return the `src` header for raw coordinates."""
    return f"{topic}:{partition}:{offset}".encode("ascii")
