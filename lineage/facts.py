"""What a hop knows of one commit, and of its own run: plain facts, from which events are derived.

Jobs fill these in; only `lineage/` makes OpenLineage of them. Facts are small, frozen, JSON-able, and carry no
personal data: counts, ranges, names, versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Hop = Literal[
    "produce",
    "clean",
    "land",
    "current",
    "archive",
    "replay",
    "backfill",
    "fold",
    "aggregate",
    "materialize",
    "apply",
    "training_set",
    "test",
]


@dataclass(frozen=True)
class OffsetRange:
    """Offsets `first_offset` to `last_offset`, both read, of one raw or clean partition."""

    topic: str
    partition: int
    first_offset: int
    last_offset: int


@dataclass(frozen=True)
class Column:
    """One column as lineage shows it: its name, its type in words, and what it means."""

    name: str
    type: str
    description: str = ""
    within: tuple[Column, ...] = ()
    """What an object holds; of an array, what each of its items does."""


@dataclass(frozen=True)
class ColumnOrigin:
    """One output column and the input columns it is made from.

    `inputs` are (dataset namespace, dataset name, column). `masking` is true where the transformation hides personal
    data. `subtype` is one of OpenLineage's: IDENTITY, TRANSFORMATION, AGGREGATION, or an indirect one.
    """

    column: str
    inputs: tuple[tuple[str, str, str], ...]
    subtype: str = "IDENTITY"
    masking: bool = False


@dataclass(frozen=True)
class Assertion:
    """One rule that a dataset was held against. `actual` is a count, never a value of the data."""

    assertion: str
    """Kind of the test, as the tool that ran it says it."""
    success: bool
    name: str
    column: str = ""
    severity: str = "error"
    expected: str = ""
    actual: str = ""


@dataclass(frozen=True)
class ColumnMetrics:
    """Counts of one column. Bounds only of numbers that the contract says are public."""

    count: int
    nulls: int
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True)
class Quality:
    """What a validation found of a dataset."""

    rows: int
    assertions: tuple[Assertion, ...]
    columns: Mapping[str, ColumnMetrics] = field(default_factory=dict)


@dataclass(frozen=True)
class Masked:
    """How often one kind of personal data was hidden in one field, by which version of what recognises or treats it."""

    field: str
    """Dotted path; `[]` stands for what an array holds."""
    kind: str
    """Type of entity, or treatment of whole values."""
    kind_version: int
    count: int


@dataclass(frozen=True)
class Tag:
    """One tag of a dataset, or of the field at a dotted path in it. `source` says who put it there."""

    key: str
    value: str
    source: str
    field: str = ""


@dataclass(frozen=True)
class About:
    """What is said of a dataset for people, whichever hop touches it. Owners are (URN, type), and no person's name."""

    documentation: str = ""
    owners: tuple[tuple[str, str], ...] = ()
    tags: tuple[Tag, ...] = ()


@dataclass(frozen=True)
class Dataset:
    """A dataset by its OpenLineage name (`lineage.names`), with what is known of it at this commit."""

    namespace: str
    name: str
    kind: Literal["topic", "table", "feature_view", "online_store", "feature_service", "training_set", "files"]
    columns: tuple[Column, ...] = ()
    symlinks: tuple[tuple[str, str, str], ...] = ()
    """Other names of the same thing: (namespace, name, type)."""
    table_version: int | None = None
    offsets: tuple[OffsetRange, ...] = ()
    rows: int | None = None
    bytes: int | None = None
    files: int | None = None
    column_origins: tuple[ColumnOrigin, ...] = ()
    quality: Quality | None = None
    """What a validation found: of an input alone."""
    masked: tuple[Masked, ...] = ()
    """What was hidden in the rows of this commit, without the values."""
    about: About = About()


@dataclass(frozen=True)
class ContractRef:
    """The contract that a hop worked under."""

    id: str
    contract_version: str
    hash: str


@dataclass(frozen=True)
class ParentRun:
    """The run that started this one, as `headwater run` starts a run of every job."""

    job: str
    run_id: str


@dataclass(frozen=True)
class RunRef:
    """One execution of a job.

    `run_id` is derived (`lineage.names.run_id`), so that a restarted process can close what a killed one left open.
    `engine` is a name, or `name/its version` (`faust/0.15.3`).
    """

    job: str
    hop: Hop
    run_id: str
    engine: str
    code_version: str
    started_at: datetime
    parent: ParentRun | None = None


@dataclass(frozen=True)
class HopFacts:
    """One commit of one hop: what it read, what it wrote, how many records, under which contract and code."""

    run: RunRef
    commit_id: str
    """Derived from the commit's own coordinates (`lineage.names.commit_id`): the same commit gives the same id, always."""
    committed_at: datetime
    inputs: tuple[Dataset, ...]
    outputs: tuple[Dataset, ...]
    records_in: int
    records_out: int
    dead_letters: Mapping[str, int] = field(default_factory=dict)
    """Dead letters by reason, duplicates left out."""
    duplicates: int = 0
    repeated: int = 0
    """Records seen again after a restart and dropped by their coordinates."""
    contract: ContractRef | None = None
    discarded: Mapping[str, int] = field(default_factory=dict)
    """Values left out of rows that were kept, by field."""
    seconds: float = 0.0
