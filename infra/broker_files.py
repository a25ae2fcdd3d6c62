"""The local broker's files and command line: its properties, its formatted storage, how Java is called.

Everything stands under `<home>/kafka`, is written whole or not at all, and is written anew or found good at each start.
"""

from __future__ import annotations

import base64
import shutil
import subprocess
import uuid
from pathlib import Path

from contracts.errors import NotFound, StackBroken
from infra.jars import Jars
from infra.settings import PROJECT_FOLDER, Settings

MAIN_CLASS = "kafka.Kafka"
HEAP = "512m"
FORMAT_SECONDS_MAX = 120.0
FORBIDDEN_IN_PATHS = ",:"
LOG_CONFIG = PROJECT_FOLDER / "infra" / "kafka" / "log4j2.xml"

PROPERTIES = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "PLAINTEXT",
    # Topics come from contracts: a misspelt name must fail, not make a topic.
    "auto.create.topics.enable": "false",
    "delete.topic.enable": "true",
    # Documents are long: `record_bytes_max` and the room that a batch needs beside it.
    "message.max.bytes": str(16 * 1024 * 1024),
    "replica.fetch.max.bytes": str(16 * 1024 * 1024),
    # One node: nothing to replicate to, and no second member of a group to wait for.
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    # A small heap and two cores.
    # A node that was killed may register again when its old session ends.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "4",
    "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
}
"""What is the same for each local broker. Ports, folders and addresses are added at each start."""


def configure(settings: Settings) -> None:
    """Write the broker's properties: at each start, since ports and folders may have moved."""
    for folder in (settings.home, settings.jars):
        if any(char in str(folder) for char in FORBIDDEN_IN_PATHS):
            raise StackBroken("Java reads ',' and ':' in a path as the end of it", where=str(folder), remedy="use another folder")
    port = settings.broker_port
    mine = {
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{port + 1}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.quorum.voters": f"1@127.0.0.1:{port + 1}",
        "log.dirs": _escaped(data_folder(settings)),
    }
    _write_properties(properties_file(settings), PROPERTIES | mine)


def format_storage(settings: Settings, program: str, jars: Jars) -> None:
    """Format the broker's data folder once: under another name, then renamed, so that it is whole or not there."""
    if (data_folder(settings) / "meta.properties").is_file():
        return
    if data_folder(settings).exists():
        remedy = "bring the file back from a copy, or delete the folder with all records in it"
        raise StackBroken("Kafka's folder has lost its meta.properties", where=str(data_folder(settings)), remedy=remedy)
    draft, wanted = settings.broker_home / "data.draft", settings.broker_home / "format.properties"
    shutil.rmtree(draft, ignore_errors=True)
    properties = _read_properties(properties_file(settings)) | {"log.dirs": _escaped(draft)}
    _write_properties(wanted, properties)
    tool = [program, "-cp", jars.classpath, *_logging(settings), "kafka.tools.StorageTool"]
    command = [*tool, "format", f"--cluster-id={_new_cluster_id()}", f"--config={wanted}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=FORMAT_SECONDS_MAX, check=False)
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-12:])
        raise StackBroken(f"Kafka cannot format its folder:\n{last}", where=str(draft), remedy="see whether the disk is full")
    draft.rename(data_folder(settings))


def command(settings: Settings, program: str, jars: Jars) -> list[str]:
    """Return the command line that runs the broker."""
    heap = [f"-Xmx{HEAP}", "-Xms128m", "-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true"]
    return [program, *heap, *_logging(settings), "-cp", jars.classpath, MAIN_CLASS, str(properties_file(settings))]


def cluster_id(settings: Settings) -> str:
    """Return the id of the cluster that our storage was formatted for; empty if it was not."""
    return _read_properties(data_folder(settings) / "meta.properties").get("cluster.id", "")


def configured_port(settings: Settings) -> int:
    """Return the port that a running broker was last told to listen on."""
    advertised = _read_properties(properties_file(settings)).get("advertised.listeners", "")
    if not advertised:
        raise NotFound("the running broker's properties are gone", where=str(properties_file(settings)))
    return int(advertised.rpartition(":")[2])


def _new_cluster_id() -> str:
    """Return an id as Kafka makes them: 16 random bytes in URL-safe base64."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode("ascii").rstrip("=")


def _write_properties(path: Path, properties: dict[str, str]) -> None:
    draft = path.with_suffix(".tmp")
    draft.write_text("".join(f"{key}={value}\n" for key, value in properties.items()), "utf-8")
    draft.replace(path)


def _read_properties(path: Path) -> dict[str, str]:
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def _escaped(path: Path) -> str:
    """Return a path as a Java properties file writes it: in ASCII, a backslash before what has a meaning there."""
    return "".join(char if char.isascii() else f"\\u{ord(char):04x}" for char in str(path).replace("\\", "\\\\"))


def _logging(settings: Settings) -> list[str]:
    return [f"-Dlog4j2.configurationFile={LOG_CONFIG.as_uri()}", f"-Dheadwater.logs={settings.logs}"]


def properties_file(settings: Settings) -> Path:
    """Return the broker's properties file: its last argument, by which it is known among processes."""
    return settings.broker_home / "server.properties"


def data_folder(settings: Settings) -> Path:
    """Return the folder of the records."""
    return settings.broker_home / "data"


def kafka_log(settings: Settings) -> Path:
    """Return the log that Kafka itself writes."""
    return settings.logs / "kafka.log"
