"""Scanning: files of every kind, where in them a thing stands, what is told of it, and what cannot be read."""

from __future__ import annotations

import gzip
import json
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import NotFound
from streams.connectors import delta, scanned_files
from streams.connectors.scanned_files import UNREADABLE, folder_at, pieces, readable
from streams.recognise import entities
from streams.scan import Scan

ADDRESS = "ada.example@mail.example.org"


def scan(target: Path, *leave_out: Path) -> Scan:
    done = Scan(entities)
    folder = folder_at(str(target), [str(path) for path in leave_out])
    for place in folder.places:
        done.look(pieces(folder.system, place))
    return done


def found(done: Scan) -> list[tuple[str, str, int, str]]:
    return [(finding.field, finding.type, finding.count, finding.first) for finding in done.findings]


def test_text_is_told_by_line(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(f"nothing\nhere\nfrom {ADDRESS}\nand {ADDRESS}\n", "utf-8")
    assert found(scan(tmp_path)) == [("", "email", 2, "line 3")]


def test_a_clean_file_is_clear(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("nothing here <email:1f2e>\n", "utf-8")
    done = scan(tmp_path)
    assert done.clear
    assert done.characters == len("nothing here <email:1f2e>\n")


def test_what_json_escapes_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"m": ADDRESS}).replace("@", "\\u0040"), "utf-8")
    assert [kind for _, kind, _, _ in found(scan(tmp_path))] == ["email"]


def test_a_packed_file_is_looked_into(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(f"x\n{ADDRESS}\n".encode()))
    assert found(scan(tmp_path)) == [("", "email", 1, "line 2")]


def test_parquet_is_told_by_column_and_row_at_any_depth(tmp_path: Path) -> None:
    table = pa.table(
        {
            "id": [1, 2],
            "at": pa.array([None, ADDRESS]).dictionary_encode(),
            "in": [{"deep": [ADDRESS, "x"]}, {"deep": None}],
            "raw": [b"\x00\x01" + ADDRESS.encode() + b"\x00", None],
        }
    )
    pq.write_table(table, tmp_path / "part-0.parquet")
    assert found(scan(tmp_path)) == [
        ("at", "email", 1, "part-0.parquet, row 2"),
        ("in.deep[]", "email", 1, "part-0.parquet, row 1"),
        ("raw", "email", 1, "part-0.parquet, row 1"),
    ]


def test_what_a_table_no_longer_names_is_still_found_and_so_is_its_log(tmp_path: Path) -> None:
    uri = str(tmp_path / "t")
    delta.create_if_absent(uri, pa.schema([("text", pa.string())]))
    delta.append(uri, pa.table({"text": [ADDRESS]}), metadata={})
    delta.overwrite(uri, pa.table({"text": ["<email:1f2e>"]}), metadata={})
    places = {finding.place.removeprefix(uri) for finding in scan(tmp_path / "t").findings}
    assert places == {"", "/_delta_log/00000000000000000001.json"}


def test_a_database_is_read_as_it_lies_deleted_rows_included(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a.db") as database:
        database.execute("pragma secure_delete = off")
        database.execute("create table t (text)")
        database.execute("insert into t values (?)", [ADDRESS])
        database.commit()
        database.execute("delete from t")
    database.close()
    assert [kind for _, kind, _, _ in found(scan(tmp_path))] == ["email"]


def test_what_stands_across_two_chunks_of_one_long_line_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanned_files, "CHUNK_BYTES", 1024)
    for before in range(980, 1030):
        (tmp_path / "a.txt").write_text("x " * (before // 2) + "y" * (before % 2) + " " + ADDRESS + " z" * 800, "utf-8")
        assert [kind for _, kind, _, _ in found(scan(tmp_path))] == ["email"], before


@given(st.lists(st.sampled_from(["", "plain", "é" * 40, ADDRESS, "x" * 90]), max_size=60), st.integers(64, 600))
def test_lines_are_told_right_however_a_file_is_cut(tmp_path_factory: pytest.TempPathFactory, rows: list[str], size: int) -> None:
    file = tmp_path_factory.mktemp("cut") / "a.txt"
    file.write_text("\n".join(rows) + "\n", "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanned_files, "CHUNK_BYTES", size)
        patch.setattr(scanned_files, "BLOCK_BYTES", size // 3)
        told = found(scan(file))
    expected = [("", "email", rows.count(ADDRESS), f"line {rows.index(ADDRESS) + 1}")] if ADDRESS in rows else []
    assert told == expected


def test_a_folder_can_be_left_out(tmp_path: Path) -> None:
    for name in ("kafka", "kafka-not"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.log").write_text(ADDRESS, "utf-8")
    done = scan(tmp_path, tmp_path / "kafka")
    assert [finding.place for finding in done.findings] == [str(tmp_path / "kafka-not" / "a.log")]


def test_nothing_told_holds_the_value(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(ADDRESS, "utf-8")
    assert ADDRESS not in json.dumps(scan(tmp_path).as_json())


def test_a_place_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        folder_at(str(tmp_path / "absent"))


def test_a_scan_that_could_not_read_something_is_not_clear() -> None:
    done = Scan(lambda _texts: pl.DataFrame(schema={"row": pl.Int64, "type": pl.String, "start": pl.Int64, "end": pl.Int64}))
    done.unread["x"] = "OSError"
    assert not done.clear


def test_readable_runs_are_whole_characters() -> None:
    assert readable("\0\1héllo wörld\0\xff".encode()[:-2] + b"\xff\0tail of it") == "héllo wörld\ntail of it"


def test_what_reads_like_an_address_by_chance_in_ciphertext_is_not_told_and_what_stands_there_is() -> None:
    drawn = random.Random(7)
    chance = [drawn.randbytes(200) + b"\0R@C.ph\0" + drawn.randbytes(200) for _ in range(50)]
    meant = [drawn.randbytes(200) + b"\0ada.lovelace@example.org\0" + drawn.randbytes(200)]
    short = [b"\x0a\x08a@b.info"]
    assert all("@C" not in readable(octets) for octets in chance)
    assert all("@" in readable(octets) for octets in meant + short)


def _database(file: Path, rows: list[tuple[object, ...]], *, secure_delete: bool) -> sqlite3.Connection:
    database = sqlite3.connect(file)
    database.execute(f"PRAGMA secure_delete = {'ON' if secure_delete else 'OFF'}")
    database.execute("CREATE TABLE kept (left TEXT, right BLOB)")
    database.executemany("INSERT INTO kept VALUES (?, ?)", rows)
    database.commit()
    return database


def test_cells_side_by_side_in_a_database_make_no_address_of_two_versions(tmp_path: Path) -> None:
    with closing(_database(tmp_path / "a.db", [("1.15.4", b"1.15.4")], secure_delete=True)):
        assert scan(tmp_path / "a.db").findings == []


@pytest.mark.parametrize("rows", [1, 400])
def test_what_deleted_rows_left_in_the_pages_of_a_database_is_found(tmp_path: Path, rows: int) -> None:
    people = [(f"ada{number}@example.org", b"note") for number in range(rows)]
    with closing(_database(tmp_path / "a.db", [*people, ("kept", b"kept")], secure_delete=False)) as database:
        database.execute("DELETE FROM kept WHERE right = CAST('note' AS BLOB)")
        database.commit()
        assert {(one.field, one.type) for one in scan(tmp_path / "a.db").findings} == {("deleted rows", "email")}


def test_rows_deleted_securely_leave_nothing_to_find(tmp_path: Path) -> None:
    with closing(_database(tmp_path / "a.db", [("ada@example.org", b"note")], secure_delete=True)) as database:
        database.execute("DELETE FROM kept")
        database.commit()
        assert scan(tmp_path / "a.db").findings == []


def test_a_damaged_database_is_one_that_was_not_read(tmp_path: Path) -> None:
    _database(tmp_path / "a.db", [("x" * 5000, b"y")] * 50, secure_delete=True).close()
    octets = (tmp_path / "a.db").read_bytes()
    (tmp_path / "a.db").write_bytes(octets[:4096] + b"\xff" * 4096 + octets[8192:])
    folder = folder_at(str(tmp_path / "a.db"))
    with pytest.raises(UNREADABLE):
        list(pieces(folder.system, folder.places[0]))
