"""Kafka's Java clients told what librdkafka was told: Flink's connector uses those."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contracts.errors import SettingsInvalid

RECORD_BYTES_MAX = 16 * 1024 * 1024
HEADROOM_BYTES = 1024 * 1024
"""What a record of the longest value needs beside it in a request."""

SOURCE = {"max.partition.fetch.bytes": str(2 * 1024 * 1024), "fetch.max.bytes": str(RECORD_BYTES_MAX)}
SINK = {
    "transaction.timeout.ms": "900000",
    "max.request.size": str(RECORD_BYTES_MAX + HEADROOM_BYTES),
    "buffer.memory": str(64 * 1024 * 1024),
    "batch.size": str(256 * 1024),
    "linger.ms": "20",
    "compression.type": "lz4",
}
"""`transaction.timeout.ms` is the most that a broker allows by default: a job must be back within it, or what it had prepared is
lost to the clean topic, and named by the audit."""

SAME = ("bootstrap.servers", "security.protocol")
SASL_MODULES = {
    "PLAIN": "org.apache.flink.kafka.shaded.org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.flink.kafka.shaded.org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.flink.kafka.shaded.org.apache.kafka.common.security.scram.ScramLoginModule",
}
SECURITY = ("security.", "sasl.", "ssl.")


def java_properties(client: Mapping[str, Any]) -> dict[str, str]:
    """Return the Java clients' properties for librdkafka's, as far as they say where the broker is and who we are.

    Raises SettingsInvalid for a way to authenticate that has no word for it there: nothing is left out in silence.
    """
    told = {name: str(client[name]) for name in SAME if name in client}
    told |= _sasl(client) | _ssl(client)
    understood = {*SAME, *_SASL_KEYS, *_SSL_KEYS}
    strange = sorted(name for name in client if name.startswith(SECURITY) and name not in understood)
    if strange:
        raise SettingsInvalid(
            f"{', '.join(strange)} cannot be told to Flink's Kafka connector",
            expected=f"among security settings only {', '.join(sorted(understood))}",
            where="[kafka] in the settings",
            remedy="use --engine direct, or set it in Flink's own configuration",
        )
    return told


_SASL_KEYS = ("sasl.mechanism", "sasl.mechanisms", "sasl.username", "sasl.password")
_SSL_KEYS = ("ssl.ca.location", "ssl.certificate.location", "ssl.key.location", "ssl.key.password")


def _sasl(client: Mapping[str, Any]) -> dict[str, str]:
    if not str(client.get("security.protocol", "")).lower().startswith("sasl"):
        return {}
    mechanism = str(client.get("sasl.mechanism", client.get("sasl.mechanisms", "PLAIN")))
    if mechanism not in SASL_MODULES:
        raise SettingsInvalid(
            f"sasl.mechanism is {mechanism}", expected="PLAIN or SCRAM with Flink", remedy="use --engine direct"
        )
    user, password = (_quoted(str(client.get(f"sasl.{part}", ""))) for part in ("username", "password"))
    config = f"{SASL_MODULES[mechanism]} required username={user} password={password};"
    return {"sasl.mechanism": mechanism, "sasl.jaas.config": config}


def _ssl(client: Mapping[str, Any]) -> dict[str, str]:
    """Return PEM files as the Java clients take them: a trust store, and a key store that is certificate and key in one file."""
    told: dict[str, str] = {}
    if "ssl.ca.location" in client:
        told |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": str(client["ssl.ca.location"])}
    if "ssl.key.location" in client:
        if client.get("ssl.certificate.location") != client["ssl.key.location"]:
            raise SettingsInvalid(
                "certificate and key are two files",
                expected="one PEM file with both, named by ssl.certificate.location and ssl.key.location",
                where="[kafka] in the settings",
            )
        told |= {"ssl.keystore.type": "PEM", "ssl.keystore.location": str(client["ssl.key.location"])}
        if "ssl.key.password" in client:
            told["ssl.key.password"] = str(client["ssl.key.password"])
    return told


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
