"""What a Flink job needs besides Flink: the Kafka connector, fetched by Maven, and our partitioner, compiled against it.

Each lies in a folder named by a hash of what it is made from, filled under another name and renamed when whole.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from contracts.errors import StackBroken
from infra.jars import INSTALL_JAVA, Bundle, fetched, java, locked
from infra.settings import PROJECT_FOLDER, Settings

HERE = PROJECT_FOLDER / "infra" / "flink"
CONNECTOR = Bundle(
    "Flink's Kafka connector (11 MB, once)",
    HERE / "pom.xml",
    re.compile(r"flink-sql-connector-kafka-(?P<release>[\d.-]+)\.jar$"),
)
SOURCE = HERE / "KeepPartition.java"
OURS = "headwater-flink.jar"
COMPILE_SECONDS_MAX = 300.0


def job_jars(settings: Settings, pyflink: Path, say: Callable[[str], None]) -> list[Path]:
    """Return the jars that are sent with a job, made if they are not there. Several processes may ask at once.

    Raises StackBroken if Maven or the JDK's compiler is missing or fails.
    """
    base = settings.jars if settings.jars != Path() else settings.home / "flink" / "jars"
    connector = fetched(settings, CONNECTOR, base, say)
    releases = sorted(jar.name for jar in (pyflink / "lib").glob("flink-*.jar"))
    made_from = SOURCE.read_bytes() + connector.name.encode() + " ".join(releases).encode()
    folder = base / f"flink-{hashlib.sha256(made_from).hexdigest()[:16]}"
    if not folder.is_dir():
        with locked(base / ".flink.lock"):
            if not folder.is_dir():
                _compile(settings, [*connector.glob("*.jar"), *(pyflink / "lib").glob("flink-*.jar")], base, folder)
    return [*sorted(connector.glob("*.jar")), folder / OURS]


def _compile(settings: Settings, against: list[Path], base: Path, folder: Path) -> None:
    for left in base.glob(".making-flink-*"):  # by one that was killed: we hold the lock
        shutil.rmtree(left)
    draft = base / f".making-flink-{os.getpid()}"
    classes = draft / "classes"
    classes.mkdir(parents=True)
    tools = Path(java(settings)).resolve().parent
    classpath = os.pathsep.join(map(str, against))
    _run([str(tools / "javac"), "--release", "17", "-d", str(classes), "-cp", classpath, str(SOURCE)])
    _run([str(tools / "jar"), "--create", "--file", str(draft / OURS), "-C", str(classes), "."])
    shutil.rmtree(classes)
    draft.rename(folder)


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_SECONDS_MAX, check=False)
    except FileNotFoundError as error:
        raise StackBroken(f"there is no {command[0]}", expected="a whole JDK", remedy=INSTALL_JAVA) from error
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-12:])
        raise StackBroken(f"{Path(command[0]).name} ended with {done.returncode}:\n{last}", where=str(SOURCE))
