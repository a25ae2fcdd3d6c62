"""Where a benchmark runs: a broker of its own in a home of its own, which is gone afterwards; sides as processes.

Each side is a process, so that no side pays for another's imports, memory or interpreter lock.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson

from contracts.contract import Contract
from contracts.errors import TerminalError
from infra.bench import records
from infra.settings import PROJECT_FOLDER, Settings

SIDE_SECONDS_MAX = 900.0
KAFKA_JARS = "jars"


@contextmanager
def scratch(settings: Settings) -> Iterator[Settings]:
    """Have a broker with nothing in it for the block; yield settings for it. Folder and broker are gone at the end."""
    from infra.output import say
    from infra.stack import broker

    jars = settings.jars if settings.jars != Path() else settings.broker_home / KAFKA_JARS
    with tempfile.TemporaryDirectory(prefix="headwater-bench-") as folder:
        ours = replace(
            settings,
            home=Path(folder),
            tables_at="",  # whatever an installation keeps in a bucket, a benchmark leaves alone
            ledger_at="",
            training_sets_at="",
            jars=jars,
            kafka=MappingProxyType({key: value for key, value in settings.kafka.items() if key != "bootstrap.servers"}),
            broker_port=free_pair(),
            openlineage_url="",
        )
        with broker(ours, say):
            yield ours


def free_pair() -> int:
    """Return a port that is free together with the next: the broker's and its controller's."""
    for _ in range(100):
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port
    raise TerminalError("no two neighbouring ports are free", expected="ports for a broker and its controller")


@contextmanager
def side(settings: Settings, name: str, **arguments: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Start one side of a benchmark (`infra.bench.sides`) as a process of its own; end it at the end of the block."""
    command = [sys.executable, "-m", "infra.bench.sides", name, orjson.dumps(arguments).decode()]
    environ = {**os.environ, **settings.environ()}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd=PROJECT_FOLDER, env=environ)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def outcome(name: str, process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Wait for a side and return what it printed. Raises TerminalError if it failed."""
    printed, _ = process.communicate(timeout=SIDE_SECONDS_MAX)
    if process.returncode:
        raise TerminalError(f"{name} ended with code {process.returncode}", expected="code 0", where="its error is above")
    found: dict[str, Any] = orjson.loads(printed.splitlines()[-1])
    return found


def measured(settings: Settings, name: str, **arguments: Any) -> dict[str, Any]:
    """Run one side to its end and return its figures."""
    with side(settings, name, **arguments) as process:
        return outcome(name, process)


def filled(settings: Settings, topic: str, partitions: int, count: int) -> int:
    """Write `count` of the benchmarks' records to a new topic, spread evenly; return how many bytes their values have."""
    from streams.connectors.kafka import RAW_CONFIG, Sender, ensure_topics

    ensure_topics(settings.client(), {topic: partitions}, RAW_CONFIG)
    size = 0
    with Sender(settings.client()) as sender:
        for number, value in enumerate(records.values(count)):
            sender.send(topic, value, partition=number % partitions)
            size += len(value)
    return size


def contracts(settings: Settings, domain: str) -> list[Contract]:
    """Return the contracts of a domain."""
    from infra.wiring import catalog

    return [contract for contract in catalog(settings) if contract.domain == domain]


def demand(what: str, found: int, expected: int) -> None:
    """Raise TerminalError unless a side did all of its work: a fast side that lost records is not fast."""
    if found != expected:
        raise TerminalError(f"{what}: {found:,}", expected=f"{expected:,}")


def renewed(settings: Settings, topics: Mapping[str, int]) -> None:
    """Have topics with these partition counts and nothing in them."""
    from streams.connectors.kafka import ensure_topics

    emptied(settings, list(topics))
    ensure_topics(settings.client(), topics)


def emptied(settings: Settings, topics: Sequence[str]) -> None:
    """Delete topics, so that the next round begins with nothing. Returns when the broker no longer lists them."""
    from confluent_kafka.admin import AdminClient

    from streams.connectors import kafka

    client = settings.client()
    there = [topic for topic in topics if topic in kafka.topics(client)]
    if not there:
        return
    admin = AdminClient(client)
    for future in admin.delete_topics(there).values():
        future.result(kafka.ANSWER_SECONDS)
    deadline = time.monotonic() + kafka.ANSWER_SECONDS
    while set(there) & set(kafka.topics(client)):
        if time.monotonic() > deadline:
            raise TerminalError(f"topics {', '.join(there)} are still there", expected="gone after their deletion")
        time.sleep(0.05)
