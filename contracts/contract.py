"""A contract, read: the part of an ODCS v3.1 file that the stream obeys, frozen, with the hash of its content.

The file is the truth (https://bitol-io.github.io/open-data-contract-standard/v3.1.0/); `contracts.lint` has judged it
before anything here is built. What ODCS has no word for stands in `customProperties`: `contracts.custom` has the table.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

LogicalType = Literal["string", "integer", "number", "boolean", "timestamp", "date", "object", "array"]

Mode = Literal["quarantine", "evolve", "freeze", "discard_row", "discard_value"]
"""What becomes of a record that departs from its contract."""

Mask = Literal["mask", "hash", "tokenize", "drop", "seal"]
"""What becomes of a value that may be personal, where the contract says more than a classification."""

PARTITIONS_DEFAULT = 4


@dataclass(frozen=True)
class Rule:
    """One row rule of a field. `kind` says which, `argument` with what; `name` is how a dead letter names it."""

    name: str
    kind: Literal[
        "minimum", "maximum", "exclusive_minimum", "exclusive_maximum", "min_length", "max_length", "pattern", "valid_values"
    ]
    argument: float | int | str | tuple[Any, ...]


@dataclass(frozen=True)
class Field:
    """One property of the contract's schema. `classification` other than `public` makes a text field subject to masking."""

    name: str
    logical_type: LogicalType
    required: bool = False
    primary_key: bool = False
    classification: str = ""
    description: str = ""
    rules: tuple[Rule, ...] = ()
    fields: tuple[Field, ...] = ()
    """Of an object."""
    items: Field | None = None
    """Of an array."""
    examples: tuple[Any, ...] = ()
    unique: bool = False
    mode: Mode | None = None
    """Of this field alone; the contract's where None."""
    mask: Mask | None = None
    """By classification where None."""

    @property
    def public(self) -> bool:
        """Whether the contract says that the field cannot hold personal data. Everything else is masked (law L6)."""
        return self.classification == "public"


@dataclass(frozen=True)
class DuplicatePlan:
    """How far back in its raw partition a record's exact duplicate is sought: in records, and in seconds of broker time."""

    window_records: int | None = None
    """The installation's setting where None."""
    window_seconds: int | None = None
    """No bound in time where None."""


@dataclass(frozen=True)
class NearDuplicatePlan:
    """Which text fields make two rows near duplicates, and from what Jaccard similarity of their shingles on."""

    fields: tuple[str, ...]
    threshold: float = 0.85
    window_seconds: int | None = None
    """Rows further apart in event time are not compared, which bounds the memory. None: all are."""


@dataclass(frozen=True)
class DocumentPlan:
    """How a document's bytes become text: which field holds them, which says their type, and the steps, `name@1`, in order."""

    field: str
    content_type: str | None = None
    steps: tuple[str, ...] = ()


@dataclass(frozen=True)
class PassagePlan:
    """How long a passage is, and how much of the one before it repeats, in tokens."""

    tokens: int = 200
    overlap: int = 20


@dataclass(frozen=True)
class Contract:
    """What one topic's records must be."""

    id: str
    domain: str
    name: str
    contract_version: str
    hash: str
    """SHA-256 of the file's content as canonical JSON, 64 hex digits: comments and layout do not count."""
    fields: tuple[Field, ...]
    event_time: str
    partitions: int = PARTITIONS_DEFAULT
    description: str = ""
    mode: Mode = "quarantine"
    change: Literal["append", "upsert"] = "append"
    """Whether records are facts of their own, or the newest state of their key (DESIGN: silver is history)."""
    envelope: Literal["none", "debezium"] = "none"
    """What the value is wrapped in."""
    subject: str | None = None
    """The field that names the person whom a record is about: one data key and one set of placeholders each."""
    duplicates: DuplicatePlan = DuplicatePlan()
    near_duplicates: NearDuplicatePlan | None = None
    document: DocumentPlan | None = None
    passages: PassagePlan | None = None
    status: str = "active"
    others: tuple[Contract, ...] = ()
    """Other versions of the same major that records may say they follow: older ones, to which this is an ADDITION."""
    reserved: frozenset[str] = frozenset()
    """Columns that other versions in force have, in lower case: an unknown field cannot become one of them."""
    source: str = dataclasses.field(default="", compare=False, repr=False)
    """The whole file as canonical JSON text, for what is made from more than the stream obeys: docs, exports, diffs."""

    @property
    def dataset(self) -> str:
        """`<domain>.<name>`, the name used on the command line."""
        return f"{self.domain}.{self.name}"

    @property
    def raw_topic(self) -> str:
        """Topic that producers write to."""
        return f"{self.dataset}.raw.v{self.major}"

    @property
    def clean_topic(self) -> str:
        """Topic of the records that obey the contract."""
        return f"{self.dataset}.clean.v{self.major}"

    @property
    def dead_letter_topic(self) -> str:
        """Topic of the records that do not."""
        return f"{self.dataset}.dlq.v{self.major}"

    @property
    def major(self) -> int:
        """First number of the contract's version: a break in it makes new topics."""
        return int(self.contract_version.split(".")[0])

    @property
    def key(self) -> tuple[str, ...]:
        """Names of the primary key's fields, in key order."""
        return tuple(field.name for field in self.fields if field.primary_key)


@dataclass(frozen=True)
class Catalog:
    """All contracts of an installation, by dataset."""

    contracts: Mapping[str, Contract]

    def __iter__(self) -> Iterator[Contract]:
        return iter(self.contracts[dataset] for dataset in sorted(self.contracts))

    def __len__(self) -> int:
        return len(self.contracts)


def content_hash(canonical: bytes) -> str:
    """Return the hash that commits and events carry, of a contract's canonical JSON."""
    return hashlib.sha256(canonical).hexdigest()
