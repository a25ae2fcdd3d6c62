"""A topic as texts to scan: keys, values and headers of every record that the broker holds of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import polars as pl

from contracts.errors import NotFound
from streams.connectors.kafka import end_offsets, read_range, topics
from streams.connectors.scanned_files import readable, unescaped
from streams.scan import Piece


def pieces(client: Mapping[str, Any], topic: str) -> Iterator[Piece]:
    """Yield what a topic holds now. Raises NotFound without such a topic, BrokerAway when the broker does not answer."""
    known = topics(client)
    if topic not in known:
        raise NotFound(f"no topic {topic}", expected=f"one of {', '.join(sorted(known)) or 'none: the broker has none'}")
    for (_, partition), (start, end) in sorted(end_offsets(client, [topic]).items()):
        for messages in read_range(client, topic, partition, start, end):
            offsets = [message.offset() for message in messages]
            for name, values in _texts(messages).items():
                yield Piece(topic, name, pl.Series(name, values, pl.String), partial(_where, partition, offsets))


def _where(partition: int, offsets: Sequence[int], row: int, _start: int) -> str:
    return f"partition {partition}, offset {offsets[row]}"


def _texts(messages: Sequence[Any]) -> dict[str, list[str | None]]:
    """Return key, value and each header as text, by record."""
    texts: dict[str, list[str | None]] = {
        "key": [_text(message.key()) for message in messages],
        "value": [_text(message.value()) for message in messages],
    }
    for row, message in enumerate(messages):
        for name, value in message.headers() or ():
            texts.setdefault(f"header {name}", [None] * len(messages))[row] = _text(value)
    return texts


def _text(octets: bytes | None) -> str | None:
    if octets is None:
        return None
    try:
        return unescaped(octets.decode())
    except UnicodeDecodeError:
        return readable(octets)
