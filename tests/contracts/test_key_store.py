"""The embedded key store, on real files: what it keeps, destroys, and refuses."""

from __future__ import annotations

import os
import sqlite3
import stat
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from contracts.connectors.key_store import MasterKey, SqliteKeyStore
from contracts.errors import KeysBroken, NotFound
from contracts.keys import record_subject
from infra.wiring import key_store


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "keys.sqlite"


@pytest.fixture
def store(file: Path) -> SqliteKeyStore:
    return SqliteKeyStore(file)


def of_another_process(file: Path) -> tuple[bytes, dict[str, bytes]]:
    """Return a secret and some keys, as a process of its own gets them."""
    made = SqliteKeyStore(file)
    subjects = [*(f"person{n}" for n in range(50)), *(record_subject("t", n % 3, n) for n in range(50))]
    keys = made.data_keys(subjects)
    return made.secret("masking"), {subject: key.secret for subject, key in keys.items()}


def test_a_key_store_gives_the_same_keys_again_after_a_restart(file, store):
    keys = store.data_keys(["one", "two", record_subject("t", 0, 5)])
    again = SqliteKeyStore(file)
    assert again.data_keys(keys) == keys
    assert again.secret("masking") == store.secret("masking")
    assert len({key.secret for key in keys.values()}) == len({key.id for key in keys.values()}) == 3


def test_processes_that_begin_at_once_get_the_same_keys(file):
    with ProcessPoolExecutor(6, get_context("spawn")) as pool:
        first, *others = pool.map(of_another_process, [file] * 6)
    assert len(first[1]) == 100
    assert all(other == first for other in others)


def test_threads_share_a_store(store):
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(store.data_key, [f"person{n % 7}" for n in range(200)]))
    assert len({key.id for key in found}) == 7


@pytest.mark.parametrize("subject", ["person", record_subject("t", 3, 2_000)])
def test_a_destroyed_key_is_found_by_nobody(file, store, subject):
    key, other = store.data_key(subject), store.data_key("other")
    assert store.find(key.id) == key
    assert store.destroy(subject)
    for each in (store, SqliteKeyStore(file)):
        assert each.find(key.id) is None
        assert each.find(other.id) == other
    assert not store.destroy("nobody")


def test_a_person_whose_key_was_destroyed_gets_a_new_one(store):
    old = store.data_key("person")
    store.destroy("person")
    new = store.data_key("person")
    assert new.id != old.id
    assert new.secret != old.secret


def test_a_record_whose_key_was_destroyed_never_has_one_again(store):
    gone, neighbour = record_subject("t", 0, 7), record_subject("t", 0, 8)
    keys = store.data_keys([gone, neighbour])
    assert store.destroy(gone)
    assert not store.destroy(gone)
    assert store.data_keys([gone, neighbour]) == {neighbour: keys[neighbour]}
    with pytest.raises(NotFound):
        store.data_key(gone)


def test_a_key_that_another_process_destroyed_is_not_used_from_memory(file, store):
    old = store.data_key("person")
    SqliteKeyStore(file).destroy("person")
    assert store.data_key("person").id != old.id


def test_nothing_of_a_destroyed_key_stays_in_the_files(file, store):
    store.data_key("person")
    reading = sqlite3.connect(file)
    wrapped = reading.execute("SELECT wrapped FROM subjects").fetchone()[0]
    reading.close()
    assert any(wrapped in part.read_bytes() for part in file.parent.iterdir())
    store.destroy("person")
    assert not any(wrapped in part.read_bytes() for part in file.parent.iterdir())


def test_the_files_are_for_their_owner_alone(file, store):
    store.data_key("person")
    for part in (file, file.with_name("master.key")):
        assert stat.S_IMODE(part.stat().st_mode) == 0o600
    assert all(stat.S_IMODE(part.stat().st_mode) & 0o077 == 0 for part in file.parent.iterdir())


def test_no_key_lies_in_the_file_unwrapped(file, store):
    keys = store.data_keys(["person", record_subject("t", 0, 0)])
    secrets = [key.secret for key in keys.values()] + [store.secret("masking")]
    content = b"".join(part.read_bytes() for part in file.parent.iterdir())
    assert not any(secret in content for secret in secrets)


def test_a_store_whose_master_key_is_gone_says_so_and_makes_no_other(file, store):
    store.data_key("person")
    file.with_name("master.key").unlink()
    with pytest.raises(KeysBroken, match="no master key"):
        SqliteKeyStore(file).data_key("person")
    assert not file.with_name("master.key").exists()


def test_a_store_under_another_master_key_says_so(file, store):
    store.data_key("person")
    with pytest.raises(KeysBroken, match="do not open"):
        SqliteKeyStore(file, MasterKey(os.urandom(32))).data_key("person")


def test_a_file_that_is_no_key_store_says_so(file):
    file.parent.mkdir()
    file.write_bytes(b"this is not a database, but it is long enough to be taken for one" * 20)
    with pytest.raises(KeysBroken, match="no key store"):
        SqliteKeyStore(file, MasterKey(bytes(32))).data_key("person")


@pytest.mark.parametrize("text", ["no hex", "ab" * 16])
def test_a_master_key_that_is_none_is_refused_without_being_shown(tmp_settings, text):
    from dataclasses import replace

    with pytest.raises(KeysBroken) as error:
        key_store(replace(tmp_settings, master_key=text))
    assert text not in str(error.value)


def test_a_master_key_from_the_settings_needs_no_file(tmp_settings):
    from dataclasses import replace

    settings = replace(tmp_settings, master_key="ab" * 32)
    key = key_store(settings).data_key("person")
    assert key_store(settings).data_key("person") == key
    assert not settings.key_store.with_name("master.key").exists()
