"""Read the source: arrows downward, pure modules pure, one file a foreign system, human sizes, nothing swallowed.

Each checker is also shown a small bad source, and must name its fault.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import tidy

ROOT = Path(__file__).resolve().parent.parent
CHECKERS = [
    tidy.upward_imports,
    tidy.impurities,
    tidy.strangers,
    tidy.oversizes,
    tidy.swallowed,
    tidy.unexplained,
    tidy.sleeps,
]
Checker = Callable[[tidy.Source], Iterator[str]]

MACHINE = ["/work" + "/main", "/work" + "/shared", "/t" + "mp/hw", "/root" + "/"]
HOSTS = ["pypi" + ".org", "python" + "hosted.org", "repo1." + "maven", "repo." + "maven.apache"]
LOCK = "uv.lock"
"""It names where each package is had from: its job."""


def sources(*folders: str) -> list[tidy.Source]:
    files = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return [tidy.source(path.relative_to(ROOT).as_posix(), path.read_text("utf-8")) for path in files]


@pytest.mark.parametrize("checker", CHECKERS, ids=lambda checker: checker.__name__)
def test_the_source_is_tidy(checker: Checker) -> None:
    found = sources(*tidy.FLOORS)
    assert len(found) > 20, "the rooms were not found"
    faults = [fault for source in found for fault in checker(source)]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("checker", [tidy.oversizes, tidy.swallowed, tidy.sleeps], ids=lambda checker: checker.__name__)
def test_the_tests_are_tidy(checker: Checker) -> None:
    faults = [fault for source in sources("tests") for fault in checker(source)]
    assert not faults, "\n".join(faults)


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout: which files are ours is not known")
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def test_no_file_names_this_machine_or_a_registry() -> None:
    files = [path for path in tracked_files() if path.name != LOCK]
    assert len(files) > 20
    faults = [
        f"{path.relative_to(ROOT)} holds {word!r}"
        for path in files
        for word in [*MACHINE, *HOSTS]
        if word.encode() in path.read_bytes()
    ]
    assert not faults, "\n".join(faults)


GOOD = '"""Job."""\n'
BAD: list[tuple[Checker, str, str, str]] = [
    (tidy.upward_imports, "contracts/schema.py", "from streams.land import land\n", "streams.land"),
    (tidy.upward_imports, "lineage/audit.py", "def f():\n    import features\n", "features"),
    (tidy.upward_imports, "streams/connectors/kafka.py", "from infra import settings\n", "infra.settings"),
    (tidy.upward_imports, "infra/run.py", "from tests.conftest import free_ports\n", "tests.conftest"),
    (tidy.impurities, "streams/clean.py", "import os\n", "os"),
    (tidy.impurities, "streams/clean.py", "from os import environ\n", "os.environ"),
    (tidy.impurities, "streams/clean.py", "from time import monotonic\n", "time.monotonic"),
    (tidy.impurities, "lineage/events.py", "import urllib.request\n", "urllib.request"),
    (tidy.impurities, "lineage/events.py", "at = datetime.now(UTC)\n", "datetime.now"),
    (tidy.impurities, "lineage/events.py", "def f(): return uuid.uuid4()\n", "uuid.uuid4"),
    (tidy.impurities, "features/asof.py", "x = np.random.default_rng(1)\n", "np.random"),
    (tidy.impurities, "contracts/lint.py", "def f(path): return path.read_text()\n", "read_text"),
    (tidy.impurities, "contracts/lint.py", "def f(path):\n    with open(path) as file: return file\n", "open"),
    (tidy.strangers, "streams/clean.py", "import confluent_kafka\n", "confluent_kafka"),
    (tidy.strangers, "infra/commands/status.py", "def f():\n    from deltalake import DeltaTable\n", "deltalake"),
    (tidy.strangers, "features/online.py", "from feast.infra import key_encoding_utils\n", "feast"),
    (tidy.strangers, "lineage/events.py", "from openlineage.client import event_v2\n", "openlineage"),
    (tidy.oversizes, "streams/clean.py", "x = 1\n" * 501, "502 lines"),
    (tidy.oversizes, "streams/clean.py", "def long():\n" + "    x = 1\n" * 70, "long has 71 lines"),
    (tidy.swallowed, "streams/clean.py", "try:\n    f()\nexcept ValueError:\n    pass\n", "swallowed"),
    (tidy.swallowed, "streams/clean.py", "try:\n    f()\nexcept:\n    g()\n", "bare except"),
    (tidy.swallowed, "streams/clean.py", "with suppress(Exception):\n    f()\n", "any error"),
    (tidy.sleeps, "tests/test_clean.py", "import time\ntime.sleep(1)\n", "sleeps"),
    (tidy.sleeps, "tests/test_clean.py", "for _ in range(3):\n    time.sleep(1)\n", "sleeps"),
]


@pytest.mark.parametrize(("checker", "path", "text", "named"), BAD, ids=lambda value: getattr(value, "__name__", None))
def test_a_checker_names_the_fault(checker: Checker, path: str, text: str, named: str) -> None:
    faults = list(checker(tidy.source(path, GOOD + text)))
    assert len(faults) == 1
    assert named in faults[0]
    assert faults[0].startswith(path)


def test_a_module_without_a_docstring_is_named() -> None:
    assert list(tidy.unexplained(tidy.source("streams/clean.py", "x = 1\n"))) == ["streams/clean.py does not say its job"]


def test_relative_imports_are_told_by_their_absolute_name() -> None:
    assert [name for _, name in tidy.imports(tidy.source("streams/connectors/kafka.py", "from ..clean import f\n"))] == [
        "streams.clean.f"
    ]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("streams/connectors/kafka.py", "import os, time\nimport confluent_kafka\n"),
        ("streams/engines/direct.py", "import time\nfrom streams.connectors import kafka\n"),
        ("tests/waiting.py", "while not ready():\n    time.sleep(0.01)\n"),
        ("infra/bench/clean.py", "import confluent_kafka\n"),
        ("features/asof.py", "from contracts.errors import NotFound\nfrom datetime import datetime\n"),
    ],
)
def test_what_is_allowed_is_not_named(path: str, text: str) -> None:
    read = tidy.source(path, GOOD + text)
    checkers = [checker for checker in CHECKERS if read.room in tidy.FLOORS or checker is not tidy.upward_imports]
    assert [fault for checker in checkers for fault in checker(read)] == []
