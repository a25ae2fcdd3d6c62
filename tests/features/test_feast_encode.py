"""Our serialized values are Feast's own, byte for byte, for every type that a feature can have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import DefinitionInvalid
from features.feast_encode import encoder, timestamp_bytes
from features.feast_layout import is_entity_key, timestamp, value
from features.plan import DTYPES

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KINDS: dict[str, Any] = {
    "String": st.text(),
    "Bytes": st.binary(),
    "Int32": st.integers(-(2**31), 2**31 - 1),
    "Int64": st.integers(-(2**63), 2**63 - 1),
    "Float32": st.floats(width=32),
    "Float64": st.floats(),
    "Bool": st.booleans(),
    "UnixTimestamp": st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
}

PLAIN = {
    "String": "a",
    "Bytes": b"a",
    "Int32": 1,
    "Int64": 1,
    "Float32": 1.5,
    "Float64": 1.5,
    "Bool": True,
    "UnixTimestamp": EPOCH,
}


def column(dtype: str, item: Any) -> Any:
    one = st.lists(item, max_size=5) if dtype.startswith("Array(") else item
    return st.tuples(st.just(dtype), st.lists(st.one_of(st.none(), one), max_size=6))


def columns() -> Any:
    single = [column(dtype, item) for dtype, item in KINDS.items()]
    return st.one_of(*single, *(column(f"Array({dtype})", item) for dtype, item in KINDS.items()))


def test_every_type_that_is_honoured_has_an_encoder() -> None:
    assert set(KINDS) == set(DTYPES)


@settings(deadline=None, max_examples=400)
@given(columns())
def test_our_bytes_are_feasts(made: tuple[str, list[Any]]) -> None:
    from feast import types
    from feast.type_map import python_values_to_proto_values

    dtype, values = made
    kind = types.Array(getattr(types, dtype[6:-1])) if dtype.startswith("Array(") else getattr(types, dtype)
    # Feast takes a column's type from its first value that is not empty, and nulls for all where there is none.
    plain = PLAIN[dtype.removeprefix("Array(").removesuffix(")")]
    sample = [plain] if dtype.startswith("Array(") else plain
    feasts = [proto.SerializeToString() for proto in python_values_to_proto_values([*values, sample], kind.to_value_type())]
    assert [encoder(dtype)(value) for value in [*values, sample]] == feasts


@settings(deadline=None)
@given(columns())
def test_what_is_encoded_reads_back(made: tuple[str, list[Any]]) -> None:
    dtype, values = made
    read = [value(encoder(dtype)(one)) for one in values]
    if "UnixTimestamp" in dtype:
        return
    assert repr(read) == repr(values), "nan is not equal to itself, and looks the same"


@settings(deadline=None)
@given(st.integers(-(10**16), 10**16))
def test_event_times_are_feasts_and_read_back(microseconds: int) -> None:
    from google.protobuf.timestamp_pb2 import Timestamp

    message = Timestamp()
    message.FromMicroseconds(microseconds)
    assert timestamp_bytes(microseconds) == message.SerializeToString()
    assert timestamp(timestamp_bytes(microseconds)) == EPOCH + timedelta(microseconds=microseconds)


def test_an_array_with_a_null_is_refused_with_what_to_do() -> None:
    with pytest.raises(DefinitionInvalid, match="hold none"):
        encoder("Array(Int64)")([1, None])


@given(st.binary(max_size=40))
def test_arbitrary_bytes_are_no_entity_key_by_accident(octets: bytes) -> None:
    from features.feast_layout import entity_key

    key = entity_key(["shop"], ["a"], ["String"])
    assert is_entity_key(key)
    assert not octets or not is_entity_key(key + octets) or len(octets) >= 8
    assert not is_entity_key(key[:-1])
