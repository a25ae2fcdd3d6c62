"""Processes we start: told apart from others, recorded, found again, ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from infra import process_table, processes
from infra.process_table import alive, instance, port_free, port_holder, start_time
from infra.processes import Record, records, spawn, tail, write_record
from infra.settings import PROJECT_FOLDER, Settings
from tests.waiting import until

FOREVER = [sys.executable, "-c", "import signal; signal.pause()"]
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"


@pytest.fixture
def parent_that_spawns(tmp_settings: Settings) -> Iterator[Callable[..., tuple[subprocess.Popen[str], Record]]]:
    """Return what starts another Python that spawns a child and then waits: to be killed."""
    started: list[subprocess.Popen[str]] = []

    def start(**options: object) -> tuple[subprocess.Popen[str], Record]:
        code = (
            "import signal\nfrom infra.processes import spawn\nfrom infra.settings import load_settings\n"
            f"spawn({FOREVER!r}, name='job', settings=load_settings(), **{options!r})\n"
            "print('spawned', flush=True)\nsignal.pause()\n"
        )
        environ = {**os.environ, **tmp_settings.environ()}
        parent = subprocess.Popen(
            [sys.executable, "-c", code], cwd=PROJECT_FOLDER, stdout=subprocess.PIPE, text=True, env=environ
        )
        started.append(parent)
        assert parent.stdout is not None
        assert parent.stdout.readline() == "spawned\n"
        (record,) = records(tmp_settings)
        return parent, record

    yield start
    for parent in started:
        parent.kill()
        parent.communicate()
    for record in records(tmp_settings):
        processes.end(record)


def test_a_child_is_told_the_settings_and_logs_to_its_file(tmp_settings: Settings) -> None:
    code = "from infra.settings import load_settings; print(load_settings(broker_port=7))"
    child = spawn([sys.executable, "-c", code], name="job", settings=tmp_settings, env={"PYTHONPATH": str(PROJECT_FOLDER)})
    assert child.wait(30) == 0
    assert child.tail() == str(replace(tmp_settings, broker_port=7))
    assert child.log == tmp_settings.logs / "job.log"


def test_a_stopped_child_leaves_neither_process_nor_record(tmp_settings: Settings) -> None:
    with spawn(FOREVER, name="job", settings=tmp_settings) as child:
        assert child.running
        assert [record.pid for record in records(tmp_settings)] == [child.pid]
    assert start_time(child.pid) is None
    assert list(tmp_settings.run.glob("*.json")) == []


def test_two_children_of_one_name_are_two(tmp_settings: Settings) -> None:
    with spawn(FOREVER, name="job", settings=tmp_settings) as one, spawn(FOREVER, name="job", settings=tmp_settings) as other:
        assert {record.pid for record in records(tmp_settings)} == {one.pid, other.pid}


def test_a_child_that_does_not_hear_is_ended_by_force(tmp_settings: Settings) -> None:
    child = spawn([sys.executable, "-c", STUBBORN], name="deaf", settings=tmp_settings)
    until(lambda: "deaf" in child.tail())
    assert child.stop(0.2) == -signal.SIGKILL


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="PR_SET_PDEATHSIG is Linux's")
def test_a_child_ends_with_a_parent_that_is_killed_outright(parent_that_spawns: Callable[..., tuple]) -> None:
    parent, record = parent_that_spawns()
    assert record.running
    parent.kill()
    until(lambda: not record.running)


def test_a_detached_child_outlives_its_parent(parent_that_spawns: Callable[..., tuple]) -> None:
    parent, record = parent_that_spawns(detached=True)
    parent.kill()
    parent.wait()
    assert record.running
    assert not record.abandoned


def test_what_a_killed_parent_left_is_ended_at_the_next_start(
    parent_that_spawns: Callable[..., tuple], tmp_settings: Settings
) -> None:
    parent, record = parent_that_spawns(detached=True)
    owned = replace(record, parent=f"{socket.gethostname()}:{parent.pid}:{start_time(parent.pid)}")
    write_record(tmp_settings, owned)
    assert processes.end_abandoned(tmp_settings) == [], "its parent lives"
    parent.kill()
    parent.wait()
    assert processes.end_abandoned(tmp_settings) == [owned]
    assert not record.running
    assert list(tmp_settings.run.glob("*.json")) == []


def test_a_recycled_pid_is_never_ended(tmp_settings: Settings) -> None:
    innocent = subprocess.Popen(FOREVER)
    try:
        record = Record("job", innocent.pid, "another start", tuple(FOREVER), "gone:1:1", "2026-01-01T00:00:00+00:00")
        write_record(tmp_settings, record)
        assert not record.running
        assert not processes.end(record)
        assert processes.end_abandoned(tmp_settings) == []
        assert innocent.poll() is None
        assert list(tmp_settings.run.iterdir()) == []
    finally:
        innocent.kill()
        innocent.wait()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"pid": 1, "command": []}'])
def test_a_record_that_is_not_ours_ends_nothing(tmp_settings: Settings, text: str) -> None:
    tmp_settings.run.mkdir(parents=True)
    (tmp_settings.run / "job.json").write_text(text)
    assert records(tmp_settings) == []
    assert processes.end_abandoned(tmp_settings) == []


def test_a_grown_log_is_moved_aside(tmp_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "LOG_BYTES_MAX", 10)
    for said in ("first and long", "second"):
        spawn([sys.executable, "-c", f"print({said!r})"], name="job", settings=tmp_settings).wait(30)
    assert tail(tmp_settings.logs / "job.log") == "second"
    assert tail(tmp_settings.logs / "job.log.1") == "first and long"


def test_an_instance_is_alive_until_its_process_ends() -> None:
    assert alive(instance())
    child = subprocess.Popen(FOREVER)
    name = f"{socket.gethostname()}:{child.pid}:{start_time(child.pid)}"
    assert alive(name)
    child.kill()
    until(lambda: not alive(name))  # a zombie is dead: it has not been waited for yet
    child.wait()
    assert not alive(name)


def test_an_instance_of_another_host_is_taken_to_be_alive() -> None:
    assert alive("elsewhere.example:1:1")
    assert not alive("nonsense")


def test_start_times_by_ps_agree_with_themselves(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if subprocess.run(["ps", "-p", "1"], capture_output=True, check=False).returncode:
        pytest.skip("there is no ps on this machine, and /proc is used")
    monkeypatch.setattr(process_table, "PROC", tmp_path / "no-proc")
    child = subprocess.Popen(FOREVER)
    try:
        shown = start_time(child.pid)
        assert shown
        assert shown == start_time(child.pid)
        assert ":" not in shown
        assert process_table.command_of(child.pid)[-1] == "signal.pause()"
    finally:
        child.kill()
    until(lambda: start_time(child.pid) is None)
    child.wait()


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="only Linux shows who holds a port")
def test_the_holder_of_a_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not port_free(port)
        assert port_holder(port) == os.getpid()
    assert port_free(port)
    assert port_holder(port) is None


def test_sigterm_unwinds_as_ctrl_c_does() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as caught, processes.ended_in_order():
        signal.raise_signal(signal.SIGTERM)
    assert caught.value.code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == before
