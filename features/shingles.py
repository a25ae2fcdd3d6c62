"""Texts as sets of shingles: each run of three words as one 32-bit hash, worked out by NumPy over the bytes of all texts at once.

A word is a run of letters and digits, in lower case; what stands between words does not count, so that layout, quotes and
punctuation make no difference. Scripts that write no spaces (Chinese, Japanese, Korean) have a word for each character. Three
words (Broder, *On the resemblance and containment of documents*, 1997, took ten for whole web pages): a short text must stay
recognisable, and one changed word takes three shingles with it; in a text of 40 words that leaves a similarity of 0.85.

The hashes are our own arithmetic on the bytes: they stand in tables, so no library's release may change them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

WORDS = 3
"""Words in a shingle."""
WORD_BYTES_MAX = 64
"""A longer run (an encoded file) counts as words of so many bytes."""
BLOCK_BYTES = 1 << 19
BLOCK_TEXTS = 8_192
"""Texts are worked on in blocks of about so many bytes, or so many texts: what is in hand fits the processor's cache."""
END = "\x1f"
"""Stands between two texts, and between two fields of one text: no word."""

U64 = npt.NDArray[np.uint64]

_ODD = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)
_PADDING = 8


def _word_table() -> bytes:
    """Return what each byte is in a word: its lower case, or 0 where it is none; bytes beyond ASCII are looked at apart."""
    return bytes(b if b >= 0x80 else ord(chr(b).lower()) if chr(b).isalnum() else 0 for b in range(256))


_TABLE = _word_table()
_MASKS = np.array([(1 << (8 * n)) - 1 for n in range(9)], np.uint64)


@dataclass(frozen=True)
class ShingleSets:
    """The shingles of texts: of text i, `values[edges[i]:edges[i + 1]]`, ascending, each once."""

    values: npt.NDArray[np.uint32]
    edges: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.edges) - 1

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """How many shingles each text has."""
        return np.diff(self.edges)


def mixed(values: U64) -> U64:
    """Return the values after a bijection in which each bit depends on all (MurmurHash3's 64-bit finaliser)."""
    made: U64 = values >> np.uint64(33)
    made ^= values
    made *= np.uint64(0xFF51AFD7ED558CCD)
    made ^= made >> np.uint64(33)
    made *= np.uint64(0xC4CEB9FE1A85EC53)
    made ^= made >> np.uint64(33)
    return made


def blocks_of(texts: pl.Series) -> Iterator[tuple[slice, ShingleSets]]:
    """Yield the shingles of a stretch of the texts at a time. A null has none, nor has a text without a word."""
    sizes = texts.str.len_bytes().fill_null(0).to_numpy()
    reach = np.cumsum(sizes)
    first = 0
    while first < len(texts):
        before = int(reach[first - 1]) if first else 0
        end = int(np.searchsorted(reach, before + BLOCK_BYTES, side="right"))
        end = min(max(end, first + 1), first + BLOCK_TEXTS, len(texts))
        yield slice(first, end), shingle_sets(texts[first:end])
        first = end


def shingle_sets(texts: pl.Series) -> ShingleSets:
    """Return the texts' shingles. Which block a text is in makes no difference to its own."""
    octets, edges = _octets(texts)
    starts, lengths = _words(octets)
    hashes = _word_hashes(octets, starts, lengths)
    counts = np.diff(np.searchsorted(starts, edges))
    owners = np.repeat(np.arange(len(texts), dtype=np.uint64), counts)
    return _sets(_shingles(hashes, owners, counts), len(texts))


def _octets(texts: pl.Series) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return the texts' bytes in lower case, one after the other with END between, and where each begins and the last ends."""
    frame = texts.alias("text").to_frame().select(pl.col("text").fill_null("") + END)
    joined = frame["text"].to_arrow().cast(pa.large_string())
    _, offsets, data = joined.buffers()
    edges = np.frombuffer(offsets, np.int64)[joined.offset : joined.offset + len(joined) + 1]
    held = memoryview(data)[int(edges[0]) : int(edges[-1])] if data is not None else b""
    octets = np.frombuffer(bytearray(bytes(held).translate(_TABLE) + bytes(_PADDING)), np.uint8)
    return octets, edges - edges[0]


@cache
def _lower_pairs() -> npt.NDArray[np.uint16]:
    """Return the lower case of each character of two UTF-8 bytes (Latin, Greek, Cyrillic, Armenian), by those bytes.

    Unicode promises that these do not change (its policy on the stability of case folding).
    """
    table = np.arange(1 << 16, dtype=np.uint16)
    for code in range(0x80, 0x800):
        lower = chr(code).lower().encode()
        if len(lower) == len(chr(code).encode()):
            table[int.from_bytes(chr(code).encode())] = int.from_bytes(lower)
    return table


def _lower(octets: npt.NDArray[np.uint8], places: npt.NDArray[np.int64]) -> None:
    """Put the characters of two bytes in lower case, in place. `places` are those beyond ASCII."""
    heads = places[(octets[places] & 0xE0) == 0xC0]
    pairs = _lower_pairs()[(octets[heads].astype(np.uint16) << 8) | octets[heads + 1]]
    octets[heads], octets[heads + 1] = pairs >> 8, pairs & 0xFF


def _words(octets: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return where words start, ascending, and how many bytes each has."""
    inside = octets != 0
    broken = _beyond_ascii(octets, inside)
    edges = np.flatnonzero(inside[1:] != inside[:-1]) + 1
    if inside[0]:
        edges = np.concatenate([np.zeros(1, np.int64), edges])
    edges = _cut(edges, broken)
    lengths = edges[1::2] - edges[0::2]
    long = np.flatnonzero(lengths > WORD_BYTES_MAX)
    if len(long):
        # A run without a gap (an encoded file) is cut up, so that the loop over a word's bytes is short whatever comes.
        cuts = [np.arange(edges[2 * at] + WORD_BYTES_MAX, edges[2 * at + 1], WORD_BYTES_MAX) for at in long.tolist()]
        edges = _cut(edges, np.concatenate(cuts))
        lengths = edges[1::2] - edges[0::2]
    return edges[0::2], lengths


def _cut(edges: npt.NDArray[np.int64], places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the edges of words, start and end in turn, with each place within a word an end and a start."""
    if not len(places):
        return edges
    places = np.unique(places)
    at = np.searchsorted(edges, places)
    inner = edges[np.minimum(at, len(edges) - 1)] != places
    return np.insert(edges, np.repeat(at[inner], 2), np.repeat(places[inner], 2))


def _beyond_ascii(octets: npt.NDArray[np.uint8], inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Where there is more than ASCII: put it in lower case, take signs out of `inside`, return where a new word begins.

    By the first byte of each UTF-8 sequence: C2 and E2 lead signs and punctuation (and so does E3 80), E3 and above, but
    for E3 80, scripts in which each character is a word here; all else is letters.
    """
    places = np.flatnonzero(octets >= 0x80)
    if not len(places):
        return places
    _lower(octets, places)
    own = octets[places]
    heads = (own & 0xC0) != 0x80
    head = np.maximum.accumulate(np.where(heads, places, 0))
    lead, second = octets[head], octets[head + 1]
    sign = (lead == 0xC2) | (lead == 0xE2) | ((lead == 0xE3) & (second == 0x80))
    inside[places[sign]] = False
    alone = (lead >= 0xE3) & ~sign
    after = places[alone] + 1
    after = after[((octets[after] & 0xC0) != 0x80) & inside[after]]
    return np.concatenate([places[alone & heads], after])


def _word_hashes(octets: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> U64:
    """Return a 64-bit hash of each word: eight bytes at a time, all words together."""
    eights: U64 = np.ndarray((len(octets) - _PADDING + 1,), "<u8", octets.data, 0, (1,))
    hashes: U64 = eights[starts]
    hashes &= _MASKS[np.minimum(lengths, 8)]
    hashes += lengths.astype(np.uint64) * np.uint64(_ODD[0])
    for done in range(8, WORD_BYTES_MAX, 8):
        longer = np.flatnonzero(lengths > done)
        if not len(longer):
            break
        more = eights[starts[longer] + done] & _MASKS[np.minimum(lengths[longer] - done, 8)]
        hashes[longer] = mixed(hashes[longer]) ^ more * np.uint64(_ODD[1])
    hashes ^= hashes >> np.uint64(32)
    hashes *= np.uint64(_ODD[2])  # the shingle's own hash does the rest
    return hashes


def _shingles(hashes: U64, owners: U64, counts: npt.NDArray[np.int64]) -> U64:
    """Return owner and shingle, in the upper and the lower half; a text of fewer words than a shingle's is one shingle."""
    if not len(hashes):
        return hashes
    ends = np.cumsum(counts)
    padded = np.concatenate([hashes, np.zeros(WORDS - 1, np.uint64)])
    joined: U64 = hashes * np.uint64(_ODD[0])
    whole = np.ones(len(hashes), np.bool_)
    for step in range(1, WORDS):
        joined += padded[step : step + len(hashes)] * np.uint64(_ODD[step])
        whole[(ends - step)[counts >= step]] = False
    for at in np.flatnonzero((counts > 0) & (counts < WORDS)).tolist():
        first = int(ends[at] - counts[at])
        few = hashes[first : int(ends[at])] * np.array(_ODD[: int(counts[at])], np.uint64)
        joined[first], whole[first] = few.sum(dtype=np.uint64), True
    owned: U64 = (owners[whole] << np.uint64(32)) | (mixed(joined[whole]) >> np.uint64(32))
    return owned


def _sets(owned: U64, texts: int) -> ShingleSets:
    owned.sort()
    if len(owned):
        fresh = np.empty(len(owned), np.bool_)
        fresh[0], fresh[1:] = True, owned[1:] != owned[:-1]
        owned = owned[fresh] if not fresh.all() else owned
    edges = np.searchsorted(owned, np.arange(texts + 1, dtype=np.uint64) << np.uint64(32))
    return ShingleSets((owned & np.uint64(0xFFFFFFFF)).astype(np.uint32), edges.astype(np.int64))
