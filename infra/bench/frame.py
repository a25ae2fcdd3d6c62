"""The frame of every benchmark: two sides measured in turn, and what their ratio came to, with its spread.

A machine that others use is slow for seconds at a time. So the sides take turns (A B A B ...), each pair of neighbours
gives one ratio, and the median of the ratios is the figure; the lowest and the highest stand beside it.
"""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

Side = Callable[[int], Mapping[str, float]]
"""Runs one side of a round, given the round's number, and returns its figures by name."""

LIBRARIES = ("confluent-kafka", "pyarrow", "polars", "deltalake", "orjson", "faust-streaming")


@dataclass(frozen=True)
class Ratio:
    """What one side came to against another, round by round, and what it should come to."""

    sides: str
    """Which figure is divided by which, for a person."""
    values: tuple[float, ...]
    goal: float
    at_most: bool = False
    """Whether the goal is a ceiling. Otherwise it is a floor."""

    @property
    def median(self) -> float:
        """The middle of the rounds."""
        return statistics.median(self.values)

    @property
    def met(self) -> bool:
        """Whether the median reaches the goal."""
        return self.median <= self.goal if self.at_most else self.median >= self.goal

    def as_data(self) -> dict[str, Any]:
        """Return the ratio as `--json` prints it."""
        return {
            "median": _rounded(self.median),
            "low": _rounded(min(self.values)),
            "high": _rounded(max(self.values)),
            "goal": self.goal,
            "met": self.met,
            "goal_is": "at most" if self.at_most else "at least",
            "sides": self.sides,
            "rounds": [_rounded(value) for value in self.values],
        }


@dataclass(frozen=True)
class Report:
    """What one benchmark found. `notes` say what was measured, from where to where, and what falls short."""

    bench: str
    ratios: Mapping[str, Ratio]
    figures: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    machine: Mapping[str, Any] = field(default_factory=dict)
    """As `machine()` tells it when the benchmark is over."""

    @property
    def met(self) -> bool:
        """Whether every goal is met."""
        return all(ratio.met for ratio in self.ratios.values())

    def as_data(self) -> dict[str, Any]:
        """Return the report as `--json` prints it."""
        return {
            "bench": self.bench,
            "ratios": {name: ratio.as_data() for name, ratio in self.ratios.items()},
            "figures": dict(self.figures),
            "notes": list(self.notes),
            "machine": dict(self.machine),
        }

    def as_text(self) -> str:
        """Return the report as a person reads it."""
        lines = [f"bench {self.bench}", ""]
        for name, ratio in self.ratios.items():
            lines += [f"  {name}: {_verdict(ratio)}", f"    {ratio.sides}"]
        lines += ["", *_figure_lines(self.figures), "", *(f"  {note}" for note in self.notes)]
        told = self.machine
        lines.append(f"  on {told['cores']} cores ({told['cpu']}), {told['memory_gib']} GiB, load {told['load']} at the end")
        return "\n".join(lines)


def interleaved(rounds: int, sides: Mapping[str, Side]) -> dict[str, list[dict[str, float]]]:
    """Run the sides in turn, `rounds` times, and return each side's figures, one set a round.

    Every other round goes through the sides backwards, so that none is always the one that runs on a warmed-up broker.
    """
    if rounds < 1:
        raise ValueError(f"rounds is {rounds}, expected at least 1")
    measured: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
    for number in range(rounds):
        order = list(sides) if number % 2 == 0 else list(sides)[::-1]
        for name in order:
            measured[name].append(dict(sides[name](number)))
    return measured


def ratio_of(sides: str, above: Sequence[float], below: Sequence[float], goal: float, *, at_most: bool = False) -> Ratio:
    """Return the ratio, round by round, of two sides that were measured in the same rounds."""
    return Ratio(sides, tuple(a / b for a, b in zip(above, below, strict=True)), goal, at_most)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return median, lowest and highest of a figure."""
    return {"median": _rounded(statistics.median(values)), "low": _rounded(min(values)), "high": _rounded(max(values))}


def percentile(values: Sequence[float], part: float) -> float:
    """Return the smallest value that at least `part` (0 to 1) of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * round(part * 1000) // 1000) - 1)]


def machine() -> dict[str, Any]:
    """Return what the figures depend on: cores and memory that this process may use, the CPU, the versions, the load."""
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "cpu": _cpu(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in LIBRARIES},
        "load": round(os.getloadavg()[0], 1),
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "absent"


def _verdict(ratio: Ratio) -> str:
    data = ratio.as_data()
    spread_text = f"{data['median']:g} (low {data['low']:g}, high {data['high']:g}, {len(ratio.values)} rounds)"
    goal = f"goal {'at most' if ratio.at_most else 'at least'} {ratio.goal:g}"
    return f"{spread_text}, {goal}: {'met' if ratio.met else 'MISSED'}"


def _figure_lines(figures: Mapping[str, Any], indent: str = "  ") -> list[str]:
    lines = []
    for name, value in figures.items():
        if isinstance(value, Mapping) and set(value) == {"median", "low", "high"}:
            lines.append(
                f"{indent}{name}: {_number(value['median'])} (low {_number(value['low'])}, high {_number(value['high'])})"
            )
        elif isinstance(value, Mapping):
            lines += [f"{indent}{name}:", *_figure_lines(value, indent + "  ")]
        else:
            lines.append(f"{indent}{name}: {_number(value)}")
    return lines


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _rounded(value: float) -> float:
    """Return four significant digits, or the whole number where there are more: no run of these knows better."""
    if not value or abs(value) >= 1000:
        return round(value)
    return float(f"{value:.4g}")
