"""Settings: one frozen object, read once from a TOML file and `HEADWATER_*` variables, then handed down.

Order, the later wins: the defaults below, `headwater.toml` (or `HEADWATER_CONFIG`, or `--config`), the environment.
librdkafka's own keys pass through untouched: the `[kafka]` table, or `HEADWATER_KAFKA_SECURITY_PROTOCOL=SASL_SSL` for
`security.protocol`. Nothing else in the project reads the environment.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from contracts.errors import SettingsInvalid

PROJECT_FOLDER = Path(__file__).resolve().parent.parent
EMBEDDED_PORT = 19092
"""Port of the broker that `headwater up` starts: not Kafka's usual 9092, so that it does not meet a broker you already run."""

KAFKA_PREFIX = "HEADWATER_KAFKA_"


@dataclass(frozen=True)
class Settings:
    """Everything that differs between two installations. Sizes are bytes, times are seconds, unless the name says more."""

    home: Path = Path(".headwater")
    """The one folder that data lives in: broker, tables, registry, online values, ledger, logs."""
    contracts: tuple[Path, ...] = (PROJECT_FOLDER / "contracts",)
    """Folders with contract files, searched in order."""
    definitions: tuple[Path, ...] = (PROJECT_FOLDER / "features" / "definitions",)
    """Folders with Feast definitions."""
    project: str = "headwater"
    """Name of the Feast project, and of the job namespace in lineage."""
    kafka: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """librdkafka keys. With `bootstrap.servers` set here an existing broker is used and none is started."""
    broker_port: int = EMBEDDED_PORT
    """Port of the embedded broker; its controller takes the next one."""
    jars: Path = Path()
    """Folder that the embedded broker's jars are kept in, to be shared between homes. Unset: under home."""
    java_home: str = ""
    """Folder of the JDK; also read from JAVA_HOME. Empty: `java` on the PATH."""
    online_store: str = "sqlite"
    """`sqlite` (under home) or `redis`."""
    redis: str = "localhost:6379"
    """Feast's connection string for Redis: `host:port[,db=0][,ssl=true][,password=...]`."""
    openlineage_url: str = ""
    """Marquez or another OpenLineage endpoint; also read from OPENLINEAGE_URL. Empty: events stay in the ledger."""
    openlineage_api_key: str = ""
    """Sent as a bearer token to `openlineage_url`; also read from OPENLINEAGE_API_KEY."""
    keys: Path = Path()
    """File of the key store, with the master key beside it (`master.key`). Unset: `keys/keys.sqlite` under home."""
    master_key: str = ""
    """Master key of the key store, 64 hex digits, where it must not lie beside it: give HEADWATER_MASTER_KEY."""
    batch_records: int = 5_000
    """At most so many records in one batch of a clean job."""
    batch_bytes: int = 16 * 1024 * 1024
    """At most about so many bytes of values in one batch."""
    record_bytes_max: int = 4 * 1024 * 1024
    """A longer value becomes a dead letter."""
    commit_records: int = 100_000
    """`land` commits when it holds so many records ..."""
    commit_bytes: int = 64 * 1024 * 1024
    """... or so many bytes of values ..."""
    commit_seconds: float = 5.0
    """... or when its first record has waited so long."""
    compact_files: int = 20
    """`land` compacts a table when so many small files have gathered."""
    duplicate_window: int = 20_000
    """A record is an exact duplicate if the same content came within so many offsets before it, in its raw partition."""

    @property
    def embedded(self) -> bool:
        """Whether the broker is ours to start and stop."""
        return "bootstrap.servers" not in self.kafka

    @property
    def bootstrap_servers(self) -> str:
        """Where clients find the broker."""
        return self.kafka.get("bootstrap.servers", f"127.0.0.1:{self.broker_port}")

    @property
    def broker_home(self) -> Path:
        """Folder of the embedded broker: its configuration, its data and, unless `jars` says otherwise, its jars."""
        return self.home / "kafka"

    @property
    def run(self) -> Path:
        """Folder of the records of the processes we started, and of the lock on starting and stopping."""
        return self.home / "run"

    @property
    def tables(self) -> Path:
        """Folder of the Delta tables: `silver/<domain>/<dataset>`, `quarantine/...`, `gold/<view>`."""
        return self.home / "tables"

    @property
    def ledger(self) -> Path:
        """Folder of the lineage ledger."""
        return self.home / "ledger"

    @property
    def key_store(self) -> Path:
        """File of the key store."""
        return self.home / "keys" / "keys.sqlite" if self.keys == Path() else self.keys

    @property
    def feature_store(self) -> Path:
        """Folder of Feast's registry and of the SQLite online store."""
        return self.home / "features"

    @property
    def training_sets(self) -> Path:
        """Folder of the training sets."""
        return self.home / "training_sets"

    @property
    def expectations(self) -> Path:
        """Folder of the validations of silver tables, and of the Data Docs site that shows them."""
        return self.home / "expectations"

    @property
    def logs(self) -> Path:
        """Folder of the logs of the servers and jobs we start."""
        return self.home / "logs"

    def environ(self) -> dict[str, str]:
        """Return the `HEADWATER_*` variables that make `load_settings` give these settings, in any folder.

        How a process that we start is told its settings. They may hold a password: hand them over, never print them.
        """
        named = {name: getattr(self, name) for name in _KINDS}
        texts = {name: _environ_text(value) for name, value in named.items() if value != Path()}
        ours = {f"HEADWATER_{name.upper()}": text for name, text in texts.items()}
        return ours | {KAFKA_PREFIX + key.upper().replace(".", "_"): value for key, value in self.kafka.items()}

    def client(self, **extra: str | float | bool) -> dict[str, Any]:
        """Return a librdkafka configuration: `extra`, then the user's keys on top, which therefore win."""
        return {"bootstrap.servers": self.bootstrap_servers, **{k.replace("__", "."): v for k, v in extra.items()}, **self.kafka}


def load_settings(
    file: Path | None = None, environ: Mapping[str, str] | None = None, folder: Path | None = None, **overrides: Any
) -> Settings:
    """Return the settings in force. Relative paths count from the file's folder, or from `folder` (the working directory).

    Raises SettingsInvalid, naming the key and where it stands, for an unknown key or an ill-typed value.
    """
    environ = os.environ if environ is None else environ
    base = folder or Path.cwd()
    named = file or (Path(environ["HEADWATER_CONFIG"]) if environ.get("HEADWATER_CONFIG") else None)
    path = named or base / "headwater.toml"
    values: dict[str, Any] = {}
    if path.is_file():
        values |= _from_file(path)
    elif named is not None:
        raise SettingsInvalid(f"no such file: {path}", expected="a TOML file", remedy="mend --config or HEADWATER_CONFIG")
    kafka = dict(values.pop("kafka", {}))
    values |= _from_environ(environ, kafka, base)
    values |= {key: value for key, value in overrides.items() if value is not None}
    settings = replace(Settings(), **values, kafka=MappingProxyType(kafka))
    return replace(settings, home=(base / settings.home).resolve())


_KINDS = {f.name: f.type for f in fields(Settings) if f.name != "kafka"}


def _from_file(path: Path) -> dict[str, Any]:
    try:
        read = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsInvalid(str(error), expected="valid TOML in UTF-8", where=str(path)) from error
    kafka = read.pop("kafka", {})
    if not isinstance(kafka, dict):
        raise SettingsInvalid("kafka is not a table", expected="[kafka] with librdkafka keys", where=str(path))
    values = {key: _typed(key, value, str(path), path.parent) for key, value in read.items()}
    return values | {"kafka": {key: _text(value) for key, value in _flat(kafka).items()}}


def _from_environ(environ: Mapping[str, str], kafka: dict[str, str], base: Path) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, text in environ.items():
        if name.startswith(KAFKA_PREFIX):
            kafka[name.removeprefix(KAFKA_PREFIX).lower().replace("_", ".")] = text
        elif name.startswith("HEADWATER_") and name != "HEADWATER_CONFIG":
            key = name.removeprefix("HEADWATER_").lower()
            values[key] = _typed(key, text, f"environment variable {name}", base)
    for name in ("OPENLINEAGE_URL", "OPENLINEAGE_API_KEY", "JAVA_HOME"):
        if environ.get(name) and name.lower() not in values:
            values[name.lower()] = environ[name]
    return values


def _environ_text(value: Any) -> str:
    return os.pathsep.join(map(str, value)) if isinstance(value, tuple) else str(value)


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested TOML tables as dotted keys: `bootstrap.servers = "..."` is a nested table in TOML."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _typed(key: str, value: Any, where: str, base: Path) -> Any:
    kind = _KINDS.get(key)
    if kind is None:
        known = ", ".join(sorted(_KINDS))
        raise SettingsInvalid(f"unknown setting {key!r}", expected=f"one of {known}, or a [kafka] table", where=where)
    try:
        return _converted(str(kind), value, base)
    except (TypeError, ValueError) as error:
        raise SettingsInvalid(f"{key} is {value!r}", expected=str(kind), where=where) from error


def _converted(kind: str, value: Any, base: Path) -> Any:
    if kind.startswith("tuple"):
        parts = value.split(os.pathsep) if isinstance(value, str) else value
        return tuple((base / Path(part).expanduser()).resolve() for part in parts)
    if kind == "Path":
        return (base / Path(value).expanduser()).resolve()
    if kind == "int" and not isinstance(value, bool):
        return int(value)
    if kind == "float" and not isinstance(value, bool):
        return float(value)
    if kind == "str" and isinstance(value, str):
        return value
    raise TypeError(kind)
