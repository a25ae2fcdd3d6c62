"""A contract, read: the part of an ODCS v3.1 file that the stream obeys, frozen, with the hash of its content.

The file is the truth (https://bitol-io.github.io/open-data-contract-standard/v3.1.0/); `contracts.lint` has judged it
before anything here is built. What ODCS has no word for stands in `customProperties`: `contracts.custom` has the table.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

LogicalType = Literal["string", "integer", "number", "boolean", "timestamp", "date", "object", "array"]

Mode = Literal["quarantine", "evolve", "freeze", "discard_row", "discard_value"]
"""What becomes of a record that departs from its contract."""

Mask = Literal["mask", "hash", "tokenize", "drop", "seal"]
"""What becomes of a value that may be personal, where the contract says more than a classification."""

PARTITIONS_DEFAULT = 4


RuleKind = Literal[
    "minimum",
    "maximum",
    "exclusive_minimum",
    "exclusive_maximum",
    "multiple_of",
    "min_length",
    "max_length",
    "pattern",
    "format",
    "valid_values",
    "not_null",
    "not_missing",
    "min_items",
    "max_items",
    "unique_items",
    "expression",
]

Metric = Literal["nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount", "sql"]
"""ODCS's library metrics, and a query of one's own."""

Operator = Literal[
    "mustBe",
    "mustNotBe",
    "mustBeGreaterThan",
    "mustBeGreaterOrEqualTo",
    "mustBeLessThan",
    "mustBeLessOrEqualTo",
    "mustBeBetween",
    "mustNotBeBetween",
]


@dataclass(frozen=True)
class Rule:
    """One row rule: a record alone can break it. `kind` says which, `argument` with what; a dead letter names its `name`.

    Bounds of timestamps and dates are text, as in the file; patterns are explicit (`contracts.rules.explicit`).
    """

    name: str
    kind: RuleKind
    argument: float | int | str | tuple[Any, ...]


@dataclass(frozen=True)
class TableRule:
    """One rule that only a table can break: a measure of it, an operator, and what the measure is held against."""

    name: str
    """As in a verdict: the contract's name for it, else the metric's."""
    metric: Metric
    operator: Operator
    bounds: tuple[Any, ...]
    """One; two for `mustBeBetween` and `mustNotBeBetween`, both included."""
    field: str = ""
    """Dotted path of the property; empty when the rule is the whole table's."""
    arguments: tuple[tuple[str, Any], ...] = ()
    """By name: `validValues`, `pattern`, `missingValues`, `properties`. Lists are tuples."""
    query: str = ""
    """Of metric `sql`: `${table}` and `${column}` stand for the table and the field."""
    unit: Literal["rows", "percent"] = "rows"
    severity: str = "error"
    """`info` and `warning` tell; everything else fails the table."""
    dimension: str = ""
    description: str = ""
    table: Literal["silver", "current"] = "silver"
    """Which table is judged: a key is unique in an `upsert` contract's current table, not in its history."""

    def argument(self, name: str) -> Any:
        """Return an argument's value, or None."""
        return dict(self.arguments).get(name)

    def holds(self, measured: Any) -> bool:
        """Say whether a measure (of rows, of percent, of the query's one value) satisfies the rule. A null never does."""
        if measured is None:
            return False
        low, high = self.bounds[0], self.bounds[-1]
        verdicts: dict[str, Callable[[], bool]] = {
            "mustBe": lambda: measured == low,
            "mustNotBe": lambda: measured != low,
            "mustBeGreaterThan": lambda: measured > low,
            "mustBeGreaterOrEqualTo": lambda: measured >= low,
            "mustBeLessThan": lambda: measured < low,
            "mustBeLessOrEqualTo": lambda: measured <= low,
            "mustBeBetween": lambda: low <= measured <= high,
            "mustNotBeBetween": lambda: not low <= measured <= high,
        }
        return bool(verdicts[self.operator]())


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
    examples: tuple[Any, ...] = dataclasses.field(default=(), hash=False)
    """Not hashed: an example of an array or an object is a list or a mapping."""
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
    """The installation's setting where both are None; a million where seconds alone are given."""
    window_seconds: int | None = None
    """No bound in time where None. Seconds of log time: the greatest timestamp so far (`streams.duplicates`)."""


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
    """Comes as a document, leaves the clean hop as its text."""
    content_type: str | None = None
    steps: tuple[str, ...] = ()
    """All of `contracts.documents.STEPS` where empty."""
    encoding: Literal["text", "base64"] = "text"
    """How JSON holds the document: as characters, or as the base64 of its bytes."""
    url: str | None = None
    """The field that says where the document was found: its relative links are resolved against it."""


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
    rules: tuple[Rule, ...] = ()
    """Row rules over several fields, of kind `expression`. Those of one field stand with it."""
    table_rules: tuple[TableRule, ...] = ()
    """What is judged on the landed table, not on a record (`contracts.rules`)."""
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
    withdrawn: frozenset[str] = frozenset()
    """Versions that have a file and are not in force: drafts, and those that are retired."""
    reserved: frozenset[str] = frozenset()
    """Columns that other versions in force have, in lower case: an unknown field cannot become one of them."""
    source: str = dataclasses.field(default="", compare=False, repr=False)
    """The whole file as canonical JSON text, for what is made from more than the stream obeys: docs, exports, diffs."""

    @property
    def dataset(self) -> str:
        """`<domain>.<name>`, the name used on the command line."""
        return f"{self.domain}.{self.name}"

    @property
    def stem(self) -> str:
        """`<domain>.<name>` as the file says, without the major version that `name` carries from the second on."""
        suffix = f"_v{self.major}" if self.major > 1 else ""
        return f"{self.domain}.{self.name.removesuffix(suffix)}"

    @property
    def raw_topic(self) -> str:
        """Topic that producers write to."""
        return f"{self.stem}.raw.v{self.major}"

    @property
    def clean_topic(self) -> str:
        """Topic of the records that obey the contract."""
        return f"{self.stem}.clean.v{self.major}"

    @property
    def dead_letter_topic(self) -> str:
        """Topic of the records that do not."""
        return f"{self.stem}.dlq.v{self.major}"

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
    """All contracts of an installation, by dataset; each with the other versions that are in force beside it."""

    contracts: Mapping[str, Contract]

    def __iter__(self) -> Iterator[Contract]:
        return iter(self.contracts[dataset] for dataset in sorted(self.contracts))

    def __len__(self) -> int:
        return len(self.contracts)


def content_hash(canonical: bytes) -> str:
    """Return the hash that commits and events carry, of a contract's canonical JSON."""
    return hashlib.sha256(canonical).hexdigest()
