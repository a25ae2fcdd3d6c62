"""Real Redis servers for tests: one, one behind TLS and an ACL, or a cluster of three. Each ends by its own process."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
import redis

from features.redis_access import RedisAccess, redis_access
from tests.waiting import until

needs_redis = pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server on this machine")
"""Mark of a test that starts a server."""
SLOTS = 16_384


@dataclass
class Server:
    """One redis-server of a test's own, which may be killed and started again, empty, on its port."""

    folder: Path
    arguments: Sequence[str] = ()
    port: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, without waiting until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = self.port or free_port()
        ports = [] if "--tls-port" in self.arguments else ["--port", str(self.port)]
        arguments = [part.replace("PORT", str(self.port)) for part in self.arguments]
        command = ["redis-server", *ports, "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder), *arguments]
        self.process = subprocess.Popen(command, stdout=(self.folder / "log").open("wb"))

    def kill(self) -> None:
        """End it as a power cut would. What it held is gone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def client(self, **options: Any) -> Any:
        """Return a plain client of it."""
        return redis.Redis(host="127.0.0.1", port=self.port, protocol=2, **options)


def free_port() -> int:
    """Return a free port whose neighbour 10,000 above, where a cluster's nodes meet, is free too."""
    for _ in range(100):
        with socket.socket() as trial, socket.socket() as bus:
            trial.bind(("127.0.0.1", 0))
            port = int(trial.getsockname()[1])
            if port + 10_000 < 65_536 and bus.connect_ex(("127.0.0.1", port + 10_000)):
                return port
    raise RuntimeError("no such port is free")


@contextmanager
def running(folder: Path, *arguments: str, **options: Any) -> Iterator[Server]:
    """Run a server for the length of a block. `options` are what a client needs to be let in."""
    server = Server(folder, arguments)
    server.start()
    try:
        until(lambda: answers(server, **options))
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.kill()


def answers(server: Server, **options: Any) -> bool:
    """Say whether the server answers."""
    assert server.process is not None
    assert server.process.poll() is None, (server.folder / "log").read_text("utf-8", "replace")[-2000:]
    client = server.client(**options)
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
    finally:
        client.close()


@contextmanager
def cluster(folder: Path, nodes: int = 3) -> Iterator[tuple[list[Server], RedisAccess]]:
    """Run a cluster without replicas for the length of a block: its nodes, and how to get in."""
    options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-config-file", "nodes.conf")
    with ExitStack() as stack:
        servers = [stack.enter_context(running(folder / f"node-{n}", *options)) for n in range(nodes)]
        per = -(-SLOTS // nodes)
        for n, server in enumerate(servers):
            client = server.client()
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", n * per, min((n + 1) * per, SLOTS) - 1)
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", n + 1)
            if n:
                client.execute_command("CLUSTER", "MEET", "127.0.0.1", servers[0].port)
        until(lambda: all(whole(server, nodes) for server in servers))
        yield servers, redis_access(",".join(server.address for server in servers), kind="redis_cluster")


def whole(server: Server, nodes: int) -> bool:
    """Say whether the node knows so many nodes, and that all slots are held."""
    told = server.client().execute_command("CLUSTER", "INFO").split()
    return {b"cluster_state:ok", f"cluster_known_nodes:{nodes}".encode()} <= set(told)


@contextmanager
def guarded(folder: Path, user: str, password: str) -> Iterator[tuple[Server, RedisAccess]]:
    """Run a server that speaks only TLS, and lets in only this user: with what it needs, and no more."""
    ca, certificate, key = authority(folder)
    allowed = "+hmget +hget +hset +hdel +hexists +hkeys +persist +expire +eval +scan +time +ping +client +type +hgetall"
    arguments = ("--tls-port", "PORT", "--port", "0", "--tls-cert-file", str(certificate), "--tls-key-file", str(key))
    arguments += ("--tls-ca-cert-file", str(ca), "--tls-auth-clients", "no")
    acl = folder / "users.acl"
    acl.write_text(f"user default off\nuser {user} on >{password} ~* {allowed}\n", "utf-8")
    arguments += ("--aclfile", str(acl))
    told = {"ssl": True, "ssl_ca_certs": str(ca), "username": user, "password": password}
    with running(folder / "guarded", *arguments, **told) as server:
        yield server, redis_access(server.address, username=user, password=password, ca=str(ca))


def authority(folder: Path) -> tuple[Path, Path, Path]:
    """Make an authority and a certificate of 127.0.0.1 signed by it; return files of both, and of the certificate's key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    def named(name: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])

    def certificate(name: str, key: Any, signer: Any, issuer: str, *extensions: x509.ExtensionType) -> bytes:
        began = datetime.now(UTC) - timedelta(hours=1)
        builder = x509.CertificateBuilder(named(issuer), named(name), key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(began).not_valid_after(began + timedelta(days=1))
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    folder.mkdir(parents=True, exist_ok=True)
    root, leaf = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    host = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    signed = x509.BasicConstraints(ca=True, path_length=None)
    plain = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    contents = {
        "ca.pem": certificate("made-up authority", root, root, "made-up authority", signed),
        "server.pem": certificate("127.0.0.1", leaf, root, "made-up authority", host),
        "server.key": leaf.private_bytes(*plain),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder / "ca.pem", folder / "server.pem", folder / "server.key"
