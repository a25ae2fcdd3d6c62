"""Read the manifest that `apply` left beside the registry: what is defined, without loading Feast."""

from __future__ import annotations

from features.manifest import Manifest, missing_manifest, parse_manifest
from features.workspace import Workspace


def applied_manifest(workspace: Workspace) -> Manifest:
    """Return what was applied last. Raises NotFound where nothing was."""
    if not workspace.manifest_file.is_file():
        raise missing_manifest(workspace.manifest_file)
    return parse_manifest(workspace.manifest_file.read_bytes())


def registry_changed(workspace: Workspace, manifest: Manifest) -> bool:
    """Say whether another Feast client has changed the registry since the manifest was written."""
    return workspace.registry_file.is_file() and manifest.stale(workspace.registry_file.read_bytes())
