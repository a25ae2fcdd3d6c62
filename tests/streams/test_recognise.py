"""Recognition: what is planted is found whole, under its type, wherever it stands; what is harmless is not."""

from __future__ import annotations

import itertools
from uuid import UUID

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.placeholders import PATTERN
from streams.recognise import CODE, FINDERS, RECOGNISER_VERSION, TYPES, TYPES_WITH_NAMES, _within_code, entities
from tests.streams.planted import HARMLESS, IN_CONTEXT, PLANTED

ALONE = [(kind, value) for kind, values in PLANTED.items() for value in values if kind != "url_credentials"]
BEHIND = [(kind, before, value) for kind, values in IN_CONTEXT.items() for before, value in values]
EVERY = [value for _, value in ALONE] + [before + value for _, before, value in BEHIND]
AROUND = st.text(st.sampled_from("ab Zß日.,;!?()\"'\n\t-#/@…👋\u0301"), max_size=12)
TEXTS = st.lists(
    st.sampled_from([*EVERY, *HARMLESS, "@", "::", "+", "0", " ", "key=", "<email:bcdfghjklmnp>"]) | AROUND, max_size=6
).map(" ".join)


def found(text: str, **more: object) -> list[tuple[str, str]]:
    return [(kind, text[start:end]) for _, kind, start, end in entities(pl.Series([text]), **more).iter_rows()]


@pytest.mark.parametrize(("kind", "value"), ALONE)
def test_what_is_planted_is_found_whole_and_under_its_type(kind, value):
    assert found(f"👋 see {value}, please") == [(kind, value)]


@pytest.mark.parametrize(("kind", "before", "value"), BEHIND)
def test_what_words_tell_is_found_behind_them(kind, before, value):
    assert found(f"note {before}{value}\nend") == [(kind, value)]


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_harmless_is_left_alone(text):
    assert found(text) == []


def test_names_are_found_by_title_greeting_and_list_only_if_they_are_asked_for():
    text = "Dr. Qwerty Zuiop met Paolo Rossi. Hi Anna, Hello World, Jack London Street"
    assert found(text, types=TYPES) == []
    assert found(text, types=TYPES_WITH_NAMES) == [
        ("person", "Qwerty Zuiop"), ("person", "Paolo Rossi"), ("person", "Anna"), ("person", "Jack London"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("José García and Łukasz Nowak", ["José García", "Łukasz Nowak"]),
        ("Dear Qwertina, hello", ["Qwertina"]),
        ("Pedro van der Berg wrote: no", ["Pedro van der Berg"]),
        ("Qwert Zuiop schrieb: nein", ["Qwert Zuiop"]),
        ("full_name: Qwertina K. Zuiop", ["Qwertina K. Zuiop"]),
        ("Best wishes,\nQwert Zuiop", ["Qwert Zuiop"]),
        ("cc Anna van der", ["Anna"]),
        ("Mary Smith Dear Qwertina", ["Mary Smith", "Qwertina"]),
        ("Dear Customer, Hi There, Hello World, name: Default Project, author: The Team", []),
        ("I am German, this is Python, cc Sales Team, contact: Support", []),
    ],
)
def test_names_end_where_they_end_and_words_are_no_names(text, names):
    assert found(text, types=["person"]) == [("person", name) for name in names]


def test_only_the_types_asked_for_are_found():
    text = "jane@example.org, 192.0.2.1, 12345678Z, 44051401359"
    assert found(text, types=["ip", "pl_pesel"]) == [("ip", "192.0.2.1"), ("pl_pesel", "44051401359")]


def test_the_number_after_a_broken_one_is_found():
    assert found("1234 5678 4111 1111 1111 1111") == [("card", "4111 1111 1111 1111")]
    assert found("+999 212-555-0142") == [("phone", "212-555-0142")]
    assert found("DE89 3704 0044 0532 0130 00 BIC COBADEFFXXX") == [("iban", "DE89 3704 0044 0532 0130 00")]


def test_spans_that_overlap_are_one_of_the_longest_ones_type():
    assert found("https://user:s3cret@example.org/x") == [("url_credentials", "user:s3cret@example.org")]


def test_positions_are_characters_whatever_the_bytes():
    text = "e\u0301👩\u200d💻שלום jane@example.org"
    ((_, kind, start, end),) = entities(pl.Series([None, text])).iter_rows()
    assert (kind, text[start:end]) == ("email", "jane@example.org")


def test_nothing_is_found_where_nothing_is():
    assert entities(pl.Series([], dtype=pl.String)).height == 0
    assert entities(pl.Series([None, "", None], dtype=pl.String)).height == 0


def test_texts_that_hold_the_marks_we_count_by_are_read_alike():
    text = "\x00a\x01 jane@example.org \x01\x00 192.0.2.1\x02"
    assert found(text) == [("email", "jane@example.org"), ("ip", "192.0.2.1")]


@given(st.lists(TEXTS, max_size=5))
def test_entities_are_in_order_and_never_overlap(texts):
    rows = list(entities(pl.Series(texts, dtype=pl.String)).iter_rows())
    for (row, _, start, end), (other, _, begin, _) in itertools.pairwise(rows):
        assert start < end
        assert (row, end) <= (other, begin) if row == other else row < other
    assert all(end <= len(texts[row]) for row, _, _, end in rows)


@given(st.lists(TEXTS | st.none(), max_size=6), st.integers(0, 6))
def test_a_column_gives_what_its_parts_give(texts, cut):
    column = pl.Series(texts, dtype=pl.String)
    first, second = entities(column[:cut]), entities(column[cut:])
    shifted = second.with_columns(pl.col("row") + min(cut, len(texts)))
    assert entities(column).equals(pl.concat([first, shifted]))


@given(st.sampled_from(EVERY), AROUND, AROUND)
def test_what_is_planted_never_survives(value, before, after):
    text = f"{before} {value} {after}"
    kept, at = [], 0
    for _, _, start, end in entities(pl.Series([text])).iter_rows():
        kept.append(text[at:start])
        at = end
    secret = next((part for _, _, part in BEHIND if value.endswith(part)), value)
    assert secret not in "\0".join([*kept, text[at:]])


def test_every_pattern_compiles_and_every_type_has_a_version():
    for finder in FINDERS:
        for pattern in (*finder.gates, finder.pattern):
            pl.Series(["a"]).str.contains(pattern)
    assert {kind for finder in FINDERS for kind in finder.types} == set(TYPES_WITH_NAMES) == set(RECOGNISER_VERSION)


def test_there_are_fewer_patterns_than_polars_keeps_compiled():
    assert len({pattern for finder in FINDERS for pattern in (*finder.gates, finder.pattern)}) <= 30


def test_what_looks_like_a_placeholder_holds_nothing_to_find():
    text = " ".join(f"<{kind}:bcdfghjklmnp>" for kind in TYPES_WITH_NAMES)
    assert pl.Series([text]).str.count_matches(PATTERN)[0] == len(TYPES_WITH_NAMES)
    assert found(text, types=TYPES_WITH_NAMES) == []


@pytest.mark.parametrize(
    "value",
    [
        "127.0.0.1",
        "::",
        "::1",
        '"key_id":"9f86d081884c7d659a2feaa0c55ad015",',
        "127.0.0.1:9092",
        "6de47fa3-0907-5480-9531-78a8803770f7",
    ],
)
def test_what_names_the_machine_itself_or_a_run_is_nobody(value):
    assert found(f"at {value}, since then") == []


@pytest.mark.parametrize(
    "text",
    [
        "5130f868-7958-5099-8906-538d7de1da6e",
        "b09dd44e-8e57-ee36-b095-666afb71e0ff",
        "-0.35714285714285715",
        "1.5454545454545454",
    ],
)
def test_a_code_or_a_fraction_is_no_number_of_a_person(text: str) -> None:
    assert entities(pl.Series([f"run {text}, {text}"])).height == 0


@given(st.uuids(), st.floats(-1e9, 1e9))  # a longer whole part may be a card's or a national number, and is masked as one
def test_no_uuid_and_no_float_is_taken_for_a_person(identity: UUID, number: float) -> None:
    assert entities(pl.Series([str(identity), repr(number), f'{{"id": "{identity}", "n": {number!r}}}'])).height == 0


def test_a_number_beside_a_code_is_still_found() -> None:
    text = "5130f868-7958-5099-8906-538d7de1da6e 4111 1111 1111 1111"
    assert entities(pl.Series([text]))["type"].to_list() == ["card"]


@given(
    st.lists(
        st.sampled_from(
            ["7f3b2c1d-9e4a-4b6c-8d5e-0123456789ab", "0.12345678901234", "1.5", "-", "a", " ", ".", "12345678901", "é", "g"]
        ),
        max_size=8,
    ).map("".join),
    st.data(),
)
def test_a_code_around_a_span_is_the_code_that_the_whole_text_has(text, data):
    held = text.encode()
    start = data.draw(st.integers(0, len(held)))
    end = data.draw(st.integers(start, len(held)))
    codes = [code.span() for code in CODE.finditer(held)]
    assert _within_code(held, start, end) == any(first <= start and end <= last for first, last in codes)
