"""`headwater scan`: its targets, its exit codes, a bucket, Redis."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from shutil import which
from urllib.request import urlopen

import pyarrow as pa
import pyarrow.fs as pafs
import pytest
from click.testing import CliRunner

from infra.main import main
from infra.scanning import scanned
from infra.settings import Settings
from streams.connectors import delta
from streams.recognise import entities
from tests.conftest import free_ports
from tests.waiting import until

ADDRESS = "ada.example@mail.example.org"
WEED = Path(sys.executable).with_name("weed")


def test_a_clear_folder_is_0_and_personal_data_1(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("nothing", "utf-8")
    clear = CliRunner().invoke(main, ["scan", str(tmp_path)])
    (tmp_path / "b.txt").write_text(ADDRESS, "utf-8")
    not_clear = CliRunner().invoke(main, ["scan", str(tmp_path), "--json"])
    assert (clear.exit_code, not_clear.exit_code) == (0, 1)
    told = json.loads(not_clear.stdout)
    assert told["findings"] == [{"place": f"{tmp_path}/b.txt", "field": "", "type": "email", "count": 1, "first": "line 1"}]
    assert ADDRESS not in not_clear.output


def test_a_target_that_is_nothing_is_told_with_what_it_could_be(tmp_settings: Settings) -> None:
    done = CliRunner().invoke(main, ["--home", str(tmp_settings.home), "scan", "docs.page"])
    assert done.exit_code == 1
    assert "docs.pages" in done.output


def test_a_table_is_found_by_its_name(tmp_settings: Settings) -> None:
    uri = delta.table_uri(tmp_settings.tables, "silver", "docs", "pages")
    delta.create_if_absent(uri, pa.schema([("text", pa.string())]))
    delta.append(uri, pa.table({"text": [ADDRESS]}), metadata={})
    done = scanned(tmp_settings, ["silver/docs/pages"], entities)
    assert {(finding.field, finding.type) for finding in done.findings} >= {("text", "email")}


def test_a_file_that_is_not_what_it_says_is_unread_and_the_rest_still_looked_at(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and nothing more")
    (tmp_path / "b.gz").write_bytes(b"\x1f\x8b\x08 and nothing more")
    (tmp_path / "c.txt").write_text(ADDRESS, "utf-8")
    done = scanned(Settings(home=tmp_path), [str(tmp_path)], entities)
    assert set(done.unread) == {f"{tmp_path}/a.parquet", f"{tmp_path}/b.gz"}
    assert [finding.place for finding in done.findings] == [f"{tmp_path}/c.txt"]


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield the address of a bucket on a server of S3's protocol."""
    port, master, volume, filer = (free_ports() for _ in range(4))
    config = tmp_path / "s3.json"
    identity = {
        "name": "t",
        "credentials": [{"accessKey": "made", "secretKey": "up"}],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    config.write_text(json.dumps({"identities": [identity]}), "utf-8")
    ports = [
        f"-master.port={master}",
        f"-volume.port={volume}",
        f"-filer.port={filer}",
        f"-s3.port={port}",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
    ]
    grpc = [f"-{name}.port.grpc={free_ports()}" for name in ("master", "volume", "filer", "s3")]
    command = [str(WEED), "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={tmp_path}", "-s3", f"-s3.config={config}"]
    with (tmp_path / "weed.log").open("wb") as log:
        server = subprocess.Popen([*command, *ports, *grpc], stdout=log, stderr=log, cwd=tmp_path)
    try:
        until(lambda: server.poll() is not None or _answers(port), 60)
        assert server.poll() is None, (tmp_path / "weed.log").read_text()[-2000:]
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "made")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "up")
        yield f"s3://stuff/there?endpoint_override=127.0.0.1:{port}&scheme=http&allow_bucket_creation=true"
    finally:
        server.kill()  # its leave-taking takes half a minute, and nothing of it is kept
        server.wait(30)


def _answers(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/status", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.mark.servers
@pytest.mark.skipif(not WEED.exists(), reason="this environment has no seaweedfs")
def test_a_bucket_is_looked_through(bucket: str) -> None:
    system, path = pafs.FileSystem.from_uri(bucket)
    system.create_dir("stuff")
    for name, text in (("a.txt", "nothing"), ("b/c.jsonl", f'{{"m": "{ADDRESS}"}}')):
        with system.open_output_stream(f"{path}/{name}") as file:
            file.write(text.encode())
    done = scanned(Settings(), [bucket], entities)
    assert [(f.place, f.type, f.first) for f in done.findings] == [("s3://stuff/there/b/c.jsonl", "email", "line 1")]
    assert len(done.places) == 2


@pytest.mark.servers
@pytest.mark.skipif(which("redis-server") is None, reason="no redis-server on this machine")
def test_redis_is_looked_through(tmp_settings: Settings) -> None:
    import redis

    port = free_ports()
    server = subprocess.Popen(["redis-server", "--port", str(port), "--save", ""], stdout=subprocess.DEVNULL)
    client = redis.Redis(port=port)
    try:
        until(lambda: _pings(client))
        client.hset("entity", "field", ADDRESS.encode() + b"\x00\x01")
        client.rpush("queue", "nothing")
        done = scanned(replace(tmp_settings, redis=f"127.0.0.1:{port}", online_store="redis"), ["redis"], entities)
        assert [(f.place, f.type, f.count) for f in done.findings] == [("redis", "email", 1)]
    finally:
        client.close()
        server.terminate()
        server.wait(10)


def _pings(client: object) -> bool:
    import redis

    try:
        return bool(client.ping())  # type: ignore[attr-defined]
    except redis.ConnectionError:
        return False
