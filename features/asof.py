"""The point-in-time join: for each row, the latest feature values at or before its time, within the time to live.

With a knowledge time, only feature rows that were known by then take part. That is off by default: when a year of events is
replayed in a minute, everything becomes known today, and the second clock would rightly empty every row of the past.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from features.aggregates import EVENT_TIMESTAMP
from features.gold import CREATED_TIMESTAMP


def newest_known(log: pl.DataFrame, keys: Sequence[str], known_at: datetime | None = None) -> pl.DataFrame:
    """Return, of each key, the feature row that a time after all of them would find.

    So a log may be read in stretches of event time: what came before a stretch is this, and not more.
    """
    used = log if known_at is None else log.filter(pl.col(CREATED_TIMESTAMP) <= known_at)
    used = used.drop_nulls(list(keys)).sort(EVENT_TIMESTAMP, CREATED_TIMESTAMP)
    return used.unique(list(keys), keep="last", maintain_order=True)


_ROW = "_asof_row"
_AT = "_asof_at"


def as_of(
    rows: pl.DataFrame,
    log: pl.DataFrame,
    *,
    at: str,
    keys: Sequence[str],
    features: Sequence[str],
    ttl_seconds: int = 0,
    known_at: datetime | None = None,
    matched: str = "",
) -> pl.DataFrame:
    """Return the rows, in their order, with the features as they were at each row's time; null where there were none.

    A feature row matches at `event_timestamp` <= time, and, with a time to live, no longer ago than that. Of several feature
    rows at one event time the one known last counts. `matched` names a column to receive the matched event time.
    """
    used = log if known_at is None else log.filter(pl.col(CREATED_TIMESTAMP) <= known_at)
    used = used.drop_nulls(list(keys)).sort(EVENT_TIMESTAMP, CREATED_TIMESTAMP)
    used = used.unique([*keys, EVENT_TIMESTAMP], keep="last", maintain_order=True).select(*keys, EVENT_TIMESTAMP, *features)
    asked = rows.select(*keys, pl.col(at).cast(pl.Datetime("us", "UTC")).alias(_AT)).with_row_index(_ROW)
    found = (
        asked.sort(_AT)
        .join_asof(used, left_on=_AT, right_on=EVENT_TIMESTAMP, by=list(keys), strategy="backward", check_sortedness=False)
        .sort(_ROW)
    )
    fresh = pl.lit(value=True)
    if ttl_seconds:
        fresh = pl.col(_AT) - pl.col(EVENT_TIMESTAMP) <= pl.duration(seconds=ttl_seconds)
    wanted = [pl.when(fresh).then(pl.col(name)).alias(name) for name in features]
    stamp = [pl.when(fresh).then(pl.col(EVENT_TIMESTAMP)).alias(matched)] if matched else []
    return rows.with_columns(found.select(*wanted, *stamp))
