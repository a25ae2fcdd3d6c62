"""Change streams through a real broker: history in silver and the newest state, whatever is late, repeated, deleted or killed."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from contracts.connectors.files import load_contract
from infra.commands.audit import audited, audited_currents
from infra.settings import Settings
from infra.wiring import setup
from streams.connectors import delta
from streams.connectors.kafka import Sender, ensure_topics, last_timestamp, offset_at
from streams.engines import current
from tests.golden.cases import RawRecord, cases
from tests.streams.crash_driver import Told, run, start
from tests.streams.made import SENT_AT_MS
from tests.streams.undisturbed import KEPT, Place, assert_undisturbed

pytestmark = pytest.mark.servers

STATES = Path(__file__).parent / "states.odcs.yaml"
ANSWER_SECONDS = 60


@dataclass(frozen=True)
class Stream(Place):
    """A change stream of a test: its contract's file and raw log."""

    file: Path = STATES
    log: Sequence[RawRecord] = ()

    def job(self, name: str, group: str, **more: object) -> Told:
        return replace(self.told(name, group, **more), contract=str(self.file))

    def sent(self) -> Stream:
        client = self.settings.client()
        ensure_topics(client, {self.contract.raw_topic: self.contract.partitions}, KEPT)
        with Sender(client) as sender:
            for record in self.log:
                sender.send(
                    self.contract.raw_topic,
                    record.value,
                    key=record.key,
                    partition=record.partition,
                    timestamp_ms=record.timestamp_ms,
                )
        return self

    def currents(self) -> list[str]:
        """Bring the current table up to silver; return its rows as sorted lines."""
        current.run(setup(self.settings, [self.contract]), lambda: False, drain=True)
        rows = delta.read(delta.table_uri(self.settings.tables, "current", self.contract.domain, self.contract.name))
        names = [name for name in rows.column_names if name not in ("_known_at", "_topic")]
        return sorted(json.dumps(row, default=str) for row in rows.select(names).to_pylist())


def states() -> list[RawRecord]:
    """Return states of six keys on two partitions: late ones, repeats within and beyond the window, deletes, rows put back."""
    made: list[tuple[int, str, str | None]] = []
    for n in range(40):
        key, second = f"s{n % 6}", n if n % 5 else max(0, n - 12)
        row = json.dumps({"id": key, "at": f"2013-01-01T06:00:{second:02d}Z", "size": n, "note": f"call +1 212 555 01{n:02d}"})
        made.append((n % 2, key, None if n % 11 == 7 else row))
        if n % 4 == 0:
            made.append(made[-1])
        if n % 9 == 3:
            made.append((n % 2, key, "{broken"))
    made += made[:3]
    offsets = [0, 0]
    records = []
    for at, (partition, key, value) in enumerate(made):
        stamp = SENT_AT_MS + at * 1_000
        records.append(RawRecord(partition, offsets[partition], stamp, key.encode(), None if value is None else value.encode()))
        offsets[partition] += 1
    return records


def newest(silver: Sequence[str]) -> dict[str, dict]:
    """Return the last state of each key in silver's lines, by reading them one by one."""
    best: dict[str, tuple] = {}
    for line in silver:
        row = json.loads(line)
        order = (row["_changed_at"], row["_sequence"] or "", row["_partition"], row["_offset"])
        best[row["id"]] = max(best.get(row["id"], ((), {})), (order, row), key=lambda item: item[0])
    return {key: row for key, (_, row) in best.items() if row["_kind"] != "delete"}


@pytest.fixture(scope="module")
def stream(broker_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Stream]:
    """Return how a test gets a stream in a domain of its own."""

    def made(domain: str, kind: str) -> Stream:
        settings = replace(broker_settings, home=tmp_path_factory.mktemp(domain))
        if kind == "states":
            return Stream(settings, replace(load_contract(STATES), domain=domain), STATES, states()).sent()
        (case,) = [case for case in cases() if case.name == kind]
        contract = replace(case.contract(), domain=domain)
        return Stream(settings, contract, case.folder / "contract.odcs.yaml", case.records()).sent()

    return made


@pytest.fixture(scope="module", params=["states", "debezium"])
def calm(request: pytest.FixtureRequest, stream: Callable[[str, str], Stream]) -> tuple[str, Stream]:
    """Return a stream that was cleaned and landed without any accident."""
    here = stream(f"calm_{request.param}", request.param)
    run(here.job("clean", "only"))
    run(here.job("land", "only"))
    return request.param, here


def test_silver_is_the_history_and_current_its_end(calm):
    _, here = calm
    silver, quarantine = here.tables()
    assert len(silver) + len(quarantine) == len(here.log)
    assert {json.loads(line)["_kind"] for line in silver} > {"delete"}
    assert {json.loads(line)["reason"] for line in quarantine} >= {"duplicate", "undecodable"}
    rows = {json.loads(line)["id"]: json.loads(line) for line in here.currents()}
    assert rows.keys() == newest(silver).keys()
    for key, row in newest(silver).items():
        assert (rows[key]["_partition"], rows[key]["_offset"]) == (row["_partition"], row["_offset"])
    assert here.currents() == here.currents()
    assert audited(here.settings, [here.contract]).ok
    (verdict,) = audited_currents(here.settings, [here.contract])
    assert (verdict.ok, verdict.behind, verdict.keys) == (True, 0, len(rows))


@pytest.mark.parametrize(("step", "times"), [("clean records", 3), ("lineage", 2)])
def test_killed_behind_a_step_it_ends_as_if_nothing_had_happened(calm, stream, step, times):
    kind, whole = calm
    here = stream(f"{kind}_{step.replace(' ', '_')}", kind)
    process = start(here.job("clean", "first", step=step, times=times))
    _, errors = process.communicate(timeout=ANSWER_SECONDS)
    assert process.returncode == -signal.SIGKILL, errors
    run(here.job("clean", "second"))
    process = start(here.job("land", "first", step="silver commit"))
    _, errors = process.communicate(timeout=ANSWER_SECONDS)
    assert process.returncode == -signal.SIGKILL, errors
    here.currents()  # of what half a landing has left: what comes later is merged into it
    run(here.job("land", "second"))
    assert_undisturbed(here, whole.tables())
    assert here.currents() == whole.currents()


def test_an_offset_is_found_by_its_time(calm):
    _, here = calm
    client, topic = here.settings.client(), here.contract.raw_topic
    mine = [record for record in here.log if record.partition == 1]
    for record in (mine[0], mine[5], mine[-1]):
        assert offset_at(client, topic, 1, record.timestamp_ms) == record.offset
    assert offset_at(client, topic, 1, mine[-1].timestamp_ms + 1) == len(mine)
    assert last_timestamp(client, topic, 1, 0, 6) == mine[5].timestamp_ms
    assert last_timestamp(client, topic, 1, 3, 3) is None
