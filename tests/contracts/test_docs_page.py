"""The docs page: all that a contract says for people is there, escaped, and nothing is loaded from elsewhere."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.connectors.files import load_catalog, load_contract
from contracts.contract import Field, PassagePlan, Rule
from contracts.docs_page import index_page, page
from contracts.example import example_record
from contracts.html_text import element, link
from contracts.reasons import possible_reasons
from contracts.records import Reason
from infra.settings import PROJECT_FOLDER
from tests.contracts.made import read, sound, text_of
from tests.streams.made import cleaned, contract_of, records_of

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
        "One record per change of an order.", "shop_reader", "SELECT sum(amount) FROM", "kafka://<broker>:<port>",
    ):  # fmt: skip
        assert said in text, said


def test_a_page_is_complete_in_itself():
    read_page = Balanced(page(RICH))
    assert not read_page.tags & {"script", "link", "img", "iframe"}
    assert "url(" not in page(RICH)
    assert all(address.startswith(("#", "index.html", "https://example.org/")) for address in read_page.addresses)


def test_a_page_tells_the_reasons_that_its_own_records_can_be_refused_for_and_the_commands():
    text = Balanced(page(RICH)).text
    assert all(reason.value in text for reason in possible_reasons(RICH))
    assert not {"frozen", "discarded_row", "not_extractable", "no_row"} & set(text.split())
    assert f"headwater replay {RICH.dataset}" in text
    frozen = replace(RICH, mode="freeze", envelope="debezium")
    assert set(possible_reasons(frozen)) >= {Reason.FROZEN, Reason.NO_ROW}
    assert not set(possible_reasons(frozen)) & {Reason.RULE_BROKEN, Reason.MISSING_VALUE}
    one_field = replace(RICH, fields=(*RICH.fields[:-1], replace(RICH.fields[-1], mode="discard_row")))
    assert {Reason.DISCARDED_ROW, Reason.RULE_BROKEN} <= set(possible_reasons(one_field))


def test_a_page_tells_who_keeps_the_contract_and_how_its_documents_are_read():
    text = Balanced(page(RICH)).text
    assert "Kept by: " in text
    assert "Ask in " in text
    assert "Documents" not in text
    nobody = read()
    assert "the contract names no team" in Balanced(page(nobody)).text
    documents = Balanced(page(load_contract(PROJECT_FOLDER / "contracts" / "docs" / "pages.odcs.yaml"))).text
    assert "markdown@1" in documents
    assert "of at most 70 tokens" in Balanced(page(replace(RICH, passages=PassagePlan(tokens=70)))).text


@pytest.mark.parametrize("contract", [RICH, *load_catalog([PROJECT_FOLDER / "contracts"])], ids=lambda c: c.dataset)
def test_the_example_on_a_page_is_a_record_that_the_stream_lets_through(contract):
    outcome = cleaned(records_of([json.dumps(example_record(contract)).encode()]), contract)
    assert outcome.dead_letters.to_pylist() == []
    assert outcome.rows.num_rows == 1


def test_an_example_is_found_that_obeys_the_rules_where_none_is_given_or_a_given_one_breaks_them():
    def field(kind, *rules, **more):
        return Field("f", kind, rules=tuple(Rule(kind, kind, argument) for kind, argument in rules), **more)

    text = field("string", ("pattern", "^[A-Z]{2}-[0-9]+$"), examples=("no", "DE-7"))
    assert example_record(contract_of(text))["f"] == "DE-7"
    for tried in (
        replace(text, examples=()), field("integer", ("minimum", 1_000), ("multiple_of", 7)), field("string", ("format", "uuid")),
        field("timestamp", ("exclusive_minimum", "2030-01-01T00:00:00Z")), field("date", ("maximum", "1999-12-31")),
        field("array", ("min_items", 3), ("unique_items", True), items=Field("", "string", rules=(Rule("m", "min_length", 6),))),
        field("object", fields=(field("number", ("exclusive_maximum", -1)),)),
    ):  # fmt: skip
        contract = contract_of(tried)
        outcome = cleaned(records_of([json.dumps(example_record(contract)).encode()]), contract)
        assert outcome.dead_letters.to_pylist() == [], tried


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
