"""The partition of a key is the one that Kafka's own clients choose."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.settings import Settings
from streams.partitions import murmur2, partitions_of, placed

PUBLISHED = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}
"""From Kafka's own test of its hash (`UtilsTest.testMurmur2`), as Java's signed integers."""


def plain_murmur2(key: bytes) -> int:
    """The hash as Kafka's Java source writes it, one byte after the other."""
    mask, multiplier = 0xFFFFFFFF, 0x5BD1E995
    found = 0x9747B28C ^ len(key)
    whole = len(key) // 4 * 4
    for place in range(0, whole, 4):
        word = int.from_bytes(key[place : place + 4], "little") * multiplier & mask
        word = (word ^ word >> 24) * multiplier & mask
        found = (found * multiplier & mask) ^ word
    rest = key[whole:]
    if rest:
        found = (found ^ int.from_bytes(rest, "little")) * multiplier & mask
    found = (found ^ found >> 13) * multiplier & mask
    return found ^ found >> 15


def test_hashes_are_the_published_ones() -> None:
    assert murmur2(list(PUBLISHED)).astype(np.int32).tolist() == list(PUBLISHED.values())


@given(st.lists(st.binary(max_size=40), max_size=30))
def test_many_keys_at_once_hash_as_each_alone(keys: list[bytes]) -> None:
    assert murmur2(keys).tolist() == [plain_murmur2(key) for key in keys]


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=30), st.integers(1, 64))
def test_a_partition_is_one_of_those_there_are(keys: list[bytes], count: int) -> None:
    chosen = partitions_of(keys, count)
    assert ((chosen >= 0) & (chosen < count)).all()


@given(st.lists(st.tuples(st.none() | st.binary(max_size=12), st.integers(0, 1)), max_size=40), st.integers(0, 1000), st.data())
def test_a_record_keeps_its_partition_however_the_batches_are_cut(
    records: list[tuple[bytes | None, int]], first: int, data: st.DataObject
) -> None:
    keys, datasets, counts = [key for key, _ in records], [dataset for _, dataset in records], (4, 2)
    cut = data.draw(st.integers(0, len(records)))
    whole = placed(keys, datasets, counts, first).tolist()
    parts = [*placed(keys[:cut], datasets[:cut], counts, first), *placed(keys[cut:], datasets[cut:], counts, first + cut)]
    assert whole == parts


def test_records_without_a_key_take_turns() -> None:
    assert placed([None] * 6, [0] * 6, [4], 10).tolist() == [2, 3, 0, 1, 2, 3]


def test_each_dataset_has_its_own_count_of_partitions() -> None:
    keys: list[bytes | None] = [b"foobar", b"foobar"]
    four, seven = partitions_of([b"foobar"], 4)[0], partitions_of([b"foobar"], 7)[0]
    assert placed(keys, [0, 1], [4, 7], 0).tolist() == [four, seven]


@pytest.mark.servers
def test_librdkafka_puts_the_same_keys_on_the_same_partitions(broker_settings: Settings) -> None:
    from streams.connectors.kafka import Sender, end_offsets, ensure_topics, read_range

    topic, count = "partitions.compared", 7
    keys = [f"key-{number}".encode() * (number % 4 + 1) for number in range(500)]
    client = broker_settings.client()
    ensure_topics(client, {topic: count})
    with Sender(client) as sender:
        for key in keys:
            sender.send(topic, b"{}", key=key)
    found: dict[int, list[bytes]] = defaultdict(list)
    for (_, partition), (start, end) in end_offsets(client, [topic]).items():
        for messages in read_range(client, topic, partition, start, end):
            found[partition] += [message.key() for message in messages]
    expected: dict[int, list[bytes]] = defaultdict(list)
    for key, partition in zip(keys, partitions_of(keys, count).tolist(), strict=True):
        expected[partition].append(key)
    assert found == expected
