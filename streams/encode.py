"""Rows and dead letters as the records of the clean and dead-letter topics: one JSON object each, coordinates as headers."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from contracts.contract import Contract
from contracts.records import (
    CONTRACT_HASH,
    CONTRACT_HEADER,
    EVOLVED,
    INGESTED_AT,
    KEY_ID,
    OFFSET,
    PARTITION,
    PAYLOAD,
    REASON_HEADER,
    SRC_HEADER,
    TOPIC,
    src_header,
)
from contracts.schema import carried

Encoded = tuple[bytes, str | None, int, int, list[tuple[str, bytes]]]
"""(value, key, partition, timestamp in ms, headers)."""

KEY_SEPARATOR = "|"


def encoded_rows(rows: pa.Table, contract: Contract) -> Iterator[Encoded]:
    """Yield each clean row as a record for the clean topic, on its raw record's partition, with its raw record's timestamp.

    The key is the contract's primary key after masking, joined by `|`: the raw key could hold personal data.
    """
    frame = _frame(rows)
    lines = _lines(frame.select(field.name for field in carried(contract).fields))
    if EVOLVED in frame.columns:
        lines = [*map(_with_evolved, lines, frame[EVOLVED].to_list())]
    source, unders = f"{contract.raw_topic}:", {h: (CONTRACT_HEADER, h.encode()) for h in frame[CONTRACT_HASH].unique()}
    told = frame.select(
        key=pl.concat_str([pl.col(name).cast(pl.String) for name in contract.key], separator=KEY_SEPARATOR),
        partition=PARTITION,
        timestamp=pl.col(INGESTED_AT).dt.epoch("ms"),
        source=(pl.lit(source) + pl.col(PARTITION).cast(pl.String) + ":" + pl.col(OFFSET).cast(pl.String)).cast(pl.Binary),
        contract=CONTRACT_HASH,
    )
    keys, partitions, timestamps, sources, hashes = (told[name].to_list() for name in told.columns)
    headers = [[(SRC_HEADER, src), unders[under]] for src, under in zip(sources, hashes, strict=True)]
    yield from zip(lines, keys, partitions, timestamps, headers, strict=True)


def _lines(rows: pl.DataFrame) -> list[bytes]:
    """Return each row as one JSON object: what `write_ndjson` writes, to the byte, without its engine's threads and buffers."""
    texts = rows.select(pl.struct(pl.all()).struct.json_encode().cast(pl.Binary)).to_series()
    lines: list[bytes] = texts.to_list()
    return lines


def encoded_dead_letters(dead_letters: pa.Table) -> Iterator[Encoded]:
    """Yield each dead letter as a record for the dead-letter topic, on its raw record's partition."""
    times = pc.divide(dead_letters[INGESTED_AT].cast(pa.int64()), 1000).to_pylist()
    for row, timestamp in zip(dead_letters.drop_columns([INGESTED_AT]).to_pylist(), times, strict=True):
        told = {
            name: row[name]
            for name in ("reason", "field", "rule", "original_offset", "contract_version", KEY_ID)
            if row[name] is not None
        }
        if row[PAYLOAD] is not None:
            told[PAYLOAD] = base64.b64encode(row[PAYLOAD]).decode("ascii")
        headers = [
            (SRC_HEADER, src_header(row[TOPIC], row[PARTITION], row[OFFSET])),
            (CONTRACT_HEADER, row["_contract_hash"].encode()),
            (REASON_HEADER, row["reason"].encode()),
        ]
        yield orjson.dumps(told), None, row[PARTITION], timestamp, headers


def _with_evolved(line: bytes, evolved: str | None) -> bytes:
    """Return a clean record's line with what it has beyond the contract's columns, which takes the place of a null there."""
    return line if evolved is None else orjson.dumps(orjson.loads(line) | orjson.loads(evolved))


def _frame(rows: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(rows)
    return frame if isinstance(frame, pl.DataFrame) else frame.to_frame()
