"""Kafka, through confluent-kafka (librdkafka): fetch, send, look at the ends. The only file that knows it.

Promises. `Fetcher` gives each partition's records in order, and again after a restart unless told where to go on.
`Sender` is idempotent, keeps the order of each partition, and has written nothing for certain until `flush` returns.
Broker offsets are a hint (decision 2): nothing here decides what was done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import numpy as np
from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic

from contracts.errors import BrokerAway, TerminalError

ANSWER_SECONDS = 30.0
READ_SECONDS = 2.0
ASK_AGAIN_SECONDS = 0.05
NO_LONGER_OURS = (
    KafkaError._NO_OFFSET,  # noqa: SLF001
    KafkaError._STATE,  # noqa: SLF001
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.REBALANCE_IN_PROGRESS,
)
RECORD_BYTES_MAX = 16 * 1024 * 1024
RAW_CONFIG = {"max.message.bytes": str(RECORD_BYTES_MAX)}

CONSUMER_DEFAULTS: dict[str, Any] = {
    "enable.auto.commit": False,
    "auto.offset.reset": "earliest",
    "isolation.level": "read_committed",
    "fetch.max.bytes": RECORD_BYTES_MAX,
    "fetch.message.max.bytes": 512 * 1024,
    "receive.message.max.bytes": 3 * RECORD_BYTES_MAX,
    "queued.max.messages.kbytes": 8 * 1024,
    "fetch.queue.backoff.ms": 5,
    "session.timeout.ms": 10_000,
    "enable.partition.eof": True,
    "allow.auto.create.topics": False,
}
"""`fetch.message.max.bytes` and the queue bound the memory: a larger record still comes, alone. The former counts what is
compressed, and shares out the topics: with 2 MiB clean took the year of flights topic by topic and peaked at 482 MiB, with
512 KiB it took all topics together and peaked at 371.

A partition whose queue was full is fetched again after a few milliseconds; by default it would wait for a second.
"""

PRODUCER_DEFAULTS: dict[str, Any] = {
    "enable.idempotence": True,
    "compression.type": "lz4",
    "linger.ms": 20,
    "batch.size": 512 * 1024,
    "message.max.bytes": RECORD_BYTES_MAX,
    "message.timeout.ms": 0,
    "partitioner": "murmur2_random",
    "queue.buffering.max.messages": 200_000,
    "queue.buffering.max.kbytes": 64 * 1024,
    "delivery.report.only.error": True,
}
"""No timeout: a broker that is away is waited for.

murmur2, because Java's clients (Flink, Spark) use it: one key, one partition, whoever writes.
"""


Answer = TypeVar("Answer")


@dataclass(frozen=True)
class PresentOffsets:
    """What the broker holds of one partition: first and next offset of the log, and the offsets that a reader is given."""

    start: int
    end: int
    offsets: np.ndarray


def _quiet(error: KafkaError) -> None:
    """Take librdkafka's connection errors: it reconnects by itself, and what matters shows in the calls that wait."""


def _client(client: Mapping[str, Any], defaults: Mapping[str, Any], **extra: Any) -> dict[str, Any]:
    return {**defaults, **extra, "error_cb": _quiet, "log_level": 2, **client}


def _admin(client: Mapping[str, Any]) -> AdminClient:
    return AdminClient(_client(client, {}))


def _away(client: Mapping[str, Any], error: object) -> BrokerAway:
    return BrokerAway(
        f"Kafka at {client.get('bootstrap.servers')} did not answer: {error}",
        expected=f"an answer within {ANSWER_SECONDS:.0f} s",
        remedy="headwater up (embedded), or mend [kafka] in headwater.toml",
    )


def topics(client: Mapping[str, Any], seconds: float = ANSWER_SECONDS) -> dict[str, int]:
    """Return the broker's topics with their partition counts; internal topics left out. Raises BrokerAway."""
    try:
        listed = _admin(client).list_topics(timeout=seconds).topics
    except KafkaException as error:
        raise _away(client, error) from error
    return {name: len(topic.partitions) for name, topic in listed.items() if not name.startswith("__")}


def ensure_topics(client: Mapping[str, Any], wanted: Mapping[str, int], config: Mapping[str, str] | None = None) -> list[str]:
    """Create the topics that are absent, with their partition counts; return their names. The others stay as they are.

    Returns when every partition of the new ones answers: asked too early, a broker says that it does not lead them.
    """
    absent = {name: count for name, count in wanted.items() if name not in topics(client)}
    if not absent:
        return []
    admin = _admin(client)  # held until its answers are in: they fail when it is collected
    made = admin.create_topics([NewTopic(name, count, config=dict(config or {})) for name, count in absent.items()])
    for name, future in made.items():
        try:
            future.result(ANSWER_SECONDS)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise TerminalError(
                    f"topic {name} could not be created: {error}", where=str(client["bootstrap.servers"])
                ) from error
    _await_leaders(client, absent)
    return sorted(absent)


def _await_leaders(client: Mapping[str, Any], new: Mapping[str, int]) -> None:
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        try:
            if len(end_offsets(client, list(new))) >= sum(new.values()):
                return
        except BrokerAway:
            if time.monotonic() > deadline:
                raise
        time.sleep(ASK_AGAIN_SECONDS)
        if time.monotonic() > deadline:
            raise _away(client, f"topics {', '.join(sorted(new))} were made and do not show")


def end_offsets(client: Mapping[str, Any], names: Sequence[str]) -> dict[tuple[str, int], tuple[int, int]]:
    """Return (start, end) offsets by topic and partition; `end` is the next one to be written."""
    counts = topics(client)
    consumer = Consumer(_client(client, CONSUMER_DEFAULTS, **{"group.id": "headwater-looks"}))
    try:
        return {
            (name, partition): consumer.get_watermark_offsets(TopicPartition(name, partition), timeout=ANSWER_SECONDS)
            for name in names
            for partition in range(counts.get(name, 0))
        }
    except KafkaException as error:
        raise _away(client, error) from error
    finally:
        consumer.close()


def read_range(client: Mapping[str, Any], topic: str, partition: int, first: int, end: int) -> Iterator[list[Message]]:
    """Yield the records of one partition with `first <= offset < end`, in lists; stop at the end of the log as well.

    Raises BrokerAway when nothing comes for a while though the log has more.
    """
    consumer = Consumer(_client(client, CONSUMER_DEFAULTS, **{"group.id": "headwater-reads"}))
    try:
        start, stop = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=ANSWER_SECONDS)
        consumer.assign([TopicPartition(topic, partition, max(first, start))])
        position, stop = max(first, start), min(end, stop)
        while position < stop:
            # One call that waits, then one that takes what is there: a call for many waits for all of them.
            messages = consumer.consume(1, READ_SECONDS)
            messages += consumer.consume(2_000, 0.0) if messages else []
            at_end = any(m.error() is not None and m.error().code() == KafkaError._PARTITION_EOF for m in messages)  # noqa: SLF001
            good = [m for m in messages if m.error() is None]
            if good:
                position = good[-1].offset() + 1
                yield [m for m in good if m.offset() < stop]
            if at_end:
                return
            if not messages:
                position = _still_reading(consumer, client, topic, partition, position)
    except KafkaException as error:
        raise _away(client, error) from error
    finally:
        consumer.close()


def newest(client: Mapping[str, Any], topic: str, records: int) -> Iterator[Message]:
    """Yield about so many of a topic's newest records, the same number from each partition that has them."""
    ends = end_offsets(client, [topic])
    share = -(-records // max(1, sum(end > start for start, end in ends.values())))
    for (_, partition), (start, end) in sorted(ends.items()):
        for messages in read_range(client, topic, partition, max(start, end - share), end):
            yield from messages


def _still_reading(consumer: Consumer, client: Mapping[str, Any], topic: str, partition: int, position: int) -> int:
    """Ask the broker whether it is there at all when a read came back empty. Raises BrokerAway if not."""
    try:
        consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=ANSWER_SECONDS)
    except KafkaException as error:
        raise _away(client, error) from error
    return position


def offset_at(client: Mapping[str, Any], topic: str, partition: int, timestamp_ms: int) -> int:
    """Return the first offset of a partition whose record has this timestamp or a later one; its end if none has."""
    consumer = Consumer(_client(client, CONSUMER_DEFAULTS, **{"group.id": "headwater-looks"}))
    try:
        (found,) = consumer.offsets_for_times([TopicPartition(topic, partition, max(timestamp_ms, 0))], timeout=ANSWER_SECONDS)
        if found.error is None and found.offset >= 0:
            return int(found.offset)
        _, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=ANSWER_SECONDS)
        return int(end)
    except KafkaException as error:
        raise _away(client, error) from error
    finally:
        consumer.close()


def last_timestamp(client: Mapping[str, Any], topic: str, partition: int, start: int, end: int) -> int | None:
    """Return the timestamp, in milliseconds, of the last record of a partition before `end`; None if there is none."""
    step, upper = 16, end
    while upper > start:
        lower = max(start, upper - step)
        found = [m.timestamp()[1] for messages in read_range(client, topic, partition, lower, upper) for m in messages]
        if found:
            return int(found[-1])
        step, upper = step * 16, lower
    return None


def present_offsets(client: Mapping[str, Any], topic: str) -> dict[int, PresentOffsets]:
    """Read a topic from its start to its present end and return, by partition, the offsets that exist.

    Offsets in between that are not returned are transaction markers, aborted, or compacted away.
    """
    found: dict[int, PresentOffsets] = {}
    for (_, partition), (start, end) in sorted(end_offsets(client, [topic]).items()):
        seen = [m.offset() for messages in read_range(client, topic, partition, start, end) for m in messages]
        found[partition] = PresentOffsets(start, end, np.asarray(seen, dtype=np.int64))
    return found


def tail_header(
    client: Mapping[str, Any], topic: str, header: str, wanted: Callable[[bytes], bool] = bool
) -> dict[int, bytes | None]:
    """Return, by partition, the header of the last record that has it as wanted; None for a partition without such a record.

    Looks back in growing steps, because the end of a log can hold transaction markers or foreign records.
    """
    ends = end_offsets(client, [topic])
    return {
        partition: _last_header(client, topic, partition, header, start, end, wanted)
        for (_, partition), (start, end) in sorted(ends.items())
    }


def _last_header(
    client: Mapping[str, Any], topic: str, partition: int, header: str, start: int, end: int, wanted: Callable[[bytes], bool]
) -> bytes | None:
    step, upper = 16, end
    while upper > start:
        lower = max(start, upper - step)
        found = None
        for messages in read_range(client, topic, partition, lower, upper):
            for message in messages:
                value = header_value(message, header)
                found = value if value is not None and wanted(value) else found
        if found is not None:
            return found
        step, upper = step * 16, lower
    return None


def header_value(message: Message, name: str) -> bytes | None:
    """Return the value of a record's header, the last of that name, or None."""
    found = None
    for key, value in message.headers() or ():
        if key == name:
            found = value
    return found


class Sender:
    """Writes records, idempotently and in order. A context manager: leaving it without an error flushes.

    Durable only after `flush`: a failed delivery raises there, or at the next `send`.
    """

    def __init__(self, client: Mapping[str, Any], **overrides: Any) -> None:
        self._bootstrap = client
        self._producer = Producer(_client(client, PRODUCER_DEFAULTS, on_delivery=self._delivered, **overrides))
        self._failed: KafkaError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None:
            self.flush()
        else:
            self._producer.purge()

    def send(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | str | None = None,
        headers: list[tuple[str, bytes]] | None = None,
        partition: int = -1,
        timestamp_ms: int = 0,
    ) -> None:
        """Queue one record; when the queue is full, wait until there is room. Raises what an earlier delivery failed with."""
        while True:
            try:
                self._producer.produce(topic, value, key, partition, timestamp=timestamp_ms, headers=headers)
            except BufferError:
                self._producer.poll(0.05)
                self._raise_failed()
            else:
                return

    def send_all(self, topic: str, records: Iterator[tuple[bytes, Any, int, int, list[tuple[str, bytes]]]]) -> None:
        """Queue many records as (value, key, partition, timestamp_ms, headers): `send` without its call per record."""
        produce = self._producer.produce
        for value, key, partition, timestamp_ms, headers in records:
            try:
                produce(topic, value, key, partition, timestamp=timestamp_ms, headers=headers)
            except BufferError:
                self.send(topic, value, key=key, headers=headers, partition=partition, timestamp_ms=timestamp_ms)
        self._producer.poll(0)
        self._raise_failed()

    def flush(self, seconds: float | None = None) -> None:
        """Wait until the broker has acknowledged all that was sent, for ever unless told how long; raise if it refused any."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while self._producer.flush(1.0):
            self._raise_failed()
            if deadline is not None and time.monotonic() > deadline:
                raise _away(self._bootstrap, f"{len(self._producer)} records unacknowledged after {seconds} s")
        self._raise_failed()

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._failed = error

    def _raise_failed(self) -> None:
        if self._failed is None:
            return
        failed, self._failed = self._failed, None
        if failed.code() in (KafkaError._MSG_TIMED_OUT, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN):  # noqa: SLF001
            raise _away(self._bootstrap, failed)
        raise TerminalError(f"Kafka refused a record: {failed}", where=str(self._bootstrap.get("bootstrap.servers")))


@dataclass(frozen=True)
class Slot:
    """One partition of one topic."""

    topic: str
    partition: int


class Fetcher:
    """Reads topics as one member of a consumer group, in batches bounded by count and bytes.

    `resume` is asked, for the partitions just given to this member, where to go on (None: the group's committed hint, or the
    start). `lost` hears which were taken away. Both are called from within `fetch`, between batches.
    """

    def __init__(
        self,
        client: Mapping[str, Any],
        group: str,
        names: Sequence[str],
        resume: Callable[[Sequence[Slot]], Mapping[Slot, int | None]],
        lost: Callable[[Sequence[Slot]], None],
    ) -> None:
        self._resume, self._lost = resume, lost
        self._next: dict[Slot, int] | None = None
        self._consumer = Consumer(_client(client, CONSUMER_DEFAULTS, **{"group.id": group, "max.poll.interval.ms": 600_000}))
        self._consumer.subscribe(list(names), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked)

    def fetch(self, records: int, size: int, seconds: float) -> list[Message]:
        """Return up to `records` records or about `size` bytes; wait at most `seconds` for the first.

        Takes only what librdkafka has already fetched, whose queue is bounded: so 10 MB records cannot pile up.
        """
        taken = self._good(self._consumer.consume(1, seconds))
        held = sum(map(len, taken))
        while taken and len(taken) < records and held < size:
            came = self._consumer.consume(min(1_000, records - len(taken)), 0.0)
            if not came:
                break
            more = self._good(came)
            taken += more
            held += sum(map(len, more))
        return taken

    def reached(self, goal: Mapping[Slot, int]) -> bool:
        """Say whether every partition that this member holds was read to its end, at or behind its goal.

        False before any were given. librdkafka tells of the end of a partition each time it gets there.
        """
        held = self._next
        return held is not None and all(at >= goal.get(slot, 0) for slot, at in held.items())

    def hint(self, next_offsets: Mapping[Slot, int]) -> None:
        """Tell the broker how far we are, without waiting: others may look at it, nothing rests on it."""
        held = self._next or {}
        offsets = [TopicPartition(slot.topic, slot.partition, offset) for slot, offset in next_offsets.items() if slot in held]
        if offsets:
            try:
                self._consumer.commit(offsets=offsets, asynchronous=True)
            except KafkaException as error:
                if error.args[0].code() not in NO_LONGER_OURS:
                    raise

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _good(self, came: list[Message]) -> list[Message]:
        """Return the records among what came, and note where each partition now stands, its end included."""
        good, held = [], self._next if self._next is not None else {}
        for message in came:
            error = message.error()
            if error is None:
                good.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                held[Slot(message.topic(), message.partition())] = message.offset()
            elif error.fatal():
                raise TerminalError(f"Kafka's consumer gave up: {error}")
        return good

    def _assigned(self, consumer: Consumer, given: list[TopicPartition]) -> None:
        slots = [Slot(p.topic, p.partition) for p in given]
        resumed = _patiently(lambda: self._resume(slots))
        for part, slot in zip(given, slots, strict=True):
            offset = resumed.get(slot)
            if offset is not None:
                part.offset = offset
        self._next = {slot: resumed.get(slot) or 0 for slot in slots}
        consumer.assign(given)

    def _revoked(self, _consumer: Consumer, taken: list[TopicPartition]) -> None:
        self._next = None
        self._lost([Slot(p.topic, p.partition) for p in taken])


def _patiently(call: Callable[[], Answer]) -> Answer:
    """Call until the broker answers: it has just given us partitions, so it will be back."""
    while True:
        try:
            return call()
        except BrokerAway:
            continue  # each try has itself waited for ANSWER_SECONDS


def committed_hints(client: Mapping[str, Any], group: str, names: Sequence[str]) -> dict[Slot, int]:
    """Return the offsets that a group committed, for a progress display; partitions without one are left out."""
    counts = topics(client)
    wanted = [TopicPartition(name, p) for name in names for p in range(counts.get(name, 0))]
    consumer = Consumer(_client(client, CONSUMER_DEFAULTS, **{"group.id": group}))
    try:
        found = consumer.committed(wanted, timeout=ANSWER_SECONDS)
    except KafkaException as error:
        raise _away(client, error) from error
    finally:
        consumer.close()
    return {Slot(p.topic, p.partition): p.offset for p in found if p.offset >= 0}
