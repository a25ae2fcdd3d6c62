r"""Text made regular: Unicode NFC, newlines as \n, no control characters. Says first whether a column needs it at all."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pyarrow as pa

from contracts.contract import Contract, Field

CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u{80}-\u{9f}]"
"""C0 and C1 control characters but for tab and newline: they hide text from people, and break what reads it later."""

TextChange = Callable[[pl.Expr, Field], pl.Expr]

TAB, NEWLINE, SPACE, DELETE = 9, 10, 32, 127


def regular(column: pl.Expr) -> pl.Expr:
    r"""Return the text column in NFC, with \n for every kind of newline, and without control characters."""
    return column.str.replace_all(r"\r\n?", "\n").str.replace_all(CONTROL, "").str.normalize("NFC")


def is_regular(column: pl.Series) -> bool:
    """Say whether every text in the column is plain ASCII without control characters: then `regular` changes nothing."""
    array = column.to_arrow().cast(pa.large_string())
    data = array.buffers()[2]
    if data is None:
        return True
    octets = np.frombuffer(data, np.uint8)
    if not len(octets) or (octets.min() >= SPACE and octets.max() < DELETE):
        return True
    unusual = (octets < SPACE) & (octets != NEWLINE) & (octets != TAB) | (octets >= DELETE)
    return not bool(unusual.any())


def regular_rows(rows: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """Return the rows with every text in them regular, texts inside objects and arrays included."""
    changed = []
    for field in contract.fields:
        if field.logical_type == "string":
            if not is_regular(rows[field.name]):
                changed.append(regular(pl.col(field.name)).alias(field.name))
        elif field.logical_type in ("object", "array"):
            changed.append(over_texts(pl.col(field.name), field, lambda text, _field: regular(text)).alias(field.name))
    return rows.with_columns(changed) if changed else rows


def over_texts(column: pl.Expr, field: Field, change: TextChange) -> pl.Expr:
    """Apply a change to every text in a column of any type. `change` is given the text's expression and its field."""
    if field.logical_type == "string":
        return change(column, field)
    if field.logical_type == "object":
        made = pl.struct(over_texts(column.struct.field(f.name), f, change).alias(f.name) for f in field.fields)
        return pl.when(column.is_null()).then(None).otherwise(made)
    if field.logical_type == "array" and field.items is not None:
        return column.list.eval(over_texts(pl.element(), field.items, change))
    return column
