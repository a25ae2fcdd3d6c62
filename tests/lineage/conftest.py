"""How this room's tests run: no deadline for a property on a busy machine, and its seed printed when it fails."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("lineage", deadline=None, print_blob=True)
settings.load_profile("lineage")
