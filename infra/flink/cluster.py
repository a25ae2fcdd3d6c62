"""A Flink session cluster on this machine: a JobManager and a TaskManager from the PyPI wheel, as processes of ours.

    ensure ─▶ environment there? ─▶ lock ─▶ configuration written ─▶ JobManager runs? ─▶ TaskManager runs? ─▶ slots there

`ensure` is called again whenever something is missed: a killed process is started anew, and what its Python workers left is
ended first. Jobs are not kept by a JobManager that dies; whoever follows a job submits it again from its last checkpoint.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import yaml

from contracts.errors import StackBroken
from infra.flink.rest import Cluster, FlinkAway
from infra.jars import java, locked
from infra.process_table import PROC, command_of, port_free, running_with
from infra.processes import Child, Record, adopt, end, end_abandoned, records, spawn, tail
from infra.settings import Settings

JOB_MANAGER, TASK_MANAGER = "flink-jobmanager", "flink-taskmanager"
MAIN_CLASSES = {
    JOB_MANAGER: "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint",
    TASK_MANAGER: "org.apache.flink.runtime.taskexecutor.TaskManagerRunner",
}
SCRIPTS = {JOB_MANAGER: "jobmanager.sh", TASK_MANAGER: "taskmanager.sh"}
START = """\
for told in "${!HEADWATER_@}"; do
  [ "$0 $told" = "flink-taskmanager HEADWATER_MASTER_KEY" ] || unset "$told"
done
cd "$1" && exec bash "$2" start-foreground
"""
"""In a folder of its own: Python workers find modules where their TaskManager stands before those that came with the job. And
without our settings in the environment, which Flink likes to log, but for the one thing that workers need of it."""
READY_SECONDS_MAX = 180.0
STOP_SECONDS_MAX = 20.0
POLL_SECONDS = 0.1
PYTHON_WORKER = "pyflink.fn_execution.beam.beam_boot"

Say = Callable[[str], None]


def home_of(settings: Settings) -> Path:
    """Return the folder of Flink's own files under home."""
    return settings.home / "flink"


def pyflink(settings: Settings) -> Path:
    """Return the folder of the PyFlink package in Flink's environment. Raises StackBroken, saying how to make it, if absent."""
    found = sorted(settings.flink_python.parent.parent.glob("lib/python3*/site-packages/pyflink"))
    if not settings.flink_python.exists() or not found:
        raise StackBroken(
            "Flink's own environment is not there",
            expected="apache-flink 2.3.0 in an environment of its own",
            where=str(settings.flink_python),
            remedy="make engines; or point flink_environment at one that holds it",
        )
    return found[0]


def cluster(settings: Settings) -> Cluster:
    """Return the cluster that the settings name: a given one, or our own whether it runs or not."""
    return Cluster(settings.flink_url or f"http://127.0.0.1:{settings.flink_port}")


def ensure(settings: Settings, say: Say = lambda _: None, *, detached: bool = True) -> Cluster:
    """Have the cluster answer with at least one TaskManager; start of our own what does not run. Two callers do not meet.

    Raises StackBroken if the environment is absent, a port is taken, or a process does not come up; FlinkAway if a given
    cluster does not answer.
    """
    there = cluster(settings)
    if settings.flink_url:
        there.slots()
        return there
    package, _ = pyflink(settings), java(settings)
    for folder in (settings.run, home_of(settings), settings.logs):
        folder.mkdir(parents=True, exist_ok=True)
    with locked(settings.run / ".flink.lock"):
        end_abandoned(settings)
        started = {name: _started(settings, package, name, say, detached=detached) for name in SCRIPTS}
        if any(started.values()) or not there.answers() or not there.slots():
            _await(settings, there, started)
    return there


@contextmanager
def session(settings: Settings, say: Say = lambda _: None) -> Iterator[Cluster]:
    """Have the cluster for the block. One that runs is used and left; what is started here ends with the block.

    What is started anew within the block, because it was killed, ends with the block as well.
    """
    ours = not settings.flink_url and not _running(settings)
    try:
        yield ensure(settings, say, detached=not ours)
    finally:
        if ours:
            stop(settings)


def stop(settings: Settings) -> list[Record]:
    """End our own cluster, and what its Python workers left. Jobs that run are lost to it, their checkpoints are not."""
    if settings.flink_url or not home_of(settings).is_dir():
        return []
    with locked(settings.run / ".flink.lock"):
        running = _running(settings)
        for record in sorted(running, key=lambda record: record.name, reverse=True):
            end(record, STOP_SECONDS_MAX)
            _end_left(record.pid)
        end_abandoned(settings)
        return running


def _running(settings: Settings) -> list[Record]:
    """Return the records of our processes that run; one whose record was never written is found by its command line."""
    known = [record for record in records(settings) if record.name in SCRIPTS]
    names = {record.name for record in known}
    for pid in running_with(str(_conf(settings))):
        name = next((name for name, main in MAIN_CLASSES.items() if main in command_of(pid)), None)
        if name is not None and name not in names:
            known.append(adopt(settings, pid, name=name, port=settings.flink_port))
    return known


def _started(settings: Settings, package: Path, name: str, say: Say, *, detached: bool) -> Child | None:
    """Start one process unless it runs; return it if it was started."""
    if any(record.name == name for record in _running(settings)):
        return None
    for path in settings.run.glob(f"{name}-*.pid"):
        _end_left(int(path.stem.rpartition("-")[2]))
        path.unlink()
    if name == JOB_MANAGER:
        _must_be_free(settings)
        configured(settings, package)
    say(f"starting {name.replace('-', ' ')}" + (f" on port {settings.flink_port}" if name == JOB_MANAGER else ""))
    script = str(package / "bin" / SCRIPTS[name])
    child = spawn(
        ["bash", "-c", START, name, str(_made(home_of(settings) / "tmp")), script],
        name=name,
        settings=settings,
        env=environ(settings, package),
        detached=detached,
        port=settings.flink_port,
    )
    (settings.run / f"{name}-{child.pid}.pid").touch()  # outlives the record: its group may have to be ended
    return child


def environ(settings: Settings, package: Path) -> dict[str, str]:
    """Return the environment of Flink's scripts: our folders, nothing of another Flink's."""
    return {
        "FLINK_HOME": str(package),
        "FLINK_BIN_DIR": str(package / "bin"),
        "FLINK_CONF_DIR": str(_conf(settings)),
        "FLINK_LIB_DIR": str(package / "lib"),
        "FLINK_OPT_DIR": str(package / "opt"),
        "FLINK_PLUGINS_DIR": str(package / "plugins"),
        "FLINK_LOG_DIR": str(settings.logs),
        "FLINK_PID_DIR": str(home_of(settings)),
        "FLINK_IDENT_STRING": "headwater",
        "PYTHONPATH": "",
    } | ({"JAVA_HOME": settings.java_home} if settings.java_home else {})


def _conf(settings: Settings) -> Path:
    return home_of(settings) / "conf"


def configured(settings: Settings, package: Path) -> None:
    """Write the configuration of our cluster and of `flink run`: the wheel's own, with our ports, folders and sizes over it."""
    conf = _conf(settings)
    shutil.copytree(package / "conf", conf, dirs_exist_ok=True)
    for name in ("log4j-console.properties", "log4j-cli.properties"):
        shutil.copy(Path(__file__).with_name("log4j.properties"), conf / name)
    shipped = yaml.safe_load((package / "conf" / "config.yaml").read_text("utf-8"))
    ours = {
        "env.java.opts.all": shipped["env"]["java"]["opts"]["all"],
        "jobmanager.rpc.address": "127.0.0.1",
        "jobmanager.rpc.port": settings.flink_port + 1,
        "jobmanager.bind-host": "127.0.0.1",
        "jobmanager.memory.process.size": "1024m",
        "rest.address": "127.0.0.1",
        "rest.bind-address": "127.0.0.1",
        "rest.port": settings.flink_port,
        "taskmanager.host": "127.0.0.1",
        "taskmanager.bind-host": "127.0.0.1",
        "taskmanager.memory.process.size": "2560m",
        "taskmanager.numberOfTaskSlots": 8,
        "heartbeat.interval": "2s",
        "heartbeat.timeout": "15s",
        "classloader.check-leaked-classloader": "false",
        "io.tmp.dirs": str(_made(home_of(settings) / "tmp")),
        "web.upload.dir": str(_made(home_of(settings) / "uploads")),
        "python.executable": str(settings.flink_python),
        "python.client.executable": str(settings.flink_python),
    }
    (conf / "config.yaml").write_text(yaml.safe_dump(ours, width=10_000), "utf-8")


def _made(folder: Path) -> Path:
    """Return a folder, for its owner alone: batches pass through it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def _await(settings: Settings, there: Cluster, started: dict[str, Child | None]) -> None:
    deadline = time.monotonic() + READY_SECONDS_MAX
    while not _ready(there):
        for name, child in started.items():
            if child is not None and (code := child.wait(POLL_SECONDS)) is not None:
                raise _not_up(settings, name, f"{name} ended with code {code} while starting")
        if time.monotonic() > deadline:
            raise _not_up(settings, JOB_MANAGER, f"Flink has no TaskManager after {READY_SECONDS_MAX:.0f} s")
        time.sleep(POLL_SECONDS)


def _ready(there: Cluster) -> bool:
    try:
        return there.slots() > 0
    except FlinkAway:
        return False


def _not_up(settings: Settings, name: str, what: str) -> StackBroken:
    log = settings.logs / f"{name}.log"
    return StackBroken(f"{what}; it said last:\n{tail(log, 12)}", where=str(log), remedy=f"read the logs in {settings.logs}")


def _must_be_free(settings: Settings) -> None:
    for port in (settings.flink_port, settings.flink_port + 1):
        if not port_free(port):
            raise StackBroken(
                f"port {port}, for Flink, is taken",
                expected=f"ports {settings.flink_port} and {settings.flink_port + 1} free",
                remedy="end what listens there, or choose another pair: HEADWATER_FLINK_PORT=29094",
            )


def _end_left(leader: int) -> None:
    """End the Python workers that a killed TaskManager left in its process group: they notice nothing by themselves."""
    if not PROC.is_dir():
        return
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):
            pid = int(entry.name)
            if os.getpgid(pid) == leader and PYTHON_WORKER in command_of(pid):
                os.kill(pid, signal.SIGKILL)
