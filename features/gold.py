"""From a view's silver rows to its gold feature log: one Arrow table, a function of the rows and not of their arrival.

A view with windows gets a row at each boundary (`features.aggregates`). A view without gets the latest values: a row for
each entity and event time; of several rows of one entity at one event time the greatest (topic, partition, offset) wins,
since of two true statements about one moment the later written corrects the earlier.

Rows with the same content are one row, however often they came: the representative is the least by (event time,
coordinates). Rows whose entity is null belong to no entity and are left out; both are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from contracts.contract import PassagePlan
from contracts.errors import DefinitionInvalid
from contracts.records import CHANGED_AT, KIND, OFFSET, PARTITION, SEQUENCE, TOPIC, Kind
from features.aggregates import EVENT_TIMESTAMP, ROWS, window_log
from features.passages import PLAN
from features.plan import View

CREATED_TIMESTAMP = "created_timestamp"
COORDINATES = (TOPIC, PARTITION, OFFSET)
_COORDINATE_TYPES = {TOPIC: pa.string(), PARTITION: pa.int32(), OFFSET: pa.int64()}
_STAMP = pa.timestamp("us", "UTC")

_ARROW = {
    "String": pa.string(),
    "Bytes": pa.binary(),
    "Int32": pa.int32(),
    "Int64": pa.int64(),
    "Float32": pa.float32(),
    "Float64": pa.float64(),
    "Bool": pa.bool_(),
    "UnixTimestamp": pa.timestamp("us", "UTC"),
}

Embed = Callable[[Sequence[str]], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Gold:
    """The rows of a gold table, and what was met on the way to them."""

    rows: pa.Table
    rows_in: int
    duplicates: int
    folded: int
    """Rows left out because another of the same cluster stands for them (`features.near_duplicates`)."""
    without_entity: int


def gold_schema(view: View) -> pa.Schema:
    """Return the gold table's schema: entity columns, features, event and knowledge time, and where a row came from.

    A row of a view without windows carries the coordinates of its one raw record; a window's are found by `explain`.
    """
    columns = [pa.field(entity.name, arrow_type(entity.dtype), nullable=False) for entity in view.entities]
    columns += [pa.field(feature.name, arrow_type(feature.dtype)) for feature in view.features]
    columns += [pa.field(EVENT_TIMESTAMP, _STAMP, nullable=False), pa.field(CREATED_TIMESTAMP, _STAMP, nullable=False)]
    columns.append(pa.field(ROWS, pa.int64(), nullable=False))
    if not view.windows:
        columns += [pa.field(name, _COORDINATE_TYPES[name], nullable=False) for name in COORDINATES]
    return pa.schema(columns)


def arrow_type(dtype: str) -> pa.DataType:
    """Return the Arrow type of a feature's type, one of `features.plan.DTYPES` or an Array of one."""
    return pa.list_(_ARROW[dtype[6:-1]]) if dtype.startswith("Array(") else _ARROW[dtype]


def gold_of(
    view: View,
    silver: pa.Table,
    known_at: datetime,
    embed: Embed | None = None,
    duplicates: pa.Table | None = None,
    passages: PassagePlan | None = None,
) -> Gold:
    """Return the view's gold rows. `known_at` is the knowledge time that they are written with.

    `embed` turns texts into vectors, for views with such a feature. `duplicates` are the dataset's, where its contract
    wants near duplicates folded: a view without windows then takes one row of each cluster. `passages` is told to the view's own
    function, in its frame's `attrs`. Raises DefinitionInvalid where
    the view asks for a column that the rows do not have, or for a type that they cannot take.
    """
    told = told_rows(view, silver)
    distinct = distinct_rows(view, told)
    standing = distinct if duplicates is None or view.windows else representatives(view, distinct, duplicates)
    rows = transformed(view, standing, passages) if view.transform is not None else standing
    _demand_columns(view, rows)
    events = events_of(view, rows)
    log = window_log(view, events, _newest_us(view, rows)) if view.windows else latest_log(view, events, embed)
    return Gold(
        rows=_shaped(view, log, known_at),
        rows_in=silver.num_rows,
        duplicates=told.num_rows - distinct.num_rows,
        folded=distinct.num_rows - standing.num_rows,
        without_entity=rows.num_rows - events.height,
    )


def told_rows(view: View, silver: pa.Table) -> pa.Table:
    """Return the rows that the view is told: to one with windows a delete is no event.

    In a view of latest values it is one: from then on every feature of the entity is null.
    """
    if KIND not in silver.column_names or not view.windows:
        return silver
    return silver.filter(pc.not_equal(silver[KIND], Kind.DELETE.value))


def distinct_rows(view: View, silver: pa.Table) -> pa.Table:
    """Return the rows without repeated content, ordered by (event time, coordinates); with `current_by`, the latest of each.

    In a change stream the same content may be news: of A, B, A the last holds. There windows alone leave repeats out, of one
    change; and within an event time it is first the source that says which change came last.
    """
    _demand([view.event_time, *view.current_by], silver, view)
    frame = _frame(silver).sort(view.event_time, *places(silver.column_names))
    content = [name for name in frame.columns if not name.startswith("_")]
    if KIND not in frame.columns:
        frame = frame.unique(content, keep="first", maintain_order=True)
    elif view.windows:
        frame = frame.unique([*content, KIND, CHANGED_AT, SEQUENCE], keep="first", maintain_order=True)
    if view.current_by:
        frame = frame.unique(list(view.current_by), keep="last", maintain_order=True)
    return frame.to_arrow()


def places(columns: Sequence[str]) -> list[str]:
    """Return the columns that order rows of one event time: in a change stream the source's own order comes first."""
    return [name for name in (CHANGED_AT, SEQUENCE, *COORDINATES) if name in columns]


def representatives(view: View, rows: pa.Table, duplicates: pa.Table) -> pa.Table:
    """Return the rows without those that another of them stands for: of each cluster the least by (event time, coordinates).

    The representative itself, unless `current_by` left it out: then the next of its cluster. Windows count every row: an
    event told twice in almost the same words may be two events.
    """
    named = dict(zip(("representative_topic", "representative_partition", "representative_offset"), COORDINATES, strict=True))
    told = _frame(duplicates.select([*COORDINATES, *named]))
    frame = _frame(rows).join(told, on=list(COORDINATES), how="left", maintain_order="left")
    cluster = [pl.coalesce(to, own).alias(to) for to, own in named.items()]
    firsts = frame.with_columns(cluster).unique(list(named), keep="first", maintain_order=True)
    return firsts.sort(view.event_time, *COORDINATES).select(rows.column_names).to_arrow()


def events_of(view: View, rows: pa.Table) -> pl.DataFrame:
    """Return the rows that have an entity, sorted by entity, event time and coordinates."""
    return _frame(rows).drop_nulls(list(view.keys)).sort(*view.keys, view.event_time, *places(rows.column_names))


def transformed(view: View, rows: pa.Table, passages: PassagePlan | None = None) -> pa.Table:
    """Return what the view's own function makes of the rows: a pandas frame in, a pandas frame out, as Feast has it.

    The index of what comes out says which row each is from (as `DataFrame.explode` leaves it); event time and coordinates
    are that row's. Raises DefinitionInvalid when the index says otherwise.
    """
    if view.transform is None:
        return rows
    content = [name for name in rows.column_names if not name.startswith("_")]
    frame = rows.select(content).to_pandas()
    frame.attrs[PLAN] = passages
    made: Any = view.transform(frame)
    origins = np.asarray(made.index)
    if len(origins) and not (np.issubdtype(origins.dtype, np.integer) and 0 <= origins.min() <= origins.max() < rows.num_rows):
        raise DefinitionInvalid(
            "the transformation's rows do not say where they are from",
            expected="an index whose values are taken from the input's index",
            where=f"view {view.name}",
        )
    wanted = [column.name for column in (*view.entities, *view.features) if column.name in made.columns]
    table = pa.Table.from_pandas(made[wanted].reset_index(drop=True), preserve_index=False)
    taken = rows.select([view.event_time, *COORDINATES]).take(pa.array(origins, pa.int64()))
    for field, values in zip(taken.schema, taken.columns, strict=True):
        table = table.append_column(field, values)
    return table


def latest_log(view: View, events: pl.DataFrame, embed: Embed | None = None) -> pl.DataFrame:
    """Return one row for each entity and event time: the values that held from then on."""
    log = events.unique([*view.keys, view.event_time], keep="last", maintain_order=True)
    log = log.with_columns(pl.col(view.event_time).alias(EVENT_TIMESTAMP), pl.lit(1, pl.Int64).alias(ROWS))
    for feature in view.features:
        if feature.embeds:
            if embed is None:
                raise DefinitionInvalid(f"{feature.name} is a vector", expected="an embedding model", where=f"view {view.name}")
            vectors = embed(log[feature.embeds].fill_null("").to_list())
            log = log.with_columns(pl.Series(feature.name, vectors, dtype=pl.Array(pl.Float32, vectors.shape[1])).arr.to_list())
    return log


def frontier(silver: pa.Table) -> list[dict[str, Any]]:
    """Return the greatest raw offset that the rows reach, for each topic and partition."""
    groups = _frame(silver.select(list(COORDINATES))).group_by(TOPIC, PARTITION)
    found = groups.agg(pl.col(OFFSET).min().alias("first_offset"), pl.col(OFFSET).max().alias("last_offset"))
    return [
        {"topic": row[TOPIC], "partition": row[PARTITION], "first_offset": row["first_offset"], "last_offset": row["last_offset"]}
        for row in found.sort(TOPIC, PARTITION).iter_rows(named=True)
    ]


def _frame(rows: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(rows)
    if not isinstance(frame, pl.DataFrame):
        raise TypeError(type(frame))
    return frame


def _newest_us(view: View, rows: pa.Table) -> int:
    newest = pc.max(rows[view.event_time].cast(_STAMP)).cast(pa.int64()).as_py()
    return int(newest) if newest is not None else 0


def _demand_columns(view: View, rows: pa.Table) -> None:
    made = {feature.name for feature in view.features if feature.embeds}
    sources = {w.column for w in view.windows if w.column} if view.windows else {f.name for f in view.features} - made
    sources |= {feature.embeds for feature in view.features if feature.embeds}
    _demand([*view.keys, view.event_time, *sorted(sources)], rows, view)


def _demand(columns: Sequence[str], rows: pa.Table, view: View) -> None:
    missing = sorted(set(columns) - set(rows.column_names))
    if missing:
        known = ", ".join(name for name in rows.column_names if not name.startswith("_"))
        raise DefinitionInvalid(f"no column {', '.join(missing)}", expected=known, where=f"view {view.name}, of {view.dataset}")


def _shaped(view: View, log: pl.DataFrame, known_at: datetime) -> pa.Table:
    """Return the log in the gold table's schema, refusing values that the declared types cannot hold."""
    schema = gold_schema(view)
    stamped = log.with_columns(pl.lit(known_at).cast(pl.Datetime("us", "UTC")).alias(CREATED_TIMESTAMP))
    columns = []
    for field in schema:
        values = stamped[field.name].to_arrow()
        try:
            columns.append(values.cast(field.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise DefinitionInvalid(
                f"{field.name} has values of type {values.type}", expected=f"{field.type}, as declared", where=f"view {view.name}"
            ) from error
    return pa.Table.from_arrays(columns, schema=schema)
