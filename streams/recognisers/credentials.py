"""What opens a door: keys, tokens, passwords, private keys, and addresses that carry a password."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable

from streams.recognisers.shape import DIGIT, EDGE, Finder, Found, Recogniser, whole

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
ASSIGNED = "[:=]"
"""Stands in every assignment, and costs a tenth of what looking for the words costs."""
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
PASSWORD_WORDS = r"(?i-u:passwd|password|passphrase|passwort|pwd)"  # noqa: S105  a pattern
PASSWORD = rf"""(?P<pre>{PASSWORD_WORDS}{ASSIGNS})(?P<hit>[^\s"'<>,;()`]{{6,}})"""

KEY_BITS_MIN = 3.0
"""Shannon entropy per character: hexadecimal keys have up to 4, base64 up to 6, identifiers of words seldom 3 with digits."""
KEY_DIGITS_MIN = 2


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
    """Say whether a text looks drawn and not written: letters, several digits, and characters that seldom repeat."""
    digits = sum(character.isdigit() for character in candidate)
    letters = sum(character.isalpha() for character in candidate)
    return digits >= KEY_DIGITS_MIN and letters > 0 and entropy_bits(candidate) >= KEY_BITS_MIN


def entropy_bits(text: str) -> float:
    """Return the Shannon entropy of a text's characters, in bits per character."""
    size = len(text)
    return -sum(count / size * math.log2(count / size) for count in Counter(text).values())


def is_password(candidate: str) -> bool:
    """Say whether what stands behind `password=` is one, and no name of a variable, call, or sentence."""
    if candidate[0] in "$%{[" or "://" in candidate:
        return False
    return any(character in "0123456789!#%&*?^~" for character in candidate)


VERSIONS = {"private_key": 1, "url_credentials": 1, "jwt": 1, "api_key": 2, "password": 1}
RECOGNISERS = tuple(Recogniser(kind, version) for kind, version in VERSIONS.items())
FINDERS = (
    Finder(("private_key",), ("PRIVATE KEY",), PRIVATE_KEY),
    Finder(("url_credentials",), ("://", r"://[^\s/@:<>]*:[^\s/<>]+@"), URL_WITH_PASSWORD),
    Finder(("jwt", "api_key"), (KEY_GATE,), TOKEN, token_spans),
    Finder(("api_key",), (DIGIT, ASSIGNED_GATE), ASSIGNED_KEY, assigned_spans),  # its judge wants digits
    Finder(("password",), (ASSIGNED, PASSWORD_WORDS), PASSWORD, whole("password", is_password)),
)
