"""Draft a contract from real records: types, what is required, rules with room to spare, masks where data looks personal.

A draft is a beginning for a person who knows the topic: each guess carries a comment that says why and what to look at. It is
careful one way: a field that may hold personal data is proposed as such, and no value of the sample stands in the draft but
for the words of a short list (`status: open, closed`), which are looked at first; examples are shapes, digits as 0, letters as x.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.infer_names import EVENT_TIMES, IDENTIFIERS, PEOPLE, PLAIN, SUBJECTS, ends_in, likeliest, personal, words
from contracts.infer_profile import NAMES_MAX, Profile, are_dates, are_times, are_uuids, profile

COMMENT = "#"
"""The key under which a part of the draft carries its comments, a line each."""

Seen = tuple[int, str, int]
"""An entity: which text it is in, its type, and how many characters it has."""
Recognise = Callable[[Sequence[str]], Iterable[Seen]]
"""Finds personal data in texts, names of persons included (`streams.recognise`, handed in: it stands above this room)."""

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
WORD = re.compile(r"[a-z][a-z0-9_./+-]{0,39}|[A-Z][A-Z0-9_./+-]{0,39}")
"""A value that a list may show: in one case, as codes are. A word with a capital may be a name."""
LISTED_MAX = 12
LISTED_RECORDS_MIN = 50
"""A list of values is proposed from so many values on, and if each came twice."""
WHOLE_SHARE = 0.9
"""A text is an entity, and does not only hold one, from this share of its characters on."""
MAP_NAMES_MIN, SELDOM = 10, 0.2
"""An object with more names than this, which on average are in less than a fifth of the objects, is a map."""
LONG_DIGITS = 8
LARGE = 10.0**15
EXACT = 2**53
"""Whole numbers up to here are the same as doubles: no rule may name one beyond."""
LONG_TEXT = 2_000
NAME_LENGTH_MAX = 64
TIME_EXAMPLE = "2026-01-31T12:00:00Z"


@dataclass(frozen=True)
class Draft:
    """A drafted contract: ODCS data with comments among it, and the names that were guessed (None: nothing fits)."""

    data: Mapping[str, Any]
    event_time: str | None
    key: tuple[str, ...]
    records: int


def drafted(records: Sequence[Mapping[str, Any]], domain: str, name: str, major: int, recognise: Recognise) -> Draft:
    """Return a draft from JSON objects. It passes lint if there is a time in every record."""
    whole = profile([dict(record) for record in records])
    fields = list(_fields(whole, recognise, nested=False))
    event_time = _event_time(fields)
    chosen = _key(fields, whole, event_time)
    key = tuple(str(item["name"]) for item in fields if item["name"] in chosen)  # a key's order is the contract's
    for item in fields:
        _mark(item, event_time, key)
    count = f"{whole.asked:,} record{'s' if whole.asked != 1 else ''}"
    left_out, mode = _unnamed(whole, recognise, nested=False)
    top = [f"A draft from {count}: every guess says why. Look at each, then take the comments out.", *left_out]
    if event_time is None:
        top.append(
            "NOT USABLE YET: no field holds a time with a zone (2026-01-31T12:00:00Z) in every record; eventTime needs one."
        )
    data = {
        COMMENT: top,
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": f"urn:headwater:{domain}:{name}",
        "domain": domain,
        "name": name,
        "version": f"{major}.0.0",
        "status": "draft",
        "description": {"purpose": "TO SAY: what these records are, who sends them, and why."},
        "customProperties": [*_custom(fields, event_time), *mode],
        "schema": [{"name": name, "logicalType": "object", "properties": fields}],
    }
    return Draft(data, event_time, key, whole.asked)


def plain(part: Any) -> Any:
    """Return the draft, or a part of it, without its comments: what lint judges."""
    if isinstance(part, Mapping):
        return {name: plain(value) for name, value in part.items() if name != COMMENT}
    return [plain(item) for item in part] if isinstance(part, list | tuple) else part


def _fields(of: Profile, recognise: Recognise, *, nested: bool) -> Iterator[dict[str, Any]]:
    personal_names = _personal_names(of, recognise) if nested else frozenset()
    for name, child in _usable(of).items():
        if name in personal_names:
            continue
        item = _property(name, child, recognise, nested=nested)
        if item is not None:
            yield {"name": name, **item}


def _personal_names(of: Profile, recognise: Recognise) -> frozenset[str]:
    """Return the names within an object that name persons: a map whose names are data, short as it is."""
    names = list(of.children)
    return frozenset(names[at] for at, _, length in recognise(names) if length >= WHOLE_SHARE * len(names[at]))


def _usable(of: Profile) -> dict[str, Profile]:
    """Return the fields that a contract can name: words, each once whatever its capitals; none of a map's."""
    if _is_map(of):
        return {}
    found: dict[str, tuple[str, Profile]] = {}
    for name, child in of.children.items():
        if NAME.fullmatch(name) and child.kind():
            found.setdefault(name.lower(), (name, child))
    return dict(found.values())


def _is_map(of: Profile) -> bool:
    """Say whether an object's names are data, as in a map from a customer to a count: too many, or each in few objects."""
    count = len(of.children)
    seldom = sum(child.given for child in of.children.values()) < SELDOM * sum(child.asked for child in of.children.values())
    return count > NAMES_MAX or (count > MAP_NAMES_MIN and seldom)


def _unnamed(of: Profile, recognise: Recognise, *, nested: bool) -> tuple[list[str], list[dict[str, Any]]]:
    """Return what to say of fields that the draft does not name, and the mode that lets their records pass all the same.

    Not which they are: such names may be data. Without any, nothing is said and no mode is set.
    """
    named = {item["name"] for item in _fields(of, recognise, nested=nested)}
    count = sum(1 for name, child in of.children.items() if name not in named and child.kind())
    if not count:
        return [], []
    reasons = "no word for a name, differing in capitals alone, an empty object, or a map whose names are data"
    note = "so that records with those fields pass without them; quarantine (the default) would make dead letters of them."
    return [f"{count} field(s) are left out: {reasons}."], [{COMMENT: [note], "property": "mode", "value": "discard_value"}]


def _property(name: str, of: Profile, recognise: Recognise, *, nested: bool) -> dict[str, Any] | None:
    """Return a property with its comments; None where no value says what it is."""
    kind = of.kind()
    if kind in ("object", "array"):
        return _holder(name, of, kind, recognise, nested=nested)
    if not kind:
        return None
    notes: list[str] = []
    if of.others():
        notes.append(f"{of.others()} of {of.given} values were of another type than {kind}: they would be dead letters.")
    made = _text(name, of, recognise, notes, nested=nested) if kind == "string" else _number(name, of, kind, recognise, notes)
    required = of.always and not nested and not (made.get("classification") == "restricted" and made["logicalType"] != "string")
    head = {COMMENT: notes} if notes else {}
    return head | {"logicalType": made.pop("logicalType")} | ({"required": True} if required else {}) | made


def _holder(name: str, of: Profile, kind: str, recognise: Recognise, *, nested: bool) -> dict[str, Any] | None:
    """Return an object or array; None where nothing can be said of what it holds."""
    required = {"required": True} if of.always and not nested and not of.others() else {}
    if kind == "array":
        guess = {COMMENT: ["never an item in the sample: A GUESS."], "logicalType": "string"}
        items = _property(name, of.items, recognise, nested=True) if of.items is not None and of.items.given else guess
        return {"logicalType": "array", **required, "items": items} if items else None
    held = list(_fields(of, recognise, nested=True))
    notes, mode = _unnamed(of, recognise, nested=True)
    if mode and required:
        notes.append("always there in the sample, and yet not required: what may be left out cannot be.")
    demands = {"customProperties": mode} if mode else required
    return {COMMENT: notes, "logicalType": "object", **demands, "properties": held} if held else None


def _text(name: str, of: Profile, recognise: Recognise, notes: list[str], *, nested: bool) -> dict[str, Any]:
    named, found = personal(name), _Found.of(of.texts, recognise)
    kind = "string" if nested else "timestamp" if are_times(of.texts) else "date" if are_dates(of.texts) else "string"
    if named is not None or (found.mostly_whole and kind == "string"):
        why = f"its name says {named.kind}" if named is not None else f"most values are {found.types}"
        return _restricted(kind, why, notes, joins=named is None or named.joins)
    if kind != "string":
        return {"logicalType": kind, "examples": [TIME_EXAMPLE if kind == "timestamp" else TIME_EXAMPLE[:10]]}
    if found.texts:
        notes.append(f"{found.types} found in {found.texts} of {of.given} texts: spans like these are masked, the rest stays.")
        return {"logicalType": "string", "classification": "confidential"} | _lengths(of.texts)
    return {"logicalType": "string"} | _harmless(name, of, notes)


def _harmless(name: str, of: Profile, notes: list[str]) -> dict[str, Any]:
    """Return what is proposed of texts in which no personal data was found: public only if name and values both say so."""
    if are_uuids(of.texts):
        notes.append("UUIDs: public, as they say nothing by themselves.")
        return {"classification": "public", "logicalTypeOptions": {"format": "uuid"}}
    listed = [] if ends_in(name, PEOPLE) else _listed(of.texts)
    if listed:
        notes.append(f"only {len(listed)} different values in {of.given}: is this list whole?")
        rule = {"type": "library", "metric": "invalidValues", "arguments": {"validValues": listed}, "mustBe": 0}
        return {"classification": "public", "quality": [rule], "examples": listed[:1]}
    if ends_in(name, (*IDENTIFIERS, *PLAIN)) and all(len(text) <= NAME_LENGTH_MAX and " " not in text for text in of.texts):
        notes.append("no personal data found: public, as its name says an identifier or a fixed word. Is it?")
        return {"classification": "public"} | _lengths(of.texts) | {"examples": [_shape(of.texts[0])]}
    notes.append("no personal data found in the sample; whatever comes is searched. Say public if it can hold none.")
    return {"classification": "confidential"} | _lengths(of.texts)


def _number(name: str, of: Profile, kind: str, recognise: Recognise, notes: list[str]) -> dict[str, Any]:
    named = personal(name)
    long = [str(number) for number in of.numbers if abs(number) >= 10**LONG_DIGITS]
    found = _Found.of(long, recognise) if len(long) * 2 > len(of.numbers) else _Found.none()
    if named is not None or found.mostly_whole:
        why = f"its name says {named.kind}" if named is not None else f"most values look like {found.types}"
        return _restricted(kind, why, notes, joins=False)
    made: dict[str, Any] = {"logicalType": kind}
    if kind == "boolean" or ends_in(name, IDENTIFIERS):
        return made
    bounds = _bounds(min(of.numbers), max(of.numbers))
    if not bounds:
        return made
    notes.append("bounds are a power of ten with room to spare: set what is truly possible.")
    return made | {"logicalTypeOptions": bounds}


def _bounds(least: float, most: float) -> dict[str, int]:
    """Return bounds with room to spare; none of numbers so large that no round number is beyond them."""
    if max(abs(least), abs(most)) > LARGE:
        return {}
    bounds = {"minimum": 0 if least >= 0 else -_roomy_number(-least), "maximum": _roomy_number(most)}
    return bounds if max(map(abs, bounds.values())) <= EXACT else {}


def _restricted(kind: str, why: str, notes: list[str], *, joins: bool) -> dict[str, Any]:
    """Return a property that is never kept in clear. A text that rows are matched by is hashed, so that they still can be."""
    made: dict[str, Any] = {"logicalType": kind, "classification": "restricted"}
    if kind != "string":
        notes.append(f"{why}: left out (null) beyond the raw topic. Is it needed, and may it be kept?")
        return made
    notes.append(f"{why}: {'hashed under a key, so that rows can still be matched' if joins else 'masked whole'}.")
    return made | {"customProperties": [{"property": "mask", "value": "hash" if joins else "mask"}]}


@dataclass(frozen=True)
class _Found:
    """What a recogniser finds in a field's texts: in how many anything, in how many hardly anything else, of which types."""

    count: int
    texts: int
    whole: int
    types: str

    @property
    def mostly_whole(self) -> bool:
        """Whether most values are personal data, and do not only hold some."""
        return self.whole * 2 > self.count

    @staticmethod
    def none() -> _Found:
        return _Found(0, 0, 0, "")

    @staticmethod
    def of(texts: Sequence[str], recognise: Recognise) -> _Found:
        """Return what the recogniser finds."""
        held: Counter[int] = Counter()
        types: Counter[str] = Counter()
        for at, kind, length in recognise(texts) if texts else ():
            held[at] += length
            types[kind] += 1
        whole = sum(length >= WHOLE_SHARE * max(1, len(texts[at])) for at, length in held.items())
        return _Found(len(texts), len(held), whole, ", ".join(kind for kind, _ in types.most_common(3)))


def _listed(texts: Sequence[str]) -> list[str]:
    """Return the values of a field that takes few, if they are words and each came more than once; else none."""
    counts = Counter(texts)
    few = len(counts) <= min(LISTED_MAX, len(texts) // 10)
    if len(texts) < LISTED_RECORDS_MIN or not few or min(counts.values()) < 2:
        return []  # too few to tell a list from chance
    return sorted(counts) if all(WORD.fullmatch(value) for value in counts) else []


def _lengths(texts: Sequence[str]) -> dict[str, Any]:
    longest = max(map(len, texts))
    return {"logicalTypeOptions": {"maxLength": max(16, 1 << (2 * longest - 1).bit_length() if longest else 16)}}


def _roomy_number(value: float) -> int:
    """Return a power of ten at least ten times the value."""
    return int(10 ** (max(0, math.ceil(math.log10(value))) + 1)) if value > 0 else 10


def _shape(text: str) -> str:
    """Return a text with its letters and digits made unreadable: what an identifier looks like."""
    shaped = re.sub(r"[0-9]", "0", re.sub(r"[a-z]", "x", re.sub(r"[A-Z]", "X", text)))
    return shaped if shaped.isascii() else "x"


def _event_time(fields: Sequence[Mapping[str, Any]]) -> str | None:
    times = [str(f["name"]) for f in fields if f["logicalType"] == "timestamp" and f.get("required")]
    return likeliest(times, EVENT_TIMES, ("at", "time", "date", "timestamp")) or next(iter(times), None)


def _key(fields: Sequence[Mapping[str, Any]], of: Profile, event_time: str | None) -> tuple[str, ...]:
    """Return the fields that identify a record: one that never repeats and is named so, else with the event time's help."""
    single = [
        str(f["name"])
        for f in fields
        if f.get("required") and f["logicalType"] in ("string", "integer") and f.get("classification") != "restricted"
    ]
    named = [name for name in single if ends_in(name, IDENTIFIERS)]
    unique = [name for name in named if _values(of.children[name]) == of.asked]
    if unique:
        return (next((name for name in unique if words(name) in ("id", "uuid", "guid")), unique[0]),)
    if named and event_time is not None:
        return (named[0], event_time)
    return (event_time,) if event_time is not None else tuple(single[:1])


def _values(of: Profile) -> int:
    return len(set(of.texts) | set(map(str, of.numbers)))


def _mark(item: dict[str, Any], event_time: str | None, key: Sequence[str]) -> None:
    """Mark a field as of the key, and say why, and what was likely not meant to be."""
    notes = item.setdefault(COMMENT, [])
    if item["name"] in key:
        alone = len(key) == 1 and item["name"] != event_time
        notes.append("key: no value came twice, and its name says so." if alone else "key: A GUESS. What identifies a record?")
        item |= {"primaryKey": True, "primaryKeyPosition": key.index(item["name"]) + 1}
    if item["name"] == event_time:
        notes.append("event time: when it happened, by its name. The stream's windows go by it.")
    if words(str(item["name"])) in SUBJECTS:
        notes.append("does it name the person whom a record is about? Then say so: customProperties subject.")


def _custom(fields: Sequence[Mapping[str, Any]], event_time: str | None) -> Iterator[dict[str, Any]]:
    yield {"property": "eventTime", "value": event_time or "TO_SAY"}
    yield {
        COMMENT: ["as many as consumers will ever run side by side; it cannot be changed later."],
        "property": "partitions",
        "value": 4,
    }
    texts = [f for f in fields if f.get("logicalTypeOptions", {}).get("maxLength", 0) >= LONG_TEXT]
    if texts:
        note = "long texts: near duplicates of them can be folded before features are made of them, 0.85 is how much alike."
        yield {COMMENT: [note], "property": "nearDuplicates", "value": {"fields": [texts[0]["name"]], "threshold": 0.85}}
