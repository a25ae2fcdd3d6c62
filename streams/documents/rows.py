"""A batch of rows whose contract says that one field holds documents: the text in its place, and what else is declared filled.

Most documents are read right here; those that could crash, hang or swell their reader go to the sandbox, all of a batch at
once. Which do is decided by the document alone, and both places run the same code, so that no answer depends on it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from contracts.contract import Contract, DocumentPlan
from contracts.documents import OBJECT_PARTS, STEPS
from contracts.records import Reason
from streams.decode import Reject
from streams.documents.extract import extracted, light
from streams.documents.model import Asked, Document, Refusal, Sandbox

Answer = Document | Refusal | None
"""What became of a row's document; None where it has none."""


def document_rows(
    rows: pl.DataFrame, positions: np.ndarray, contract: Contract, sandbox: Sandbox | None
) -> tuple[pl.DataFrame, np.ndarray, list[Reject]]:
    """Return the rows with their documents made text, their positions, and a reject for each that gives none.

    Rows whose document is null pass: whether that may be is for the checks. Raises ValueError when a document needs the
    sandbox and none was given.
    """
    plan = contract.document
    if plan is None or not rows.height:
        return rows, positions, []
    answers = _answers(_asked(rows, plan), sandbox)
    rejects = [
        Reject(int(at), answer.reason, plan.field, answer.rule)
        for at, answer in zip(positions, answers, strict=True)
        if isinstance(answer, Refusal)
    ]
    good = np.array([not isinstance(answer, Refusal) for answer in answers], bool)
    documents = [answer for answer in answers if not isinstance(answer, Refusal)]
    kept = rows if good.all() else rows.filter(pl.Series(good))
    return kept.with_columns(_columns(kept, plan, documents)), positions[good], rejects


def extracted_bytes(rows: pl.DataFrame, contract: Contract) -> np.ndarray | int:
    """Return how many bytes the documents' parts have in each row: none of it need have been in the raw record."""
    plan = contract.document
    if plan is None:
        return 0
    sizes: np.ndarray = rows[plan.field].str.len_bytes().fill_null(0).to_numpy().astype(np.int64)
    for name, parts in OBJECT_PARTS.items():
        if name in rows.columns and isinstance(rows.schema[name], pl.List):
            held = [part for part in parts if part in _parts(rows.schema[name])]
            each = [
                pl.col(name).list.eval(pl.element().struct.field(part).cast(pl.String).str.len_bytes()).list.sum()
                for part in held
            ]
            sizes = sizes + rows.select(pl.sum_horizontal(each).fill_null(0))[:, 0].to_numpy().astype(np.int64)
    return sizes


def _asked(rows: pl.DataFrame, plan: DocumentPlan) -> list[Asked | Refusal | None]:
    size = rows.height
    kinds = rows[plan.content_type].to_list() if plan.content_type else [None] * size
    urls = rows[plan.url].to_list() if plan.url else [None] * size
    steps = plan.steps or tuple(STEPS)
    return [
        content if content is None or isinstance(content, Refusal) else Asked(content, kind, url, steps)
        for content, kind, url in zip(_contents(rows[plan.field], plan), kinds, urls, strict=True)
    ]


def _contents(texts: pl.Series, plan: DocumentPlan) -> Sequence[bytes | str | Refusal | None]:
    if plan.encoding == "text":
        return list(texts)
    return [None if text is None else _from_base64(text) for text in texts]


def _from_base64(text: str) -> bytes | Refusal:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return Refusal("base64", Reason.UNDECODABLE)


def _answers(asked: Sequence[Asked | Refusal | None], sandbox: Sandbox | None) -> list[Answer]:
    answers: list[Answer] = [None] * len(asked)
    heavy: list[int] = []
    for at, one in enumerate(asked):
        if not isinstance(one, Asked):
            answers[at] = one
        elif light(one):
            answers[at] = extracted(one)
        else:
            heavy.append(at)
    if heavy:
        if sandbox is None:
            raise ValueError("documents need a sandbox, and none was given")
        wanted = [one for at in heavy if isinstance(one := asked[at], Asked)]
        for at, answer in zip(heavy, sandbox.extracted(wanted), strict=True):
            answers[at] = answer
    return answers


def _columns(rows: pl.DataFrame, plan: DocumentPlan, documents: Sequence[Document | None]) -> list[pl.Series]:
    """Return the columns that change: the text, and each sibling that the contract declares, where the record left it null."""
    made = [pl.Series(plan.field, [document and document.text for document in documents], pl.String)]
    told: dict[str, list[Any]] = {"title": [document and document.title for document in documents]}
    told["language"] = [document and document.language for document in documents]
    if plan.content_type:
        told[plan.content_type] = [document and document.content_type for document in documents]
    for name in OBJECT_PARTS:
        if name in rows.columns:
            parts = _parts(rows.schema[name])
            told[name] = [document and _items(getattr(document, name), parts) for document in documents]
    for name, values in told.items():
        if name in rows.columns and name != plan.field:
            given = rows[name]
            found = pl.Series(name, values, given.dtype)
            made.append(given.zip_with(given.is_not_null(), found) if given.null_count() < len(given) else found)
    return made


def _parts(kind: pl.DataType) -> list[str]:
    inner = kind.inner if isinstance(kind, pl.List) else kind
    return [part.name for part in inner.fields] if isinstance(inner, pl.Struct) else []


def _items(items: Sequence[Any], parts: Sequence[str]) -> list[dict[str, Any]]:
    return [{part: getattr(item, part) for part in parts} for item in items]
