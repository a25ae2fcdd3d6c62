"""Many HMGETs at once, on the bare protocol: what an online read does, without what redis-py does for every command.

RESP2 (redis.io/docs/latest/develop/reference/protocol-spec) has two answers to an HMGET: an array of bulk strings, and an error.
redis-py still connects, lets us in, and keeps the connections; here are written the bytes of the commands, whose fields
are packed once, and the answers are cut where their own lengths say. Anything else than those answers raises `Unexpected`,
and whoever asked then asks redis-py, which knows redirections, errors and the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

_BULK = ord("$")
_RECEIVE_BYTES = 1 << 18


class Unexpected(Exception):
    """The server said something else than values: an error, or a redirection."""


@dataclass(frozen=True)
class Fields:
    """The fields of a hash to be asked for, packed as they go over the wire."""

    names: tuple[bytes, ...]
    packed: bytes
    count: int


@dataclass(frozen=True)
class Ask:
    """One HMGET."""

    key: bytes
    fields: Fields


def packed_fields(fields: Sequence[bytes]) -> Fields:
    """Return the fields packed: once for a view, not once for a key."""
    packed = b"".join(b"$%d\r\n%b\r\n" % (len(field), field) for field in fields)
    return Fields(tuple(fields), packed, len(fields))


def commands(asks: Sequence[Ask]) -> bytes:
    """Return the commands as they go over the wire."""
    return b"".join(
        b"*%d\r\n$5\r\nHMGET\r\n$%d\r\n%b\r\n%b" % (ask.fields.count + 2, len(ask.key), ask.key, ask.fields.packed)
        for ask in asks
    )


def parsed(receive: Callable[[], bytes], counts: Sequence[int]) -> list[list[bytes | None]]:
    """Return the values of so many answers, each of so many fields. `receive` gives the next bytes, one or more.

    Raises Unexpected for any other answer; the connection is then in the middle of one, and of no more use.
    """
    data, at = b"", 0
    answers: list[list[bytes | None]] = []
    for count in counts:
        while (end := data.find(b"\r\n", at)) < 0:
            data, at = data[at:] + receive(), 0
        if data[at:end] != b"*%d" % count:
            raise Unexpected
        at = end + 2
        values: list[bytes | None] = []
        for _ in range(count):
            while (end := data.find(b"\r\n", at)) < 0:
                data, at = data[at:] + receive(), 0
            if data[at] != _BULK:
                raise Unexpected
            length = int(data[at + 1 : end])
            at = end + 2
            if length < 0:
                values.append(None)
                continue
            stop = at + length
            while len(data) < stop + 2:
                data, at, stop = data[at:] + receive(), 0, length
            values.append(data[at:stop])
            at = stop + 2
        answers.append(values)
    if at != len(data):
        raise Unexpected
    return answers


def asked(pool: Any, asks: Sequence[Ask]) -> list[list[bytes | None]]:
    """Return the values of each ask, from one connection of a redis-py pool, in one sending.

    Raises Unexpected where anything else comes back, and what redis-py and the socket raise where the connection breaks. It is
    closed then, so that nobody gets the rest of our answers.
    """
    connection = pool.get_connection()
    try:
        connection.send_packed_command([commands(asks)], check_health=False)
        # redis-py hands out no bytes; its socket is read as its own parser does, which holds none back between answers.
        socket = connection._sock  # noqa: SLF001
        return parsed(lambda: _received(socket), [ask.fields.count for ask in asks])
    except BaseException as error:
        connection.disconnect()
        if isinstance(error, ValueError | AttributeError):
            raise Unexpected from error
        raise
    finally:
        pool.release(connection)


def _received(socket: Any) -> bytes:
    octets: bytes = socket.recv(_RECEIVE_BYTES)
    if not octets:
        raise ConnectionResetError("Redis closed the connection")
    return octets
