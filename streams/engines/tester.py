"""Validate a silver table with its contract's suite, and tell what was found: in the Data Docs, and in the ledger.

Reads a pinned table version, so a job that goes on landing changes nothing under it. Row rules are judged part by part, so a
large table need not fit in memory; rules over the whole table read the columns that they name. In the end:

1. the Data Docs page. A crash before leaves nothing; after it, a page whose validation the ledger does not tell of yet
2. one lineage run, START to COMPLETE, appended as one. Its id follows from table, version, scope and suite, so that the same
   validation made again is told once; the newest one told is where `since_last` goes on
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from contracts.contract import Contract
from contracts.errors import NotFound
from contracts.expectations import Expectation, Unjudged, expectations, suite_hash, unjudged
from contracts.frames import COORDINATES, frames, query_frame, table_frames
from contracts.records import KIND, KNOWN_AT
from contracts.verdicts import RuleVerdict, Verdict, by_rule, failing, summed
from lineage.facts import ColumnMetrics, Dataset, HopFacts, RunRef
from lineage.names import commit_id, derived_id
from streams.connectors import delta
from streams.quality import column_metrics, quality, query_result, summed_metrics
from streams.setup import Setup
from streams.topology import commit_test_job, contract_ref, silver_dataset, test_job

PART_ROWS = 200_000
"""Rows judged at once."""

ScopeKind = Literal["all", "commit", "since"]


@dataclass(frozen=True)
class Scope:
    """Which rows of a table version are judged: all, those of that version's own commit, or those after an earlier version."""

    kind: ScopeKind
    table_version: int
    after: int = -1
    """The last table version whose rows are not judged again."""

    @property
    def name(self) -> str:
        """How a page and an id tell scopes of one table version apart."""
        return f"since-v{self.after}" if self.kind == "since" else self.kind


@dataclass(frozen=True)
class Validated:
    """What one validation came to."""

    dataset: str
    scope: Scope
    suite_hash: str
    rows: int
    rules: tuple[RuleVerdict, ...]
    unjudged: tuple[Unjudged, ...]
    told: bool
    """Whether the ledger learnt it now; False: the same validation stood there already."""
    docs: Path | None = None

    @property
    def ok(self) -> bool:
        """Whether no rule fails the table: those that only warn do not."""
        return not failing(self.rules)


def validated(setup: Setup, contract: Contract, scope: Scope, docs: Path | None = None) -> Validated:
    """Validate and tell. Raises NotFound without the table, its version or its commit."""
    uri = silver_uri(setup, contract)
    where = _rows_of(uri, scope)
    verdicts, rows, metrics = _judged(uri, contract, scope, where)
    of_tables, lost = _of_tables(setup, contract, scope) if scope.kind != "commit" else ((), ())
    verdicts = (*verdicts, *of_tables)
    at = setup.now()
    page = _page(docs, contract, scope, verdicts, at) if docs is not None else None
    setup.step("test docs")
    told = setup.emitter.whole(_facts(setup, contract, scope, verdicts, rows, metrics, at), instance=setup.instance)
    setup.step("test lineage")
    return Validated(
        contract.dataset, scope, suite_hash(contract), rows, by_rule(verdicts), (*unjudged(contract), *lost), told, page
    )


def silver_uri(setup: Setup, contract: Contract) -> str:
    """Return where the contract's silver table stands."""
    return delta.table_uri(setup.tables, "silver", contract.domain, contract.name)


def newest(setup: Setup, contract: Contract) -> Scope:
    """Return all rows of the newest table version. Raises NotFound without a table."""
    return Scope("all", delta.current_version(silver_uri(setup, contract)))


def since_last(setup: Setup, contract: Contract) -> Scope | None:
    """Return the rows that no validation under this contract covers, None if there are none.

    A validation under another contract's hash asked other things: then all rows are due.
    """
    version = delta.current_version(silver_uri(setup, contract))
    told = [
        table_version
        for commit in setup.emitter.commits(test_job(contract))
        if commit.contract is not None and commit.contract.hash == contract.hash
        for _, _, table_version in commit.inputs
        if table_version is not None
    ]
    last = max(told, default=-1)
    if last >= version:
        return None
    return Scope("since", version, last) if told else Scope("all", version)


def watch(setup: Setup, again: Callable[[], bool], report: Callable[[Validated], None], *, docs: Path | None = None) -> None:
    """Validate what is new in each contract's table, for as long as `again` says: it waits between two rounds.

    A table that is not there yet is none of our business yet. `report` is called with each validation.
    """
    while True:
        for contract in setup.contracts:
            if delta.exists(silver_uri(setup, contract)) and (scope := since_last(setup, contract)) is not None:
                report(validated(setup, contract, scope, docs))
        if not again():
            return


def _rows_of(uri: str, scope: Scope) -> pc.Expression | None:
    """Return the condition that a scope's rows satisfy: the knowledge times of its commits; None for all rows."""
    if scope.kind == "all":
        return None
    newest_version = delta.current_version(uri)
    first = scope.table_version if scope.kind == "commit" else scope.after + 1
    history = delta.history(uri, newest_version - first + 1) if first <= newest_version else []
    times = [
        datetime.fromisoformat(json.loads(past.metadata["facts"])["committed_at"])
        for past in history
        if first <= past.table_version <= scope.table_version and "facts" in past.metadata
    ]
    if scope.kind == "commit" and not times:
        raise NotFound(f"version {scope.table_version} is no commit of rows", where=uri, remedy="headwater status")
    return pc.field(KNOWN_AT).isin(pa.array(times, pa.timestamp("us", "UTC")))


def _judged(
    uri: str, contract: Contract, scope: Scope, where: pc.Expression | None
) -> tuple[tuple[Verdict, ...], int, dict[str, ColumnMetrics]]:
    """Return the verdicts on the rows, how many were judged, and the counts of their columns."""
    from contracts.connectors.great_expectations import judged  # noqa: PLC0415  seconds to import

    asked = tuple(e for e in expectations(contract) if e.table_rule is None)
    parts: list[tuple[Verdict, ...]] = []
    metrics: list[dict[str, ColumnMetrics]] = []
    rows = 0
    for part in _parts(uri, contract, scope, where):
        rows += part.height
        parts.append(judged(frames(part, contract), asked, COORDINATES))
        metrics.append(column_metrics(part, contract))
    return summed(parts) or tuple(Verdict(expectation) for expectation in asked), rows, summed_metrics(metrics)


def _of_tables(setup: Setup, contract: Contract, scope: Scope) -> tuple[tuple[Verdict, ...], tuple[Unjudged, ...]]:
    """Return the verdicts of the rules over whole tables, and which of them had no table to be asked of."""
    verdicts: list[Verdict] = []
    lost: list[Unjudged] = []
    for layer, version in (("silver", scope.table_version), ("current", None)):
        asked = [e for e in expectations(contract) if e.table_rule is not None and e.table_rule.table == layer]
        uri = delta.table_uri(setup.tables, layer, contract.domain, contract.name)
        if asked and delta.exists(uri):
            verdicts += _table_verdicts(uri, version, contract, asked)
        else:
            lost += [Unjudged(e.field, e.rule, f"there is no {layer} table yet") for e in asked]
    return tuple(verdicts), tuple(lost)


def _parts(uri: str, contract: Contract, scope: Scope, where: pc.Expression | None) -> Iterator[pl.DataFrame]:
    """Yield the scope's rows, so many at once, in the contract's columns and with coordinates."""
    columns = _columns(uri, contract, scope)
    held: list[pa.RecordBatch] = []
    for batch in delta.batches(uri, columns=columns, table_version=scope.table_version, where=where):
        held.append(batch)
        if sum(part.num_rows for part in held) >= PART_ROWS:
            yield pl.DataFrame(pl.from_arrow(pa.Table.from_batches(held)))
            held = []
    if sum(part.num_rows for part in held):
        yield pl.DataFrame(pl.from_arrow(pa.Table.from_batches(held)))


def _columns(uri: str, contract: Contract, scope: Scope) -> list[str]:
    """Return the columns to read: an older version can lack a field that the contract has by now."""
    there = set(delta.opened(uri, scope.table_version).schema().to_arrow().names)
    return [name for name in (*COORDINATES, KIND, *(field.name for field in contract.fields)) if name in there]


def _table_verdicts(uri: str, table_version: int | None, contract: Contract, asked: Sequence[Expectation]) -> list[Verdict]:
    """Return the verdicts of the rules over the whole table, whatever the scope: a new row can repeat an old one."""
    from contracts.connectors.great_expectations import judged  # noqa: PLC0415  seconds to import

    table = delta.lazy(uri, table_version=table_version)
    made = {place: _query_verdict(e, table) for place, e in enumerate(asked) if e.frame.startswith("sql:")}
    others = [(place, e) for place, e in enumerate(asked) if place not in made]
    if others:
        there = table.collect_schema().names()
        named = {name.split(".")[0].removesuffix("[]") for _, e in others for name in _read(e)}
        rows = table.select(name for name in there if name in {*COORDINATES, *named}).collect()
        found = judged(table_frames(rows, contract), [e for _, e in others], COORDINATES)
        made |= {place: verdict for (place, _), verdict in zip(others, found, strict=True)}
    return [made[place] for place in range(len(asked))]


def _read(expectation: Expectation) -> Sequence[str]:
    rule = expectation.table_rule
    return () if rule is None else tuple(rule.argument("properties") or ()) or (rule.field,)


def _query_verdict(expectation: Expectation, table: pl.LazyFrame) -> Verdict:
    from contracts.connectors.great_expectations import judged  # noqa: PLC0415  seconds to import

    rule = expectation.table_rule
    assert rule is not None  # noqa: S101  a query is a rule of the table
    try:
        measured = query_result(rule.query, table, rule.field)
    except (pl.exceptions.PolarsError, ValueError) as error:
        return Verdict(expectation, failed=type(error).__name__)
    return judged({expectation.frame: query_frame(rule, measured)}, [expectation], ())[0]


def _page(docs: Path, contract: Contract, scope: Scope, verdicts: tuple[Verdict, ...], at: datetime) -> Path:
    from contracts.connectors.great_expectations import Validation, write_docs  # noqa: PLC0415  seconds to import

    meta = {"contract_version": contract.contract_version, "contract_hash": contract.hash, "suite_hash": suite_hash(contract)}
    return write_docs(docs, Validation(contract.dataset, scope.table_version, scope.name, at, verdicts, meta))


def _facts(
    setup: Setup,
    contract: Contract,
    scope: Scope,
    verdicts: Sequence[Verdict],
    rows: int,
    metrics: dict[str, ColumnMetrics],
    at: datetime,
) -> HopFacts:
    uri = silver_uri(setup, contract)
    job = commit_test_job(contract) if scope.kind == "commit" else test_job(contract)
    silver: Dataset = silver_dataset(contract, setup.servers, uri, rows, scope.table_version)
    validation = f"{scope.table_version}:{scope.name}:{suite_hash(contract)}"
    run = RunRef(job, "test", derived_id("run", job, silver.name, validation), "great_expectations", setup.code_version, at)
    return HopFacts(
        run=run,
        commit_id=commit_id(job, silver.name, validation),
        committed_at=at,
        inputs=(replace(silver, column_origins=(), quality=quality(rows, verdicts, metrics)),),
        outputs=(),
        records_in=rows,
        records_out=0,
        contract=contract_ref(contract),
    )


def as_json(found: Validated) -> dict[str, Any]:
    """Return a validation as `contract test --json` prints it: rules, counts, coordinates; never a value."""
    return {
        "dataset": found.dataset,
        "table_version": found.scope.table_version,
        "scope": found.scope.name,
        "suite_hash": found.suite_hash,
        "rows": found.rows,
        "ok": found.ok,
        "rules": [rule.as_json() for rule in found.rules],
        "unjudged": [{"field": lost.field, "rule": lost.rule, "why": lost.why} for lost in found.unjudged],
        "told": found.told,
        "docs": None if found.docs is None else str(found.docs),
    }
