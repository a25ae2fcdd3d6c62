"""Spark with delta-spark: a session of our own, and Delta tables read and kept through it. The only file that knows pyspark.

A session writes nothing but into its work folder: no warehouse, Derby database or artifacts appear where it was started.
pyspark is imported when a session is asked for.
"""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version as distribution_version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa

if TYPE_CHECKING:
    from pyspark import SparkContext
    from pyspark.sql import DataFrame, SparkSession

Session: TypeAlias = "SparkSession"
Mapped = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]
"""What runs on an executor, for one partition of a DataFrame; it is pickled, and must hold no secret."""

ENDING_SECONDS = 30.0
SNAPSHOT_PARTITIONS = 2
"""Of a Delta log's state: Spark's default is 50 tasks for each look at a table, however small."""


@dataclass(frozen=True)
class SparkPlace:
    """Where Spark runs, and with what."""

    jars: tuple[Path, ...]
    """delta-spark and delta-storage."""
    work: Path
    """Everything that Spark writes beside the tables: shuffles, spills, logs of its own. Emptied at the end."""
    python: str
    """The interpreter that executors run; it needs the same packages as this one."""
    code: Path
    """The folder of our rooms, put on the executors' path. On a cluster: where the package is installed there."""
    master: str = "local[*]"
    memory: str = "2g"
    """Of the driver's JVM, which in local mode is the executor too."""
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Variables that local executors are started with, beside this process's own. They may be secrets: they stay out of
    Spark's configuration, which Spark shows and logs. On a cluster the platform gives them to the executors."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Spark properties of the user's own, which win."""


@contextmanager
def session(place: SparkPlace) -> Iterator[Session]:
    """Give a Spark session for the block, and stop it; its work folder is emptied then."""
    from pyspark.sql import SparkSession  # noqa: PLC0415  half a second, for those who ask for Spark

    place.work.mkdir(parents=True, exist_ok=True)
    interrupted = signal.getsignal(signal.SIGINT)
    with _environment({**place.environ, "PYSPARK_PYTHON": place.python, "PYSPARK_DRIVER_PYTHON": place.python}):
        builder = SparkSession.builder.master(place.master).appName("headwater")
        for name, text in {**_configuration(place), **place.settings}.items():
            builder = builder.config(name, text)
        spark = builder.getOrCreate()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, interrupted)  # pyspark has put its own there, which raises in the middle of a commit
    try:
        spark.sparkContext.setLogLevel("ERROR")
        yield spark
    finally:
        context = spark.sparkContext
        spark.stop()
        _ended(context)
        shutil.rmtree(place.work, ignore_errors=True)


def _ended(context: SparkContext) -> None:
    """End the JVM, which pyspark keeps until this process ends; a session that is asked for later starts another."""
    gateway: Any = context._gateway  # noqa: SLF001  there is no public way
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait(ENDING_SECONDS)
    type(context)._gateway = type(context)._jvm = None  # noqa: SLF001


def version() -> str:
    """Return pyspark's version."""
    return distribution_version("pyspark")


@contextmanager
def _environment(given: Mapping[str, str]) -> Iterator[None]:
    """Set variables while the JVM is started, which inherits them, as the executors' interpreters do from it."""
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    try:
        yield
    finally:
        for name, old in before.items():
            if old is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = old


def _configuration(place: SparkPlace) -> dict[str, str]:
    work = place.work.resolve()
    java = [f"-Dderby.system.home={work}", f"-Djava.io.tmpdir={work}", f"-Dlog4j2.configurationFile={log_configuration(work)}"]
    return {
        "spark.jars": ",".join(str(jar) for jar in place.jars),
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.warehouse.dir": str(work / "warehouse"),
        "spark.local.dir": str(work / "local"),
        "spark.driver.extraJavaOptions": " ".join(java),
        "spark.driver.memory": place.memory,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.executorEnv.PYTHONPATH": str(place.code),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        # Spark's own choice is INT96, which Arrow reads as nanoseconds: a time before 1678 or after 2261 would be lost.
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.databricks.delta.snapshotPartitions": str(SNAPSHOT_PARTITIONS),
        "spark.sql.shuffle.partitions": "8",
        # So many tasks list a table's files for a vacuum: Spark's default is 10,000, most of them with nothing to do.
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": "8",
    }


def log_configuration(work: Path) -> Path:
    """Write how Spark logs, and return where: errors to stderr, the rest nowhere."""
    file = work / "log4j2.properties"
    file.write_text(
        "rootLogger.level = error\nrootLogger.appenderRef.stderr.ref = stderr\n"
        "appender.stderr.type = Console\nappender.stderr.name = stderr\nappender.stderr.target = SYSTEM_ERR\n"
        "appender.stderr.layout.type = PatternLayout\n"
        "appender.stderr.layout.pattern = spark: %p %c{1}: %m%n%xEx{2}\n",
        "utf-8",
    )
    return file


@dataclass(frozen=True)
class Ranges:
    """Rows that are wanted of a table, in groups: by the number of the group, a partition's offsets from one to another.

    Groups have one `size`: group g lies in the offsets from `cell * size`, and may reach back into the cell before.
    """

    topic: str
    size: int
    groups: Sequence[tuple[int, int, int, int, int]]
    """(group, partition, cell, first offset read, last offset)."""


def grouped(spark: Session, uri: str, table_version: int, columns: Sequence[str], ranges: Ranges, *, group: str) -> DataFrame:
    """Return a table's rows at a version, each group's in a Spark partition of its own, by offset.

    A row comes once for each group that it is in. `group` names the column with the group's number.
    """
    from pyspark.sql import functions as f  # noqa: PLC0415

    # A row's cell follows from its offset, and it may be read before the next cell too: so a hash join finds its groups.
    names, kinds = ("group", "partition", "cell", "first", "last"), (pa.int32(), pa.int32(), pa.int64(), pa.int64(), pa.int64())
    columns_of = [pa.array([each[at] for each in ranges.groups], kind) for at, kind in enumerate(kinds)]
    wanted = spark.createDataFrame(pa.table(columns_of, names=list(names)))
    low, high = min(each[3] for each in ranges.groups), max(each[4] for each in ranges.groups)
    partitions = sorted({each[1] for each in ranges.groups})
    rows = spark.read.format("delta").option("versionAsOf", table_version).load(uri)
    here = (f.col("_topic") == ranges.topic) & f.col("_partition").isin(partitions) & f.col("_offset").between(low, high)
    own = f.expr(f"_offset div {ranges.size}")
    spread = rows.where(here).select(*columns, f.explode(f.array(own, own + 1)).alias("__cell"))
    joined = spread.join(
        f.broadcast(wanted),
        (f.col("_partition") == f.col("partition"))
        & (f.col("__cell") == f.col("cell"))
        & f.col("_offset").between(f.col("first"), f.col("last")),
    )
    count = max(each[0] for each in ranges.groups) + 1
    named = joined.select(*columns, f.col("group").alias(group))
    return named.repartitionById(count, f.col(group)).sortWithinPartitions(group, "_offset")


def mapped(frame: DataFrame, work: Mapped, schema: str) -> Iterator[dict[str, Any]]:
    """Yield the rows that `work` makes of a DataFrame's partitions by mapInArrow, in the order of the partitions.

    All partitions are computed first, side by side, and what they come to waits on the executors' disks: this process holds one
    partition's rows at a time.
    """
    from pyspark import StorageLevel  # noqa: PLC0415

    made = frame.mapInArrow(work, schema).persist(StorageLevel.DISK_ONLY)
    try:
        made.count()
        for row in made.toLocalIterator(prefetchPartitions=True):
            yield row.asDict()
    finally:
        made.unpersist()
