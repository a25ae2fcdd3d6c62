"""Create the topics that a job needs, with how long each keeps what it holds."""

from __future__ import annotations

from streams.connectors.kafka import RAW_CONFIG, ensure_topics
from streams.setup import Setup
from streams.topology import wanted_topics

DERIVED_BYTES_MAX = 8 * 1024**3
DERIVED_CONFIG = {**RAW_CONFIG, "retention.ms": "-1", "retention.bytes": str(DERIVED_BYTES_MAX)}
"""Of clean and dead-letter topics, by partition: kept by size and not by age.

Their records keep the raw record's time. A broker that keeps by age would delete replayed or late records within minutes,
before `land` has read them.
"""


def ensure(setup: Setup) -> None:
    """Create what is absent of the contracts' topics. What is there stays as it is."""
    raw = {contract.raw_topic: contract.partitions for contract in setup.contracts}
    derived = {name: count for name, count in wanted_topics(setup.contracts).items() if name not in raw}
    ensure_topics(setup.client, raw, RAW_CONFIG)
    ensure_topics(setup.client, derived, DERIVED_CONFIG)
