"""Numbers that a state gives to a person: by shape, check digit, and, where bare digits would be anything, by a word nearby."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from streams.recognisers.checksums import luhn, mod11_10, verhoeff, weighted
from streams.recognisers.shape import DIGIT, EDGE, START, UUID, Finder, Found, Recogniser, letters_and_digits

IT_ODD = dict(zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", (
    1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10,
    22, 25, 24, 23,
), strict=True))  # fmt: skip
ES_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
FI_LETTERS = "0123456789ABCDEFHJKLMNPRSTUVWXY"
SG_LETTERS = {"S": "JZIHGFEDCBA", "T": "JZIHGFEDCBA", "F": "XWUTRQPNMLK", "G": "XWUTRQPNMLK"}
DAYS_MAX, MONTHS_MAX = 31, 12


def is_us_ssn(code: str) -> bool:
    """Social Security number, or the taxpayer number (9xx) that stands in for one. SSA and IRS say which are given."""
    area, group, serial = code[:3], int(code[3:5]), code[5:]
    if area[0] == "9":
        return group in range(50, 66) or group in range(70, 89) or group in (90, 91, 92, 94, 95, 96, 97, 98, 99)
    return area not in ("000", "666") and group != 0 and serial != "0000"


def is_uk_nino(code: str) -> bool:
    """National Insurance number: HMRC leaves out some prefixes."""
    return code[:2] not in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ")


def is_uk_nhs(code: str) -> bool:
    """NHS number, mod 11."""
    return (11 - weighted(code, range(10, 1, -1)) % 11) % 11 == int(code[-1])


def is_de_tax_id(code: str) -> bool:
    """Steuerliche Identifikationsnummer: of the first ten digits exactly one comes more than once, two or three times."""
    counts = sorted((code[:10].count(digit) for digit in set(code[:10])), reverse=True)
    return code[0] != "0" and counts[0] in (2, 3) and counts[1] == 1 and mod11_10(code)


def is_fr_nir(code: str) -> bool:
    """Numéro de sécurité sociale: 97 less the number mod 97; Corsica's 2A and 2B count as 19 and 18."""
    number = code[:13].replace("2A", "19").replace("2B", "18")
    return number.isdigit() and 97 - int(number) % 97 == int(code[13:])


def is_es_id(code: str) -> bool:
    """DNI or NIE: the letter is the number mod 23, with X, Y, Z as 0, 1, 2."""
    number = code[:-1].translate(str.maketrans("XYZ", "012"))
    return ES_LETTERS[int(number) % 23] == code[-1]


def is_it_fiscal_code(code: str) -> bool:
    """Codice fiscale: letters of odd places by table, of even ones by value."""
    even = sum(int(character, 36) - (0 if character.isdigit() else 10) for character in code[1:15:2])
    return chr(ord("A") + (sum(IT_ODD[character] for character in code[0:15:2]) + even) % 26) == code[15]


def is_nl_bsn(code: str) -> bool:
    """Burgerservicenummer, the eleven test."""
    return (weighted(code[:8], range(9, 1, -1)) - int(code[8])) % 11 == 0 and code != "0" * 9


def is_pl_pesel(code: str) -> bool:
    """PESEL: a date of birth, with the century in the month, and a check digit."""
    dated = 1 <= int(code[2:4]) % 20 <= MONTHS_MAX and 1 <= int(code[4:6]) <= DAYS_MAX
    return dated and (10 - weighted(code, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10) % 10 == int(code[10])


def is_br_cpf(code: str) -> bool:
    """CPF: two check digits, mod 11."""
    first = weighted(code, range(10, 1, -1)) * 10 % 11 % 10
    second = weighted(code, range(11, 1, -1)) * 10 % 11 % 10
    return len(set(code)) > 1 and code[9:] == f"{first}{second}"


def is_au_tfn(code: str) -> bool:
    """Tax file number, mod 11."""
    return weighted(code, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0


def is_se_personnummer(code: str) -> bool:
    """Personnummer: a date (a coordination number's day is 60 more) and Luhn's digit, of the last ten digits."""
    code = code[-10:]
    return 1 <= int(code[2:4]) <= MONTHS_MAX and 1 <= int(code[4:6]) % 60 <= DAYS_MAX and luhn(code)


def is_fi_hetu(code: str) -> bool:
    """Henkilötunnus: day, month, year, century sign, number, and their remainder mod 31 as a character."""
    digits = code[:6] + code[-4:-1]
    dated = 1 <= int(code[:2]) <= DAYS_MAX and 1 <= int(code[2:4]) <= MONTHS_MAX
    return dated and FI_LETTERS[int(digits) % 31] == code[-1]


def is_be_number(code: str) -> bool:
    """Numéro de registre national: 97 less the first nine mod 97; from 2000 on with a 2 before them."""
    check = int(code[9:])
    return check in (97 - int(code[:9]) % 97, 97 - int("2" + code[:9]) % 97)


def is_ch_ahv(code: str) -> bool:
    """AHV number: an EAN-13 that starts with the country's 756."""
    return (10 - weighted(code[:12], (1, 3) * 6) % 10) % 10 == int(code[12])


def is_kr_rrn(code: str) -> bool:
    """Resident registration number: a date, and mod 11 (numbers given since October 2020 have no check digit)."""
    return 1 <= int(code[2:4]) <= MONTHS_MAX and 1 <= int(code[4:6]) <= DAYS_MAX


def is_sg_nric(code: str) -> bool:
    """NRIC or FIN: weights, an offset of 4 for those of this century, a letter by series."""
    total = weighted(code[1:8], (2, 7, 6, 5, 4, 3, 2)) + (4 if code[0] in "TG" else 0)
    return SG_LETTERS[code[0]][total % 11] == code[8]


@dataclass(frozen=True)
class NationalId:
    """One country's number: a shape that tells it by itself, and a looser one that needs a word before it."""

    type: str
    shape: str
    """Empty where bare digits could be anything."""
    real: Callable[[str], bool]
    """Of the number without what groups it, in upper case."""
    near: str = ""
    near_shape: str = ""


NATIONAL_IDS = (
    NationalId("us_ssn", r"[0-9]{3}-[0-9]{2}-[0-9]{4}", is_us_ssn,
               "ssn|itin|social security|taxpayer", r"[0-9]{3}[ \-]?[0-9]{2}[ \-]?[0-9]{4}"),
    NationalId("uk_nino",
               r"[A-CEGHJ-PR-TW-Za-ceghj-pr-tw-z][A-CEGHJ-NPR-TW-Za-ceghj-npr-tw-z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-Da-d]",
               is_uk_nino),
    NationalId("uk_nhs", "", is_uk_nhs, "nhs", r"[0-9]{3}[ \-]?[0-9]{3}[ \-]?[0-9]{4}"),
    NationalId("de_tax_id", r"[1-9][0-9] ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}", is_de_tax_id),
    NationalId("fr_nir", r"[12] ?[0-9]{2} ?[0-9]{2} ?(?:[0-9]{2}|2[ABab]) ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}", is_fr_nir),
    NationalId("es_id", r"(?:[0-9]{8}|[XYZxyz]-?[0-9]{7})[ \-]?[A-Za-z]", is_es_id),
    NationalId("it_fiscal_code",
               r"[A-Za-z]{6}[0-9LMNP-Vlmnp-v]{2}[A-EHLMPRSTa-ehlmprst][0-9LMNP-Vlmnp-v]{2}[A-Za-z][0-9LMNP-Vlmnp-v]{3}[A-Za-z]",
               is_it_fiscal_code),
    NationalId("nl_bsn", "", is_nl_bsn, "bsn|burgerservicenummer|sofinummer|sofi",
               r"[0-9]{4}[ .]?[0-9]{2}[ .]?[0-9]{3}|[0-9]{3}[ .][0-9]{3}[ .][0-9]{3}"),
    NationalId("pl_pesel", r"[0-9]{11}", is_pl_pesel),
    NationalId("in_aadhaar", r"[2-9][0-9]{3}[ \-]?[0-9]{4}[ \-]?[0-9]{4}", verhoeff),
    NationalId("in_pan", r"[A-Z]{3}[ABCFGHJLPT][A-Z][0-9]{4}[A-Z]", lambda _code: True),
    NationalId("br_cpf", r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}", is_br_cpf, "cpf", r"[0-9]{9}-?[0-9]{2}"),
    NationalId("ca_sin", "", luhn, "sin|social insurance", r"[0-9]{3}[ \-]?[0-9]{3}[ \-]?[0-9]{3}"),
    NationalId("au_tfn", "", is_au_tfn, "tfn|tax file", r"[0-9]{3}[ \-]?[0-9]{3}[ \-]?[0-9]{3}"),
    NationalId("fi_hetu", r"[0-9]{6}[\-+A-FYXWVU][0-9]{3}[0-9A-FHJ-NPR-Y]", is_fi_hetu),
    NationalId("se_personnummer", r"(?:19|20)?[0-9]{6}[\-+][0-9]{4}", is_se_personnummer,
               "personnummer|personnr", r"(?:19|20)?[0-9]{10}"),
    NationalId("be_number", r"[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}\.[0-9]{2}", is_be_number,
               "rijksregisternummer|numéro national|registre national", r"[0-9]{11}"),
    NationalId("ch_ahv", r"756\.?[0-9]{4}\.?[0-9]{4}\.?[0-9]{2}", is_ch_ahv),
    NationalId("kr_rrn", r"[0-9]{6}-[1-8][0-9]{6}", is_kr_rrn),
    NationalId("sg_nric", r"[STFG][0-9]{7}[A-Z]", is_sg_nric),
)  # fmt: skip
"""In the order in which one names a number that two claim: Finland's check is one in 31 before Sweden's of one in ten."""

SEPARATORS = re.compile(r"[ .\-/+]")
SHAPES = tuple((number, re.compile(number.shape)) for number in NATIONAL_IDS if number.shape)
NEAR = tuple(
    (number, re.compile(rf"(?i:{number.near})\b"), re.compile(number.near_shape)) for number in NATIONAL_IDS if number.near
)
_BY_SHAPE = "|".join(number.shape for number in NATIONAL_IDS if number.shape)
_BY_WORD = "|".join(
    rf"(?i:{EDGE}(?:{number.near}){EDGE})[^0-9<>\n]{{0,25}}(?:{number.near_shape})" for number in NATIONAL_IDS if number.near
)
PATTERN = rf"(?:(?P<pre>{START})(?P<hit>{UUID}|{_BY_SHAPE})|(?P<hit2>{_BY_WORD})){EDGE}"


def id_spans(candidate: str) -> Iterable[Found]:
    """Return a number under the first country's name whose shape it has, whose check it passes, and whose word is there."""
    start = next(at for at, character in enumerate(candidate) if character.isdigit()) if _has_word(candidate) else 0
    text = candidate[start:]
    code = SEPARATORS.sub("", text).upper()
    for number, word, shape in NEAR:
        if start and word.match(candidate) and shape.fullmatch(text) and number.real(code):
            yield start, len(candidate), number.type
            return
    for number, shape in SHAPES:
        if shape.fullmatch(text) and number.real(code):
            yield start, len(candidate), number.type
            return


def _has_word(candidate: str) -> bool:
    return any(word.match(candidate) for _, word, _ in NEAR)


VERSIONS = {"fi_hetu": 2, "se_personnummer": 2, "in_aadhaar": 2}
RECOGNISERS = tuple(Recogniser(number.type, VERSIONS.get(number.type, 1), letters_and_digits) for number in NATIONAL_IDS)
FINDERS = (Finder(tuple(number.type for number in NATIONAL_IDS), (DIGIT,), PATTERN, id_spans),)
