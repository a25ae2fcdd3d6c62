"""The manifest: the applied plan as JSON, beside Feast's registry.

The registry is protobuf that only Feast's own classes read, and importing Feast takes six seconds. `apply` derives the
manifest from what it hands the registry and writes the registry's digest into it, so that a reader notices when another
Feast client has changed the registry since.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import NotFound
from features.plan import Plan, from_json, to_json


@dataclass(frozen=True)
class Manifest:
    """An applied plan, and the digest of the registry that it was applied to."""

    plan: Plan
    registry_digest: str

    def stale(self, registry: bytes) -> bool:
        """Say whether the registry has changed since the manifest was written."""
        return hashlib.sha256(registry).hexdigest() != self.registry_digest


def manifest_bytes(manifest: Manifest) -> bytes:
    """Return the manifest's file content."""
    values = {"registry_digest": manifest.registry_digest, **to_json(manifest.plan)}
    return json.dumps(values, indent=1, sort_keys=True).encode() + b"\n"


def parse_manifest(content: bytes) -> Manifest:
    """Return the manifest that `manifest_bytes` wrote."""
    values = json.loads(content)
    return Manifest(from_json(values), values["registry_digest"])


def missing_manifest(file: Path) -> NotFound:
    """Return the error for a feature store that nothing was applied to."""
    return NotFound(f"no manifest at {file}", expected="applied definitions", remedy="headwater features apply")
