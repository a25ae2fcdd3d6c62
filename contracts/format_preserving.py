"""Encryption that keeps the format: FF1 of NIST SP 800-38G, on AES.

A numeral string in, one of the same radix and length out, one to one under a key and a tweak. The standard asks for at least
a million possible strings (its revision 1, section 5.1): shorter ones can be tried out by anyone who sees enough of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK = 16
ROUNDS = 10
DOMAIN_MIN = 1_000_000


def shortest(radix: int) -> int:
    """Return the fewest numerals that FF1 may be used on."""
    length = 2
    while radix**length < DOMAIN_MIN:
        length += 1
    return length


class FF1:
    """The cipher under one key (16, 24 or 32 bytes) and radix. Pure: the same numerals and tweak give the same numerals."""

    def __init__(self, key: bytes, radix: int) -> None:
        # One block at a time: CBC-MAC below is the standard's PRF, and step 6.iii enciphers single blocks.
        self._encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305  no message is enciphered by ECB
        self._radix = radix

    def encrypt(self, numerals: Sequence[int], tweak: bytes = b"") -> list[int]:
        """Return the numerals enciphered (SP 800-38G, algorithm 7). There are at least `shortest(radix)` of them."""
        radix, n, t = self._radix, len(numerals), len(tweak)
        u = n // 2
        v = n - u
        a, b = _number(numerals[:u], radix), _number(numerals[u:], radix)
        size = ((radix**v - 1).bit_length() + 7) // 8
        d = 4 * -(-size // 4) + 4
        head = (
            bytes((1, 2, 1)) + radix.to_bytes(3, "big") + bytes((ROUNDS, u % 256)) + n.to_bytes(4, "big") + t.to_bytes(4, "big")
        )
        middle = tweak + bytes((-t - size - 1) % BLOCK)
        for i in range(ROUNDS):
            r = self._mac(head + middle + bytes((i,)) + b.to_bytes(size, "big"))
            s = self._stretched(r, d)
            length = u if i % 2 == 0 else v
            a, b = b, (a + int.from_bytes(s, "big")) % radix**length
        return [*_numerals(a, radix, u), *_numerals(b, radix, v)]

    def _mac(self, data: bytes) -> bytes:
        block = bytes(BLOCK)
        for at in range(0, len(data), BLOCK):
            block = self._encryptor.update(_xor(block, data[at : at + BLOCK]))
        return block

    def _stretched(self, block: bytes, size: int) -> bytes:
        made = block
        for number in range(1, -(-size // BLOCK)):
            made += self._encryptor.update(_xor(block, number.to_bytes(BLOCK, "big")))
        return made[:size]


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(BLOCK, "big")


def _number(numerals: Sequence[int], radix: int) -> int:
    value = 0
    for numeral in numerals:
        value = value * radix + numeral
    return value


def _numerals(value: int, radix: int, length: int) -> list[int]:
    made = [0] * length
    for at in range(length - 1, -1, -1):
        value, made[at] = divmod(value, radix)
    return made
