"""The shipper against a real HTTP server that records what it took, and breaks in every way an endpoint can.

The server is the oracle: whatever happened, what it took must hold every event the ledger holds (save the refused), and
first deliveries must be in ledger order.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from contracts.errors import LedgerBroken, SettingsInvalid, TransientError
from lineage.connectors import marquez
from lineage.connectors.ledger_file import FileLedger
from lineage.connectors.marquez import PATH, Patience, Remembered, ShipReport, ship
from lineage.events import committed
from lineage.ledger import START
from tests.lineage import made

PROJECT = Path(__file__).parents[2]
QUICK = Patience(first_seconds=0.01, longest_seconds=0.05, give_up_seconds=2.0, answer_seconds=1.0)

Answer = int | str | tuple[int, str] | None
"""A status, `hang up` before or after taking the event, `slow`, a status with a Retry-After, or None for 201."""


@dataclass
class Endpoint:
    """A server on loopback. `plan` says what to answer, given how often it was asked and the event's commit."""

    plan: Callable[[int, str], Answer] = lambda asked, commit: None
    taken: list[str] = field(default_factory=list)
    asked: int = 0
    keys: set[str] = field(default_factory=set)
    paths: set[str] = field(default_factory=set)
    connections: int = 0
    busy: int = 0
    busiest: int = 0
    server: OracleServer | None = None

    @property
    def url(self) -> str:
        assert self.server is not None
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def first_taken(self) -> list[str]:
        return list(dict.fromkeys(self.taken))


class OracleServer(ThreadingHTTPServer):
    """Answers as its oracle plans; `done` ends the slow answers."""

    daemon_threads = True

    def __init__(self, oracle: Endpoint) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.oracle, self.lock, self.done = oracle, threading.Lock(), threading.Event()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: OracleServer

    def setup(self) -> None:
        super().setup()
        with self.server.lock:
            self.server.oracle.connections += 1

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        commit = json.loads(body)["run"]["facets"]["headwater_commit"]["commitId"]
        oracle = self.server.oracle
        with self.server.lock:
            oracle.asked += 1
            oracle.busy += 1
            oracle.busiest = max(oracle.busiest, oracle.busy)
            oracle.keys.add(self.headers.get("Authorization", ""))
            oracle.paths.add(self.path)
            answer = oracle.plan(oracle.asked, commit)
        try:
            self.act(answer, commit)
        finally:
            with self.server.lock:
                oracle.busy -= 1

    def act(self, answer: Answer, commit: str) -> None:
        if answer == "slow":
            self.server.done.wait(3 * QUICK.answer_seconds)
        status, wait = answer if isinstance(answer, tuple) else (answer if isinstance(answer, int) else 201, "")
        if status < 300 and answer != "hang up before":
            self.server.oracle.taken.append(commit)
        if isinstance(answer, str) and answer.startswith("hang up"):
            self.close_connection = True
            return
        with suppress(OSError):  # the shipper may have given up waiting
            self.say(status, wait)

    def say(self, status: int, wait: str) -> None:
        text = b"" if status < 300 else b"the  endpoint\nsays why"
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        if wait:
            self.send_header("Retry-After", wait)
        self.end_headers()
        self.wfile.write(text)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    oracle = Endpoint()
    oracle.server = server = OracleServer(oracle)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield oracle
    server.done.set()
    server.shutdown()
    server.server_close()
    thread.join()


COMMITS = [made.facts(position).commit_id for position in range(12)]


@pytest.fixture
def ledger(tmp_path: Path) -> FileLedger:
    ledger = FileLedger(tmp_path / "ledger")
    events = [committed(made.facts(position)) for position in range(12)]
    ledger.append_all([(event.id, event.event) for event in events])
    return ledger


def shipped(ledger: FileLedger, endpoint: Endpoint, **more: object) -> ShipReport:
    return ship(ledger, endpoint.url, ledger.folder / "shipped", **{"patience": QUICK, **more})  # type: ignore[arg-type]


def test_all_events_go_in_ledger_order_on_one_connection_one_at_a_time(ledger: FileLedger, endpoint: Endpoint) -> None:
    report = shipped(ledger, endpoint, api_key="k1")
    assert report.ok
    assert endpoint.taken == COMMITS
    assert (report.shipped, endpoint.connections, endpoint.busiest) == (12, 1, 1)
    assert (endpoint.keys, endpoint.paths) == ({"Bearer k1"}, {PATH})


def test_the_next_call_goes_on_where_the_last_one_stopped(ledger: FileLedger, endpoint: Endpoint) -> None:
    shipped(ledger, endpoint)
    assert shipped(ledger, endpoint).shipped == 0
    event = committed(made.facts(99))
    ledger.append(event.id, event.event)
    assert shipped(ledger, endpoint).shipped == 1
    assert endpoint.taken == [*COMMITS, made.facts(99).commit_id]


def test_a_rebuild_ships_everything_again(ledger: FileLedger, endpoint: Endpoint) -> None:
    shipped(ledger, endpoint)
    assert shipped(ledger, endpoint, from_start=True).shipped == 12
    assert endpoint.taken == COMMITS * 2


@pytest.mark.parametrize("answer", [503, 500, 429, 408, "hang up before", "hang up after", "slow", (429, "0"), (503, "soon")])
def test_an_endpoint_that_fails_and_recovers_gets_every_event_in_order(
    ledger: FileLedger, endpoint: Endpoint, answer: Answer
) -> None:
    endpoint.plan = lambda asked, _: answer if asked in (1, 4, 5, 12) else None
    if answer == "slow":
        endpoint.plan = lambda asked, _: "slow" if asked == 4 else None
    report = shipped(ledger, endpoint, patience=Patience(0.01, 0.05, give_up_seconds=20, answer_seconds=1.0))
    assert report.ok
    assert report.shipped == 12
    assert endpoint.first_taken() == COMMITS
    if answer not in ("hang up after", "slow"):
        assert endpoint.taken == COMMITS, "only an answer that got lost may cost a second delivery"


def test_waits_grow_and_honour_what_the_endpoint_asks_up_to_the_longest(ledger: FileLedger, endpoint: Endpoint) -> None:
    waits: list[float] = []
    endpoint.plan = lambda asked, _: (503, "7") if asked == 4 else 503 if asked < 7 else None
    report = shipped(ledger, endpoint, patience=Patience(1.0, 5.0, give_up_seconds=60), sleep=waits.append)
    assert report.ok
    assert waits == [1.0, 2.0, 4.0, 5.0, 5.0, 5.0]


def test_an_event_that_is_refused_is_set_aside_with_the_reason_and_blocks_nothing(ledger: FileLedger, endpoint: Endpoint) -> None:
    endpoint.plan = lambda _, commit: 422 if commit in (COMMITS[3], COMMITS[8]) else None
    report = shipped(ledger, endpoint)
    assert endpoint.taken == [commit for commit in COMMITS if commit not in (COMMITS[3], COMMITS[8])]
    assert not report.ok
    assert [(refused.position.line, refused.status, refused.reason) for refused in report.refused] == [
        (3, 422, "the endpoint says why"),
        (8, 422, "the endpoint says why"),
    ]
    listed = (next((ledger.folder / "shipped").iterdir()) / "refused.jsonl").read_text().splitlines()
    assert [json.loads(line)["event_id"] for line in listed] == [refused.event_id for refused in report.refused]
    assert shipped(ledger, endpoint).ok, "refused events are told once"


@pytest.mark.parametrize("status", [401, 403, 404, 405, 301])
def test_an_answer_that_no_event_is_to_blame_for_stops_in_place(ledger: FileLedger, endpoint: Endpoint, status: int) -> None:
    endpoint.plan = lambda asked, _: status if asked == 3 else None
    report = shipped(ledger, endpoint)
    assert (report.shipped, report.position.line, report.refused) == (2, 2, ())
    assert str(status) in report.away
    assert shipped(ledger, endpoint).ok
    assert endpoint.taken == COMMITS


def test_an_endpoint_that_goes_away_in_the_midst_is_told_the_rest_when_it_is_back(ledger: FileLedger, endpoint: Endpoint) -> None:
    endpoint.plan = lambda asked, _: 503 if asked > 5 else None
    hasty = Patience(0.01, 0.02, give_up_seconds=0.1)
    report = shipped(ledger, endpoint, patience=hasty)
    assert not report.ok
    assert (report.shipped, report.position.line) == (5, 5)
    assert "503" in report.away
    endpoint.plan = lambda *_: None
    assert shipped(ledger, endpoint).shipped == 7
    assert endpoint.taken == COMMITS


def test_nobody_listening_is_a_report_and_not_a_crash(ledger: FileLedger) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        report = ship(ledger, url, ledger.folder / "shipped", patience=Patience(0.01, 0.02, give_up_seconds=0.1))
    assert (report.shipped, report.position) == (0, START)
    assert "does not answer" in report.away


def test_being_told_to_stop_ends_between_two_events(ledger: FileLedger, endpoint: Endpoint) -> None:
    report = shipped(ledger, endpoint, stop=lambda: len(endpoint.taken) == 4)
    assert (report.shipped, report.away) == (4, "told to stop")
    assert shipped(ledger, endpoint).ok
    assert endpoint.taken == COMMITS


SHIPPER = """
import sys
from pathlib import Path
from lineage.connectors import marquez
from lineage.connectors.ledger_file import FileLedger
marquez.REMEMBER_EVERY = 3
print(marquez.ship(FileLedger(Path(sys.argv[1])), sys.argv[2], Path(sys.argv[1]) / "shipped").shipped)
"""


def test_a_killed_shipper_goes_on_and_nothing_is_lost(ledger: FileLedger, endpoint: Endpoint) -> None:
    reached, told = threading.Event(), threading.Event()

    def plan(asked: int, _: str) -> Answer:
        if asked == 8 and not told.is_set():
            reached.set()
            return "slow"
        return None

    endpoint.plan = plan
    command = [sys.executable, "-c", SHIPPER, str(ledger.folder), endpoint.url]
    killed = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL)
    assert reached.wait(60)
    killed.kill()
    killed.wait()
    told.set()
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert int(done.stdout) == 6, "it goes on from the last position remembered, not from the start"
    assert endpoint.first_taken() == COMMITS


def test_each_endpoint_has_a_position_of_its_own(ledger: FileLedger, endpoint: Endpoint) -> None:
    shipped(ledger, endpoint)
    other = endpoint.url.replace("127.0.0.1", "localhost")
    assert ship(ledger, other, ledger.folder / "shipped", patience=QUICK).shipped == 12


def test_a_second_shipper_to_the_same_endpoint_is_kept_out(ledger: FileLedger, endpoint: Endpoint) -> None:
    with Remembered(ledger.folder / "shipped", endpoint.url).held(), pytest.raises(TransientError, match="another shipper"):
        shipped(ledger, endpoint)


def test_a_position_that_cannot_be_read_says_what_to_do(ledger: FileLedger, endpoint: Endpoint) -> None:
    shipped(ledger, endpoint)
    Remembered(ledger.folder / "shipped", endpoint.url).file.write_text("{")
    with pytest.raises(LedgerBroken, match="rebuild"):
        shipped(ledger, endpoint)
    assert shipped(ledger, endpoint, from_start=True).shipped == 12


def test_positions_are_remembered_on_the_way(ledger: FileLedger, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marquez, "REMEMBER_EVERY", 5)
    written: list[int] = []
    real = Remembered.write
    monkeypatch.setattr(Remembered, "write", lambda self, at: (written.append(at.line), real(self, at))[1])
    shipped(ledger, endpoint)
    assert written == [5, 10, 12]


@pytest.mark.parametrize("url", ["", "marquez:5000", "ftp://h", "http://", "http://h:99999", "http://user:pw@h:1"])
def test_what_is_no_endpoint_is_refused_without_repeating_it(ledger: FileLedger, url: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        ship(ledger, url, ledger.folder / "shipped")
    assert "pw" not in str(caught.value)
