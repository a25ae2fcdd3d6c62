"""Check digits: what tells a card number, an account or an identity number from any other run of digits.

Each takes digits (or letters and digits) without separators. Sources: ISO/IEC 7812-1 (Luhn), ISO 13616 with ISO/IEC 7064
(mod 97-10, mod 11,10), Verhoeff 1969, and each country's own publication of its number.
"""

from __future__ import annotations

from collections.abc import Sequence

_TIMES = "0123456789 1234067895 2340178956 3401289567 4012395678 5987604321 6598710432 7659821043 8765932104 9876543210"
_PLACES = "0123456789 1576283094 5803796142 8916043527 9453126870 4286573901 2793806415 7046913258"
VERHOEFF_TIMES = tuple(tuple(int(digit) for digit in row) for row in _TIMES.split())
VERHOEFF_PLACES = tuple(tuple(int(digit) for digit in row) for row in _PLACES.split())
DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def luhn(digits: str) -> bool:
    """Say whether the last digit is Luhn's (ISO/IEC 7812-1): cards, Canada's SIN, Sweden's personnummer."""
    numbers = [int(digit) for digit in reversed(digits)]
    return (sum(numbers[::2]) + sum(DOUBLED[number] for number in numbers[1::2])) % 10 == 0


def mod97(code: str) -> bool:
    """Say whether an IBAN's two check digits are right (ISO 13616): rearranged, letters as 10 to 35, it leaves 1."""
    return int("".join(str(int(character, 36)) for character in code[4:] + code[:4])) % 97 == 1


def verhoeff(digits: str) -> bool:
    """Say whether the last digit is Verhoeff's: India's Aadhaar."""
    check = 0
    for place, digit in enumerate(reversed(digits)):
        check = VERHOEFF_TIMES[check][VERHOEFF_PLACES[place % 8][int(digit)]]
    return check == 0


def mod11_10(digits: str) -> bool:
    """Say whether the last digit is that of ISO/IEC 7064 mod 11,10: Germany's tax id."""
    product = 10
    for digit in digits[:-1]:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(digits[-1])


def weighted(digits: str, weights: Sequence[int]) -> int:
    """Return the sum of the digits times their weights: most national check digits start from it."""
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))
