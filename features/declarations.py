"""What a definition file says besides Feast's own words: which rows a model learns from, and what it should have said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Label:
    """The answer that became known later: `column` of `dataset`, matched by `on`, compared with `threshold`.

    A row of the spine without a match has no answer, and is left out and counted.
    """

    name: str
    dataset: str
    on: tuple[str, ...]
    column: str
    comparison: Literal[">", ">=", "<", "<=", "=="]
    threshold: float


@dataclass(frozen=True)
class TrainingSet:
    """One row for each row of the `spine` dataset: the service's features as they were at `timestamp`, and the label.

    The spine holds the service's entity columns under their own names; `keep` names further columns to carry along.
    """

    name: str
    service: str
    spine: str
    timestamp: str
    label: Label
    keep: tuple[str, ...] = ()
    description: str = ""
