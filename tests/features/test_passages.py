from __future__ import annotations

import itertools
import re

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from features.passages import OVERLAP_CHARACTERS, PASSAGE_CHARACTERS, SHORTEST_CHARACTERS, passages_of, split

MARKDOWN = """intro that stands before any heading

# Name

what it does, in one line

## Install

run the installer and wait

```
# not a heading, but a comment in a fence
```

Old style
---------

underlined headings count as well
"""
PARAGRAPHS = st.lists(st.text(alphabet="abc .\n", max_size=400), max_size=12).map("\n\n".join)


def test_passages_follow_the_sections_of_markdown_and_of_underlined_titles() -> None:
    found = [(p.section, p.text.splitlines()[0]) for p in split("p", MARKDOWN)]
    assert found == [
        ("", "intro that stands before any heading"),
        ("Name", "what it does, in one line"),
        ("Name › Install", "run the installer and wait"),
        ("Name › Old style", "underlined headings count as well"),
    ]
    assert "not a heading" in split("p", MARKDOWN)[2].text


def test_plain_text_has_no_sections() -> None:
    assert {p.section for p in split("p", MARKDOWN, "text/plain")} == {""}


@settings(max_examples=200, deadline=None)
@given(PARAGRAPHS)
def test_no_word_of_a_page_is_lost_and_no_passage_is_too_long(text: str) -> None:
    found = split("p", text, "text/plain")
    assert all(len(p.text) <= PASSAGE_CHARACTERS + OVERLAP_CHARACTERS for p in found)
    kept = set(re.findall(r"\S+", " ".join(p.text for p in found)))
    assert kept == (set(re.findall(r"\S+", text)) if found else set())
    assert found or len(" ".join(text.split())) < SHORTEST_CHARACTERS


def test_a_long_section_is_cut_and_each_part_begins_with_the_end_of_the_one_before() -> None:
    text = " ".join(f"Sentence number {n} says a little." for n in range(120))
    parts = [p.text for p in split("p", text, "text/plain")]
    assert len(parts) > 3
    for before, after in itertools.pairwise(parts):
        assert after.split("\n\n")[0] in before


def test_a_passage_keeps_its_name_while_its_text_and_section_stay() -> None:
    before = {p.text: p.passage_id for p in split("p", MARKDOWN)}
    after = {
        p.text: p.passage_id
        for p in split("p", "a new line at the very top of it\n\n# News\n\nlots of news here today\n\n" + MARKDOWN)
    }
    assert before["what it does, in one line"] == after["what it does, in one line"]
    assert (
        before["what it does, in one line"] != {p.text: p.passage_id for p in split("q", MARKDOWN)}["what it does, in one line"]
    )


def test_the_same_text_twice_on_a_page_is_one_passage() -> None:
    twice = "# A\n\nthe very same words here\n\n# A\n\nthe very same words here\n"
    assert len(split("p", twice)) == 1


def test_passages_say_which_row_of_the_pages_they_are_from() -> None:
    pages = pd.DataFrame(
        {
            "page_id": ["x", "y", "z"],
            "title": ["X", None, "Z"],
            "content_type": [None] * 3,
            "text": ["# H\n\n" + "word " * 10, None, "tiny"],
        }
    )
    made = passages_of(pages, page="page_id", text="text", title="title", content_type="content_type", passage="passage_id")
    assert made.index.tolist() == [0]
    assert made["text"].tolist()[0].startswith("X › H\nword")
