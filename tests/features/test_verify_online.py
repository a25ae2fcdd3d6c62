"""`materialize --verify`: whatever was lost or spoilt is found, named without telling whose it is, and repaired."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from features.connectors.online_redis import RedisStore
from features.connectors.online_sqlite import SqliteStore
from features.connectors.online_store import online_store
from features.engines import materialize as engine
from features.engines import newest
from features.engines.aggregate import build_gold, gold_uri
from features.engines.materialize import materialize
from features.engines.newest import newest_parts, parts_needed
from features.engines.verify_online import EXAMPLES, Verified, verify_online
from features.feast_encode import encoder
from features.feast_layout import value
from features.manifest import Manifest, manifest_bytes
from features.online import EVENT_US, GOLD_VERSION, Row, key_of, stored_names
from features.plan import Plan
from features.redis_access import redis_access
from features.workspace import Workspace
from infra.commands.features import features
from infra.settings import Settings
from streams.connectors import delta
from tests.features.made import at, land, latest_view, sales, workspace
from tests.redis_servers import Server, cluster, needs_redis, running
from tests.waiting import until

VIEW = latest_view()
SHOPS = 30
World = tuple[Workspace, Plan]


def made_world(place: Workspace) -> World:
    """Return the workspace with gold of 30 shops, materialized."""
    land(place, "shop.sold", sales([(f"shop {n}", n, 10 + n) for n in range(SHOPS)]))
    plan = Plan(place.project, {VIEW.name: VIEW}, {}, {})
    build_gold(place, plan)
    materialize(place, plan)
    return place, plan


@pytest.fixture
def sqlite(tmp_path: Path) -> World:
    (tmp_path / "features").mkdir()
    return made_world(workspace(tmp_path))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running(tmp_path / "redis") as started:
        yield started


@pytest.fixture
def on_redis(server: Server, tmp_path: Path) -> World:
    return made_world(workspace(tmp_path / "world", online_store="redis", redis=redis_access(server.address, wait_seconds=20)))


def looked(world: World, *, repair: bool = False) -> Verified:
    return verify_online(*world, repair=repair)[0]


def counts(told: Verified) -> tuple[int, int, int]:
    return told.missing, told.stale, told.extra


def stored(world: World) -> dict[bytes, dict[str, bytes]]:
    return {key: dict(held.values) for key, held in online_store(world[0]).scan(VIEW, stored_names(VIEW))}


def assert_repaired(world: World, found: tuple[int, int, int], right: dict[bytes, dict[str, bytes]]) -> None:
    """Hold that a look finds so many missing, stale and extra and changes nothing, and that a repair brings back all."""
    before = stored(world)
    told = looked(world)
    assert (counts(told), told.sound, told.repaired_to) == (found, False, None)
    assert stored(world) == before
    repaired = looked(world, repair=True)
    assert (counts(repaired), repaired.sound, repaired.left) == (found, True, 0)
    assert repaired.repaired_to is not None
    assert stored(world) == right
    again = looked(world, repair=True)
    assert (counts(again), again.sound, again.repaired_to) == ((0, 0, 0), True, None)


def test_a_store_as_it_should_be_is_left_alone(sqlite: World) -> None:
    before = len(list(sqlite[0].emitter.ledger.events()))
    told = looked(sqlite, repair=True)
    assert (told.entities, counts(told), told.sound, told.unfinished) == (SHOPS, (0, 0, 0), True, False)
    assert len(list(sqlite[0].emitter.ledger.events())) == before


def test_a_database_file_that_is_gone_is_made_again(sqlite: World) -> None:
    right = stored(sqlite)
    sqlite[0].online_file.unlink()
    assert counts(looked(sqlite)) == (SHOPS, 0, 0)
    assert looked(sqlite, repair=True).sound
    assert stored(sqlite) == right


def older_writer(world: World) -> None:
    """Put in what a writer without fences would: an old value, and an entity that gold does not have."""
    place, plan = world
    store = online_store(place)
    key = key_of(plan.view(VIEW.name), {"shop": "shop 3"})
    int64 = encoder("Int64")
    old = {"price": int64(1), GOLD_VERSION: int64(0), EVENT_US: int64(5)}
    store.write(VIEW, [Row(key, 5, old), Row(key_of(VIEW, {"shop": "closed"}), 5, old)], store.claim(VIEW.name))


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("on_redis", marks=[pytest.mark.servers, needs_redis])])
def test_stale_missing_and_extra_entities_are_told_apart_and_repaired(kind: str, request: pytest.FixtureRequest) -> None:
    world: World = request.getfixturevalue(kind)
    right = stored(world)
    store = online_store(world[0])
    lost = [key_of(VIEW, {"shop": f"shop {n}"}) for n in (7, 8)]
    store.remove(VIEW, lost, store.claim(VIEW.name))
    older_writer(world)
    told = looked(world)
    assert told.unfinished
    assert {kind for kind, _ in told.examples} == {"missing", "stale", "extra"}
    assert_repaired(world, (2, 1, 1), right)


@pytest.mark.servers
@needs_redis
def test_redis_that_lost_all_is_filled_again(on_redis: World, server: Server) -> None:
    right = stored(on_redis)
    server.client().flushall()
    assert_repaired(on_redis, (SHOPS, 0, 0), right)
    server.kill()
    server.start()
    assert_repaired(on_redis, (SHOPS, 0, 0), right)


@pytest.mark.servers
@needs_redis
def test_half_written_hashes_are_found_by_their_bytes(on_redis: World, server: Server) -> None:
    from features.connectors.online_redis import _field

    right = stored(on_redis)
    client, suffix = server.client(), on_redis[0].project.encode()
    keys = [key_of(VIEW, {"shop": f"shop {n}"}) + suffix for n in range(4)]
    client.hdel(keys[0], _field(VIEW.name, "price"))
    client.hset(keys[1], _field(VIEW.name, "price"), b"\x20\x01")
    client.hset(keys[2], f"_ts:{VIEW.name}", b"\x08\x01")
    client.hdel(keys[3], f"_ts:{VIEW.name}")
    assert_repaired(on_redis, (1, 3, 0), right)


@pytest.mark.servers
@needs_redis
def test_a_cluster_that_lost_a_node_gets_back_what_it_held(tmp_path: Path) -> None:
    with cluster(tmp_path / "cluster") as (servers, access):
        patient = replace(access, wait_seconds=30)
        world = made_world(workspace(tmp_path / "world", online_store="redis", redis=patient))
        right = stored(world)
        held = [server.client().dbsize() for server in servers]
        assert all(held), "each node holds some"
        at_mark = next(n for n, server in enumerate(servers) if server.client().keys("headwater:*"))
        lost = (at_mark + 1) % 3
        servers[lost].kill()
        servers[lost].start()
        until(lambda: b"cluster_state:ok" in servers[lost].client().execute_command("CLUSTER", "INFO"))
        assert [m.up_to_date for m in materialize(*world)] == [True], "the mark was on another node, and says all is well"
        assert_repaired(world, (held[lost], 0, 0), right)


@pytest.mark.servers
@needs_redis
def test_what_a_killed_run_left_half_done_is_known_and_mended(on_redis: World, monkeypatch: pytest.MonkeyPatch) -> None:
    place, plan = on_redis
    land(place, "shop.sold", sales([(f"shop {n}", 100, 500 + n) for n in range(SHOPS)]))
    build_gold(place, plan)
    monkeypatch.setattr(engine, "BATCH", 10)
    calls: list[int] = []
    real = RedisStore.write

    def die_later(*arguments: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        real(*arguments)

    with monkeypatch.context() as crash:
        crash.setattr(RedisStore, "write", die_later)
        with pytest.raises(KeyboardInterrupt):
            materialize(place, plan)
    told = looked(on_redis)
    assert (counts(told), told.gold_version, told.unfinished) == ((0, 10, 0), 1, True)
    repaired = looked(on_redis, repair=True)
    assert (repaired.repaired_to, repaired.sound) == (2, True)
    assert {value(row["price"]) for row in stored(on_redis).values()} == set(range(500, 500 + SHOPS))
    assert [m.up_to_date for m in materialize(place, plan)] == [True]


def test_the_materialization_point_is_what_is_compared_with(sqlite: World) -> None:
    place, plan = sqlite
    materialize(place, plan, until=at(9))
    land(place, "shop.sold", sales([("shop 0", 100, 500)]))
    build_gold(place, plan)
    told = looked(sqlite)
    assert (told.entities, told.gold_version, told.until, told.sound) == (10, 1, at(9).isoformat(), True)
    store = online_store(place)
    store.remove(VIEW, [key_of(VIEW, {"shop": "shop 4"})], store.claim(VIEW.name))
    repaired = looked(sqlite, repair=True)
    assert (counts(repaired), repaired.repaired_to, repaired.until) == ((1, 0, 0), 2, told.until)
    assert len(stored(sqlite)) == 10


@pytest.mark.parametrize("lost", ["files", "table"])
def test_where_the_marks_gold_is_gone_todays_is_compared_with(sqlite: World, lost: str) -> None:
    place, plan = sqlite
    uri = Path(gold_uri(place, VIEW.name))
    if lost == "table":
        for _ in range(2):
            land(place, "shop.sold", sales([("shop 0", 100, 500)]))
            build_gold(place, plan)
        materialize(place, plan)
        shutil.rmtree(uri)
    else:
        for file in uri.rglob("*.parquet"):
            file.unlink()
        land(place, "shop.sold", sales([("shop 0", 100, 500)]))
    build_gold(place, plan)
    told = looked(sqlite)
    assert (told.gold_version, told.entities, told.stale) == (delta.current_version(str(uri)), SHOPS, SHOPS)
    assert looked(sqlite, repair=True).sound


def test_a_repair_that_a_writer_spoils_again_is_not_called_one(sqlite: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sqlite[0].online_file.unlink()
    real = SqliteStore.mark

    def spoil(self: SqliteStore, view: str, mark: str, fence: str) -> None:
        real(self, view, mark, fence)
        self.remove(VIEW, [key_of(VIEW, {"shop": "shop 4"})], self.claim(view))

    monkeypatch.setattr(SqliteStore, "mark", spoil)
    told = looked(sqlite, repair=True)
    assert (told.repaired_to, told.left, told.sound) == (1, 1, False)


def test_examples_are_few_and_tell_no_key(sqlite: World) -> None:
    sqlite[0].online_file.unlink()
    told = looked(sqlite)
    assert len(told.examples) == EXAMPLES
    assert "shop 1" not in str(told)
    assert b"shop 1".hex() not in str(told)
    other = replace(sqlite[0], secret=lambda name: bytes(32))
    assert not set(told.examples) & set(looked((other, sqlite[1])).examples), "the hash is this installation's alone"


def test_the_command_exits_1_for_a_difference_and_0_after_the_repair(sqlite: World) -> None:
    place, plan = sqlite
    place.manifest_file.write_bytes(manifest_bytes(Manifest(plan, "")))
    home = place.feature_store.parent
    settings_ = replace(Settings(), home=home, project=place.project)
    key = key_of(VIEW, {"shop": "shop 4"})

    def call(*arguments: str) -> tuple[int, Any]:
        made = CliRunner().invoke(features, ["materialize", VIEW.name, "--verify", "--json", *arguments], obj=settings_)
        return made.exit_code, json.loads(made.stdout)["views"][0]

    assert call("--dry-run")[0] == 0
    store = online_store(place)
    store.remove(VIEW, [key], store.claim(VIEW.name))
    code, told = call("--dry-run")
    assert (code, told["missing"], told["sound"], len(told["examples"])) == (1, 1, False, 1)
    code, told = call()
    assert (code, told["repaired_to"], told["sound"]) == (0, 1, True)
    store.remove(VIEW, [key], store.claim(VIEW.name))
    shown = CliRunner().invoke(features, ["materialize", "--verify"], obj=settings_)
    assert "30 entities of gold version 1, 1 missing" in shown.output
    assert "written again from gold version 1: repaired" in shown.output
    for misused in (["--dry-run"], ["--verify", "--until", "2030-01-01"]):
        assert CliRunner().invoke(features, ["materialize", *misused], obj=settings_).exit_code == 2


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 40)), min_size=1, max_size=60),
    st.one_of(st.none(), st.integers(0, 40)),
)
def test_the_newest_rows_are_the_same_in_any_number_of_parts(
    tmp_path_factory: pytest.TempPathFactory, sold: list[tuple[int, int]], limit: int | None
) -> None:
    place = workspace(tmp_path_factory.mktemp("parts"))
    land(place, "shop.sold", sales([(f"shop {shop}", minute, n) for n, (shop, minute) in enumerate(sold)]))
    plan = Plan("made_up", {VIEW.name: VIEW}, {}, {})
    build_gold(place, plan)
    uri, point = gold_uri(place, VIEW.name), at(limit).isoformat() if limit is not None else ""
    rows = delta.read(uri).to_pylist()
    wanted: dict[str, Any] = {}
    for row in sorted(rows, key=lambda row: row["event_timestamp"]):
        if limit is None or row["event_timestamp"] <= at(limit):
            wanted[row["shop"]] = row["price"]
    with pytest.MonkeyPatch.context() as patched:
        for size, sample in ((100_000, 64), (3, 1), (1, 1)):
            patched.setattr(newest, "PART_ENTITIES", size)
            patched.setattr(newest, "_SAMPLE", sample)
            parts = [part.to_pylist() for part in newest_parts(VIEW, uri, 1, point)]
            got = [(row["shop"], row["price"]) for part in parts for row in part]
            assert sorted(got) == sorted(wanted.items())
            assert len(parts) == parts_needed(VIEW, uri, 1)
