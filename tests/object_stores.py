"""A real server of S3's protocol for tests, settings that stand on it, and a line between that can be cut."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from uuid import uuid4

from infra.bench.object_server import OWN, WORK, make_bucket, object_server
from infra.settings import Settings
from lineage.places import Access

OWNER = Access(access_key_id="made", secret_access_key="up", retry_seconds=5.0)  # noqa: S106  of a server of our own
GUEST = Access(access_key_id="guest", secret_access_key="of-it", retry_seconds=5.0)  # noqa: S106
"""May read, write and list, and make no bucket: what a job should be."""


@dataclass(frozen=True)
class Store:
    """A server that answers."""

    endpoint: str
    access: Access
    """The owner's."""
    guest: Access

    def bucket(self) -> str:
        """Make a bucket of the caller's own; return its address."""
        return make_bucket(self.access, f"made-{uuid4().hex[:12]}")


def settings_on(settings: Settings, place: str, access: Access) -> Settings:
    """Return settings whose tables, ledger and training sets stand at a place in a bucket."""
    reached = {
        "endpoint": access.endpoint,
        "access_key_id": access.access_key_id,
        "secret_access_key": access.secret_access_key,
        "retry_seconds": str(access.retry_seconds),
    }
    return replace(
        settings,
        tables_at=f"{place}/tables",
        ledger_at=f"{place}/ledger",
        training_sets_at=f"{place}/training_sets",
        s3=MappingProxyType(reached),
    )


@contextmanager
def server(folder: Path) -> Iterator[Store]:
    """Run a server for the length of a block."""
    with object_server(folder, {"owner": (OWNER, OWN), "guest": (GUEST, WORK)}) as endpoint:
        yield Store(endpoint, replace(OWNER, endpoint=endpoint), replace(GUEST, endpoint=endpoint))


@dataclass
class Between:
    """What stands between a client and a server, and can cut the line: a proxy that knows requests."""

    endpoint: str
    away: bool = False
    """Whether every connection is closed without an answer, and nothing is passed on."""
    swallow: Callable[[str, str], bool] = lambda _method, _path: False
    """Of which requests the answer is lost, though the server has done what was asked."""
    passed: list[tuple[str, str, int]] = field(default_factory=list)
    """Method, path and status of what was passed on, whether its answer was lost or not."""


@contextmanager
def between(server_endpoint: str) -> Iterator[Between]:
    """Run a proxy before a server for the length of a block."""
    target = server_endpoint.removeprefix("http://")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if line.away:
                self.close_connection = True
                return
            connection = HTTPConnection(target, timeout=30)
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():  # the host too: it is signed
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            line.passed.append((self.command, self.path, answer.status))
            if line.swallow(self.command, self.path):
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "connection", "date", "server"):
                    self.send_header(name, value)
            if answer.getheader("Content-Length") is None:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = pass_on  # noqa: N815  names of the base class's

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    proxy.daemon_threads = True
    line = Between(f"http://127.0.0.1:{proxy.server_port}")
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield line
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()
