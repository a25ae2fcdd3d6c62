"""What tests share: settings in a temporary home, the examples' contracts, and one real broker for the whole session."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import hypothesis
import pytest

from contracts.contract import Catalog
from infra import stack
from infra.bench.object_server import WEED
from infra.flink import cluster
from infra.process_table import port_free
from infra.settings import PROJECT_FOLDER, Settings, load_settings
from lineage.connectors import object_store as reached
from lineage.places import Access
from tests import object_stores

pytest_plugins = ["tests.spark"]

# A deadline for each example would measure how busy the machine is. Speed has its benchmarks.
# A full run tries the same examples each time, so that its verdict is on the change and not on the draw: `make test`. All other
# runs draw anew, and are where new examples are found.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.register_profile("same", deadline=None, derandomize=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "unhurried"))

JARS = PROJECT_FOLDER / ".headwater" / "kafka" / "jars"
"""Where `make setup` leaves Kafka's jars; fetched into it if they are not there."""


def free_ports() -> int:
    """Return a port that is free together with the next one, as a broker and its controller want it."""
    for _ in range(100):
        with socket.socket() as trial:
            trial.bind(("127.0.0.1", 0))
            port = int(trial.getsockname()[1])
        if port < 65535 and port_free(port) and port_free(port + 1):
            return port
    raise RuntimeError("no two neighbouring ports are free")


def settings_in(home: Path) -> Settings:
    """Return settings for a home of its own with free ports; nothing of the caller's environment counts."""
    return replace(load_settings(environ={}, folder=home, home=home / "home"), broker_port=free_ports(), jars=JARS)


@pytest.fixture
def tmp_settings(tmp_path: Path) -> Settings:
    """Return settings for a home of the test's own. Nothing is started."""
    return settings_in(tmp_path)


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """Return the contracts that the project ships."""
    from contracts.connectors.files import load_catalog

    return load_catalog([PROJECT_FOLDER / "contracts"])


@pytest.fixture(scope="session")
def broker_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Return settings with a real Kafka behind them, one for all tests: give topics names of your own."""
    settings = settings_in(tmp_path_factory.mktemp("broker"))
    with stack.broker(settings):
        yield settings


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object_stores.Store]:
    """Return a real server of S3's protocol, one for all tests: take buckets of your own."""
    if not WEED.exists():
        pytest.skip("this environment has no seaweedfs")
    with object_stores.server(tmp_path_factory.mktemp("object_store")) as store:
        yield store


@pytest.fixture
def bucket(object_store: object_stores.Store) -> Iterator[str]:
    """Return the address of a bucket of the test's own, which this process may read and write."""
    reached.reach(object_store.guest)
    yield object_store.bucket()
    reached.reach(Access())


@pytest.fixture(scope="session")
def flink_settings(broker_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Return settings with a real Flink behind them, on the tests' broker, one for all tests: give domains names of your own."""
    if not broker_settings.flink_python.exists():
        pytest.skip("Flink's environment is not there: make engines")
    home = tmp_path_factory.mktemp("flink")
    settings = replace(broker_settings, home=home, flink_port=free_ports(), flink_parallelism=1, flink_checkpoint_seconds=1.0)
    with cluster.session(settings):
        yield settings
