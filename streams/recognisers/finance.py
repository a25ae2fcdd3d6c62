"""Payment cards (ISO/IEC 7812, Luhn) and bank accounts (IBAN, ISO 13616)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from streams.recognisers.checksums import luhn, mod97
from streams.recognisers.shape import DIGIT, EDGE, START, Finder, Found, Recogniser, digits_of, letters_and_digits

CARD = rf"(?P<pre>{START})(?P<hit>[0-9](?:[ \-]?[0-9]){{11,}}){EDGE}"
CARD_GATE = r"[0-9][0-9 \-]{10}[0-9]"
GROUP = re.compile(r"[0-9]+")
CARD_DIGITS_MIN, CARD_DIGITS_MAX, CARD_GROUPS_MAX = 13, 19, 6
CARD_FIRST_GROUP = (4, *range(CARD_DIGITS_MIN, CARD_DIGITS_MAX + 1))
"""Digits that a card's first group may have: four, or all of them. `440819-2378223` is no card, whatever its check digit."""

BRANDS = (
    (re.compile(r"4"), (13, 16, 19)),
    (re.compile(r"3[47]"), (15,)),
    (re.compile(r"30[0-5]|3095|3[689]"), (14, 16, 19)),
    (re.compile(r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), (16,)),
    (re.compile(r"6011|64[4-9]|65|62|81"), (16, 17, 18, 19)),
    (re.compile(r"35(?:2[89]|[3-8])"), (16, 17, 18, 19)),
    (re.compile(r"50|5[6-8]|6[0-9]"), (16, 18, 19)),
)
"""Issuer ranges and the lengths of their numbers: Visa, American Express, Diners, Mastercard, Discover, JCB, Maestro."""


def is_card(digits: str) -> bool:
    """Say whether digits are a card number: an issuer's range, its length, Luhn's digit, and not one digit over and over."""
    if not any(start.match(digits) and len(digits) in lengths for start, lengths in BRANDS):
        return False
    return luhn(digits) and len(set(digits)) > 1


def card_spans(candidate: str) -> Iterable[Found]:
    """Return the cards in a run of digits in groups: each begins and ends with a group."""
    groups = [(group.start(), group.end()) for group in GROUP.finditer(candidate)]
    at = 0
    while at < len(groups):
        end = _card_end(candidate, groups, at)
        if end is None:
            at += 1
        else:
            yield groups[at][0], groups[end][1], "card"
            at = end + 1


def _card_end(candidate: str, groups: list[tuple[int, int]], at: int) -> int | None:
    """Return the last group of the longest card that begins with group `at`, or None."""
    if len(groups) > at + 1 and groups[at][1] - groups[at][0] not in CARD_FIRST_GROUP:
        return None
    digits, best = "", None
    for end in range(at, min(at + CARD_GROUPS_MAX, len(groups))):
        digits += candidate[slice(*groups[end])] if groups[end][1] - groups[end][0] <= CARD_DIGITS_MAX else "0" * 20
        if len(digits) > CARD_DIGITS_MAX:
            break
        if len(digits) >= CARD_DIGITS_MIN and is_card(digits):
            best = end
    return best


_LENGTHS = """
AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18
FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20
LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24
SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30
"""
IBAN_LENGTHS = {part[:2]: int(part[2:]) for part in _LENGTHS.split()}
"""SWIFT's IBAN registry: characters by country."""

IBAN = rf"(?P<pre>{START})(?P<hit>(?i-u:[A-Z]{{2}})[0-9]{{2}}(?:[ \-]?[0-9A-Za-z]){{11,40}}){EDGE}"


def iban_spans(candidate: str) -> Iterable[Found]:
    """Return the account at the start of a candidate, as long as its country's are: words may follow."""
    length = IBAN_LENGTHS.get(candidate[:2].upper())
    places = [place for place, character in enumerate(candidate) if character.isalnum()]
    if length is None or len(places) < length:
        return
    end = places[length - 1] + 1
    ends_there = end == len(candidate) or not candidate[end].isalnum()
    if ends_there and mod97(letters_and_digits(candidate[:end])):
        yield 0, end, "iban"


RECOGNISERS = (Recogniser("iban", 1, letters_and_digits), Recogniser("card", 2, digits_of))
FINDERS = (
    Finder(("iban",), (DIGIT,), IBAN, iban_spans),
    Finder(("card",), (DIGIT, CARD_GATE), CARD, card_spans),
)
