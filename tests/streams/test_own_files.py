"""A person's own files: cut into records byte for byte, keyed by their contract, and named where they cannot be sent."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.contract import Catalog, Contract
from contracts.errors import NotFound, TerminalError
from streams.connectors import files
from streams.connectors.files import files_source
from streams.json_records import array_items, record_key


def no_stdin() -> io.BytesIO:
    raise AssertionError("standard input was not asked for")


def records_of(contract: Contract, *paths: Path | str, stdin: Callable[[], Any] = no_stdin) -> list[tuple[bytes | None, bytes]]:
    source = files_source(contract, [str(path) for path in paths], stdin)
    return [pair for batch in source.batches() for pair in zip(batch.keys, batch.values, strict=True)]


@pytest.fixture
def weather(catalog: Catalog) -> Contract:
    return catalog.contracts["flights.weather"]


GOOD = b'{"origin": "EWR",  "observed_at": "2013-01-01T06:00:00Z"}'
GOOD_KEY = b"EWR|2013-01-01T06:00:00Z"


def test_lines_are_sent_as_they_are_good_and_bad(tmp_path: Path, weather: Contract) -> None:
    lines = [GOOD, b"{broken", b"\xff\xfe", b"null", b'{"origin": null}', b"  [1]  "]
    file = tmp_path / "mine.jsonl"
    file.write_bytes(b"\n\r\n".join(lines) + b"\n  \n")
    assert records_of(weather, file) == [(GOOD_KEY, GOOD), *((None, line) for line in lines[1:])]


def test_a_last_line_without_an_end_counts(tmp_path: Path, weather: Contract) -> None:
    (tmp_path / "mine.ndjson").write_bytes(GOOD)
    assert records_of(weather, tmp_path / "mine.ndjson") == [(GOOD_KEY, GOOD)]


def test_an_array_gives_its_items_byte_for_byte(tmp_path: Path, weather: Contract) -> None:
    items = [GOOD, b'{"a": 1.10, "a": 2}', b'"caf\xc3\xa9"', b"12345678901234567890123"]
    (tmp_path / "mine.json").write_bytes(b"\n [" + b" ,\n".join(items) + b" ] \n")
    assert [value for _, value in records_of(weather, tmp_path / "mine.json")] == items


@pytest.mark.parametrize("content", [b'{"a": 1}', b"[1, 2", b"[1] 2", b"[1,,2]", b"[1 2]", b"[\xff]", b"{", b"[" * 100_000])
def test_a_json_file_that_is_no_whole_array_is_one_record(content: bytes) -> None:
    assert array_items(content) == [content]


@pytest.mark.parametrize("content", [b"", b" \n", b"[]", b" [ ] "])
def test_a_json_file_of_nothing_has_no_record(content: bytes) -> None:
    assert array_items(content) == []


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(), st.lists, max_leaves=10)


@given(st.lists(JSON), st.sampled_from([None, 1]), st.booleans())
def test_the_items_of_any_array_are_found(items: list[Any], indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(items, indent=indent, ensure_ascii=ascii_only)
    found = array_items(text.encode("utf-8", "surrogatepass"))
    assert [json.loads(item) for item in found] == items


def test_archives_and_folders_are_read_by_name_and_hidden_files_are_not(tmp_path: Path, weather: Contract) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(b'{"n": 2}\n{"n": 3}\n'))
    (tmp_path / "a.json").write_bytes(b'[{"n": 1}]')
    (tmp_path / "sub" / "c.ndjson").write_bytes(b'{"n": 4}')
    (tmp_path / ".hidden.jsonl").write_bytes(b'{"n": 5}')
    (tmp_path / "notes.txt").write_bytes(b'{"n": 6}')
    assert [orjson.loads(value)["n"] for _, value in records_of(weather, tmp_path)] == [1, 2, 3, 4]


def test_standard_input_is_cut_at_its_lines_however_it_comes(weather: Contract, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "STDIN_BYTES", 7)
    pipe = io.BufferedReader(io.BytesIO(b'{"n": 1}\r\n\n{"n": 2}\n{"n": 3}'))  # type: ignore[arg-type]
    assert [value for _, value in records_of(weather, "-", stdin=lambda: pipe)] == [b'{"n": 1}', b'{"n": 2}', b'{"n": 3}']


def test_batches_are_numbered_one_after_the_other(tmp_path: Path, weather: Contract, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "BATCH_RECORDS", 4)
    monkeypatch.setattr(files, "BATCH_BYTES", 30)
    (tmp_path / "mine.jsonl").write_bytes(b"1\n2\n3\n4\n5\n" + b"x" * 40 + b"\n6\n")
    batches = list(files_source(weather, [str(tmp_path / "mine.jsonl")], no_stdin).batches())
    assert [(batch.first_sequence, len(batch)) for batch in batches] == [(0, 4), (4, 2), (6, 1)]


def test_what_cannot_be_sent_is_named(tmp_path: Path, weather: Contract, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "notes.txt").write_text("{}")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFound, match=r"no such file or folder: .*absent"):
        files_source(weather, [str(tmp_path / "absent.jsonl")], no_stdin)
    with pytest.raises(NotFound, match=r"\.jsonl"):
        files_source(weather, [str(tmp_path / "notes.txt")], no_stdin)
    with pytest.raises(NotFound, match="holds nothing"):
        files_source(weather, [str(tmp_path / "empty")], no_stdin)
    torn = tmp_path / "torn.jsonl.gz"
    torn.write_bytes(gzip.compress(b'{"n": 1}\n' * 1_000)[:-12])
    with pytest.raises(TerminalError, match="torn"):
        records_of(weather, torn)
    monkeypatch.setattr(files, "RECORD_BYTES_MAX", 10)
    (tmp_path / "long.jsonl").write_bytes(b"1\n" + b"2" * 11 + b"\n")
    with pytest.raises(TerminalError, match="line 2"):
        records_of(weather, tmp_path / "long.jsonl")


@pytest.mark.parametrize(
    ("value", "fields", "key"),
    [
        (b'{"a": "x", "b": 2}', ["a", "b"], b"x|2"),
        (b'{"b": true, "a": 1.5}', ["a", "b"], b"1.5|true"),
        (b'{"a": "caf\xc3\xa9"}', ["a"], "café".encode()),
        (b'{"a": null}', ["a"], None),
        (b'{"a": [1]}', ["a"], None),
        (b'{"b": 1}', ["a"], None),
        (b"[1]", ["a"], None),
        (b"{", ["a"], None),
        (b'{"a": 1}', [], None),
    ],
)
def test_a_key_is_the_contracts_fields_or_none(value: bytes, fields: Sequence[str], key: bytes | None) -> None:
    assert record_key(value, fields) == key
