"""Masking: no planted e-mail address, phone number or IP address survives in any text that is not public."""

from __future__ import annotations

import time

import orjson
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.contract import Field
from contracts.masking import PLACEHOLDER
from streams.personal import RECOGNISERS, masked_rows, masked_text
from tests.streams.made import cleaned, contract_of, records_of, value

PLANTED = [
    "jane.doe@example.org",
    "o'brien+news@mail.example.co.uk",
    "jürgen@müller.example",
    "क्षिति@उदाहरण.भारत",
    "user@192.0.2.7",
    "+1 212 555 0142",
    "+44 (20) 7946 0958",
    "+49-30-901820",
    "+12125550142",
    "(212) 555-0142",
    "212-555-0142",
    "212.555.0142",
    "0171 555 1234",
    "030/9018 2012",
    "192.0.2.146",
    "255.255.255.255",
    "2001:db8:85a3:0:0:8a2e:370:7334",
    "2001:DB8::8a2e:370:7334",
    "fe80::1",
    "2001:db8::",
    "::1",
    "::ffff:192.0.2.128",
    "64:ff9b::192.0.2.33",
]
AROUND = st.text(st.sampled_from("ab Zß日.,;:!?()[]<>\"'\n\t-#/@…"), max_size=12)
HARMLESS = [
    "flight 1545 left EWR at 05:17 for IAH",
    "std::vector<int> and crate::module",
    "3.14159 and 1,234,567.89",
    "2013-01-01T06:00:00Z",
    "12:30:45",
    "@mention without a domain, user@host",
    "C:\\temp, a/b/c, 50%",
    "שלום 世界 👋",
]
SECRETS = contract_of(
    Field("free", "string"),
    Field("open", "string", classification="public"),
    Field("code_name", "string", classification="restricted"),
    Field("salary", "number", classification="restricted"),
    Field("born", "date", classification="restricted"),
    Field("vip", "boolean", classification="restricted"),
    Field("hidden", "object", classification="restricted", fields=(Field("any", "string", classification="public"),)),
    Field(
        "person",
        "object",
        fields=(
            Field("bio", "string"),
            Field("tag", "string", classification="public"),
            Field("pin", "integer", classification="restricted"),
            Field("code", "string", classification="restricted"),
            Field("old", "array", classification="restricted", items=Field("", "string", classification="public")),
            Field("deep", "object", fields=(Field("note", "string"), Field("n", "integer"))),
        ),
    ),
    Field("notes", "array", items=Field("", "string")),
    Field(
        "calls",
        "array",
        items=Field("", "object", fields=(Field("to", "string"), Field("pin", "integer", classification="restricted"))),
    ),
)


def masked(text: str) -> str:
    return str(pl.DataFrame({"t": [text]}).select(masked_text(pl.col("t"))).item())


def clean_row(**fields: object) -> dict:
    outcome = cleaned(records_of([value(1, **fields)]), SECRETS)
    assert outcome.rows.num_rows == 1
    return outcome.rows.to_pylist()[0]


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_piece_of_personal_data_is_replaced_whole(planted):
    made = masked(f"write to {planted}, please")
    assert made.startswith("write to <")
    assert made.endswith(">, please")
    assert made.count("<") == 1


@pytest.mark.parametrize("text", HARMLESS)
def test_text_without_personal_data_is_left_as_it_is(text):
    assert masked(text) == text


@given(st.lists(st.tuples(AROUND, st.sampled_from(PLANTED)), min_size=1, max_size=3), AROUND)
def test_no_planted_text_survives_wherever_it_stands(parts, tail):
    text = "".join(f"{before} {planted} " for before, planted in parts) + tail
    made = masked(text)
    for _, planted in parts:
        assert planted not in made


@given(st.lists(st.sampled_from([*PLANTED, *HARMLESS, "@", "::", "<email>", "+", "0"]) | AROUND, max_size=6))
def test_masking_masked_text_changes_nothing(parts):
    once = masked(" ".join(parts))
    assert masked(once) == once


@given(st.sampled_from(PLANTED), AROUND, AROUND)
def test_no_planted_text_survives_in_any_field_that_is_not_public(planted, before, after):
    text = f"{before} {planted} {after}"
    row = clean_row(
        free=text,
        code_name=text,
        hidden={"any": text},
        person={"bio": text, "code": text, "old": [text], "deep": {"note": text}, "tag": "t"},
        notes=[text, None, text],
        calls=[{"to": text}, None, {"to": None}],
    )
    assert planted not in str(row)


def test_a_public_field_is_kept_as_it_is():
    row = clean_row(open="call 212-555-0142", person={"tag": "jane.doe@example.org"})
    assert row["open"] == "call 212-555-0142"
    assert row["person"]["tag"] == "jane.doe@example.org"


def test_restricted_values_are_hidden_whole_at_any_depth():
    row = clean_row(
        code_name="blue",
        salary=1e6,
        born="1980-02-03",
        vip=True,
        hidden={"any": "x"},
        person={"pin": 1234, "code": "c", "old": ["x"], "deep": {"n": 5}},
        calls=[{"to": "home", "pin": 4321}],
    )
    assert row["code_name"] == PLACEHOLDER
    assert [row[name] for name in ("salary", "born", "vip", "hidden")] == [None] * 4
    assert row["person"] == {
        "bio": None,
        "tag": None,
        "pin": None,
        "code": PLACEHOLDER,
        "old": None,
        "deep": {"note": None, "n": 5},
    }
    assert row["calls"] == [{"to": "home", "pin": None}]


def test_nothing_restricted_appears_where_nothing_was():
    row = clean_row()
    assert all(row[field.name] is None for field in SECRETS.fields[2:])


def test_the_key_of_a_clean_record_is_masked_as_its_column():
    from streams.encode import encoded_rows

    contract = contract_of()
    private = type(contract)(
        **{**contract.__dict__, "fields": (Field("id", "string", required=True, primary_key=True), *contract.fields[1:])}
    )
    outcome = cleaned(records_of([value("jane.doe@example.org")], keys=[b"jane.doe@example.org"]), private)
    ((text, key, *_rest),) = encoded_rows(outcome.rows, private)
    assert key == "<email>"
    assert orjson.loads(text)["id"] == "<email>"


def test_a_row_without_a_number_or_an_at_sign_and_one_with_them_are_treated_alike():
    contract = contract_of(Field("note", "string"))
    texts = ["nothing here", "192.0.2.1", None, "jane.doe@example.org", "+1 212 555 0142", ""]
    outcome = cleaned(records_of([value(n, note=text) for n, text in enumerate(texts)]), contract)
    assert outcome.rows["note"].to_pylist() == ["nothing here", "<ip>", None, "<email>", "<phone>", ""]


def test_masking_no_rows_gives_no_rows():
    schema = {"id": pl.String, "at": pl.Datetime("us", "UTC"), "note": pl.String}
    assert masked_rows(pl.DataFrame(schema=schema), contract_of(Field("note", "string"))).schema == schema


WORST = [
    "a",
    "a.",
    "a@",
    "a@b",
    "@",
    "1",
    "1.",
    "1:",
    "1 ",
    "+1",
    "(1",
    "-",
    "::",
    "0",
    ".a@a",
    "aé",
    "1.1.1.",
    "ab:",
    "+1 (",
    "a@b-",
]


@pytest.mark.parametrize("unit", WORST)
def test_masking_takes_linear_time_on_its_worst_inputs(unit):
    def cost(size: int) -> float:
        rows = pl.DataFrame({"t": [unit * (size // len(unit))] * 2})
        spent = []
        for _ in range(3):
            began = time.process_time()
            rows.select(masked_text(pl.col("t")))
            spent.append(time.process_time() - began)
        return min(spent)

    cost(1_000)
    small, large = max(cost(20_000), 0.0005), cost(320_000)
    # 16 times the text: linear work grows 16-fold, quadratic 256-fold. What is too fast to be measured counts as linear.
    assert large / small < 80, (small, large)


def test_every_placeholder_says_its_kind():
    assert [r.placeholder for r in RECOGNISERS] == ["<email>", "<ip>", "<phone>"]
