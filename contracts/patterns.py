r"""A contract's pattern, which is a Rust regular expression, as a Python one with the same verdict on every text.

The stream matches with Rust's `regex` (https://docs.rs/regex/latest/regex/#syntax), Great Expectations with Python's `re`.
The two read the same text differently: `$` of Python's also stands before a last newline, `\s` knows other spaces, `\w` no
combining marks, `++` is possessive, and `\p{L}`, `[[:alpha:]]`, `[a&&b]` are Rust's alone. So nothing is handed over as it
is: each class of characters is asked of the Rust engine, character by character, and written out as ranges; what is left
means the same in both. Greediness and groups' names do not count, because only the verdict is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache

import polars as pl

SURROGATES = range(0xD800, 0xE000)
"""No characters: no text of ours can hold them."""
LAST_CHARACTER = 0x10FFFF

CONTROL_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}
CLASS_ESCAPES = "dDsSwWpP"
HEX_DIGITS = {"x": 2, "u": 4, "U": 8}
FLAGS = re.compile(r"\?([imsUuR]*)(?:-([imsUuR]+))?([:)])")
NAMED = re.compile(r"\?P?<[^>]+>")
PLAIN_CLASS = re.compile(r"\[(?:[A-Za-z0-9](?:-[A-Za-z0-9])?)+\]")
"""A class that means the same in both engines, as most do: it need not be asked of Rust's, which takes a third of a second."""
HALF_BOUNDARY = re.compile(r"\{[a-z]")
REPETITION = re.compile(r"[*+?]|\{[0-9]+(?:,[0-9]*)?\}")


class Untranslatable(ValueError):
    """A pattern says what cannot be said in Python's."""


@dataclass(frozen=True)
class _Flags:
    """Flags in force at a place: case ignored, `^$` at each line, `.` takes newlines too, ASCII classes only."""

    i: bool = False
    m: bool = False
    s: bool = False
    u: bool = True

    def probe(self, atom: str) -> str:
        """Return the atom as a whole Rust pattern for one character."""
        on, off = "i" if self.i else "", "" if self.u else "-u"
        return rf"\A(?{on}{off}:{atom})\z" if on or off else rf"\A(?:{atom})\z"


@dataclass
class _Group:
    """What is open: its flags, and the atoms written so far. The last may take a repetition, once, if `repeatable`."""

    flags: _Flags
    atoms: list[str] = field(default_factory=list)
    repeatable: bool = False

    def add(self, atom: str, *, repeatable: bool = True) -> None:
        self.atoms.append(atom)
        self.repeatable = repeatable


@cache
def python_pattern(pattern: str) -> str:
    """Return the Python pattern that `re.search` finds in a text exactly where Rust's engine matches it.

    Python's engine backtracks: unlike Rust's its time is not bounded by the text's length. Raises Untranslatable for the
    flags x and R, and for half word boundaries. The pattern must be one that Rust compiles (`checks.pattern_fault`).
    """
    at, stack = 0, [_Group(_Flags())]
    while at < len(pattern):
        at = _step(pattern, at, stack)
    written = "".join(stack[0].atoms)
    try:
        re.compile(written)
    except (re.error, OverflowError) as error:
        raise Untranslatable(f"Python's engine refuses it: {error}") from error
    return written


def pattern_untranslatable(pattern: str) -> str:
    """Return why a pattern cannot be judged on the landed table, or nothing."""
    try:
        python_pattern(pattern)
    except Untranslatable as error:
        return str(error)
    return ""


def _step(pattern: str, at: int, stack: list[_Group]) -> int:
    """Write what stands at a place; return the place after it."""
    group, here = stack[-1], pattern[at]
    if here == "(":
        return _opened(pattern, at, stack)
    if here == ")":
        stack.pop()
        stack[-1].add(f"(?:{''.join(group.atoms)})")
    elif here == "|":
        group.add("|", repeatable=False)
    elif here in "^$":
        group.add(_anchor(here, group.flags))
    elif here == ".":
        group.add(r"(?s:.)" if group.flags.s else r"[^\n]")
    elif here == "[":
        end = _class_end(pattern, at)
        if PLAIN_CLASS.fullmatch(pattern, at, end) and not group.flags.i:
            group.add(pattern[at:end])
            return end
        group.add(_ranges(group.flags.probe(pattern[at:end])))
        return end
    elif here == "\\":
        return _escaped(pattern, at, group)
    elif (repetition := REPETITION.match(pattern, at)) is not None:
        return _repeated(pattern, repetition, group)
    else:
        group.add(_literal(here, group.flags))
    return at + 1


def _opened(pattern: str, at: int, stack: list[_Group]) -> int:
    """Open a group, or set flags to the end of the one that is open."""
    flags = stack[-1].flags
    if named := NAMED.match(pattern, at + 1):
        stack.append(_Group(flags))
        return named.end()
    if pattern[at + 1 : at + 2] != "?":
        stack.append(_Group(flags))
        return at + 1
    said = FLAGS.match(pattern, at + 1)
    if said is None or "R" in said[0]:
        raise Untranslatable(f"{pattern[at : at + 6]!r}: expected a group, or the flags i, m, s, u, U")
    flags = replace(flags, **{f: True for f in said[1] if f != "U"}, **{f: False for f in said[2] or "" if f != "U"})
    if said[3] == ":":
        stack.append(_Group(flags))
    else:
        stack[-1].flags = flags
    return said.end()


def _repeated(pattern: str, repetition: re.Match[str], group: _Group) -> int:
    """Write a repetition. One of a repetition is Rust's own: Python would read it as something else."""
    end = repetition.end() + (pattern[repetition.end() : repetition.end() + 1] == "?")
    atom = group.atoms.pop()
    group.add((atom if group.repeatable else f"(?:{atom})") + repetition[0], repeatable=False)
    return end


def _anchor(here: str, flags: _Flags) -> str:
    if here == "^":
        return r"(?:\A|(?<=\n))" if flags.m else r"(?:\A)"
    return r"(?=\n|\Z)" if flags.m else r"(?:\Z)"


def _escaped(pattern: str, at: int, group: _Group) -> int:
    """Write what a backslash begins."""
    kind, flags = pattern[at + 1], group.flags
    if kind in CLASS_ESCAPES:
        end = at + 2
        if kind in "pP":
            end = pattern.index("}", at) + 1 if pattern[end] == "{" else end + 1
        group.add(_ranges(flags.probe(pattern[at:end])))
        return end
    if kind in "bB" and not HALF_BOUNDARY.match(pattern, at + 2):
        group.add(_word_boundary(kind, flags))
    elif kind in "Az":
        group.add(r"(?:\A)" if kind == "A" else r"(?:\Z)")
    elif kind in HEX_DIGITS:
        braced = pattern[at + 2] == "{"
        end = pattern.index("}", at) + 1 if braced else at + 2 + HEX_DIGITS[kind]
        group.add(_literal(chr(int(pattern[at + 2 : end].strip("{}"), 16)), flags))
        return end
    elif kind in "b<>":
        raise Untranslatable(f"{pattern[at : at + 4]!r}: half word boundaries have no word in Python's")
    else:
        group.add(_literal(CONTROL_ESCAPES.get(kind, kind), flags))
    return at + 2


def _word_boundary(kind: str, flags: _Flags) -> str:
    word = _ranges(flags.probe(r"\w"))
    if kind == "b":
        return f"(?:(?<={word})(?!{word})|(?<!{word})(?={word}))"
    return f"(?:(?<={word})(?={word})|(?<!{word})(?!{word}))"


def _literal(character: str, flags: _Flags) -> str:
    return _ranges(flags.probe(re.escape(character))) if flags.i else re.escape(character)


def _class_end(pattern: str, at: int) -> int:
    """Return the place after the class that begins here: classes nest, and a first `]` stands for itself."""
    depth, here = 0, at
    while True:
        if pattern[here] == "\\":
            here += 1
        elif pattern[here] == "[":
            depth += 1
            here += pattern[here + 1] == "^"
            here += pattern[here + 1] == "]"
        elif pattern[here] == "]":
            depth -= 1
            if not depth:
                return here + 1
        here += 1


@cache
def _characters() -> pl.Series:
    codes = [code for code in range(LAST_CHARACTER + 1) if code not in SURROGATES]
    return pl.Series("character", list(map(chr, codes)))


@cache
def _ranges(probe: str) -> str:
    """Return the characters that a Rust pattern matches as a Python class; the shorter of its two ways to say them."""
    found = _characters().filter(_characters().str.contains(probe)).to_list()
    spans = list(_spans(sorted(map(ord, found))))
    others = list(_gaps(spans))
    if not spans:
        return r"(?!)"
    if not others:
        return r"(?s:.)"
    return f"[{_written(spans)}]" if len(spans) <= len(others) else f"[^{_written(others)}]"


def _spans(codes: list[int]) -> Iterator[tuple[int, int]]:
    """Yield runs of codes in a row. Surrogates do not interrupt one: they are no characters."""
    first = last = -2
    for code in codes:
        after = SURROGATES.stop if last + 1 == SURROGATES.start else last + 1
        if code != after:
            if first >= 0:
                yield first, last
            first = code
        last = code
    if first >= 0:
        yield first, last


def _gaps(spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    after = 0
    for first, last in spans:
        if after < first and not (after in SURROGATES and first - 1 in SURROGATES):
            yield after, first - 1
        after = last + 1
    if after <= LAST_CHARACTER:
        yield after, LAST_CHARACTER


def _written(spans: list[tuple[int, int]]) -> str:
    return "".join(
        _code(first) + ("" if first == last else ("-" if last > first + 1 else "") + _code(last)) for first, last in spans
    )


def _code(code: int) -> str:
    character = chr(code)
    if character.isascii() and character.isalnum():
        return character
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
