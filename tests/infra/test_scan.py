"""`headwater scan`: its targets, its exit codes, a bucket, Redis."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner

from infra.main import main
from infra.scanning import scanned
from infra.settings import Settings
from lineage.connectors.object_store import Objects
from streams.connectors import delta
from streams.recognise import entities
from tests.object_stores import Store, settings_on
from tests.redis_servers import needs_redis, running

ADDRESS = "ada.example@mail.example.org"


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


@pytest.mark.servers
def test_a_bucket_is_looked_through(bucket: str, object_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in (("a.txt", "nothing"), ("b/c.jsonl", f'{{"m": "{ADDRESS}"}}')):
        Objects(bucket).put_if_absent(f"there/{name}", text.encode())
    done = scanned(settings_on(Settings(), bucket, object_store.guest), [f"{bucket}/there"], entities)
    assert [(f.place, f.type, f.first) for f in done.findings] == [(f"{bucket}/there/b/c.jsonl", "email", "line 1")]
    assert len(done.places) == 2
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", object_store.guest.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", object_store.guest.secret_access_key)
    query = f"?endpoint_override={object_store.endpoint.removeprefix('http://')}&scheme=http"
    assert scanned(Settings(), [f"{bucket}/there{query}"], entities).findings == done.findings


@pytest.mark.servers
@needs_redis
def test_redis_is_looked_through(tmp_settings: Settings) -> None:
    with running(tmp_settings.home / "redis") as server:
        client = server.client()
        client.hset("entity", "field", ADDRESS.encode() + b"\x00\x01")
        client.rpush("queue", "nothing")
        done = scanned(replace(tmp_settings, redis=server.address, online_store="redis"), ["redis"], entities)
        assert [(f.place, f.type, f.count) for f in done.findings] == [("redis", "email", 1)]
