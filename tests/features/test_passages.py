from __future__ import annotations

import itertools
from typing import Any

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.contract import PassagePlan
from features.passages import PLAN, SHORTEST_TOKENS, TOKEN, passages_of, split, tokens_in

SECTIONS = [
    {"level": 0, "heading": "", "text": "intro that stands before any heading"},
    {"level": 1, "heading": "Name", "text": "what it does, in one line"},
    {"level": 2, "heading": "Install", "text": "run the installer and wait\n\n# no heading, but a comment in code"},
    {"level": 2, "heading": "Use", "text": ""},
    {"level": 3, "heading": "At night", "text": "only when the light on the outer wall is on"},
    {"level": 1, "heading": "Licence", "text": "do as you like, but say so"},
]
SMALL = PassagePlan(tokens=40, overlap=8)
PARAGRAPHS = st.lists(st.text(alphabet="abcdefg .\nあ", max_size=300), max_size=12).map("\n\n".join)
PLANS = st.sampled_from([SMALL, PassagePlan(20, 0), PassagePlan(200, 20), PassagePlan(7, 6)])
SENTENCES = [f"Sentence number {n} says a little of {n * 7919 % 101}." for n in range(300)]


def test_passages_follow_the_sections_and_keep_the_path_of_headings() -> None:
    found = [(p.section, p.text.splitlines()[0]) for p in split("p", "", SECTIONS)]
    assert found == [
        ("", "intro that stands before any heading"),
        ("Name", "what it does, in one line"),
        ("Name › Install", "run the installer and wait"),
        ("Name › Use › At night", "only when the light on the outer wall is on"),
        ("Licence", "do as you like, but say so"),
    ]


def test_text_without_sections_is_one() -> None:
    assert {p.section for p in split("p", "words and more words of no section")} == {""}
    assert split("p", "words and more words of no section", []) == split("p", "words and more words of no section", None)


def test_a_token_is_a_short_word_a_part_of_a_long_one_a_mark_or_a_character() -> None:
    assert tokens_in("The harbour, again: 港の") == 1 + 2 + 1 + 1 + 1 + 2


@settings(max_examples=200, deadline=None)
@given(PARAGRAPHS, PLANS)
def test_no_word_is_lost_and_no_passage_is_too_long(text: str, plan: PassagePlan) -> None:
    found = split("p", text, None, plan)
    assert all(tokens_in(p.text) <= plan.tokens for p in found)
    assert all(tokens_in(p.text) >= 1 for p in found)
    kept = {word for p in split("p", text, None, PassagePlan(plan.tokens, 0)) for word in TOKEN.findall(p.text)}
    assert kept == (set(TOKEN.findall(text)) if found else set())
    assert found or tokens_in(text) < SHORTEST_TOKENS


def test_a_long_section_is_cut_and_each_part_begins_with_the_end_of_the_one_before() -> None:
    parts = [p.text for p in split("p", " ".join(SENTENCES), None, SMALL)]
    assert len(parts) > 10
    for before, after in itertools.pairwise(parts):
        overlap = after.split("\n")[0]
        assert before.endswith(overlap)
        assert 0 < tokens_in(overlap) <= SMALL.overlap


def test_paragraphs_are_not_cut_where_they_need_not_be() -> None:
    paragraphs = [" ".join(SENTENCES[n : n + 2]) for n in range(0, 40, 2)]
    for passage in split("p", "\n\n".join(paragraphs), None, PassagePlan(100, 0)):
        assert all(part in paragraphs for part in passage.text.split("\n\n"))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 299), st.sampled_from(["", "A sentence that was not there before.", "Another.\n\nAnd a paragraph."]))
def test_an_edit_changes_the_names_of_the_passages_near_it_alone(at: int, new: str) -> None:
    plan = PassagePlan(200, 20)
    before = split("p", "\n\n".join(SENTENCES), None, plan)
    after = split("p", "\n\n".join([*SENTENCES[:at], *([new] if new else []), *SENTENCES[at + 1 :]]), None, plan)
    gone = {p.passage_id for p in before} - {p.passage_id for p in after}
    assert 1 <= len(gone) <= 8
    assert len(before) > 20


def test_a_passage_keeps_its_name_while_its_text_and_section_stay() -> None:
    before = {p.text: p.passage_id for p in split("p", "", SECTIONS)}
    news = {"level": 1, "heading": "News", "text": "lots of news here today"}
    after = {p.text: p.passage_id for p in split("p", "", [news, *SECTIONS])}
    assert before.items() <= after.items()
    other = {p.text: p.passage_id for p in split("q", "", SECTIONS)}
    assert not set(before.values()) & set(other.values())


def test_the_same_text_twice_in_a_section_is_one_passage() -> None:
    twice: list[dict[str, Any]] = [{"level": 1, "heading": "A", "text": "the very same words here"}] * 2
    assert len(split("p", "", twice)) == 1


def test_passages_say_which_row_of_the_pages_they_are_from_and_what_they_are_about() -> None:
    pages = pd.DataFrame({"page_id": ["x", "y", "z"], "title": ["X", None, "Z"], "text": ["word " * 10, None, "tiny"]})
    names = {"page": "page_id", "text": "text", "title": "title", "sections": "sections", "passage": "passage_id"}
    assert passages_of(pages, **names).index.tolist() == [0]
    pages["sections"] = [[{"level": 1, "heading": "H", "text": "word " * 10}], None, None]
    made = passages_of(pages, **names)
    assert made.index.tolist() == [0]
    assert made["text"].tolist()[0].startswith("X › H\nword")
    assert list(made.columns) == ["page_id", "title", "passage_id", "section", "text"]


def test_the_contract_says_how_long_passages_are() -> None:
    pages = pd.DataFrame({"page_id": ["x"], "title": [None], "text": [" ".join(SENTENCES)], "sections": [None]})
    names = {"page": "page_id", "text": "text", "title": "title", "sections": "sections", "passage": "passage_id"}
    pages.attrs[PLAN] = SMALL
    assert passages_of(pages, **names)["text"].map(tokens_in).max() <= SMALL.tokens
    pages.attrs[PLAN] = PassagePlan(400, 0)
    assert passages_of(pages, **names)["text"].map(tokens_in).max() > 200
