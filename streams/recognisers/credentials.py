"""What opens a door: keys, tokens, passwords, private keys, and addresses that carry a password."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

from streams.recognisers.shape import DIGIT, EDGE, Finder, Found, Recogniser

URL_WITH_PASSWORD = r"""(?P<pre>[A-Za-z][A-Za-z0-9+.-]*://)(?P<hit>[^\s/@:<>"']*:[^\s/<>"'`]+@[^\s/<>"'@`)\]]+)"""  # noqa: S105  a pattern

BEGIN = r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"
END = r"-----END (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"
PRIVATE_KEY = rf"(?P<hit>{BEGIN}(?:(?:[^\-<>]|-[^\-<>])*{END}|(?:\s*[A-Za-z0-9+/=]{{20,}})*))"
"""A body never holds `--`, so a key that never ends stops where the next one begins: linear, however many begin."""

TOKENS = (
    r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
    r"(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}",
    r"gh[pousr]_[A-Za-z0-9]{30,}",
    r"github_pat_[A-Za-z0-9_]{22,}",
    r"glpat-[A-Za-z0-9_-]{20,}",
    r"xox[abeoprs]-[A-Za-z0-9-]{10,}",
    r"[srp]k_(?:live|test)_[A-Za-z0-9]{16,}",
    r"whsec_[A-Za-z0-9]{24,}",
    r"AIza[A-Za-z0-9_-]{35}",
    r"ya29\.[A-Za-z0-9_-]{20,}",
    r"sk-[A-Za-z0-9_-]{20,}",
    r"npm_[A-Za-z0-9]{30,}",
    r"pypi-[A-Za-z0-9_-]{50,}",
    r"hf_[A-Za-z0-9]{30,}",
    r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    r"dop_v1_[0-9a-f]{64}",
)
"""JWT (RFC 7519), AWS, GitHub, GitLab, Slack, Stripe, Google, OpenAI and alike, npm, PyPI, Hugging Face, SendGrid, ..."""
TOKEN = rf"{EDGE}(?P<hit>{'|'.join(TOKENS)})"
KEY_GATE = (
    r"eyJ|AKIA|ASIA|AROA|AIDA|gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|[srp]k_(?:live|test)_|whsec_|AIza|ya29\.|sk-|npm_|pypi-"
    r"|hf_|SG\.|dop_v1_"
)

ASSIGNS = r"""["'\]]{0,2}[ \t]*(?::=|=>|[:=])[ \t]*["']?"""
KEY_WORDS = r"(?i-u:key|token|secret|credential)"
KEY_NAME = rf"{KEY_WORDS}[A-Za-z0-9_]{{0,12}}"
KEY_SCHEME = r"(?i-u:bearer|basic) +"
KEY_VALUE = r"[A-Za-z0-9+/=_.~-]{16,}"
ASSIGNED_KEY = rf"(?P<hit>{KEY_NAME}{ASSIGNS}(?:{KEY_SCHEME})?{KEY_VALUE}|{KEY_SCHEME}{KEY_VALUE})"
ASSIGNED_PARTS = re.compile(
    rf"(?:(?P<name>{KEY_NAME}){ASSIGNS}(?:{KEY_SCHEME})?|{KEY_SCHEME})(?P<value>{KEY_VALUE})".replace("(?i-u:", "(?i:")
)
"""The same pattern, by parts, for the judge: Python reads one candidate at a time, of a bounded name and one run of a value."""
ASSIGNED_GATE = rf"""{KEY_WORDS}[A-Za-z0-9_]{{0,12}}["'\]]{{0,2}}[ \t]*[:=]|(?i-u:bearer|basic) """
LOGIN_WORDS = (
    r"(?:(?i-u:passwd|password|passphrase|passwort|kennwort|pwd|mot de passe|senha|wachtwoord|adgangskode)|[Cc]ontraseña|[Hh]asło"
    r"|[Пп]ароль|パスワード|密码)"
)
LOGIN_GATE = (
    r"[Pp]ass|PASS|[Pp]wd|PWD|[Kk]ennwort|KENNWORT|ot de p|OT DE P|[Ss]enha|SENHA|[Ww]achtwoord|WACHTWOORD|[Aa]dgangsk|ADGANGSK|"
    r"ontraseña|asło|ароль|パスワード|密码"
)
"""The same words as plain literals, which are sought all at once and cost a third of what ignoring case costs."""
PASSWORD_IS = r"""[ \t]+(?:is|was|now|ist|lautet|est|es|é|è|til)(?: now| jetzt)?[ \t]*:?[ \t]+["']?"""  # noqa: S105  a pattern
PASSWORD_VALUE = r"""[^\s"'<>,;()`]{6,}"""  # noqa: S105  a pattern
PASSWORD = rf"""(?P<pre>{LOGIN_WORDS})(?P<hit>(?:{ASSIGNS}|：|{PASSWORD_IS}|[ \t]["']?){PASSWORD_VALUE})"""
PASSWORD_PARTS = re.compile(rf"""(?P<told>{ASSIGNS}|：|{PASSWORD_IS})?[ \t]?["']?(?P<value>{PASSWORD_VALUE})""")

KEY_BITS_MIN = 3.0
"""Shannon entropy per character: hexadecimal keys have up to 4, base64 up to 6, identifiers of words seldom 3 with digits."""
KEY_DIGITS_MIN = 2
DRAWN_LETTERS_MIN = 20


def token_spans(candidate: str) -> Iterable[Found]:
    """Return a token whole: its prefix is known. `sk-` begins ordinary words, too."""
    if candidate.startswith("eyJ"):
        yield 0, len(candidate), "jwt"
    elif not candidate.startswith("sk-") or is_random(candidate):
        yield 0, len(candidate), "api_key"


def assigned_spans(candidate: str) -> Iterable[Found]:
    """Return the value in `token = value` if it looks drawn. What is called an id names a key, and opens nothing."""
    parts = ASSIGNED_PARTS.fullmatch(candidate)
    if parts is None or (parts["name"] or "").lower().endswith(("_id", "_ids", "keyid")):
        return
    if is_random(parts["value"]):
        yield *parts.span("value"), "api_key"


def is_random(candidate: str) -> bool:
    """Say whether a text looks drawn and not written: letters, digits, and characters that seldom repeat.

    One digit is enough where letters change case as drawn ones do.
    """
    digits = sum(character.isdigit() for character in candidate)
    letters = sum(character.isalpha() for character in candidate)
    drawn = digits >= KEY_DIGITS_MIN or (digits > 0 and _changes_case(candidate))
    return drawn and letters > 0 and entropy_bits(candidate) >= KEY_BITS_MIN


def _changes_case(candidate: str) -> bool:
    """Say whether letters change case as often as drawn ones do: every other time; in words joined by capitals, every third."""
    changes = sum(one.isupper() != other.isupper() for one, other in pairwise(candidate) if one.isalpha() and other.isalpha())
    return len(candidate) >= DRAWN_LETTERS_MIN and changes * 3 > len(candidate)


def entropy_bits(text: str) -> float:
    """Return the Shannon entropy of a text's characters, in bits per character."""
    size = len(text)
    return -sum(count / size * math.log2(count / size) for count in Counter(text).values())


def password_spans(candidate: str) -> Iterable[Found]:
    """Return what stands behind `password=` or `password is`, if it is one, and no name of a variable, call, or sentence.

    With only a space between, it has to look like nothing but a password: letters, and both a digit and a sign.
    """
    parts = PASSWORD_PARTS.fullmatch(candidate)
    if parts is None or parts["value"][0] in "$%{[" or "://" in parts["value"]:
        return
    value = parts["value"].rstrip(".:")
    digit, sign = (any(character in some for character in value) for some in ("0123456789", "!#%&*?^~$@"))
    letter = any(character.isalpha() for character in value)
    if (digit or sign) if parts["told"] else (digit and sign and letter):
        yield parts.start("value"), parts.start("value") + len(value), "password"


VERSIONS = {"private_key": 1, "url_credentials": 1, "jwt": 1, "api_key": 3, "password": 2}
RECOGNISERS = tuple(Recogniser(kind, version) for kind, version in VERSIONS.items())
FINDERS = (
    Finder(("private_key",), ("PRIVATE KEY",), PRIVATE_KEY),
    Finder(("url_credentials",), ("://", r"://[^\s/@:<>]*:[^\s/<>]+@"), URL_WITH_PASSWORD),
    Finder(("jwt", "api_key"), (KEY_GATE,), TOKEN, token_spans),
    Finder(("api_key",), (DIGIT, ASSIGNED_GATE), ASSIGNED_KEY, assigned_spans),  # its judge wants digits
    Finder(("password",), (LOGIN_GATE,), PASSWORD, password_spans),
)
