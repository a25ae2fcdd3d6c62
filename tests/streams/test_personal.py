"""Masking rows: no planted personal data survives in any text that is not public, and each field comes out as planned."""

from __future__ import annotations

import base64
import re
from dataclasses import replace

import orjson
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from contracts.contract import Contract, Field
from contracts.masking import PLACEHOLDER
from contracts.sealing import unseal
from streams.personal import mask_facts, masked_rows, sealing_key
from tests.streams.made import MASKING_KEY, cleaned, contract_of, records_of, value
from tests.streams.planted import PLANTED

ALONE = [value for kind, values in PLANTED.items() for value in values if kind != "url_credentials"]
AROUND = st.text(st.sampled_from("ab Zß日.,;!?()[]\"'\n\t-#/@…"), max_size=12)
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


def clean_row(**fields: object) -> dict:
    outcome = cleaned(records_of([value(1, **fields)]), SECRETS)
    assert outcome.rows.num_rows == 1
    return outcome.rows.to_pylist()[0]


@given(st.sampled_from(ALONE), AROUND, AROUND)
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
    assert re.fullmatch(r"<email:[a-z]{12}>", key)
    assert orjson.loads(text)["id"] == key


def test_a_row_without_a_number_or_an_at_sign_and_one_with_them_are_treated_alike():
    contract = contract_of(Field("note", "string"))
    texts = ["nothing here", "192.0.2.1", None, "jane.doe@example.org", "+1 212 555 0142", ""]
    outcome = cleaned(records_of([value(n, note=text) for n, text in enumerate(texts)]), contract)
    kinds = [text and re.sub(":[a-z]{12}>", ">", text) for text in outcome.rows["note"].to_pylist()]
    assert kinds == ["nothing here", "<ip>", None, "<email>", "<phone>", ""]
    assert outcome.masked == {"note": {"email": 1, "ip": 1, "phone": 1}}


def test_masking_no_rows_gives_no_rows():
    schema = {"id": pl.String, "at": pl.Datetime("us", "UTC"), "note": pl.String}
    rows, counts = masked_rows(pl.DataFrame(schema=schema), contract_of(Field("note", "string")), MASKING_KEY)
    assert rows.schema == schema
    assert not counts


PERSON = contract_of(
    Field("who", "string"),
    Field("mail", "string", mask="mask"),
    Field("joined", "string", mask="hash"),
    Field("account", "string", mask="tokenize"),
    Field("number", "integer", mask="tokenize"),
    Field("gone", "string", mask="drop"),
    Field("locked", "string", mask="seal"),
    Field("all", "array", items=Field("", "object", fields=(Field("id", "string", mask="hash"), Field("n", "integer")))),
    Field("note", "string"),
)
OWNED = replace(PERSON, subject="who")


def person_row(contract: Contract = OWNED, **fields: object) -> dict:
    (row,) = cleaned(records_of([value(1, **fields)]), contract).rows.to_pylist()
    return row


def test_each_mask_does_what_the_plan_says():
    row = person_row(
        who="p1", mail="jane@example.org", joined="A-17", account="DE-0042-1234 x", number=-4_711_000, gone="x", locked="secret",
        all=[{"id": "A-17", "n": 3}, None, {"id": None, "n": 4}],
    )  # fmt: skip
    assert re.fullmatch(r"<email:[a-z]{12}>", row["mail"])
    assert re.fullmatch(r"[0-9a-f]{64}", row["joined"])
    assert re.fullmatch(r"[A-Z]{2}-[0-9]{4}-[0-9]{4} [a-z]", row["account"])
    assert row["account"] != "DE-0042-1234 x"
    assert -10_000_000 < row["number"] <= -1_000_000
    assert row["gone"] is None
    assert row["all"] == [{"id": row["joined"], "n": 3}, None, {"id": None, "n": 4}], "a hash joins across fields"
    opened = unseal(base64.b64decode(row["locked"]), sealing_key(MASKING_KEY, "p1"), f"{OWNED.dataset}/locked")
    assert opened == b"secret"


def test_a_placeholder_is_one_per_value_and_subject():
    texts = ["Jane@Example.org", "jane@example.org", "j@example.org"]
    one = person_row(who="p1", mail="JANE@example.org", note=" ".join(texts))
    two = person_row(who="p2", mail="jane@example.org", note=texts[0])
    first, second, third = one["note"].split(" ")
    assert first == second == one["mail"] != third
    assert two["note"] == two["mail"] != first, "two subjects are not to be told to be one by an address they share"
    plain = person_row(PERSON, who="p1", note=texts[0])
    assert plain["note"] == person_row(PERSON, who="p2", note=texts[0])["note"], "without a subject the address is the same"


def test_another_key_gives_other_placeholders_hashes_and_tokens():
    rows = pl.DataFrame({f.name: [texts] for f, texts in zip(PERSON.fields, [None] * len(PERSON.fields), strict=True)})
    rows = rows.with_columns(mail=pl.lit("x"), joined=pl.lit("A-17"), account=pl.lit("4711004711"), note=pl.lit("a@example.org"))
    contract = replace(PERSON, fields=tuple(f for f in PERSON.fields if f.name in ("mail", "joined", "account", "note")))
    ours, theirs = (masked_rows(rows, contract, key)[0] for key in (MASKING_KEY, bytes(32)))
    for name in ("mail", "joined", "account", "note"):
        assert ours[name][0] != theirs[name][0]


def test_what_was_masked_is_counted_by_field_and_type_and_told_with_versions():
    records = records_of(
        [value(1, mail="x", all=[{"id": "a"}, {"id": "b"}], note="a@example.org 192.0.2.1 b@example.org"), value(2)]
    )
    outcome = cleaned(records, PERSON)
    assert outcome.masked == {"all[].id": {"hash": 2}, "mail": {"mask": 1}, "note": {"email": 2, "ip": 1}}
    assert [(m.field, m.kind, m.kind_version, m.count) for m in mask_facts(outcome.masked)] == [
        ("all[].id", "hash", 1, 2), ("mail", "mask", 1, 1), ("note", "email", 2, 2), ("note", "ip", 5, 1),
    ]  # fmt: skip
