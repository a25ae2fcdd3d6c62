"""Our recognisers in Presidio's real engine: it finds what the stream finds, at the same places, beside its own."""

from __future__ import annotations

import polars as pl
import pytest
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer.predefined_recognizers import CreditCardRecognizer

from infra.bench.presidio_side import BlankEngine
from streams.connectors.presidio import HeadwaterRecognizer, presidio_name
from streams.recognise import TYPES, TYPES_WITH_NAMES, entities
from tests.streams.planted import HARMLESS, IN_CONTEXT, PLANTED

TEXTS = [
    *(f"👋 see {value}, please" for values in PLANTED.values() for value in values),
    *(f"note {before}{value}\nend" for values in IN_CONTEXT.values() for before, value in values),
    *HARMLESS,
    "Dear Anna Example, hello",
]


def engine_of(*recognisers: object) -> AnalyzerEngine:
    registry = RecognizerRegistry(supported_languages=["en"])
    for recogniser in recognisers:
        registry.add_recognizer(recogniser)
    return AnalyzerEngine(registry=registry, nlp_engine=BlankEngine(), supported_languages=["en"])


@pytest.fixture(scope="module")
def engine() -> AnalyzerEngine:
    return engine_of(HeadwaterRecognizer())


@pytest.mark.parametrize("text", TEXTS)
def test_presidio_finds_with_ours_what_the_stream_finds(engine, text):
    told = {(r.entity_type, r.start, r.end) for r in engine.analyze(text, "en")}
    rows = entities(pl.Series([text]), TYPES_WITH_NAMES).iter_rows()
    assert told == {(presidio_name(kind), start, end) for _, kind, start, end in rows}


def test_the_engine_is_told_every_entity_and_finds_only_those_asked_for(engine):
    assert set(engine.get_supported_entities("en")) == {presidio_name(kind) for kind in TYPES_WITH_NAMES}
    text = "jane@example.org from 192.0.2.1"
    assert [r.entity_type for r in engine.analyze(text, "en", entities=["IP_ADDRESS"])] == ["IP_ADDRESS"]
    assert [r.entity_type for r in engine.analyze(text, "en", score_threshold=0.99)] == []


def test_ours_and_its_own_run_side_by_side():
    both = engine_of(HeadwaterRecognizer(["email"]), CreditCardRecognizer())
    told = both.analyze("jane@example.org paid with 4111 1111 1111 1111, ip 192.0.2.1", "en")
    assert sorted(r.entity_type for r in told) == ["CREDIT_CARD", "EMAIL_ADDRESS"]


def test_a_find_says_which_recogniser_and_version_it_is_of(engine):
    (result,) = engine.analyze("jane@example.org", "en", return_decision_process=True)
    assert result.analysis_explanation.recognizer == "HeadwaterRecognizer"
    assert "email, version" in result.analysis_explanation.textual_explanation
    assert "jane" not in str(result.to_dict())


def test_a_type_that_there_is_not_is_refused_by_name():
    with pytest.raises(ValueError, match="shoe_size"):
        HeadwaterRecognizer([*TYPES, "shoe_size"])
