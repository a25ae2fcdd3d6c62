"""Read the golden cases, and write down what a run gave in the same form.

A case is a folder: `contract.odcs.yaml`; `input.jsonl`, one raw record a line; and what it must come to,
`expected_rows.jsonl`, `expected_dead_letters.jsonl`, `expected_lineage.json`. A value in the input is `"value"` (text, or
null), `"base64"` (bytes), or `"pieces"`: texts with how often each is repeated, for what is too long to be written out.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from contracts.connectors.files import load_contract
from contracts.contract import Contract
from contracts.records import DEAD_LETTER_SCHEMA, KEY_ID, KNOWN_AT, PAYLOAD, RECORD_SCHEMA, REPLAY_ID
from contracts.schema import clean_schema
from streams.clean import CleanState, process_batch
from streams.setup import Limits
from tests.streams.made import MASKING_KEY

FOLDER = Path(__file__).parent
LIMITS = Limits(batch_records=7, commit_records=11, commit_seconds=0.5, compact_files=3)
"""Small, so that every case takes several batches and commits."""


@dataclass(frozen=True)
class RawRecord:
    """One raw record of a case."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


@dataclass(frozen=True)
class Case:
    """One golden case, read."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    def contract(self) -> Contract:
        return load_contract(self.folder / "contract.odcs.yaml")

    def records(self) -> list[RawRecord]:
        return [_record(json.loads(line)) for line in _lines(self.folder / "input.jsonl")]

    def expected(self) -> Comes:
        return Comes(
            _lines(self.folder / "expected_rows.jsonl"),
            _lines(self.folder / "expected_dead_letters.jsonl"),
            json.loads((self.folder / "expected_lineage.json").read_text("utf-8")),
        )

    def write(self, comes: Comes) -> None:
        """Write a new expectation down: called by `tests.golden.regenerate` alone."""
        (self.folder / "expected_rows.jsonl").write_text("".join(f"{line}\n" for line in comes.rows), "utf-8")
        (self.folder / "expected_dead_letters.jsonl").write_text("".join(f"{line}\n" for line in comes.dead_letters), "utf-8")
        (self.folder / "expected_lineage.json").write_text(json.dumps(comes.lineage, indent=2, sort_keys=True) + "\n", "utf-8")


@dataclass(frozen=True)
class Comes:
    """What a case comes to: rows and dead letters as sorted lines of JSON, and the counts that lineage tells."""

    rows: list[str]
    dead_letters: list[str]
    lineage: dict[str, Any]


def cases() -> list[Case]:
    """Return all cases, by name."""
    return [Case(file.parent) for file in sorted(FOLDER.glob("*/contract.odcs.yaml"))]


def batch_of(records: Iterable[RawRecord]) -> pa.RecordBatch:
    """Return records as one batch, each partition's in a row."""
    ordered = sorted(records, key=lambda record: (record.partition, record.offset))
    columns = [[getattr(record, name) for record in ordered] for name in RECORD_SCHEMA.names]
    return pa.record_batch([pa.array(c, f.type) for c, f in zip(columns, RECORD_SCHEMA, strict=True)], schema=RECORD_SCHEMA)


def pure(case: Case) -> Comes:
    """Return what the case comes to through the pure function, in one batch."""
    contract = case.contract()
    batch = batch_of(case.records())
    outcome = process_batch(
        batch, CleanState({}, LIMITS.duplicate_window, LIMITS.record_bytes_max, masking_key=MASKING_KEY), contract
    )
    lineage = {
        "records_in": batch.num_rows,
        "records_out": outcome.rows.num_rows,
        "dead_letters": outcome.reasons,
        "duplicates": outcome.duplicates,
    }
    return comes(outcome.rows, outcome.dead_letters, contract, lineage)


def comes(rows: pa.Table, dead_letters: pa.Table, contract: Contract, lineage: dict[str, Any]) -> Comes:
    """Return rows and dead letters of a run, as tables hold them, in the form that expectations are written in."""
    return Comes(
        _written(rows, clean_schema(contract), contract),
        _written(dead_letters, DEAD_LETTER_SCHEMA, contract),
        lineage,
    )


def counted(commits: Iterable[Any]) -> dict[str, Any]:
    """Return the counts of a job's commits, summed."""
    told = list(commits)
    reasons: Counter[str] = Counter()
    for commit in told:
        reasons.update(commit.dead_letters)
    return {
        "records_in": sum(c.records_in for c in told),
        "records_out": sum(c.records_out for c in told),
        "dead_letters": dict(sorted(reasons.items())),
        "duplicates": sum(c.duplicates for c in told),
    }


def _written(table: pa.Table, schema: pa.Schema, contract: Contract) -> list[str]:
    # Sealed payloads differ from installation to installation, as their keys do: tests/streams/test_sealed.py opens them.
    apart = (KNOWN_AT, PAYLOAD, KEY_ID, REPLAY_ID)
    kept = table.select([name for name in table.column_names if name not in apart])
    assert kept.column_names == [name for name in schema.names if name not in apart]
    rows = sorted(kept.to_pylist(), key=lambda row: (row["_partition"], row["_offset"]))
    for row in rows:
        assert row.pop("_topic") == contract.raw_topic
        assert row.pop("_contract_hash") == contract.hash
    return [json.dumps(row, default=str, ensure_ascii=False) for row in rows]


def _record(told: dict[str, Any]) -> RawRecord:
    key = told.get("key")
    return RawRecord(told["partition"], told["offset"], told["timestamp_ms"], None if key is None else key.encode(), _value(told))


def _value(told: dict[str, Any]) -> bytes | None:
    if "base64" in told:
        return base64.b64decode(told["base64"])
    if "pieces" in told:
        return "".join(text * times for text, times in told["pieces"]).encode()
    value = told["value"]
    return None if value is None else str(value).encode()


def _lines(file: Path) -> list[str]:
    return file.read_text("utf-8").split("\n")[:-1]
