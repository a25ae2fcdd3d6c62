from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import feast_layout
from features.feast_layout import Unknown, timestamp, value

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
INT32, INT64 = st.integers(-(2**31), 2**31 - 1), st.integers(-(2**63), 2**63 - 1)
FLOAT32, FLOAT64 = st.floats(width=32, allow_nan=False), st.floats(allow_nan=False)
SECONDS = st.integers(-(2**33), 2**33)

SINGLE: dict[str, Any] = {
    "bytes_val": st.binary(),
    "string_val": st.text(),
    "int32_val": INT32,
    "int64_val": INT64,
    "double_val": FLOAT64,
    "float_val": FLOAT32,
    "bool_val": st.booleans(),
    "json_val": st.text(),
    "uuid_val": st.text(),
    "decimal_val": st.text(),
}
LISTS: dict[str, Any] = {
    "bytes_list_val": st.binary(),
    "string_list_val": st.text(),
    "int32_list_val": INT32,
    "int64_list_val": INT64,
    "double_list_val": FLOAT64,
    "float_list_val": FLOAT32,
    "bool_list_val": st.booleans(),
}


def values() -> Any:
    single = st.one_of(*(st.tuples(st.just(name), kind) for name, kind in SINGLE.items()))
    several = st.one_of(*(st.tuples(st.just(name), st.lists(kind, max_size=5)) for name, kind in LISTS.items()))
    return st.one_of(single, several)


@settings(deadline=None)
@given(values())
def test_every_value_that_feast_writes_reads_back(made: tuple[str, Any]) -> None:
    from feast.protos.feast.types.Value_pb2 import Value

    name, content = made
    message = Value()
    if isinstance(content, list):
        getattr(message, name).val.extend(content)
        getattr(message, name).SetInParent()
    else:
        setattr(message, name, content)
    assert value(message.SerializeToString()) == content


@settings(deadline=None)
@given(st.lists(values(), max_size=4), st.booleans())
def test_a_column_reads_as_its_values_do(made: list[tuple[str, Any]], alike: bool) -> None:
    from feast.protos.feast.types.Value_pb2 import Value

    if alike:
        made = [("double_val", n / 7) for n in range(len(made))] or [("float_val", 1.5)]
    messages = [Value(**{n: c}).SerializeToString() for n, c in made if not isinstance(c, list)]
    assert feast_layout.values(messages) == [value(message) for message in messages]
    assert feast_layout.values([*messages, b""]) == [*feast_layout.values(messages), None]


@given(st.binary(max_size=12))
def test_a_number_is_read_at_a_glance_as_it_is_read_byte_by_byte(octets: bytes) -> None:
    message = b"\x20" + octets

    glance = feast_layout.values([message])
    with pytest.MonkeyPatch.context() as blind:
        blind.setattr(feast_layout, "_AT_A_GLANCE", {})
        assert repr(glance) == repr(feast_layout.values([message])), "nan is not equal to itself, and looks the same"


def test_one_spoilt_value_does_not_take_its_neighbours_with_it() -> None:
    good, spoilt = b"\x20\x07", b"\x12\x05ab"
    assert feast_layout.values([good, spoilt, b"", good]) == [7, Unknown(0), None, 7]
    assert feast_layout.values([b"\x20\x00\x10\x00"]) == [Unknown(0)]


@settings(deadline=None)
@given(SECONDS, st.integers(0, 999_999))
def test_times_read_back_to_the_microsecond(seconds: int, microseconds: int) -> None:
    from feast.protos.feast.types.Value_pb2 import Value
    from google.protobuf.timestamp_pb2 import Timestamp

    assert value(Value(unix_timestamp_val=seconds).SerializeToString()) == EPOCH + timedelta(seconds=seconds)
    message = Timestamp(seconds=seconds, nanos=microseconds * 1000)
    assert timestamp(message.SerializeToString()) == EPOCH + timedelta(seconds=seconds, microseconds=microseconds)


def test_null_and_nothing_are_none_and_what_is_not_known_is_said_so() -> None:
    from feast.protos.feast.types.Value_pb2 import Value

    assert value(b"") is None
    assert value(Value(null_val=0).SerializeToString()) is None
    unknown = Value()
    unknown.map_val.SetInParent()
    assert value(unknown.SerializeToString()) == Unknown(20)


@pytest.mark.parametrize("broken", [b"\x12\x05ab", b"\x12", b"\x80", b"\x0b"])
def test_a_message_that_ends_too_early_is_refused(broken: bytes) -> None:
    with pytest.raises(ValueError, match="protobuf"):
        value(broken)
