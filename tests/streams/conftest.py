"""How the properties of the streams room are tried: no deadline on a busy machine, and a failing case can be typed in again."""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("streams", deadline=None, print_blob=True)
settings.load_profile("streams")
pytest.register_assert_rewrite("tests.streams.undisturbed")
