"""`headwater extract`: a document on stdin, JSON on stdout; exit 1 where no text can be had."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from typing import Any

import pytest

from infra.settings import PROJECT_FOLDER
from tests.streams.documents.made import PAGE, PARAGRAPH
from tests.streams.documents.test_sandbox import crashing_pdf, pdf_of


def extracted(content: bytes, *arguments: str) -> tuple[int, Any, str]:
    done = subprocess.run(
        [sys.executable, "-m", "infra.main", "extract", *arguments],
        cwd=PROJECT_FOLDER,
        input=content,
        capture_output=True,
        env={"PATH": "/usr/bin:/bin"},
        check=False,
    )
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr.decode()


def test_a_page_on_stdin_is_json_on_stdout():
    code, told, said = extracted(gzip.compress(PAGE.encode()))
    assert (code, said) == (0, "")
    assert list(told) == ["title", "text", "language", "content_type"]
    assert (told["title"], told["language"], told["content_type"]) == ("Harbours", "en", "text/html")
    assert PARAGRAPH in told["text"]


def test_all_tells_links_and_sections_and_the_url_makes_links_whole():
    code, told, _ = extracted(PAGE.encode(), "--all", "--url", "https://example.org/harbours/", "--content-type", "text/html")
    assert code == 0
    assert told["links"] == [{"url": "https://example.org/harbours/rules.html", "text": "the rules"}]
    assert [section["heading"] for section in told["sections"]] == ["Harbours", "At night"]


def test_text_is_regular():
    code, told, _ = extracted("e\u0301te\u0301\x07\r\nnext".encode(), "--content-type", "text/plain")
    assert (code, told["text"]) == (0, "été\nnext")


def test_a_pdf_is_read_in_the_sandbox():
    code, told, _ = extracted(pdf_of(("Harbours", PARAGRAPH)))
    assert (code, told["content_type"]) == (0, "application/pdf")
    assert PARAGRAPH in told["text"]


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02\x03" * 99, crashing_pdf(), b"<html><script>x</script></html>"])
def test_where_no_text_can_be_had_it_says_so_and_exits_1(content: bytes):
    code, told, said = extracted(content)
    assert (code, told) == (1, None)
    assert said.startswith("headwater: stdin: no text can be had from this document")
    assert "Traceback" not in said
