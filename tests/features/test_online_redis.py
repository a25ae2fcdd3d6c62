"""Redis, really: in the open, behind TLS and an ACL, and as a cluster; away, refusing, and found again."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from contracts.errors import SettingsInvalid, TransientError
from features.connectors.online_redis import _field, stored_octets
from features.connectors.online_store import online_store
from features.engines.aggregate import build_gold
from features.engines.materialize import materialize, read_mark
from features.feast_client import PASSWORD_VARIABLE, client_yaml
from features.feast_layout import Unknown
from features.manifest import Manifest, manifest_bytes
from features.online import EVENT_US, GOLD_VERSION, Asked, Stored, key_of, served_vector, stored_names
from features.plan import Plan, Service
from features.redis_access import RedisAccess, redis_access
from features.vectors import read_vectors, reading_of
from features.workspace import Workspace
from infra.main import main
from tests.features.made import KNOWN, land, latest_view, sales, workspace
from tests.features.test_online import entity_rows, from_feast, from_ours
from tests.redis_servers import Server, authority, cluster, free_port, guarded, needs_redis, running

USER, PASSWORD = "feature_writer", 'a,"secret"={word}'
RIGHT, WRONG, OPEN = "the-right-one", "a-wrong-one", "no-secret"
pytestmark = [pytest.mark.servers, needs_redis]


@contextmanager
def redis_of(kind: str, folder: Path, password: str = PASSWORD) -> Iterator[RedisAccess]:
    """Run the kind of Redis and say how to get in."""
    with ExitStack() as stack:
        if kind == "guarded":
            yield stack.enter_context(guarded(folder, USER, password))[1]
        elif kind == "cluster":
            yield stack.enter_context(cluster(folder))[1]
        else:
            yield redis_access(stack.enter_context(running(folder)).address)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running(tmp_path / "redis") as started:
        yield started


def shop_world(home: Path, access: RedisAccess, shops: int = 5) -> tuple[Workspace, Plan]:
    """Return a world of one small view with gold, and nothing online yet. Feast takes no part in it."""
    place = workspace(home, online_store="redis", redis=access)
    land(place, "shop.sold", sales([(f"shop {n}", n, 10 + n) for n in range(shops)]))
    view = latest_view()
    plan = Plan("made_up", {view.name: view}, {}, {})
    build_gold(place, plan)
    return place, plan


def prices(place: Workspace, plan: Plan, shops: int = 5) -> list[int | None]:
    from features.feast_layout import value

    view = plan.view("shop_last_price")
    keys = [key_of(view, {"shop": f"shop {n}"}) for n in range(shops)]
    [read] = online_store(place).read([Asked(view.name, keys, ["price"])])
    return [None if stored is None else value(stored.values["price"]) for stored in read]


def from_a_stranger(place: Workspace, names: list[str], keys: list[dict[str, str]], folder: Path) -> dict[str, list[Any]]:
    """Read as a service does that holds Feast, the file we print, and the password in its environment."""
    from feast import FeatureStore

    from features.connectors.feast_registry import quiet

    folder.mkdir()
    text = client_yaml(place)
    assert place.redis.options.get("password", "none") not in text
    (folder / "feature_store.yaml").write_text(text, "utf-8")
    with quiet(), pytest.MonkeyPatch.context() as environment:
        environment.setenv(PASSWORD_VARIABLE, place.redis.options.get("password", ""))
        read: dict[str, list[Any]] = FeatureStore(repo_path=str(folder)).get_online_features(names, keys).to_dict()
    return read


@pytest.mark.parametrize("kind", ["open", "guarded", "cluster"])
def test_every_kind_of_redis_gives_feasts_client_what_it_gives_us(
    built: tuple[Workspace, Plan], kind: str, tmp_path: Path
) -> None:
    sqlite, plan = built
    with redis_of(kind, tmp_path) as access:
        place = replace(sqlite, online_store="redis", redis=access)
        assert [m.up_to_date for m in materialize(place, plan)] == [False] * len(plan.views)
        assert [m.up_to_date for m in materialize(place, plan)] == [True] * len(plan.views)
        for name in ("sensor_last", "origin_weather", "package_passages"):
            view = plan.view(name)
            known = entity_rows(view, place)[:40]
            unknown = [{e.name: 10**6 if e.dtype == "Int64" else "nobody" for e in view.entities}]
            ours = from_ours(place, plan, view, known + unknown)
            assert ours == from_feast(place, view, known + unknown) == from_ours(sqlite, plan, view, known + unknown)
        for view in plan.views.values():
            scanned = {key: stored.values for key, stored in online_store(place).scan(view, stored_names(view))}
            assert scanned == {key: stored.values for key, stored in online_store(sqlite).scan(view, stored_names(view))}
        assert sum(1 for _ in stored_octets(access)) > 300


@pytest.mark.parametrize("kind", ["guarded", "cluster"])
def test_a_feast_client_with_the_file_we_print_reads_what_we_write(
    built: tuple[Workspace, Plan], kind: str, tmp_path: Path
) -> None:
    with redis_of(kind, tmp_path, RIGHT) as access:
        place = replace(built[0], online_store="redis", redis=access)
        materialize(place, built[1], ["origin_weather"])
        read = from_a_stranger(place, ["origin_weather:temperature_f"], [{"origin": "BBB"}], tmp_path / "stranger")
        assert read["temperature_f"] == [89.5]


def test_one_view_of_an_entity_is_removed_and_the_other_stays(built: tuple[Workspace, Plan], server: Server) -> None:
    place, plan = replace(built[0], online_store="redis", redis=redis_access(server.address)), built[1]
    materialize(place, plan, ["origin_weather", "origin_departures"])
    store, weather = online_store(place), plan.view("origin_weather")
    key = key_of(weather, {"origin": "AAA"})
    assert store.remove(weather, [key, b"not there"], store.claim(weather.name)) == 1
    [[gone], [stays]] = store.read([Asked(weather.name, [key], [EVENT_US]), Asked("origin_departures", [key], [GOLD_VERSION])])
    assert gone is None
    assert isinstance(stays, Stored)


def test_a_spoilt_value_is_unreadable_and_its_neighbours_are_read(server: Server, tmp_path: Path) -> None:
    place, plan = shop_world(tmp_path, redis_access(server.address))
    materialize(place, plan)
    view = plan.view("shop_last_price")
    key = key_of(view, {"shop": "shop 1"})
    server.client().hset(key + b"made_up", _field(view.name, "price"), b"\x12\x05ab")
    service = Service("by_shop", ((view.name, "price"),))
    told = replace(plan, services={"by_shop": service})
    [served] = served_vector(told, online_store(place), "by_shop", {"shop": "shop 1"})
    assert (served.status, served.gold_version) == ("unreadable", 1)
    made = read_vectors(reading_of(told, "by_shop"), online_store(place), [{"shop": "shop 1"}, {"shop": "shop 2"}])
    assert made.values == [[Unknown(0)], [12]]


def test_what_is_removed_leaves_nothing_behind_for_ever(server: Server, tmp_path: Path) -> None:
    place, plan = shop_world(tmp_path, redis_access(server.address))
    materialize(place, plan)
    store, view = online_store(place), plan.view("shop_last_price")
    keys = [key for key, _ in store.scan(view, [GOLD_VERSION])]
    assert store.remove(view, keys, store.claim(view.name)) == 5
    assert not list(store.scan(view, [GOLD_VERSION]))
    client = server.client()
    assert {name for key in keys for name in client.hkeys(key + b"made_up")} == {b"_fence:shop_last_price"}
    assert all(0 < client.ttl(key + b"made_up") <= 86_400 for key in keys)
    materialize(place, plan)
    assert all(client.ttl(key + b"made_up") == -1 for key in keys), "what is written again stays"


def test_a_project_whose_name_ends_like_ours_is_not_ours(server: Server, tmp_path: Path) -> None:
    ours, plan = shop_world(tmp_path, redis_access(server.address))
    theirs = replace(ours, project="not_made_up")
    materialize(theirs, plan)
    assert [m.removed for m in materialize(ours, plan)] == [0]
    store, view = online_store(ours), plan.view("shop_last_price")
    assert len(list(store.scan(view, [GOLD_VERSION]))) == 5
    store.sweep(view, store.claim(view.name))
    assert (prices(ours, plan), prices(theirs, plan)) == ([None] * 5, [10, 11, 12, 13, 14])


def test_a_redis_that_is_away_is_said_to_be_in_bounded_time(tmp_path: Path) -> None:
    access = redis_access(f"127.0.0.1:{free_port()}", password=PASSWORD, wait_seconds=0.5)
    place, plan = shop_world(tmp_path, access)
    for call in (lambda: prices(place, plan), lambda: materialize(place, plan)):
        began = time.monotonic()
        with pytest.raises(TransientError, match="Redis does not answer") as caught:
            call()
        assert time.monotonic() - began < 5
        assert caught.value.where == access.where
        assert "secret" not in str(caught.value)


def test_a_redis_that_takes_the_call_and_says_nothing_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"127.0.0.1:{mute.getsockname()[1]}"
        began = time.monotonic()
        for kind in ("redis", "redis_cluster"):
            place = workspace(tmp_path, online_store="redis", redis=redis_access(address, kind=kind, wait_seconds=0.3))
            with pytest.raises(TransientError, match="Redis does not answer"):
                online_store(place).marked("shop_last_price")
        assert time.monotonic() - began < 8


@pytest.mark.parametrize("command", [["get", "by_shop", "shop=x"], ["materialize"], ["materialize", "--verify"]])
def test_the_commands_say_that_redis_is_away_and_what_to_do(tmp_path: Path, command: list[str]) -> None:
    place, plan = shop_world(tmp_path, redis_access())
    service = Service("by_shop", (("shop_last_price", "price"),))
    place.feature_store.mkdir()
    place.manifest_file.write_bytes(manifest_bytes(Manifest(replace(plan, services={"by_shop": service}), "")))
    (tmp_path / "headwater.toml").write_text(f'redis_password = "{RIGHT}"\nredis_wait_seconds = 0.3\nonline_store = "redis"\n')
    environ = {"HEADWATER_REDIS": f"127.0.0.1:{free_port()}", "HEADWATER_PROJECT": "made_up"}
    arguments = ["--config", str(tmp_path / "headwater.toml"), "--home", str(tmp_path), "features", *command, "--json"]
    made = CliRunner().invoke(main, arguments, env=environ)
    assert made.exit_code == 1, made.output
    assert "Redis does not answer" in made.stderr
    assert "mend `redis` in the settings" in made.stderr
    assert RIGHT not in made.output + made.stderr


def test_a_cluster_that_is_away_is_said_to_be_in_bounded_time() -> None:
    access = redis_access(f"127.0.0.1:{free_port()},127.0.0.1:{free_port()}", kind="redis_cluster", wait_seconds=0.5)
    place = workspace(Path("/nowhere"), online_store="redis", redis=access)
    began = time.monotonic()
    with pytest.raises(TransientError, match="Redis does not answer"):
        online_store(place).marked("shop_last_price")
    assert time.monotonic() - began < 10


def test_who_is_not_let_in_is_told_at_once_which_setting_to_mend(tmp_path: Path) -> None:
    with guarded(tmp_path, USER, RIGHT) as (server, access):
        place, plan = shop_world(tmp_path / "world", access)
        materialize(place, plan)
        strangers = authority(tmp_path / "strangers")[0]
        wrong = {
            "redis_password": redis_access(server.address, username=USER, password=WRONG, ca=str(tmp_path / "ca.pem")),
            "redis_ca": redis_access(server.address, username=USER, password=RIGHT, ca=str(strangers)),
        }
        for setting, refused in wrong.items():
            began = time.monotonic()
            with pytest.raises(SettingsInvalid, match=setting) as caught:
                prices(replace(place, redis=refused), plan)
            assert time.monotonic() - began < refused.wait_seconds
            assert not any(secret in str(caught.value) for secret in (RIGHT, WRONG, USER))


def test_who_may_only_read_reads_and_is_refused_a_write(server: Server, tmp_path: Path) -> None:
    place, plan = shop_world(tmp_path, redis_access(server.address))
    materialize(place, plan)
    server.client().execute_command("ACL", "SETUSER", "reader", "on", f">{OPEN}", "~*", "+hmget", "+hget", "+scan", "+client")
    reader = replace(place, redis=redis_access(server.address, username="reader", password=OPEN))
    assert prices(reader, plan) == [10, 11, 12, 13, 14]
    land(place, "shop.sold", sales([("shop 0", 90, 99)]))
    build_gold(place, plan)
    with pytest.raises(SettingsInvalid, match="a command"):
        materialize(reader, plan)
    assert prices(reader, plan) == [10, 11, 12, 13, 14]


def test_a_fault_that_passes_is_waited_out(server: Server, tmp_path: Path) -> None:
    place, plan = shop_world(tmp_path, redis_access(server.address, wait_seconds=20))
    materialize(place, plan)
    assert server.process is not None
    server.kill()
    again = threading.Timer(0.4, server.start)
    again.start()
    assert prices(place, plan) == [None] * 5, "it came back empty, and answered"
    again.join()
    assert [m.up_to_date for m in materialize(place, plan)] == [False]
    os.kill(server.process.pid, signal.SIGSTOP)
    resumed = threading.Timer(0.4, os.kill, (server.process.pid, signal.SIGCONT))
    resumed.start()
    assert prices(place, plan) == [10, 11, 12, 13, 14]
    resumed.join()


def test_a_materialization_that_loses_redis_marks_nothing_and_is_run_again(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from features.connectors.online_redis import RedisStore
    from features.engines import materialize as engine

    place, plan = shop_world(tmp_path, redis_access(server.address, wait_seconds=0.3))
    monkeypatch.setattr(engine, "BATCH", 2)
    written = RedisStore.write
    batches: list[int] = []

    def lost_after_one(self: RedisStore, view: object, rows: list[object], fence: str) -> None:
        written(self, view, rows, fence)  # type: ignore[arg-type]
        batches.append(len(rows))
        if len(batches) == 1:
            server.kill()

    monkeypatch.setattr(RedisStore, "write", lost_after_one)
    with pytest.raises(TransientError, match="Redis does not answer"):
        materialize(place, plan)
    assert batches == [2]
    server.start()
    patient = replace(place, redis=replace(place.redis, wait_seconds=20))
    assert online_store(patient).marked("shop_last_price") == ""
    assert [(m.entities, m.up_to_date) for m in materialize(patient, plan)] == [(5, False)]
    assert prices(patient, plan) == [10, 11, 12, 13, 14]
    events = [entry.event["eventType"] for entry in place.emitter.ledger.events()]
    assert events.count("FAIL") == 1


def test_values_are_as_of_the_time_that_was_asked_for(server: Server, tmp_path: Path) -> None:
    place, plan = shop_world(tmp_path, redis_access(server.address))
    materialize(place, plan)
    asked = datetime(2030, 1, 1, 0, 2, tzinfo=KNOWN.tzinfo)
    [done] = materialize(place, plan, until=asked)
    assert (done.entities, done.removed) == (3, 2)
    assert prices(place, plan) == [10, 11, 12, None, None]
    mark = read_mark(online_store(place), "shop_last_price")
    assert mark is not None
    assert mark.until == asked.isoformat()
