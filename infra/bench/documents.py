"""`headwater bench documents`: one whole document pass, and where its time goes.

The documents are what a company's topic might hold: rendered pages of made-up sites as base64, and the installed packages'
READMEs and licences as they are. The pass is the clean hop's own function, and the cutting of passages behind it.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from zlib import crc32

import numpy as np
import orjson
import polars as pl
import pyarrow as pa

from contracts.contract import Contract, DocumentPlan, Field, PassagePlan
from contracts.records import RECORD_SCHEMA
from infra.bench.frame import Report, machine, spread
from infra.bench.pages import labelled
from infra.bench.sites import SITES
from infra.settings import Settings
from streams.batches import taken

PAGES = 600
BATCH = 200
KEY = b"k" * 32
"""In place of an installation's secret."""
REPEATED_EVERY = 10
"""One record in so many comes twice, for the exact duplicates."""
OBJECT = Field("", "object", fields=(Field("level", "integer"), Field("heading", "string"), Field("text", "string")))
CONTRACT = Contract(
    id="urn:headwater:bench:documents",
    domain="bench",
    name="documents",
    contract_version="1.0.0",
    hash="b" * 64,
    fields=(
        Field("id", "string", required=True, primary_key=True, classification="public"),
        Field("at", "timestamp", required=True, classification="public"),
        Field("kind", "string", classification="public"),
        Field("body", "string", classification="confidential"),
        Field("title", "string", classification="confidential"),
        Field("language", "string", classification="public"),
        Field("sections", "array", items=OBJECT),
    ),
    event_time="at",
    document=DocumentPlan("body", "kind", encoding="base64"),
    passages=PassagePlan(),
)


@dataclass
class Times:
    """Seconds of processor time by stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    def of(self, stage: str, call: Callable[[], Any]) -> Any:
        """Call, and count the time to the stage."""
        began = time.process_time()
        made = call()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.process_time() - began
        return made

    def stages(self) -> dict[str, float]:
        """Return the seconds of each stage of the pass: of the hop, what is neither of the two timed beside it."""
        rest = self.seconds["hop"] - self.seconds["extract, repair, language"] - self.seconds["mask"]
        named = {name: self.seconds[name] for name in ("extract, repair, language", "mask", "passages")}
        return {"decode, duplicates, rules": rest} | named


def run(settings: Settings, rounds: int, count: int | None = None) -> Report:  # noqa: ARG001  every benchmark is called alike
    """Measure; `count` is how many pages are made beside the packages' own documents."""
    values = _values(count or PAGES)
    size = sum(map(len, values))
    _passed(values[:50])
    measured = [_passed(values) for _ in range(rounds)]
    totals = [times.seconds["hop"] + times.seconds["passages"] for times, _, _ in measured]
    stages = {stage: [times.stages()[stage] for times, _, _ in measured] for stage in measured[0][0].stages()}
    _, documents, passages = measured[0]
    return Report(
        "documents",
        {},
        {
            "records": len(values),
            "bytes_per_record": round(size / len(values)),
            "documents": documents,
            "passages": passages,
            "documents_per_second": spread([len(values) / total for total in totals]),
            "mb_per_second": spread([size / total / 1e6 for total in totals]),
            "share_of_time": {
                name: spread([each / total for each, total in zip(held, totals, strict=True)]) for name, held in stages.items()
            },
        },
        (
            "Per second of processor time, one core. Bytes are those of the documents, before base64.",
            "From raw records to rows of silver and their passages; in one process, no PDF among them.",
        ),
        machine(),
    )


def _values(pages: int) -> list[bytes]:
    """Return the documents' bytes, the repeated ones included."""
    import sys
    from pathlib import Path

    from streams.connectors.packages import installed_pages

    folders = [Path(entry).resolve() for entry in sys.path if entry and Path(entry).is_dir()]
    own = [page.text.encode() for page in installed_pages(folders) if len(page.text) < 60_000]
    made = [page.html.encode() for page in labelled(SITES, pages)]
    mixed = [value for pair in zip(made, own, strict=False) for value in pair]
    return [value for at, one in enumerate(mixed) for value in [one] * (2 if at % REPEATED_EVERY == 0 else 1)]


def _passed(values: list[bytes]) -> tuple[Times, int, int]:
    """Take the documents through the whole pass; return the times, how many became rows, and how many passages they gave.

    Two stages within the hop are timed beside it, by calling them alone on what they are given there.
    """
    from features.passages import split
    from streams.clean import CleanState, process_batch
    from streams.decode import decoded_values
    from streams.documents.rows import document_rows
    from streams.personal import masked_rows
    from streams.text import regular_rows

    times, state, rows, passages = Times(), CleanState({}, 20_000, 4 << 20, masking_key=KEY), 0, 0
    for first in range(0, len(values), BATCH):
        records = _records(values[first : first + BATCH], first)
        outcome = times.of("hop", partial(process_batch, records, state, CONTRACT))
        state, rows = outcome.state, rows + outcome.rows.num_rows
        kept = np.flatnonzero(np.isin(records["offset"].to_numpy(), outcome.rows["_offset"].to_numpy()))
        decoded = decoded_values(taken(records["value"], kept), kept, CONTRACT)
        made = times.of("extract, repair, language", partial(document_rows, decoded.rows, kept, CONTRACT, None))
        times.of("mask", partial(masked_rows, regular_rows(made[0], CONTRACT), CONTRACT, KEY))
        columns = outcome.rows.select(["id", "body", "sections"]).to_pylist()
        passages += times.of("passages", partial(_count, columns, split))
    return times, rows, passages


def _count(columns: Iterable[dict[str, Any]], split: Callable[..., list[Any]]) -> int:
    return sum(len(split(row["id"], row["body"], row["sections"], CONTRACT.passages)) for row in columns)


def _records(values: list[bytes], first: int) -> pa.RecordBatch:
    made = [
        orjson.dumps({"id": f"{crc32(value):08x}", "at": "2026-01-01T00:00:00Z", "body": base64.b64encode(value).decode()})
        for value in values
    ]
    size = len(made)
    columns = {
        "partition": np.zeros(size, np.int32),
        "offset": np.arange(first, first + size, dtype=np.int64),
        "timestamp_ms": np.full(size, 1_767_225_600_000, np.int64),
        "key": pl.Series([None] * size, dtype=pl.Binary).to_arrow(),
        "value": pa.array(made, pa.large_binary()),
    }
    return pa.record_batch([pa.array(columns[name]) for name in RECORD_SCHEMA.names], schema=RECORD_SCHEMA)
