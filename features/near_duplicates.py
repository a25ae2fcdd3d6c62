"""The two tables of near duplicates, as values: what is kept of each silver row, and which rows another stands for.

`sketches` is written once a row: coordinates, event time, a hash of the texts, bands and sketch (`features.signatures`): all
that a later row must be compared with, so that texts are read once. `duplicates` names, for each row that is folded, the row
that stands for it. Both carry hashes and coordinates, no text.

A row takes part while it stands: every row of an `append` contract, of an `upsert` contract the newest of its key unless that
is a delete. So when a representative is changed or deleted, the next one takes over.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from contracts.contract import Contract, NearDuplicatePlan
from contracts.errors import DefinitionInvalid
from contracts.records import CHANGE_FIELDS, CHANGED_AT, KIND, OFFSET, PARTITION, SEQUENCE, TOPIC, Kind
from features.folding import BEYOND, NO_WINDOW, UNKNOWN, Folded, Sketched, folded
from features.shingles import END, U64, ShingleSets, blocks_of
from features.signatures import SIGNATURE_VERSION, band_hashes, banding, signatures, sketches

COORDINATES = (TOPIC, PARTITION, OFFSET)
EVENT_TIME, SKETCHED_AT = "event_time", "_sketched_at"
CONTENT_BYTES = 16
CHANGE_COLUMNS = tuple(field.name for field in CHANGE_FIELDS)

_COORDINATE_FIELDS = (
    pa.field(TOPIC, pa.string(), nullable=False),
    pa.field(PARTITION, pa.int32(), nullable=False),
    pa.field(OFFSET, pa.int64(), nullable=False),
    pa.field(EVENT_TIME, pa.timestamp("us", "UTC"), nullable=False),
)
SKETCH_SCHEMA = pa.schema(
    [
        *_COORDINATE_FIELDS,
        pa.field("content", pa.binary()),
        pa.field("shingles", pa.int64(), nullable=False),
        pa.field("bands", pa.binary(), nullable=False),
        pa.field("sketch", pa.binary(), nullable=False),
        pa.field("key", pa.binary()),
        pa.field("kind", pa.string()),
        pa.field("changed_at", pa.timestamp("us", "UTC")),
        pa.field("place", pa.string()),
        pa.field(SKETCHED_AT, pa.int64(), nullable=False),
    ]
)
"""What is kept of a silver row. `key` (a hash) and what follows it up to `place` are of `upsert` contracts alone.

`content` is null where there is no text. `_sketched_at` is the table version that brought the row.
"""
DUPLICATE_SCHEMA = pa.schema(
    [
        *_COORDINATE_FIELDS,
        pa.field("kind", pa.string(), nullable=False),
        pa.field("similarity", pa.float64(), nullable=False),
        pa.field("representative_topic", pa.string(), nullable=False),
        pa.field("representative_partition", pa.int32(), nullable=False),
        pa.field("representative_offset", pa.int64(), nullable=False),
        pa.field("representative_event_time", pa.timestamp("us", "UTC"), nullable=False),
    ]
)
"""A row that another stands for. `kind` is `exact` (the same texts, byte for byte) or `near`."""
REPRESENTATIVE = tuple(name for name in DUPLICATE_SCHEMA.names if name.startswith("representative_"))
LIVE_COLUMNS = (*COORDINATES, EVENT_TIME, "key", "kind", "changed_at", "place", SKETCHED_AT)

_STAMP = pl.Datetime("us", "UTC")


@dataclass(frozen=True)
class Duplicates:
    """The rows that others stand for, in DUPLICATE_SCHEMA, by their own order; and how many rows were looked at."""

    rows: pa.Table
    settled: int


def plan_of(contract: Contract) -> NearDuplicatePlan:
    """Return how the contract wants near duplicates folded. Raises DefinitionInvalid where it does not want it."""
    if contract.near_duplicates is None:
        raise DefinitionInvalid(
            "the contract names no near duplicates",
            expected="customProperties nearDuplicates: {fields: [...], threshold: 0.85}",
            where=contract.dataset,
        )
    return contract.near_duplicates


def plan_hash(contract: Contract) -> str:
    """Return a hash of all that sketches and duplicates are made by: another one, and both are made anew."""
    plan = plan_of(contract)
    parts = [SIGNATURE_VERSION, plan.fields, plan.threshold, plan.window_seconds, contract.change, contract.key]
    return hashlib.sha256(json.dumps([*parts, contract.event_time]).encode()).hexdigest()


def window_us(contract: Contract) -> int:
    """Return how far apart in event time two rows may lie to be compared."""
    seconds = plan_of(contract).window_seconds
    return NO_WINDOW if seconds is None else seconds * 1_000_000


def silver_columns(contract: Contract) -> list[str]:
    """Return the silver columns that a sketch is made of."""
    wanted = [*COORDINATES, contract.event_time, *plan_of(contract).fields]
    if contract.change == "upsert":
        wanted += [*contract.key, *CHANGE_COLUMNS]
    return list(dict.fromkeys(wanted))


def sketched(silver: pa.Table, contract: Contract, sequence: int) -> pa.Table:
    """Return what is kept of silver rows, in SKETCH_SCHEMA. A row's sketch depends on its own texts alone."""
    frame = pl.DataFrame(pl.from_arrow(silver))
    texts = _texts(frame, plan_of(contract))
    bands, kept, sizes = _signed(texts, plan_of(contract).threshold)
    columns: dict[str, pl.Series | pl.Expr] = {
        EVENT_TIME: pl.col(contract.event_time).cast(_STAMP),
        "content": pl.Series(_content_hashes(texts), dtype=pl.Binary),
        "shingles": pl.Series(sizes, dtype=pl.Int64),
        "bands": pl.Series(bands, dtype=pl.Binary),
        "sketch": pl.Series(kept, dtype=pl.Binary),
        **_changes(frame, contract),
        SKETCHED_AT: pl.lit(sequence, pl.Int64),
    }
    made = frame.select(*COORDINATES, **columns)
    return made.to_arrow().cast(pa.schema([f.with_nullable(True) for f in SKETCH_SCHEMA])).cast(SKETCH_SCHEMA)


def live_rows(rows: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """Return the sketches of rows that stand, by (event time, coordinates). `rows` has at least LIVE_COLUMNS, of all rows."""
    if contract.change == "upsert":
        newest = rows.sort("changed_at", "place", *COORDINATES, nulls_last=False).unique("key", keep="last", maintain_order=True)
        rows = newest.filter(pl.col("kind") != Kind.DELETE)
    return rows.sort(EVENT_TIME, *COORDINATES)


def duplicates_of(live: pl.DataFrame, old: pl.DataFrame, reached: int, first_us: int, contract: Contract) -> Duplicates:
    """Return the duplicates among the live rows, given those found when the sketches had come up to `reached`.

    `live` has the sketches of the rows that stand, from event time `first_us` on, by (event time, coordinates): as far back
    as the window asks for.
    `old` are the duplicates found then (DUPLICATE_SCHEMA), `reached` -1 where none were sought yet.
    """
    rows = _as_sketched(live, banding(plan_of(contract).threshold).bands)
    before, scores = _before(live, old, reached, first_us)
    found = folded(rows, plan_of(contract).threshold, window_us(contract), before, scores)
    return Duplicates(_duplicate_rows(live, old, found, rows), found.settled)


def _texts(frame: pl.DataFrame, plan: NearDuplicatePlan) -> pl.Series:
    """Return each row's texts as one; null where it has none of them."""
    none = pl.all_horizontal(pl.col(name).is_null() for name in plan.fields)
    joined = pl.concat_str([pl.col(name).fill_null("") for name in plan.fields], separator=END)
    return frame.select(pl.when(~none).then(joined).alias("text")).to_series()


def _content_hashes(texts: pl.Series) -> list[bytes | None]:
    octets: list[bytes | None] = texts.cast(pl.Binary).to_list()
    return [None if text is None else hashlib.blake2b(text, digest_size=CONTENT_BYTES).digest() for text in octets]


def _signed(texts: pl.Series, threshold: float) -> tuple[list[bytes], list[bytes], list[int]]:
    """Return the bands, the sketch and the number of shingles of each text."""
    made = banding(threshold)
    bands: list[bytes] = []
    kept: list[bytes] = []
    sizes: list[int] = []
    for _, sets in blocks_of(texts):
        hashes = band_hashes(signatures(sets), made, sets).astype("<u8")
        bands += [row.tobytes() for row in hashes]
        kept += sketches(sets)
        sizes += sets.sizes.tolist()
    return bands, kept, sizes


def _changes(frame: pl.DataFrame, contract: Contract) -> dict[str, pl.Series | pl.Expr]:
    if contract.change != "upsert":
        none = pl.lit(None)
        return {
            "key": none.cast(pl.Binary),
            "kind": none.cast(pl.String),
            "changed_at": none.cast(_STAMP),
            "place": none.cast(pl.String),
        }
    keys = frame.select(pl.struct(contract.key).struct.json_encode()).to_series().cast(pl.Binary).to_list()
    hashed = [hashlib.blake2b(key, digest_size=CONTENT_BYTES).digest() for key in keys]
    return {
        "key": pl.Series(hashed, dtype=pl.Binary),
        "kind": pl.col(KIND),
        "changed_at": pl.col(CHANGED_AT),
        "place": pl.col(SEQUENCE),
    }


def _as_sketched(live: pl.DataFrame, bands: int) -> Sketched:
    """Return the rows' hashes as arrays, which share the table's memory."""
    content = _words(live["content"].fill_null(bytes(CONTENT_BYTES)), 2)
    values, edges = _octets(live["sketch"])
    sets = ShingleSets(values.view("<u4"), edges // 4)
    return Sketched(
        live[EVENT_TIME].dt.epoch("us").to_numpy(), content, _words(live["bands"], bands), sets, live["shingles"].to_numpy()
    )


def _words(column: pl.Series, width: int) -> U64:
    octets, _ = _octets(column)
    return octets.view("<u8").reshape(len(column), width)


def _octets(column: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return the bytes of a column without nulls, one value after the other, and the edges between them."""
    array = column.rechunk().to_arrow().cast(pa.large_binary())
    _, offsets, data = array.buffers()
    edges = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    held = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
    return held[edges[0] : edges[-1]], edges - edges[0]


def _before(live: pl.DataFrame, old: pl.DataFrame, reached: int, first_us: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what stood for each row before, as ranks: itself unless `old` says otherwise; UNKNOWN where that is gone."""
    ranks = live.select(*COORDINATES).with_row_index("rank").with_columns(pl.col("rank").cast(pl.Int64))
    named = dict(zip(("representative_topic", "representative_partition", "representative_offset"), COORDINATES, strict=True))
    told = old.select(*COORDINATES, "similarity", *REPRESENTATIVE).join(
        ranks.rename({own: name for name, own in named.items()} | {"rank": "to"}),
        on=list(named),
        how="left",
        maintain_order="left",
    )
    joined = ranks.join(told, on=list(COORDINATES), how="left", maintain_order="left")
    beyond = pl.col("representative_event_time").dt.epoch("us") < first_us
    gone = pl.when(beyond).then(BEYOND).otherwise(UNKNOWN)
    found = joined.select(
        pl.when(live[SKETCHED_AT] > reached).then(UNKNOWN)
        .when(pl.col("representative_topic").is_null()).then(pl.col("rank"))
        .otherwise(pl.coalesce("to", gone)).alias("before"),
        pl.col("similarity").fill_null(1.0),
    )  # fmt: skip
    return found["before"].cast(pl.Int64).to_numpy(), found["similarity"].to_numpy()


def _duplicate_rows(live: pl.DataFrame, old: pl.DataFrame, found: Folded, rows: Sketched) -> pa.Table:
    ranks = np.arange(len(rows))
    at = np.flatnonzero((found.representative != ranks) & (found.representative != BEYOND))
    to = found.representative[at]
    same = (rows.content[at] == rows.content[to]).all(axis=1)
    place = [*COORDINATES, EVENT_TIME]
    standing = live.select(place)[to].rename({name: f"representative_{name.removeprefix('_')}" for name in place})
    made = live.select(place)[at].with_columns(
        pl.Series("kind", np.where(same, "exact", "near"), pl.String), pl.Series("similarity", found.similarity[at])
    )
    made = made.hstack(standing)
    unchanged = live.select(*COORDINATES)[np.flatnonzero(found.representative == BEYOND)]
    carried = old.join(unchanged, on=list(COORDINATES), how="semi").select(made.columns)
    whole = pl.concat([made, carried]).sort(EVENT_TIME, *COORDINATES)
    return whole.select(DUPLICATE_SCHEMA.names).to_arrow().cast(DUPLICATE_SCHEMA)
