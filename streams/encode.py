"""Rows and dead letters as the records of the clean and dead-letter topics: one JSON object each, coordinates as headers."""

from __future__ import annotations

import base64
import io
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
    text = io.BytesIO()
    frame.select(field.name for field in carried(contract).fields).write_ndjson(text)
    lines = text.getvalue().split(b"\n")
    if EVOLVED in frame.columns:
        lines = [*map(_with_evolved, lines, frame[EVOLVED].to_list()), b""]
    keys = frame.select(
        pl.concat_str([pl.col(name).cast(pl.String) for name in contract.key], separator=KEY_SEPARATOR)
    ).to_series()
    source, unders = f"{contract.raw_topic}:", {h: (CONTRACT_HEADER, h.encode()) for h in frame[CONTRACT_HASH].unique()}
    coordinates = frame.select(
        source=pl.lit(source) + pl.col(PARTITION).cast(pl.String) + ":" + pl.col(OFFSET).cast(pl.String),
        partition=PARTITION,
        timestamp=pl.col(INGESTED_AT).dt.epoch("ms"),
        contract=CONTRACT_HASH,
    )
    # The split leaves one empty line after the last newline.
    columns = zip(lines, keys.to_list(), *(coordinates[name].to_list() for name in coordinates.columns), strict=False)
    for line, key, source, partition, timestamp, under in columns:
        yield line, key, partition, timestamp, [(SRC_HEADER, source.encode()), unders[under]]


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
