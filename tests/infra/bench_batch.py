"""A batch of raw records for the benchmarks' tests."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from contracts.records import RECORD_SCHEMA


def raw_batch(values: pa.Array) -> pa.RecordBatch:
    size = len(values)
    columns = [
        pa.array(np.zeros(size, np.int32)),
        pa.array(np.arange(size)),
        pa.array(np.full(size, 1_357_000_000_000)),
        pa.nulls(size, pa.large_binary()),
        values,
    ]
    return pa.record_batch(columns, schema=RECORD_SCHEMA)
