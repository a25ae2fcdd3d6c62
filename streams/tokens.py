"""Tokens: a value's stand-in that looks like it. Digits become digits, letters letters of the same case, the rest stays.

All digits of a value are one numeral string and all its ASCII letters another, each enciphered by FF1, so two values never
share a token. Where a string is shorter than FF1 allows (6 digits, 5 letters), and for letters and numbers beyond ASCII, a
keyed hash of the whole value draws the characters instead: equal for equal values, but two may meet. What stays is
punctuation, spaces, signs and emoji: Unicode's categories P, Z, S and C.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from contracts.format_preserving import FF1, shortest

DIGITS, LETTERS = 10, 26
A = ord("a")


@lru_cache(8)
def _ciphers(key: bytes) -> tuple[FF1, FF1]:
    return FF1(hmac.digest(key, b"digits", hashlib.sha256), DIGITS), FF1(hmac.digest(key, b"letters", hashlib.sha256), LETTERS)


def token(text: str, key: bytes, tweak: bytes = b"") -> str:
    """Return the text's token under a 32-byte key. `tweak` tells apart the owners of equal values."""
    digit_cipher, letter_cipher = _ciphers(key)
    digits = [at for at, character in enumerate(text) if character in "0123456789"]
    letters = [at for at, character in enumerate(text) if character.isascii() and character.isalpha()]
    drawn = _drawn(text, key, tweak)
    made = [_strange(character, drawn) for character in text]
    for at, numeral in zip(digits, _enciphered(digit_cipher, DIGITS, [int(text[i]) for i in digits], tweak, drawn), strict=True):
        made[at] = str(numeral)
    lowered = [ord(text[i].lower()) - A for i in letters]
    for at, numeral in zip(letters, _enciphered(letter_cipher, LETTERS, lowered, tweak, drawn), strict=True):
        letter = chr(A + numeral)
        made[at] = letter.upper() if text[at].isupper() else letter
    return "".join(made)


def integer_token(value: int, key: bytes, tweak: bytes = b"") -> int:
    """Return an integer's token: as many digits, the same sign, no leading zero, so that no two numbers share one.

    A number of fewer than six digits may share one. A token beyond 64 bits is enciphered again (cycle walking), as is one
    with a leading zero: both leave the map one to one.
    """
    text = str(abs(value))
    made = token(text, key, tweak)
    while (made[0] == "0" and len(made) > 1) or int(made) > 2**63 - 1:
        made = token(made, key, tweak)
    return -int(made) if value < 0 else int(made)


def _enciphered(cipher: FF1, radix: int, numerals: Sequence[int], tweak: bytes, drawn: _Drawn) -> Sequence[int]:
    if len(numerals) >= shortest(radix):
        return cipher.encrypt(numerals, tweak)
    return [(numeral + drawn.below(radix)) % radix for numeral in numerals]


class _Drawn:
    """Numbers that follow from a value and a key: SHAKE-256 of their HMAC, read on as far as is asked."""

    def __init__(self, seed: bytes) -> None:
        self._seed, self._at, self._bytes = seed, 0, b""

    def below(self, bound: int) -> int:
        """Return the next number from 0 to `bound` (at most 256), as good as evenly: of 32 bits each."""
        if self._at + 4 > len(self._bytes):
            self._bytes = hashlib.shake_256(self._seed).digest(max(64, 2 * len(self._bytes)))
        self._at += 4
        return int.from_bytes(self._bytes[self._at - 4 : self._at], "big") % bound


def _drawn(text: str, key: bytes, tweak: bytes) -> _Drawn:
    return _Drawn(hmac.digest(key, b"drawn\0" + len(tweak).to_bytes(4, "big") + tweak + text.encode(), hashlib.sha256))


def _strange(character: str, drawn: _Drawn) -> str:
    """Return what stands for a character that is no ASCII letter or digit: punctuation and signs stay.

    A fraction, a Roman or a Tamil numeral (categories No, Nl) tells as much as a digit and becomes one; a vowel sign or an
    accent of its own (category M) is part of a word and becomes a letter.
    """
    if character.isascii():
        return character
    category = unicodedata.category(character)[0]
    if category == "N":
        return str(drawn.below(DIGITS))
    if category not in "LM":
        return character
    letter = chr(A + drawn.below(LETTERS))
    return letter.upper() if character.isupper() else letter
