"""Ask a broker on this machine who it is, in a millisecond and without a client library: one Kafka Metadata request.

A client library answers "not yet" with seconds of retries and lines of log. Waiting for a broker that starts needs the
plain truth, often: nothing listens, it listens and does not answer, it answers as this node of this cluster.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

METADATA, METADATA_VERSION, CORRELATION = 3, 2, 7
CLIENT = b"headwater-probe"
ANSWER_BYTES_MAX = 1024 * 1024


@dataclass(frozen=True)
class Answer:
    """What a broker says of itself."""

    cluster_id: str
    brokers: int
    """Brokers that the cluster counts as alive; 0 while it is still starting."""


def metadata(port: int, *, host: str = "127.0.0.1", seconds: float = 2.0) -> Answer | None:
    """Return the broker's answer; None if nothing there speaks Kafka within the time."""
    body = struct.pack(f">hhih{len(CLIENT)}si", METADATA, METADATA_VERSION, CORRELATION, len(CLIENT), CLIENT, 0)
    try:
        with socket.create_connection((host, port), seconds) as connection:
            connection.sendall(struct.pack(">i", len(body)) + body)
            size, correlation = struct.unpack(">ii", _exactly(connection, 8))
            if correlation != CORRELATION or not 4 < size <= ANSWER_BYTES_MAX:
                return None
            return _read(_exactly(connection, size - 4))
    except (OSError, EOFError, struct.error, UnicodeDecodeError):
        return None


def _read(answer: bytes) -> Answer:
    (brokers,), at = struct.unpack_from(">i", answer), 4
    for _ in range(brokers):
        at = _after_text(answer, _after_text(answer, at + 4) + 4)  # node id, host, port, rack
    (length,) = struct.unpack_from(">h", answer, at)
    return Answer(answer[at + 2 : at + 2 + max(length, 0)].decode("ascii"), brokers)


def _after_text(answer: bytes, at: int) -> int:
    (length,) = struct.unpack_from(">h", answer, at)
    return int(at + 2 + max(length, 0))


def _exactly(connection: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = connection.recv(count - len(parts))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)
