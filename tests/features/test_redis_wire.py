"""HMGETs on the bare protocol: cut right wherever the network cuts, and given back to redis-py when told off."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.connectors import redis_wire
from features.connectors.online_redis import RedisStore
from features.connectors.redis_client import answered, connected
from features.connectors.redis_wire import Ask, Unexpected, asked, commands, packed_fields, parsed
from features.feast_encode import encoder
from features.feast_layout import entity_key
from features.online import EVENT_US, GOLD_VERSION, Asked, Row
from features.redis_access import redis_access
from tests.features.made import latest_view
from tests.redis_servers import Server, cluster, needs_redis, running

VALUES = st.lists(st.one_of(st.none(), st.binary(max_size=30), st.just(b"\r\n$3\r\n")), max_size=6)


def reply(values: Sequence[bytes | None]) -> bytes:
    parts = [b"$-1\r\n" if value is None else b"$%d\r\n%b\r\n" % (len(value), value) for value in values]
    return b"*%d\r\n" % len(values) + b"".join(parts)


def receiving(octets: bytes, cuts: Sequence[int]) -> Callable[[], bytes]:
    places = sorted({cut % (len(octets) + 1) for cut in cuts} | {0, len(octets)})
    pieces = iter([octets[a:b] for a, b in pairwise(places)])

    def receive() -> bytes:
        piece = next(pieces, None)
        if piece is None:
            raise ConnectionResetError
        return piece

    return receive


@given(st.lists(VALUES, max_size=5), st.lists(st.integers(0, 500), max_size=30))
def test_answers_are_cut_right_wherever_the_network_cuts(answers: list[list[bytes | None]], cuts: list[int]) -> None:
    octets = b"".join(map(reply, answers))
    assert parsed(receiving(octets, cuts), [len(values) for values in answers]) == answers


@given(VALUES, st.integers(0, 200))
def test_an_answer_that_ends_too_early_is_no_answer(values: list[bytes | None], kept: int) -> None:
    octets = reply(values)
    with pytest.raises(ConnectionResetError):
        parsed(receiving(octets[: kept % len(octets)], []), [len(values)])


@pytest.mark.parametrize(
    "octets",
    [
        b"-MOVED 1 127.0.0.1:1\r\n",
        b"-NOAUTH\r\n",
        b"*3\r\n",
        b"*2\r\n:1\r\n:2\r\n",
        b"*2\r\n$1\r\na\r\n-ERR\r\n",
        reply([b"", b""]) + b"+",
    ],
)
def test_anything_else_is_unexpected(octets: bytes) -> None:
    with pytest.raises(Unexpected):
        parsed(receiving(octets, []), [2])


def test_a_command_is_what_redis_py_would_send() -> None:
    from redis.connection import PythonRespSerializer

    asks = [Ask(b"key\r\n", packed_fields([b"a", b"", b"\x00\xff"])), Ask(b"", packed_fields([b"b"]))]
    serializer: Any = PythonRespSerializer(6000, lambda value: value if isinstance(value, bytes) else value.encode())
    theirs = b"".join(b"".join(serializer.pack("HMGET", ask.key, *ask.fields.names)) for ask in asks)
    assert commands(asks) == theirs


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running(tmp_path) as started:
        yield started


@pytest.mark.servers
@needs_redis
def test_a_connection_that_was_told_off_is_not_used_again(server: Server) -> None:
    client = connected(redis_access(server.address))
    client.hset("hash", mapping={"a": "1", "b": b"\r\n" * 200_000})
    client.set("text", "x")
    fields = packed_fields([b"a", b"b", b"c"])
    right = [Ask(b"hash", fields), Ask(b"nothing", fields)]
    wanted = [[b"1", b"\r\n" * 200_000, None], [None] * 3]
    assert asked(client.connection_pool, right) == wanted
    with pytest.raises(Unexpected):
        asked(client.connection_pool, [Ask(b"text", fields), *right])
    assert asked(client.connection_pool, right) == wanted
    server.client().client_kill_filter(_type="normal", skipme=True)
    assert answered(redis_access(server.address), lambda: asked(client.connection_pool, right)) == wanted


@pytest.mark.servers
@needs_redis
def test_a_slot_that_has_moved_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    view, int64 = latest_view(), encoder("Int64")
    keys = [entity_key(["shop"], [str(n)], ["String"]) for n in range(50)]
    with cluster(tmp_path) as (servers, access):
        store = RedisStore(access, "made_up")
        values = {"price": int64(5), GOLD_VERSION: int64(1), EVENT_US: int64(9)}
        store.write(view, [Row(key, 9, values) for key in keys], store.claim(view.name))
        assert {server.client().dbsize() > 0 for server in servers} == {True}
        real, straight = redis_wire.asked, []

        def counted(pool: Any, asks: Sequence[Ask]) -> Any:
            straight.append(len(asks))
            return real(pool, asks)

        monkeypatch.setattr("features.connectors.online_redis.asked_straight", counted)
        wanted = [store.read([Asked(view.name, keys, ["price"])])]
        first = next(iter(store._client.get_primaries()))
        monkeypatch.setattr(store._client, "get_node_from_key", lambda *_: first)
        wanted.append(store.read([Asked(view.name, keys, ["price"])]))
        for [read] in wanted:
            assert [held is not None and held.values["price"] for held in read] == [int64(5)] * 50
        assert len(straight) == 4, "three nodes were asked of their own; then one of all, which sent us away"
