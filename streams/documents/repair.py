"""Text that was once decoded with the wrong charset, mended: `cafÃ©` was `café`.

ftfy (https://ftfy.readthedocs.io) knows how; it is asked only for the lines that a cheap look finds suspicious, and each by
itself, since one page may hold lines of several histories.
"""

from __future__ import annotations

import re

from ftfy import fix_encoding

LINE_MAX = 20_000
"""A longer line is mended in parts of this many characters."""

_AFTER = "[\u0080-\u00bf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]"
LEADS = "ÂÃâãðÄÅÎÏÐÑ×ØÙï\ufffd"
"""What every suspicious place begins with: sought a hundred times as fast as the pattern."""
SUSPECT = re.compile(f"[ÂÃ]{_AFTER}|[âã]{_AFTER}{_AFTER}|ð[\u0178Ÿ]|[ÄÅÎÏÐÑ×ØÙ]{_AFTER}.{{0,3}}[ÄÅÎÏÐÑ×ØÙ]{_AFTER}|ï»¿|�")


def repaired(text: str) -> str:
    """Return the text with what was wrongly decoded made right. ASCII text comes back as it is, at once."""
    if text.isascii() or not any(lead in text for lead in LEADS) or SUSPECT.search(text) is None:
        return text
    return "\n".join(_line(line) if SUSPECT.search(line) else line for line in text.split("\n"))


def _line(line: str) -> str:
    return "".join(fix_encoding(line[at : at + LINE_MAX]) for at in range(0, len(line), LINE_MAX))
