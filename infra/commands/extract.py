"""`headwater extract`: one document on stdin, its text and parts as JSON on stdout."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

EXAMPLE = """\b
Examples:
  headwater extract < page.html
  headwater extract --content-type text/markdown --all < README.md
  curl -s https://example.org/report.pdf | headwater extract --url https://example.org/report.pdf
"""


@click.command(epilog=EXAMPLE)
@click.option("--content-type", help="What it is, as in text/html; charset=utf-8. Told from the content if not given.")
@click.option("--url", help="Where it was found: its relative links are made absolute.")
@click.option("--all", "everything", is_flag=True, help="Print links and sections too.")
@click.option("--json", "_json_wanted", is_flag=True, help="Print JSON, which is what this command prints in any case.")
def extract(content_type: str | None, url: str | None, everything: bool, _json_wanted: bool) -> None:
    """Make the document on stdin text: HTML, Markdown, reST, plain text or PDF, plain or packed with gzip.

    Prints title, text, language and content_type. The text is what the clean hop would make of the document, before masking.
    Exits 1 if no text can be had from it.
    """
    from contracts.errors import NotExtractable
    from streams.connectors.sandbox import ProcessSandbox
    from streams.documents.decode import UNPACKED_BYTES_MAX
    from streams.documents.extract import extracted, light
    from streams.documents.model import Asked, Refusal

    content = sys.stdin.buffer.read(UNPACKED_BYTES_MAX + 1)
    if len(content) > UNPACKED_BYTES_MAX:
        raise NotExtractable("the document is too long", expected=f"at most {UNPACKED_BYTES_MAX:,} bytes", where="stdin")
    asked = Asked(content, content_type, url)
    found = extracted(asked) if light(asked) else ProcessSandbox().extracted([asked])[0]
    if isinstance(found, Refusal):
        raise NotExtractable(
            f"no text can be had from this document: {found.rule}",
            expected="HTML, Markdown, reST, plain text or PDF, with text in it",
            where="stdin",
            remedy="say what it is with --content-type, if it was mistaken for something else",
        )
    told: dict[str, Any] = {
        "title": found.title and regular_text(found.title),
        "text": regular_text(found.text),
        "language": found.language,
        "content_type": found.content_type,
    }
    if everything:
        told["links"] = [{"url": link.url, "text": link.text} for link in found.links]
        told["sections"] = [
            {"level": section.level, "heading": regular_text(section.heading), "text": regular_text(section.text)}
            for section in found.sections
        ]
    click.echo(json.dumps(told, ensure_ascii=False, indent=2))


def regular_text(text: str) -> str:
    """Return text as the clean hop makes it regular."""
    import polars as pl

    from streams.text import regular

    return str(pl.select(regular(pl.lit(text))).item())
