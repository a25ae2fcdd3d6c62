"""Where Spark runs for this installation, and what its executors open by themselves."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.errors import StackBroken
from infra.jars import Bundle, fetched, java
from infra.settings import PROJECT_FOLDER, Settings

if TYPE_CHECKING:
    from contracts.keys import KeyStore
    from streams.connectors.sandbox import ProcessSandbox
    from streams.connectors.spark import SparkPlace

DELTA = Bundle(
    "Delta's jars for Spark (10 MB, once)",
    PROJECT_FOLDER / "infra" / "spark" / "pom.xml",
    re.compile(r"delta-spark_[\d.]+_2\.13-(?P<release>[\d.]+)\.jar$"),
)
MASTER_KEY = "HEADWATER_MASTER_KEY"


def place(settings: Settings, say: Callable[[str], None]) -> SparkPlace:
    """Return where Spark runs, its jars fetched. Raises StackBroken if Java, Maven or pyspark is missing."""
    if find_spec("pyspark") is None:
        remedy = "make engines"
        raise StackBroken("pyspark is not installed here", expected="the extra `spark` beside `main`", remedy=remedy)
    from streams.connectors.spark import SparkPlace  # noqa: PLC0415

    program = Path(java(settings))
    base = settings.jars if settings.jars != Path() else settings.home / "spark" / "jars"
    folder = fetched(settings, DELTA, base, say)
    environ = {"JAVA_HOME": settings.java_home} if settings.java_home else {"JAVA_HOME": str(program.resolve().parents[1])}
    return SparkPlace(
        jars=tuple(sorted(folder.glob("*.jar"))),
        work=settings.home / "spark" / f"work-{os.getpid()}",
        python=sys.executable,
        code=PROJECT_FOLDER,
        master=settings.spark_master,
        memory=settings.spark_memory,
        environ=environ | ({MASTER_KEY: settings.master_key} if settings.master_key else {}),
    )


def opened(key_store: str) -> tuple[KeyStore, ProcessSandbox]:
    """Open the key store, and a sandbox, where this is called: on an executor.

    The master key is in the executor's own environment, or beside the key store: it never travels with the work.
    """
    from contracts.connectors.key_store import MasterKey, SqliteKeyStore, parsed_master_key  # noqa: PLC0415
    from streams.connectors.sandbox import ProcessSandbox  # noqa: PLC0415

    given = os.environ.get(MASTER_KEY, "")
    wrapper = MasterKey(parsed_master_key(given, MASTER_KEY)) if given else None
    return SqliteKeyStore(Path(key_store), wrapper), ProcessSandbox()
