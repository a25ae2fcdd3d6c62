"""Identity numbers of twenty countries, drawn and given the check digits that each state publishes."""

from __future__ import annotations

import string
from random import Random

from infra.bench.personal_values import digits, drawn, grouped, luhn_digit, total, until

ES_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
FI_LETTERS = "0123456789ABCDEFHJKLMNPRSTUVWXY"


def born(chance: Random) -> str:
    """Return a date of the last century, as YYMMDD."""
    return f"{chance.randint(30, 99):02d}{chance.randint(1, 12):02d}{chance.randint(1, 28):02d}"


def us_ssn(chance: Random) -> str:
    """Return a number of the shape that the Social Security Administration gives."""
    area = chance.choice([number for number in range(1, 900) if number != 666])
    return f"{area:03d}-{chance.randint(1, 99):02d}-{chance.randint(1, 9999):04d}"


def us_ssn_bare(chance: Random) -> str:
    """Return the same without what tells it."""
    return us_ssn(chance).replace("-", chance.choice(("", " ")))


def uk_nino(chance: Random) -> str:
    """Return two letters, six digits, a letter, as HMRC gives them."""
    made = chance.choice(("AB", "CE", "JW", "MA", "PX", "SR", "TW")) + drawn(chance, string.digits, 6) + chance.choice("ABCD")
    return made if chance.random() < 0.5 else grouped(made, (2, 2, 2, 2, 1), " ")


def uk_nhs(chance: Random) -> str:
    """Return ten digits, mod 11."""

    def make(chance: Random) -> str | None:
        number = digits(chance, 9)
        check = 11 - total(number, range(10, 1, -1)) % 11
        return None if check == 10 else number + str(check % 11)

    return grouped(until(chance, make), (3, 3, 4), chance.choice((" ", "", "-")))


def de_tax_id(chance: Random) -> str:
    """Return ten digits of which one comes twice, and ISO 7064 mod 11,10."""
    kept = chance.sample(string.digits, 9)
    number = [*kept, chance.choice(kept)]
    while number[0] == "0":
        chance.shuffle(number)
    product = 10
    for digit in number:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    made = "".join(number) + str((11 - product) % 10)
    return grouped(made, (2, 3, 3, 3), chance.choice((" ", "")))


def fr_nir(chance: Random) -> str:
    """Return sex, year, month, place, number, and 97 less the rest."""
    place = f"{chance.randint(1, 95):02d}{chance.randint(1, 990):03d}"
    number = f"{chance.choice('12')}{born(chance)[:4]}{place}{chance.randint(1, 999):03d}"
    made = f"{number}{97 - int(number) % 97:02d}"
    return grouped(made, (1, 2, 2, 2, 3, 3, 2), chance.choice((" ", "")))


def es_id(chance: Random) -> str:
    """Return a DNI or NIE with its letter."""
    if chance.random() < 0.6:
        number = drawn(chance, string.digits, 8)
        return number + chance.choice(("", "-")) + ES_LETTERS[int(number) % 23]
    first, number = chance.randint(0, 2), drawn(chance, string.digits, 7)
    return f"{'XYZ'[first]}{number}{ES_LETTERS[int(f'{first}{number}') % 23]}"


def it_fiscal_code(chance: Random) -> str:
    """Return consonants, a date, a place and the check letter."""
    odd = dict(zip(string.digits + string.ascii_uppercase, [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25,
        24, 23,
    ], strict=True))  # fmt: skip
    day = chance.randint(1, 28) + chance.choice((0, 40))
    code = drawn(chance, "BCDFGLMNPRSTVZ", 6) + f"{chance.randint(30, 99):02d}{chance.choice('ABCDEHLMPRST')}{day:02d}"
    code += chance.choice("ABCDEFGHIL") + drawn(chance, string.digits, 3)
    even = {character: int(character) if character.isdigit() else ord(character) - ord("A") for character in code}
    check = sum(odd[c] if place % 2 == 0 else even[c] for place, c in enumerate(code)) % 26
    return code + string.ascii_uppercase[check]


def nl_bsn(chance: Random) -> str:
    """Return nine digits that pass the eleven test."""

    def make(chance: Random) -> str | None:
        number = digits(chance, 8)
        check = total(number, range(9, 1, -1)) % 11
        return None if check == 10 else number + str(check)

    return grouped(until(chance, make), (4, 2, 3), chance.choice(("", ".")))


def pl_pesel(chance: Random) -> str:
    """Return a date, a number, and the check digit of weights 1, 3, 7, 9."""
    number = born(chance) + drawn(chance, string.digits, 4)
    return number + str(-total(number, (1, 3, 7, 9) * 3) % 10)


def dihedral(one: int, other: int) -> int:
    """Return the product of two elements of D5, the symmetries of a pentagon: turns are 0 to 4, reflections 5 to 9."""
    turn, around = one % 5, other % 5
    turned = (turn - around if one >= 5 else turn + around) % 5
    return turned + (5 if (one >= 5) != (other >= 5) else 0)


def in_aadhaar(chance: Random) -> str:
    """Return twelve digits, the last one Verhoeff's: found by trying, with the permutation applied place by place."""
    number = chance.choice("23456789") + drawn(chance, string.digits, 10)

    def remainder(code: str) -> int:
        shuffle, check = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4], 0
        for place, digit in enumerate(reversed(code)):
            value = int(digit)
            for _ in range(place % 8):
                value = shuffle[value]
            check = dihedral(check, value)
        return check

    made = next(number + last for last in string.digits if remainder(number + last) == 0)
    return grouped(made, (4, 4, 4), chance.choice((" ", "", "-")))


def in_pan(chance: Random) -> str:
    """Return five letters, four digits, a letter; the fourth says what kind of owner."""
    letters = string.ascii_uppercase
    return drawn(chance, letters, 3) + "P" + drawn(chance, letters, 1) + digits(chance, 4) + drawn(chance, letters, 1)


def br_cpf(chance: Random) -> str:
    """Return nine digits and two of mod 11."""
    number = digits(chance, 9)
    for first in (10, 11):
        number += str(total(number, range(first, 1, -1)) * 10 % 11 % 10)
    return f"{number[:3]}.{number[3:6]}.{number[6:9]}-{number[9:]}"


def br_cpf_bare(chance: Random) -> str:
    """Return the same as eleven digits."""
    return br_cpf(chance).replace(".", "").replace("-", "")


def ca_sin(chance: Random) -> str:
    """Return nine digits, Luhn."""
    number = digits(chance, 8)
    return grouped(number + luhn_digit(number), (3, 3, 3), chance.choice((" ", "-", "")))


def au_tfn(chance: Random) -> str:
    """Return nine digits whose weighted sum 11 divides."""

    def make(chance: Random) -> str | None:
        number = digits(chance, 9)
        return number if total(number, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0 else None

    return grouped(until(chance, make), (3, 3, 3), chance.choice((" ", "")))


def se_personnummer(chance: Random) -> str:
    """Return a date, three digits, Luhn over both."""
    number = born(chance) + drawn(chance, string.digits, 3)
    return chance.choice(("", "19")) + f"{number[:6]}-{number[6:]}{luhn_digit(number)}"


def fi_hetu(chance: Random) -> str:
    """Return day, month, year, century, number and the remainder mod 31."""
    day = f"{chance.randint(1, 28):02d}{chance.randint(1, 12):02d}{chance.randint(30, 99):02d}"
    number = f"{chance.randint(2, 899):03d}"
    return f"{day}-{number}{FI_LETTERS[int(day + number) % 31]}"


def be_number(chance: Random) -> str:
    """Return a date, a number, 97 less the rest."""
    date, number = born(chance), f"{chance.randint(1, 997):03d}"
    return f"{date[:2]}.{date[2:4]}.{date[4:]}-{number}.{97 - int(date + number) % 97:02d}"


def ch_ahv(chance: Random) -> str:
    """Return 756 and nine digits, EAN-13."""
    number = "756" + drawn(chance, string.digits, 9)
    made = number + str(-total(number, (1, 3) * 6) % 10)
    return grouped(made, (3, 4, 4, 2), chance.choice((".", "")))


def kr_rrn(chance: Random) -> str:
    """Return a date, sex and century, and the check digit of the numbers given before 2020."""
    number = born(chance) + chance.choice("12") + drawn(chance, string.digits, 5)
    check = (11 - total(number, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11) % 10
    return f"{number[:6]}-{number[6:]}{check}"


def sg_nric(chance: Random) -> str:
    """Return a letter of the series, seven digits, a letter by weights."""
    series, number = chance.choice("STFG"), digits(chance, 7)
    rest = (total(number, (2, 7, 6, 5, 4, 3, 2)) + (4 if series in "TG" else 0)) % 11
    return series + number + ("JZIHGFEDCBA" if series in "ST" else "XWUTRQPNMLK")[rest]
