"""Free text without personal data: what is recognised gives way to placeholders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import polars as pl

from streams.placeholders import replaced
from streams.recognise import TYPES, TYPES_WITH_NAMES, byte_spans, in_characters


def masked(texts: pl.Series, key: bytes, subjects: pl.Series | None = None, types: Collection[str] = TYPES) -> pl.Series:
    """Return the texts with every entity replaced by its placeholder (`streams.placeholders`).

    Deterministic given the key: no other text, batch or time has a say. Masking what is masked changes nothing.
    """
    return masked_and_counted(texts, key, subjects, types)[0]


def masked_and_counted(
    texts: pl.Series, key: bytes, subjects: pl.Series | None = None, types: Collection[str] = TYPES
) -> tuple[pl.Series, Counter[str]]:
    """Return the masked texts, and how many entities of each type there were."""
    spans = byte_spans(texts, types)
    counts = Counter({TYPES_WITH_NAMES[kind]: count for kind, count in Counter(spans.types.tolist()).items()})
    return replaced(texts, spans, key, subjects), counts


def masked_documents(texts: Sequence[str], key: bytes, types: Collection[str] = TYPES) -> list[dict[str, Any]]:
    """Return texts as `POST /mask` and `headwater mask` answer: masked, with where in the given text each entity was.

    `entities` are `{"type", "start", "end"}`, in characters of the text that was given, not of the masked one.
    """
    column = pl.Series(texts, dtype=pl.String)
    spans = byte_spans(column, types)
    starts, ends = in_characters(column, spans)
    made: list[dict[str, Any]] = [{"text": text, "entities": []} for text in replaced(column, spans, key, None).to_list()]
    for row, kind, start, end in zip(spans.rows.tolist(), spans.types.tolist(), starts.tolist(), ends.tolist(), strict=True):
        made[row]["entities"].append({"type": TYPES_WITH_NAMES[kind], "start": start, "end": end})
    return made
