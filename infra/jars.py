"""What programs in Java run on here: a JDK that is new enough, and jars, fetched once by Maven.

The jars of one pom live in a folder named by the pom's hash. It is filled under another name and renamed when whole, so
a folder that is there is complete, whatever was killed while fetching, and a changed pom is fetched anew.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import StackBroken
from infra.settings import PROJECT_FOLDER, Settings

JAVA_MAJOR_MIN = 17
FETCH_SECONDS_MAX = 900.0

INSTALL_JAVA = f"install a JDK {JAVA_MAJOR_MIN} or newer (Debian: apt install openjdk-17-jdk-headless), or point JAVA_HOME at one"
INSTALL_MAVEN = "install Maven 3.6 or newer (Debian: apt install maven)"


@dataclass(frozen=True)
class Bundle:
    """Jars that are fetched together, as one pom lists them."""

    about: str
    """What is fetched, and how much, for a person."""
    pom: Path
    jar: re.Pattern[str]
    """Finds the jar that they are for, and in its name the group `release`."""


KAFKA = Bundle(
    "Kafka's jars (44 MB, once)",
    PROJECT_FOLDER / "infra" / "kafka" / "pom.xml",
    re.compile(r"kafka_2\.13-(?P<release>[\d.]+)\.jar$"),
)


@dataclass(frozen=True)
class Jars:
    """Kafka's jars, whole."""

    folder: Path
    kafka_release: str

    @property
    def classpath(self) -> str:
        """What `java -cp` takes."""
        return f"{self.folder}{os.sep}*"


def java(settings: Settings) -> str:
    """Return the path of a `java` that runs Kafka. Raises StackBroken, naming what was found and what is needed."""
    program = _java_program(settings)
    shown = _asked([program, "-version"])
    found = re.search(r'version "(?:1\.)?(?P<major>\d+)[^"]*"', shown)
    if found is None:
        raise StackBroken(f"cannot tell the version of Java: {shown.strip()[:300]!r}", where=program, remedy=INSTALL_JAVA)
    if int(found["major"]) < JAVA_MAJOR_MIN:
        raise StackBroken(
            f"Java is too old: {found[0]}", expected=f"Java {JAVA_MAJOR_MIN} or newer", where=program, remedy=INSTALL_JAVA
        )
    return program


def fetched_jars(settings: Settings, say: Callable[[str], None]) -> Jars:
    """Return Kafka's jars, fetching them if they are not there. Safe to be called by several processes at once.

    Raises StackBroken if Maven is missing or fails, with the last of what it said.
    """
    base = settings.jars if settings.jars != Path() else settings.broker_home / "jars"
    folder = fetched(settings, KAFKA, base, say)
    return Jars(folder, release_in(folder, KAFKA))


def fetched(settings: Settings, bundle: Bundle, base: Path, say: Callable[[str], None]) -> Path:
    """Return the folder under `base` with a bundle's jars, fetching them if they are not there. Raises as `fetched_jars` does."""
    folder = base / hashlib.sha256(bundle.pom.read_bytes()).hexdigest()[:16]
    if not folder.is_dir():
        base.mkdir(parents=True, exist_ok=True)
        with locked(base / ".lock"):
            if not folder.is_dir():
                _fetch(settings, bundle, base, folder, say)
    return folder


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a file lock for the block; wait for whoever holds it. The kernel lets go of it when the holder dies."""
    with path.open("w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch(settings: Settings, bundle: Bundle, base: Path, folder: Path, say: Callable[[str], None]) -> None:
    for left in base.glob(".fetching-*"):  # by one that was killed: we hold the lock
        shutil.rmtree(left)
    maven = shutil.which("mvn")
    if maven is None:
        raise StackBroken("Maven is missing", expected="`mvn` on the PATH", remedy=INSTALL_MAVEN)
    say(f"fetching {bundle.about}")
    draft = base / f".fetching-{os.getpid()}"
    command = [
        maven,
        *_repository(),
        "-q",
        "-B",
        "--strict-checksums",
        "-f",
        str(bundle.pom),
        "dependency:copy-dependencies",
        f"-DoutputDirectory={draft}",
    ]
    environ = os.environ | ({"JAVA_HOME": settings.java_home} if settings.java_home else {})
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_SECONDS_MAX, env=environ, check=False)
    except subprocess.TimeoutExpired as error:
        raise StackBroken(
            f"Maven did not end in {FETCH_SECONDS_MAX:.0f} s", where=str(bundle.pom), remedy="see whether it has network"
        ) from error
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-12:])
        remedy = "see whether Maven reaches its repository (~/.m2/settings.xml), then the same command again"
        raise StackBroken(f"Maven ended with {done.returncode}:\n{last}", where=str(bundle.pom), remedy=remedy)
    release_in(draft, bundle)
    draft.rename(folder)


def _repository() -> list[str]:
    """Return Maven's option for a user whose entry names no home that is there (a container's): Java asks that, not HOME."""
    try:
        registered = Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        registered = Path("/nonexistent")
    return [] if registered.is_dir() else [f"-Dmaven.repo.local={Path.home() / '.m2' / 'repository'}"]


def release_in(folder: Path, bundle: Bundle) -> str:
    """Return the release of what the jars are for. Raises StackBroken where its jar is not among them."""
    for jar in folder.iterdir():
        if found := bundle.jar.search(jar.name):
            return found["release"]
    raise StackBroken(
        "the jar that the others are for is not among them",
        expected=bundle.jar.pattern,
        where=str(folder),
        remedy="delete the folder; it is fetched anew",
    )


def _java_program(settings: Settings) -> str:
    if settings.java_home:
        program = Path(settings.java_home) / "bin" / "java"
        if not program.is_file():
            raise StackBroken(f"no {program}", expected="a JDK's folder", where="JAVA_HOME", remedy=INSTALL_JAVA)
        return str(program)
    found = shutil.which("java")
    if found is None:
        raise StackBroken("Java is missing", expected="`java` on the PATH, or JAVA_HOME", remedy=INSTALL_JAVA)
    return found


def _asked(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StackBroken(f"cannot be run: {error}", where=command[0], remedy=INSTALL_JAVA) from error
    return done.stderr + done.stdout
