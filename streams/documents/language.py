"""Which language a text is in, by py3langid's model, which comes inside its package: nothing is downloaded.

Text of a script that one language alone writes in is told by the script; that is surer on short texts, and quicker.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

LETTERS_MIN = 24
"""Fewer letters tell nothing."""
SAMPLE_CHARACTERS = 500
SURE_FROM = 0.5
"""A guess with less than this posterior probability is no answer."""

SCRIPTS = tuple(
    (re.compile(f"[{letters}]"), language)
    for letters, language in (
        ("\u3040-\u30ff", "ja"), ("\uac00-\ud7a3", "ko"), ("\u0e00-\u0e7f", "th"), ("\u0370-\u03ff", "el"),
        ("\u0590-\u05ff", "he"), ("\u0530-\u058f", "hy"), ("\u10a0-\u10ff", "ka"), ("\u0b80-\u0bff", "ta"),
        ("\u0c00-\u0c7f", "te"), ("\u0c80-\u0cff", "kn"), ("\u0d00-\u0d7f", "ml"), ("\u0a80-\u0aff", "gu"),
        ("\u0a00-\u0a7f", "pa"), ("\u1780-\u17ff", "km"), ("\u0e80-\u0eff", "lo"), ("\u0d80-\u0dff", "si"),
    )
)  # fmt: skip
_LETTERS = re.compile(r"[^\W\d_]")
_NOISE = re.compile(r"https?://\S+|<[^<>\n]{1,40}>|\S+@\S+|[^\w\s]+|[\d_]+")


def language_of(text: str) -> str | None:
    """Return the language as ISO 639-1, or None where the text is too short or of none in particular."""
    sample = " ".join(_NOISE.sub(" ", text[: 2 * SAMPLE_CHARACTERS]).split())[:SAMPLE_CHARACTERS]
    letters = len(_LETTERS.findall(sample))
    if letters == 0:
        return None
    if not sample.isascii():
        for script, language in SCRIPTS:
            if len(script.findall(sample)) * 4 > letters and letters * 3 >= LETTERS_MIN:
                return language
    if letters < LETTERS_MIN:
        return None
    told, probability = _model().classify(sample)
    return str(told) if probability >= SURE_FROM else None


@cache
def _model() -> Any:
    """Load the model: most of a second, once a process."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415  loads a model: wanted only where texts are told apart

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
