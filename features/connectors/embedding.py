"""Texts to vectors with WordLlama's static model, which comes inside its package: nothing is downloaded.

The only file that knows wordllama. 0.1 s to load, about 1,500 passages of 1,000 characters a second on one core.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from contracts.errors import NotFound

MODEL = "wordllama-l2-256"
DIMENSIONS = 256
BATCH = 256


def embed(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Return one vector of length one for each text, in order. Raises NotFound where the model is not installed."""
    if not texts:
        return np.zeros((0, DIMENSIONS), dtype=np.float32)
    model = _model()
    parts = [model.embed(list(texts[at : at + BATCH]), norm=True) for at in range(0, len(texts), BATCH)]
    return np.asarray(np.concatenate(parts), dtype=np.float32)


@lru_cache(maxsize=1)
def _model() -> Any:
    spec = importlib.util.find_spec("wordllama")
    if spec is None or spec.origin is None:
        raise NotFound("the embedding model is not installed", remedy="install headwater with its main extra")
    with _logging_untouched():
        from wordllama import WordLlama  # noqa: PLC0415  loads a model library, wanted only where texts are embedded
    return WordLlama.load(cache_dir=Path(spec.origin).parent, disable_download=True, dim=DIMENSIONS)


@contextmanager
def _logging_untouched() -> Iterator[None]:
    """Undo what an import does to the root logger: wordllama calls `basicConfig(level=INFO)` for the whole process."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    try:
        yield
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers
