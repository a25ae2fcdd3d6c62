"""The window of duplicates before an offset, from the raw log: what a job reads again to go on with the state it would have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contracts.contract import Contract
from streams.batches import record_batch
from streams.clean import CleanState, remembered
from streams.connectors.kafka import end_offsets, last_timestamp, offset_at, read_range
from streams.duplicates import Window

RECORDS_BEFORE = 16
"""Offsets read before the window: the first record in it may stand where the one before it does (`streams.changes`)."""


def window_start(
    client: Mapping[str, Any], contract: Contract, partition: int, duplicate_window: int, start: int, behind: int
) -> int:
    """Return the offset to read again from, so that the state is what it was before `behind`. `start` is the log's first.

    Where the window is one of time, the newest record before `behind` says how far back it reaches: log time never
    goes back, so no record to come can reach further.
    """
    window = Window.of(contract, duplicate_window)
    first = max(start, behind - window.records)
    topic = contract.raw_topic
    if window.milliseconds is not None and (newest := last_timestamp(client, topic, partition, start, behind)) is not None:
        first = max(first, min(behind, offset_at(client, topic, partition, newest - window.milliseconds)))
    return max(start, first - RECORDS_BEFORE)


def remember_window(client: Mapping[str, Any], contract: Contract, partition: int, behind: int, state: CleanState) -> None:
    """Take into the state what the raw log holds of the window before `behind`. Nothing is cleaned."""
    start, _ = end_offsets(client, [contract.raw_topic])[contract.raw_topic, partition]
    if start >= behind:
        return
    first = window_start(client, contract, partition, state.duplicate_window, start, behind)
    for messages in read_range(client, contract.raw_topic, partition, first, behind):
        remembered(record_batch(messages), state, contract)
