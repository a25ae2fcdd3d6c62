"""Our recognisers as a Presidio recogniser: for teams whose services run Presidio's engine and shall find what the stream finds.

    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from streams.connectors.presidio import HeadwaterRecognizer

    registry = RecognizerRegistry(supported_languages=["en"])
    registry.add_recognizer(HeadwaterRecognizer())
    AnalyzerEngine(registry=registry, nlp_engine=..., supported_languages=["en"]).analyze(text, language="en")

One recogniser finds all types. It needs no language model and reads no NLP artifacts, so any engine will do; a registry of
several languages needs one for each. Entities are named as Presidio names them where it has the type (`EMAIL_ADDRESS`), else
in its manner (`DE_TAX_ID`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import polars as pl
from presidio_analyzer import AnalysisExplanation, EntityRecognizer, RecognizerResult

from streams.recognise import BY_TYPE, RECOGNISER_VERSION, TYPES_WITH_NAMES, entities

PRESIDIO_NAMES: Mapping[str, str] = {
    "email": "EMAIL_ADDRESS",
    "phone": "PHONE_NUMBER",
    "ip": "IP_ADDRESS",
    "card": "CREDIT_CARD",
    "iban": "IBAN_CODE",
    "fi_hetu": "FI_PERSONAL_IDENTITY_CODE",
    "sg_nric": "SG_NRIC_FIN",
    "address": "LOCATION",
}
"""Types that Presidio knows by another name than ours in capitals. A postal address is the narrowest part of its LOCATION."""

SCORES: Mapping[str, float] = {"person": 0.6, "address": 0.7, "birth_date": 0.8, "password": 0.8, "phone": 0.8}
"""How sure a find is, on Presidio's scale, where no check digit or known prefix makes it as good as certain."""
SURE = 0.95
NAME = "HeadwaterRecognizer"


def presidio_name(kind: str) -> str:
    """Return the entity that Presidio calls a type of ours."""
    return PRESIDIO_NAMES.get(kind, kind.upper())


class HeadwaterRecognizer(EntityRecognizer):
    """Every type that `streams.recognise` finds, in Presidio's engine. Stateless: one may serve any number of threads.

    `types` are ours (`email`), or all. Context words have no say: where a type needs words nearby, they were asked for.
    """

    def __init__(self, types: Collection[str] = TYPES_WITH_NAMES, supported_language: str = "en") -> None:
        unknown = set(types) - set(TYPES_WITH_NAMES)
        if unknown:
            raise ValueError(f"types are {', '.join(sorted(unknown))}; expected some of {', '.join(TYPES_WITH_NAMES)}")
        self._types = {presidio_name(kind): kind for kind in TYPES_WITH_NAMES if kind in types}
        # One number that grows with each recogniser's: theirs only grow.
        version = f"1.0.{sum(RECOGNISER_VERSION[kind] for kind in self._types.values())}"
        super().__init__(list(self._types), NAME, supported_language, version)

    def load(self) -> None:
        """Do nothing: there is no model."""

    def analyze(self, text: str, entities: list[str], nlp_artifacts: Any = None) -> list[RecognizerResult]:  # noqa: ARG002
        """Return what is found of the entities asked for. Presidio calls this once a text; positions are characters."""
        wanted = [kind for name, kind in self._types.items() if name in entities]
        return [self._result(kind, start, end) for _, kind, start, end in found(text, wanted)] if wanted else []

    def _result(self, kind: str, start: int, end: int) -> RecognizerResult:
        score = SCORES.get(kind, SURE)
        said = f"{kind}, version {BY_TYPE[kind].version} of its recogniser"
        return RecognizerResult(
            presidio_name(kind),
            start,
            end,
            score,
            AnalysisExplanation(recognizer=NAME, original_score=score, textual_explanation=said),
            {RecognizerResult.RECOGNIZER_NAME_KEY: NAME, RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: self.id},
        )


def found(text: str, types: Collection[str]) -> list[tuple[Any, ...]]:
    """Return row, type, start and end of each entity of one text."""
    return list(entities(pl.Series([text], dtype=pl.String), types).iter_rows())
