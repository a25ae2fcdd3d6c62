"""Made-up people enter a raw topic, in good records and in broken ones, and are in clear nowhere beyond it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra import stack
from infra.settings import PROJECT_FOLDER, Settings
from streams.connectors.kafka import end_offsets, read_range
from tests import canaries
from tests.conftest import settings_in

pytestmark = [pytest.mark.servers, pytest.mark.slow]

PATH = (
    ("archive", "docs", "--drain"),
    ("clean", "docs", "--drain"),
    ("land", "docs", "--drain"),
    ("features", "apply"),
    ("features", "build", "package_passages"),
    ("features", "materialize", "package_passages"),
    ("features", "search", "who can I call?"),
    ("audit", "docs"),
    ("dead-letters", "docs"),
    ("status",),
)


def headwater(settings: Settings, *words: str, **changed: Any) -> subprocess.CompletedProcess[bytes]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("HEADWATER_")} | settings.environ()
    command = [sys.executable, "-m", "infra.main", *words]
    return subprocess.run(command, cwd=PROJECT_FOLDER, env=environ, capture_output=True, timeout=180, check=False, **changed)


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Settings, dict[str, bytes]]]:
    """Yield a home that the canaries walked through, its broker up, and what each command printed."""
    settings = settings_in(tmp_path_factory.mktemp("canaries"))
    with stack.broker(settings):
        printed: dict[str, bytes] = {}
        sent = headwater(settings, "produce", "docs.pages", "-", input=b"\n".join(canaries.lines()))
        assert sent.returncode == 0, sent.stderr.decode()[-2000:]
        for words in PATH:
            done = headwater(settings, *words)
            printed[" ".join(words)] = done.stdout + done.stderr
            assert done.returncode == 0, f"{words}: {done.stderr.decode()[-2000:]}"
        yield settings, printed


def messages(settings: Settings, topic: str) -> Iterator[Any]:
    for (_, partition), (start, end) in end_offsets(settings.client(), [topic]).items():
        for some in read_range(settings.client(), topic, partition, start, end):
            yield from some


def test_they_did_enter(walked: tuple[Settings, dict[str, bytes]]) -> None:
    settings, _ = walked
    entered = b"\n".join(message.value() for message in messages(settings, "docs.pages.raw.v1"))
    assert canaries.spotted(entered) == {literal for person in canaries.PEOPLE for literal in person.literals}


def test_no_topic_beyond_the_raw_one_shows_them(walked: tuple[Settings, dict[str, bytes]]) -> None:
    settings, _ = walked
    for topic in ("docs.pages.clean.v1", "docs.pages.dlq.v1"):
        octets = [
            part or b""
            for message in messages(settings, topic)
            for part in (message.key(), message.value(), *(value for _, value in message.headers() or ()))
        ]
        assert octets, topic
        assert not canaries.spotted(b"\n".join(octets)), topic


def test_no_file_that_is_kept_shows_them(walked: tuple[Settings, dict[str, bytes]]) -> None:
    settings, _ = walked
    found = canaries.spotted_in_folder(settings.home, [settings.broker_home])
    assert not found, canaries.shown(found)


def test_nothing_that_was_printed_shows_them(walked: tuple[Settings, dict[str, bytes]]) -> None:
    _, printed = walked
    found = {command: seen for command, text in printed.items() if (seen := canaries.spotted(text))}
    assert not found, canaries.shown(found)


def test_a_scan_finds_nothing_beyond_the_raw_topic_and_plenty_in_it(walked: tuple[Settings, dict[str, bytes]]) -> None:
    settings, _ = walked
    beyond = headwater(settings, "scan", "--json")
    told = json.loads(beyond.stdout)
    assert (beyond.returncode, told["findings"], told["unread"]) == (0, [], {})
    assert told["places"] > 10
    raw = headwater(settings, "scan", "docs.pages.raw.v1", "--json")
    found = {finding["type"] for finding in json.loads(raw.stdout)["findings"]}
    assert raw.returncode == 1
    assert {"email", "phone"} <= found
    assert not canaries.spotted(raw.stdout + raw.stderr + beyond.stdout + beyond.stderr)


def test_what_is_masked_still_says_what_it_was(walked: tuple[Settings, dict[str, bytes]]) -> None:
    settings, _ = walked
    texts = [json.loads(message.value())["text"] for message in messages(settings, "docs.pages.clean.v1")]
    assert texts
    assert all("<email" in text and "<phone" in text for text in texts)


def test_the_canaries_are_seen_where_they_are(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(canaries.page(canaries.PEOPLE[1], 1)), "utf-8")
    found = canaries.spotted_in_folder(tmp_path)
    assert found == {"a.json": set(canaries.PEOPLE[1].literals)}
