"""The one Python operator of a Flink job: keyed by raw partition, its window of duplicates in Flink's keyed state.

An element is a batch of one partition, gathered by Flink for a moment. The window lives in this process while it runs; a
reference to it is put into keyed state with every batch and becomes bytes when Flink ends a bundle, which it does before every
checkpoint. So a checkpoint holds the window exactly as it is behind the last record whose results the same checkpoint covers.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction
from pyflink.datastream.state import ValueStateDescriptor

from streams.duplicates import Seen
from streams.engines.flink_worker import FlinkSpec, FlinkWorker, RawColumns, opened
from streams.kept_windows import packed_window

CODE_FOLDER = Path(__file__).resolve().parents[2]


class Kept:
    """A window that becomes bytes when it is pickled, and not before."""

    def __init__(self, seen: Seen) -> None:
        self.seen = seen

    def __reduce__(self) -> tuple[type[bytes], tuple[bytes]]:
        return bytes, (packed_window(self.seen),)


class CleanFunction(KeyedProcessFunction):  # type: ignore[misc]
    """Cleans batches. Made where the job is submitted, opened in each worker."""

    def __init__(self, spec: FlinkSpec) -> None:
        self._spec = spec

    def open(self, runtime_context: Any) -> None:
        """Read the shipped contracts, open the key store, find the state."""
        self._worker: FlinkWorker = opened(self._spec, CODE_FOLDER)
        self._window = runtime_context.get_state(ValueStateDescriptor("window", Types.PICKLED_BYTE_ARRAY()))

    def close(self) -> None:
        """End the sandbox's children."""
        self._worker.close()

    def process_element(self, value: Any, ctx: Any) -> Iterator[Row]:  # noqa: ARG002
        """Yield one row with all records that the batch comes to."""
        sent, seen = self._worker.cleaned(RawColumns(*value), self._window.value)
        self._window.update(Kept(seen))
        yield Row([Row(*record) for record in sent])
