"""Personal data in free text: where it is, of which type. Vectorised, in linear time, the same answer for any batch.

A text first has to look possible at all (a literal or a byte class, at gigabytes per second); in those that do, patterns
mark candidates, all texts of a column at once; what needs a check digit or a number plan is then judged by itself. Spans
that overlap are one entity, of the longest one's type (of two as long: the earlier recogniser's). What was found is
blanked out and the text is looked at again, until nothing is found: so masked text has nothing left in it.

Positions are characters (Unicode code points), as Python and Polars count them; an emoji of several code points counts as
several, a combining accent as one of its own.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import polars as pl
import pyarrow as pa

from streams.recognisers import contact, credentials, finance, national_ids, people
from streams.recognisers.shape import Finder, Judge, Recogniser

RECOGNISERS: tuple[Recogniser, ...] = (
    *credentials.RECOGNISERS,
    *finance.RECOGNISERS,
    *national_ids.RECOGNISERS,
    *contact.RECOGNISERS,
    *people.RECOGNISERS,
    *people.NAME_RECOGNISERS,
)
"""Every kind there is. The earlier one names a span that two find."""

BY_TYPE: Mapping[str, Recogniser] = {recogniser.type: recogniser for recogniser in RECOGNISERS}

RECOGNISER_VERSION: Mapping[str, int] = {recogniser.type: recogniser.version for recogniser in RECOGNISERS}
"""Type -> version of its recogniser, which lineage records."""

TYPES_WITH_NAMES: tuple[str, ...] = tuple(BY_TYPE)
"""All types. Names of persons are sought by list and context: too loose for every text, and slower."""

TYPES: tuple[str, ...] = tuple(kind for kind in TYPES_WITH_NAMES if kind != people.NAME_RECOGNISERS[0].type)
"""What every text that is not public is searched for."""

FINDERS: tuple[Finder, ...] = (
    *credentials.FINDERS,
    *contact.FINDERS,
    *finance.FINDERS,
    *national_ids.FINDERS,
    *people.FINDERS,
    *people.NAME_FINDERS,
)
NUMBER_OF_TYPE = {kind: number for number, kind in enumerate(TYPES_WITH_NAMES)}

NUMBERED = np.array(
    [NUMBER_OF_TYPE[each.type] for each in (*finance.RECOGNISERS, *national_ids.RECOGNISERS)] + [NUMBER_OF_TYPE["phone"]]
)
"""The kinds that are told by digits and a check digit, which a code or a fraction may hold by chance."""
CODE = re.compile(rb"(?<![0-9A-Za-z])[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}(?![0-9A-Za-z])|[0-9]\.[0-9]{10,}")
"""A UUID (RFC 9562), or a number with a long fraction: one in four thousand of these holds what passes as a national number."""

CODE_BYTES = b"0123456789ABCDEFabcdef.-"
"""What codes are written in."""

ENTITY_SCHEMA = {"row": pl.Int64, "type": pl.String, "start": pl.Int64, "end": pl.Int64}

ROUNDS_MAX = 8
"""No text was seen that needed more than three; a bound all the same, so that none can keep a job."""

START, END, BLANK = 0, 1, 2
Path = tuple[str, ...]
"""Gates, one behind the other."""

LITERALS = frozenset({"@", "://"})
"""Gates that are sought as they are, without a regular expression."""
MARKS = r"[\x00\x01]"
MARKED = "${pre}\x00${hit}${hit2}${hit3}\x01${post}"


@dataclass(frozen=True)
class Spans:
    """Entities of a column of texts, by row and place: parallel arrays, positions in bytes of UTF-8."""

    rows: np.ndarray
    types: np.ndarray
    """Places in TYPES_WITH_NAMES."""
    starts: np.ndarray
    ends: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)


NOTHING = Spans(*(np.empty(0, np.int64) for _ in range(4)))


def entities(texts: pl.Series, types: Collection[str] = TYPES) -> pl.DataFrame:
    """Return the personal data in a column of texts: ENTITY_SCHEMA, by row and start; nulls have none.

    Entities of a row do not overlap. `start` and `end` are characters, `end` the one behind the last.
    """
    spans = byte_spans(texts, types)
    starts, ends = in_characters(texts, spans)
    names = pl.Series(TYPES_WITH_NAMES, dtype=pl.String).gather(spans.types)
    columns = [pl.Series(spans.rows), names, pl.Series(starts), pl.Series(ends)]
    return pl.DataFrame(dict(zip(ENTITY_SCHEMA, columns, strict=True)), schema=ENTITY_SCHEMA)


def byte_spans(texts: pl.Series, types: Collection[str] = TYPES) -> Spans:
    """Return what `entities` does, with positions in the texts' UTF-8 bytes: what masking cuts by."""
    finders = [finder for finder in FINDERS if set(types).intersection(finder.types)]
    found: list[Spans] = []
    rows, waiting = np.arange(len(texts)), texts.fill_null("")
    if waiting.str.contains(MARKS).any():
        waiting = waiting.str.replace_all(MARKS, "\x02")
    for _ in range(ROUNDS_MAX):
        here = _outside_codes(waiting, _merged([_of_types(spans, types) for spans in _candidates(waiting, finders)]))
        if not len(here):
            break
        found.append(Spans(rows[here.rows], here.types, here.starts, here.ends))
        hit = np.unique(here.rows)
        waiting = _blanked(waiting.gather(hit), Spans(np.searchsorted(hit, here.rows), here.types, here.starts, here.ends))
        rows = rows[hit]
    return _merged(found)


def _candidates(texts: pl.Series, finders: Sequence[Finder]) -> Iterator[Spans]:
    """Yield each finder's real spans."""
    passed = _passed(texts, [(*finder.gates, finder.pattern) for finder in finders])
    for finder in finders:
        rows = passed[*finder.gates, finder.pattern]
        if len(rows):
            yield _found(texts.gather(rows), rows, finder)


def _within_code(text: bytes, start: int, end: int) -> bool:
    """Say whether a span stands within a code. Only what codes are written in is searched, around the span."""
    if text[start:end].strip(CODE_BYTES):
        return False
    first = len(text[:start].rstrip(CODE_BYTES))
    last = len(text) - len(text[end:].lstrip(CODE_BYTES))
    around = text[max(first - 1, 0) : last + 1]  # with the byte before and behind, which a code must not be part of
    start, end = start - max(first - 1, 0), end - max(first - 1, 0)
    return any(code.start() <= start and end <= code.end() for code in CODE.finditer(around))


def _passed(texts: pl.Series, paths: Sequence[Path]) -> Mapping[Path, np.ndarray]:
    """Return the rows that have a match of each gate of a path. Gates that several paths begin with are passed once.

    All gates behind one are asked in one query: a query has its price, whatever it asks.
    """
    passed: dict[Path, np.ndarray] = {(): np.arange(len(texts))}
    for depth in range(1, max(map(len, paths), default=0) + 1):
        behind: dict[Path, dict[str, None]] = {}
        for path in paths:
            if len(path) >= depth:
                behind.setdefault(path[: depth - 1], {})[path[depth - 1]] = None
        for before, gates in behind.items():
            rows = passed[before]
            passed |= {(*before, gate): rows[hits] for gate, hits in _hits(texts, rows, list(gates)).items()}
    return passed


def _hits(texts: pl.Series, rows: np.ndarray, gates: Sequence[str]) -> Mapping[str, np.ndarray]:
    """Say of each gate which of the rows have a match of it."""
    if not len(rows):
        return {gate: np.zeros(0, bool) for gate in gates}
    column = texts if len(rows) == len(texts) else texts.gather(rows)
    answers = column.to_frame().select(_questions(tuple(gates)))
    return {gate: answers[str(at)].to_numpy() for at, gate in enumerate(gates)}


def _of_types(spans: Spans, types: Collection[str]) -> Spans:
    """Return the spans that are asked for: a finder may find more kinds than those."""
    if len(types) >= len(TYPES):
        return spans
    kept = np.isin(spans.types, [NUMBER_OF_TYPE[kind] for kind in types])
    return Spans(spans.rows[kept], spans.types[kept], spans.starts[kept], spans.ends[kept])


@cache
def _questions(gates: tuple[str, ...]) -> list[pl.Expr]:
    """Return an expression for each gate, named by its place: made once, as making them costs what asking some does."""
    return [
        pl.nth(0).str.contains(gate, literal=gate.replace(" ", "").isalpha() or gate in LITERALS).alias(str(at))
        for at, gate in enumerate(gates)
    ]


def _outside_codes(texts: pl.Series, spans: Spans) -> Spans:
    """Return the spans without the numbers that stand within a code."""
    numbers = np.flatnonzero(np.isin(spans.types, NUMBERED))
    if not len(numbers):
        return spans
    data, offsets = buffers(texts)
    kept = np.ones(len(spans), bool)
    for at in numbers.tolist():
        row, start, end = int(spans.rows[at]), int(spans.starts[at]), int(spans.ends[at])
        kept[at] = not _within_code(data[offsets[row] : offsets[row + 1]].tobytes(), start, end)
    return Spans(spans.rows[kept], spans.types[kept], spans.starts[kept], spans.ends[kept])


def _found(column: pl.Series, rows: np.ndarray, finder: Finder) -> Spans:
    """Mark a finder's candidates in texts that have one, and judge them."""
    data, offsets = buffers(column.str.replace_all(finder.pattern, MARKED))
    marks = np.flatnonzero(data <= END)
    starts, ends = marks[::2] + 1, marks[1::2]
    texts_at = np.searchsorted(offsets, starts, side="right") - 1
    types = np.full(len(starts), NUMBER_OF_TYPE[finder.types[0]])
    # Marks before a place, in its own text, are not of the text: each took a byte.
    first = np.searchsorted(marks, offsets[texts_at])
    taken = offsets[texts_at] + np.arange(1, 2 * len(starts), 2) - first
    if finder.judge is None:
        return Spans(rows[texts_at], types, starts - taken, ends - taken)
    which, types, begins, lengths = _judged(data, starts, ends, finder.judge)
    begins += (starts - taken)[which]
    return Spans(rows[texts_at[which]], types, begins, begins + lengths)


def _judged(data: np.ndarray, starts: np.ndarray, ends: np.ndarray, judge: Judge) -> tuple[np.ndarray, ...]:
    """Return of each real part: its candidate, type, first byte in the candidate, and length. Each spelling is judged once."""
    known: dict[bytes, list[tuple[int, int, int]]] = {}
    kept: list[tuple[int, int, int, int]] = []
    held = data.data
    for which, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        candidate = bytes(held[start:end])
        parts = known.get(candidate)
        if parts is None:
            parts = known[candidate] = _byte_parts(candidate.decode(), judge)
        kept += [(which, *part) for part in parts]
    made = np.array(kept, np.int64).reshape(-1, 4)
    return made[:, 0], made[:, 1], made[:, 2], made[:, 3]


def _byte_parts(candidate: str, judge: Judge) -> list[tuple[int, int, int]]:
    """Return the type, the first byte and the length in bytes of each real part of a candidate."""
    return [
        (NUMBER_OF_TYPE[kind], len(candidate[:start].encode()), len(candidate[start:end].encode()))
        for start, end, kind in judge(candidate)
    ]


def _merged(found: Sequence[Spans]) -> Spans:
    """Return the spans by row and place, those that overlap as one: of the longest's type, or the earlier recogniser's."""
    held = [spans for spans in found if len(spans)]
    if not held:
        return NOTHING
    rows, types, starts, ends = (np.concatenate([getattr(s, name) for s in held]) for name in ("rows", "types", "starts", "ends"))
    order = np.lexsort((types, -ends, starts, rows))
    rows, types, starts, ends = rows[order], types[order], starts[order], ends[order]
    # Texts one behind the other on one line: then the furthest end so far is a running maximum.
    step = int(ends.max()) + 1
    reach = np.maximum.accumulate(rows * step + ends)
    fresh = np.ones(len(rows), bool)
    fresh[1:] = (rows * step + starts)[1:] >= reach[:-1]
    heads = np.flatnonzero(fresh)
    if len(heads) == len(rows):
        return Spans(rows, types, starts, ends)
    cluster = np.cumsum(fresh) - 1
    best = np.lexsort((types, starts - ends, cluster))
    winners = best[np.searchsorted(cluster[best], np.arange(len(heads)))]
    return Spans(rows[heads], types[winners], starts[heads], np.maximum.reduceat(ends, heads))


def _blanked(texts: pl.Series, spans: Spans) -> pl.Series:
    """Return the texts with what was found made unreadable, as the placeholder in its place will be: `<...>`, as long."""
    data, offsets = buffers(texts)
    data = data.copy()
    starts, ends = offsets[spans.rows] + spans.starts, offsets[spans.rows] + spans.ends
    lengths = ends - starts
    before = np.cumsum(lengths) - lengths
    data[np.arange(int(lengths.sum())) + np.repeat(starts - before, lengths)] = BLANK
    data[starts], data[ends - 1] = ord("<"), ord(">")
    array = pa.LargeStringArray.from_buffers(len(texts), pa.py_buffer(offsets), pa.py_buffer(data))
    return pl.Series(texts.name, array)


def buffers(texts: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return a column's bytes, and where in them each text starts, with the end of the last."""
    array = texts.rechunk().to_arrow().cast(pa.large_string())
    _, held, data = array.buffers()
    offsets = np.frombuffer(held, np.int64)[array.offset : array.offset + len(array) + 1]
    if data is None:
        return np.empty(0, np.uint8), offsets
    return np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]], offsets - offsets[0]


def in_characters(texts: pl.Series, spans: Spans) -> tuple[np.ndarray, np.ndarray]:
    """Return the spans' starts and ends counted in characters."""
    if not len(spans):
        return spans.starts, spans.ends
    hit = np.unique(spans.rows)
    data, offsets = buffers(texts.gather(hit))
    if not len(data) or int(data.max()) < 0x80:
        return spans.starts, spans.ends
    leading = np.zeros(len(data) + 1, np.int64)
    np.cumsum((data & 0xC0) != 0x80, out=leading[1:])
    here = offsets[np.searchsorted(hit, spans.rows)]
    return leading[here + spans.starts] - leading[here], leading[here + spans.ends] - leading[here]
