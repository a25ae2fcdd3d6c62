"""Choose the online store that the workspace names, loading only that one's library."""

from __future__ import annotations

from contracts.errors import SettingsInvalid
from features.online import OnlineStore
from features.workspace import Workspace


def online_store(workspace: Workspace) -> OnlineStore:
    """Return the store of online values. Raises SettingsInvalid for a kind that is not known."""
    if workspace.online_store == "sqlite":
        from features.connectors.online_sqlite import SqliteStore  # noqa: PLC0415

        return SqliteStore(workspace.online_file, workspace.project)
    if workspace.online_store == "redis":
        from features.connectors.online_redis import RedisStore  # noqa: PLC0415

        return RedisStore(workspace.redis, workspace.project)
    raise SettingsInvalid(f"online_store is {workspace.online_store!r}", expected="sqlite or redis")
