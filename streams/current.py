"""The newest state of each key, from a history of changes: pure, and the same for any order of arrival.

Of two changes of a key the newer is the greater by (when the source made it, its place in the source's log, raw
coordinates). "The newer of both" is associative, commutative and idempotent, so a current table that takes changes as they
come ends where one does that is made of all of them at once, whatever came late, twice, or in other batches.

A delete is a change like any other: it is remembered, key and order alone, for ever. Forgotten, it would let an older change
that comes late put the row back. A key's tombstones are one row, so the table of them is as small as it can be.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl
import pyarrow as pa

from contracts.contract import Contract
from contracts.records import CHANGED_AT, KIND, OFFSET, PARTITION, SEQUENCE, TOPIC, Kind

ORDER = (CHANGED_AT, SEQUENCE, TOPIC, PARTITION, OFFSET)
"""What decides which of two changes of a key is the newer. A change without a place comes before those with one."""

GATHERED_ROWS = 500_000
"""Changes are reduced to the newest of each key when so many have gathered: what bounds the memory is the number of keys."""


def newest(changes: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Return the newest change of each key."""
    return changes.sort(ORDER, nulls_last=False).unique(list(keys), keep="last", maintain_order=True)


def newest_of(batches: Iterable[pa.RecordBatch], contract: Contract, schema: pa.Schema) -> tuple[pl.DataFrame, int]:
    """Return the newest change of each key among all batches, in the schema's columns, and how many changes there were."""
    held, gathered, count = [frame_of(schema.empty_table())], 0, 0
    for batch in batches:
        held.append(frame_of(pa.Table.from_batches([batch]).select(schema.names).cast(schema)))
        gathered += batch.num_rows
        count += batch.num_rows
        if gathered >= GATHERED_ROWS:
            held, gathered = [newest(pl.concat(held), contract.key)], 0
    return newest(pl.concat(held), contract.key), count


def live(changes: pl.DataFrame) -> pl.DataFrame:
    """Return the changes that leave a row."""
    return changes.filter(pl.col(KIND) != Kind.DELETE.value)


def tombstones(changes: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """Return the newest delete of each key: its key, and its place among the changes."""
    deletes = changes.filter(pl.col(KIND) == Kind.DELETE.value)
    return newest(deletes, contract.key).select(*contract.key, *ORDER)


def tombstone_schema(schema: pa.Schema, contract: Contract) -> pa.Schema:
    """Return the schema of the tombstones of a history with this schema."""
    return pa.schema([schema.field(name) for name in (*contract.key, *ORDER)])


def not_outlived(changes: pl.DataFrame, buried: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Return the changes without those that are older than the delete of their key. One row of each key in either."""
    theirs = {name: f"{name}_buried" for name in ORDER}
    joined = changes.join(buried.rename(theirs), on=list(keys), how="left", maintain_order="left")
    return joined.filter(~newer_than(list(theirs.values()), list(ORDER))).select(changes.columns)


def newer_than(one: Sequence[str], other: Sequence[str]) -> pl.Expr:
    """Return whether the change in the columns `one` is newer than that in `other`; never, where there is none in `one`."""
    later = pl.lit(value=False)
    for mine, theirs in reversed(list(zip(one, other, strict=True))):
        left, right = pl.col(mine), pl.col(theirs)
        if mine.startswith(SEQUENCE):
            left, right = left.fill_null(""), right.fill_null("")
        later = (left > right) | ((left == right) & later)
    return (pl.col(one[0]).is_not_null() & later).fill_null(value=False)


def newer_in_sql(one: str, other: str) -> str:
    """Return the same as SQL, over two aliases of rows with these columns: what a merge asks of a change and a row."""
    later = "false"
    for name in reversed(ORDER):
        left, right = (f"coalesce({alias}.{name}, '')" if name == SEQUENCE else f"{alias}.{name}" for alias in (one, other))
        later = f"({left} > {right} OR ({left} = {right} AND {later}))"
    return later


def frame_of(rows: pa.Table) -> pl.DataFrame:
    """Return a table as a frame."""
    frame = pl.from_arrow(rows)
    return frame if isinstance(frame, pl.DataFrame) else frame.to_frame()
