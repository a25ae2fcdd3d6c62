"""Personal data in text: found by linear-time patterns and replaced by a typed placeholder.

Today: e-mail addresses, phone numbers, IP addresses (v4 and v6). The order matters: an address inside a longer match is
gone before the next pattern looks. A software version of four numbers reads like an IPv4 address and is masked with them:
hiding too much is the safe side.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from contracts.contract import Contract, Field
from contracts.masking import PLACEHOLDER, masks, treatment

OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
HEXTET = r"[0-9A-Fa-f]{1,4}"
V4_TAIL = rf"(?:(?:\.{OCTET}){{3}})?"
"""An IPv6 address may end as an IPv4 one does: `64:ff9b::192.0.2.33`."""


@dataclass(frozen=True)
class Recogniser:
    """One kind of personal data: its pattern (Rust's syntax, linear time) and what stands in its place."""

    kind: str
    pattern: str

    @property
    def placeholder(self) -> str:
        """`<email>`, `<phone>`, `<ip>`."""
        return f"<{self.kind}>"


RECOGNISERS = (
    Recogniser("email", r"[\p{L}\p{M}\p{N}.!#$%&'*+/=?^_`{|}~-]+@[\p{L}\p{M}\p{N}-]+(?:\.[\p{L}\p{M}\p{N}-]+)+"),
    Recogniser(
        "ip",
        rf"\b(?:{OCTET}\.){{3}}{OCTET}\b|\b(?:{HEXTET}:){{7}}{HEXTET}\b|\b(?:{HEXTET}:){{1,6}}(?::{HEXTET}){{1,6}}{V4_TAIL}\b"
        rf"|\b(?:{HEXTET}:){{2,7}}:|\B::(?:{HEXTET}:){{0,6}}{HEXTET}{V4_TAIL}\b",
    ),
    Recogniser(
        "phone",
        r"\+[0-9](?:[ ().\-/]{0,2}[0-9]){6,14}\b|\([0-9]{2,4}\) ?[0-9]{3,4}[ .\-]?[0-9]{3,4}\b"
        r"|\b[0-9]{3}[ .\-][0-9]{3}[ .\-][0-9]{4}\b|\b0[0-9]{1,4}[ /\-][0-9]{3,4}[ \-]?[0-9]{3,5}\b",
    ),
)
NUMERIC = "|".join(r.pattern for r in RECOGNISERS[1:])
POSSIBLE = r"[0-9][0-9 ().:/+\-]{5}|:"
"""What every match of `NUMERIC` holds: sought ten times as fast, so that `NUMERIC` runs on few texts."""


def masked_text(column: pl.Expr) -> pl.Expr:
    """Return the text column with every recognised span replaced by its placeholder."""
    for recogniser in RECOGNISERS:
        column = column.str.replace_all(recogniser.pattern, recogniser.placeholder)
    return column


def masked_rows(rows: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """Return the rows after the contract's masking plan (`contracts.masking`)."""
    changed: list[pl.Expr | pl.Series] = []
    for field in contract.fields:
        kind = treatment(field)
        if kind == "free_text":
            changed.append(_masked_column(rows[field.name]))
        elif masks(field):
            changed.append(_treated(pl.col(field.name), field).alias(field.name))
    return rows.with_columns(changed) if changed else rows


def _masked_column(texts: pl.Series) -> pl.Series:
    """Mask one text column: look for an @ and for anything like a number, and replace only in the rows that have it."""
    email = RECOGNISERS[0]
    texts = texts.str.replace_all(email.pattern, email.placeholder)
    possible = texts.str.contains(POSSIBLE).fill_null(value=False).arg_true()
    suspects = possible.filter(texts.gather(possible).str.contains(NUMERIC))
    if not len(suspects):
        return texts
    replaced = pl.DataFrame({"text": texts.gather(suspects)}).select(masked_text(pl.col("text"))).to_series()
    return texts.scatter(suspects, replaced)


def _treated(column: pl.Expr, field: Field) -> pl.Expr:
    """Return the column after its own treatment, and that of everything in it: what is restricted is so at any depth."""
    kind = treatment(field)
    if kind == "null":
        return pl.when(pl.lit(value=False)).then(column)
    if kind == "replace":
        return pl.when(column.is_not_null()).then(pl.lit(PLACEHOLDER))
    if kind == "free_text":
        return masked_text(column)
    if field.logical_type == "object":
        made = pl.struct(_treated(column.struct.field(f.name), f).alias(f.name) for f in field.fields)
        return pl.when(column.is_null()).then(None).otherwise(made)
    if field.logical_type == "array" and field.items is not None:
        return column.list.eval(_treated(pl.element(), field.items))
    return column
