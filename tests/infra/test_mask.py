"""`headwater mask`: lines in, masked lines out in order, and a plain word on what is none."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.commands.mask import masked_lines
from infra.settings import PROJECT_FOLDER
from streams.recognise import TYPES

KEY = bytes(range(32))


def run(home: Path, *options: str, text: bytes) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "infra.main", "--home", str(home), "mask", *options]
    return subprocess.run(command, input=text, capture_output=True, cwd=PROJECT_FOLDER, check=False)


def lines(*texts: object) -> bytes:
    return b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts)


def test_texts_come_out_masked_with_what_was_found_where(tmp_path):
    text = "👋 jane@example.org calls +1 212 555 0142"
    done = run(tmp_path, text=lines(text, "nothing"))
    assert done.returncode == 0, done.stderr
    first, second = map(json.loads, done.stdout.splitlines())
    assert [(e["type"], text[e["start"] : e["end"]]) for e in first["entities"]] == [
        ("email", "jane@example.org"), ("phone", "+1 212 555 0142"),
    ]  # fmt: skip
    assert re.fullmatch(r"👋 <email:[a-z]{12}> calls <phone:[a-z]{12}>", first["text"])
    assert second == {"text": "nothing", "entities": []}


def test_the_installations_key_stays_and_a_key_of_ones_own_takes_its_place(tmp_path):
    key = tmp_path / "key"
    key.write_bytes(KEY)
    given = lines("jane@example.org")
    first, again, other = run(tmp_path, text=given), run(tmp_path, text=given), run(tmp_path, "--key-file", str(key), text=given)
    assert first.stdout == again.stdout != other.stdout
    key.write_bytes(b"short")
    assert run(tmp_path, "--key-file", str(key), text=given).returncode == 2


def test_a_bad_line_is_named_and_the_others_come_out(tmp_path):
    given = lines("a@example.org") + b'{"text": 5}\nnot json jane@example.org\n\n["text"]\n' + lines("last").rstrip(b"\n")
    done = run(tmp_path, text=given)
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 2
    assert [number in done.stderr for number in (b"line 2:", b"line 3:", b"line 5:")] == [True] * 3
    assert b"3 of 6 lines" in done.stderr
    assert b"jane" not in done.stderr


def test_names_are_found_if_asked_for(tmp_path):
    given = lines("Dear Anna Example, hello")
    assert b"person" not in run(tmp_path, text=given).stdout
    assert b"<person:" in run(tmp_path, "--names", text=given).stdout


@given(st.lists(st.text(max_size=20) | st.integers(-9, 9), max_size=8), st.integers(0, 8))
def test_lines_split_anywhere_come_out_alike(texts, cut):
    given = [orjson.dumps({"text": text}) for text in texts]
    whole, bad = masked_lines(given, KEY, TYPES, 0)
    first, second = masked_lines(given[:cut], KEY, TYPES, 0), masked_lines(given[cut:], KEY, TYPES, len(given[:cut]))
    assert (whole, bad) == (first[0] + second[0], first[1] + second[1])


def test_lines_come_out_while_others_are_still_awaited(tmp_path):
    command = [sys.executable, "-m", "infra.main", "--home", str(tmp_path), "mask"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=PROJECT_FOLDER) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        running.stdin.write(lines("a@example.org") + b'{"te')
        running.stdin.flush()
        assert b"<email:" in running.stdout.readline()
        running.stdin.write(b'xt": "b"}')
        running.stdin.close()
        assert running.stdout.read() == b'{"text":"b","entities":[]}\n'


@pytest.mark.slow
def test_ten_megabytes_a_second_go_through(tmp_path):
    import time

    text = lines(*["the wind over the harbour was calm and the boats stayed in, said one to the other " * 12] * 20_000)
    began = time.perf_counter()
    assert run(tmp_path, text=text).returncode == 0
    # Half the promise: beside other work, and with the start of the program in it.
    assert len(text) / (time.perf_counter() - began) > 5e6
