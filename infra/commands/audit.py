"""`headwater audit`: give every raw offset its fate, from broker and tables alone."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from infra.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

    from contracts.contract import Contract
    from lineage.audit import Layer, Present
    from lineage.verdicts import AuditReport, Offsets, PartitionVerdict
    from streams.current_audit import CurrentVerdict

EXAMPLE = """\b
Examples:
  headwater audit                       every dataset
  headwater audit flights --wait 30     the flights' topics, giving running jobs 30 s to land what is there now
  headwater audit flights.departed --json
  headwater audit --bronze              the archives: is every record that the broker has in bronze, once?
"""
COLUMNS = ("dataset", "partition", "offsets", "silver", "quarantine", "void", "expired unread", "missing", "doubled", "strangers")
_POLL_SECONDS = 0.5


class BrokerReader:
    """A `lineage.audit.RawReader`: a plain consumer of its own, which shares nothing with the jobs but the broker's address."""

    def __init__(self, client: Mapping[str, Any]) -> None:
        self._client = client

    def present(self, topic: str) -> Mapping[int, Present]:
        """Read a topic from its start to its present end."""
        from streams.connectors.kafka import present_offsets

        return present_offsets(self._client, topic)

    def ends(self, topic: str) -> Mapping[int, int]:
        """Return the end offset of each partition as it is now."""
        from streams.connectors.kafka import end_offsets

        return {partition: end for (_, partition), (_, end) in end_offsets(self._client, [topic]).items()}


class CoordinateReader:
    """A `lineage.audit.TableReader` on the Delta tables of an installation.

    With `bronze` the one fate of a record is to be in bronze: that table stands for silver, and there is no quarantine.
    """

    def __init__(self, tables: str, contracts: Sequence[Contract], *, bronze: bool = False) -> None:
        self._tables = tables
        self._bronze = bronze
        self._names = {contract.dataset: (contract.domain, contract.name) for contract in contracts}

    def coordinates(self, dataset: str, layer: Layer) -> pa.Table:
        """Return the coordinates of a table's rows, none for a table that is not there."""
        from contracts.errors import NotFound
        from contracts.records import QUARANTINE_SCHEMA
        from lineage.audit import QUARANTINE_COLUMNS, SILVER_COLUMNS
        from streams.connectors import delta

        wanted = SILVER_COLUMNS if layer == "silver" else QUARANTINE_COLUMNS
        nothing = QUARANTINE_SCHEMA.empty_table().select(list(wanted))
        if self._bronze and layer == "quarantine":
            return nothing
        uri = delta.table_uri(self._tables, "bronze" if self._bronze else layer, *self._names[dataset])
        try:
            return delta.read(uri, columns=[name for name in wanted if name in delta.column_names(uri)])
        except NotFound:
            return nothing


def audited(settings: Settings, contracts: Sequence[Contract], wait_seconds: float = 0.0, *, bronze: bool = False) -> AuditReport:
    """Return the audit of the contracts' datasets; with `bronze`, of their archives: `silver` then means bronze.

    With `wait_seconds`, look again until every offset has its fate, or the time is over: for jobs that still run.
    Raises BrokerAway when the broker does not answer.
    """
    from lineage.audit import audit

    raw, tables = BrokerReader(settings.client()), CoordinateReader(settings.tables, contracts, bronze=bronze)
    wanted = [(contract.dataset, contract.raw_topic) for contract in contracts]
    until = time.monotonic() + wait_seconds
    report = audit(wanted, raw, tables)
    while not report.ok and time.monotonic() < until:
        time.sleep(_POLL_SECONDS)
        report = audit(wanted, raw, tables)
    return report


@click.command(epilog=EXAMPLE)
@click.argument("datasets", nargs=-1)
@click.option("--wait", "wait_seconds", type=click.FloatRange(min=0), default=0.0, help="Look again for so many seconds.")
@click.option("--bronze", is_flag=True, help="Check the archive: each record once in bronze. Its column is called silver.")
@click.option("--json", "json_wanted", is_flag=True, help="Print the verdict of every partition as JSON, with all offsets.")
@click.pass_obj
def audit(settings: Settings, datasets: tuple[str, ...], wait_seconds: float, bronze: bool, json_wanted: bool) -> None:
    """Check that every raw offset has exactly one fate: silver, quarantine, or void.

    Reads broker and tables on its own, and names the offsets that have no fate or two. DATASETS are names
    (flights.departed) or domains (flights); none means all. Exits 1 if any offset is missing, doubled, expired unread,
    or in a table though the broker never had it. Of change streams, also that the current table is the end of its history.
    """
    from infra.output import result
    from infra.wiring import chosen

    contracts = chosen(settings, datasets)
    report = audited(settings, contracts, wait_seconds, bronze=bronze)
    currents = [] if bronze else audited_currents(settings, contracts)
    ok = report.ok and all(verdict.ok for verdict in currents)
    told = {**report.as_dict(), "ok": ok, "currents": [verdict.as_dict() for verdict in currents]}
    result(told, json_wanted, lambda: "\n".join((*lines(report), *map(_current_line, currents))))
    if not ok:
        raise SystemExit(1)


def audited_currents(settings: Settings, contracts: Sequence[Contract]) -> list[CurrentVerdict]:
    """Return the verdict on the current table of each change stream that has one, against the silver version it stands for."""
    from streams.connectors import delta
    from streams.current_audit import HISTORY_COLUMNS, PLACE, judged_current
    from streams.engines.current import merged_version

    verdicts = []
    for contract in contracts:
        version = merged_version(settings.tables, contract) if contract.change == "upsert" else None
        if version is None:
            continue
        silver, current = (delta.table_uri(settings.tables, x, contract.domain, contract.name) for x in ("silver", "current"))
        history = delta.read(silver, columns=[*contract.key, *HISTORY_COLUMNS], table_version=version)
        rows = delta.read(current, columns=[*contract.key, *PLACE])
        behind = delta.current_version(silver) - version
        verdicts.append(judged_current(contract.dataset, history, rows, contract.key, silver_version=version, behind=behind))
    return verdicts


def _current_line(verdict: CurrentVerdict) -> str:
    where = f"{verdict.dataset}: current table, of silver version {verdict.silver_version} ({verdict.behind} behind)"
    if verdict.ok:
        return f"{where}: each of {verdict.keys:,} keys has its newest row"
    wrong = [f"{count:,} {name}" for name in ("missing", "stale", "risen", "doubled") if (count := getattr(verdict, name))]
    return f"{where}: not ok: {', '.join(wrong)}, of {verdict.keys:,} keys"


def lines(report: AuditReport) -> Iterator[str]:
    """Yield the report as a person reads it: a row per partition, what is wrong, the verdict."""
    from infra.output import rows_text

    yield rows_text(list(COLUMNS), [_row(dataset.dataset, each) for dataset in report.datasets for each in dataset.partitions])
    for dataset in report.datasets:
        if dataset.foreign:
            yield f"{dataset.dataset}: {dataset.foreign} records in its clean or dead-letter topic are not ours (quarantined)"
        for partition in dataset.partitions:
            yield from _faults(partition)
    totals = report.as_dict()
    if report.ok:
        yield f"ok: each of {totals['offsets']:,} raw offsets has exactly one fate"
        return
    wrong = [
        f"{totals[name]:,} {name.replace('_', ' ')}"
        for name in ("missing", "doubled", "expired_unread", "strangers")
        if totals[name]
    ]
    yield f"not ok: {', '.join(wrong)}, of {totals['offsets']:,} raw offsets"


def _row(dataset: str, verdict: PartitionVerdict) -> list[Any]:
    return [
        dataset,
        verdict.partition,
        verdict.end_offset,
        verdict.silver,
        sum(verdict.quarantine.values()),
        verdict.void,
        verdict.expired_unread.count,
        verdict.missing.count,
        sum(offsets.count for offsets in verdict.doubled.values()),
        verdict.strangers.count,
    ]


def _faults(verdict: PartitionVerdict) -> Iterator[str]:
    where = f"{verdict.topic} partition {verdict.partition}"
    if verdict.missing.count:
        behind = f"; {verdict.unreached:,} of them after all that is landed: are clean and land still at work?"
        yield f"{where}: missing {_shown(verdict.missing)}{behind if verdict.unreached else ''}"
    for place, offsets in verdict.doubled.items():
        yield f"{where}: doubled in {place} {_shown(offsets)}"
    if verdict.expired_unread.count:
        yield f"{where}: expired unread {_shown(verdict.expired_unread)}; the log begins at {verdict.start_offset}"
    if verdict.strangers.count:
        yield f"{where}: in a table, though the broker never had it: {_shown(verdict.strangers)}"


def _shown(offsets: Offsets, most: int = 5) -> str:
    shown = [str(first) if first == last else f"{first}-{last}" for first, last in offsets.intervals[:most]]
    more = f" and {len(offsets.intervals) - most:,} more intervals" if len(offsets.intervals) > most else ""
    return f"{', '.join(shown)}{more} ({offsets.count:,})"
