"""`headwater bench online`: reads of online values from Redis, beside the bare HMGETs and beside Feast's own client.

All three ask one Redis for the same entities and features, from one process, in turn. Ours and Feast's give Python values; the
bare pipeline gives the bytes as they lie there, from keys and field names that were made before: it is the floor.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from contracts.errors import StackBroken
from features.connectors.online_redis import RedisStore
from features.engines.apply import apply_definitions
from features.feast_encode import encoder
from features.online import EVENT_US, GOLD_VERSION, Row, key_of
from features.plan import Plan, View
from features.redis_access import redis_access
from features.vectors import read_vectors, reading_of
from features.workspace import Workspace
from infra.bench.frame import Report, Side, interleaved, machine, percentile, ratio_of, spread
from infra.bench.place import free_pair
from infra.settings import Settings

Read = Callable[[Sequence[int]], Any]
ENTITIES = 2_000
READS = {"1x10": 300, "100x50": 15}
"""Size (entities x features) -> how often each side reads in a round."""
SIZES = {"1x10": (1, 10), "100x50": (100, 50)}
RAW_GOAL = 1.5
FEAST_GOALS = {"1x10": 2.0, "100x50": 4.0}
EVENT_AT_US = 1_800_000_000_000_000
WAIT_SECONDS = 30.0
KINDS = ("Float64", "Int64", "String", "Float32", "Bool")
DEFINITIONS = """
from datetime import timedelta
from feast import Entity, FeatureService, Field, ValueType
from feast.stream_feature_view import StreamFeatureView
from feast.types import Bool, Float32, Float64, Int64, String
from features.sources import silver

KINDS = (Float64, Int64, String, Float32, Bool)
account = Entity(name="account", join_keys=["account"], value_type=ValueType.STRING)


def view(number):
    name = f"account_{number}"
    return StreamFeatureView(
        name=name,
        entities=[account],
        ttl=timedelta(days=3650),
        source=silver("bench.accounts", timestamp_field="at", view=name),
        timestamp_field="at",
        schema=[Field(name="account", dtype=String)]
        + [Field(name=f"f{number}_{n}", dtype=KINDS[n % len(KINDS)]) for n in range(25)],
    )


first, second = view(1), view(2)
five = [[f"f{view}_{n}" for n in range(5)] for view in (1, 2)]
service_10 = FeatureService(name="service_10", features=[first[five[0]], second[five[1]]])
service_50 = FeatureService(name="service_50", features=[first, second])
"""
"""Two views of 25 features of one entity; services of 10 and of all 50 of them."""


def run(settings: Settings, rounds: int, count: int | None = None) -> Report:  # noqa: ARG001  needs no installation
    """Measure; `count` is how many entities there are."""
    entities = count or ENTITIES
    with tempfile.TemporaryDirectory(prefix="headwater-bench-") as folder, _redis(Path(folder)) as address:
        workspace, plan = _filled(Path(folder), address, entities)
        measured = {size: _measured(workspace, plan, size, rounds, entities) for size in SIZES}
    return _report(measured, entities)


def _measured(workspace: Workspace, plan: Plan, size: str, rounds: int, entities: int) -> dict[str, list[dict[str, float]]]:
    reads = _sides(workspace, plan, size)
    keys = [[(start * 37 + n) % entities for n in range(SIZES[size][0])] for start in range(READS[size])]
    _demand_equal(reads, keys[0], plan, size)
    sides: dict[str, Side] = {name: partial(_side, read, keys) for name, read in reads.items()}
    for side in sides.values():
        side(0)
    return interleaved(rounds, sides)


def _side(read: Read, keys: Sequence[Sequence[int]], _number: int) -> Mapping[str, float]:
    return _timed(read, keys)


def _timed(read: Read, keys: Sequence[Sequence[int]]) -> Mapping[str, float]:
    """Return how long the reads took, and what they cost this process: the second hangs less on who else is at work."""
    taken, cpu = [], time.process_time()
    for asked in keys:
        began = time.perf_counter()
        read(asked)
        taken.append((time.perf_counter() - began) * 1000)
    cpu_ms = (time.process_time() - cpu) * 1000 / len(keys)
    return {"p50_ms": percentile(taken, 0.5), "p99_ms": percentile(taken, 0.99), "cpu_ms": cpu_ms}


def _sides(workspace: Workspace, plan: Plan, size: str) -> dict[str, Read]:
    return {
        "ours": _ours(workspace, plan, _service(size)),
        "raw": _raw(workspace, plan, _service(size)),
        "feast": _feast(workspace, _service(size)),
    }


def _service(size: str) -> str:
    return f"service_{SIZES[size][1]}"


def _ours(workspace: Workspace, plan: Plan, service: str) -> Read:
    store, reading = RedisStore(workspace.redis, workspace.project), reading_of(plan, service)
    return lambda asked: read_vectors(reading, store, [{"account": _account(n)} for n in asked]).values


def _raw(workspace: Workspace, plan: Plan, service: str) -> Read:
    """Read with redis-py alone: the hash of an entity holds both views, so one HMGET each, in one pipeline."""
    import mmh3
    import redis

    [(host, port)] = workspace.redis.nodes
    client = redis.Redis(host=host, port=port)
    fields = [mmh3.hash(f"{view}:{name}", signed=False).to_bytes(4, "little") for view, name in plan.service(service).features]
    fields += [f"_ts:{view}".encode() for view in plan.service(service).views]
    keys = {n: key_of(plan.view("account_1"), {"account": _account(n)}) + workspace.project.encode() for n in range(ENTITIES * 2)}

    def read(asked: Sequence[int]) -> Any:
        pipe = client.pipeline(transaction=False)
        for n in asked:
            pipe.hmget(keys[n], fields)
        return pipe.execute()

    return read


def _feast(workspace: Workspace, service: str) -> Read:
    from features.connectors.feast_registry import feature_store, quiet

    with quiet():
        store = feature_store(workspace)
        of = store.get_feature_service(service)

    def read(asked: Sequence[int]) -> Any:
        with quiet():
            return store.get_online_features(of, [{"account": _account(n)} for n in asked]).to_dict()

    return read


def _demand_equal(sides: Mapping[str, Read], asked: Sequence[int], plan: Plan, size: str) -> None:
    """Refuse to compare sides that do not read the same."""
    ours, theirs = sides["ours"](asked), sides["feast"](asked)
    names = [name for _, name in plan.service(_service(size)).features]
    if ours != [[theirs[name][at] for name in names] for at in range(len(asked))]:
        raise AssertionError("ours and Feast's values differ")
    if any(None in values for values in sides["raw"](asked)):
        raise AssertionError("the bare pipeline finds less")


def _filled(folder: Path, address: str, entities: int) -> tuple[Workspace, Plan]:
    """Apply the definitions and write every entity's values; return the workspace and the plan."""
    from infra.commands.features import workspace as made_from

    (folder / "definitions").mkdir()
    (folder / "definitions" / "accounts.py").write_text(DEFINITIONS, "utf-8")
    settings = Settings(home=folder, definitions=(folder / "definitions",), project="bench", online_store="redis", redis=address)
    workspace = made_from(settings)
    plan = apply_definitions(workspace)
    store = RedisStore(redis_access(address), workspace.project)
    for view in plan.views.values():
        store.write(view, [_row(view, n) for n in range(entities)], store.claim(view.name))
    return workspace, plan


def _row(view: View, number: int) -> Row:
    made = {f.name: encoder(f.dtype)(_value(f.dtype, number, at)) for at, f in enumerate(view.features)}
    values = made | {GOLD_VERSION: encoder("Int64")(1), EVENT_US: encoder("Int64")(EVENT_AT_US)}
    return Row(key_of(view, {"account": _account(number)}), EVENT_AT_US, values)


def _value(dtype: str, number: int, at: int) -> Any:
    size = number * 31 + at * 7
    made = {
        "Float64": size / 7,
        "Float32": size / 8,
        "Int64": size * 1009,
        "Bool": size % 2 == 0,
        "String": f"segment {size % 97}",
    }
    return made[dtype]


def _account(number: int) -> str:
    return f"account-{number:08}"


@contextmanager
def _redis(folder: Path) -> Iterator[str]:
    """Run a Redis of the benchmark's own for the block; yield its address. It is ended by its process."""
    program = shutil.which("redis-server")
    if program is None:
        raise StackBroken(
            "no redis-server on the PATH", expected="Redis 6 or newer", remedy="install it: apt install redis-server"
        )
    port = free_pair()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            # Waits until it answers, as every use of it does.
            RedisStore(redis_access(f"127.0.0.1:{port}", wait_seconds=WAIT_SECONDS), "bench").marked("any")
            yield f"127.0.0.1:{port}"
        finally:
            server.terminate()


def _report(measured: Mapping[str, Mapping[str, list[dict[str, float]]]], entities: int) -> Report:
    ratios = {}
    for size, sides in measured.items():
        p50 = {name: [figures["p50_ms"] for figures in rounds] for name, rounds in sides.items()}
        ratios[f"raw {size}"] = ratio_of(
            f"p50 of ours / of a bare HMGET pipeline, {size}", p50["ours"], p50["raw"], RAW_GOAL, at_most=True
        )
        ratios[f"feast {size}"] = ratio_of(
            f"p50 of Feast's client / of ours, {size}", p50["feast"], p50["ours"], FEAST_GOALS[size]
        )
    figures: dict[str, Any] = {"entities": entities}
    for size, sides in measured.items():
        figures[size] = {
            name: {figure: spread([round_[figure] for round_ in rounds]) for figure in ("p50_ms", "p99_ms", "cpu_ms")}
            for name, rounds in sides.items()
        }
    notes = (
        "Sizes are entities x features, of two views whose values lie in one hash an entity. One Redis here, one client.",
        "The bare side is redis-py's pipeline of HMGETs, with keys and fields made before, and bytes as the result.",
        "Ours makes the keys, reads event time and gold version too, and decodes all. Feast's includes to_dict(), which decodes.",
    )
    return Report("online", ratios, figures, notes, machine())
