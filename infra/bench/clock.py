"""The clock of one side of a benchmark: from the first record consumed to the last one done, with CPU time and memory."""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STATUS = Path("/proc/self/status")


def peak_bytes() -> int:
    """Return the most memory that this process ever had.

    From /proc where there is one: `getrusage` also counts what the parent had when it started us.
    """
    if STATUS.exists():
        for line in STATUS.read_text("ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


@dataclass
class Clock:
    """When the first record came and when the last was done, and what CPU that took, all threads together."""

    first: float = 0.0
    last: float = 0.0
    cpu_first: float = 0.0
    cpu_last: float = 0.0

    def come(self) -> None:
        """Note that records came; the first time counts."""
        if not self.first:
            self.first, self.cpu_first = time.perf_counter(), time.process_time()

    def done(self) -> None:
        """Note that all so far is done; the last time counts."""
        self.last, self.cpu_last = time.perf_counter(), time.process_time()

    def figures(self, records: int) -> dict[str, Any]:
        """Return what was measured."""
        seconds = self.last - self.first
        return {
            "records": records,
            "seconds": seconds,
            "records_per_second": records / seconds,
            "cpu_us_per_record": (self.cpu_last - self.cpu_first) / records * 1e6,
            "peak_bytes": peak_bytes(),
        }
