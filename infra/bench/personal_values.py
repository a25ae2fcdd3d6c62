"""Made-up personal data by a seeded chance, of many countries and spellings: what the masking benchmark plants.

Nobody's: addresses are of example domains, IP addresses of the ranges kept for documentation, telephone numbers of those
kept for fiction or the numbering plans' own examples; identity numbers are drawn and given the check digits that make them
well formed. The check digits are computed here anew, by their definitions, so that no mistake of the recognisers is repeated.
"""

from __future__ import annotations

import base64
import json
import string
from collections.abc import Callable, Sequence
from random import Random

GIVEN = (
    "Anneliese", "Bartosz", "Chukwuemeka", "Dolores", "Eirik", "Fiorella", "Gwendolyn", "Hamza", "Ilse", "Joaquim", "Kateryna",
    "Lakshmi", "Mireille", "Nkechi", "Ottilie", "Paulo", "Quentin", "Rosalind", "Siobhan", "Thandiwe", "Ulrike", "Vikram",
    "Wilfried", "Ximena", "Yusra", "Zbigniew", "Maria", "John", "Anna", "Peter", "Sophie", "Ahmed", "Laura", "Thomas", "Elena",
    "Marco", "Julia", "Daniel", "Priya", "Hiroshi", "Olga", "Lucas", "Emma", "David", "Fatima", "Erik", "Camille", "Pedro",
    "Ingrid", "Ivan",
)  # fmt: skip
FAMILY = (
    "Abernathy", "Bielski", "Castellanos", "Dubois", "Eriksson", "Farrokhzad", "Grünwald", "Haverkamp", "Iwasaki", "Jankowska",
    "Kowalczyk", "Lindqvist", "Mbeki", "Novotný", "O'Sullivan", "Papadakis", "Quiroga", "Ramanathan", "Schröder", "Takahashi",
    "Usmanov", "Villeneuve", "Weatherby", "Yılmaz", "Zanetti", "Müller", "García", "Rossi", "Jansen", "Svensson", "Silva",
    "Martin", "Fernández", "Smith-Jones", "Nowak",
)  # fmt: skip
DOMAINS = (
    "example.org", "example.com", "mail.example.net", "example.co.uk", "firma.example.com", "sub.dept.example.edu",
    "bücher.example.org", "例え.example.net", "xn--bcher-kva.example.com",
)  # fmt: skip
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def digits(chance: Random, count: int) -> str:
    """Return so many digits, the first one not a zero."""
    return str(chance.randint(1, 9)) + "".join(chance.choices(string.digits, k=count - 1))


def filled(chance: Random, shape: str) -> str:
    """Return a shape with each `#` a digit."""
    return "".join(chance.choice(string.digits) if character == "#" else character for character in shape)


def drawn(chance: Random, alphabet: str, count: int) -> str:
    """Return so many characters of an alphabet."""
    return "".join(chance.choices(alphabet, k=count))


def until(chance: Random, make: Callable[[Random], str | None]) -> str:
    """Draw until something well formed comes: check digits of some countries do not exist for some numbers."""
    while True:
        made = make(chance)
        if made is not None:
            return made


def total(number: str, weights: Sequence[int]) -> int:
    """Return the weighted sum of digits."""
    return sum(int(digit) * weight for digit, weight in zip(number, weights, strict=False))


def luhn_digit(number: str) -> str:
    """Return Luhn's digit: from the right, every other one doubled, tens and ones added."""
    doubled = [int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(number))]
    return str(-sum(value // 10 + value % 10 for value in doubled) % 10)


def email(chance: Random) -> str:
    """Return an address of an example domain."""
    given, family = chance.choice(GIVEN), chance.choice(FAMILY)
    local = chance.choice((
        f"{given}.{family}", f"{given[0]}{family}", f"{given}_{family}{chance.randint(1, 99)}", f"{given}+orders",
        f"{family}-{given}", f"{given}{chance.randint(1950, 2010)}",
    ))  # fmt: skip
    made = f"{local}@{chance.choice(DOMAINS)}"
    return made.upper() if chance.random() < 0.05 else made.lower() if chance.random() < 0.7 else made


PHONES = (
    "+1 212 555 01##", "+1-415-555-01##", "+1 (305) 555-01##", "+120255501##", "(212) 555-01##", "646-555-01##", "303.555.01##",
    "1-800-555-01##", "+44 20 7946 0###", "+44 (0)20 7946 0###", "020 7946 0###", "+447700900###", "07700 900###",
    "01632 960###", "0113 496 0###", "+49 30 23125 ###", "030 23125###", "+49 (0)171 39200##", "0171 39200##", "0171/39200##",
    "+33 1 99 00 ## ##", "01 99 00 ## ##", "06 39 98 ## ##", "+33639980###", "+61 2 5550 ####", "(02) 5550 ####",
    "0491 570 1##", "+353 20 91# ####", "+46 8 465 004 ##", "08-465 004 ##", "+31 6 12345###", "06-12345###",
    "+34 612 34 5# ##", "612 34 5# ##", "+39 06 698# ####", "+91 98765 43###", "98765 43###", "+55 11 96123-4###",
    "(11) 96123-4###", "+48 512 345 ###", "512 345 ###", "+41 44 668 18 ##", "044 668 18 ##", "+81 3-1234-5###", "03-1234-5###",
    "+82 2-312-3###", "+86 131 2345 6###", "+971 50 123 4###", "+27 71 123 4###", "+52 55 1234 5###", "0044 20 7946 0###",
    "001 212 555 01##",
)  # fmt: skip
"""Of the ranges for film and theatre where a country has some (NANPA, Ofcom, ARCEP, BNetzA, ACMA, ComReg, PTS), else around
the numbering plan's example, as `phonenumbers` carries it."""


def phone(chance: Random) -> str:
    """Return a number as it is written in one of twenty countries, or internationally."""
    return filled(chance, chance.choice(PHONES))


def phone_bare(chance: Random) -> str:
    """Return a number that only words before it tell from any other."""
    return filled(chance, chance.choice(("555 01##", "55501##", "21255501##", "20794600##", "71 39 20 0#")))


def ip(chance: Random) -> str:
    """Return an address of RFC 5737 or RFC 3849, or a private one."""
    v4 = chance.choice(("192.0.2", "198.51.100", "203.0.113", f"10.{chance.randint(0, 255)}.7")) + f".{chance.randint(1, 254)}"
    words = [f"{chance.randint(0, 0xFFFF):x}" for _ in range(6)]
    v6 = chance.choice(
        (f"2001:db8:{':'.join(words)}", f"2001:db8::{words[0]}:{words[1]}", f"2001:DB8:{words[2]}::1", f"::ffff:{v4}")
    )
    return v4 if chance.random() < 0.7 else v6


def url_credentials(chance: Random) -> str:
    """Return what stands behind the scheme up to the host's end."""
    user = chance.choice(("svc", "root", chance.choice(GIVEN).lower(), ""))
    secret = drawn(chance, string.ascii_letters + string.digits + "!$%^*-_", chance.randint(6, 16))
    return f"{user}:{secret}@{chance.choice(('db', 'cache', 'mq'))}.example.org"


def card(chance: Random) -> str:
    """Return a card number of a brand, with its check digit, in one of its spellings."""
    prefix, length = chance.choice(
        (
            ("4", 16),
            ("4", 13),
            ("51", 16),
            ("55", 16),
            ("2221", 16),
            ("34", 15),
            ("37", 15),
            ("6011", 16),
            ("3530", 16),
            ("36", 14),
        )
    )
    number = prefix + drawn(chance, string.digits, length - len(prefix) - 1)
    number += luhn_digit(number)
    sizes = {15: (4, 6, 5), 14: (4, 6, 4), 13: (4, 4, 5)}.get(length, (4, 4, 4, 4))
    return grouped(number, sizes, chance.choice(("", " ", "-")))


def grouped(number: str, sizes: Sequence[int], gap: str) -> str:
    """Return a number in groups of these sizes."""
    made, at = [], 0
    for size in sizes:
        made.append(number[at : at + size])
        at += size
    return gap.join(made)


def iban(chance: Random) -> str:
    """Return an account of one of sixteen countries (ISO 13616, the registry's structures)."""
    country, shape = chance.choice((
        ("DE", "n18"), ("GB", "a4n14"), ("FR", "n10c11n2"), ("NL", "a4n10"), ("ES", "n20"), ("IT", "a1n10c12"), ("BE", "n12"),
        ("CH", "n5c12"), ("AT", "n16"), ("PL", "n24"), ("SE", "n20"), ("NO", "n11"), ("IE", "a4n14"), ("PT", "n21"),
        ("AE", "n19"), ("TR", "n5n1c16"),
    ))  # fmt: skip
    alphabets = {"n": string.digits, "a": string.ascii_uppercase, "c": string.ascii_uppercase + string.digits}
    account = "".join(
        drawn(chance, alphabets[part[0]], int(part[1:])) for part in "".join(f" {c}" if c.isalpha() else c for c in shape).split()
    )
    letters = "".join(str(int(character, 36)) for character in account + country + "00")
    made = f"{country}{98 - int(letters) % 97:02d}{account}"
    if chance.random() < 0.5:
        return " ".join(made[at : at + 4] for at in range(0, len(made), 4))
    return made.lower() if chance.random() < 0.1 else made


TOKEN_SHAPES = (
    ("AKIA", string.ascii_uppercase + string.digits, 16), ("ghp_", string.ascii_letters + string.digits, 36),
    ("glpat-", string.ascii_letters + string.digits, 20), ("xoxb-", string.digits, 24), ("AIza", string.ascii_letters, 35),
    ("sk_live_", string.ascii_letters + string.digits, 24), ("npm_", string.ascii_letters + string.digits, 36),
    ("hf_", string.ascii_letters, 34), ("sk-proj-", string.ascii_letters + string.digits, 40),
    ("github_pat_", string.ascii_letters + string.digits, 40),
)  # fmt: skip


def api_key(chance: Random) -> str:
    """Return a token whose prefix says whose it is."""
    prefix, alphabet, size = chance.choice(TOKEN_SHAPES)
    return prefix + drawn(chance, alphabet, size)


def api_key_bare(chance: Random) -> str:
    """Return a token that only its name tells."""
    alphabet, size = chance.choice(
        (("0123456789abcdef", 32), ("0123456789abcdef", 40), (string.ascii_letters + string.digits, 28))
    )
    return drawn(chance, alphabet, size)


def jwt(chance: Random) -> str:
    """Return a signed token (RFC 7519) whose signature is drawn."""
    parts = [
        {"alg": chance.choice(("HS256", "RS256")), "typ": "JWT"},
        {"sub": digits(chance, 10), "iat": chance.randint(10**9, 2 * 10**9)},
    ]
    coded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*coded, drawn(chance, string.ascii_letters + string.digits + "-_", 43)])


def password(chance: Random) -> str:
    """Return a password as people choose them: with a digit or a sign."""
    word = chance.choice(("Sommer", "correct-horse", "Tr0ub4dor", "winter", "Passw0rt", "letmein", "qwertz"))
    return word + chance.choice(("2024!", "#1", "99", "!?7", "$123")) + drawn(chance, string.ascii_letters, chance.randint(0, 4))


def private_key(chance: Random) -> str:
    """Return a block of PEM whose body is drawn."""
    kind = chance.choice(("RSA ", "EC ", "OPENSSH ", "", "ENCRYPTED "))
    body = "\n".join(drawn(chance, string.ascii_letters + string.digits + "+/", 64) for _ in range(chance.randint(3, 12)))
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{body}\n-----END {kind}PRIVATE KEY-----"


STREETS_EN = ("Maple", "Orchard", "Cedar", "Ridge", "Wellington", "Harbour", "Mill", "Chestnut", "Sunset", "Elm", "Kingsway")
TOWNS_US = ("Springfield, IL 62704", "Riverton, WY 82501", "Fairview, TX 75069", "Madison, WI 53703-1234")
TOWNS_GB = ("Leeds LS1 4AP", "Bristol BS1 5TR", "London NW1 6XE", "Cardiff CF10 1EP")
ADDRESSES: Sequence[tuple[str, Sequence[str], Sequence[str]]] = (
    ("{number}0 {street} Street, {town}", STREETS_EN, TOWNS_US),
    ("{number}5 {street} Ave, {town}", STREETS_EN, TOWNS_US),
    ("{number} {street} Blvd, {town}", STREETS_EN, TOWNS_US),
    ("{number} N {street} Rd Apt {flat}, {town}", STREETS_EN, TOWNS_US),
    ("{number} {street} Road, {town}", STREETS_EN, TOWNS_GB),
    ("{number} {street} Close, {town}", STREETS_EN, TOWNS_GB),
    ("Flat {flat}, {number} {street} Street, {town}", STREETS_EN, TOWNS_GB),
    (
        "{street} {number}, {town}",
        ("Lindenstraße", "Goethestr.", "Am Alten Markt", "Mühlenweg", "Bahnhofsplatz"),
        ("10115 Berlin", "80331 München", "01067 Dresden", "A-1010 Wien"),
    ),
    (
        "{number} {street}, {town}",
        ("rue de la Gare", "avenue Victor Hugo", "bd Voltaire", "place du Marché"),
        ("75011 Paris", "69002 Lyon", "31000 Toulouse"),
    ),
    (
        "{street} {number}, {town}",
        ("Calle Mayor", "Avenida de América", "Paseo del Prado", "C/ Serrano"),
        ("28013 Madrid", "41001 Sevilla"),
    ),
    (
        "{street} {number}, {town}",
        ("Via Roma", "Corso Italia", "Piazza Dante", "Viale dei Mille"),
        ("00184 Roma", "20121 Milano"),
    ),
    ("{street} {number}, {town}", ("Keizersgracht", "Dorpsstraat", "Stationsplein"), ("1015 CJ Amsterdam", "3511 ED Utrecht")),
    ("{street} {number}, {town}", ("ul. Długa", "ul. Marszałkowska", "al. Jerozolimskie"), ("00-238 Warszawa", "31-146 Kraków")),
    ("{street}, {number}, {town}", ("Rua Augusta", "Rua das Flores"), ("01305-000 São Paulo", "20040-002 Rio de Janeiro")),
    ("P.O. Box {number}", ("",), ("",)),
)
"""How it is written, streets, towns: of ten countries."""


def address(chance: Random) -> str:
    """Return a postal address as one of ten countries writes it."""
    shape, streets, towns = chance.choice(ADDRESSES)
    number, flat = chance.randint(1, 240), chance.randint(1, 40)
    return shape.format(number=number, flat=flat, street=chance.choice(streets), town=chance.choice(towns))


def birth_date(chance: Random) -> str:
    """Return a day in one of the ways in which days are written."""
    year, month, day = chance.randint(1935, 2012), chance.randint(1, 12), chance.randint(1, 28)
    name = MONTHS[month - 1]
    return chance.choice((
        f"{year}-{month:02d}-{day:02d}", f"{day:02d}/{month:02d}/{year}", f"{month}/{day}/{year}", f"{day}.{month}.{year}",
        f"{day:02d}.{month:02d}.{year}", f"{day} {name} {year}", f"{name} {day}, {year}", f"{name[:3]} {day}, {year}",
        f"{day:02d}-{name[:3]}-{year}", f"{day}/{month}/{year % 100:02d}", f"{year}/{month:02d}/{day:02d}",
    ))  # fmt: skip


SYLLABLES = ("ba", "cer", "dol", "fa", "gi", "hun", "kel", "lo", "mir", "na", "os", "pra", "rin", "sut", "ta", "ul", "vel", "zo")


def person(chance: Random) -> str:
    """Return a name."""
    given, family = given_name(chance), chance.choice(FAMILY)
    middle = chance.choice(("", "", f" {chance.choice('ABCDEJKM')}.", " van der"))
    return f"{given}{middle} {family}"


def given_name(chance: Random) -> str:
    """Return a given name: one in four is made of syllables, as no list holds all names that there are."""
    if chance.random() < 0.25:
        return "".join(chance.choices(SYLLABLES, k=chance.randint(2, 3))).capitalize()
    return chance.choice(GIVEN)
