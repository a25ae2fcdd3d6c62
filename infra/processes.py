"""Processes that we start: told apart from any other, recorded, found again, and ended by their pid.

A pid alone is recycled, so a process is known by its pid and its start time together. Each one we start has a record
under `<home>/run`, with the process that started it: when that one was killed outright, the next start finds the record
and ends what it left behind. On Linux the kernel does so at once (PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Self

from contracts.errors import NotFound, StackBroken
from infra.process_table import alive, command_of, instance, start_time
from infra.settings import Settings

__all__ = ["Child", "Record", "alive", "ended_in_order", "instance", "spawn"]

LOG_BYTES_MAX = 10 * 1024 * 1024
STOP_SECONDS = 15.0
POLL_SECONDS = 0.02
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Record:
    """What is known of a process that we started: `<home>/run/<name>-<pid>.json`. Several may have one name."""

    name: str
    pid: int
    started: str
    """Start time as the kernel tells it: with the pid, what no other process has."""
    command: tuple[str, ...]
    parent: str
    """Instance of the process that it must not outlive; empty if it is meant to."""
    started_at: str
    port: int = 0

    @property
    def running(self) -> bool:
        """Whether this very process, and not one that took over its pid, is there."""
        return start_time(self.pid) == self.started

    @property
    def abandoned(self) -> bool:
        """Whether it runs on though the process that it belongs to is gone."""
        return bool(self.parent) and self.running and not alive(self.parent)


@dataclass(frozen=True)
class Child:
    """A process that we started and must reap. As a context manager, it is stopped at the end of the block."""

    record: Record
    process: subprocess.Popen[bytes]
    log: Path
    recorded: Path

    @property
    def pid(self) -> int:
        """Process id."""
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def wait(self, seconds: float | None = None) -> int | None:
        """Return the exit code, or None if it runs on after so many seconds. Negative: ended by that signal."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        self.recorded.unlink(missing_ok=True)
        return code

    def stop(self, seconds: float = STOP_SECONDS) -> int:
        """Ask it to end, end it outright when it has not within so many seconds, and return its exit code."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.running:
                _signal(self.pid, number)
            code = self.wait(seconds)
            if code is not None:
                return code
        raise StackBroken(f"process {self.pid} ({self.record.name}) does not end", remedy="look for a hung disk or mount")

    def tail(self, lines: int = 20) -> str:
        """Return the last lines of its log."""
        return tail(self.log, lines)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def spawn(
    command: Sequence[str],
    *,
    name: str,
    settings: Settings,
    env: Mapping[str, str] | None = None,
    detached: bool = False,
    port: int = 0,
) -> Child:
    """Start a process in a session of its own, logging to `<home>/logs/<name>.log`, and record it.

    It is told the settings by `HEADWATER_*` variables, over our own environment and under `env`. Unless `detached`, it
    is ended with the process that starts it, and (the kernel's rule) with the thread: call this from one that stays.
    """
    log = settings.logs / f"{name}.log"
    _make_room(log)
    environ = {**os.environ, **settings.environ(), **(env or {})}
    with log.open("ab") as output:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environ,
            start_new_session=True,
            preexec_fn=None if detached else _die_with_parent(),  # noqa: PLW1509  libc is loaded before the fork
        )
    parent = "" if detached else instance()
    begun = start_time(process.pid) or "ended"
    now = datetime.now(UTC).isoformat(timespec="seconds")
    record = Record(name, process.pid, begun, tuple(command), parent, now, port)
    return Child(record, process, log, write_record(settings, record))


def write_record(settings: Settings, record: Record) -> Path:
    """Keep the record under `<home>/run`, whole or not at all."""
    settings.run.mkdir(parents=True, exist_ok=True)
    path = settings.run / f"{record.name}-{record.pid}.json"
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    draft.write_text(json.dumps(asdict(record), indent=1) + "\n", "utf-8")
    draft.replace(path)
    return path


def read_record(path: Path) -> Record | None:
    """Return the record in a file; None if there is none, or if it is not one of ours: then nothing may be ended by it."""
    try:
        read = json.loads(path.read_text("utf-8"))
        return Record(**{**read, "command": tuple(read["command"])})
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None


def records(settings: Settings) -> list[Record]:
    """Return the records of all processes of this home that are running, by name."""
    found = (read_record(path) for path in sorted(settings.run.glob("*.json")))
    return [record for record in found if record is not None and record.running]


def end_abandoned(settings: Settings) -> list[Record]:
    """End what a killed process of ours left running, and return it. Records of the dead are taken away."""
    ended = [record for record in records(settings) if record.abandoned and end(record)]
    for path in settings.run.glob("*.json"):
        record = read_record(path)
        if record is None or not record.running:
            path.unlink(missing_ok=True)
    return ended


def end(record: Record, seconds: float = STOP_SECONDS) -> bool:
    """End the recorded process, by force after so many seconds. False if it was not there any more."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if not record.running:
            return number == signal.SIGKILL
        _signal(record.pid, number)
        wait_for_end(record, seconds)
    return True


def wait_for_end(record: Record, seconds: float) -> bool:
    """Return whether the process, ours or another's, has ended within so many seconds."""
    deadline = time.monotonic() + seconds
    with suppress(ProcessLookupError), _pid_handle(record.pid) as handle:
        if record.running and handle is not None:
            select.select([handle], [], [], seconds)
    while record.running and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return not record.running


def tail(log: Path, lines: int = 20) -> str:
    """Return the last lines of a log; empty if there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 64 * 1024))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


@contextmanager
def ended_in_order() -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind the block as Ctrl-C does, so that what it started is stopped. Main thread only."""

    def unwind(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, unwind) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def adopt(settings: Settings, pid: int, *, name: str, port: int) -> Record:
    """Record a running process as one that outlives us, and return the record."""
    begun = start_time(pid)
    if begun is None:
        raise NotFound(f"no process {pid}", where=name)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    record = Record(name, pid, begun, command_of(pid), "", now, port)
    write_record(settings, record)
    return record


def _die_with_parent() -> Callable[[], None] | None:
    """Return what a forked child calls to be sent SIGTERM when its parent dies; None where the kernel offers no such thing."""
    if not sys.platform.startswith("linux"):
        return None
    libc, parent = ctypes.CDLL(None, use_errno=True), os.getpid()

    def ask_kernel() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died between fork and prctl
            os._exit(1)

    return ask_kernel


def _signal(pid: int, number: int) -> None:
    """Signal a process, with the group that it leads: a job's own helpers end with it."""
    with suppress(ProcessLookupError):
        if os.getpgid(pid) == pid:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)


@contextmanager
def _pid_handle(pid: int) -> Iterator[int | None]:
    if not hasattr(os, "pidfd_open"):
        yield None
        return
    handle = os.pidfd_open(pid)
    try:
        yield handle
    finally:
        os.close(handle)


def _make_room(log: Path) -> None:
    """Make the log's folder; move a grown log aside, so that logs stay bounded over many starts."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
        log.replace(log.with_suffix(".log.1"))
