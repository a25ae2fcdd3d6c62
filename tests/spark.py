"""One Spark session for all the tests that need one: it takes ten seconds to start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from infra.settings import load_settings
from infra.spark.place import place
from tests.conftest import JARS

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """Return a session on two cores of this machine, in a working directory that must stay empty."""
    from streams.connectors.spark import session

    home = tmp_path_factory.mktemp("spark")
    settings = replace(load_settings(environ={}, folder=home, home=home / "home"), jars=JARS, spark_master="local[2]")
    with session(place(settings, lambda _: None)) as made:
        yield made
