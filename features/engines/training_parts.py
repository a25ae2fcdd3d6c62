"""Build the rows of a training set part by part: each table is read once, spilled to files by bucket or stretch, and dropped.

At no time are more than a bucket of spine and answers, or a stretch of rows and logs with the newest row of each key, in memory.
The files lie beside the feature store and go with the block that asked for them, however it ends; a killed process leaves a
folder that the next build removes.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from features.aggregates import EVENT_TIMESTAMP
from features.asof import newest_known
from features.declarations import TrainingSet
from features.plan import Plan
from features.training import AT, COORDINATES, answered_rows, featured
from features.training_parts import Stretches, bucket_count, buckets_of, counted_hours, stretches
from lineage.digest import batches_digest

DIGESTED_ROWS = 8_192
"""Rows whose digest is reckoned at once: each becomes a text with all its columns."""


@dataclass(frozen=True)
class Source:
    """A table at a pinned version, read batch by batch, from the start each time."""

    schema: pa.Schema
    """Of the columns that are wanted of it."""
    read: Callable[[Sequence[str]], Iterator[pa.RecordBatch]]

    def frames(self, columns: Sequence[str] = ()) -> Iterator[pl.DataFrame]:
        """Yield the rows, of some columns or of all that are wanted."""
        return (_frame(batch) for batch in self.read(columns or self.schema.names))

    @property
    def nothing(self) -> pl.DataFrame:
        """No rows of it."""
        return _frame(self.schema.empty_table())


@dataclass(frozen=True)
class Tables:
    """The inputs of a training set, at their pinned versions."""

    spine: Source
    answers: Source
    logs: Mapping[str, Source]
    rows: int
    """Of the larger of spine and answers."""


@dataclass
class Written:
    """What was written, and what was met on the way."""

    file: Path
    schema: pa.Schema | None = None
    rows: int = 0
    spine_rows: int = 0
    answered: int = 0
    positive: int = 0
    digest: str = ""
    largest: int = 0
    """Rows of the largest stretch with its logs."""


@contextmanager
def work_folder(beside: Path) -> Iterator[Path]:
    """Give an empty folder for the block; remove what killed processes left."""
    top = beside / "training-parts"
    for left in top.glob("*"):
        if not Path(f"/proc/{left.name}").exists():
            shutil.rmtree(left, ignore_errors=True)
    folder = top / str(os.getpid())
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def written_in_parts(
    plan: Plan,
    wanted: TrainingSet,
    tables: Tables,
    folder: Path,
    rows_max: int,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    known_at: datetime | None = None,
) -> Written:
    """Write the rows that `training_rows` would return, in its order, to a Parquet file in the folder.

    Raises DefinitionInvalid as `training_rows` does.
    """
    answered_rows(plan, wanted, tables.spine.nothing, tables.answers.nothing)  # demands the columns before anything is read
    made = Written(folder / "rows.parquet")
    hours = _answered(plan, wanted, tables, folder, rows_max, made, since, until)
    if not made.answered:
        return made
    for source in tables.logs.values():
        for frame in source.frames([EVENT_TIMESTAMP]):
            hours += counted_hours(frame[EVENT_TIMESTAMP])
    cut = stretches(hours, rows_max)
    _by_time(folder, cut)
    for name, source in tables.logs.items():
        with _Spill(folder, f"log-{name}") as spill:
            for frame in source.frames():
                spill.put(frame, cut.of(frame[EVENT_TIMESTAMP]))
    _write(plan, wanted, tables, folder, cut, made, known_at)
    if made.schema is not None:
        made.digest = batches_digest(made.schema, pq.ParquetFile(made.file).iter_batches(DIGESTED_ROWS))
    return made


def _answered(
    plan: Plan,
    wanted: TrainingSet,
    tables: Tables,
    folder: Path,
    rows_max: int,
    made: Written,
    since: datetime | None,
    until: datetime | None,
) -> Counter[int]:
    """Spill spine and answers by key, and the answered rows of each bucket; return how many these are by hour."""
    count = bucket_count(tables.rows, rows_max)
    keys, hours = list(wanted.label.on), Counter[int]()
    for name, source in (("spine", tables.spine), ("answers", tables.answers)):
        with _Spill(folder, name) as spill:
            for frame in source.frames():
                spill.put(frame, buckets_of(frame, keys, count))
    with _Spill(folder, "answered") as spill:
        for bucket in range(count):
            spine = _spilled(folder, f"spine-{bucket}", tables.spine.nothing)
            answers = _spilled(folder, f"answers-{bucket}", tables.answers.nothing)
            rows, asked = answered_rows(plan, wanted, spine, answers, since=since, until=until)
            made.spine_rows += asked
            made.answered += rows.height
            hours += counted_hours(rows[AT])
            spill.put(rows, np.full(rows.height, bucket))
    return hours


def _by_time(folder: Path, cut: Stretches) -> None:
    """Spill the answered rows of all buckets by stretch."""
    with _Spill(folder, "rows") as spill:
        for file in sorted(folder.glob("answered-*.arrow")):
            with pa.ipc.open_stream(str(file)) as reader:
                for batch in reader:
                    frame = _frame(batch)
                    spill.put(frame, cut.of(frame[AT]))
            file.unlink()


def _write(
    plan: Plan, wanted: TrainingSet, tables: Tables, folder: Path, cut: Stretches, made: Written, known_at: datetime | None
) -> None:
    """Join stretch by stretch, carrying the newest feature row of each key along, and write what comes of it."""
    views = [plan.view(name) for name in plan.service(wanted.service).views]
    carried = {view.name: tables.logs[view.name].nothing for view in views}
    with ExitStack() as stack:
        writer: pq.ParquetWriter | None = None
        for place in range(len(cut)):
            logs = {
                name: pl.concat([known, _spilled(folder, f"log-{name}-{place}", known.clear())])
                for name, known in carried.items()
            }
            rows = _spilled(folder, f"rows-{place}", pl.DataFrame())
            made.largest = max(made.largest, rows.height + sum(log.height for log in logs.values()))
            if rows.height:
                joined = featured(plan, wanted, rows.sort(AT, *COORDINATES), logs, known_at=known_at)
                table = joined.to_arrow()
                if writer is None:
                    made.schema = table.schema
                    writer = stack.enter_context(pq.ParquetWriter(made.file, table.schema, compression="zstd"))
                writer.write_table(table)
                made.rows += joined.height
                made.positive += int(joined[wanted.label.name].sum())
            carried = {view.name: newest_known(logs[view.name], view.keys, known_at) for view in views}


class _Spill:
    """Files of one name, one a part, each written as rows for it come."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._files: dict[int, pa.RecordBatchStreamWriter] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for writer in self._files.values():
            writer.close()

    def put(self, rows: pl.DataFrame, parts: np.ndarray) -> None:
        """Add rows, each to its part."""
        for part in np.unique(parts).tolist():
            table = rows.filter(pl.Series(parts == part)).to_arrow()
            if part not in self._files:
                self._files[part] = pa.ipc.new_stream(str(self._folder / f"{self._name}-{part}.arrow"), table.schema)
            self._files[part].write_table(table)


def _spilled(folder: Path, name: str, nothing: pl.DataFrame) -> pl.DataFrame:
    """Take the rows of one part; `nothing` where none came. Their file is gone then."""
    file = folder / f"{name}.arrow"
    if not file.is_file():
        return nothing
    with pa.ipc.open_stream(str(file)) as reader:
        frame = _frame(reader.read_all())
    file.unlink()
    return frame


def _frame(data: pa.Table | pa.RecordBatch) -> pl.DataFrame:
    frame = pl.from_arrow(data)
    if not isinstance(frame, pl.DataFrame):
        raise TypeError(type(frame))
    return frame
