"""What the hops are measured against: as little as the same client can do, and a plain Faust agent doing the same work.

They are written to be fast, not to be beaten: nothing here checks, waits or copies more than it must.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

import orjson

from infra.bench.clock import Clock
from infra.bench.records import COUNTRIES
from infra.settings import Settings
from streams.connectors.kafka import CONSUMER_DEFAULTS, PRODUCER_DEFAULTS, end_offsets

POLL_SECONDS = 0.2
EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
IP = re.compile(r"\b(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)\b")
PHONE = re.compile(r"\+\d(?:[ ().\-/]{0,2}\d){6,14}\b|\b\d{3}[ .\-]\d{3}[ .\-]\d{4}\b")
RECORD_ID = re.compile(r"^r-[0-9]{8}$")


def _bare_consumer(settings: Settings, topic: str) -> tuple[Any, int]:
    """Return a consumer with the hops' own configuration, and how many records the topic holds."""
    from confluent_kafka import Consumer, TopicPartition

    ends = end_offsets(settings.client(), [topic])
    consumer = Consumer({**CONSUMER_DEFAULTS, **settings.client(), "group.id": "bare"})
    consumer.assign([TopicPartition(topic, partition, start) for (_, partition), (start, _) in ends.items()])
    return consumer, sum(end - start for start, end in ends.values())


def bare_consume(settings: Settings, topic: str, batch: int) -> dict[str, Any]:
    """Consume a topic in batches and look at each value: the least that reading it can cost."""
    consumer, total = _bare_consumer(settings, topic)
    clock, seen = Clock(), 0
    while seen < total:
        messages = [m for m in consumer.consume(min(batch, total - seen), POLL_SECONDS) if m.error() is None]
        if messages:
            clock.come()
        seen += len([message.value() for message in messages])
    clock.done()
    consumer.close()
    return clock.figures(seen)


def bare_copy(settings: Settings, topic: str, into: str, batch: int) -> dict[str, Any]:
    """Consume a topic in batches and produce each value to the same partition of another: no work, no coordinates."""
    from confluent_kafka import Producer

    consumer, total = _bare_consumer(settings, topic)
    producer = Producer({**PRODUCER_DEFAULTS, **settings.client()})
    produce, clock, seen = producer.produce, Clock(), 0
    while seen < total:
        messages = [m for m in consumer.consume(min(batch, total - seen), POLL_SECONDS) if m.error() is None]
        if messages:
            clock.come()
        for message in messages:
            while True:
                try:
                    produce(into, message.value(), partition=message.partition())
                    break
                except BufferError:
                    producer.poll(0.05)
        producer.poll(0)
        seen += len(messages)
    producer.flush()
    clock.done()
    consumer.close()
    return clock.figures(seen)


def faust_agent(settings: Settings, topic: str, into: str, limit: int, folder: str, group: str) -> dict[str, Any]:
    """Clean the first `limit` records of a topic in a plain Faust agent, as its documentation writes one."""
    import faust

    app = faust.App(
        group,
        broker=f"kafka://{settings.bootstrap_servers}",
        store="memory://",
        datadir=folder,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        producer_compression_type="lz4",
    )
    raw = app.topic(topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
    clean = app.topic(into, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
    clock, seen, done = Clock(), set[int](), asyncio.Event()
    count = 0

    async def cleaned(stream: Any) -> None:
        nonlocal count
        async for value in stream:
            clock.come()
            row = _cleaned(value, seen)
            if row is not None:
                await clean.send(key=row["record_id"].encode(), value=orjson.dumps(row))
            count += 1
            if count == limit:
                await app.producer.flush()
                clock.done()
                done.set()

    app.agent(raw)(cleaned)

    async def run() -> None:
        await app.start()
        try:
            await done.wait()
        finally:
            await app.stop()

    app.loop.run_until_complete(run())
    return clock.figures(limit)


def _cleaned(value: bytes, seen: set[int]) -> dict[str, Any] | None:
    """Return the record decoded, checked and masked; None for a duplicate or one that breaks a rule."""
    content = hash(value)
    if content in seen:
        return None
    seen.add(content)
    row: dict[str, Any] = orjson.loads(value)
    if not _valid(row):
        return None
    text = row["text"]
    if "@" in text:
        text = EMAIL.sub("<email>", text)
    row["text"] = PHONE.sub("<phone>", IP.sub("<ip>", text))
    return row


def _valid(row: dict[str, Any]) -> bool:
    return bool(
        isinstance(row.get("record_id"), str)
        and RECORD_ID.match(row["record_id"])
        and isinstance(row.get("happened_at"), str)
        and isinstance(row.get("amount"), int | float)
        and 0 <= row["amount"] <= 1_000_000
        and (row.get("count") or 0) >= 0
        and row.get("country") in COUNTRIES
        and len(row.get("author") or "") <= 40
        and isinstance(row.get("text"), str)
        and row["text"]
    )
