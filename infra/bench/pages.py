"""Web pages whose document is known: real texts of installed packages, rendered, in made-up sites around them.

The label of a page is the text of the rendered document alone, as a browser's tree gives it before any site is put around it; so
nobody judges which words count. The sites are written for this benchmark and held out: the extractor was made with others
(`tests/streams/documents/sites.py`). What stands in their menus, teasers and comments is drawn by a seed from other packages'
summaries and from the sentences below.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from streams.connectors.packages import installed_pages

CHARACTERS_MIN, CHARACTERS_MAX = 1_200, 60_000
REMARKS = (
    "Thanks for writing this down, it saved me an afternoon of reading old mailing lists.",
    "I tried the second example on my machine and it did not do what the text says it does.",
    "Could somebody explain how this compares with what everybody used ten years ago?",
    "This is wrong in so many ways that I do not know where to begin, so I will not.",
    "Works for me. The trick is to read the error message from the bottom and not from the top.",
    "We have run this in production since the spring and have hardly had to think about it since.",
)
NOTICES = (
    "We and our partners store and access information on your device to show you things that you did not ask for.",
    "By going on you agree that we may count how far down you scroll. You can change your mind at the foot of the page.",
    "Get the best stories of the week in your inbox every Friday. No spam, and you can leave whenever you like.",
)
WORDS = ("Home", "News", "Guides", "Reference", "About", "Contact", "Jobs", "Blog", "Pricing", "Support", "Community", "Archive")


@dataclass(frozen=True)
class LabelledPage:
    """One page and the text that is its document."""

    site: str
    html: str
    document: str


@dataclass(frozen=True)
class Site:
    """What a site puts around a document: made from a seeded choice of menus, teasers and remarks."""

    title: str
    menu: Sequence[str]
    teasers: Sequence[tuple[str, str]]
    remarks: Sequence[str]
    notice: str

    def links(self, names: Sequence[str] | None = None, item: str = "<li>{}</li>") -> str:
        """Return links as list items."""
        return "".join(item.format(f'<a href="/{name.lower()}">{name}</a>') for name in names or self.menu)


def documents() -> list[tuple[str, str]]:
    """Return (title, HTML) of the installed packages' Markdown pages, in order, those of a usual length."""
    import sys
    from pathlib import Path

    from markdown_it import MarkdownIt

    render = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).render
    folders = [Path(entry).resolve() for entry in sys.path if entry and Path(entry).is_dir()]
    pages = [page for page in installed_pages(folders) if page.content_type == "text/markdown"]
    chosen = [page for page in pages if CHARACTERS_MIN <= len(page.text) <= CHARACTERS_MAX]
    return [(page.title or page.package, render(page.text)) for page in chosen]


def text_of(fragment: str) -> str:
    """Return all text of a fragment of HTML."""
    from selectolax.lexbor import LexborHTMLParser

    body = LexborHTMLParser(f"<body>{fragment}").body
    return "" if body is None else body.text(separator=" ")


def labelled(sites: Sequence[Callable[[Site, str], str]], count: int, seed: int = 1) -> list[LabelledPage]:
    """Return `count` pages: documents and sites in turn, what is around them drawn by the seed."""
    chance, known = random.Random(seed), documents()
    made = []
    for number in range(count):
        title, body = known[number % len(known)]
        site = sites[(number + number // len(known)) % len(sites)]
        others = chance.sample(known, 6)
        around = Site(
            title=title,
            menu=chance.sample(WORDS, 7),
            teasers=[(escape(name), " ".join(text_of(other).split()[:28])) for name, other in others],
            remarks=chance.sample(REMARKS, 3),
            notice=chance.choice(NOTICES),
        )
        made.append(LabelledPage(site.__name__, site(around, body), text_of(body)))
    return made


def f1(found: str, document: str) -> float:
    """Return the harmonic mean of precision and recall over words, as often as each occurs."""
    a, b = (Counter(text.lower().split()) for text in (_words(found), _words(document)))
    shared = (a & b).total()
    return 2 * shared / (a.total() + b.total()) if a.total() + b.total() else 1.0


def _words(text: str) -> str:
    return "".join(character if character.isalnum() else " " for character in text)
