"""Every golden case gives what is written down: as a pure function, and through a real broker on each engine into Delta."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pytest

from contracts.contract import Contract
from infra.commands.audit import audited
from infra.flink import cluster, follow
from infra.settings import Settings
from infra.wiring import catalog, setup
from lineage.emit import Emitter
from streams.clean import CleanState, process_batch
from streams.connectors import delta
from streams.connectors.kafka import RAW_CONFIG, Sender, ensure_topics
from streams.engines import direct, faust_worker, lander
from streams.outcome import Outcome
from streams.setup import Setup
from streams.topology import clean_job, land_job
from tests.golden.cases import LIMITS, Case, Comes, batch_of, cases, comes, counted, pure
from tests.streams.made import MASKING_KEY, KnownMaskingKey, know_masking_key

CASES = cases()
ENGINES = ["direct", "faust", "flink"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_pure_function_gives_what_is_written_down(case: Case):
    assert pure(case) == case.expected()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_record_at_a_time_gives_what_is_written_down(case: Case):
    contract = case.contract()
    state = CleanState({}, LIMITS.duplicate_window, LIMITS.record_bytes_max, masking_key=MASKING_KEY)
    made: list[Outcome[CleanState]] = []
    for record in case.records():
        outcome = process_batch(batch_of([record]), state, contract)
        state = outcome.state
        made.append(outcome)
    rows, letters = (pa.concat_tables([getattr(o, name) for o in made]) for name in ("rows", "dead_letters"))
    expected = case.expected()
    assert comes(rows, letters, contract, expected.lineage) == expected


def test_there_are_cases_and_each_has_its_files():
    assert len(CASES) >= 6
    names = {"contract.odcs.yaml", "input.jsonl", "expected_rows.jsonl", "expected_dead_letters.jsonl", "expected_lineage.json"}
    assert all({file.name for file in case.folder.iterdir()} == names for case in CASES)


@dataclass(frozen=True)
class Landed:
    """What an engine and `land` made of all cases in one run."""

    settings: Settings
    contracts: dict[str, Contract]
    emitter: Emitter

    def comes(self, case: Case) -> Comes:
        contract = self.contracts[case.name]
        tables = [
            delta.read(delta.table_uri(self.settings.tables, layer, contract.domain, contract.name))
            for layer in ("silver", "quarantine")
        ]
        return comes(*tables, contract, counted(self.emitter.commits(clean_job(contract))))


@pytest.fixture(scope="module", params=ENGINES)
def landed(request: pytest.FixtureRequest, broker_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Landed:
    engine = request.param
    folder = tmp_path_factory.mktemp(f"golden_{engine}")
    settings = replace(broker_settings, home=folder / "home", contracts=(_contract_files(folder, f"golden_{engine}"),))
    contracts = {contract.name: contract for contract in catalog(settings)}
    made = setup(settings, tuple(contracts.values()), engine=engine)
    made = replace(made, limits=LIMITS, keys=KnownMaskingKey(made.keys))
    ensure_topics(made.client, {c.raw_topic: c.partitions for c in made.contracts}, {**RAW_CONFIG, "retention.ms": "-1"})
    _send(made)
    if engine == "flink":
        _clean_on_flink(made, settings, request.getfixturevalue("flink_settings"))
    elif engine == "faust":
        faust_worker.clean(made, lambda: False, drain=True, data_folder=Path(settings.home), group="golden_faust")
    else:
        direct.clean(made, lambda: False, drain=True, group="golden_direct")
    lander.run(made, lambda: False, drain=True, group=f"golden_land_{engine}")
    return Landed(settings, contracts, made.emitter)


def _contract_files(folder: Path, domain: str) -> Path:
    """Write the cases' contracts down in a domain of their own."""
    files = folder / "contracts"
    files.mkdir()
    for case in CASES:
        text = (case.folder / "contract.odcs.yaml").read_text("utf-8")
        (files / f"{case.name}.odcs.yaml").write_text(text.replace("domain: golden\n", f"domain: {domain}\n"), "utf-8")
    return files


def _clean_on_flink(made: Setup, settings: Settings, flink: Settings) -> None:
    """Clean all cases as one job on the tests' cluster, whose workers open the key store of these settings."""
    know_masking_key(settings.key_store)
    there = replace(settings, flink_url=cluster.cluster(flink).url, flink_parallelism=1, flink_checkpoint_seconds=1.0)
    follow.clean(there, made, lambda: False, drain=True)


def _send(made: Setup) -> None:
    topics = {contract.name: contract.raw_topic for contract in made.contracts}
    with Sender(made.client) as sender:
        for case in CASES:
            for record in case.records():
                sender.send(
                    topics[case.name],
                    record.value,
                    key=record.key,
                    partition=record.partition,
                    timestamp_ms=record.timestamp_ms,
                )


@pytest.mark.servers
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_engine_gives_what_is_written_down(case: Case, landed: Landed):
    assert landed.comes(case) == case.expected()


@pytest.mark.servers
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_lineage_of_land_tells_the_rows_that_the_tables_hold(case: Case, landed: Landed):
    contract, expected = landed.contracts[case.name], case.expected()
    commits = landed.emitter.commits(land_job(contract))
    layers = {"silver": len(expected.rows), "quarantine": len(expected.dead_letters)}
    for layer, size in layers.items():
        told = [commit for commit in commits if f"/{layer}/" in commit.outputs[0][1]]
        assert sum(commit.records_out for commit in told) == size
        assert sum(sum(commit.dead_letters.values()) + commit.duplicates for commit in told) == (0 if layer == "silver" else size)


@pytest.mark.servers
def test_every_raw_offset_of_the_cases_has_one_fate(landed: Landed):
    assert audited(landed.settings, tuple(landed.contracts.values())).ok
