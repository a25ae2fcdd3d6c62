"""`headwater bench near-duplicates`: folding beside datasketch's MinHash and LSH, shingling included, quality beside speed."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping

import polars as pl
import pyarrow as pa

from features.near_duplicates import DUPLICATE_SCHEMA, duplicates_of, live_rows, sketched
from features.signatures import SLOTS, banding
from infra.bench.frame import Ratio, Report, interleaved, machine, ratio_of, spread
from infra.bench.near_texts import SHINGLE_WORDS, Corpus, Quality, contract, corpus, quality, silver
from infra.settings import Settings

THRESHOLD = 0.85
EDITS = 4
WARM_DOCUMENTS = 20
"""Both sides see so many before they are timed: what a library does once is not its speed."""
SPEED_GOAL, QUALITY_GOAL = 10.0, 0.95
Pairs = list[tuple[int, int]]
_WORD = re.compile(r"[^\W_]+")


def run(settings: Settings, rounds: int, count: int | None = None) -> Report:  # noqa: ARG001  needs no installation
    """Measure; `count` is how many documents there are edits of."""
    made = corpus(THRESHOLD, EDITS, count)
    rows = silver(made.texts)
    qualities: dict[str, Quality] = {}
    kept: list[int] = []
    few = corpus(THRESHOLD, 1, WARM_DOCUMENTS)
    ours(silver(few.texts), THRESHOLD, [])
    datasketched(few, THRESHOLD)
    measured = interleaved(
        rounds,
        {
            "ours": lambda _: _timed("ours", made, lambda: ours(rows, THRESHOLD, kept), qualities),
            "datasketch": lambda _: _timed("datasketch", made, lambda: datasketched(made, THRESHOLD), qualities),
        },
    )
    return _report(made, measured, qualities, kept[0])


def ours(silver_rows: pa.Table, threshold: float, kept: list[int]) -> Pairs:
    """Return the pairs that the hop's two pure steps find; note in `kept` how many bytes they keep of all rows."""
    wanted = contract(threshold)
    rows = sketched(silver_rows, wanted, 1)
    kept.append(rows.nbytes)
    none = pl.DataFrame(pl.from_arrow(DUPLICATE_SCHEMA.empty_table()))
    live = live_rows(pl.DataFrame(pl.from_arrow(rows)), wanted)
    found = duplicates_of(live, none, -1, 0, wanted).rows
    return list(zip(found["_offset"].to_pylist(), found["representative_offset"].to_pylist(), strict=True))


def datasketched(of: Corpus, threshold: float) -> Pairs:
    """Return the pairs that datasketch finds as its documentation says: query the index, then insert, same bands.

    A text that has an earlier one like it is not inserted, as ours; the first that the index names is taken.
    """
    from datasketch import MinHash, MinHashLSH

    made = banding(threshold)
    index = MinHashLSH(threshold=threshold, num_perm=SLOTS, params=(made.bands, made.slots))
    pairs: Pairs = []
    for at, text in enumerate(of.texts):
        words = _WORD.findall(text.lower())
        shingles = {" ".join(words[first : first + SHINGLE_WORDS]).encode() for first in range(len(words) - SHINGLE_WORDS + 1)}
        signature = MinHash(num_perm=SLOTS)
        signature.update_batch(list(shingles))
        like = index.query(signature)
        if like:
            pairs.append((at, min(like)))
        else:
            index.insert(at, signature)
    return pairs


def _timed(name: str, of: Corpus, side: Callable[[], Pairs], qualities: dict[str, Quality]) -> Mapping[str, float]:
    began, cpu = time.perf_counter(), time.process_time()
    pairs = side()
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    qualities[name] = quality(of, THRESHOLD, pairs)
    return {
        "documents_per_second": len(of.texts) / seconds,
        "megabytes_per_second": of.size / seconds / 1e6,
        "cpu_us_per_kilobyte": cpu_seconds * 1e6 / (of.size / 1e3),
    }


def _report(of: Corpus, measured: Mapping[str, list[dict[str, float]]], qualities: Mapping[str, Quality], kept: int) -> Report:
    speeds = {side: [figures["megabytes_per_second"] for figures in rounds] for side, rounds in measured.items()}
    mine, theirs = qualities["ours"], qualities["datasketch"]
    edits = [(at, base) for at, base in enumerate(of.originals) if at != base]
    return Report(
        "near-duplicates",
        {
            "speed": ratio_of(
                "MB/s of shingling, signing and folding / of datasketch's MinHash and LSH", speeds["ours"], speeds["datasketch"],
                SPEED_GOAL,
            ),
            "recall": Ratio("edits found / edits as similar to their original as the threshold", (mine.recall,), QUALITY_GOAL),
            "precision": Ratio("true pairs / pairs found", (mine.precision,), QUALITY_GOAL),
        },
        {
            "documents": len(of.texts),
            "originals": len(of.texts) - len(edits),
            "megabytes": round(of.size / 1e6, 1),
            "edits_above_threshold": sum(of.similarity(*pair) >= THRESHOLD for pair in edits),
            "edits_below_threshold": sum(of.similarity(*pair) < THRESHOLD for pair in edits),
            "recall": {"ours": round(mine.recall, 4), "datasketch": round(theirs.recall, 4)},
            "precision": {"ours": round(mine.precision, 4), "datasketch": round(theirs.precision, 4)},
            "megabytes_per_second": {side: spread(values) for side, values in speeds.items()},
            "documents_per_second": {
                side: spread([f["documents_per_second"] for f in rounds]) for side, rounds in measured.items()
            },
            "cpu_us_per_kilobyte": {
                side: spread([f["cpu_us_per_kilobyte"] for f in rounds]) for side, rounds in measured.items()
            },
            "bytes_kept_per_document": round(kept / len(of.texts)),
        },
        (
            f"Texts of the installed packages' pages and {EDITS} seeded edits of each; truth by exact Jaccard of word triples.",
            f"Both sides: triples of words, {SLOTS} slots, {banding(THRESHOLD).bands} bands, threshold {THRESHOLD}, one process.",
            "Ours also verifies each pair, makes what is kept for later rows, and hashes contents; datasketch does not verify.",
            "Memory: what is kept of each document within the window, above; the texts themselves are read a batch at a time.",
        ),
        machine(),
    )  # fmt: skip
