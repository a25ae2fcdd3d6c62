"""Presidio's AnalyzerEngine with a recogniser for each type that ours has: its own where it has one, else one given to it.

Presidio recommends a language model for names; without one its engine runs pattern recognisers on `spacy.blank("en")`. A
blank pipeline has no lemmas and Presidio's context words go by them, so each word is made its own lemma. For the types that
it does not know it is given our patterns and check digits, as its own `PatternRecognizer`s with context words. All of
them run for every text, whatever its language, as ours do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import regex
import spacy
import tldextract
from presidio_analyzer import AnalyzerEngine, Pattern, PatternRecognizer, RecognizerRegistry, RecognizerResult
from presidio_analyzer import predefined_recognizers as own
from presidio_analyzer.nlp_engine import SpacyNlpEngine
from spacy.language import Language
from spacy.tokens import Doc

from infra.bench.masked_texts import Label
from streams.recognise import TYPES_WITH_NAMES
from streams.recognisers import credentials, national_ids, people
from streams.recognisers.shape import Finder, letters_and_digits

REGIONS = ("US", "GB", "DE", "FR", "IL", "IN", "CA", "BR")
"""PhoneRecognizer's own default, with the two codes mended that name no region."""

TYPE_OF: Mapping[str, str] = {
    "EMAIL_ADDRESS": "email", "PHONE_NUMBER": "phone", "IP_ADDRESS": "ip", "CREDIT_CARD": "card", "IBAN_CODE": "iban",
    "US_SSN": "us_ssn", "US_ITIN": "us_ssn", "UK_NINO": "uk_nino", "UK_NHS": "uk_nhs", "ES_NIF": "es_id", "ES_NIE": "es_id",
    "IT_FISCAL_CODE": "it_fiscal_code", "PL_PESEL": "pl_pesel", "IN_AADHAAR": "in_aadhaar", "IN_PAN": "in_pan",
    "AU_TFN": "au_tfn", "FI_PERSONAL_IDENTITY_CODE": "fi_hetu", "SG_NRIC_FIN": "sg_nric", "KR_RRN": "kr_rrn",
}  # fmt: skip
"""Presidio's entities that are types of ours."""

SUFFIXES = tldextract.TLDExtract(suffix_list_urls=())


class _Email(own.EmailRecognizer):
    """Presidio's own, with the list of public suffixes that its package carries: by itself it looks for a newer one online."""

    def validate_result(self, pattern_text: str) -> bool:
        """Say whether the address is of a registered domain, as Presidio does."""
        return SUFFIXES(pattern_text).fqdn != ""


OWN = (
    _Email, own.IpRecognizer, own.CreditCardRecognizer, own.IbanRecognizer, own.UsSsnRecognizer,
    own.UsItinRecognizer, own.UkNinoRecognizer, own.NhsRecognizer, own.EsNifRecognizer, own.EsNieRecognizer,
    own.ItFiscalCodeRecognizer, own.PlPeselRecognizer, own.InAadhaarRecognizer, own.InPanRecognizer, own.AuTfnRecognizer,
    own.FiPersonalIdentityCodeRecognizer, own.SgFinRecognizer, own.KrRrnRecognizer,
)  # fmt: skip
PLACE = {kind: place for place, kind in enumerate(TYPES_WITH_NAMES)}
"""Of two types with one score, the one that ours would name."""
THRESHOLDS = (0.0, 0.1, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7)
FLAGS = regex.DOTALL | regex.MULTILINE
SHAPE_SCORE, NEAR_SCORE = 0.5, 0.2
NOT_WORD = r"(?<![0-9A-Za-z_])"


@Language.component("word_is_its_own_lemma")
def _lemmas(doc: Doc) -> Doc:
    for token in doc:
        token.lemma_ = token.lower_
    return doc


class BlankEngine(SpacyNlpEngine):
    """A blank English pipeline as Presidio's NLP engine."""

    def __init__(self) -> None:
        super().__init__()
        pipeline = spacy.blank("en")
        pipeline.add_pipe("word_is_its_own_lemma")
        self.nlp = {"en": pipeline}  # type: ignore[assignment]  # it says None and means a mapping


class _Given(PatternRecognizer):
    """One of our finders as a pattern recogniser: the match is cut down to what its judge says is real."""

    def __init__(self, finder: Finder) -> None:
        pattern = python_syntax(finder.pattern)
        super().__init__(
            finder.types[0],
            f"given_{finder.types[0]}",
            patterns=[Pattern("given", pattern, SHAPE_SCORE)],
            global_regex_flags=FLAGS,
        )
        self.supported_entities = list(finder.types)
        self._hit, self._finder = regex.compile(pattern, FLAGS), finder

    def analyze(self, text: str, entities: list[str], nlp_artifacts: Any = None, regex_flags: int | None = None) -> list[Any]:
        """Return Presidio's own matches, each cut down to its real part."""
        made = []
        for result in super().analyze(text, entities, nlp_artifacts, regex_flags):
            match = self._hit.fullmatch(text[result.start : result.end])
            if match is None:
                continue
            begin = result.start + match.start("hit")
            parts = self._finder.judge(match["hit"]) if self._finder.judge else ((0, len(match["hit"]), self._finder.types[0]),)
            made += [_moved(result, begin + start, begin + end, kind) for start, end, kind in parts]
        return made


class _Checked(PatternRecognizer):
    """A country's number: its shape, or a looser one with context words, and its check digits."""

    def __init__(self, number: national_ids.NationalId) -> None:
        self._real = number.real
        shapes = [Pattern("shape", _bounded(number.shape), SHAPE_SCORE)] if number.shape else []
        near = [Pattern("near", _bounded(number.near_shape), NEAR_SCORE)] if number.near_shape else []
        super().__init__(
            number.type,
            f"given_{number.type}",
            patterns=shapes + near,
            context=number.near.split("|") if number.near else [],
            global_regex_flags=FLAGS,
        )

    def validate_result(self, pattern_text: str) -> bool | None:
        """Refuse what fails its check; what passes keeps its pattern's score, as bare digits pass one time in ten."""
        return None if self._real(letters_and_digits(pattern_text)) else False


def engine(types: Collection[str]) -> AnalyzerEngine:
    """Return an engine that looks for these types of ours."""
    registry = RecognizerRegistry(supported_languages=["en"])
    known = {TYPE_OF[entity] for entity in TYPE_OF}
    for kind in OWN:
        made = kind(supported_language="en")
        if TYPE_OF[made.supported_entities[0]] in types:
            registry.add_recognizer(made)
    if "phone" in types:
        registry.add_recognizer(own.PhoneRecognizer(supported_regions=REGIONS))
    finders = [*credentials.FINDERS, *people.FINDERS]
    for given in [_Given(finder) for finder in finders if set(finder.types) & set(types) - known]:
        registry.add_recognizer(given)
    for number in national_ids.NATIONAL_IDS:
        if number.type in types and number.type not in known:
            registry.add_recognizer(_Checked(number))
    return AnalyzerEngine(registry=registry, nlp_engine=BlankEngine(), supported_languages=["en"])


def spans(results: Sequence[RecognizerResult], threshold: float) -> list[Label]:
    """Return results as types of ours: of those within one another the better one, as Presidio's anonymizer takes them.

    Presidio-anonymizer's rule: a result goes if another of at least its score has the same place, or holds it.
    """
    held = sorted(
        (r for r in results if r.score >= threshold),
        key=lambda r: (r.start - r.end, -r.score, PLACE[TYPE_OF.get(r.entity_type, r.entity_type)]),
    )
    kept: list[RecognizerResult] = []
    for result in held:
        same = [other for other in kept if (other.start, other.end) == (result.start, result.end)]
        if not same and not any(other.start <= result.start and result.end <= other.end for other in kept):
            kept.append(result)
    return [(TYPE_OF.get(r.entity_type, r.entity_type), r.start, r.end) for r in kept]


def python_syntax(pattern: str) -> str:
    r"""Return a pattern of Rust's syntax in that of `regex`: `\u{a0}` is `\u00a0`, and there is no flag to leave Unicode."""
    pattern = re.sub(r"\\u\{([0-9a-f]+)\}", lambda code: f"\\u{int(code[1], 16):04x}", pattern)
    return pattern.replace("(?-u:", "(?:").replace("(?i-u:", "(?i:")


def _bounded(shape: str) -> str:
    return rf"{NOT_WORD}(?:{shape})\b"


def _moved(result: RecognizerResult, start: int, end: int, kind: str) -> RecognizerResult:
    return RecognizerResult(
        kind, start, end, result.score, result.analysis_explanation, recognition_metadata=result.recognition_metadata
    )


Finding = Callable[[Sequence[str]], list[list[RecognizerResult]]]


def finding(types: Collection[str]) -> Finding:
    """Return what runs the engine over texts, one after the other."""
    running = engine(types)
    return lambda texts: [running.analyze(text, "en") for text in texts]
