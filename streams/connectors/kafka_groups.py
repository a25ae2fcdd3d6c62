"""Committed offsets of consumer groups that have no member just now: set before a job that starts from them, and looked up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from contracts.errors import BrokerAway
from streams.connectors.kafka import Slot


def set_offsets(client: Mapping[str, Any], group: str, next_offsets: Mapping[Slot, int]) -> None:
    """Commit where a group goes on, acknowledged on return. No member of the group may be subscribed. Raises BrokerAway."""
    consumer = Consumer({**client, "group.id": group, "enable.auto.commit": False, "log_level": 2})
    try:
        parts = [TopicPartition(slot.topic, slot.partition, offset) for slot, offset in next_offsets.items()]
        if parts:
            consumer.commit(offsets=parts, asynchronous=False)
    except KafkaException as error:
        raise BrokerAway(
            f"the offsets of group {group} could not be committed: {error}",
            where=str(client.get("bootstrap.servers")),
            remedy="headwater up (embedded), or mend [kafka] in headwater.toml",
        ) from error
    finally:
        consumer.close()
