"""Training sets larger than memory: built part by part, they are the ones that are built at once."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import NotFound
from features.asof import as_of, newest_known
from features.engines.training_sets import build_training_set, read_training_set
from features.training_parts import Stretches, bucket_count, buckets_of, counted_hours, stretches
from lineage.digest import batches_digest, table_digest
from tests.features.made import at


@pytest.mark.parametrize("rows_max", [1, 3, 7])
@pytest.mark.parametrize("bounds", [{}, {"since": at(300), "until": at(900)}, {"known_at": datetime(2099, 1, 1, tzinfo=UTC)}])
def test_part_by_part_it_is_the_same_set(built, rows_max, bounds):
    place, plan = built
    whole = build_training_set(place, plan, "flight_delay", **bounds)
    _, rows = read_training_set(place.training_sets, whole.id)
    manifest = whole.manifest
    parts = rebuilt(place, plan, rows_max, **bounds)
    assert parts.manifest == manifest
    assert read_training_set(place.training_sets, parts.id)[1].equals(rows)
    assert not list((place.feature_store / "training-parts").glob("*"))


def rebuilt(place, plan, rows_max, **bounds):
    """Build the set part by part, in a place of its own, where it does not stand yet."""
    from dataclasses import replace

    apart = replace(place, training_sets=f"{place.training_sets}-apart-{rows_max}-{len(bounds)}-{'known_at' in bounds}")
    made = build_training_set(apart, plan, "flight_delay", rows_max=rows_max, **bounds)
    assert not made.existed
    found = read_training_set(apart.training_sets, made.id)[1]
    assert found.height == made.manifest["rows"]
    assert found.equals(read_training_set(place.training_sets, made.id)[1])
    return made


def test_without_a_row_it_says_so(built):
    place, plan = built
    with pytest.raises(NotFound, match="has no row"):
        build_training_set(place, plan, "flight_delay", since=at(10**7), rows_max=1)


EVENTS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 600), st.integers(0, 50)), max_size=30)


@given(
    events=EVENTS,
    asked=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 700)), min_size=1, max_size=30),
    ttl=st.integers(0, 200),
)
def test_the_newest_row_of_each_key_stands_for_all_before(events, asked, ttl):
    """A join over two stretches of time, the first one's log reduced, is the join over all of it."""
    log = pl.DataFrame(
        {
            "k": [k for k, _, _ in events],
            "v": list(range(len(events))),
            "event_timestamp": [at(minute) for _, minute, _ in events],
            "created_timestamp": [at(1_000 + known + n / 1_000) for n, (_, _, known) in enumerate(events)],
        },
        schema={
            "k": pl.Int64,
            "v": pl.Int64,
            "event_timestamp": pl.Datetime("us", "UTC"),
            "created_timestamp": pl.Datetime("us", "UTC"),
        },
    )
    rows = pl.DataFrame({"k": [k for k, _ in asked], "at": [at(minute) for _, minute in asked]}).cast(
        {"at": pl.Datetime("us", "UTC")}
    )
    how = {"at": "at", "keys": ["k"], "features": ["v"], "ttl_seconds": ttl * 60, "matched": "stamp"}
    middle = at(300)
    early, late = (log.filter(pl.col("event_timestamp") < middle), log.filter(pl.col("event_timestamp") >= middle))
    reduced = pl.concat([newest_known(early, ["k"]), late])
    first = as_of(rows.filter(pl.col("at") < middle), early, **how)
    second = as_of(rows.filter(pl.col("at") >= middle), reduced, **how)
    whole = as_of(rows, log, **how)
    assert pl.concat([first, second]).sort(pl.all()).equals(whole.sort(pl.all()))


@given(counts=st.dictionaries(st.integers(-500, 500), st.integers(1, 40), min_size=1, max_size=40), most=st.integers(1, 100))
def test_stretches_are_small_and_every_hour_is_in_one(counts, most):
    cut = stretches(Counter(counts), most)
    held = Counter[int]()
    for hour, count in counts.items():
        held[int(np.searchsorted(cut.ends, hour, side="right"))] += count
    assert set(held) == set(range(len(cut)))
    for place, rows in held.items():
        hours = [hour for hour in counts if np.searchsorted(cut.ends, hour, side="right") == place]
        assert rows <= most or len(hours) == 1


def test_times_fall_into_the_stretch_of_their_hour():
    first = datetime(1969, 12, 31, 23, 30, tzinfo=UTC)
    times = pl.Series([first, first + timedelta(minutes=30), first + timedelta(hours=5)], dtype=pl.Datetime("us", "UTC"))
    assert counted_hours(times) == Counter({-1: 1, 0: 1, 4: 1})
    assert Stretches((0, 4)).of(times).tolist() == [0, 1, 2]


def test_equal_keys_share_a_bucket_in_both_tables():
    keys = pl.DataFrame({"a": ["x", "y", None, "x"], "b": [1, 2, 3, 1]})
    found = buckets_of(keys, ["a", "b"], 5)
    assert found[0] == found[3]
    assert buckets_of(keys.reverse(), ["a", "b"], 5).tolist() == found[::-1].tolist()
    assert (bucket_count(0, 10), bucket_count(10, 10), bucket_count(25, 10)) == (1, 2, 5)


@given(st.lists(st.tuples(st.integers(0, 9), st.text(max_size=3)), max_size=20), st.integers(1, 7))
def test_a_digest_of_batches_is_the_digest_of_the_table(rows, size):
    table = pa.table({"n": pa.array([n for n, _ in rows], pa.int64()), "s": pa.array([s for _, s in rows], pa.string())})
    assert batches_digest(table.schema, table.to_batches(max_chunksize=size)) == table_digest(table)
