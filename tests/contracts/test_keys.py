"""Key trees and sealing: pure functions, and what must follow from one another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import SealBroken
from contracts.key_tree import DEPTH, LEAVES, ROOT, leaves, packed_cover, punctured, unpacked_cover
from contracts.keys import DataKey, record_subject, subject_id
from contracts.sealing import NONCE_BYTES, TAG_BYTES, seal, unseal

WHOLE = {ROOT: bytes(range(32))}
KEY = DataKey("one", b"k" * 32)
indexes = st.integers(0, LEAVES - 1)


@given(st.lists(indexes, max_size=8))
def test_destroying_leaves_of_a_key_tree_leaves_every_other_as_it_was(destroyed):
    cover = WHOLE
    for index in destroyed:
        cover = punctured(cover, index)
    before, after = leaves(WHOLE, range(LEAVES)), leaves(cover, range(LEAVES))
    assert after == {index: key for index, key in before.items() if index not in destroyed}
    assert len(cover) <= max(1, len(set(destroyed)) * DEPTH)


def test_every_leaf_of_a_key_tree_has_a_key_of_its_own():
    assert len(set(leaves(WHOLE, range(LEAVES)).values())) == LEAVES


def test_no_node_that_is_kept_stands_above_a_destroyed_leaf():
    cover = punctured(WHOLE, 777)
    above = {(LEAVES + 777) >> up for up in range(DEPTH + 1)}
    assert not above & set(cover)


@given(st.lists(indexes, max_size=5))
def test_a_cover_is_the_same_after_it_was_packed(destroyed):
    cover = WHOLE
    for index in destroyed:
        cover = punctured(cover, index)
    assert unpacked_cover(packed_cover(cover)) == cover


@given(st.binary(max_size=2_000), st.text(max_size=40))
def test_what_was_sealed_opens_under_its_key_for_its_place(plaintext, place):
    sealed = seal(plaintext, KEY, place)
    assert len(sealed) == NONCE_BYTES + len(plaintext) + TAG_BYTES
    assert unseal(sealed, KEY, place) == plaintext


@given(st.binary(max_size=200))
def test_sealing_again_gives_the_same_bytes(plaintext):
    assert seal(plaintext, KEY, "t:0:1") == seal(plaintext, KEY, "t:0:1")


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_one_key_never_uses_a_nonce_for_two_texts(one, other):
    nonces = [seal(one, KEY, "t:0:1")[:NONCE_BYTES], seal(other, KEY, "t:0:1")[:NONCE_BYTES]]
    assert (nonces[0] == nonces[1]) == (one == other)


@given(st.integers(0), st.integers(0, 7))
def test_a_sealed_text_with_one_bit_changed_does_not_open(at, bit):
    sealed = bytearray(seal(b"some record", KEY, "t:0:1"))
    sealed[at % len(sealed)] ^= 1 << bit
    with pytest.raises(SealBroken):
        unseal(bytes(sealed), KEY, "t:0:1")


@pytest.mark.parametrize(("key", "place"), [(DataKey("two", b"l" * 32), "t:0:1"), (KEY, "t:0:2")])
def test_a_sealed_text_does_not_open_elsewhere(key, place):
    with pytest.raises(SealBroken, match="do not open") as error:
        unseal(seal(b"some record", KEY, "t:0:1"), key, place)
    assert "some record" not in str(error.value)


def test_a_cut_sealed_text_does_not_open():
    with pytest.raises(SealBroken):
        unseal(b"short", KEY, "t:0:1")


def test_a_key_does_not_show_its_secret():
    assert "kkk" not in repr(KEY)


def test_a_subject_is_known_by_a_name_that_only_the_secret_gives():
    assert subject_id("max@example.org", b"s" * 32) != subject_id("max@example.org", b"t" * 32)
    assert subject_id(12, b"s" * 32) == subject_id("12", b"s" * 32)
    assert "max" not in subject_id("max@example.org", b"s" * 32)
    assert record_subject("a.raw.v1", 2, 33) == "record:a.raw.v1:2:33"
