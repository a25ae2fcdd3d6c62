"""Wait for a condition, and fail when it does not come."""

from __future__ import annotations

import time
from collections.abc import Callable

LOOK_AGAIN_SECONDS = 0.01


def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Return as soon as the condition holds. Raises AssertionError after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        time.sleep(LOOK_AGAIN_SECONDS)
