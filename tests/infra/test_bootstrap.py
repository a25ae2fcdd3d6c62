"""What setup says on a machine that lacks something. It must say so before it writes or fetches anything."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra.settings import PROJECT_FOLDER

TOOLS = ["sh", "dirname", "sed", "head", "cat", "cksum", "cut", "rm", "mv"]
JAVA = "echo 'openjdk version \"17.0.15\" 2025-04-15' >&2"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a checkout, in a path with a space, that holds what setup reads."""
    folder = tmp_path / "a checkout"
    for name in ("infra/bootstrap.sh", "infra/kafka/pom.xml", "uv.lock", "pyproject.toml"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT_FOLDER / name, folder / name)
    return folder


def machine(folder: Path, **programs: str) -> dict[str, str]:
    """Return the environment of a machine that has only these programs, each a shell script, beside what every Unix has."""
    folder.mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        assert found
        (folder / name).symlink_to(found)
    for name, script in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return {"PATH": str(folder), "HOME": str(folder)}


def setup(checkout: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    script = str(checkout / "infra" / "bootstrap.sh")
    return subprocess.run([environ["PATH"] + "/sh", script], env=environ, capture_output=True, text=True, check=False, timeout=60)


PYTHON = f'exec "{sys.executable}" "$@"'


@pytest.mark.parametrize(
    ("programs", "named", "remedy"),
    [
        ({}, "no fitting Python: no python3", "python3-venv"),
        ({"python3": "echo Python 3.9.2; exit 1"}, "no fitting Python: Python 3.9.2", "3.11"),
        ({"python3": PYTHON}, "Java is missing", "openjdk-17"),
        ({"python3": PYTHON, "java": "echo 'java version \"1.8.0_392\"' >&2"}, 'Java is too old: java version "1.8.0_392"', "17"),
        ({"python3": PYTHON, "java": "echo 'openjdk version \"11.0.2\"' >&2"}, "Java is too old", "JAVA_HOME"),
        ({"python3": PYTHON, "java": JAVA}, "Maven is missing", "apt install maven"),
    ],
    ids=["no-python", "old-python", "no-java", "java-8", "java-11", "no-maven"],
)
def test_what_is_missing_is_named_with_what_to_do(
    checkout: Path, tmp_path: Path, programs: dict[str, str], named: str, remedy: str
) -> None:
    done = setup(checkout, machine(tmp_path / "bin", **programs))
    assert done.returncode == 1
    assert named in done.stderr
    assert remedy in done.stderr
    assert not list(checkout.glob(".venv*"))


def test_java_home_counts_before_the_path(checkout: Path, tmp_path: Path) -> None:
    environ = machine(tmp_path / "bin", python3=PYTHON, java=JAVA, mvn="exit 0")
    done = setup(checkout, environ | {"JAVA_HOME": "/no jdk/here"})
    assert done.returncode == 1
    assert "/no jdk/here/bin/java" in done.stderr


def test_a_python_without_venv_is_told_before_anything_is_installed(checkout: Path, tmp_path: Path) -> None:
    bare = 'case "$2" in *ensurepip*) exit 1;; *sys.executable*) echo "$0"; exit 0;; esac\n' + PYTHON
    done = setup(checkout, machine(tmp_path / "bin", python3=bare, java=JAVA, mvn="exit 0"))
    assert done.returncode == 1
    assert "no venv" in done.stderr
    assert "apt install python3-venv" in done.stderr
    assert not (checkout / ".venv").exists()


def test_the_script_is_plain_sh() -> None:
    shell = shutil.which("dash") or shutil.which("sh")
    assert shell
    assert subprocess.run([shell, "-n", str(PROJECT_FOLDER / "infra" / "bootstrap.sh")], check=False).returncode == 0
    assert os.access(PROJECT_FOLDER / ".ci" / "run", os.X_OK)
