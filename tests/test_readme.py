"""The README is run: its files are written, its commands typed, in a copy of the checkout whose path has a space."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.settings import Settings
from tests.conftest import settings_in
from tests.readme import README, blocks

ROOT = README.parent
Typed = Callable[[str], subprocess.CompletedProcess[str]]


def commands_after(heading: str) -> list[str]:
    """Return the lines of the shell blocks in one chapter."""
    chapter = README.read_text("utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [line for block in blocks(chapter) if block.language == "sh" for line in block.text.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what git knows and would take, in a folder with a space in its name."""
    target = tmp_path_factory.mktemp("readme") / "a clone"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


@pytest.fixture(scope="module")
def typed(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Typed]:
    """Type a line of the README in the clone; fail with what it printed unless it exits 0."""
    elsewhere = settings_in(tmp_path_factory.mktemp("ports"))
    environ = {k: v for k, v in os.environ.items() if not k.startswith("HEADWATER_")}
    environ |= {
        "HEADWATER_BROKER_PORT": str(elsewhere.broker_port),
        "HEADWATER_JARS": str(elsewhere.jars),
        "PYTHONPATH": str(clone),
    }

    def run(line: str) -> subprocess.CompletedProcess[str]:
        words = shlex.split(line)
        assert words[0] == "headwater", line
        command = [sys.executable, "-m", "infra.main", *words[1:]]
        done = subprocess.run(  # noqa: PLW1510  judged below, with what it printed
            command, cwd=clone, env=environ, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        return done

    yield run
    subprocess.run(
        [sys.executable, "-m", "infra.main", "down"], cwd=clone, env=environ, capture_output=True, check=False, timeout=60
    )


def test_every_command_named_in_the_readme_exists() -> None:
    from infra.main import COMMANDS

    named = set(re.findall(r"`?headwater ([a-z-]+)", README.read_text("utf-8")))
    assert named
    assert named <= set(COMMANDS)


def test_every_setting_named_in_the_readme_exists() -> None:
    from dataclasses import fields

    chapter = README.read_text("utf-8").split("## What runs where when large")[1].split("\n## ")[0]
    named = set(re.findall(r"`(\w+) = ", chapter)) | set(re.findall(r"or `?([a-z_]+_url)`?", chapter))
    assert named
    assert named <= {field.metadata.get("key", field.name) for field in fields(Settings)}


@pytest.mark.servers
@pytest.mark.slow
def test_the_five_next_commands_work_after_a_run(typed: Typed) -> None:
    first = json.loads(typed("headwater run --to 2013-01-31 --json").stdout)
    assert first["audit"]["ok"]
    assert first["audit"]["missing"] == 0
    lines = commands_after("Five next commands")
    assert len(lines) == 5
    for line in lines:
        assert typed(line).stdout.strip(), line


@pytest.mark.servers
@pytest.mark.slow
def test_a_person_adds_a_pipeline_by_a_contract_and_a_definition_alone(clone: Path, typed: Typed) -> None:
    chapter = README.read_text("utf-8").split("## Your own pipeline")[1].split("\n## ")[0]
    written = [block for block in blocks(chapter) if block.language != "sh"]
    assert [Path(block.file).suffix for block in written] == [".yaml", ".py", ".jsonl"]
    for block in written:
        (clone / block.file).parent.mkdir(parents=True, exist_ok=True)
        (clone / block.file).write_text(block.text, "utf-8")
    said = {line: typed(line).stdout for line in commands_after("Your own pipeline")}

    assert "2 out, 1 dead letters" in said["headwater clean shop --drain"]
    explained = said["headwater explain shop customer_id=c1"]
    assert re.search(r"spent_7d\s+27\.75", explained)
    assert re.search(r"orders_7d\s+2\b", explained)
    assert "shop.orders.raw.v1 partition" in explained


@pytest.mark.servers
@pytest.mark.slow
def test_what_a_person_wrote_in_a_note_is_masked_in_silver(clone: Path, typed: Typed) -> None:
    from streams.connectors import delta
    from streams.placeholders import without_letters

    assert typed("headwater contract lint").stdout
    notes = delta.read(delta.table_uri(clone / ".headwater" / "tables", "silver", "shop", "orders"), columns=["note"])
    assert sorted(map(without_letters, notes["note"].to_pylist())) == ["call <phone>", "ship to <email>"]
