"""What stands in place of personal data: `<email:kfnbdqhmwplt>`, one for each value of each subject.

The letters are 48 bits of an HMAC-SHA256 under the installation's masking key, over the type, the subject where the contract
names one, and the value in its normal form. So the same address gets the same placeholder in every text, a model can still
tell two people apart, and nobody without the key can test a guess. Among a hundred thousand values of one type the odds
that any two share a placeholder are one in 56,000, among a million one in 560; a collision makes two look like one and
shows neither.

Sixteen consonants write the digest: no digit, no vowel, so that no recogniser and no reader finds a number or a word in it,
and nobody can smuggle either through in the shape of a placeholder, which masking leaves alone.
"""

from __future__ import annotations

import hashlib
import hmac
import re

import numpy as np
import polars as pl
import pyarrow as pa

from streams.recognise import BY_TYPE, TYPES_WITH_NAMES, Spans, buffers

DIGEST_BYTES = 6
LETTERS = "bcdfghjklmnpqrst"
TO_LETTERS = str.maketrans("0123456789abcdef", LETTERS)
PATTERN = rf"<[a-z][a-z_]{{1,30}}:[{LETTERS}]{{{DIGEST_BYTES * 2}}}>"
"""What every placeholder matches."""
_PLACEHOLDER = re.compile(PATTERN.replace("[a-z][a-z_]{1,30}", "([a-z][a-z_]{1,30})"))


def placeholder(kind: str, value: str, key: bytes, subject: str = "") -> str:
    """Return what stands in place of a value, which is in its normal form. The key is the installation's, 32 bytes."""
    told = f"{kind}\0{len(subject)}\0{subject}{value}".encode()
    digest = hmac.digest(key, told, hashlib.sha256)[:DIGEST_BYTES]
    return f"<{kind}:{digest.hex().translate(TO_LETTERS)}>"


def without_letters(text: str) -> str:
    """Return a masked text with each placeholder by its type alone, `<email>`: for people, who need no letters."""
    return _PLACEHOLDER.sub(r"<\1>", text)


def replaced(texts: pl.Series, spans: Spans, key: bytes, subjects: pl.Series | None) -> pl.Series:
    """Return the texts with each span replaced by its placeholder. `subjects` are as many as texts; a null one is nobody's."""
    if not len(spans):
        return texts
    hit = np.unique(spans.rows)
    data, offsets = buffers(texts.gather(hit))
    local = np.searchsorted(hit, spans.rows)
    starts, ends = offsets[local] + spans.starts, offsets[local] + spans.ends
    owners = None if subjects is None else subjects.gather(hit).cast(pl.String).fill_null("").gather(local).to_list()
    made = _placeholders(data, starts, ends, spans.types, owners, key)
    pieces: list[bytes | memoryview] = []
    held, done = data.data, 0
    for start, end, piece in zip(starts.tolist(), ends.tolist(), made, strict=True):
        pieces += (held[done:start], piece)
        done = end
    pieces.append(held[done:])
    grown = np.zeros(len(hit) + 1, np.int64)
    np.add.at(grown, local + 1, np.array([len(piece) for piece in made]) - (ends - starts))
    buffer = pa.py_buffer(b"".join(pieces))
    array = pa.LargeStringArray.from_buffers(len(hit), pa.py_buffer((offsets + np.cumsum(grown)).tobytes()), buffer)
    return texts.clone().scatter(pl.Series(hit), pl.Series(array))


def _placeholders(
    data: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    types: np.ndarray,
    owners: list[str] | None,
    key: bytes,
) -> list[bytes]:
    """Return each span's placeholder. Each value of a subject is hashed once."""
    known: dict[tuple[bytes, int, str], bytes] = {}
    held, made = data.data, []
    for at, (start, end, kind) in enumerate(zip(starts.tolist(), ends.tolist(), types.tolist(), strict=True)):
        value, owner = bytes(held[start:end]), "" if owners is None else owners[at]
        piece = known.get((value, kind, owner))
        if piece is None:
            recogniser = BY_TYPE[TYPES_WITH_NAMES[kind]]
            text = placeholder(recogniser.type, recogniser.normal(value.decode()), key, owner)
            piece = known[value, kind, owner] = text.encode()
        made.append(piece)
    return made
