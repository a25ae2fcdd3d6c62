"""The Faust engine: a Faust worker fetches, the same hop function cleans, the same `Cleaner` commits.

For teams that live in asyncio Python: Faust brings the consumer, the group and its rebalancing. Records leave through our
own sender, not Faust's: it is idempotent and says when a batch is acknowledged, which decision 2 rests on. Faust starts from its
group's committed offsets, so these are set to our own progress whenever partitions are given; should it start elsewhere
all the same, a record behind our progress is dropped, and a gap before the first one is read.

Faust's `exactly_once` is not used: under kill -9 it was seen to lose and to double records.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import faust
from faust.auth import SASLCredentials, SSLCredentials
from faust.types import TP

from contracts.errors import BrokerAway, SettingsInvalid
from lineage.facts import RunRef
from streams.batches import record_batch
from streams.connectors.kafka import Slot, end_offsets, read_range
from streams.engines import topics
from streams.engines.cleaner import Cleaner
from streams.engines.direct import IDLE_SECONDS, Stop
from streams.setup import Setup
from streams.topology import CLEAN_GROUPS

GROUP = CLEAN_GROUPS["faust"]
SESSION_SECONDS = 10.0
"""Faust's own default lets a killed worker's partitions wait for a minute."""
WATCH_SECONDS = 0.2
QUIET_SECONDS = 5.0
"""After so long without a record, what lies between here and a drain's goal is looked at: it may be markers alone."""


class Kept:
    """One Faust event as `streams.batches` reads records."""

    __slots__ = ("_message",)

    def __init__(self, event: Any) -> None:
        self._message = event.message

    def topic(self) -> str:
        """Return the topic."""
        return str(self._message.topic)

    def partition(self) -> int:
        """Return the partition."""
        return int(self._message.partition)

    def offset(self) -> int:
        """Return the offset."""
        return int(self._message.offset)

    def timestamp(self) -> tuple[int, int]:
        """Return the timestamp's type and milliseconds; Faust keeps seconds."""
        return int(self._message.timestamp_type or 0), round(self._message.timestamp * 1000)

    def key(self) -> bytes | None:
        """Return the key's bytes."""
        return self._message.key  # type: ignore[no-any-return]

    def value(self) -> bytes | None:
        """Return the value's bytes, undecoded."""
        return self._message.value  # type: ignore[no-any-return]

    def headers(self) -> Sequence[tuple[str, bytes]] | None:
        """Return the headers."""
        return list(dict(self._message.headers or {}).items())


class FaustCleaner:
    """What stands between Faust's events and the `Cleaner`: one thread that does the work, in the order it came."""

    def __init__(self, setup: Setup) -> None:
        self.cleaner = Cleaner(setup)
        self.next_offsets: dict[Slot, int] = {}
        self.given = False
        self.last_batch_at = time.monotonic()
        self._setup = setup
        self._thread = ThreadPoolExecutor(1, "headwater-clean")

    async def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a function in the worker's thread, so that Faust's heartbeats go on."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)

    def assigned(self, slots: Sequence[Slot]) -> dict[Slot, int]:
        """Recover the partitions just given; return where to go on with each."""
        new = [slot for slot in slots if slot not in self.next_offsets]
        while new:
            try:
                self.next_offsets |= self.cleaner.assigned(new)
                break
            except BrokerAway:
                continue  # each try has itself waited for an answer
        self.given = True
        return {slot: self.next_offsets[slot] for slot in slots}

    def lost(self, slots: Sequence[Slot]) -> None:
        """Forget the partitions taken away."""
        self.cleaner.lost(slots)
        for slot in slots:
            self.next_offsets.pop(slot, None)

    def clean(self, records: Sequence[Any]) -> None:
        """Clean one batch of one topic, after whatever Faust left out before it."""
        self.last_batch_at = time.monotonic()
        fresh = []
        for record in sorted(records, key=lambda r: (r.partition(), r.offset())):
            slot = Slot(record.topic(), record.partition())
            expected = self.next_offsets.get(slot)
            if expected is None or record.offset() < expected:
                continue
            if record.offset() > expected:
                self._fill(slot, expected, record.offset())
            fresh.append(record)
            self.next_offsets[slot] = record.offset() + 1
        if fresh:
            self.cleaner.clean(fresh[0].topic(), record_batch(fresh))
            self.cleaner.settle()

    def reached(self, goal: Mapping[Slot, int]) -> bool:
        """Say whether each partition given stands at its goal, or has nothing but transaction markers before it."""
        short = {slot: at for slot, at in self.next_offsets.items() if at < goal.get(slot, 0)}
        if not short or time.monotonic() - self.last_batch_at < QUIET_SECONDS:
            return self.given and not short
        return not any(any(read_range(self._setup.client, s.topic, s.partition, at, goal[s])) for s, at in short.items())

    def finish(self) -> list[RunRef]:
        """Settle, close the runs, and end the thread."""
        self._thread.submit(self.cleaner.finish).result()
        self._thread.shutdown()
        return self.cleaner.runs

    def _fill(self, slot: Slot, first: int, end: int) -> None:
        """Clean what lies between our progress and Faust's first record: its committed offset was ahead of ours."""
        for messages in read_range(self._setup.client, slot.topic, slot.partition, first, end):
            self.cleaner.clean(slot.topic, record_batch(messages))


def clean(
    setup: Setup, stop: Stop, *, drain: bool = False, data_folder: Path, group: str = CLEAN_GROUPS["faust"]
) -> list[RunRef]:
    """Clean the contracts' raw topics in a Faust worker until told to stop, or with `drain` up to where they end now."""
    raw = [contract.raw_topic for contract in setup.contracts]
    topics.ensure(setup)
    goal = {Slot(*slot): end for slot, (_, end) in end_offsets(setup.client, raw).items()} if drain else None
    return asyncio.run(_worked(setup, stop, goal, data_folder, group))


async def _worked(setup: Setup, stop: Stop, goal: Mapping[Slot, int] | None, data_folder: Path, group: str) -> list[RunRef]:
    worker = FaustCleaner(setup)
    app = _app(setup, data_folder, group)
    failed: list[BaseException] = []
    for contract in setup.contracts:
        _add_agent(app, contract.raw_topic, setup, worker, failed)
    _follow_assignment(app, worker)
    await app.start()
    try:
        while not (stop() or failed or (goal is not None and await _reached(worker, goal))):  # noqa: ASYNC110
            await asyncio.sleep(WATCH_SECONDS)  # a signal's flag answers, which is no event of the loop's
    finally:
        await app.stop()
    if failed:
        raise failed[0]
    return worker.finish()


async def _reached(worker: FaustCleaner, goal: Mapping[Slot, int]) -> bool:
    return worker.given and bool(await worker.call(worker.reached, goal))


def _add_agent(app: Any, topic: str, setup: Setup, worker: FaustCleaner, failed: list[BaseException]) -> None:
    channel = app.topic(topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")

    async def cleaned(stream: Any) -> None:
        async for events in stream.take_events(setup.limits.batch_records, within=IDLE_SECONDS):
            try:
                await worker.call(worker.clean, [Kept(event) for event in events])
            except Exception as error:
                # Faust would restart the agent behind the failed batch: the whole worker must stop instead.
                failed.append(error)
                raise

    app.agent(channel, name=topic)(cleaned)


def _follow_assignment(app: Any, worker: FaustCleaner) -> None:
    async def given(_app: Any, assigned: Iterable[Any], **_rest: Any) -> None:
        resumed = await worker.call(worker.assigned, _slots(assigned, app))
        if resumed:
            await app.consumer._commit({TP(slot.topic, slot.partition): offset for slot, offset in resumed.items()})  # noqa: SLF001

    async def taken(_app: Any, revoked: Iterable[Any], **_rest: Any) -> None:
        await worker.call(worker.lost, _slots(revoked, app))

    app.on_partitions_assigned.connect(given, weak=False)
    app.on_partitions_revoked.connect(taken, weak=False)


def _slots(partitions: Iterable[Any], app: Any) -> list[Slot]:
    """Return the raw partitions among those given: Faust has topics of its own."""
    ours = {str(agent.name) for agent in app.agents.values()}
    return [Slot(tp.topic, tp.partition) for tp in partitions if tp.topic in ours]


def _app(setup: Setup, data_folder: Path, group: str) -> Any:
    servers = ";".join(f"kafka://{server.strip()}" for server in setup.servers.split(","))
    return faust.App(
        group,
        broker=servers,
        broker_credentials=_credentials(setup.client),
        broker_session_timeout=SESSION_SECONDS,
        broker_heartbeat_interval=SESSION_SECONDS / 4,
        broker_max_poll_records=setup.limits.batch_records,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=16 * 1024 * 1024,
        datadir=str(data_folder),
        store="memory://",
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
        stream_wait_empty=False,
        processing_guarantee="at_least_once",
    )


def _credentials(client: Mapping[str, Any]) -> Any:
    """Return Faust's credentials for librdkafka's security keys. Raises SettingsInvalid for what Faust cannot do."""
    protocol = str(client.get("security.protocol", "plaintext")).lower()
    if protocol == "plaintext":
        return None
    context = ssl.create_default_context(cafile=client.get("ssl.ca.location")) if protocol.endswith("ssl") else None
    if context is not None and client.get("ssl.certificate.location"):
        context.load_cert_chain(
            client["ssl.certificate.location"], client.get("ssl.key.location"), client.get("ssl.key.password")
        )
    if protocol == "ssl":
        return SSLCredentials(context=context)
    mechanism = str(client.get("sasl.mechanism", client.get("sasl.mechanisms", "PLAIN")))
    if mechanism not in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"):
        raise SettingsInvalid(
            f"sasl.mechanism is {mechanism}", expected="PLAIN or SCRAM with Faust", remedy="use --engine direct"
        )
    return SASLCredentials(
        username=client.get("sasl.username"), password=client.get("sasl.password"), ssl_context=context, mechanism=mechanism
    )
