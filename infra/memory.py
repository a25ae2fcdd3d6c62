"""Keep a long-running job's memory flat, and let a batch have what the one before it had.

A job frees a batch's worth of memory many times a second, in pieces of all sizes. By default glibc raises by itself the size
from which a piece is a mapping of its own, and Arrow has an allocator beside it: resident memory then creeps up for as long as
the job runs. But what goes back to the system after each batch is cleared by it, page by page, for the next one: with
thresholds of 1 MiB and 256 KiB that was 1.5 page faults and 3 us of system time for each record of 1 KB. So there is one
allocator, and it keeps about two batches' worth.
"""

from __future__ import annotations

import ctypes
import gc
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
TRIM_BYTES = 64 * 1024 * 1024
"""So much may be free at the end of the heap before it is given back."""
MMAP_BYTES = 32 * 1024 * 1024
"""A larger piece is a mapping of its own, and gone when freed: the most that glibc takes. Setting it stops it from moving."""


def return_freed_memory() -> None:
    """Tell glibc and Arrow what to keep of what is freed. Called once by a job's process, before its first batch."""
    import pyarrow as pa  # noqa: PLC0415  it takes a moment, and only jobs call this

    pa.set_memory_pool(pa.system_memory_pool())
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none, and does not hold on to memory
    if mallopt is not None:
        mallopt(M_TRIM_THRESHOLD, TRIM_BYTES)
        mallopt(M_MMAP_THRESHOLD, MMAP_BYTES)


def leave_loaded_alone() -> None:
    """Tell Python's garbage collector not to look again at what is there. Called once a job is set up, before its first batch.

    A batch makes tens of thousands of small objects, and its collector then walks all there are, code and contracts
    included, several times a batch: reading a batch's headers cost two to three times as much.
    """
    gc.collect()
    gc.freeze()
