"""Read the README as a person would: its code blocks, in order, by language."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"`([\w./-]+\.(?:yaml|py|jsonl))`")


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, its text, and the last file that the prose before it named."""

    language: str
    text: str
    file: str


def blocks(text: str) -> list[Block]:
    """Return the fenced blocks that say their language."""
    found = []
    before = 0
    for match in BLOCK.finditer(text):
        named = FILE.findall(text[before : match.start()])
        found.append(Block(match[1], match[2], named[-1] if named else ""))
        before = match.end()
    return found
