"""Where a contract's records go: topics, tables, jobs, and how lineage names and describes each of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache

from contracts.contract import Contract, Field
from contracts.masking import masks
from contracts.records import BRONZE_SCHEMA, DEAD_LETTER_SCHEMA
from contracts.schema import arrow_type, silver_schema
from contracts.targets.openlineage import SOURCE, about
from lineage.facts import About, Column, ColumnOrigin, ContractRef, Dataset, OffsetRange, Tag
from lineage.names import table_name, topic_name

CLEAN_GROUP = "headwater.clean"
CLEAN_GROUPS = {"direct": CLEAN_GROUP, "faust": "headwater.clean.faust", "flink": "headwater.clean.flink"}
"""Consumer group by engine: two kinds of client in one group would not agree on how to share."""
LAND_GROUP = "headwater.land"
ARCHIVE_GROUP = "headwater.archive"


def clean_job(contract: Contract) -> str:
    """Return the name of the clean job."""
    return f"{contract.dataset}.clean"


def land_job(contract: Contract) -> str:
    """Return the name of the land job."""
    return f"{contract.dataset}.land"


def archive_job(contract: Contract) -> str:
    """Return the name of the archive job."""
    return f"{contract.dataset}.archive"


def replay_job(contract: Contract) -> str:
    """Return the name of the replay job."""
    return f"{contract.dataset}.replay"


def backfill_job(contract: Contract) -> str:
    """Return the name of the backfill job."""
    return f"{contract.dataset}.backfill"


def test_job(contract: Contract) -> str:
    """Return the name of the job that validates the silver table, whole or what is new in it."""
    return f"{contract.dataset}.test"


def commit_test_job(contract: Contract) -> str:
    """Return the name of the job that validates one commit's rows alone: it says nothing of those before."""
    return f"{contract.dataset}.test_commit"


def current_job(contract: Contract) -> str:
    """Return the name of the job that keeps an `upsert` contract's current table."""
    return f"{contract.dataset}.current"


def facts_topic(domain: str) -> str:
    """Return the topic that a domain's Flink job tells its batches in, for the ledger (`streams.clean_facts`)."""
    return f"{domain}.facts.v1"


def contract_ref(contract: Contract) -> ContractRef:
    """Return how facts name a contract."""
    return ContractRef(contract.id, contract.contract_version, contract.hash)


def wanted_topics(contracts: Iterable[Contract]) -> dict[str, int]:
    """Return every topic that the contracts need, with its partition count: clean and dead letters as many as raw."""
    return {
        topic: contract.partitions
        for contract in contracts
        for topic in (contract.raw_topic, contract.clean_topic, contract.dead_letter_topic)
    }


def raw_dataset(contract: Contract, servers: str, offsets: tuple[OffsetRange, ...] = ()) -> Dataset:
    """Return the raw topic: what the contract asks of it is all that is known of its columns."""
    namespace, name = topic_name(servers, contract.raw_topic)
    return Dataset(namespace, name, "topic", columns=_contract_columns(contract), offsets=offsets, about=_about(contract))


def clean_dataset(contract: Contract, servers: str, rows: int | None = None, offsets: tuple[OffsetRange, ...] = ()) -> Dataset:
    """Return the clean topic, its columns told from the raw topic's."""
    namespace, name = topic_name(servers, contract.clean_topic)
    raw = topic_name(servers, contract.raw_topic)
    origins = tuple(
        ColumnOrigin(
            f.name, ((*raw, f.name),), "TRANSFORMATION" if _changes(f.logical_type) or masks(f) else "IDENTITY", masks(f)
        )
        for f in contract.fields
    )
    columns = _contract_columns(contract)
    return Dataset(
        namespace, name, "topic", columns=columns, rows=rows, offsets=offsets, column_origins=origins, about=_about(contract)
    )


def dead_letter_dataset(
    contract: Contract, servers: str, rows: int | None = None, offsets: tuple[OffsetRange, ...] = ()
) -> Dataset:
    """Return the dead-letter topic."""
    namespace, name = topic_name(servers, contract.dead_letter_topic)
    return Dataset(namespace, name, "topic", columns=_dead_letter_columns(), rows=rows, offsets=offsets)


def silver_dataset(
    contract: Contract,
    servers: str,
    uri: str,
    rows: int | None = None,
    table_version: int | None = None,
    *,
    evolved: Sequence[tuple[str, str]] = (),
) -> Dataset:
    """Return the silver table, each column from the clean topic's of the same name.

    `evolved` are the name and type of columns that are not as the contract has them.
    """
    namespace, name = table_name(uri)
    clean = topic_name(servers, contract.clean_topic)
    told = {column.name: column for column in _contract_columns(contract)}
    types = {field.name: str(field.type) for field in silver_schema(contract)} | dict(evolved)
    columns = tuple(replace(told.get(column, Column(column, "")), type=kind) for column, kind in types.items())
    origins = tuple(ColumnOrigin(field.name, ((*clean, field.name),)) for field in contract.fields)
    return Dataset(
        namespace,
        name,
        "table",
        columns=columns,
        rows=rows,
        table_version=table_version,
        column_origins=origins,
        about=_about(contract),
    )


def current_dataset(
    contract: Contract, uri: str, silver_uri: str, rows: int | None = None, table_version: int | None = None
) -> Dataset:
    """Return the current table of an `upsert` contract, each column silver's own."""
    namespace, name = table_name(uri)
    columns = tuple(Column(f.name, str(f.type)) for f in silver_schema(contract))
    origins = tuple(ColumnOrigin(f.name, ((*table_name(silver_uri), f.name),)) for f in contract.fields)
    return Dataset(namespace, name, "table", columns=columns, rows=rows, table_version=table_version, column_origins=origins)


def quarantine_dataset(uri: str, rows: int | None = None, table_version: int | None = None) -> Dataset:
    """Return the quarantine table."""
    namespace, name = table_name(uri)
    return Dataset(namespace, name, "table", columns=_dead_letter_columns(), rows=rows, table_version=table_version)


def bronze_dataset(uri: str, rows: int | None = None, table_version: int | None = None) -> Dataset:
    """Return the bronze table."""
    namespace, name = table_name(uri)
    columns = tuple(Column(field.name, str(field.type)) for field in BRONZE_SCHEMA)
    return Dataset(namespace, name, "table", columns=columns, rows=rows, table_version=table_version)


def _changes(logical_type: str) -> bool:
    """Say whether cleaning can rewrite a value that needs no masking: text is made regular, times are parsed."""
    return logical_type in ("string", "timestamp", "date", "object", "array")


def _contract_columns(contract: Contract) -> tuple[Column, ...]:
    return tuple(_column(field) for field in contract.fields)


def _column(field: Field) -> Column:
    """Return a field as lineage shows it, all that it holds included."""
    within = field.items.fields if field.items is not None else field.fields
    return Column(field.name, str(arrow_type(field)), field.description, tuple(_column(child) for child in within))


@cache
def _about(contract: Contract) -> About:
    """Return what the contract says of its datasets: documentation, owners, tags."""
    said = about(contract)
    return About(said.documentation, said.owners, tuple(Tag(tag.key, tag.value, SOURCE, tag.field) for tag in said.tags))


def _dead_letter_columns() -> tuple[Column, ...]:
    return tuple(Column(field.name, str(field.type)) for field in DEAD_LETTER_SCHEMA)
