"""What must hold after any accident: the tables an undisturbed run makes, every offset with one fate, lineage whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from contracts.contract import Contract
from infra.commands.audit import audited
from infra.settings import Settings
from infra.wiring import emitter
from lineage.names import table_name
from streams.connectors import delta
from streams.connectors.kafka import RAW_CONFIG, Sender, end_offsets, ensure_topics
from streams.topology import clean_job, land_job
from tests.golden.cases import comes
from tests.streams.crash_driver import Told
from tests.streams.made import SENT_AT_MS, raw

CONTRACT = Path(__file__).parent / "orders.odcs.yaml"
LIMITS = {
    "batch_records": 8,
    "batch_bytes": 64 * 1024,
    "commit_records": 12,
    "commit_seconds": 30.0,
    "compact_files": 2,
    "duplicate_window": 40,
}
"""Small, so that a handful of records takes many batches and commits."""


KEPT = {**RAW_CONFIG, "retention.ms": "-1"}
"""A raw topic of records whose time is long past: by age they would be gone within minutes."""


def log_of(size: int) -> list[tuple[int, bytes | None]]:
    """Return raw records as (partition, value): good ones, duplicates, all kinds of bad ones, bad ones last."""
    made: list[tuple[int, bytes | None]] = []
    for n in range(size):
        partition = n % 2
        made.append((partition, raw(f"o{n}", f',"amount":{n},"note":"call +1 212 555 {n:04d}"')))
        if n % 5 == 0:
            made.append((partition, raw(f"bad{n}", ',"amount":-1')))
        if n % 7 == 0:
            made.append((partition, made[-1][1]))
        if n % 9 == 0:
            made += [(partition, None), (partition, b"{broken")]
    return [*made, (0, b"{last"), (1, b"{last"), (0, None)]


@dataclass(frozen=True)
class Place:
    """One dataset of a test: its contract in a domain of its own, on the tests' broker, with a home of its own."""

    settings: Settings
    contract: Contract

    def told(self, job: str, group: str, **more: object) -> Told:
        """Return what a driver process or an in-process run is told."""
        kafka = {**self.settings.client()}
        kept = {name: getattr(self.settings, name) for name in ("tables_at", "ledger_at")} | {"s3": dict(self.settings.s3)}
        limits = {**LIMITS, **(more.pop("limits", None) or {})}  # type: ignore[dict-item]
        return Told(
            job=job,
            home=str(self.settings.home),
            kafka={key: str(value) for key, value in kafka.items()},
            contract=str(CONTRACT),
            domain=self.contract.domain,
            group=f"{self.contract.domain}.{job}.{group}",
            limits=limits,
            kept=kept,
            **more,  # type: ignore[arg-type]
        )

    def at_home(self, home: Path) -> Place:
        """Return the same dataset with other tables and another ledger."""
        return replace(self, settings=replace(self.settings, home=home))

    def ready(self, log: Sequence[tuple[int, bytes | None]]) -> Place:
        """Make the topics and write the raw log."""
        client = self.settings.client()
        ensure_topics(client, {self.contract.raw_topic: self.contract.partitions}, KEPT)
        with Sender(client) as sender:
            for at, (partition, value) in enumerate(log):
                sender.send(self.contract.raw_topic, value, partition=partition, timestamp_ms=SENT_AT_MS + at)
        return self

    def tables(self) -> tuple[list[str], list[str]]:
        """Return the rows of silver and quarantine as sorted lines."""
        layers = ("silver", "quarantine")
        read = [delta.read(delta.table_uri(self.settings.tables, x, self.contract.domain, self.contract.name)) for x in layers]
        found = comes(read[0], read[1], self.contract, {})
        return found.rows, found.dead_letters


def assert_undisturbed(place: Place, expected: tuple[list[str], list[str]], *, clean_job_too: bool = True) -> None:
    """Check all that an accident must not have changed."""
    rows, dead_letters = place.tables()
    assert rows == expected[0]
    assert dead_letters == expected[1]
    report = audited(place.settings, [place.contract])
    assert report.ok, report.as_dict()
    assert_one_event_per_table_commit(place)
    if clean_job_too:
        assert_clean_events_tile_the_raw_log(place)
    assert_no_run_is_open(place)


def assert_one_event_per_table_commit(place: Place) -> None:
    """Check that the ledger tells of every commit of both tables, and of each once."""
    told = [(name, at) for commit in emitter(place.settings).commits(land_job(place.contract)) for _, name, at in commit.outputs]
    made = []
    for layer in ("silver", "quarantine"):
        uri = delta.table_uri(place.settings.tables, layer, place.contract.domain, place.contract.name)
        made += [(table_name(uri)[1], past.table_version) for past in delta.history(uri) if "facts" in past.metadata]
    assert sorted(told) == sorted(made)


def assert_clean_events_tile_the_raw_log(place: Place) -> None:
    """Check that the clean job's events cover each raw offset once, without gap."""
    spans: dict[int, list[tuple[int, int]]] = {}
    for commit in emitter(place.settings).commits(clean_job(place.contract)):
        for covered in commit.offsets:
            spans.setdefault(covered.partition, []).append((covered.first_offset, covered.last_offset))
    for (_, partition), (_, end) in end_offsets(place.settings.client(), [place.contract.raw_topic]).items():
        ordered = sorted(spans.get(partition, []))
        assert [first for first, _ in ordered] == [0, *(last + 1 for _, last in ordered)][: len(ordered)], ordered
        assert ordered[-1][1] == end - 1


def assert_no_run_is_open(place: Place) -> None:
    """Check that every run in the ledger has its end: were all processes dead, nothing would be left to close."""
    told = emitter(place.settings)
    for job in (clean_job(place.contract), land_job(place.contract)):
        assert told.close_abandoned(job, datetime.now(UTC), lambda _instance: False) == []
