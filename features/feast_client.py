"""The `feature_store.yaml` of a Feast client that reads what we write: for a service that holds Feast and nothing of ours.

Feast fills in `${...}` from the client's environment, so the file names where the password is and does not hold it. It comes in
as it is: a password with quotes, commas or backslashes cannot come in that way, and wants a client configured in code.
"""

from __future__ import annotations

import json

from features.workspace import Workspace

PASSWORD_VARIABLE = "HEADWATER_REDIS_PASSWORD"  # noqa: S105  a name, not a secret


def client_yaml(workspace: Workspace) -> str:
    """Return the file's text. Values are written as JSON, which YAML reads as the same."""
    parts = {
        "project": workspace.project,
        "provider": "local",
        "registry": str(workspace.registry_file),
        "online_store": _online(workspace),
        "offline_store": {"type": "dask"},
        "entity_key_serialization_version": 3,
    }
    return "".join(f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in parts.items())


def _online(workspace: Workspace) -> dict[str, object]:
    if workspace.online_store != "redis":
        return {"type": workspace.online_store, "path": str(workspace.online_file)}
    # In quotes, so that Feast takes digits for text too.
    return workspace.redis.feast(password=f'"${{{PASSWORD_VARIABLE}}}"')
