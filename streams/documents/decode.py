"""Bytes to characters, and which kind of document they are.

The charset, in this order: a byte order mark; what the sender or the document declares, for encodings in 7 bits; UTF-8 where
the bytes are valid UTF-8 (a declaration that disagrees is then wrong: no other encoding looks so by chance); the declaration;
UTF-16 without its mark; else UTF-8 with every invalid byte read as windows-1252, which is right for windows-1252 alone, for
its subset Latin-1, and for the two mixed. See https://encoding.spec.whatwg.org for the labels.
"""

from __future__ import annotations

import codecs
import re
import zlib

from streams.documents.model import Refusal

UNPACKED_BYTES_MAX = 64 * 1024 * 1024
RATIO_MAX = 100
RATIO_FREE_BYTES = 1024 * 1024
"""Below this size any ratio will do: a short page of one repeated line packs very well."""

GZIP = b"\x1f\x8b"
ZLIB = re.compile(rb"\x78[\x01\x5e\x9c\xda]")
SEVEN_BITS = frozenset({"iso2022_jp", "hz"})
LIKE_WINDOWS_1252 = frozenset({"ascii", "iso8859-1", "cp1252", "utf-8"})
LABELS = {
    **{name: name for name in ("big5", "euc-jp", "euc-kr", "gb18030", "shift_jis", "koi8-r", "koi8-u", "iso-2022-jp", "hz")},
    **{f"windows-{page}": f"cp{page}" for page in (*range(1250, 1259), 874)},
    **{f"cp{page}": f"cp{page}" for page in (*range(1250, 1259), 866, 437, 850)},
    **{f"iso-8859-{part}": f"iso8859-{part}" for part in (*range(1, 12), 13, 14, 15, 16)},
    "gbk": "gb18030",
    "gb2312": "gb18030",
    "sjis": "shift_jis",
    "windows-31j": "cp932",
    "ks_c_5601-1987": "cp949",
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "latin1": "iso8859-1",
    "iso8859-1": "iso8859-1",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
    "macintosh": "mac-roman",
    "mac-roman": "mac-roman",
}
"""Names that documents give to encodings -> Python's. Others count as not given."""

MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
DECLARED = re.compile(
    rb"""<meta[^>]{0,300}charset\s{0,9}=\s{0,9}["']?([\w.:-]{1,40})|<\?xml[^>]{0,80}encoding=["']([\w.:-]{1,40})""", re.IGNORECASE
)
DECLARED_WITHIN = 4096

TYPE_ALIASES = {
    "application/xhtml+xml": "text/html",
    "text/x-markdown": "text/markdown",
    "text/md": "text/markdown",
    "text/restructuredtext": "text/x-rst",
    "text/prs.fallenstein.rst": "text/x-rst",
    "application/x-pdf": "application/pdf",
}
UNTOLD = frozenset({"", "application/octet-stream", "binary/octet-stream", "application/gzip", "application/x-gzip"})
"""Types that say nothing of the document."""

HTML_START = re.compile(
    r"\s{0,200}(?:<\?xml[^>]{0,200}>\s{0,20})?(?:<!--[^>]{0,2000}-->\s{0,20})?"
    r"<(?:!doctype\s+html|html|head|body|title|meta|base|link|div|article|section|main|p|h1|table)\b",
    re.IGNORECASE,
)
HTML_ENDS = re.compile(r"</(?:p|div|span|a|b|li|ul|td|tr|h[1-6]|body|html)>|<p>|<br", re.IGNORECASE)
HTML_ENDS_MIN = 3
MARKDOWN_SIGN = re.compile(r"^#{1,6} \S|^(?:```|~~~)|\]\(https?://|^\|?(?:\s?:?-{3,}:?\s?\|)+", re.MULTILINE)
REST_SIGN = re.compile(r"^\.\. [\w|_-]{1,60}.{0,200}::|^\.\. _[^:\n]{1,200}:|`__?(?:\W|$)|:[a-z]{2,12}:`|::$", re.MULTILINE)
SNIFFED_WITHIN = 20_000
INVALID_SIGN = re.compile("[\udc80-\udcff]")
INVALID = {0xDC00 + byte: bytes([byte]).decode("cp1252", "replace") for byte in range(0x80, 0x100)} | {
    0xDC00 + byte: chr(byte) for byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}
"""Python's stand-ins for bytes that are no UTF-8 -> what windows-1252 has for them."""


def packed(content: bytes) -> bool:
    """Say whether the content is gzip or zlib data."""
    if content[:2] == GZIP:
        return True
    return ZLIB.match(content) is not None and int.from_bytes(content[:2], "big") % 31 == 0 and not content[:200].isascii()


def unpacked(content: bytes) -> bytes | Refusal:
    """Return what gzip or zlib data holds, or why it is not taken: too much in too little, or broken. Memory is bounded."""
    reader = zlib.decompressobj(wbits=47)
    most = min(UNPACKED_BYTES_MAX, max(RATIO_FREE_BYTES, RATIO_MAX * len(content)))
    try:
        got = reader.decompress(content, most + 1)
    except zlib.error:
        return Refusal("packed data")
    if len(got) > most:
        return Refusal(f"unpacked at most {UNPACKED_BYTES_MAX} bytes and {RATIO_MAX} times the packed")
    return got if reader.eof else Refusal("packed data")


def type_and_charset(content_type: str | None) -> tuple[str, str]:
    """Return a content type without parameters, by its usual name, and the charset it names. Either may be empty."""
    kind, _, parameters = (content_type or "").lower().partition(";")
    found = re.search(r"charset\s{0,9}=\s{0,9}\"?([\w.:-]{1,40})", parameters)
    kind = kind.strip()
    return ("" if kind in UNTOLD else TYPE_ALIASES.get(kind, kind)), found[1] if found else ""


def decoded(content: bytes, charset: str = "") -> str:
    """Return the characters. `charset` is what the sender says. Never fails: what fits nothing becomes U+FFFD."""
    for mark, encoding in MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, "replace")
    declared = LABELS.get(charset.lower()) or _declared_within(content)
    if declared is not None and codecs.lookup(declared).name in SEVEN_BITS:
        return content.decode(declared, "replace")
    if b"\x00" in content[:400]:
        return _wide(content)
    text = content.decode("utf-8", "surrogateescape")
    if text.isascii() or INVALID_SIGN.search(text) is None:
        return text
    if declared is not None and codecs.lookup(declared).name not in LIKE_WINDOWS_1252:
        return content.decode(declared, "replace")
    return text.translate(INVALID)


def _wide(content: bytes) -> str:
    """Decode what has zero bytes: UTF-16 without its mark if every other byte of its start is zero, else UTF-8."""
    start = content[:400]
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        zeros = start[first::2].count(0)
        if zeros * 2 > len(start[first::2]) and start[1 - first :: 2].count(0) * 10 < len(start):
            return content.decode(encoding, "replace")
    return content.decode("utf-8", "surrogateescape").translate(INVALID)


def _declared_within(content: bytes) -> str | None:
    found = DECLARED.search(content[:DECLARED_WITHIN])
    if found is None:
        return None
    encoding = LABELS.get((found[1] or found[2]).decode("ascii", "replace").lower())
    # A declaration that could be read in 8 bits does not stand in UTF-16 (HTML, section 13.2.3.2).
    return "utf-8" if encoding is not None and encoding.startswith("utf-16") else encoding


def sniffed(text: str) -> str:
    """Return the content type of characters that nobody has told the type of."""
    start = text[:SNIFFED_WITHIN].replace("\r\n", "\n")
    if HTML_START.match(start) or (start.lstrip()[:1] == "<" and len(HTML_ENDS.findall(start)) >= HTML_ENDS_MIN):
        return "text/html"
    rest, markdown = len(REST_SIGN.findall(start)), len(MARKDOWN_SIGN.findall(start))
    if rest or markdown:
        return "text/x-rst" if rest > markdown else "text/markdown"
    return "text/plain"


def binary(text: str) -> bool:
    """Say whether the characters are those of no text: NULs, or control characters in number."""
    start = text[:4000]
    strange = sum(map(start.count, "\x00\x01\x02\x03\x04\x05\x06\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x1a\x1c"))
    return strange > max(2, len(start) // 100)
