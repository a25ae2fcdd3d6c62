"""What the modes make of broken rules, and of every departure's reason: values left out, rows discarded, records frozen out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import polars as pl

from contracts.checks import Check, compiled
from contracts.contract import Contract
from contracts.modes import DEPARTURES, discardable_fields, mode_at
from contracts.records import Reason
from streams.decode import Reject
from streams.departures import effective


def without_broken(rows: pl.DataFrame, positions: np.ndarray, contract: Contract) -> tuple[pl.DataFrame, list[tuple[int, str]]]:
    """Return the rows with null for each value that breaks a rule and may be left out, and where that was: position, field."""
    found: list[tuple[int, str]] = []
    for name, check in _discarding(contract):
        broken = rows.select(broken=check.broken.fill_null(value=False))["broken"]
        if broken.any():
            found += [(int(at), name) for at in positions[broken.to_numpy()]]
            rows = rows.with_columns(pl.when(~broken).then(pl.col(name)).alias(name))
    return rows, found


def ruled(rejects: Sequence[Reject], contract: Contract) -> list[Reject]:
    """Return rejects with the reason that the mode in force at their field gives them."""
    return [_ruled(reject, contract) if reject.reason in DEPARTURES else reject for reject in rejects]


def _ruled(reject: Reject, contract: Contract) -> Reject:
    mode = mode_at(contract, reject.field.replace("[]", "").split(".") if reject.field else ())
    told = effective(mode, reject.reason, reject.field, reject.rule)
    return replace(reject, reason=told.reason, rule=told.rule)


@cache
def _discarding(contract: Contract) -> tuple[tuple[str, Check], ...]:
    """Return the checks of columns whose broken values are left out, with the column: what breaks within it takes it along.

    A column that must not be null is none of them: leaving its value out would mend nothing.
    """
    kept = discardable_fields(contract)
    columns = ((check.column, check) for check in compiled(contract) if check.column in kept)
    return tuple((name, check) for name, check in columns if check.reason is Reason.RULE_BROKEN or check.field != name)
