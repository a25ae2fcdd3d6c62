"""A silver table that evolves, on real Delta: columns come with the first row that needs them, whatever the order."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.contract import Contract, Field
from contracts.errors import ContractFrozen, ContractInvalid
from infra.settings import Settings
from infra.wiring import emitter, key_store
from lineage.facts import RunRef
from streams import land
from streams.batches import landing_batch
from streams.connectors import delta
from streams.connectors.kafka import Slot
from streams.encode import encoded_rows
from streams.engines.writer import TableWriter
from streams.outcome import offset_ranges
from streams.setup import Limits, Setup
from streams.widening import converted, effective_hash, fitted, joined, widened
from tests.streams.made import Message, a_moment, cleaned, contract_of, raw, records_of, sent

EVOLVING = replace(
    contract_of(Field("amount", "integer", required=True), Field("place", "object", fields=(Field("city", "string"),))),
    mode="evolve",
)


@pytest.fixture
def setup(tmp_settings: Settings) -> Setup:
    return setup_of(tmp_settings)


def setup_of(settings: Settings) -> Setup:
    return Setup(
        client={"bootstrap.servers": "nowhere:9"},
        tables=settings.tables,
        contracts=(EVOLVING,),
        emitter=emitter(settings),
        keys=key_store(settings),
        now=a_moment,
        instance="one",
        alive=lambda _instance: True,
        code_version="0",
        limits=Limits(compact_files=0),
    )


def opened(setup: Setup, contract: Contract = EVOLVING) -> TableWriter:
    writer = TableWriter(setup, contract, "silver", RunRef("shop.things.land", "land", "run", "direct", "0", a_moment()))
    writer.open()
    return writer


def messages(values: Sequence[bytes], contract: Contract = EVOLVING, partition: int = 0) -> list[Message]:
    """Return the clean topic's records of one partition's raw values."""
    outcome = cleaned(records_of(values, partition=partition), contract)
    assert outcome.rows.num_rows == len(values), outcome.dead_letters.to_pylist()
    return sent(encoded_rows(outcome.rows, contract), contract.clean_topic)


def commit(writer: TableWriter, taken: Sequence[Message]) -> None:
    """Buffer and commit messages as the lander does."""
    records = landing_batch(taken)
    outcome = land.process_batch(records, writer.held, writer.contract)
    assert not outcome.dead_letters.num_rows
    writer.held = outcome.state
    spans = offset_ranges(records["partition"], records["offset"])
    writer.buffer.add(
        outcome.rows,
        {Slot(writer.contract.clean_topic, p): span for p, span in spans.items()},
        records=len(taken),
        size=1,
        repeated=outcome.repeated,
    )
    writer.commit()


def columns(uri: str, *names: str) -> list[tuple[Any, ...]]:
    rows = delta.read(uri).to_pylist()
    return [tuple(row[name] for name in names) for row in sorted(rows, key=lambda r: (r["_partition"], r["_offset"]))]


def types(uri: str) -> dict[str, str]:
    return {field.name: str(field.type) for field in delta.schema(uri)[1]}


FIRST = raw("0", ',"amount":1')
COUPON = raw("1", ',"amount":2,"coupon":"S10","place":{"city":"x","zip":12}')


def test_a_column_comes_in_the_commit_of_the_first_row_that_needs_it(setup):
    writer = opened(setup)
    first, second = messages([FIRST, COUPON])
    commit(writer, [first])
    assert "coupon" not in types(writer.uri)
    before = delta.current_version(writer.uri)
    commit(writer, [second])
    assert delta.current_version(writer.uri) == before + 1
    assert columns(writer.uri, "amount", "coupon", "place__zip") == [(1, None, None), (2, "S10", 12)]
    told = json.loads(delta.history(writer.uri)[-1].metadata["facts"])
    assert told["evolved"] == [["coupon", "string"], ["place__zip", "int64"]]
    assert told["declared_hash"] == EVOLVING.hash
    assert told["contract_hash"] == effective_hash(EVOLVING.hash, [("coupon", "string"), ("place__zip", "int64")])
    assert told["contract_hash"] != EVOLVING.hash


def test_a_restart_goes_on_in_the_columns_that_evolved_before(setup):
    first, second = messages([COUPON, FIRST])
    commit(opened(setup), [first])
    again = opened(setup)
    version = delta.current_version(again.uri)
    commit(again, [first, second])
    assert columns(again.uri, "amount", "coupon") == [(2, "S10"), (1, None)]
    assert delta.current_version(again.uri) == version + 1


def test_an_integer_column_meeting_a_number_widens_with_all_its_rows_in_one_commit(setup):
    writer = opened(setup)
    taken = messages([FIRST, raw("1", ',"amount":2.5'), raw("2", ',"amount":3')])
    commit(writer, taken[:1])
    assert types(writer.uri)["amount"] == "int64"
    before = delta.current_version(writer.uri)
    commit(writer, taken[1:])
    assert delta.current_version(writer.uri) == before + 1
    assert types(writer.uri)["amount"] == "double"
    assert columns(writer.uri, "amount") == [(1.0,), (2.5,), (3.0,)]
    assert delta.transaction_version(writer.uri, f"headwater:{EVOLVING.clean_topic}:0") == 2
    assert columns(writer.uri, "amount") == columns(opened(setup).uri, "amount")


def test_a_rewritten_table_keeps_its_properties_and_its_earlier_versions(setup):
    writer = opened(setup)
    taken = messages([FIRST, raw("1", ',"amount":2.5')])
    commit(writer, taken[:1])
    before, properties = delta.current_version(writer.uri), delta.opened(writer.uri).metadata().configuration
    commit(writer, taken[1:])
    assert delta.opened(writer.uri).metadata().configuration == properties
    assert delta.read(writer.uri, table_version=before)["amount"].to_pylist() == [1]


def test_a_writer_that_was_overtaken_by_a_widening_writes_into_what_the_table_became(setup):
    ours, other = opened(setup), opened(setup)
    zero, one = messages([raw("0", ',"amount":1.5,"code":"A"')]), messages([raw("1", ',"amount":2,"code":7')], partition=1)
    commit(other, zero)
    commit(ours, one)
    assert columns(ours.uri, "amount", "code") == [(1.5, "A"), (2.0, "7")]


def test_a_row_landed_before_a_field_was_dropped_is_kept_in_its_own_column(setup):
    contract = replace(contract_of(Field("amount", "integer"), Field("seen_at", "timestamp")), mode="evolve")
    writer = opened(setup, contract)
    commit(writer, messages([raw("0", ',"seen_at":"2013-01-01T06:00:00Z"')], contract))
    shorter = replace(contract, fields=contract.fields[:-1], hash="b" * 64)
    later = opened(setup, shorter)
    commit(later, messages([raw("a"), raw("1", ',"seen_at":"noon"')], shorter))
    assert [name for name in types(later.uri) if name.startswith("seen_at")] == ["seen_at", "seen_at__string"]
    assert columns(later.uri, "seen_at__string") == [(None,), ("noon",)]


VALUES = ["true", "1", "0.5", '"x"', "9007199254740993", "12", "-0.0", "1e20", "false", "100000000000", "[1]", "null"]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_any_order_of_arrival_gives_the_same_table(order, tmp_settings: Settings):
    setup = setup_of(tmp_settings)
    parts = [
        messages([raw(f"{n}{m}", f',"amount":{m},"code":{v}') for m, v in enumerate(VALUES[n::4])], partition=n) for n in range(4)
    ]
    for n in order:
        commit(opened(setup), parts[n])
    found = opened(setup).uri
    assert types(found)["code"] == "string"
    assert [v for (v,) in columns(found, "code")] == [
        *("true", "9007199254740993", "false"),
        *("1", "12", "100000000000"),
        *("0.5", "0", "[1]"),
        *("x", "1e+20", None),
    ]


NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(NUMBERS | st.booleans() | st.text(max_size=3), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_columns_grow_to_the_same_whatever_came_first(items, random):
    def grown(values: list[Any]) -> list[Any]:
        held = pa.table({"n": pa.array([], pa.int64())})
        for n, item in values:
            row = pa.table({"n": [n], "_evolved": [json.dumps({"x": item})]})
            schema = widened(held.schema, row)
            held = pa.concat_tables([fitted(held, schema), fitted(row, schema)])
        return sorted(held.to_pylist(), key=lambda r: r["n"])

    numbered = list(enumerate(items))
    shuffled = random.sample(numbered, len(numbered))
    assert grown(numbered) == grown(shuffled)


@given(*[st.sampled_from([pa.bool_(), pa.int64(), pa.float64(), pa.string()])] * 3)
def test_joining_types_asks_neither_order_nor_grouping(a, b, c):
    assert joined(a, b) == joined(b, a)
    assert joined(joined(a, b), c) == joined(a, joined(b, c))
    assert joined(a, a) == a


def test_a_whole_number_is_never_rounded_on_the_way_to_a_wider_type():
    with pytest.raises(pa.ArrowInvalid):
        converted(pa.chunked_array([[2**53 + 1]]), pa.float64())


def test_a_contract_that_gained_optional_fields_at_any_depth_goes_on_in_its_table(setup):
    commit(opened(setup), messages([FIRST]))
    place = Field("place", "object", fields=(Field("city", "string"), Field("zip", "string")))
    more = replace(EVOLVING, fields=(*EVOLVING.fields[:-1], place, Field("paid", "boolean")), hash="b" * 64)
    writer = opened(setup, more)
    commit(writer, messages([raw("a", ',"amount":0'), raw("1", ',"amount":2,"paid":true,"place":{"zip":"9"}')], more)[1:])
    assert columns(writer.uri, "amount", "paid", "place") == [(1, None, None), (2, True, {"city": None, "zip": "9"})]


def test_a_contract_that_says_a_narrower_type_than_its_table_has_is_refused(setup):
    number = replace(EVOLVING, fields=(*EVOLVING.fields[:2], Field("amount", "number")), hash="b" * 64, mode="quarantine")
    commit(opened(setup, number), messages([FIRST], number))
    integer = replace(number, fields=(*EVOLVING.fields[:2], Field("amount", "integer")), hash="c" * 64)
    with pytest.raises(ContractInvalid, match="amount is int64, and its silver table has double"):
        opened(setup, integer)


def test_a_frozen_contract_whose_content_changed_is_refused_where_its_table_holds_rows(setup, tmp_path: Path):
    frozen = replace(EVOLVING, mode="freeze")
    changed = replace(frozen, hash="b" * 64)
    opened(setup, frozen)
    opened(setup, changed)
    commit(opened(setup, frozen), messages([FIRST], frozen))
    with pytest.raises(ContractFrozen, match="is frozen"):
        opened(setup, changed)
    opened(setup, frozen)
    opened(setup, replace(changed, contract_version="2.0.0"))
