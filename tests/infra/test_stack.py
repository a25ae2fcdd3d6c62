"""The local stack, with the real broker: started, found, killed, restarted; and what it says when it cannot start."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.errors import StackBroken
from infra import stack
from infra.broker_files import MAIN_CLASS, data_folder, properties_file
from infra.jars import fetched_jars, java
from infra.probe import metadata
from infra.process_table import command_of, running_with
from infra.settings import PROJECT_FOLDER, Settings
from streams.connectors import kafka
from tests.conftest import free_ports, settings_in
from tests.waiting import until

servers = pytest.mark.servers


def environ_of(settings: Settings) -> dict[str, str]:
    return {**os.environ, **settings.environ()}


def headwater(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "infra.main", *arguments]
    return subprocess.run(
        command, cwd=PROJECT_FOLDER, capture_output=True, text=True, env=environ_of(settings), check=False, timeout=200
    )


def brokers_of(settings: Settings) -> list[int]:
    return [pid for pid in running_with(str(properties_file(settings))) if MAIN_CLASS in command_of(pid)]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Settings]:
    """Return settings for a home with a space in its path; whatever runs there at the end is ended."""
    spaced = tmp_path / "a b"
    spaced.mkdir()
    settings = settings_in(spaced)
    yield settings
    for pid in brokers_of(settings):
        os.kill(pid, signal.SIGKILL)


@servers
def test_up_twice_then_down_twice(home: Settings) -> None:
    first = json.loads(headwater(home, "up", "--json").stdout)
    assert first["started"]
    again = json.loads(headwater(home, "up", "--json").stdout)
    assert (again["started"], again["pid"]) == (False, first["pid"])
    status = json.loads(headwater(home, "status", "--json").stdout)
    assert status["up"]
    assert (status["broker"]["pid"], status["broker"]["kafka_release"]) == (first["pid"], "4.3.1")
    assert json.loads(headwater(home, "down", "--json").stdout) == {"stopped": True, "pid": first["pid"]}
    assert brokers_of(home) == []
    assert json.loads(headwater(home, "down", "--json").stdout)["stopped"] is False
    assert headwater(home, "status").returncode == 1
    assert list(home.run.glob("*.json")) == []


@servers
def test_two_ups_at_once_start_one_broker(home: Settings) -> None:
    with ThreadPoolExecutor(2) as both:
        done = list(both.map(lambda _: headwater(home, "up", "--json"), range(2)))
    told = [json.loads(each.stdout) for each in done]
    assert sorted(each["started"] for each in told) == [False, True]
    assert {each["pid"] for each in told} == set(brokers_of(home))


@servers
def test_records_survive_a_broker_killed_outright(home: Settings) -> None:
    first = stack.start(home)
    kafka.ensure_topics(home.client(), {"kept": 2})
    with kafka.Sender(home.client()) as sender:
        for number in range(100):
            sender.send("kept", b"%d" % number, partition=number % 2)
        sender.flush()
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: brokers_of(home) == [])
    assert stack.find(home) is None
    second = stack.start(home)
    assert second.started
    assert second.cluster_id == first.cluster_id
    assert kafka.end_offsets(home.client(), ["kept"]) == {("kept", 0): (0, 50), ("kept", 1): (0, 50)}
    rows = json.loads(headwater(home, "status", "--json").stdout)["topics"]
    assert rows == [{"topic": "kept", "partitions": 2, "records": 100}]
    stack.stop(home)


@servers
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_a_broker_does_not_outlive_the_command_that_it_was_started_for(home: Settings, number: signal.Signals) -> None:
    code = (
        "import signal\nfrom infra import stack\nfrom infra.settings import load_settings\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background jobs are told to ignore it
        "with stack.broker(load_settings()) as found:\n    print(found.pid, flush=True)\n    signal.pause()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=PROJECT_FOLDER, env=environ_of(home), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert brokers_of(home) == [pid]
    parent.send_signal(number)
    parent.communicate(timeout=60)
    if number == signal.SIGKILL and not sys.platform.startswith("linux"):
        stack.stop(home)  # the next start does the same
    until(lambda: brokers_of(home) == [])
    with stack.broker(home) as found:
        assert found.started
        assert found.pid != pid
    assert brokers_of(home) == []
    assert list(home.run.glob("*.json")) == []


@servers
def test_a_broker_whose_record_was_lost_is_found_and_stopped(home: Settings) -> None:
    started = stack.start(home)
    (home.run / f"broker-{started.pid}.json").unlink()
    found = stack.find(home)
    assert found is not None
    assert found.pid == started.pid
    assert not stack.start(home).started
    stack.stop(home)
    assert brokers_of(home) == []


@servers
def test_a_broker_of_a_running_command_is_used_and_not_stopped_by_another(home: Settings) -> None:
    with stack.broker(home) as ours:
        refused = headwater(home, "down")
        assert refused.returncode == 1
        assert str(os.getpid()) in refused.stderr
        with stack.broker(home) as joined:
            assert (joined.pid, joined.started) == (ours.pid, False)
        assert brokers_of(home) == [ours.pid]


@servers
def test_another_port_in_the_settings_of_a_running_broker_is_told(home: Settings) -> None:
    stack.start(home)
    with pytest.raises(StackBroken, match=f"HEADWATER_BROKER_PORT={home.broker_port}"):
        stack.start(replace(home, broker_port=free_ports()))
    stack.stop(home)


@servers
@pytest.mark.parametrize("offset", [0, 1], ids=["broker", "controller"])
def test_a_taken_port_is_named_with_its_holder_and_the_remedy(home: Settings, offset: int) -> None:
    with socket.create_server(("127.0.0.1", home.broker_port + offset)):
        done = headwater(home, "up")
    assert done.returncode == 1
    assert f"port {home.broker_port + offset}" in done.stderr
    assert "HEADWATER_BROKER_PORT" in done.stderr
    if sys.platform.startswith("linux"):
        assert f"pid {os.getpid()}" in done.stderr
    assert brokers_of(home) == []


@servers
def test_a_broker_that_cannot_start_says_its_last_words_and_leaves_nothing(home: Settings) -> None:
    stack.start(home)
    stack.stop(home)
    meta = data_folder(home) / "meta.properties"
    meta.write_text(meta.read_text().replace("node.id=1", "node.id=7"))
    with pytest.raises(StackBroken) as caught:
        stack.start(home)
    assert "ended with code" in str(caught.value)
    assert "7" in caught.value.came
    assert str(home.logs / "kafka.log") in str(caught.value)
    assert brokers_of(home) == []
    assert list(home.run.glob("*.json")) == []


@servers
def test_formatting_that_was_killed_is_done_again(home: Settings) -> None:
    draft = home.broker_home / "data.draft"
    draft.mkdir(parents=True)
    (draft / "half").write_text("written")
    with stack.broker(home) as found:
        assert found.cluster_id
    assert not draft.exists()
    assert not (data_folder(home) / "half").exists()


def test_records_without_their_meta_properties_are_not_thrown_away(home: Settings) -> None:
    record = data_folder(home) / "topic-0" / "00000000000000000000.log"
    record.parent.mkdir(parents=True)
    record.write_bytes(b"records")
    with pytest.raises(StackBroken, match=r"meta\.properties"):
        stack.start(home)
    assert record.read_bytes() == b"records"


@pytest.mark.parametrize("bad", ["a,b", "a:b"])
def test_a_folder_that_java_cannot_be_told_is_refused(tmp_path: Path, bad: str) -> None:
    (tmp_path / bad).mkdir()
    with pytest.raises(StackBroken, match="another folder"):
        stack.start(settings_in(tmp_path / bad))


def program(folder: Path, name: str, script: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("said", "named"),
    [('openjdk version "11.0.22" 2024-01-16', '"11.0.22"'), ('java version "1.8.0_392"', '"1.8.0_392"'), ("what?", "what?")],
)
def test_an_old_java_is_named_with_its_version(tmp_settings: Settings, tmp_path: Path, said: str, named: str) -> None:
    program(tmp_path / "jdk" / "bin", "java", f"echo '{said}' >&2")
    with pytest.raises(StackBroken) as caught:
        java(replace(tmp_settings, java_home=str(tmp_path / "jdk")))
    assert named in caught.value.came
    assert "17" in caught.value.remedy


def test_a_java_home_without_java_is_named(tmp_settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(StackBroken, match="JAVA_HOME"):
        java(replace(tmp_settings, java_home=str(tmp_path)))


def test_missing_programs_are_named(tmp_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StackBroken, match="Java is missing"):
        java(tmp_settings)
    with pytest.raises(StackBroken, match="Maven is missing"):
        fetched_jars(replace(tmp_settings, jars=tmp_path / "jars"), lambda _: None)


def test_a_failing_maven_leaves_nothing_half_and_says_its_last_words(
    tmp_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = 'for last; do :; done; mkdir -p "${last#*=}"; touch "${last#*=}/half.jar"; echo "[ERROR] no route"; exit 1'
    program(tmp_path / "bin", "mvn", fails)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    settings = replace(tmp_settings, jars=tmp_path / "jars")
    for _ in range(2):
        with pytest.raises(StackBroken, match="no route"):
            fetched_jars(settings, lambda _: None)
    assert [path.name for path in settings.jars.iterdir() if not path.name.startswith(".")] == []
    assert len(list(settings.jars.glob(".fetching-*"))) == 1, "the first try's leavings were taken away by the second"


@servers
def test_jars_are_fetched_once_and_whole(tmp_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("mvn") is None:
        pytest.skip("Maven is missing")
    settings, told = replace(tmp_settings, jars=tmp_path / "jars"), list[str]()
    jars = fetched_jars(settings, told.append)
    assert jars.kafka_release == "4.3.1"
    assert len(list(jars.folder.glob("*.jar"))) == 46
    monkeypatch.setenv("PATH", "")
    assert fetched_jars(settings, told.append) == jars
    assert len(told) == 1


def test_the_probe_is_not_fooled_by_another_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as other:
        port = server.getsockname()[1]

        def answer(reply: bytes) -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(reply)

        for reply in (
            b"",
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            b"\x00\x00\x00\x08\x00\x00\x00\x07\xff\xff",
            b"\x7f\xff\xff\xff" * 2,
        ):
            answered = other.submit(answer, reply)
            assert metadata(port, seconds=1.0) is None
            answered.result(10)
    assert metadata(port, seconds=1.0) is None, "nothing listens"


@servers
def test_the_probe_reads_the_brokers_own_answer(broker_settings: Settings) -> None:
    answer = metadata(broker_settings.broker_port)
    assert answer is not None
    assert answer.brokers == 1
    meta = (data_folder(broker_settings) / "meta.properties").read_text()
    assert f"cluster.id={answer.cluster_id}\n" in meta
