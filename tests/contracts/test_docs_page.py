"""The docs page: all that a contract says for people is there, escaped, and nothing is loaded from elsewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.connectors.files import load_contract
from contracts.docs_page import index_page, page
from contracts.html_text import element, link
from contracts.records import Reason
from contracts.remedies import REMEDIES
from tests.contracts.made import read, sound, text_of

RICH = load_contract(Path(__file__).parent / "rich.odcs.yaml")
VOID = {"meta"}


class Balanced(HTMLParser):
    """Reads a page and keeps its text, its links, and whether each tag is closed where it should be."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.addresses: list[str] = []
        self.tags: set[str] = set()
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)


def test_a_page_tells_schema_rules_privacy_names_people_and_what_to_do_with_dead_letters():
    text = Balanced(page(RICH)).text
    for said in (
        "lines[].marks", "a multiple of 0.01",
        "shipped_at IS NULL OR shipped_at >= ordered_at", "replaced whole by a placeholder",
        "shop.orders.raw.v2", f"silver/shop/{RICH.name}", "Ada Example", "#shop-data", "From order to silver", "rule_broken",
        "Prices are those of the day of the order.", "invalid values of state", "0.5 EUR per gigabyte", RICH.hash,
        "One record per change of an order.", "shop_reader",
    ):  # fmt: skip
        assert said in text, said


def test_a_page_is_complete_in_itself():
    read_page = Balanced(page(RICH))
    assert not read_page.tags & {"script", "link", "img", "iframe"}
    assert "url(" not in page(RICH)
    assert all(address.startswith(("#", "index.html", "https://example.org/")) for address in read_page.addresses)


def test_every_reason_of_a_dead_letter_has_a_remedy():
    assert set(REMEDIES) == set(Reason)


@settings(max_examples=40, deadline=None)
@given(st.text(min_size=1).filter(str.strip), st.sampled_from(["purpose", "usage", "limitations", "field", "tag", "example"]))
def test_whatever_a_contract_says_is_text_and_never_markup(said, where):
    said = f"<script>alert('{said}')</script>&"
    data = sound()
    first = data["schema"][0]["properties"][0]
    if where == "field":
        first["description"] = said
    elif where == "tag":
        data["tags"] = [said]
    elif where == "example":
        first["examples"] = [said]
    else:
        data["description"][where] = said
    html = page(read(text_of(data)))
    assert "<script" not in html
    assert "script" not in Balanced(html).tags


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", " https://example.org", "JAVASCRIPT:x", "//x"])
def test_an_address_that_is_no_web_address_is_text(address):
    assert "<a" not in link(address)


def test_attributes_are_escaped_too():
    assert element("a", "x", href='"><script>') == '<a href="&quot;&gt;&lt;script&gt;">x</a>'


def test_the_index_leads_to_every_page():
    html = index_page([RICH, read()])
    assert set(re.findall(r'href="([^"]+)"', html)) == {f"{contract.dataset}.html" for contract in (RICH, read())}
    assert "shop-data" in Balanced(html).text
