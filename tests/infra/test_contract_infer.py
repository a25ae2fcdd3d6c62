"""`headwater contract infer`: drafts hold no personal value, pass lint, and accept the records that they were made from."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from click.testing import CliRunner, Result
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts import lint
from contracts.connectors.files import odcs_schema
from contracts.contract import Contract
from contracts.infer import Draft, drafted, plain
from contracts.infer_text import yaml_draft
from contracts.yaml_text import parse
from infra.commands.contract_infer import seen
from infra.main import main
from infra.settings import Settings
from streams.connectors import kafka
from streams.connectors.packages import packages_source
from streams.flight_events import DATASETS, event_batches, span
from tests.streams import flights_year
from tests.streams.made import cleaned, records_of

START = datetime(2030, 1, 1, tzinfo=UTC)
PEOPLE = ("Erika Mustermann", "Max Muster", "Ada Example")


def draft(records: Sequence[Mapping[str, Any]]) -> Draft:
    return drafted(records, "shop", "orders", 1, seen)


def contract(made: Draft) -> Contract:
    """Return the draft as a contract; lint must find nothing in it."""
    return lint.read(yaml_draft(made.data), "draft", odcs_schema())


def prop(made: Draft, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(item for item in plain(made.data)["schema"][0]["properties"] if item["name"] == name)
    return found


def orders(count: int = 120) -> list[dict[str, Any]]:
    """Return made-up orders: personal data by name, by content, in free text; nested, optional and listed fields."""
    chance = random.Random(4)
    made = []
    for n in range(count):
        person = chance.choice(PEOPLE)
        mail = f"{person.split()[0].lower()}.{n}@example.org"
        made.append(
            {
                "order_id": f"o-{n:05}",
                "ordered_at": (START + timedelta(minutes=n)).isoformat(),
                "day": (START + timedelta(days=n)).date().isoformat(),
                "status": chance.choice(("open", "paid", "sent")),
                "amount": round(chance.uniform(1, 90), 2),
                "count": chance.randrange(1, 9),
                "paid": chance.random() < 0.5,
                "reach": mail,
                "first_name": person.split()[0],
                "note": chance.choice(("please ring twice", f"write to {mail} please, or call +44 20 7946 0{n % 900 + 100}")),
                "birth_date": "1970-01-01",
                "session": None if n % 3 else "abc",
                "lines": [{"sku": f"A-{n}", "price": 3, "to": mail}] * (n % 3),
                "place": {"city": "Springfield", "lat": 1.5} if n % 2 else None,
            }
        )
    return made


def test_types_nesting_and_what_is_required_are_read_from_the_records() -> None:
    made = contract(draft(orders()))
    kinds = {field.name: field.logical_type for field in made.fields}
    assert kinds == {
        "order_id": "string", "ordered_at": "timestamp", "day": "date", "status": "string", "amount": "number",
        "count": "integer", "paid": "boolean", "reach": "string", "first_name": "string", "note": "string",
        "birth_date": "date", "session": "string", "lines": "array", "place": "object",
    }  # fmt: skip
    optional = {field.name for field in made.fields if not field.required}
    assert optional == {"birth_date", "session", "place"}, "restricted values that are no text cannot be required"
    lines = next(field for field in made.fields if field.name == "lines").items
    assert lines is not None
    assert [f.name for f in lines.fields] == ["sku", "price", "to"]
    assert (made.event_time, made.key) == ("ordered_at", ("order_id",))


def test_masks_are_proposed_by_name_by_content_and_for_free_text() -> None:
    made = draft(orders())
    assert prop(made, "reach")["classification"] == "restricted", "its values are e-mail addresses"
    assert prop(made, "reach")["customProperties"] == [{"property": "mask", "value": "hash"}]
    assert prop(made, "first_name")["customProperties"] == [{"property": "mask", "value": "mask"}]
    assert prop(made, "birth_date")["classification"] == "restricted"
    assert prop(made, "note")["classification"] == "confidential", "personal data stands in some of them"
    assert prop(made, "order_id")["classification"] == "public"
    assert prop(made, "lines")["items"]["properties"][2]["classification"] == "restricted"


def test_rules_leave_room_and_lists_are_whole() -> None:
    made = draft(orders())
    assert prop(made, "status")["quality"][0]["arguments"]["validValues"] == ["open", "paid", "sent"]
    assert prop(made, "amount")["logicalTypeOptions"] == {"minimum": 0, "maximum": 1000}
    assert prop(made, "order_id")["logicalTypeOptions"] == {"maxLength": 16}
    assert prop(made, "order_id")["examples"] == ["x-00000"]


def test_no_value_of_a_person_reaches_the_draft() -> None:
    liked = [
        order | {"agent": ("erika", "max")[n % 2], "likes": {("Erika", "Max")[n % 2]: n, "total": 1}}
        for n, order in enumerate(orders())
    ]
    crowd = [order | {"seen": {f"x{n}ida": 1}} for n, order in enumerate(orders())]
    for sample in (orders(), liked, crowd, orders(1)):
        text = yaml_draft(draft(sample).data).lower()
        for word in ("example.org", "mustermann", "muster", "erika", "max:", "7946", "1970", "springfield", "x1ida"):
            assert word not in text, word


def accepted(made: Contract, values: Sequence[bytes]) -> list[Any]:
    """Return why records are refused by a contract: nothing, where all are accepted."""
    outcome = cleaned(records_of(list(values)), made)
    letters = outcome.dead_letters.select(["reason", "field", "rule"]).to_pylist()
    return [letter for letter in letters if letter["reason"] != "duplicate"]


def test_the_records_of_a_draft_are_accepted_under_it() -> None:
    assert accepted(contract(draft(orders())), [orjson.dumps(order) for order in orders()]) == []


def test_the_packages_of_the_docs_example_are_accepted_under_their_draft() -> None:
    values = [value for batch in packages_source().batches() for value in batch.values]
    made = draft([orjson.loads(value) for value in values])
    assert accepted(contract(made), values) == []
    assert made.event_time == "collected_at"
    assert made.key == ("page_id",)
    assert prop(made, "author_email")["classification"] == "restricted"


def test_two_days_of_every_kind_of_flight_event_are_accepted_under_their_drafts() -> None:
    year = flights_year.events()
    values: dict[int, list[bytes]] = {}
    for batch in event_batches(year, *span(year, date(2013, 1, 5), date(2013, 1, 6))):
        for value, dataset in zip(batch.values, batch.datasets, strict=True):
            values.setdefault(dataset, []).append(value)
    assert len(values) == len(DATASETS)
    for found in values.values():
        made = draft([orjson.loads(value) for value in found])
        assert accepted(contract(made), found) == []


SCALARS = {
    "text": st.text(max_size=20),
    "whole": st.integers(-(2**63), 2**63 - 1),
    "part": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53),
    "truth": st.booleans(),
    "day": st.dates().map(date.isoformat),
    "at": st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
}
OPTIONAL = {name: st.none() | values for name, values in SCALARS.items()}
NESTED = st.fixed_dictionaries(
    {}, optional={**SCALARS, "list": st.lists(st.fixed_dictionaries({}, optional=OPTIONAL), max_size=3)}
)
RECORDS = st.lists(
    st.fixed_dictionaries(
        {"event_time": st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat), "id": st.uuids().map(str)},
        optional={**OPTIONAL, "held": NESTED, "texts": st.lists(st.text(max_size=5), max_size=3)},
    ),
    min_size=1,
    max_size=8,
)


@settings(deadline=None, max_examples=40)  # the first draft loads the recognisers
@given(RECORDS)
@example([{"event_time": "2000-01-01T00:00:00+00:00", "id": str(UUID(int=7)), "held": {"part": -(10.0**15), "text": "a"}}])
@example([{"event_time": "2000-01-01T00:00:00+00:00", "id": str(UUID(int=7)), "held": {"text": "", "list": [{}]}}])
def test_whatever_the_records_of_one_kind_hold_their_draft_accepts_them(records: list[dict[str, Any]]) -> None:
    values = [orjson.dumps(record) for record in records]
    assert accepted(contract(draft([orjson.loads(value) for value in values])), values) == []


def test_what_no_contract_can_name_is_counted_and_not_named() -> None:
    order = orders(1)[0] | {"two words": 1, "_ours": 2, "Status": "x", "nothing": None}
    made = draft([order])
    assert accepted(contract(made), [orjson.dumps(order)]) == []
    text = yaml_draft(made.data)
    assert "3 field(s) are left out" in text
    assert "two words" not in text


def test_without_a_time_the_draft_says_that_it_cannot_be_used() -> None:
    made = draft([{"id": 1, "when": "yesterday"}])
    found = lint.problems(yaml_draft(made.data), "draft", odcs_schema())
    assert {problem.rule for problem in found} == {"eventTime"}
    assert "NOT USABLE YET" in yaml_draft(made.data)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, min_size=1, max_size=3),
    )
)
def test_a_scalar_is_read_back_as_it_was(value: Any) -> None:
    if isinstance(value, list) and any(isinstance(item, list) for item in value):
        return
    assert parse(yaml_draft({"value": value})).data == {"value": value}


def run(*arguments: str, home: Path, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, ["--home", str(home), "contract", "infer", *arguments], input=stdin)


def lines(records: Sequence[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def test_the_command_writes_a_draft_that_lint_accepts_and_replaces_none(tmp_path: Path) -> None:
    (tmp_path / "Orders-2030.jsonl").write_text(lines(orders()) + "no json\n[1]\n", "utf-8")
    out = tmp_path / "contracts" / "orders.odcs.yaml"
    done = run(str(tmp_path / "Orders-2030.jsonl"), "--as", "shop.orders", "--out", str(out), home=tmp_path)
    assert done.exit_code == 0, done.output
    assert "from 120 records" in done.output
    assert lint.read(out.read_text("utf-8"), str(out), odcs_schema()).dataset == "shop.orders"
    again = run(str(tmp_path / "Orders-2030.jsonl"), "--out", str(out), home=tmp_path)
    assert again.exit_code == 2
    assert "already" in again.output


def test_the_command_reads_standard_input_and_tells_as_json(tmp_path: Path) -> None:
    done = run("-", "--as", "shop.orders", "--records", "50", "--json", home=tmp_path, stdin=lines(orders()))
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["records"], told["event_time"], told["key"]) == (50, "ordered_at", ["order_id"])
    assert told["restricted"] == ["reach", "first_name", "birth_date", "session"]


@pytest.mark.parametrize(
    ("stdin", "arguments", "code", "says"),
    [
        ("", ["-"], 1, "no JSON object"),
        ("[1]\n", ["-"], 1, "no JSON object among 1"),
        ('{"id": 1}\n', ["-"], 1, "eventTime"),
        ('{"id": 1}\n', ["-", "--as", "Shop Orders"], 2, "DOMAIN.NAME"),
    ],
)
def test_the_command_says_what_is_wrong(tmp_path: Path, stdin: str, arguments: list[str], code: int, says: str) -> None:
    done = run(*arguments, home=tmp_path, stdin=stdin)
    assert done.exit_code == code
    assert says in done.output


@pytest.mark.servers
def test_the_command_drafts_from_the_newest_records_of_a_topic(
    broker_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = "drafting.orders.raw.v2"
    client = broker_settings.client()
    kafka.ensure_topics(client, {topic: 2})
    with kafka.Sender(client) as sender:
        for n, order in enumerate(orders()):
            sender.send(topic, orjson.dumps(order), partition=n % 2)
        sender.flush()
    for name, value in broker_settings.environ().items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(main, ["contract", "infer", "drafting.orders.raw.v2", "--records", "20", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["records"] == 20
    assert 'version: "2.0.0"' in told["contract"]
    assert CliRunner().invoke(main, ["contract", "infer", "drafting.order.raw.v2"]).exit_code == 1
