"""Settings: one frozen object, read once from a TOML file and `HEADWATER_*` variables, then handed down.

Order, the later wins: the defaults below, `headwater.toml` (or `HEADWATER_CONFIG`, or `--config`), the environment.
librdkafka's own keys pass through untouched: the `[kafka]` table, or `HEADWATER_KAFKA_SECURITY_PROTOCOL=SASL_SSL` for
`security.protocol`. Nothing else in the project reads the environment.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from contracts.errors import SettingsInvalid
from lineage.places import Access, address, joined, remote

PROJECT_FOLDER = Path(__file__).resolve().parent.parent
EMBEDDED_PORT = 19092
"""Port of the broker that `headwater up` starts: not Kafka's usual 9092, so that it does not meet a broker you already run."""

KAFKA_PREFIX = "HEADWATER_KAFKA_"
S3_PREFIX = "HEADWATER_S3_"
S3_KEYS = {kept.name for kept in fields(Access)}
Place = str
"""A local folder, or `s3://bucket/prefix`."""


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
    kafka: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    """librdkafka keys. With `bootstrap.servers` set here an existing broker is used and none is started."""
    broker_port: int = EMBEDDED_PORT
    """Port of the embedded broker; its controller takes the next one."""
    tables_at: Place = field(default="", metadata={"key": "tables"})
    """Where the Delta tables stand: a folder, or `s3://bucket/prefix`. Unset: `tables` under home. The setting is `tables`."""
    ledger_at: Place = field(default="", metadata={"key": "ledger"})
    """Where the lineage ledger stands: as above. The setting is `ledger`."""
    training_sets_at: Place = field(default="", metadata={"key": "training_sets"})
    """Where training sets stand: as above. The setting is `training_sets`."""
    s3: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    """How `s3://` is reached: `endpoint`, `region`, `access_key_id`, `secret_access_key`, `session_token`, `retry_seconds`. What
    is unset is found as AWS's tools find it: `AWS_ENDPOINT_URL`, `AWS_REGION`, its credential variables, profile or role."""
    jars: Path = Path()
    """Folder that the embedded broker's jars are kept in, to be shared between homes. Unset: under home."""
    java_home: str = ""
    """Folder of the JDK; also read from JAVA_HOME. Empty: `java` on the PATH."""
    spark_master: str = "local[*]"
    """Where `--engine spark` runs: `local[*]` (in this machine, all cores) or a cluster's URL."""
    spark_memory: str = "2g"
    """Of Spark's driver, which in local mode does the work too."""
    online_store: str = ""
    """`sqlite` (under home) or `redis`. Empty: `sqlite` beside the embedded broker, `redis` with a broker of your own."""
    redis: str = field(default="localhost:6379", repr=False)
    """Feast's connection string for Redis: `host:port[,host:port...][,db=0][,ssl=true][,...]`, any parameter of redis-py's."""
    redis_type: str = "redis"
    """`redis` (one server, or one name before several) or `redis_cluster`."""
    redis_username: str = ""
    """ACL user. Empty: Redis' own default user."""
    redis_password: str = field(default="", repr=False)
    """Its password: give HEADWATER_REDIS_PASSWORD, so that it stands in no file."""
    redis_ca: Path = Path()
    """File of certificates that Redis' own is held against; the connection is TLS then. The system's: `ssl=true` in `redis`."""
    redis_wait_seconds: float = 5.0
    """A fault of Redis that may pass is waited out for so long; one answer is waited for at most as long."""
    openlineage_url: str = ""
    """Marquez or another OpenLineage endpoint; also read from OPENLINEAGE_URL. Empty: events stay in the ledger."""
    openlineage_api_key: str = field(default="", repr=False)
    """Sent as a bearer token to `openlineage_url`; also read from OPENLINEAGE_API_KEY."""
    keys: Path = Path()
    """File of the key store, with the master key beside it (`master.key`). Unset: `keys/keys.sqlite` under home."""
    master_key: str = field(default="", repr=False)
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
    flink_url: str = ""
    """REST address of a Flink cluster, `http://host:8081`. Empty: a session cluster of our own, on this machine."""
    flink_port: int = 19094
    """REST port of our own Flink cluster; its JobManager's other port is the next one."""
    flink_environment: Path = Path()
    """Folder of Flink's Python environment, here and on every TaskManager. Unset: `.venv-flink`, as `make engines` makes it."""
    flink_parallelism: int = 2
    """How many parallel instances a Flink job has, unless `flink run --parallelism` says another number."""
    flink_checkpoint_seconds: float = 5.0
    """Between two checkpoints of a Flink job: what it sends is seen by `land` so much later."""
    flink_state: str = ""
    """Folder or URI that the whole Flink cluster reaches, for checkpoints and savepoints. Empty: `flink/state` under home."""

    @property
    def embedded(self) -> bool:
        """Whether the broker is ours to start and stop."""
        return "bootstrap.servers" not in self.kafka

    @property
    def online(self) -> str:
        """The online store in use: what `online_store` says, or what goes with the broker."""
        return self.online_store or ("sqlite" if self.embedded else "redis")

    @property
    def bootstrap_servers(self) -> str:
        """Where clients find the broker."""
        return self.kafka.get("bootstrap.servers", f"127.0.0.1:{self.broker_port}")

    @property
    def broker_home(self) -> Path:
        """Folder of the embedded broker: its configuration, its data and, unless `jars` says otherwise, its jars."""
        return self.home / "kafka"

    @property
    def flink_python(self) -> Path:
        """Python of Flink's environment. Not resolved: it is the link that makes it that environment's."""
        return (PROJECT_FOLDER / ".venv-flink" if self.flink_environment == Path() else self.flink_environment) / "bin" / "python"

    @property
    def run(self) -> Path:
        """Folder of the records of the processes we started, and of the lock on starting and stopping."""
        return self.home / "run"

    @property
    def tables(self) -> str:
        """Place of the Delta tables: `silver/<domain>/<dataset>`, `quarantine/...`, `gold/<view>`."""
        return self.tables_at or str(self.home / "tables")

    @property
    def ledger(self) -> str:
        """Place of the lineage ledger."""
        return self.ledger_at or str(self.home / "ledger")

    @property
    def shipped(self) -> Path:
        """Folder that remembers how far each endpoint has been told of the ledger."""
        return self.home / "ledger" / "shipped"

    @property
    def reaches(self) -> bool:
        """Whether anything of this installation stands in an object store, or might be asked for there."""
        return bool(self.s3) or any(map(remote, (self.tables, self.ledger, self.training_sets)))

    @property
    def access(self) -> Access:
        """How object stores are reached."""
        given: dict[str, Any] = dict(self.s3)
        return Access(**given | ({"retry_seconds": float(given["retry_seconds"])} if "retry_seconds" in given else {}))

    @property
    def key_store(self) -> Path:
        """File of the key store."""
        return self.home / "keys" / "keys.sqlite" if self.keys == Path() else self.keys

    @property
    def feature_store(self) -> Path:
        """Folder of Feast's registry and of the SQLite online store."""
        return self.home / "features"

    @property
    def training_sets(self) -> str:
        """Place of the training sets."""
        return self.training_sets_at or str(self.home / "training_sets")

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
        named = {key: getattr(self, name) for key, name in _NAMES.items()}
        texts = {key: _environ_text(value) for key, value in named.items() if value != Path()}
        ours = {f"HEADWATER_{key.upper()}": text for key, text in texts.items()}
        ours |= {S3_PREFIX + key.upper(): value for key, value in self.s3.items()}
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
    kafka, s3 = dict(values.pop("kafka", {})), dict(values.pop("s3", {}))
    values |= _from_environ(environ, kafka, s3, base)
    values |= {key: value for key, value in overrides.items() if value is not None}
    fitted = {_NAMES[key]: value for key, value in values.items()}
    settings = replace(Settings(), **fitted, kafka=MappingProxyType(kafka), s3=MappingProxyType(s3))
    return replace(settings, home=(base / settings.home).resolve())


SECRETS = ("redis", "redis_password", "master_key", "openlineage_api_key")
"""Settings whose values no message repeats."""
_TABLES = ("kafka", "s3")
_NAMES = {f.metadata.get("key", f.name): f.name for f in fields(Settings) if f.name not in _TABLES}
"""Setting -> field. A place is kept as it was set, and told with its default."""
_KINDS = {f.metadata.get("key", f.name): f.type for f in fields(Settings) if f.name not in _TABLES}
_EXPECTED = {"Place": "a folder, or s3://bucket/prefix"}
_THEIRS = {"endpoint": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"), "region": ("AWS_REGION", "AWS_DEFAULT_REGION")}
"""What AWS's own variables say, unless ours do. Its credentials are not taken over: each library finds them itself."""


def _from_file(path: Path) -> dict[str, Any]:
    try:
        read = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsInvalid(str(error), expected="valid TOML in UTF-8", where=str(path)) from error
    kafka, s3 = read.pop("kafka", {}), read.pop("s3", {})
    if not isinstance(kafka, dict):
        raise SettingsInvalid("kafka is not a table", expected="[kafka] with librdkafka keys", where=str(path))
    if not isinstance(s3, dict):
        raise SettingsInvalid("s3 is not a table", expected=f"[s3] with {', '.join(sorted(S3_KEYS))}", where=str(path))
    values = {key: _typed(key, value, str(path), path.parent) for key, value in read.items()}
    reached = {key: _s3_text(key, value, str(path)) for key, value in s3.items()}
    return values | {"kafka": {key: _text(value) for key, value in _flat(kafka).items()}, "s3": reached}


def _from_environ(environ: Mapping[str, str], kafka: dict[str, str], s3: dict[str, str], base: Path) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, names in _THEIRS.items():
        if key not in s3 and (found := next(filter(None, map(environ.get, names)), None)):
            s3[key] = found
    for name, text in environ.items():
        if name.startswith(KAFKA_PREFIX):
            kafka[name.removeprefix(KAFKA_PREFIX).lower().replace("_", ".")] = text
        elif name.startswith(S3_PREFIX):
            key = name.removeprefix(S3_PREFIX).lower()
            s3[key] = _s3_text(key, text, f"environment variable {name}")
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
        raise SettingsInvalid(f"unknown setting {key!r}", expected=f"one of {known}, a [kafka] or an [s3] table", where=where)
    try:
        return _place(value, base) if kind == "Place" else _converted(str(kind), value, base)
    except (TypeError, ValueError) as error:
        said = f"{key} is of type {type(value).__name__}" if key in SECRETS else f"{key} is {value!r}"
        came = f"{key} is no such place" if kind == "Place" else said  # an address may carry a secret
        raise SettingsInvalid(came, expected=_EXPECTED.get(str(kind), str(kind)), where=where) from error


def _s3_text(key: str, value: Any, where: str) -> str:
    """Return a value of the [s3] table as text. Raises SettingsInvalid, which never tells the value: it may be a secret."""
    if key not in S3_KEYS:
        raise SettingsInvalid(f"unknown [s3] setting {key!r}", expected=f"one of {', '.join(sorted(S3_KEYS))}", where=where)
    text = _text(value)
    try:
        good = key != "retry_seconds" or 0 <= float(text) < 86_400
    except ValueError:
        good = False
    if not good or (key == "endpoint" and not re.fullmatch(r"https?://[^/@?#]+/?", text)):
        expected = "seconds, less than a day" if key == "retry_seconds" else "http://host:port, or https"
        raise SettingsInvalid(f"[s3] {key} cannot be used", expected=expected, where=where)
    return text.rstrip("/") if key == "endpoint" else text


def _place(value: Any, base: Path) -> str:
    """Return a place as it is kept: a folder's path from the root on, or an address without a slash at its end."""
    if not isinstance(value, str):
        raise TypeError(value)
    if "://" in value:
        found = address(value)
        return joined(f"s3://{found.bucket}", *([found.prefix] if found.prefix else []))
    return str((base / Path(value).expanduser()).resolve()) if value else ""


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
