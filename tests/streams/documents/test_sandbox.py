"""What may crash, hang or swell its reader is read in a process of its own: the document dies, its neighbours live."""

from __future__ import annotations

import base64
import gzip
import os
import signal
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from fpdf import FPDF

from contracts.contract import DocumentPlan
from contracts.errors import StackBroken
from streams.clean import CleanState, process_batch
from streams.connectors import sandbox as sandbox_module
from streams.connectors.sandbox import ProcessSandbox, SandboxLimits
from streams.documents.extract import extracted, light
from streams.documents.model import Asked, Document, Refusal
from tests.streams.documents.made import PAGE, PARAGRAPH, SECOND, document_contract
from tests.streams.made import MASKING_KEY, RECORD_BYTES_MAX, WINDOW, records_of, value, verdicts

CPU_SECONDS = 2


@pytest.fixture(scope="module")
def sandbox() -> Iterator[ProcessSandbox]:
    made = ProcessSandbox(SandboxLimits(cpu_seconds=CPU_SECONDS, children=2))
    yield made
    made.close()


def pdf_of(*pages: tuple[str, str], title: str = "A made-up report") -> bytes:
    """Return a PDF with a bookmark and a text on each page."""
    made = FPDF()
    made.set_title(title)
    made.set_font("Helvetica", size=12)
    for heading, text in pages:
        made.add_page()
        made.start_section(heading)
        made.multi_cell(0, 8, text)
    return bytes(made.output())


def test_a_pdf_gives_its_title_its_outline_and_its_text_with_words_made_whole(sandbox: ProcessSandbox):
    content = pdf_of(
        ("Harbours", PARAGRAPH + " See https://example.org/report."), ("At night", "A boat is un-\nsinkable. " + SECOND)
    )
    (found,) = sandbox.extracted([Asked(content, "application/octet-stream")])
    assert isinstance(found, Document)
    assert (found.title, found.language, found.content_type) == ("A made-up report", "en", "application/pdf")
    assert [(section.level, section.heading) for section in found.sections] == [(1, "Harbours"), (1, "At night")]
    assert PARAGRAPH in found.text
    assert "A boat is unsinkable." in found.text
    assert [link.url for link in found.links] == ["https://example.org/report"]


def crashing_pdf() -> bytes:
    """Return a PDF whose page tree holds itself, and whose content stream is no stream: what parsers have died of."""
    body = b"%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[2 0 R 2 0 R]/Count 99999>>endobj\n"
    return body + b"trailer<</Root 1 0 R/Size 3>>\nstartxref\n0\n%%EOF"


def bomb_pdf() -> bytes:
    """Return a PDF with a page whose content is half a gigabyte of text operators, packed."""
    stream = zlib.compress(b"BT /F1 12 Tf (words words words) Tj ET\n" * 8_000_000, 9)
    head = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    page = b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>endobj\n"
    font = b"5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\n"
    content = b"4 0 obj<</Length %d/Filter/FlateDecode>>stream\n%b\nendstream endobj\n" % (len(stream), stream)
    return head + page + font + content + b"trailer<</Root 1 0 R/Size 6>>\n%%EOF"


def test_a_pdf_that_breaks_its_reader_dies_alone(sandbox: ProcessSandbox):
    good = pdf_of(("Harbours", PARAGRAPH))
    asked = [good, crashing_pdf(), bomb_pdf(), b"%PDF-1.7 and nothing more", good[: len(good) // 2], good]
    found = sandbox.extracted([Asked(content) for content in asked])
    assert [isinstance(one, Document) for one in found] == [True, False, False, False, False, True]
    assert found[0] == found[5]


def test_a_child_killed_from_without_is_no_fault_of_the_document():
    """The first child is killed before it can answer; the second try gives the answer."""
    fresh = ProcessSandbox(SandboxLimits(cpu_seconds=CPU_SECONDS, children=1))
    doomed = fresh._child()
    os.kill(doomed._process.pid, signal.SIGKILL)
    doomed._process.wait()
    fresh._give_back(doomed)
    (found,) = fresh.extracted([Asked(pdf_of(("Harbours", PARAGRAPH)))])
    fresh.close()
    assert isinstance(found, Document)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("<html>" + "<div>" * 400_000, "text/html"),
        ("<p " + " ".join(f"a{n}=1" for n in range(400_000)) + ">text", "text/html"),
        ("![" * 400_000, "text/markdown"),
    ],
    ids=["deep", "attributes", "images"],
)
def test_what_takes_too_long_is_refused_and_the_next_is_read(content: str, kind: str, sandbox: ProcessSandbox):
    assert not light(Asked(content, kind))
    slow, next_one = sandbox.extracted([Asked(content, kind), Asked(PAGE)])
    assert slow == Refusal(f"at most {CPU_SECONDS} s of processor time")
    assert isinstance(next_one, Document)


def test_what_takes_too_much_memory_is_refused():
    small = ProcessSandbox(SandboxLimits(cpu_seconds=30, memory_bytes=800 * 1024**2, children=1))
    page = "<html><body>" + "<p>a" * 2_500_000
    (found,) = small.extracted([Asked(page)])
    small.close()
    assert found in (Refusal("its reader ran out of memory"), Refusal("its reader died"))


def test_html_of_50_megabytes_is_read_within_bounds():
    wide = ProcessSandbox(SandboxLimits(cpu_seconds=60, children=1))
    page = f"<html><title>Large</title><body><p>{PARAGRAPH}</p>" + f"<p>{SECOND}</p>\n<!-- {'x' * 2_000} -->" * 24_000
    assert len(page) > 50_000_000
    (found,) = wide.extracted([Asked(page.encode())])
    wide.close()
    assert isinstance(found, Document)
    assert found.title == "Large"
    assert found.text.count("\n\n") == 24_000


def test_both_places_give_the_same_answer(sandbox: ProcessSandbox):
    asked = [Asked(PAGE, "text/html", "https://example.org/x/"), Asked(gzip.compress(PAGE.encode())), Asked("", "text/html")]
    assert sandbox.extracted(asked) == [extracted(one) for one in asked]


def test_a_batch_with_a_broken_pdf_gives_a_dead_letter_and_its_neighbours(sandbox: ProcessSandbox):
    contract = document_contract(DocumentPlan("body", "kind", encoding="base64"))
    bodies = [PAGE.encode(), crashing_pdf(), pdf_of(("Harbours", PARAGRAPH)), gzip.compress(b"a" * 99_000_000)]
    values = [value(at, body=base64.b64encode(body).decode()) for at, body in enumerate(bodies)]
    outcome = process_batch(
        records_of(values), CleanState({}, WINDOW, RECORD_BYTES_MAX, sandbox, masking_key=MASKING_KEY), contract
    )
    assert verdicts(outcome) == {0: "row", 1: "not_extractable", 2: "row", 3: "not_extractable"}
    assert outcome.rows["kind"].to_pylist() == ["text/html", "application/pdf"]


def test_a_child_that_cannot_start_is_an_error_and_no_dead_letter(monkeypatch: pytest.MonkeyPatch, tmp_path):
    broken = tmp_path / "child.py"
    broken.write_text("import a_library_that_is_not_installed\n")
    monkeypatch.setattr(sandbox_module, "CHILD", broken)
    with pytest.raises(StackBroken, match="a_library_that_is_not_installed"):
        ProcessSandbox(SandboxLimits(children=1)).extracted([Asked(PAGE)])


def test_children_end_when_they_are_closed_and_know_nothing_of_our_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HEADWATER_KAFKA_SASL_PASSWORD", "a made-up password")
    one = ProcessSandbox(SandboxLimits(children=1))
    assert isinstance(one.extracted([Asked(PAGE)])[0], Document)
    (child,) = one._idle
    assert b"made-up" not in Path(f"/proc/{child._process.pid}/environ").read_bytes()
    one.close()
    assert child._process.returncode == 0
