"""Upkeep of Delta tables through Spark: for tables that delta-rs cannot keep, and for what it cannot do.

What Spark can do and our jobs could not live with is refused by the command, not here: a clustered table cannot be written by
delta-rs, one with deletion vectors not be read by it (1.6.6).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from streams.connectors.spark import Session


def optimized(spark: Session, uri: str, *, z_order: Sequence[str] = (), cluster_by: Sequence[str] = ()) -> int:
    """Merge small files; with `z_order`, in the order of these columns; with `cluster_by`, cluster the table by them from now on.

    Return how many files it replaced.
    """
    if cluster_by:
        spark.sql(f"ALTER TABLE {_table(uri)} CLUSTER BY ({_columns(cluster_by)})")
    how = f" ZORDER BY ({_columns(z_order)})" if z_order else ""
    return int(_rows(spark, f"OPTIMIZE {_table(uri)}{how}")[0]["metrics"]["numFilesRemoved"])


def purged(spark: Session, uri: str) -> int:
    """Write anew the files that have deleted rows, and take deletion vectors off the table; return how many files it replaced.

    Afterwards delta-rs reads the table, and does not write it: what guards the checkpoints of versions before goes only with
    these versions. They stay as they are, for engines that read them.
    """
    spark.sql(f"ALTER TABLE {_table(uri)} SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'false')")
    replaced = int(_rows(spark, f"REORG TABLE {_table(uri)} APPLY (PURGE)")[0]["metrics"]["numFilesRemoved"])
    spark.sql(f"ALTER TABLE {_table(uri)} DROP FEATURE deletionVectors")
    return replaced


def vacuumed(spark: Session, uri: str, *, retain_hours: int, dry_run: bool) -> list[str]:
    """Delete files that went out of the table so many hours ago; return their names, with `dry_run` without deleting them."""
    spark.conf.set("spark.databricks.delta.retentionDurationCheck.enabled", "false")
    named = [
        str(row["path"]) for row in _rows(spark, f"VACUUM {_table(uri)} RETAIN {retain_hours} HOURS DRY RUN") if "path" in row
    ]
    if not dry_run:
        spark.sql(f"VACUUM {_table(uri)} RETAIN {retain_hours} HOURS")
    return sorted(named)


def history(spark: Session, uri: str, newest: int) -> list[Mapping[str, Any]]:
    """Return the newest commits as Spark tells them, oldest first."""
    return _rows(spark, f"DESCRIBE HISTORY {_table(uri)} LIMIT {newest}")[::-1]


def _rows(spark: Session, text: str) -> list[Mapping[str, Any]]:
    return [row.asDict(recursive=True) for row in spark.sql(text).collect()]


def _table(uri: str) -> str:
    return f"delta.`{uri.replace('`', '``')}`"


def _columns(names: Sequence[str]) -> str:
    return ", ".join(f"`{name.replace('`', '``')}`" for name in names)
