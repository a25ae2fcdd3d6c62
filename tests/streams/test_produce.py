"""Produce: the examples once, whatever happens; a person's own files as they are."""

from __future__ import annotations

import gzip
import io
import os
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from contracts.contract import Catalog, Contract
from contracts.errors import BrokerAway, TerminalError
from contracts.records import SOURCE_HEADER
from infra.main import main
from infra.settings import PROJECT_FOLDER, Settings
from infra.wiring import emitter
from lineage.facts import Dataset
from streams.connectors.files import files_source
from streams.engines.produce import Pace
from streams.engines.produce_log import produce_job
from streams.sources import Progress, Source, SourceBatch, Tail, parsed_tail, progress, source_header
from tests.conftest import settings_in
from tests.streams.produce_child import flights_in, moved, run


def no_stdin() -> io.BytesIO:
    raise AssertionError("standard input was not asked for")


# --- where a run goes on --------------------------------------------------------------------------------------------


def made_source(first: int = 0, values: int = 0, **more: Any) -> Source:
    batch = SourceBatch(
        first_sequence=first,
        datasets=[0] * values,
        keys=[f"key-{first + n}".encode() for n in range(values)],
        values=[b'{"n":%d}' % (first + n) for n in range(values)],
        event_times_us=[(first + n) * 1_000_000 for n in range(values)],
    )
    given: dict[str, Any] = {
        "id": "made-1",
        "datasets": ("made.up",),
        "batches": lambda: iter([batch]),
        "inputs": {"made.up": (Dataset("file", "/made/up", "files"),)},
        "first_sequence": first,
        "total": values,
    }
    return Source(**(given | more))


@given(st.text(alphabet="abc-+:.0123", min_size=1), st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_header_reads_as_it_was_written(source: str, start: int, sequence: int) -> None:
    assert parsed_tail(source_header(source, start) + b"%d" % sequence) == Tail(source, start, sequence)


@pytest.mark.parametrize("header", [None, b"", b"made-1", b"made-1:7", b"made-1+0:", b"made-1+x:7", b"+0:7", b"\xff+0:x"])
def test_a_header_of_somebody_else_is_no_tail(header: bytes | None) -> None:
    assert parsed_tail(header) is None


def test_nothing_is_there_at_first() -> None:
    assert progress(made_source(5), {"made.up": [None, None]}) == Progress(5, ((-1, -1),))


def test_a_run_goes_on_in_each_partition_where_it_stopped() -> None:
    tails = {"made.up": [Tail("made-1", 0, 41), None, Tail("made-1", 0, 7)]}
    assert progress(made_source(0), tails) == Progress(0, ((41, -1, 7),))


def test_another_source_is_sent_whole() -> None:
    assert progress(made_source(0), {"made.up": [Tail("made-0", 0, 41)]}) == Progress(0, ((-1,),))


def test_a_later_beginning_that_leaves_no_gap_keeps_the_stretch() -> None:
    tails = {"made.up": [Tail("made-1", 3, 41), Tail("made-1", 3, 50)]}
    assert progress(made_source(42), tails).start == 3


def test_a_later_beginning_that_may_leave_a_gap_starts_a_new_stretch() -> None:
    tails = {"made.up": [Tail("made-1", 3, 41), Tail("made-1", 3, 50)]}
    assert progress(made_source(43), tails).start == 43
    assert progress(made_source(4), {"made.up": [Tail("made-1", 3, 41), None]}).start == 4


def test_an_earlier_beginning_is_refused_because_it_would_be_lost_or_doubled() -> None:
    with pytest.raises(TerminalError, match="from record 3 on"):
        progress(made_source(2), {"made.up": [Tail("made-1", 3, 41)]})


# --- the command line -----------------------------------------------------------------------------------------------


def headwater(*arguments: str, home: Path) -> Any:
    return CliRunner().invoke(main, ["--home", str(home), "produce", *arguments])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["docs", "--speed", "10"], "are for flights"),
        (["flights", "--from", "2013-02-02", "--to", "2013-02-01"], "comes after"),
        (["flights", "--from", "February"], "does not match"),
        (["flights", "--speed", "0"], "not in the range"),
        (["flights.weather"], "give the files"),
        (["flights", "some.jsonl"], "name one of flights.arrived"),
    ],
)
def test_misuse_is_answered_with_what_to_do(arguments: list[str], said: str, tmp_path: Path) -> None:
    shown = headwater(*arguments, home=tmp_path)
    assert (shown.exit_code, said in shown.output) == (2, True), shown.output


def test_a_mistyped_dataset_is_answered_with_near_names(tmp_path: Path) -> None:
    shown = headwater("flights.wether", "mine.jsonl", home=tmp_path)
    assert shown.exit_code == 1
    assert "flights.weather" in shown.output


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    shown = headwater("flights.weather", str(tmp_path / "absent.jsonl"), home=tmp_path)
    assert shown.exit_code == 1
    assert "absent.jsonl" in shown.output


# --- with a broker --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Held:
    """What the raw topics hold: by topic and partition, (key, value, source header) in order of offset."""

    records: Mapping[tuple[str, int], list[tuple[bytes | None, bytes | None, bytes | None]]]

    def sequences(self) -> list[list[int]]:
        """Return each partition's sequence numbers."""
        tails = [[parsed_tail(header) for *_, header in records] for records in self.records.values()]
        return [[tail.sequence for tail in of_one if tail] for of_one in tails]


def held(settings: Settings, contracts: Sequence[Contract]) -> Held:
    from streams.connectors.kafka import end_offsets, header_value, read_range

    client, found = settings.client(), defaultdict(list)
    for (topic, partition), (start, end) in end_offsets(client, [contract.raw_topic for contract in contracts]).items():
        found[topic, partition] = [
            (message.key(), message.value(), header_value(message, SOURCE_HEADER))
            for messages in read_range(client, topic, partition, start, end)
            for message in messages
        ]
    return Held(found)


def told_offsets(settings: Settings, contracts: Sequence[Contract]) -> dict[tuple[str, int], list[int]]:
    """Return the offsets that the ledger says were written, in the order in which it says so."""
    found: dict[tuple[str, int], list[int]] = defaultdict(list)
    for contract in contracts:
        for commit in emitter(settings).commits(produce_job(contract)):
            for span in commit.output_offsets:
                found[span.topic, span.partition] += range(span.first_offset, span.last_offset + 1)
    return found


@pytest.fixture
def made_contract(catalog: Catalog) -> Callable[[str], tuple[Contract, ...]]:
    return lambda domain: (replace(catalog.contracts["docs.pages"], domain=domain, name="up", partitions=3),)


servers = pytest.mark.servers


@servers
def test_the_same_command_twice_sends_each_record_once_and_tells_it_once(broker_settings: Settings) -> None:
    source, contracts = flights_in(broker_settings, "twice", None, date(2013, 1, 2))
    first = run(broker_settings, source, contracts)
    second = run(broker_settings, source, contracts)
    assert sum(produced.records for produced in first.datasets) == source.total
    assert sum(produced.records for produced in second.datasets) == second.told_later == 0
    assert sum(produced.skipped for produced in second.datasets) == source.total
    found = held(broker_settings, contracts)
    assert sorted(chain.from_iterable(found.sequences())) == list(range(source.total or 0))
    assert told_offsets(broker_settings, contracts) == {slot: list(range(len(r))) for slot, r in found.records.items() if r}


@servers
def test_a_longer_run_goes_on_and_an_earlier_one_is_refused(broker_settings: Settings) -> None:
    january, contracts = flights_in(broker_settings, "longer", date(2013, 1, 3), date(2013, 1, 3))
    longer, _ = flights_in(broker_settings, "longer", date(2013, 1, 3), date(2013, 1, 4))
    run(broker_settings, january, contracts)
    went_on = run(broker_settings, longer, contracts)
    assert sum(produced.skipped for produced in went_on.datasets) == january.total
    numbers = sorted(chain.from_iterable(held(broker_settings, contracts).sequences()))
    assert numbers == list(range(longer.first_sequence, longer.first_sequence + (longer.total or 0)))
    with pytest.raises(TerminalError, match="already hold this source"):
        run(broker_settings, flights_in(broker_settings, "longer", None, date(2013, 1, 4))[0], contracts)


@servers
@pytest.mark.slow
def test_a_run_killed_in_the_midst_is_finished_by_typing_it_again(broker_settings: Settings) -> None:
    last_day = date(2013, 3, 31)
    source, contracts = flights_in(broker_settings, "killed", None, last_day)
    for reach in (20_000, 100_000):
        _start_and_kill(broker_settings, "killed", last_day, reach)
    there = sum(len(records) for records in held(broker_settings, contracts).records.values())
    assert 0 < there < (source.total or 0), "killed too early or too late to tell anything"
    finished = run(broker_settings, source, contracts)
    found = held(broker_settings, contracts)
    numbers = found.sequences()
    assert all(one == sorted(set(one)) for one in numbers), "each partition keeps the source's order, nothing twice"
    assert sorted(chain.from_iterable(numbers)) == list(range(source.total or 0))
    assert finished.told_later > 0
    told = told_offsets(broker_settings, contracts)
    assert {slot: sorted(offsets) for slot, offsets in told.items()} == {
        slot: list(range(len(records))) for slot, records in found.records.items()
    }


def _start_and_kill(settings: Settings, domain: str, last_day: date, reach: int) -> None:
    """Start a run in a process of its own, and kill it when it says that so many records are on their way."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.streams.produce_child", domain, last_day.isoformat()],
        cwd=PROJECT_FOLDER,
        env={**{k: v for k, v in os.environ.items() if not k.startswith("HEADWATER_")}, **settings.environ()},
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout is not None
        for line in child.stdout:
            if int(line) >= reach:
                child.send_signal(signal.SIGKILL)
                break
    assert child.returncode == -signal.SIGKILL


@servers
def test_runs_that_were_killed_do_not_look_as_if_they_ran_for_ever(
    broker_settings: Settings, made_contract: Callable[[str], tuple[Contract, ...]]
) -> None:
    contracts = made_contract("abandoned")
    source = replace(made_source(0, 10), datasets=("abandoned.up",), inputs={"abandoned.up": ()})

    def cut_short(sent: int, _skipped: int) -> None:
        raise KeyboardInterrupt(sent)

    with pytest.raises(KeyboardInterrupt):
        run(broker_settings, source, contracts, cut_short)
    events = [entry.event for entry in emitter(broker_settings).ledger.events()]
    kinds = [event["eventType"] for event in events if event["job"]["name"] == "abandoned.up.produce"]
    assert kinds == ["START", "RUNNING", "ABORT"], "what was acknowledged is told before the run ends"
    again = run(broker_settings, source, contracts)
    assert again.datasets[0].skipped == 10


@servers
def test_a_changed_input_is_produced_anew(
    broker_settings: Settings, made_contract: Callable[[str], tuple[Contract, ...]]
) -> None:
    contracts = made_contract("changed")
    source = replace(made_source(0, 20), datasets=("changed.up",), inputs={"changed.up": ()})
    run(broker_settings, source, contracts)
    anew = run(broker_settings, replace(source, id="made-2"), contracts)
    assert anew.datasets[0].records == 20
    assert sum(len(records) for records in held(broker_settings, contracts).records.values()) == 40


class FakeClock:
    """A clock that moves only when somebody waits, and remembers for how long."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waits: list[float] = []

    def seconds(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


@servers
def test_a_paced_run_waits_for_each_event_and_sends_in_order(
    broker_settings: Settings, made_contract: Callable[[str], tuple[Contract, ...]]
) -> None:
    contracts = made_contract("paced")
    source = replace(made_source(0, 300), datasets=("paced.up",), inputs={"paced.up": ()})
    clock = FakeClock()
    run(broker_settings, source, contracts, pace=Pace(2.0, clock.seconds, clock.wait))
    assert clock.waits == [pytest.approx(0.5)] * 299
    assert all(one == sorted(one) for one in held(broker_settings, contracts).sequences())
    commits = emitter(broker_settings).commits("paced.up.produce")
    assert sum(commit.records_out for commit in commits) == 300
    assert clock.now - 100.0 == pytest.approx(149.5)


@servers
def test_a_paced_run_that_is_interrupted_has_told_all_that_it_sent(
    broker_settings: Settings, made_contract: Callable[[str], tuple[Contract, ...]]
) -> None:
    contracts = made_contract("stopped")
    source = replace(made_source(0, 300), datasets=("stopped.up",), inputs={"stopped.up": ()})

    class Interrupted(FakeClock):
        def wait(self, seconds: float) -> None:
            super().wait(seconds)
            if len(self.waits) == 70:
                raise KeyboardInterrupt

    clock = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        run(broker_settings, source, contracts, pace=Pace(100.0, clock.seconds, clock.wait))
    found = held(broker_settings, contracts)
    assert sorted(chain.from_iterable(found.sequences())) == list(range(70))
    assert told_offsets(broker_settings, contracts) == {slot: list(range(len(r))) for slot, r in found.records.items() if r}
    assert sum(commit.records_out for commit in emitter(broker_settings).commits("stopped.up.produce")) == 70
    assert run(broker_settings, source, contracts).told_later == 0


@servers
def test_a_slow_run_tells_the_ledger_on_the_way(
    broker_settings: Settings, made_contract: Callable[[str], tuple[Contract, ...]]
) -> None:
    contracts = made_contract("slow")
    source = replace(made_source(0, 300), datasets=("slow.up",), inputs={"slow.up": ()})
    clock = FakeClock()
    run(broker_settings, source, contracts, pace=Pace(1.0, clock.seconds, clock.wait))
    commits = emitter(broker_settings).commits("slow.up.produce")
    assert [commit.records_out for commit in commits] == [61, 60, 60, 60, 59]


@servers
def test_own_files_are_sent_each_time_with_the_keys_of_their_contract(
    broker_settings: Settings, made_contract: Callable[[str], tuple[Contract, ...]], tmp_path: Path
) -> None:
    contracts = made_contract("own")
    lines = [b'{"page_id": "a/METADATA"}', b"{bad", b'{"page_id": "b/METADATA"}']
    (tmp_path / "mine.jsonl").write_bytes(b"\n".join(lines))
    source = files_source(contracts[0], [str(tmp_path / "mine.jsonl")], no_stdin)
    for _ in range(2):
        assert run(broker_settings, source, contracts).datasets[0].records == 3
    records = list(chain.from_iterable(held(broker_settings, contracts).records.values()))
    assert sorted(record[:2] for record in records if record[0]) == sorted(
        [(b"a/METADATA", lines[0]), (b"b/METADATA", lines[2])] * 2
    )
    assert [value for key, value, _ in records if key is None] == [lines[1]] * 2
    assert {header for *_, header in records} == {None}
    assert sum(commit.records_out for commit in emitter(broker_settings).commits("own.up.produce")) == 6


@servers
def test_what_came_before_a_broken_file_has_been_sent_and_told(
    broker_settings: Settings, made_contract: Callable[[str], tuple[Contract, ...]], tmp_path: Path
) -> None:
    contracts = made_contract("halfway")
    (tmp_path / "a.jsonl").write_bytes(b"1\n2\n")
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(b"3\n" * 1_000)[:-12])
    with pytest.raises(TerminalError, match="torn"):
        run(broker_settings, files_source(contracts[0], [str(tmp_path)], no_stdin), contracts)
    there = sum(len(records) for records in held(broker_settings, contracts).records.values())
    assert there == sum(commit.records_out for commit in emitter(broker_settings).commits("halfway.up.produce")) == 2


@servers
def test_the_command_sends_own_lines_from_standard_input(broker_settings: Settings, catalog: Catalog, tmp_path: Path) -> None:
    folder = tmp_path / "contracts"
    folder.mkdir()
    text = (PROJECT_FOLDER / "contracts" / "docs" / "pages.odcs.yaml").read_text("utf-8")
    moved_text = (
        text.replace("domain: docs", "domain: piped").replace("name: pages", "name: up").replace("docs.pages.raw", "piped.up.raw")
    )
    (folder / "up.odcs.yaml").write_text(moved_text)
    environ = {**replace(broker_settings, contracts=(folder,)).environ(), "PATH": os.environ["PATH"]}
    shown = subprocess.run(
        [sys.executable, "-m", "infra.main", "produce", "piped.up", "-", "--json"],
        cwd=PROJECT_FOLDER,
        env=environ,
        input=b'{"page_id": "a/METADATA"}\n{"page_id": "b/METADATA"}\n',
        capture_output=True,
        check=True,
    )
    printed = orjson.loads(shown.stdout)
    assert printed["datasets"]["piped.up"] == {"topic": "piped.up.raw.v1", "records": 2, "skipped": 0, "bytes": 50}


def test_a_broker_that_is_away_is_said_to_be(
    tmp_path: Path, made_contract: Callable[[str], tuple[Contract, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from streams.connectors import kafka

    monkeypatch.setattr(kafka.topics, "__defaults__", (0.5,))
    nowhere = settings_in(tmp_path)
    with pytest.raises(BrokerAway, match="did not answer"):
        run(nowhere, replace(made_source(0, 1), datasets=("made.up",)), made_contract("made"))


def test_sources_can_be_moved_to_a_domain_of_their_own(catalog: Catalog) -> None:
    source = replace(made_source(0, 1), datasets=("docs.pages",), inputs={"docs.pages": ()})
    elsewhere, contracts = moved(source, [catalog.contracts["docs.pages"]], "other")
    assert (elsewhere.datasets, contracts[0].raw_topic) == (("other.pages",), "other.pages.raw.v1")
