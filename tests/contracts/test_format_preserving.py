"""FF1 against NIST's published examples, and as a permutation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.format_preserving import FF1, shortest

K128 = bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3C")
K192 = K128 + bytes.fromhex("EF4359D8D580AA4F")
K256 = K128 + bytes.fromhex("EF4359D8D580AA4F7F036D6F04FC6A94")
DIGITS, LETTERS = b"9876543210", bytes.fromhex("3737373770717273373737")
NUMBERS, WORDS = "0123456789", "0123456789abcdefghi"

EXAMPLES = [
    (K128, 10, b"", NUMBERS, "2433477484"),
    (K128, 10, DIGITS, NUMBERS, "6124200773"),
    (K128, 36, LETTERS, WORDS, "a9tv40mll9kdu509eum"),
    (K192, 10, b"", NUMBERS, "2830668132"),
    (K192, 10, DIGITS, NUMBERS, "2496655549"),
    (K192, 36, LETTERS, WORDS, "xbj3kv35jrawxv32ysr"),
    (K256, 10, b"", NUMBERS, "6657667009"),
    (K256, 10, DIGITS, NUMBERS, "1001623463"),
    (K256, 36, LETTERS, WORDS, "xs8a0azh2avyalyzuwd"),
]
"""NIST's samples of FF1 (SP 800-38G): key, radix, tweak, plaintext, ciphertext."""


@pytest.mark.parametrize(("key", "radix", "tweak", "plain", "cipher"), EXAMPLES)
def test_nists_examples_come_out(key, radix, tweak, plain, cipher):
    made = FF1(key, radix).encrypt([int(character, 36) for character in plain], tweak)
    assert "".join("0123456789abcdefghijklmnopqrstuvwxyz"[numeral] for numeral in made) == cipher


@given(st.sets(st.lists(st.integers(0, 9), min_size=6, max_size=6).map(tuple), max_size=40))
def test_no_two_numeral_strings_share_an_image(strings):
    cipher = FF1(K256, 10)
    assert len({tuple(cipher.encrypt(string)) for string in strings}) == len(strings)


def test_the_domain_is_never_below_a_million():
    assert (shortest(10), shortest(26), shortest(36)) == (6, 5, 4)
