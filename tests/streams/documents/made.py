"""Documents, and contracts of documents, that these tests are made of."""

from __future__ import annotations

from dataclasses import replace

from contracts.contract import Contract, DocumentPlan, Field
from contracts.documents import STEPS
from streams.documents.extract import extracted
from streams.documents.model import Asked, Document
from tests.streams.made import contract_of

PARAGRAPH = "The harbour master counts the boats that come in with the tide, and writes their names into a long green book."
SECOND = "When the light on the outer wall goes out, nobody leaves before the bell has been rung twice from the old tower."
PAGE = f"""<!doctype html><html lang="en"><head><title>Harbours | Example Site</title><style>p {{ color: red }}</style></head>
<body class="has-sidebar"><header class="site-header"><a href="/">Home</a> <a href="/about">About us</a></header>
<nav><ul><li><a href="/one">One</a></li><li><a href="/two">Two</a></li></ul></nav>
<div class="cookie-banner"><p>We use cookies to make this site better for you, and for those who sell what you never wanted.
</p></div>
<main><article><h1>Harbours</h1><p>{PARAGRAPH}</p><h2>At night</h2><p>{SECOND} See <a href="rules.html">the rules</a>.</p>
<ul><li>first rule</li><li>second rule</li></ul><pre>ring()
  twice()</pre><table><tr><th>boat</th><th>length</th></tr><tr><td>Ada</td><td>12</td></tr></table></article></main>
<section id="comments"><p>Somebody who read this had something to say about boats that is not about harbours in the least.
</p></section>
<footer>© Example Site. All rights reserved.</footer><script>var x = "<p>not text</p>"</script></body></html>"""

SIBLINGS = (
    Field("title", "string", classification="public"),
    Field("language", "string", classification="public"),
    Field(
        "links",
        "array",
        items=Field(
            "",
            "object",
            fields=(Field("url", "string", classification="public"), Field("text", "string", classification="public")),
        ),
    ),
    Field(
        "sections",
        "array",
        items=Field(
            "",
            "object",
            fields=(
                Field("level", "integer"),
                Field("heading", "string", classification="public"),
                Field("text", "string", classification="public"),
            ),
        ),
    ),
)


def document_of(content: bytes | str, content_type: str | None = None, steps: tuple[str, ...] = tuple(STEPS)) -> Document:
    """Return what a document comes to; fail the test if it is refused."""
    found = extracted(Asked(content, content_type, "https://example.org/docs/", steps))
    assert isinstance(found, Document), found
    return found


def document_contract(plan: DocumentPlan | None = None) -> Contract:
    """Return a contract whose `body` is a document, with every sibling that can be filled."""
    made = contract_of(
        Field("body", "string", classification="public"),
        Field("kind", "string", classification="public"),
        *SIBLINGS,
        name="pages",
    )
    return replace(made, document=plan or DocumentPlan("body", "kind"))
