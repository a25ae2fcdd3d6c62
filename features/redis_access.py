"""Where Redis is and how one gets in: parsed from Feast's connection string and the settings, told without its secrets.

Pure values; `connectors/redis_client.py` connects with them, and Feast's own client is configured with the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from contracts.errors import SettingsInvalid

KINDS = ("redis", "redis_cluster")
"""Feast's words for one server (or one behind a proxy) and for a cluster."""
SECRET_OPTIONS = frozenset({"password", "ssl_password"})
FORM = "host:port[,host:port...][,db=0][,ssl=true][,username=...][,password=...]"


@dataclass(frozen=True)
class RedisAccess:
    """A Redis to talk to. Its text and its errors name the nodes and never what is needed to get in."""

    nodes: tuple[tuple[str, int], ...] = (("localhost", 6379),)
    cluster: bool = False
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    """redis-py's own parameters: `db`, `username`, `password`, `ssl`, `ssl_ca_certs`, ..."""
    wait_seconds: float = 5.0
    """For so long a fault that may pass is waited out, and for at most so long one answer."""

    @property
    def where(self) -> str:
        """Name the place for a person: its nodes alone."""
        scheme = "rediss" if self.options.get("ssl") else "redis"
        return f"{scheme}://" + ",".join(f"{host}:{port}" for host, port in self.nodes)

    def feast(self, password: str = "") -> dict[str, Any]:
        """Return Feast's `online_store` configuration for this place: a Feast client with it reads what we write.

        Holds the password, as Feast's own file does: hand it over, never print it. With `password`, that stands in its place
        as it is: what a file says that Feast fills in from the environment.
        """
        nodes = [f"{host}:{port}" for host, port in self.nodes]
        told = {"socket_timeout": self.wait_seconds, "socket_connect_timeout": self.wait_seconds, **self.options}
        # Feast cuts the string at commas and reads each value as JSON: so a comma is written as JSON's escape of it.
        made = {key: json.dumps(value).replace(",", chr(92) + "u002c") for key, value in told.items()}
        made |= {key: password for key in SECRET_OPTIONS & made.keys() if password}
        options = [f"{key}={text}" for key, text in made.items()]
        return {
            "type": "redis",
            "redis_type": "redis_cluster" if self.cluster else "redis",
            "connection_string": ",".join([*nodes, *options]),
            # Our writes are ordered by their fence; Feast's own check would refuse a corrected value of the same event time.
            "skip_dedup": True,
        }


def redis_access(
    connection_string: str = "localhost:6379",
    *,
    kind: str = "redis",
    username: str = "",
    password: str = "",
    ca: str = "",
    wait_seconds: float = 5.0,
) -> RedisAccess:
    """Return the place that a connection string in Feast's form names; what is given beside it wins.

    With `ca`, a file of certificates, the connection is TLS and the server's certificate is held against it. Raises
    SettingsInvalid, without repeating what may hold a password.
    """
    if kind not in KINDS:
        raise SettingsInvalid(f"redis_type is {kind!r}", expected=" or ".join(KINDS), remedy="Sentinel is not supported")
    parts = connection_string.split(",")
    nodes = tuple(_node(part) for part in parts if "=" not in part)
    options = {key: _typed(key, text) for key, text in (part.split("=", 1) for part in parts if "=" in part)}
    options |= {key: given for key, given in (("username", username), ("password", password)) if given}
    options |= {"ssl": True, "ssl_ca_certs": ca} if ca else {}
    cluster = kind == "redis_cluster"
    if not nodes or (len(nodes) > 1 and not cluster):
        remedy = 'several nodes are for redis_type = "redis_cluster"'
        raise SettingsInvalid(f"redis names {len(nodes)} nodes", expected=FORM, remedy=remedy)
    if cluster and options.pop("db", 0):
        raise SettingsInvalid("redis has a db, and a cluster has only one", expected="no db, or db=0")
    if wait_seconds <= 0:
        raise SettingsInvalid(f"redis_wait_seconds is {wait_seconds}", expected="more than 0")
    return RedisAccess(nodes, cluster, MappingProxyType(options), wait_seconds)


def _node(part: str) -> tuple[str, int]:
    host, _, port = part.strip().rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise SettingsInvalid("redis is not a connection string", expected=FORM)
    return host, int(port)


def _typed(key: str, text: str) -> Any:
    """Return an option as Feast types it, except that a user's name and password are always text."""
    try:
        read = json.loads(text)
    except json.JSONDecodeError:
        return text
    return text if key in ("username", "password") and not isinstance(read, str) else read
