"""Online values in Redis, in Feast's hashes: one hash for each entity key, one field for each view's feature.

The key is the entity key followed by the project; a field is the murmur3 hash of `view:feature`; `_ts:view` is the event
time (`feast/infra/online_stores/redis.py`). The only file that talks to Redis itself.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import mmh3
import redis

from contracts.errors import SettingsInvalid, TransientError
from features.feast_layout import entity_key_prefix, timestamp
from features.online import Stored
from features.plan import View

_BATCH = 500


class RedisStore:
    """An `OnlineStore` over the hashes that Feast's Redis store writes. Holds one pool of connections."""

    def __init__(self, connection_string: str, project: str) -> None:
        self._project = project
        self._marks = f"headwater:{project}:marks"
        self._client = redis.Redis(**_parameters(connection_string))

    def read(self, view: str, keys: Sequence[bytes], names: Sequence[str]) -> list[Stored | None]:
        """Return what is stored of each entity key, in order: one pipeline of one HMGET a key."""
        fields = [*(_field(view, name) for name in names), f"_ts:{view}".encode()]
        pipe = self._client.pipeline(transaction=False)
        for key in keys:
            pipe.hmget(key + self._project.encode(), fields)
        return [_stored(names, values) for values in self._answered(pipe.execute)]

    def scan(self, view: View, names: Sequence[str]) -> Iterator[tuple[bytes, Stored]]:
        """Yield every entity of the view. Redis may show an entity that is written meanwhile, or not."""
        suffix = self._project.encode()
        pattern = _literal(entity_key_prefix(view.keys)) + b"*" + _literal(suffix)
        found = iter(dict.fromkeys(self._answered(lambda: list(self._client.scan_iter(match=pattern, count=_BATCH)))))
        while some := [key[: -len(suffix)] for key in islice(found, _BATCH)]:
            for key, stored in zip(some, self.read(view.name, some, names), strict=True):
                if stored is not None:
                    yield key, stored

    def remove(self, view: View, keys: Iterable[bytes]) -> int:
        """Remove the view's fields of these entities; an entity that has no other view's goes with them."""
        pipe = self._client.pipeline(transaction=False)
        names = [*(f.name for f in view.features), "_gold_version", "_event_us"]
        for key in keys:
            pipe.hdel(key + self._project.encode(), *(_field(view.name, name) for name in names), f"_ts:{view.name}")
        return sum(1 for count in self._answered(pipe.execute) if count)

    def marked(self, view: str) -> str:
        """Return the mark that was set last, empty without one."""
        mark = self._answered(lambda: self._client.hget(self._marks, view))
        return mark.decode() if mark is not None else ""

    def mark(self, view: str, mark: str) -> None:
        """Set the view's mark. As durable as Redis is configured to be, like the values themselves."""
        self._answered(lambda: self._client.hset(self._marks, view, mark))

    def _answered(self, call: Any) -> Any:
        try:
            return call()
        except redis.ConnectionError as error:
            raise TransientError("Redis does not answer", remedy="start it, or mend `redis` in the settings") from error


def stored_octets(connection_string: str) -> Iterator[tuple[str, list[bytes]]]:
    """Yield every key of a Redis database, as text, with all that stands under it: for a scan, whoever wrote it.

    Streams and modules' types are named without their content. Raises TransientError when Redis does not answer.
    """
    client: Any = redis.Redis(**_parameters(connection_string))
    readers: dict[bytes, Callable[[bytes], list[bytes]]] = {
        b"string": lambda key: [client.get(key) or b""],
        b"hash": lambda key: [part for pair in client.hgetall(key).items() for part in pair],
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": lambda key: list(client.smembers(key)),
        b"zset": lambda key: client.zrange(key, 0, -1),
    }
    try:
        for key in client.scan_iter(count=_BATCH):
            yield key.decode("utf-8", "replace"), [key, *readers.get(client.type(key), _unread)(key)]
    except redis.ConnectionError as error:
        raise TransientError("Redis does not answer", remedy="start it, or mend `redis` in the settings") from error


def _unread(_key: bytes) -> list[bytes]:
    return []


def _parameters(connection_string: str) -> dict[str, Any]:
    """Return the client's parameters from Feast's connection string, `host:port[,db=0][,ssl=true][,password=...]`."""
    host, *options = connection_string.split(",")
    name, _, port = host.partition(":")
    if not name or not port.isdigit() or any("=" not in option for option in options):
        raise SettingsInvalid("redis is not a connection string", expected="host:port[,db=0][,ssl=true][,password=...]")
    return {"host": name, "port": int(port)} | {key: _typed(text) for key, text in (o.split("=", 1) for o in options)}


def _typed(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _field(view: str, name: str) -> bytes:
    return struct.pack("<I", mmh3.hash(f"{view}:{name}", signed=False))


def _stored(names: Sequence[str], values: Sequence[bytes | None]) -> Stored | None:
    *features, stamp = values
    if stamp is None:
        return None
    return Stored({name: part for name, part in zip(names, features, strict=True) if part is not None}, timestamp(stamp))


def _literal(part: bytes) -> bytes:
    """Return a SCAN pattern that matches exactly these bytes."""
    return re.sub(rb"([\\*?\[\]^])", rb"\\\1", part)
