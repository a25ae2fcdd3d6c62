"""From messages to Arrow: nothing is lost, turned round or mixed up on the way."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from contracts.records import RECORD_SCHEMA
from streams.batches import LANDING_SCHEMA, binary_array, by_topic, landing_batch, record_batch
from tests.streams.made import Message

BYTES = st.none() | st.binary(max_size=12)
MESSAGES = st.lists(
    st.builds(
        Message,
        st.sampled_from(["a", "b"]),
        st.integers(0, 3),
        st.integers(0, 2**62),
        st.integers(-(2**63), 2**63 - 1),
        BYTES,
        BYTES,
        st.none() | st.lists(st.tuples(st.sampled_from(["src", "contract", "other"]), BYTES), max_size=4),
    ),
    max_size=20,
)


@given(st.lists(BYTES, max_size=30))
def test_bytes_become_an_array_of_the_same(values):
    array = binary_array(values)
    array.validate(full=True)
    assert array.type == pa.large_binary()
    assert array.to_pylist() == values
    assert array.null_count == sum(value is None for value in values)


@given(MESSAGES)
def test_messages_are_parted_by_topic_and_keep_the_order_of_each_partition(messages):
    parted = by_topic(messages)
    assert sum(map(len, parted.values())) == len(messages)
    for topic, held in parted.items():
        partitions = [m.partition() for m in held]
        assert partitions == sorted(partitions)
        for partition in set(partitions):
            assert [m for m in held if m.partition() == partition] == [
                m for m in messages if (m.topic(), m.partition()) == (topic, partition)
            ]


@given(MESSAGES)
def test_a_batch_holds_every_field_of_every_message(messages):
    batch = record_batch(messages)
    assert batch.schema == RECORD_SCHEMA
    assert [tuple(row.values()) for row in batch.to_pylist()] == [
        (m.partition(), m.offset(), m.timestamp()[1], m.key(), m.value()) for m in messages
    ]


@given(MESSAGES)
def test_of_a_header_given_twice_the_last_counts(messages):
    batch = landing_batch(messages)
    assert batch.schema == LANDING_SCHEMA
    for name in ("src", "contract"):
        assert batch[name].to_pylist() == [dict(m.headers() or []).get(name) for m in messages]
