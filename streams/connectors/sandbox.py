"""Processes that read documents which may crash, hang or swell their reader: one document dies, the job goes on.

Each child (`sandbox_child.py`) is given one document at a time over its pipes, with a bound on processor time and on memory that
the kernel holds it to; where it dies, that document is refused by what it died of, and the next one gets a new child. Processor
time and not the clock is bounded, so that a busy machine refuses nothing that an idle one takes.

A child that something else killed (the kernel, for want of memory; a person) says nothing of the document: it is tried once
more.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import orjson

from contracts.errors import StackBroken
from contracts.records import Reason
from streams.documents.model import Asked, Document, Link, Refusal, Section

CHILD = Path(__file__).with_name("sandbox_child.py")
ROOT = CHILD.parents[2]
HEADER_BYTES = 4
READY = b"ready"
"""What a child says first, once its readers are loaded."""
ANSWERS_PER_CHILD = 500
"""Then a new one takes its place: what a native library leaks is given back."""
TRIES = 2
CLOCK_FACTOR = 30
"""A child that takes so many times its processor time by the clock is stuck, and is ended."""


@dataclass(frozen=True)
class SandboxLimits:
    """What one document may cost."""

    cpu_seconds: int = 20
    memory_bytes: int = 3 * 1024**3
    """Of address space: the kernel counts no less."""
    children: int = 2


class ProcessSandbox:
    """A few children, started when they are first needed. They end with this process, however it ends."""

    def __init__(self, limits: SandboxLimits | None = None) -> None:
        self.limits = limits or SandboxLimits(children=max(1, min(4, os.cpu_count() or 1)))
        self._idle: list[_Child] = []
        self._lock = threading.Lock()

    def extracted(self, asked: Sequence[Asked]) -> list[Document | Refusal]:
        """Return the documents, or why there are none, in order; several at a time."""
        if len(asked) == 1:
            return [self._one(asked[0])]
        with ThreadPoolExecutor(self.limits.children, "headwater-sandbox") as threads:
            return list(threads.map(self._one, asked))

    def close(self) -> None:
        """End the children."""
        with self._lock:
            idle, self._idle = self._idle, []
        for child in idle:
            child.close()

    def _one(self, asked: Asked) -> Document | Refusal:
        died = 0
        for _ in range(TRIES):
            child = self._child()
            answer = child.ask(asked)
            if answer is not None:
                self._give_back(child)
                return answer
            died = child.close()
            if died != -signal.SIGKILL:
                break
        return Refusal(self._cause(died))

    def _cause(self, died: int) -> str:
        return f"at most {self.limits.cpu_seconds} s of processor time" if died == -signal.SIGXCPU else "its reader died"

    def _child(self) -> _Child:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return _Child(self.limits)

    def _give_back(self, child: _Child) -> None:
        if child.answers >= ANSWERS_PER_CHILD:
            child.close()
            return
        with self._lock:
            self._idle.append(child)


class _Child:
    """One process. Used by one thread at a time."""

    def __init__(self, limits: SandboxLimits) -> None:
        self.answers = 0
        self._clock_seconds = limits.cpu_seconds * CLOCK_FACTOR
        arguments = [sys.executable, str(CHILD), str(limits.cpu_seconds), str(limits.memory_bytes)]
        # Of our environment the child gets what Python needs to find its libraries: no address, no password.
        environment = {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)]), "OMP_NUM_THREADS": "1"}
        environment |= {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH") if name in os.environ}
        self._process = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
        )
        self._await_ready()

    def _await_ready(self) -> None:
        """Wait until the child has loaded its readers. That it cannot is no document's fault, and must not be taken for it."""
        assert self._process.stdout is not None  # noqa: S101  both are pipes, see above
        assert self._process.stderr is not None  # noqa: S101
        if received(self._process.stdout) == READY:
            self._process.stderr.close()
            return
        said = self._process.stderr.read().decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise StackBroken(
            f"the process that reads documents does not start: {said or 'it ended without a word'}",
            expected="its libraries installed, and memory for them",
            where=str(CHILD),
            remedy="install headwater with its main extra",
        )

    def ask(self, asked: Asked) -> Document | Refusal | None:
        """Return the child's answer; None if it died on the way to it."""
        assert self._process.stdin is not None  # noqa: S101  both are pipes, see above
        assert self._process.stdout is not None  # noqa: S101
        watch = threading.Timer(self._clock_seconds, self._process.kill)
        watch.daemon = True
        watch.start()
        try:
            for part in question(asked):
                self._process.stdin.write(part)
            self._process.stdin.flush()
            told = received(self._process.stdout)
        except BrokenPipeError:
            return None
        finally:
            watch.cancel()
        self.answers += 1
        return None if told is None else answer_of(told)

    def close(self) -> int:
        """End the process; return what it ended with: a negative number is the signal that it died of."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                _closed(pipe)
        return self._process.wait()


def _closed(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except BrokenPipeError:
        # What a dead child had not read yet is lost with it, which is what we know already.
        return


def question(asked: Asked) -> tuple[bytes, bytes]:
    """Return a document as it goes through the pipe: what it is, then its content."""
    content = asked.content if isinstance(asked.content, bytes) else asked.content.encode("utf-8", "surrogatepass")
    told = {
        "content_type": asked.content_type,
        "url": asked.url,
        "steps": asked.steps,
        "text": isinstance(asked.content, str),
        "bytes": len(content),
    }
    return framed(orjson.dumps(told)), content


def framed(message: bytes) -> bytes:
    """Return a message with its length before it."""
    return len(message).to_bytes(HEADER_BYTES, "big") + message


def received(pipe: IO[bytes]) -> bytes | None:
    """Return the next message; None where the other side is gone."""
    head = pipe.read(HEADER_BYTES)
    if len(head) < HEADER_BYTES:
        return None
    size = int.from_bytes(head, "big")
    message = pipe.read(size)
    return message if len(message) == size else None


def answer_of(message: bytes) -> Document | Refusal:
    """Return what a child's message says."""
    told = orjson.loads(message)
    if "refused" in told:
        return Refusal(told["refused"], Reason(told["reason"]))
    links = tuple(Link(*link) for link in told.pop("links"))
    sections = tuple(Section(*section) for section in told.pop("sections"))
    return Document(**told, links=links, sections=sections)
