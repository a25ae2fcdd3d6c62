"""Online values in Redis, in Feast's hashes: one hash for each entity key, one field for each view's feature.

The key is the entity key followed by the project; a field is the murmur3 hash of `view:feature`; `_ts:view` is the event
time (`feast/infra/online_stores/redis.py`). Ours beside them: `_fence:view`, the fence of the claim that wrote the view's
fields, and one hash of marks and claims a project.

An entity is written by a script, whole, where its fence is not behind. What is removed leaves its fence for a day, so that a
writer which slept meanwhile cannot bring it back.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain, islice
from typing import Any, TypeVar

import mmh3

from features.connectors.redis_client import FAULTS, answered, connected, translated
from features.connectors.redis_wire import Ask, Fields, Unexpected, packed_fields
from features.connectors.redis_wire import asked as asked_straight
from features.feast_encode import timestamp_bytes
from features.feast_layout import entity_key_prefix, is_entity_key
from features.online import FENCE, FENCE_DIGITS, Asked, Row, Stored, overtaken, stored_names
from features.plan import View
from features.redis_access import RedisAccess

T = TypeVar("T")

_PART = 500
"""So many entities go in one pipeline, and so many keys are asked for in one SCAN."""
_TOMBSTONE_SECONDS = 86_400
_REFUSED, _REPLACED, _CREATED = 0, 1, 2

_CLAIM = f"""
local last = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
local time = redis.call('TIME')
local fence = math.max(last + 1, time[1] * 1000000 + time[2])
redis.call('HSET', KEYS[1], ARGV[1], string.format('%0{FENCE_DIGITS}.0f', fence))
return redis.call('HGET', KEYS[1], ARGV[1])
"""
"""The server's time, so that fences go on rising when the store has lost everything; more than the last in any case."""
_WRITE = """
local held = redis.call('HGET', KEYS[1], ARGV[1])
if held and held > ARGV[2] then return 0 end
local there = redis.call('HEXISTS', KEYS[1], ARGV[3])
redis.call('HSET', KEYS[1], unpack(ARGV))
redis.call('PERSIST', KEYS[1])
return 2 - there
"""
_REMOVE = """
local held = redis.call('HGET', KEYS[1], ARGV[1])
if held and held > ARGV[2] then return 0 end
local gone = redis.call('HDEL', KEYS[1], unpack(ARGV, 4))
if gone == 0 and not held then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
  if string.sub(name, 1, 7) ~= '_fence:' then return math.min(gone, 1) end
end
redis.call('EXPIRE', KEYS[1], ARGV[3])
return math.min(gone, 1)
"""
_MARK = """
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[3], ARGV[4])
return 1
"""


class RedisStore:
    """An `OnlineStore` over the hashes that Feast's Redis store writes. Connects when it is first asked; holds a pool then."""

    def __init__(self, access: RedisAccess, project: str) -> None:
        self._access = access
        self._suffix = project.encode()
        self._marks = f"headwater:{project}:marks"
        self._client: Any = None

    def read(self, asked: Sequence[Asked]) -> list[list[Stored | None]]:
        """Return what is stored, for each view and entity in order: one sending a node, and one HMGET an entity."""
        packs = [_packed(ask.view, tuple(ask.names)) for ask in asked]
        wanted: dict[bytes, list[int]] = {}
        for at, ask in enumerate(asked):
            for key in ask.keys:
                wanted.setdefault(key, []).append(at)
        joined: dict[tuple[int, ...], Fields] = {}
        asks = []
        for key, ats in wanted.items():
            of = tuple(ats)
            if of not in joined:
                joined[of] = packs[ats[0]] if len(ats) == 1 else packed_fields([f for at in of for f in packs[at].names])
            asks.append(Ask(key + self._suffix, joined[of]))
        found: list[dict[bytes, Stored | None]] = [{} for _ in asked]
        for (key, ats), values in zip(wanted.items(), self._values(asks), strict=True):
            start = 0
            for at in ats:
                end = start + packs[at].count
                found[at][key] = _stored(asked[at].names, values[start:end])
                start = end
        return [[of[key] for key in ask.keys] for of, ask in zip(found, asked, strict=True)]

    def scan(self, view: View, names: Sequence[str]) -> Iterator[tuple[bytes, Stored]]:
        """Yield every entity of the view. Redis may show an entity that is written meanwhile, or not, or any one twice."""
        pattern = _literal(entity_key_prefix(view.keys)) + b"*" + _literal(self._suffix)
        for page in self._pages(pattern):
            # Another project's keys may end in our project's name: their rest is no entity key.
            keys = [key for key in (key[: -len(self._suffix)] for key in page) if is_entity_key(key)]
            for key, stored in zip(keys, self.read([Asked(view.name, keys, names)])[0], strict=True):
                if stored is not None:
                    yield key, stored

    def claim(self, view: str) -> str:
        """Return a fence for a writer that begins now, greater than any before it."""
        return str(self._script(_CLAIM, self._marks, _claim(view)).decode())

    def claimed(self, view: str) -> str:
        """Return the fence of the last claim, empty without one."""
        return self._kept(_claim(view))

    def write(self, view: View, rows: Sequence[Row], fence: str) -> None:
        """Write the rows, each by one script. Raises CommitConflict where the view was claimed since.

        Before and after each part the claim is looked at. Was it passed on between, what this part brought in anew is
        taken back: the later writer may have looked for it already, and removed nothing. What was replaced is the later
        writer's to replace or to remove.
        """
        names = (*stored_names(view), FENCE)
        for part in _parts(rows):
            self._demand(view.name, fence)
            fields = dict(zip((*names, "_ts"), _fields(view.name, names), strict=True))
            told = self._piped([self._written(row, fields, fence) for row in part])
            if _REFUSED in told or self.claimed(view.name) != fence:
                self.remove(view, [row.key for row, done in zip(part, told, strict=True) if done == _CREATED], fence)
                raise overtaken(view.name)

    def remove(self, view: View, keys: Iterable[bytes], fence: str) -> int:
        """Remove the view's fields of these entities; of an entity without another view's only the fence stays, for a day."""
        own, *fields = _fields(view.name, (FENCE, *stored_names(view)))
        head = ("EVAL", _REMOVE, 1)
        tail = (own, fence, _TOMBSTONE_SECONDS, *fields)
        return sum(sum(self._piped([(*head, key + self._suffix, *tail) for key in part])) for part in _parts(keys))

    def sweep(self, view: View, fence: str) -> int:
        """Remove every entity of the view that was not written under this fence, a part at a time."""
        older = (key for key, stored in self.scan(view, [FENCE]) if stored.values.get(FENCE, b"") != fence.encode())
        removed = self.remove(view, older, fence)
        self._demand(view.name, fence)
        return removed

    def marked(self, view: str) -> str:
        """Return the mark that was set last, empty without one."""
        return self._kept(view)

    def mark(self, view: str, mark: str, fence: str) -> None:
        """Set the view's mark, as durable as Redis is configured to be, like the values themselves."""
        if not self._script(_MARK, self._marks, _claim(view), fence, view, mark):
            raise overtaken(view)

    def _written(self, row: Row, fields: dict[str, bytes], fence: str) -> tuple[Any, ...]:
        values = chain.from_iterable((fields[name], content) for name, content in row.values.items())
        stamp = (fields["_ts"], timestamp_bytes(row.event_us))
        return ("EVAL", _WRITE, 1, row.key + self._suffix, fields[FENCE], fence, *stamp, *values)

    def _demand(self, view: str, fence: str) -> None:
        if self.claimed(view) != fence:
            raise overtaken(view)

    def _kept(self, field: str) -> str:
        kept = self._answered(lambda client: client.hget(self._marks, field))
        return kept.decode() if kept is not None else ""

    def _script(self, script: str, key: str, *arguments: Any) -> Any:
        return self._answered(lambda client: client.eval(script, 1, key, *arguments))

    def _piped(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        def execute(client: Any) -> list[Any]:
            pipe = client.pipeline(transaction=False)
            for command in commands:
                pipe.execute_command(*command)
            return list(pipe.execute())

        return self._answered(execute) if commands else []

    def _values(self, asks: Sequence[Ask]) -> list[list[bytes | None]]:
        def attempt(client: Any) -> list[list[bytes | None]]:
            try:
                return self._straight(client, asks)
            except Unexpected:
                # Redirected, refused or otherwise told off: redis-py knows what of it to follow and what to raise.
                pipe = client.pipeline(transaction=False)
                for ask in asks:
                    pipe.execute_command("HMGET", ask.key, *ask.fields.names)
                return list(pipe.execute())

        return self._answered(attempt) if asks else []

    def _straight(self, client: Any, asks: Sequence[Ask]) -> list[list[bytes | None]]:
        """Ask each node that holds some of the keys, on the bare protocol."""
        if not self._access.cluster:
            return asked_straight(client.connection_pool, asks)
        of_node: dict[str, tuple[Any, list[int]]] = {}
        for at, ask in enumerate(asks):
            node = client.get_node_from_key(ask.key)
            if node is None or node.redis_connection is None:
                raise Unexpected
            of_node.setdefault(node.name, (node, []))[1].append(at)
        values: list[list[bytes | None]] = [[] for _ in asks]
        for node, places in of_node.values():
            for at, row in zip(
                places, asked_straight(node.redis_connection.connection_pool, [asks[at] for at in places]), strict=True
            ):
                values[at] = row
        return values

    def _pages(self, pattern: bytes) -> Iterator[list[bytes]]:
        nodes = self._answered(lambda client: client.get_primaries()) if self._access.cluster else [None]
        for node in nodes:
            cursor: Any = 0
            while True:
                cursor, keys = self._page(pattern, node, cursor)
                yield keys
                if not cursor:
                    break

    def _page(self, pattern: bytes, node: Any, cursor: Any) -> tuple[Any, list[bytes]]:
        where = {} if node is None else {"target_nodes": node}
        found, keys = self._answered(lambda client: client.scan(cursor=cursor, match=pattern, count=_PART, **where))
        return (found[node.name] if node is not None else found), keys

    def _answered(self, call: Callable[[Any], Any]) -> Any:
        def attempt() -> Any:
            if self._client is None:
                self._client = connected(self._access)
            return call(self._client)

        return answered(self._access, attempt)


def stored_octets(access: RedisAccess) -> Iterator[tuple[str, list[bytes]]]:
    """Yield every key of a Redis database, as text, with all that stands under it: for a scan, whoever wrote it.

    Streams and modules' types are named without their content. Raises TransientError when Redis does not answer.
    """
    client = answered(access, lambda: connected(access))
    readers: dict[bytes, Callable[[bytes], list[bytes]]] = {
        b"string": lambda key: [client.get(key) or b""],
        b"hash": lambda key: [part for pair in client.hgetall(key).items() for part in pair],
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": lambda key: list(client.smembers(key)),
        b"zset": lambda key: client.zrange(key, 0, -1),
    }
    try:
        for key in client.scan_iter(count=_PART):
            yield key.decode("utf-8", "replace"), [key, *readers.get(client.type(key), _unread)(key)]
    except FAULTS as error:
        raise translated(access, error) from error


def _parts(of: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(of)
    while part := list(islice(rest, _PART)):
        yield part


def _unread(_key: bytes) -> list[bytes]:
    return []


def _claim(view: str) -> str:
    return f"claim:{view}"


@lru_cache(maxsize=1024)
def _packed(view: str, names: tuple[str, ...]) -> Fields:
    return packed_fields(_fields(view, names))


@lru_cache(maxsize=1024)
def _fields(view: str, names: tuple[str, ...]) -> tuple[bytes, ...]:
    """Return the hash's fields that hold these names of a view, and at the end the one of its event time."""
    return (*(_field(view, name) for name in names), f"_ts:{view}".encode())


def _field(view: str, name: str) -> bytes:
    if name == FENCE:
        return f"{FENCE}:{view}".encode()
    return struct.pack("<I", mmh3.hash(f"{view}:{name}", signed=False))


def _stored(names: Sequence[str], values: Sequence[bytes | None]) -> Stored | None:
    *features, stamp = values
    if stamp is None:
        return None
    return Stored({name: part for name, part in zip(names, features, strict=True) if part is not None}, stamp)


def _literal(part: bytes) -> bytes:
    """Return a SCAN pattern that matches exactly these bytes."""
    return re.sub(rb"([\\*?\[\]^])", rb"\\\1", part)
