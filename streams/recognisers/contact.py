"""How a person is reached: e-mail addresses, phone numbers, IP addresses.

A software version of four numbers reads like an IPv4 address and is taken for one: hiding too much is the safe side.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from streams.recognisers.calling_codes import is_international
from streams.recognisers.shape import DIGIT, EDGE, UUID, Finder, Found, Recogniser, digits_of

OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
LOCAL = r"[\p{L}\p{N}_][\p{L}\p{M}\p{N}._%+'!$^~-]*"
LABEL = r"[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}-]*[\p{L}\p{M}\p{N}])?"
EMAIL = rf"(?P<hit>{LOCAL}@(?:(?:{LABEL}\.)+(?:xn--[A-Za-z0-9-]+|\p{{L}}[\p{{L}}\p{{M}}]+)|\[?(?:{OCTET}\.){{3}}{OCTET}\]?))"
"""In any script. The last label is of letters: `package@1.2.3` is none."""

HEXTET = r"[0-9A-Fa-f]{1,4}"
V4_TAIL = rf"(?:(?:\.{OCTET}){{3}})?"
"""An IPv6 address may end as an IPv4 one does: `64:ff9b::192.0.2.33`."""
IP = (
    rf"(?P<pre>^|[^0-9A-Za-z_:\[])(?P<hit>::(?:{HEXTET}:){{0,6}}{HEXTET}{V4_TAIL}){EDGE}"
    rf"|{EDGE}(?P<hit2>[0-9]{{1,3}}(?:\.[0-9]{{1,10}}){{3,}}{EDGE}"
    rf"|(?:{HEXTET}:){{7}}{HEXTET}{EDGE}|(?:{HEXTET}:){{1,6}}(?::{HEXTET}){{1,6}}{V4_TAIL}{EDGE})"
    rf"|{EDGE}(?P<hit3>(?:{HEXTET}:){{2,7}}:)(?P<post>[^0-9A-Za-z_:]|$)"
)
IP_GATE = r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]|:[0-9A-Fa-f]{0,4}:"
V4_PARTS, V4_PARTS_WITH_PORT = 4, 5
PORT_DIGITS_MIN = 2
"""`192.0.2.1.443` is an address and a port, as tcpdump writes them; `1.2.3.4.5` is a section of a book."""


def ip_spans(candidate: str) -> Iterable[Found]:
    """Return the address in a run of numbers and dots, or of hexadecimal words and colons.

    More parts than an address and a port make an object id; an IPv6 address without a digit is a scope of some language.
    What every machine calls itself (`127.0.0.1`, `::1`) or its own network (`0.0.0.0/8`, RFC 1122 section 3.2.1.3; versions
    such as `0.10.9.9`) leads to nobody.
    """
    if ":" in candidate:
        if _is_v6(candidate):
            yield 0, len(candidate), "ip"
        return
    parts = candidate.split(".")
    if len(parts) == V4_PARTS_WITH_PORT and len(parts[-1]) < PORT_DIGITS_MIN:
        return
    of_itself = parts[0] in ("127", "0")
    real = len(parts) <= V4_PARTS_WITH_PORT and all(len(part) <= 3 and int(part) <= 255 for part in parts[:V4_PARTS])
    if real and not of_itself:
        yield 0, len(".".join(parts[:V4_PARTS])), "ip"


def _is_v6(candidate: str) -> bool:
    try:
        address = ipaddress.IPv6Address(candidate)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified) and any(character in "0123456789" for character in candidate)


def normal_ip(text: str) -> str:
    """Return an address in its one canonical spelling."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text.lower()


GAP = r"[ ().\-/\u{a0}\u{2009}\u{202f}\u{2010}-\u{2013}]"
CALLED = (
    r"phone|telephone|tel|mobile|mob|cell|call|fax|whatsapp|sms|ph|handy|telefon|telefono|teléfono|téléphone|tél|portable|móvil|"
    r"cellulare|telefoon|fon|rufnummer|durchwahl|hotline|gsm|celular|tlf|dial|komórka|telemóvel|puhelin|mobiltelefon"
)
IN_CONTEXT = rf"(?i:{EDGE}(?:{CALLED}){EDGE})[^0-9+<>\n]{{0,20}}[0-9](?:{GAP}{{0,2}}[0-9]){{5,14}}"
BARE = (
    r"(?:1[ .\-])?[2-9][0-9]{2}[ .\-]{1,2}[2-9][0-9]{2}[ .\-][0-9]{4}",
    r"(?:1[ .\-]?)?\([2-9][0-9]{2}\)[ \-]?[2-9][0-9]{2}[ .\-][0-9]{4}",
    r"\([0-9]{2,5}\) ?[0-9]{3,5}[ .\-]?[0-9]{3,5}",
    r"[6-9][0-9]{2} [0-9]{2} [0-9]{2} [0-9]{2}",
    r"[6-9][0-9]{4}[ \-][0-9]{5}",
    r"\(?0[1-9][0-9]{0,4}\)?(?:[ .\-/]{1,2}[0-9]{2,8}){1,5}",
    r"0[1-9][0-9]{8,9}",
    rf"00[1-9](?:{GAP}{{0,2}}[0-9]){{7,14}}",
)
"""Written in a country's own way: North America, an area in brackets, Spain, India, a trunk 0; and 00 before the calling code.

None begins behind a hyphen or a point: there, the middle of a UUID does, or of a fraction.
"""
INTERNATIONAL = rf"\+\(?[1-9](?:{GAP}{{0,3}}[0-9]){{6,17}}"
PHONE = rf"(?:(?P<pre>^|[^0-9A-Za-z_+.-])(?P<hit>{UUID}|{'|'.join(BARE)})|(?P<hit2>{INTERNATIONAL}|{IN_CONTEXT})){EDGE}"
PHONE_GATE = rf"[0-9](?:{GAP}{{0,3}}[0-9]){{5}}"

BARE_SHAPES = re.compile("|".join(BARE).replace(GAP, GAP.replace("\\u{a0}", "\u00a0").replace("\\u{", "\\u").replace("}", "")))
YEAR = r"(?:19|20)[0-9]{2}"
DATE = re.compile(
    rf"(?:{YEAR} ?[-–/] ?{YEAR}|[0-3]?[0-9][./-][01]?[0-9][./-]{YEAR}|{YEAR}[./-][01]?[0-9][./-][0-3]?[0-9])(?![0-9])"
)
"""A day, or from one year to another: where one stands no number begins."""
IS_UUID = re.compile(UUID)
GROUP = re.compile(r"[+(]{0,2}[0-9]+")
TRUNK_DIGITS, CONTEXT_DIGITS = range(9, 13), range(7, 16)


def phone_spans(candidate: str) -> Iterable[Found]:
    """Return the longest number that begins first in a candidate: other groups of digits may stand around it."""
    if IS_UUID.fullmatch(candidate):
        return
    in_context = candidate[0].isalpha()
    groups = [group.span() for group in GROUP.finditer(candidate)]
    for number, (start, _) in enumerate(groups):
        if DATE.match(candidate, start):
            continue
        for _, end in reversed(groups[number:]):
            if _is_phone(candidate[start:end], in_context=in_context and number == 0):
                yield start, end, "phone"
                return


def _is_phone(text: str, *, in_context: bool) -> bool:
    digits = digits_of(text.replace("(0)", ""))
    if text.startswith("+"):
        return is_international(digits)
    if digits.startswith("00"):
        return is_international(digits[2:])
    if in_context and len(digits) in CONTEXT_DIGITS:
        return True
    return BARE_SHAPES.fullmatch(text) is not None and (len(digits) in TRUNK_DIGITS or text[0] == "(")


def normal_phone(text: str) -> str:
    """Return the digits, without what says that a calling code comes. A national spelling stays one."""
    digits = digits_of(text.replace("(0)", ""))
    return digits.removeprefix("00")


RECOGNISERS = (Recogniser("email", 2, str.lower), Recogniser("ip", 5, normal_ip), Recogniser("phone", 4, normal_phone))
FINDERS = (
    Finder(("email",), ("@",), EMAIL),
    Finder(("ip",), (IP_GATE,), IP, ip_spans),
    Finder(("phone",), (DIGIT, PHONE_GATE), PHONE, phone_spans),
)
