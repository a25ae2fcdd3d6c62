"""What a Flink job's workers make of batches is what the pure function makes of them, however they are cut, moved or restored."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from contracts.connectors.key_store import SqliteKeyStore
from contracts.contract import Contract
from contracts.errors import ContractInvalid
from contracts.records import SRC_HEADER
from streams.clean import CleanState, process_batch
from streams.clean_facts import CleanedBatch, decoded_batch
from streams.connectors.sandbox import ProcessSandbox
from streams.encode import encoded_dead_letters, encoded_rows
from streams.engines import flink_worker
from streams.engines.flink_worker import FlinkSpec, FlinkWorker, RawColumns, Sent
from streams.engines.vault import with_payloads
from streams.kept_windows import packed_window
from streams.setup import Limits
from tests.golden.cases import LIMITS, Case, batch_of, cases
from tests.streams.made import MASKING_KEY, KnownMaskingKey

FACTS = "golden.facts.v1"


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_a_worker_sends_what_the_other_engines_send(case: Case, tmp_path: Path):
    contract, keys = case.contract(), KnownMaskingKey(SqliteKeyStore(tmp_path / "keys.sqlite"))
    worker = _worker(contract, keys)
    sent = [record for columns in _columns(case, random.Random(case.name)) for record in worker.cleaned(columns, lambda: None)[0]]
    worker.close()
    assert sorted(_shown(sent)) == sorted(_expected(case, contract, keys))


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_a_worker_that_is_new_for_every_batch_sends_the_same(case: Case, tmp_path: Path):
    contract, keys = case.contract(), KnownMaskingKey(SqliteKeyStore(tmp_path / "keys.sqlite"))
    kept: dict[int, bytes] = {}
    sent: list[Sent] = []
    for columns in _columns(case, random.Random(1)):
        worker = _worker(contract, keys)
        more, seen = worker.cleaned(columns, lambda at=columns.partition: kept.get(at))
        worker.close()
        sent += more
        kept[columns.partition] = packed_window(seen)
    assert sorted(_shown(sent)) == sorted(_expected(case, contract, keys))


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_the_facts_cover_every_offset_once_and_count_what_is_sent(case: Case, tmp_path: Path):
    contract, keys = case.contract(), KnownMaskingKey(SqliteKeyStore(tmp_path / "keys.sqlite"))
    worker = _worker(contract, keys)
    sent = [record for columns in _columns(case, random.Random(2)) for record in worker.cleaned(columns, lambda: None)[0]]
    worker.close()
    told = [decoded_batch(record.value) for record in sent if record.topic == FACTS]
    assert sum(batch.records_in for batch in told) == len(case.records())
    assert sum(batch.records_out for batch in told) == sum(record.topic == contract.clean_topic for record in sent)
    assert sum(batch.letters for batch in told) == sum(record.topic == contract.dead_letter_topic for record in sent)
    assert all(batch.records_in <= LIMITS.batch_records for batch in told)
    spans = sorted((partition, *span) for batch in told for partition, span in batch.ranges.items())
    assert all(a[0] != b[0] or a[2] < b[1] for a, b in pairwise(spans))


def test_a_batch_out_of_order_is_put_in_order():
    columns = RawColumns("t", 0, [5, 3, 4], [50, 30, 40], [b"5", b"3", None], [b"e", None, b"d"], [None, b"1.0.0", None])
    records = columns.records()
    assert records["offset"].to_pylist() == [3, 4, 5]
    assert records["value"].to_pylist() == [None, b"d", b"e"]
    assert records["version"].to_pylist() == [b"1.0.0", None, None]


def test_a_batch_is_cut_by_bytes_and_a_record_beyond_them_stands_alone(tmp_path: Path):
    contract = cases()[0].contract()
    worker = _worker(contract, SqliteKeyStore(tmp_path / "keys.sqlite"), Limits(batch_records=100, batch_bytes=10))
    sizes = [4, 4, 4, 25, 1, 1]
    columns = RawColumns("t", 0, range(6), [0] * 6, [None] * 6, [b"x" * size for size in sizes], [None] * 6)
    assert [part["offset"].to_pylist() for part in worker._cut(columns.records())] == [[0, 1, 2], [3], [4, 5]]


def test_counts_come_back_from_json():
    counts = {"reasons": {"undecodable": 1}, "duplicates": 1, "discarded": {"f": 2}, "masked": {"g": {"EMAIL": 1}}}
    batch = CleanedBatch("a.b.raw.v1", "1.0.0", "0" * 64, {3: (7, 9)}, 3, 1, 2, **counts, seconds=0.5)
    assert decoded_batch(batch.encoded()) == batch


def test_shipped_files_that_are_not_the_contracts_of_the_job_are_refused(tmp_path: Path):
    contract = cases()[0].contract()
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "a.odcs.yaml").write_text((cases()[0].folder / "contract.odcs.yaml").read_text("utf-8"), "utf-8")
    spec = _spec(replace(contract), LIMITS)
    assert flink_worker.opened(spec, tmp_path)
    with pytest.raises(ContractInvalid, match="not the one"):
        flink_worker.opened(replace(spec, hashes={contract.raw_topic: "0" * 64}), tmp_path)


def _spec(contract: Contract, limits: Limits) -> FlinkSpec:
    return FlinkSpec("files", {contract.raw_topic: contract.hash}, FACTS, "/nowhere", {}, limits)


def _worker(contract: Contract, keys: Any, limits: Limits = LIMITS) -> FlinkWorker:
    worker = FlinkWorker(_spec(contract, limits), {contract.raw_topic: contract}, keys)
    worker._restore = _without_a_log(worker._restore)  # type: ignore[method-assign]
    return worker


def _without_a_log(restore: Any) -> Any:
    """Let a partition begin with nothing before it: these batches stand in no topic that could be read."""

    def begun(contract: Contract, partition: int, behind: int, state: CleanState, kept: bytes | None) -> None:
        if kept is None:
            state.duplicates.pop(partition, None)
            state.duplicates[partition] = flink_worker.Seen()
        else:
            restore(contract, partition, behind, state, kept)

    return begun


def _columns(case: Case, chance: random.Random) -> Iterator[RawColumns]:
    """Yield the case's records as Flink would gather them: by partition, cut anywhere."""
    by_partition = defaultdict(list)
    for record in sorted(case.records(), key=lambda record: record.offset):
        by_partition[record.partition].append(record)
    topic = case.contract().raw_topic
    for partition, held in by_partition.items():
        at = 0
        while at < len(held):
            some = held[at : at + chance.randint(1, 20)]
            at += len(some)
            yield RawColumns(
                topic,
                partition,
                [r.offset for r in some],
                [r.timestamp_ms for r in some],
                [r.key for r in some],
                [r.value for r in some],
                [None] * len(some),
            )


def _expected(case: Case, contract: Contract, keys: Any) -> Iterator[tuple[Any, ...]]:
    batch, sandbox = batch_of(case.records()), ProcessSandbox()
    state = CleanState({}, LIMITS.duplicate_window, LIMITS.record_bytes_max, sandbox, masking_key=MASKING_KEY)
    outcome = process_batch(batch, state, contract)
    sandbox.close()
    letters = with_payloads(outcome.dead_letters, batch, contract, keys)
    for topic, records in (
        (contract.clean_topic, encoded_rows(outcome.rows, contract)),
        (contract.dead_letter_topic, encoded_dead_letters(letters)),
    ):
        for value, key, _, timestamp, headers in records:
            yield topic, value, None if key is None else key.encode(), timestamp, tuple(sorted(headers))


def _shown(sent: list[Sent]) -> Iterator[tuple[Any, ...]]:
    for one in sent:
        if one.src is not None:
            told = {SRC_HEADER: one.src, "contract": one.contract} | ({"reason": one.reason} if one.reason else {})
            yield one.topic, one.value, one.key, one.timestamp_ms, tuple(sorted(told.items()))
