"""Quarantine read: what stands in it, without the payloads, and which of its rows silver has taken over by a replay."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from contracts.contract import Contract
from contracts.records import INGESTED_AT, KEY_ID, OFFSET, PARTITION, PAYLOAD, REPLAY_ID, TOPIC
from streams.connectors import delta
from streams.intervals import IntervalSet
from streams.replay import spans_of, spots_of, within

COORDINATES = (TOPIC, PARTITION, OFFSET)
TOLD = (*COORDINATES, INGESTED_AT, "reason", "field", "rule", "contract_version", KEY_ID)


def resolved(quarantine: str, silver: str, raw_topic: str) -> dict[int, IntervalSet]:
    """Return the records that a replay has moved: their quarantine rows are marked, and silver holds them."""
    if REPLAY_ID not in delta.column_names(quarantine) or not delta.exists(silver):
        return {}
    columns = [*COORDINATES, REPLAY_ID]
    marked = spans_of(_chosen(quarantine, columns, lambda rows: _of_topic(rows, raw_topic) & _valid(rows[REPLAY_ID])))
    if not marked:
        return {}
    return spans_of(_chosen(silver, COORDINATES, lambda rows: _of_topic(rows, raw_topic) & within(rows, marked)))


def standing(tables: str, contract: Contract) -> pa.Table:
    """Return the dataset's dead letters that still are quarantined: TOLD, of each. Raises NotFound without a table."""
    quarantine, silver = (delta.table_uri(tables, layer, contract.domain, contract.name) for layer in ("quarantine", "silver"))
    present = delta.column_names(quarantine)
    moved = resolved(quarantine, silver, contract.raw_topic)
    columns = [name for name in TOLD if name in present]
    found = list(delta.selected(quarantine, columns=columns, by=COORDINATES, choose=lambda rows: ~within(rows, moved)))
    rows = pa.concat_tables(found) if found else delta.read(quarantine, columns=columns).slice(0, 0)
    return rows if KEY_ID in present else rows.append_column(KEY_ID, pa.nulls(rows.num_rows, pa.string()))


def whole(tables: str, contract: Contract, topic: str, partition: int, offset: int) -> pa.Table:
    """Return the quarantine rows of one record, payload included."""
    uri = delta.table_uri(tables, "quarantine", contract.domain, contract.name)
    present = delta.column_names(uri)
    columns = [name for name in (*TOLD, PAYLOAD) if name in present]
    one = {partition: IntervalSet.of(np.array([offset], np.int64))}
    found = delta.selected(uri, columns=columns, by=COORDINATES, choose=lambda rows: _of_topic(rows, topic) & within(rows, one))
    return pa.concat_tables(found)


def _chosen(uri: str, columns: tuple[str, ...] | list[str], choose: delta.Choose) -> list[tuple[int, int]]:
    return [spot for rows in delta.selected(uri, columns=columns, by=columns, choose=choose) for spot in spots_of(rows)]


def _of_topic(rows: pa.Table, topic: str) -> np.ndarray:
    return np.asarray(rows[TOPIC].to_numpy() == topic)


def _valid(column: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(column.is_valid().to_numpy())
