"""Search by meaning: which of the stored vectors point the same way as the question's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from features.feast_layout import entity_values, value
from features.online import GOLD_VERSION, Asked, OnlineStore
from features.plan import View


@dataclass(frozen=True)
class Hit:
    """One found entity: its cosine with the question, its key, and the view's other features."""

    score: float
    entity: dict[str, Any]
    values: dict[str, Any]
    gold_version: int | None


def nearest(store: OnlineStore, view: View, question: npt.NDArray[np.float32], top: int) -> list[Hit]:
    """Return the `top` entities of the view whose vector is nearest to the question's by cosine, best first.

    Equal scores go by entity key, so that equal stores give equal answers. Reads every vector of the view: right for
    thousands of passages; an index takes this function's place where there are millions.
    """
    vector = next(feature.name for feature in view.features if feature.embeds)
    scanned = sorted(dict(store.scan(view, [vector])).items(), key=lambda pair: pair[0])
    keyed = [(key, value(stored.values.get(vector, b""))) for key, stored in scanned]
    keyed = [(key, found) for key, found in keyed if found]
    if not keyed:
        return []
    scores = cosines(np.array([found for _, found in keyed], dtype=np.float32), question)
    best = np.argsort(-scores, kind="stable")[:top]
    names = [feature.name for feature in view.features if feature.name != vector]
    return _hits(store, view, [keyed[at][0] for at in best], [float(scores[at]) for at in best], names)


def cosines(vectors: npt.NDArray[np.float32], question: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the cosine of each vector with the question; 0 where one of the two has no length."""
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(question)
    scores = np.zeros(len(vectors), dtype=np.float32)
    np.divide(vectors @ question, lengths, out=scores, where=lengths > 0)
    return scores


def _hits(store: OnlineStore, view: View, keys: Sequence[bytes], scores: Sequence[float], names: Sequence[str]) -> list[Hit]:
    [rows] = store.read([Asked(view.name, keys, [*names, GOLD_VERSION])])
    hits = []
    for key, score, row in zip(keys, scores, rows, strict=True):
        stored = row.values if row is not None else {}
        values = {name: value(stored.get(name, b"")) for name in names}
        hits.append(Hit(score, entity_values(key), values, value(stored.get(GOLD_VERSION, b""))))
    return hits
