"""Where Redis is: parsed as Feast parses it, told to Feast so that it gets the same, and never printed whole."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import SettingsInvalid
from features.redis_access import redis_access

SECRET = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@settings(deadline=None)
@given(SECRET, SECRET, st.booleans())
def test_feasts_client_is_given_exactly_our_parameters(username: str, password: str, tls: bool) -> None:
    from feast.infra.online_stores.redis import RedisOnlineStore

    ours = redis_access("there:6379,db=2,ssl_check_hostname=false", username=username, password=password, ca="/a, b" * tls)
    nodes, options = RedisOnlineStore._parse_connection_string(ours.feast()["connection_string"])
    assert nodes == [{"host": "there", "port": "6379"}]
    timeouts = {"socket_timeout": 5.0, "socket_connect_timeout": 5.0}
    assert options == {**timeouts, **ours.options}
    assert options["password"] == password
    assert options.get("ssl_ca_certs") == ("/a, b" if tls else None)


def test_a_connection_string_of_feasts_is_read_as_feast_reads_it() -> None:
    from feast.infra.online_stores.redis import RedisOnlineStore

    text = "a:1,b:2,ssl=true,skip_full_coverage_check=true,health_check_interval=3,client_name=me"
    nodes, options = RedisOnlineStore._parse_connection_string(text)
    ours = redis_access(text, kind="redis_cluster")
    assert [(node["host"], int(node["port"])) for node in nodes] == list(ours.nodes)
    assert dict(ours.options) == options
    assert ours.feast()["redis_type"] == "redis_cluster"


def test_a_password_of_digits_stays_text() -> None:
    for digits in ("0123", "123"):
        assert redis_access(f"a:1,password={digits}").options["password"] == digits


def test_neither_its_text_nor_its_place_tells_a_secret() -> None:
    ours = redis_access("a:1,password=hidden,ssl_keyfile=hidden", username="hidden")
    assert "hidden" not in repr(ours) + str(ours) + ours.where


@pytest.mark.parametrize(
    ("text", "kind", "told"),
    [
        ("nowhere", "redis", "host:port"),
        ("a:b", "redis", "host:port"),
        ("a:70000", "redis", "host:port"),
        ("password=x", "redis", "0 nodes"),
        ("a:1,b:2", "redis", "redis_cluster"),
        ("a:1,db=3", "redis_cluster", "only one"),
        ("a:1", "redis_sentinel", "Sentinel"),
    ],
)
def test_what_cannot_be_is_refused(text: str, kind: str, told: str) -> None:
    with pytest.raises(SettingsInvalid, match=told):
        redis_access(text, kind=kind)


def test_no_time_at_all_is_no_patience() -> None:
    with pytest.raises(SettingsInvalid, match="redis_wait_seconds"):
        redis_access(wait_seconds=0)
