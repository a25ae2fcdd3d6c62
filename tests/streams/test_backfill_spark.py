"""Backfill on Spark: the rows that `direct` gives, from executors that were given no key."""

from __future__ import annotations

import pickle
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from infra.spark.place import opened
from streams.backfill import Cell, Task
from streams.connectors import delta
from streams.engines.backfill import backfill
from streams.engines.backfill_spark import Work, spark_parts
from streams.intervals import IntervalSet
from tests.golden.cases import Case, batch_of, cases
from tests.streams.archived import Archived
from tests.streams.made import PLAIN
from tests.streams.test_backfill import ALL, filled, log_of, never, undisturbed

pytestmark = pytest.mark.servers


def on_spark(place: Archived, spark, **more):
    parts = spark_parts(spark, partial(opened, str(place.settings.key_store)), place.setup.limits)
    return backfill(place.setup, place.contract, ALL, parts, never, **more)


def test_spark_makes_the_tables_that_clean_and_land_make(spark, tmp_settings, tmp_path):
    """Cells of 60 offsets with a window of 40: most windows reach into the cell before; a part is in the tables already."""
    place, log = Archived.at(tmp_settings, PLAIN, window=40, batch_records=25), log_of(700, 1)
    place.archive(log, commits=3).land(log, [(0, offset) for offset in range(100, 180)])
    report = on_spark(place, spark, cell_records=60)
    assert report.cells > 8
    assert (report.selected, report.held, report.judged) == (700, 80, 620)
    assert place.digests() == undisturbed(place, log, tmp_path / "calm")
    assert on_spark(place, spark).judged == 0
    left = ("metastore_db", "spark-warehouse", "derby.log", "artifacts")
    assert not [name for name in left if Path(name).exists() or (Path.home() / name).exists()]


def test_golden_cases_come_to_the_same_on_spark(spark, tmp_settings, tmp_path):
    """All cases in one place, each a dataset: the contract, the sandbox and every type travel."""
    for case in cases():
        place = archived(case, replace(tmp_settings, home=tmp_path / case.name))
        on_spark(place, spark)
        there = place.digests()
        calm = place.elsewhere(tmp_path / "calm" / case.name)
        calm.archive_batch(batch_of(case.records()))
        filled(calm)
        assert there == calm.digests(), case.name


def archived(case: Case, settings) -> Archived:
    place = Archived.at(settings, case.contract())
    place.archive_batch(batch_of(case.records()))
    return place


def test_no_key_travels_with_the_work(tmp_settings):
    place = Archived.at(tmp_settings, PLAIN)
    place.archive(log_of(20, 2))
    held = place.setup.keys
    secrets = [held.secret("masking"), held.secret("subjects")]
    secrets += [key.secret for key in held.found(delta.read(place.uri("bronze"))["_key_id"].to_pylist()).values()]
    secrets.append(bytes.fromhex((Path(tmp_settings.key_store).parent / "master.key").read_text("ascii")))
    task = Task(PLAIN, {0: IntervalSet.from_pairs([(0, 9)])}, 40, 1_000)
    work = pickle.dumps(Work(task, (Cell(0, 0, 0, 0, 9),), partial(opened, str(tmp_settings.key_store))))
    assert len(secrets) > 20
    assert not [secret for secret in secrets if secret in work or secret.hex().encode() in work]
