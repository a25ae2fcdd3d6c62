"""Tables that Spark writes and keeps, and delta-rs: each reads what the other wrote, to the value."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from contracts.errors import TerminalError
from contracts.records import OFFSET
from lineage.digest import table_digest
from streams.connectors import delta, maintenance, spark_tables
from streams.connectors.kafka import Slot
from streams.engines.writer import landed_offset
from tests.streams.archived import Archived
from tests.streams.made import PLAIN, WIDE, value
from tests.streams.test_backfill import log_of, undisturbed

pytestmark = pytest.mark.servers

EVERY = pa.schema(
    [
        ("n", pa.int64()),
        ("small", pa.int32()),
        ("x", pa.float64()),
        ("flag", pa.bool_()),
        ("text", pa.string()),
        ("raw", pa.binary()),
        ("day", pa.date32()),
        ("at", pa.timestamp("us", "UTC")),
        ("price", pa.decimal128(38, 9)),
        ("tags", pa.list_(pa.string())),
        ("place", pa.struct([("city", pa.string()), ("inner", pa.struct([("rates", pa.list_(pa.float64()))]))])),
        ("lines", pa.list_(pa.struct([("sku", pa.string()), ("many", pa.int64())]))),
    ]
)


def nullable(strategy: st.SearchStrategy) -> st.SearchStrategy:  # type: ignore[type-arg]
    return st.none() | strategy


_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
_FLOAT = st.floats(allow_nan=False) | st.sampled_from([-0.0, 5e-324, 1.7976931348623157e308, float("inf")])
_FIRST = datetime(1, 1, 2, tzinfo=UTC)
_MOMENT = st.integers(0, 315_537_000_000_000_000).map(lambda us: _FIRST + timedelta(microseconds=us))
ROW = st.fixed_dictionaries(
    {
        "n": nullable(st.integers(-(2**63), 2**63 - 1)),
        "small": nullable(st.integers(-(2**31), 2**31 - 1)),
        "x": nullable(_FLOAT),
        "flag": nullable(st.booleans()),
        "text": nullable(_TEXT),
        "raw": nullable(st.binary(max_size=8)),
        "day": nullable(st.dates(date(1, 1, 1), date(9999, 12, 31))),
        "at": nullable(_MOMENT),
        "price": nullable(st.decimals(-(10**20), 10**20, places=9, allow_nan=False)),
        "tags": nullable(st.lists(nullable(_TEXT), max_size=3)),
        "place": nullable(
            st.fixed_dictionaries(
                {"city": nullable(_TEXT), "inner": nullable(st.fixed_dictionaries({"rates": st.lists(_FLOAT, max_size=2)}))}
            )
        ),
        "lines": nullable(st.lists(st.fixed_dictionaries({"sku": _TEXT, "many": nullable(st.integers(0, 9))}), max_size=2)),
    }
)


ENDS = dict.fromkeys(EVERY.names) | {"at": _FIRST, "day": date(9999, 12, 31), "price": Decimal("-0.000000001"), "x": -0.0}
"""What nanoseconds cannot hold, and other ends."""


def of_spark(spark, uri: str) -> pa.Table:
    """Return a table as Spark reads it."""
    return spark.read.format("delta").load(uri).toArrow()


@settings(max_examples=3, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@example(rows=[ENDS])
@given(rows=st.lists(ROW, min_size=1, max_size=25))
def test_what_either_writes_both_read_the_same(spark, tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("both")
    made = pa.Table.from_pylist(rows, EVERY)
    ours, theirs = f"{folder}/ours", f"{folder}/theirs"
    delta.create_if_absent(ours, EVERY)
    delta.append(ours, made, metadata={})
    seen = of_spark(spark, ours)
    assert table_digest(seen.cast(EVERY)) == table_digest(made)
    spark.createDataFrame(seen).write.format("delta").save(theirs)
    assert table_digest(delta.read(theirs).cast(EVERY)) == table_digest(made)


def test_silver_of_every_type_reads_the_same_in_spark(spark, tmp_settings):
    place = Archived.at(tmp_settings, WIDE)
    whole = {"seen_at": "2013-03-01T10:00:00.123456Z", "day": "2013-03-01", "ratio": 0.1, "rates": [0.1, -0.0], "flag": True}
    deep = {"place": {"city": "Oslo", "inner": {"open": None, "rate": 2.5}}, "lines": [{"sku": "a", "many": [True, None]}]}
    place.land({0: [value("a", **whole, **deep, tags=["x", None], sizes=[]), value("b")], 1: [value("c", count=2**53, text="ö")]})
    silver = delta.read(place.uri("silver"))
    assert table_digest(of_spark(spark, place.uri("silver")).cast(silver.schema)) == table_digest(silver)


def test_spark_keeps_tables_that_land_goes_on_with(spark, tmp_settings, tmp_path):
    place, log = Archived.at(tmp_settings, PLAIN), log_of(120, 1)
    first = {p: values[:30] for p, values in log.items()}
    place.land({0: first[0], 1: []}).land({0: [], 1: first[1]})
    uri, slot = place.uri("silver"), Slot(PLAIN.clean_topic, 1)
    told = landed_offset(place.setup.tables, PLAIN, "silver", slot)
    assert spark_tables.optimized(spark, uri, z_order=["id"]) == 2
    assert maintenance.files(uri).files == 1
    assert len(spark_tables.vacuumed(spark, uri, retain_hours=0, dry_run=True)) == 2
    spark_tables.vacuumed(spark, uri, retain_hours=0, dry_run=False)
    assert landed_offset(place.setup.tables, PLAIN, "silver", slot) == told == 30
    place.land(log)
    assert place.digests() == undisturbed(place, log, tmp_path / "calm")
    assert delta.history(uri)[-1].metadata


def test_a_table_with_deletion_vectors_is_read_again_after_a_purge(spark, tmp_settings):
    """Another engine enabled them and deleted a row. Land is told what is the matter, and does not race for ever."""
    place, log = Archived.at(tmp_settings, PLAIN), log_of(60, 2)
    place.land({0: log[0], 1: []})
    uri = place.uri("silver")
    gone = min(delta.read(uri)[OFFSET].to_pylist())
    spark.sql(f"ALTER TABLE delta.`{uri}` SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')")
    spark.sql(f"DELETE FROM delta.`{uri}` WHERE {OFFSET} = {gone}")  # noqa: S608  a number
    assert maintenance.unreadable(uri) == ["deletionVectors"]
    assert spark_tables.purged(spark, uri) == 1
    assert maintenance.unreadable(uri) == []
    assert gone not in delta.read(uri)[OFFSET].to_pylist()
    with pytest.raises(TerminalError, match="checkpointProtection"):
        place.land({0: [], 1: log[1]})


def test_a_stay_of_a_week_keeps_what_went_out_today(spark, tmp_settings):
    place = Archived.at(tmp_settings, PLAIN)
    place.land({0: [value("a")], 1: [value("b")]})
    uri = place.uri("silver")
    maintenance.optimized(uri, z_order=[], metadata={})
    assert spark_tables.vacuumed(spark, uri, retain_hours=168, dry_run=True) == []
    assert delta.read(uri, table_version=2).num_rows == 2
    assert timedelta(0) < datetime.now(UTC) - delta.history(uri)[-1].committed_at < timedelta(hours=1)
