"""How the properties of the streams room are tried: few examples in the inner loop, and none is failed for a busy machine.

`pytest --hypothesis-profile=thorough` tries many more. A failing case is printed so that it can be typed in again.
"""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("quick", max_examples=35, deadline=None, print_blob=True)
settings.register_profile("thorough", max_examples=1_500, deadline=None, print_blob=True)
if settings.get_current_profile_name() == "default":
    settings.load_profile("quick")

pytest.register_assert_rewrite("tests.streams.undisturbed")
