"""From gold rows to what stands in an online store: entity keys and values as Feast serializes them. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from features.aggregates import EVENT_TIMESTAMP
from features.feast_encode import encoder
from features.feast_layout import entity_key
from features.online import EVENT_US, GOLD_VERSION, Row
from features.plan import View


def online_rows(view: View, rows: pa.RecordBatch, gold_version: int) -> Iterator[Row]:
    """Yield what is to be stored of each gold row: equal rows of one gold version give equal bytes, whenever and wherever."""
    int64 = encoder("Int64")
    version = int64(gold_version)
    columns = {f.name: list(map(encoder(f.dtype), rows.column(f.name).to_pylist())) for f in view.features}
    event_us = rows.column(EVENT_TIMESTAMP).cast(pa.int64()).to_pylist()
    names = [*columns, GOLD_VERSION, EVENT_US]
    cells = zip(*columns.values(), [version] * rows.num_rows, map(int64, event_us), strict=True)
    for key, at, values in zip(_keys(view, rows), event_us, cells, strict=True):
        yield Row(key, at, dict(zip(names, values, strict=True)))


def _keys(view: View, rows: pa.RecordBatch) -> Iterator[bytes]:
    dtypes = [entity.dtype for entity in view.entities]
    columns = [_key_column(rows.column(entity.name), entity.dtype) for entity in view.entities]
    for values in zip(*columns, strict=True):
        yield entity_key(view.keys, values, dtypes)


def _key_column(column: pa.Array, dtype: str) -> list[object]:
    """Return an entity column's values as keys hold them: Feast keeps a time's whole seconds."""
    if dtype != "UnixTimestamp":
        return list(column.to_pylist())
    return [int(moment.timestamp()) for moment in column.to_pylist()]
