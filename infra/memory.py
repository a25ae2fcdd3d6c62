"""Keep a long-running job's memory flat: what is freed goes back to the system, and does not stay as holes in a heap.

A job frees a batch's worth of memory many times a second, in pieces of all sizes. By default glibc keeps what it once had
against the next request, and Arrow's own allocator does too: resident memory then creeps up for as long as the job runs.
"""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
TRIM_BYTES = 1024 * 1024
MMAP_BYTES = 256 * 1024
"""A larger piece is a mapping of its own, and gone when freed. Setting it also stops glibc from raising it by itself."""


def return_freed_memory() -> None:
    """Tell glibc and Arrow to give back what is freed. Called once by a job's process, before its first batch."""
    import pyarrow as pa  # noqa: PLC0415  it takes a moment, and only jobs call this

    pa.set_memory_pool(pa.system_memory_pool())
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none, and does not hold on to memory
    if mallopt is not None:
        mallopt(M_TRIM_THRESHOLD, TRIM_BYTES)
        mallopt(M_MMAP_THRESHOLD, MMAP_BYTES)
