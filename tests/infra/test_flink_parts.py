"""What stands around a Flink job and needs no cluster: where it goes on, what Java clients are told, what is missing."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.errors import SettingsInvalid, StackBroken
from infra.flink import cluster, follow, restore
from infra.flink.kafka_clients import java_properties
from infra.flink.rest import RAISED, Cluster, FlinkAway
from infra.flink.submit import state_uri
from infra.settings import Settings

DOMAIN = "shop"


def _made(settings: Settings, name: str, at: int, *, whole: bool = True) -> Path:
    folder = restore.local_state(settings, DOMAIN)
    assert folder is not None
    made = folder / name
    made.mkdir(parents=True)
    if whole:
        (made / "_metadata").write_bytes(b"")
        os.utime(made / "_metadata", (at, at))
    return made


def test_a_job_that_never_was_has_nothing_to_go_on_from(tmp_settings: Settings):
    assert restore.restore_point(tmp_settings, DOMAIN) is None


def test_the_newest_whole_savepoint_or_checkpoint_is_gone_on_from(tmp_settings: Settings):
    _made(tmp_settings, "savepoints/savepoint-a", 100)
    newest = _made(tmp_settings, "checkpoints/job/chk-7", 300)
    _made(tmp_settings, "checkpoints/job/chk-6", 200)
    _made(tmp_settings, "checkpoints/job/chk-8", 400, whole=False)
    assert restore.restore_point(tmp_settings, DOMAIN) == newest.as_uri()


def test_elsewhere_what_was_noted_last_is_gone_on_from(tmp_settings: Settings):
    settings = replace(tmp_settings, flink_state="s3://bucket/flink")
    assert state_uri(settings, DOMAIN) == "s3://bucket/flink/shop"
    assert restore.restore_point(settings, DOMAIN) is None
    restore.note(settings, DOMAIN, restore="s3://bucket/flink/shop/savepoints/savepoint-1", made_of={"code": "1"})
    restore.note(settings, DOMAIN, restore="s3://bucket/flink/shop/savepoints/savepoint-2")
    assert restore.restore_point(settings, DOMAIN) == "s3://bucket/flink/shop/savepoints/savepoint-2"
    assert restore.noted(settings, DOMAIN)["made_of"] == {"code": "1"}


def test_a_note_that_is_not_whole_is_no_note(tmp_settings: Settings):
    restore.note(tmp_settings, DOMAIN, restore="x")
    (file,) = (cluster.home_of(tmp_settings) / "jobs").glob("*.json")
    file.write_text("{", "utf-8")
    assert restore.noted(tmp_settings, DOMAIN) == {}


def test_the_last_three_savepoints_are_kept_and_no_checkpoint(tmp_settings: Settings):
    made = [_made(tmp_settings, f"savepoints/savepoint-{at}", at) for at in range(5)]
    checkpoint = _made(tmp_settings, "checkpoints/job/chk-1", 2)
    restore.prune(tmp_settings, DOMAIN)
    assert [folder.exists() for folder in made] == [False, False, True, True, True]
    assert not checkpoint.exists()


def test_the_folder_of_checkpoints_is_for_its_owner_alone(tmp_settings: Settings):
    restore.made_private(tmp_settings, DOMAIN)
    folder = restore.local_state(tmp_settings, DOMAIN)
    assert folder is not None
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_java_clients_are_told_how_to_sign_in():
    client = {
        "bootstrap.servers": "kafka.example.org:9093",
        "security.protocol": "SASL_SSL",
        "sasl.mechanisms": "SCRAM-SHA-512",
        "sasl.username": "job",
        "sasl.password": 'with "quotes"',
        "ssl.ca.location": "/etc/ca.pem",
    }
    told = java_properties(client)
    assert told["sasl.jaas.config"].endswith('ScramLoginModule required username="job" password="with \\"quotes\\"";')
    assert {told[name] for name in ("security.protocol", "sasl.mechanism")} == {"SASL_SSL", "SCRAM-SHA-512"}
    assert (told["ssl.truststore.type"], told["ssl.truststore.location"]) == ("PEM", "/etc/ca.pem")


@pytest.mark.parametrize(
    "more",
    [
        {"security.protocol": "SASL_SSL", "sasl.mechanism": "OAUTHBEARER"},
        {"sasl.kerberos.keytab": "/k"},
        {"ssl.key.location": "/key.pem", "ssl.certificate.location": "/cert.pem"},
        {"enable.ssl.certificate.verification": "false", "ssl.endpoint.identification.algorithm": "none"},
    ],
)
def test_a_way_to_sign_in_that_java_clients_cannot_be_told_is_refused(more: Mapping[str, str]):
    with pytest.raises(SettingsInvalid):
        java_properties({"bootstrap.servers": "b:9092", **more})


def test_tuning_of_librdkafka_is_not_told_to_java_clients():
    assert java_properties({"bootstrap.servers": "b:9092", "queued.max.messages.kbytes": 1}) == {"bootstrap.servers": "b:9092"}


def test_an_absent_environment_is_told_with_how_to_make_it(tmp_settings: Settings, tmp_path: Path):
    with pytest.raises(StackBroken, match="make engines"):
        cluster.ensure(replace(tmp_settings, flink_environment=tmp_path))


def test_a_cluster_that_is_not_there_does_not_answer(tmp_settings: Settings):
    there = Cluster(f"http://127.0.0.1:{tmp_settings.broker_port}")
    assert not there.answers()
    with pytest.raises(FlinkAway):
        there.jobs("x")


def test_only_the_class_of_an_error_is_told_of_a_failed_job():
    trace = (
        "java.lang.RuntimeException: Error received: Traceback (most recent call last):\n"
        '  File "x.py", line 3, in f\n'
        "contracts.errors.KeysBroken: made-up secret\n\tat org.apache.flink.Task.run(Task.java:1)\n"
    )
    assert RAISED.findall(trace)[-1] == "contracts.errors.KeysBroken"


def test_one_process_at_a_time_follows_a_domain(tmp_settings: Settings):
    with follow.followed_alone(tmp_settings, DOMAIN):
        with pytest.raises(StackBroken, match="another process"), follow.followed_alone(tmp_settings, DOMAIN):
            raise AssertionError
        with follow.followed_alone(tmp_settings, "other"):
            pass
    with follow.followed_alone(tmp_settings, DOMAIN):
        pass


def test_a_cluster_that_was_never_started_is_stopped_as_well(tmp_settings: Settings):
    assert cluster.stop(tmp_settings) == []
    assert not cluster.home_of(tmp_settings).exists()
