"""A document field leaves the clean hop as text, with its siblings filled; a document without text is a dead letter."""

from __future__ import annotations

import base64

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.contract import DocumentPlan
from streams import clean
from streams.clean import CleanState
from streams.encode import encoded_rows
from tests.streams.documents.made import PAGE, PARAGRAPH, document_contract
from tests.streams.made import MASKING_KEY, RECORD_BYTES_MAX, cleaned, landed, records_of, sent, sorted_rows, value, verdicts

BYTES = DocumentPlan("body", "kind", encoding="base64")


def test_a_page_becomes_text_and_its_siblings_are_filled():
    outcome = cleaned(
        records_of([value(1, body=PAGE), value(2, body=f"# T\n\n{PARAGRAPH}", title="mine", kind="text/markdown")]),
        document_contract(),
    )
    first, second = outcome.rows.to_pylist()
    assert first["body"].startswith("Harbours\n\nThe harbour master")
    assert (first["title"], first["language"], first["kind"]) == ("Harbours", "en", "text/html")
    assert first["links"] == [{"url": "rules.html", "text": "the rules"}]
    assert [section["heading"] for section in first["sections"]] == ["Harbours", "At night"]
    assert (second["title"], second["kind"], second["links"]) == ("mine", "text/markdown", [])


def test_base64_is_bytes_and_what_is_none_is_a_dead_letter():
    bodies = ["naïve café, and more of it".encode("cp1252"), b"%no pdf\xff"]
    values = [value(at, body=base64.b64encode(body).decode()) for at, body in enumerate(bodies)]
    outcome = cleaned(records_of([*values, value(9, body="not base64!")]), document_contract(BYTES))
    assert outcome.rows["body"].to_pylist() == ["naïve café, and more of it", "%no pdfÿ"]
    letter = outcome.dead_letters.to_pylist()[0]
    assert (letter["reason"], letter["field"], letter["rule"]) == ("undecodable", "body", "base64")


def test_a_document_without_text_is_a_dead_letter_and_one_that_is_null_is_not():
    values = [value(1, body="<html></html>"), value(2), value(3, body="words", kind="image/png"), value(4, body="words")]
    outcome = cleaned(records_of(values), document_contract())
    assert verdicts(outcome) == {0: "not_extractable", 1: "row", 2: "not_extractable", 3: "row"}
    assert outcome.dead_letters["rule"].to_pylist() == ["no text", "content type"]
    assert outcome.reasons == {"not_extractable": 2}


DOCUMENTS = st.sampled_from([PAGE, "<p></p>", "# A\n\ntext", "words", "", None, "Title\n=====\n\n::\n\n  code", "\x07" * 99])


@given(st.lists(DOCUMENTS, min_size=1, max_size=8), st.integers(1, 7))
def test_any_split_into_batches_gives_the_same(documents: list[str | None], cut: int):
    contract = document_contract()
    values = [value(at, body=body) for at, body in enumerate(documents)]
    whole = cleaned(records_of(values), contract)
    state, rows, letters = CleanState({}, 1_000, RECORD_BYTES_MAX, masking_key=MASKING_KEY), [], []
    for part, first in ((values[:cut], 0), (values[cut:], cut)):
        if part:
            outcome = clean.process_batch(records_of(part, first=first), state, contract)
            state = outcome.state
            rows += outcome.rows.to_pylist()
            letters += outcome.dead_letters.to_pylist()
    assert rows == whole.rows.to_pylist()
    assert letters == whole.dead_letters.to_pylist()


def test_what_land_reads_is_what_clean_wrote():
    contract = document_contract()
    outcome = cleaned(records_of([value(1, body=PAGE), value(2)]), contract)
    messages = sent(encoded_rows(outcome.rows, contract), contract.clean_topic)
    assert sorted_rows(landed(messages, contract).rows) == sorted_rows(outcome.rows)


def test_text_that_outgrew_its_record_is_a_dead_letter():
    """A short page can hold a long base, which every link of it repeats."""
    links = "".join(f'some more words between links <a href="{n}">{n}</a>' for n in range(1_500))
    page = f'<!doctype html><base href="https://example.org/{"x" * 20_000}/"><p>{PARAGRAPH}</p><p>words {links}'
    contract = document_contract()
    outcome = cleaned(records_of([value(1, body=page)]), contract)
    assert verdicts(outcome) == {0: "too_large"}
    assert all(
        len(message.value_ or b"") < 1 << 24 for message in sent(encoded_rows(outcome.rows, contract), contract.clean_topic)
    )


def test_a_job_without_a_sandbox_says_so_and_blames_no_record():
    body = base64.b64encode(b"%PDF-1.7").decode()
    with pytest.raises(ValueError, match="sandbox"):
        cleaned(records_of([orjson.dumps({"id": "1", "at": "2013-01-01T06:00:00Z", "body": body})]), document_contract(BYTES))
