"""Two writers of one view: the later wins, whatever the earlier still tries. On every store."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import CommitConflict
from features.connectors.online_redis import RedisStore
from features.connectors.online_sqlite import SqliteStore
from features.connectors.online_store import online_store
from features.engines import materialize as engine
from features.engines.aggregate import build_gold
from features.engines.materialize import materialize
from features.engines.verify_online import verify_online
from features.feast_encode import encoder
from features.feast_layout import entity_key, value
from features.online import EVENT_US, GOLD_VERSION, Asked, OnlineStore, Row
from features.plan import Plan
from features.redis_access import redis_access
from features.workspace import Workspace
from tests.features.made import land, latest_view, sales, workspace
from tests.redis_servers import needs_redis, running

VIEW = latest_view()
KINDS = [
    pytest.param("sqlite"),
    pytest.param("redis", marks=[pytest.mark.servers, needs_redis]),
]


@pytest.fixture(scope="module")
def redis_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("redis")) as server:
        yield server.address


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Workspace:
    """Return a workspace whose store is empty: of Redis, a project of the test's own."""
    if request.param == "sqlite":
        (tmp_path / "features").mkdir()
        return workspace(tmp_path)
    address = request.getfixturevalue("redis_address")
    return workspace(tmp_path, online_store="redis", redis=redis_access(address), project=tmp_path.name)


def rows(shops: Sequence[int], price: int) -> list[Row]:
    int64 = encoder("Int64")
    values = {"price": int64(price), GOLD_VERSION: int64(price), EVENT_US: int64(1_000_000)}
    return [Row(entity_key(["shop"], [str(shop)], ["String"]), 1_000_000, values) for shop in shops]


def held(store: OnlineStore, shops: Sequence[int] = range(4)) -> list[int | None]:
    [read] = store.read([Asked(VIEW.name, [row.key for row in rows(shops, 0)], ["price"])])
    return [None if stored is None else value(stored.values["price"]) for stored in read]


def test_a_later_claim_has_the_greater_fence(place: Workspace) -> None:
    store = online_store(place)
    assert store.claimed(VIEW.name) == ""
    fences = [store.claim(VIEW.name) for _ in range(20)]
    assert fences == sorted(set(fences))
    assert store.claimed(VIEW.name) == fences[-1]
    assert store.claimed("another_view") == ""


def test_a_writer_that_was_overtaken_changes_nothing(place: Workspace) -> None:
    store = online_store(place)
    earlier = store.claim(VIEW.name)
    store.write(VIEW, rows([0, 1], 1), earlier)
    later = store.claim(VIEW.name)
    for attempt in (
        lambda: store.write(VIEW, rows([0, 2], 1), earlier),
        lambda: store.mark(VIEW.name, "{}", earlier),
        lambda: store.sweep(VIEW, earlier),
    ):
        with pytest.raises(CommitConflict, match="later materialization"):
            attempt()
    assert held(store) == [1, 1, None, None]
    store.write(VIEW, rows([0, 2], 2), later)
    assert store.sweep(VIEW, later) == 1
    store.mark(VIEW.name, "done", later)
    with pytest.raises(CommitConflict):
        store.write(VIEW, rows([0, 1, 3], 1), earlier)
    assert (held(store), store.marked(VIEW.name)) == ([2, None, 2, None], "done")


def test_an_earlier_materialization_gives_way_to_a_later_one(place: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    land(place, "shop.sold", sales([(str(n), n, 10) for n in range(4)]))
    plan = Plan(place.project, {VIEW.name: VIEW}, {}, {})
    build_gold(place, plan)
    other = replace(place, instance="other")
    passed: list[Any] = []

    def overtake() -> None:
        land(place, "shop.sold", sales([("0", 50, 20)]))
        build_gold(other, plan)
        passed.extend(materialize(other, plan))

    before(monkeypatch, type(online_store(place)), "write", overtake)
    with pytest.raises(CommitConflict):
        materialize(place, plan)
    assert [m.gold_version for m in passed] == [2]
    assert held(online_store(place)) == [20, 10, 10, 10]
    assert [m.up_to_date for m in materialize(place, plan)] == [True]


def test_writers_at_once_leave_the_newest_gold_and_a_mark_that_says_so(place: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four materializations race while gold moves on; whoever is overtaken says so, and in the end all is as gold has it."""
    monkeypatch.setattr(engine, "BATCH", 20)
    plan = Plan(place.project, {VIEW.name: VIEW}, {}, {})
    ended: list[str] = []

    def race() -> None:
        try:
            materialize(place, plan)
            ended.append("done")
        except CommitConflict:
            ended.append("gave way")

    for turn in range(3):
        land(place, "shop.sold", sales([(str(n), turn, 10 * turn) for n in range(100 + turn) if n != turn]))
        build_gold(place, plan)
        racers = [threading.Thread(target=race) for _ in range(2)]
        for racer in racers:
            racer.start()
        land(place, "shop.sold", sales([(str(n), turn, 10 * turn + 5) for n in range(30)]))
        build_gold(place, plan)
        racers += [threading.Thread(target=race) for _ in range(2)]
        for racer in racers[2:]:
            racer.start()
        for racer in racers:
            racer.join(60)
        assert not any(racer.is_alive() for racer in racers)
        materialize(place, plan)
        [told] = verify_online(place, plan, repair=False)
        assert (told.differences, told.unfinished, told.gold_version) == (0, False, 2 * turn + 2)
    assert len(ended) == 12
    assert "done" in ended


@pytest.mark.servers
@needs_redis
def test_what_a_sleeping_writer_brings_in_too_late_is_taken_back(
    redis_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at the claim and the write, the later writer has come, looked for others, and gone."""
    store = RedisStore(redis_access(redis_address), tmp_path.name)
    start = store.claim(VIEW.name)
    store.write(VIEW, rows([0, 1], 0), start)
    sleeping = store.claim(VIEW.name)

    def overtake() -> None:
        later = store.claim(VIEW.name)
        store.write(VIEW, rows([0], 2), later)
        assert store.sweep(VIEW, later) == 1
        store.mark(VIEW.name, "done", later)

    before(monkeypatch, RedisStore, "_piped", overtake)
    with pytest.raises(CommitConflict):
        store.write(VIEW, rows([0, 1, 2], 1), sleeping)
    assert held(store) == [2, None, None, None], "the removed did not come back, and the new did not stay"


Step = tuple[str, int, list[int]]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 2), st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True)),
        st.tuples(st.just("sweep"), st.integers(0, 2), st.just([])),
    ),
    max_size=12,
)


@settings(deadline=None, max_examples=40)
@given(STEPS)
def test_no_order_of_three_writers_lets_an_earlier_one_change_a_laters_values(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step]
) -> None:
    store = SqliteStore(tmp_path_factory.mktemp("store") / "online.db", "made_up")
    fences: dict[int, str] = {}
    standing: dict[int, int] = {}
    for kind, writer, shops in steps:
        fence = fences.setdefault(writer, store.claim(VIEW.name) if writer not in fences else "")
        current = fence == max(fences.values())
        try:
            if kind == "write":
                store.write(VIEW, rows(shops, writer), fence)
                standing |= dict.fromkeys(shops, writer)
            else:
                store.sweep(VIEW, fence)
                standing = {shop: by for shop, by in standing.items() if by == writer}
            assert current
        except CommitConflict:
            assert not current
        assert held(store) == [standing.get(shop) for shop in range(4)] if standing or current else True


def before(monkeypatch: pytest.MonkeyPatch, owner: type, name: str, act: Callable[[], None]) -> None:
    """Let something happen once, just before the method is next called."""
    real = getattr(owner, name)

    def first(self: Any, *arguments: Any, **named: Any) -> Any:
        monkeypatch.setattr(owner, name, real)
        act()
        return real(self, *arguments, **named)

    monkeypatch.setattr(owner, name, first)
