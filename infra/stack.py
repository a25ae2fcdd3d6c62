"""The local stack: one Kafka broker (KRaft, one node) as a child process, with its data under the home folder.

    start ─▶ lock ─▶ ours already? ─▶ java, jars ─▶ ports free? ─▶ storage formatted ─▶ process ─▶ it answers

Each step finds done what an earlier try did, so a start after any crash is the same start. Ready means that the broker
answers a metadata request with the id of our own cluster and counts itself alive.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from contracts.errors import StackBroken
from infra.broker_files import (
    MAIN_CLASS,
    cluster_id,
    command,
    configure,
    configured_port,
    data_folder,
    format_storage,
    kafka_log,
    properties_file,
)
from infra.jars import fetched_jars, java, locked
from infra.probe import Answer, metadata
from infra.process_table import alive, command_of, instance, port_free, port_holder, running_with
from infra.processes import Child, Record, adopt, end, end_abandoned, ended_in_order, records, spawn, tail, wait_for_end
from infra.settings import Settings

BROKER = "broker"
READY_SECONDS_MAX = 120.0
STOP_SECONDS_MAX = 30.0
PROBE_SECONDS = 0.05

Say = Callable[[str], None]


@dataclass(frozen=True)
class Broker:
    """A broker that answers."""

    pid: int
    port: int
    kafka_release: str
    cluster_id: str
    started_at: datetime
    log: Path
    started: bool = False
    """Whether this call started it, rather than found it."""


def start(settings: Settings, say: Say = lambda _: None) -> Broker:
    """Start the broker to outlive this process, or return the one that runs already. Two callers at once do not meet.

    Raises StackBroken, saying what to do, if a program is missing, a port is taken, or the broker does not come up.
    """
    return _start(settings, say, detached=True)[0]


@contextmanager
def broker(settings: Settings, say: Say = lambda _: None) -> Iterator[Broker]:
    """Have a broker for the block: one that runs is used and left, one started here is stopped at the end.

    It is stopped after an error, Ctrl-C, SIGTERM and SIGHUP too; after a kill -9 the kernel stops it, or the next start.
    Call it from a thread that outlives the block.
    """
    with ExitStack() as stack:
        if threading.current_thread() is threading.main_thread():
            stack.enter_context(ended_in_order())
        found, child = _start(settings, say, detached=False)
        if child is not None:
            stack.callback(child.stop, STOP_SECONDS_MAX)
        yield found


def stop(settings: Settings) -> Record | None:
    """Stop this home's broker, and what killed commands left; return the record of the broker, None if there was none.

    Raises StackBroken if a running command owns the broker: it stops it itself.
    """
    _must_be_ours(settings)
    with _locked(settings):
        end_abandoned(settings)
        running = _running(settings)
        if running is not None:
            _must_not_be_anothers(running)
            end(running, STOP_SECONDS_MAX)
            end_abandoned(settings)  # takes the record away
        return running


def find(settings: Settings) -> Broker | None:
    """Return this home's broker if it runs and answers. Changes nothing."""
    running = _running(settings)
    if running is None:
        return None
    answer = _ours(settings, metadata(running.port))
    return _broker(settings, running, answer, started=False) if answer else None


def _start(settings: Settings, say: Say, *, detached: bool) -> tuple[Broker, Child | None]:
    _must_be_ours(settings)
    with _locked(settings):
        for left in end_abandoned(settings):
            say(f"ended {left.name} (pid {left.pid}), which a killed command had left running")
        running = _running(settings)
        if running is not None:
            return _joined(settings, running, detached=detached), None
        program, jars = java(settings), fetched_jars(settings, say)
        _must_be_free(settings)
        configure(settings)
        format_storage(settings, program, jars)
        say(f"starting Kafka {jars.kafka_release} on port {settings.broker_port}")
        child = spawn(
            command(settings, program, jars), name=BROKER, settings=settings, detached=detached, port=settings.broker_port
        )
        with ExitStack() as on_failure:
            on_failure.callback(child.stop)
            answer = _ready(settings, child)
            on_failure.pop_all()
        return _broker(settings, child.record, answer, started=True), child


def _joined(settings: Settings, running: Record, *, detached: bool) -> Broker:
    """Return the running broker when it answers: another command may have started it a moment ago."""
    if detached:
        _must_not_be_anothers(running)
    if running.port != settings.broker_port:
        raise StackBroken(
            f"this home's broker listens on port {running.port}, the settings say {settings.broker_port}",
            where=str(settings.home),
            remedy=f"`headwater down` with HEADWATER_BROKER_PORT={running.port} first, or keep that port",
        )
    deadline = time.monotonic() + READY_SECONDS_MAX
    while (answer := _ours(settings, metadata(running.port))) is None:
        if not running.running or time.monotonic() > deadline:
            raise _not_up(settings, f"Kafka (pid {running.pid}) runs, and does not answer on port {running.port}")
        wait_for_end(running, PROBE_SECONDS)
    return _broker(settings, running, answer, started=False)


def _ready(settings: Settings, child: Child) -> Answer:
    deadline = time.monotonic() + READY_SECONDS_MAX
    while (answer := _ours(settings, metadata(settings.broker_port))) is None:
        code = child.wait(PROBE_SECONDS)
        if code is not None:
            raise _not_up(settings, f"Kafka ended with code {code} while starting")
        if time.monotonic() > deadline:
            raise _not_up(settings, f"Kafka does not answer on port {settings.broker_port} after {READY_SECONDS_MAX:.0f} s")
    return answer


def _ours(settings: Settings, answer: Answer | None) -> Answer | None:
    """Return the answer if it is from our own cluster, and a broker is up in it."""
    return answer if answer and answer.brokers and answer.cluster_id == cluster_id(settings) else None


def _not_up(settings: Settings, what: str) -> StackBroken:
    """Return the error with the last that the broker said: its log, then what Java wrote beside it."""
    last = "\n".join(filter(None, (tail(kafka_log(settings), 15), tail(settings.logs / f"{BROKER}.log", 5))))
    remedy = f"read {kafka_log(settings)}; if the data is not worth keeping, delete {data_folder(settings)}"
    return StackBroken(f"{what}; it said last:\n{last}", where=str(kafka_log(settings)), remedy=remedy)


def _running(settings: Settings) -> Record | None:
    """Return the record of this home's broker if it runs. One whose record was never written is found by its command line."""
    for record in records(settings):
        if record.name == BROKER and MAIN_CLASS in command_of(record.pid):
            return record
    for pid in running_with(str(properties_file(settings))):
        if MAIN_CLASS in command_of(pid):
            return adopt(settings, pid, name=BROKER, port=configured_port(settings))
    return None


def _must_be_ours(settings: Settings) -> None:
    if not settings.embedded:
        raise StackBroken(
            f"the broker at {settings.bootstrap_servers} is not ours to start or stop",
            where="setting bootstrap.servers",
            remedy="take it out of the settings to use the embedded broker",
        )


def _must_not_be_anothers(running: Record) -> None:
    if running.parent and running.parent != instance() and alive(running.parent):
        owner = running.parent.split(":")[-2]
        raise StackBroken(
            f"the broker (pid {running.pid}) belongs to a command that runs now, pid {owner}, and ends with it",
            remedy="wait for it or end it with Ctrl-C, or use another --home with another HEADWATER_BROKER_PORT",
        )


def _must_be_free(settings: Settings) -> None:
    for port, use in ((settings.broker_port, "broker"), (settings.broker_port + 1, "controller")):
        if port_free(port):
            continue
        pid = port_holder(port)
        who = f"pid {pid} ({' '.join(command_of(pid))[:120]})" if pid else "a process that the system does not show us"
        raise StackBroken(
            f"port {port}, for the {use}, is taken by {who}",
            expected=f"ports {settings.broker_port} and {settings.broker_port + 1} free",
            remedy="end that process, or choose another pair: HEADWATER_BROKER_PORT=29092",
        )


def _broker(settings: Settings, record: Record, answer: Answer, *, started: bool) -> Broker:
    release = next(
        (jar.name[:-4].rpartition("-")[2] for jar in _jars_of(record) if jar.name.startswith("kafka_2.13-")), "unknown"
    )
    begun = datetime.fromisoformat(record.started_at).astimezone(UTC)
    return Broker(record.pid, record.port, release, answer.cluster_id, begun, kafka_log(settings), started)


def _jars_of(record: Record) -> list[Path]:
    """Return the jars that a broker was started with: they say its release, whatever the pom says by now."""
    after = dict(zip(record.command, record.command[1:], strict=False))
    folder = Path(after.get("-cp", "").rstrip("*") or os.devnull)
    return list(folder.iterdir()) if folder.is_dir() else []


@contextmanager
def _locked(settings: Settings) -> Iterator[None]:
    for folder in (settings.run, settings.broker_home, settings.logs):
        folder.mkdir(parents=True, exist_ok=True)
    with locked(settings.run / ".lock"):
        yield
