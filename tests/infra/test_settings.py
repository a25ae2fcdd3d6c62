"""Settings: order of sources, types, what a bad one is told."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import SettingsInvalid
from infra.settings import EMBEDDED_PORT, Settings, load_settings


def written(folder: Path, text: str) -> Path:
    path = folder / "headwater.toml"
    path.write_text(text, "utf-8")
    return path


def test_defaults_need_nothing(tmp_path: Path) -> None:
    settings = load_settings(environ={}, folder=tmp_path)
    assert settings.home == tmp_path / ".headwater"
    assert settings.embedded
    assert settings.bootstrap_servers == f"127.0.0.1:{EMBEDDED_PORT}"


def test_the_later_source_wins(tmp_path: Path) -> None:
    written(tmp_path, 'broker_port = 1000\nproject = "file"\nbatch_records = 7\n')
    environ = {"HEADWATER_BROKER_PORT": "2000", "HEADWATER_PROJECT": "environment"}
    settings = load_settings(environ=environ, folder=tmp_path, project="argument")
    assert (settings.batch_records, settings.broker_port, settings.project) == (7, 2000, "argument")


def test_an_absent_override_overrides_nothing(tmp_path: Path) -> None:
    assert load_settings(environ={"HEADWATER_PROJECT": "mine"}, folder=tmp_path, project=None).project == "mine"


def test_relative_paths_count_from_the_file(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    file = written(tmp_path / "conf", 'home = "data"\ncontracts = ["mine", "/elsewhere"]\n')
    settings = load_settings(file, environ={}, folder=tmp_path)
    assert settings.home == tmp_path / "conf" / "data"
    assert settings.contracts == (tmp_path / "conf" / "mine", Path("/elsewhere"))


def test_kafka_keys_pass_through_from_file_and_environment(tmp_path: Path) -> None:
    written(tmp_path, '[kafka]\nbootstrap.servers = "broker.example:9092"\n"socket.keepalive.enable" = true\n')
    settings = load_settings(environ={"HEADWATER_KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, folder=tmp_path)
    assert dict(settings.kafka) == {
        "bootstrap.servers": "broker.example:9092",
        "socket.keepalive.enable": "true",
        "security.protocol": "SASL_SSL",
    }
    assert not settings.embedded
    assert settings.bootstrap_servers == "broker.example:9092"


def test_the_persons_kafka_keys_win_over_ours(tmp_path: Path) -> None:
    settings = load_settings(environ={"HEADWATER_KAFKA_LINGER_MS": "50"}, folder=tmp_path)
    assert settings.client(linger__ms=5, acks="all")["linger.ms"] == "50"
    assert settings.client(acks="all")["acks"] == "all"


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"HEADWATER_BROKER_PROT": "1"}, "broker_prot"),
        ({"HEADWATER_BROKER_PORT": "nineteen"}, "broker_port"),
        ({"HEADWATER_COMMIT_SECONDS": "soon"}, "commit_seconds"),
    ],
)
def test_a_bad_variable_is_named(tmp_path: Path, environ: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(environ=environ, folder=tmp_path)
    assert named in str(caught.value)
    assert next(iter(environ)) in caught.value.where


@pytest.mark.parametrize("text", ["broker_port = true\n", "project = 3\n", "kafka = 1\n", "unheard_of = 1\n", "= broken"])
def test_a_bad_file_is_named(tmp_path: Path, text: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(environ={}, folder=tmp_path)
    assert caught.value.where == str(file)


def test_a_file_that_was_asked_for_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match=r"no\.toml"):
        load_settings(tmp_path / "no.toml", environ={}, folder=tmp_path)


def test_other_tools_variables_count_unless_ours_say_otherwise(tmp_path: Path) -> None:
    environ = {"OPENLINEAGE_URL": "http://theirs", "JAVA_HOME": "/their/jdk"}
    settings = load_settings(environ=environ, folder=tmp_path)
    assert (settings.openlineage_url, settings.java_home) == ("http://theirs", "/their/jdk")
    settings = load_settings(environ=environ | {"HEADWATER_JAVA_HOME": "/our/jdk"}, folder=tmp_path)
    assert settings.java_home == "/our/jdk"


def test_places_are_folders_or_addresses(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    text = 'tables = "s3://bucket/prefix/"\nledger = "kept"\n[s3]\nendpoint = "http://127.0.0.1:9000/"\nretry_seconds = 3\n'
    settings = load_settings(written(tmp_path / "conf", text), environ={}, folder=tmp_path)
    assert (settings.tables, settings.ledger) == ("s3://bucket/prefix", str(tmp_path / "conf" / "kept"))
    assert settings.training_sets == str(tmp_path / ".headwater" / "training_sets")
    assert (settings.access.endpoint, settings.access.retry_seconds) == ("http://127.0.0.1:9000", 3.0)


def test_tables_follow_a_home_that_is_put_elsewhere(tmp_path: Path) -> None:
    settings = load_settings(environ={}, folder=tmp_path)
    assert dataclasses.replace(settings, home=tmp_path / "other").tables == str(tmp_path / "other" / "tables")


def test_aws_variables_say_where_s3_is_unless_ours_do(tmp_path: Path) -> None:
    environ = {"AWS_ENDPOINT_URL": "https://theirs.example", "AWS_DEFAULT_REGION": "eu-central-1", "AWS_SECRET_ACCESS_KEY": "no"}
    theirs = load_settings(environ=environ, folder=tmp_path)
    assert dict(theirs.s3) == {"endpoint": "https://theirs.example", "region": "eu-central-1"}
    ours = load_settings(environ=environ | {"HEADWATER_S3_ENDPOINT": "https://ours.example"}, folder=tmp_path)
    assert ours.access.endpoint == "https://ours.example"


SECRET = "a-made-up-secret"  # noqa: S105


@pytest.mark.parametrize(
    "environ",
    [
        {"HEADWATER_TABLES": f"s3://key:{SECRET}@bucket/tables"},
        {"HEADWATER_TABLES": f"gs://bucket/{SECRET}"},
        {"HEADWATER_S3_ENDPOINT": f"http://key:{SECRET}@127.0.0.1:9000"},
        {"HEADWATER_S3_SECRET": SECRET},
        {"HEADWATER_S3_RETRY_SECONDS": SECRET},
    ],
)
def test_a_bad_place_is_named_and_its_secret_is_not(tmp_path: Path, environ: dict[str, str]) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(environ=environ, folder=tmp_path)
    assert next(iter(environ)) in caught.value.where
    assert SECRET not in str(caught.value)


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    settings = load_settings(environ={"HEADWATER_S3_SECRET_ACCESS_KEY": SECRET}, folder=tmp_path)
    assert settings.access.secret_access_key == SECRET
    assert SECRET not in repr(settings) + repr(settings.access)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().broker_port = 1  # type: ignore[misc]


TEXT = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=12)


@given(
    port=st.integers(1, 65000),
    seconds=st.floats(0.001, 1e6),
    project=TEXT,
    folders=st.lists(st.sampled_from(["/a", "/b c", "/d"]), min_size=1, max_size=3),
    kafka=st.dictionaries(st.sampled_from(["bootstrap.servers", "sasl.password", "linger.ms"]), TEXT),
    s3=st.dictionaries(st.sampled_from(["region", "access_key_id", "secret_access_key", "session_token"]), TEXT),
    places=st.tuples(*3 * [st.sampled_from(["", "/a/b c", "s3://bucket", "s3://bucket/a/b"])]),
)
def test_a_child_is_told_exactly_our_settings(
    port: int,
    seconds: float,
    project: str,
    folders: list[str],
    kafka: dict[str, str],
    s3: dict[str, str],
    places: tuple[str, str, str],
) -> None:
    ours = dataclasses.replace(
        load_settings(environ={}, folder=Path("/somewhere")),
        broker_port=port,
        commit_seconds=seconds,
        project=project,
        contracts=tuple(map(Path, folders)),
        kafka=kafka,
        s3=s3,
        tables_at=places[0],
        ledger_at=places[1],
        training_sets_at=places[2],
    )
    assert load_settings(environ=ours.environ(), folder=Path("/another")) == ours


SECRET = "made-up-and-hidden"  # noqa: S105


def test_no_secret_is_in_the_settings_own_text(tmp_path: Path) -> None:
    written(tmp_path, f'redis = "there:6379,password={SECRET}"\nredis_password = "{SECRET}"\nmaster_key = "{SECRET}"\n')
    settings = load_settings(environ={"HEADWATER_KAFKA_SASL_PASSWORD": SECRET, "OPENLINEAGE_API_KEY": SECRET}, folder=tmp_path)
    assert SECRET in settings.redis_password
    assert SECRET not in repr(settings) + str(settings)


@pytest.mark.parametrize("key", ["redis", "redis_password", "master_key", "openlineage_api_key"])
def test_a_secret_of_the_wrong_type_is_refused_without_being_repeated(tmp_path: Path, key: str) -> None:
    written(tmp_path, f"{key} = 271828\n")
    with pytest.raises(SettingsInvalid, match=key) as caught:
        load_settings(environ={}, folder=tmp_path)
    assert "271828" not in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "online"),
    [
        ({}, "sqlite"),
        ({"HEADWATER_KAFKA_BOOTSTRAP_SERVERS": "broker.example:9092"}, "redis"),
        ({"HEADWATER_KAFKA_BOOTSTRAP_SERVERS": "broker.example:9092", "HEADWATER_ONLINE_STORE": "sqlite"}, "sqlite"),
        ({"HEADWATER_ONLINE_STORE": "redis"}, "redis"),
    ],
)
def test_redis_goes_with_a_broker_of_your_own_unless_you_say_otherwise(
    tmp_path: Path, environ: dict[str, str], online: str
) -> None:
    assert load_settings(environ=environ, folder=tmp_path).online == online


def test_how_one_gets_into_redis_is_made_from_the_settings(tmp_path: Path) -> None:
    from infra.wiring import redis_access

    (tmp_path / "conf").mkdir()
    file = written(tmp_path / "conf", 'redis = "a:1,b:2"\nredis_type = "redis_cluster"\nredis_ca = "ca.pem"\n')
    environ = {"HEADWATER_REDIS_USERNAME": "writer", "HEADWATER_REDIS_PASSWORD": SECRET}
    access = redis_access(load_settings(file, environ=environ, folder=tmp_path))
    assert (access.nodes, access.cluster) == ((("a", 1), ("b", 2)), True)
    told = {"username": "writer", "password": SECRET, "ssl": True, "ssl_ca_certs": str(tmp_path / "conf" / "ca.pem")}
    assert dict(access.options) == told
    assert redis_access(load_settings(environ={}, folder=tmp_path)).options == {}
