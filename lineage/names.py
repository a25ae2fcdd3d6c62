"""Names of datasets, jobs, runs and commits, the same wherever they are derived.

Datasets follow the OpenLineage naming spec (https://openlineage.io/docs/spec/naming): Kafka is
`kafka://{bootstrap host}:{port}` + topic; a local file or table is `file` + absolute path; S3 is `s3://{bucket}` +
key. Feast has no entry there; its objects are `feast://{project}` + `feature_view/...`, `feature_service/...`.
"""

from __future__ import annotations

import uuid
from urllib.parse import urlparse

NAMESPACE_UUID = uuid.UUID("5f0f1dd2-6a0b-5d0a-9e53-6c1d5d3e8a77")
JOB_NAMESPACE = "headwater"


def topic_name(bootstrap_servers: str, topic: str) -> tuple[str, str]:
    """Return (namespace, name) of a Kafka topic; of several bootstrap servers the first in the alphabet names it."""
    first = min(server.strip() for server in bootstrap_servers.split(","))
    return f"kafka://{first}", topic


def table_name(uri: str) -> tuple[str, str]:
    """Return (namespace, name) of a table or folder by its URI or absolute path."""
    parsed = urlparse(uri)
    if parsed.scheme in ("", "file"):
        return "file", parsed.path if parsed.scheme else uri
    return f"{parsed.scheme}://{parsed.netloc}", parsed.path.lstrip("/")


def feast_name(project: str, kind: str, name: str) -> tuple[str, str]:
    """Return (namespace, name) of a Feast object; `kind` is feature_view, feature_service or online_store."""
    return f"feast://{project}", f"{kind}/{name}"


def derived_id(*parts: str | int) -> str:
    """Return a version 5 UUID of the parts: equal parts, equal id."""
    return str(uuid.uuid5(NAMESPACE_UUID, "\x1f".join(str(part) for part in parts)))


def run_id(job: str, started_at_us: int, instance: str) -> str:
    """Return the id of one execution: `instance` is what tells two processes of one job apart."""
    return derived_id("run", job, started_at_us, instance)


def commit_id(job: str, output: str, position: str | int) -> str:
    """Return the id of a commit: `position` is the table version, or the input ranges of a commit to a topic."""
    return derived_id("commit", job, output, position)
