"""Made-up people who walk through the tests: whatever of them shows in clear beyond a raw topic has escaped.

None of them exists: addresses are of example.org and example.com, telephone numbers of the ranges kept for fiction, the
card numbers those that payment providers publish for tests, the IBANs those of the registry's own examples.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

COLLECTED_AT = "2026-01-31T12:00:00Z"


@dataclass(frozen=True)
class Person:
    """One of them; every part is sought for by itself."""

    name: str
    email: str
    phone: str
    card: str
    iban: str
    ssn: str
    address: str

    @property
    def literals(self) -> tuple[str, ...]:
        """What must not show. The name is said only where a contract says that a name stands."""
        return (self.name, self.email, self.phone, self.card, self.iban, self.ssn, self.address)


PEOPLE = (
    Person(
        "Zephyrine Quillfeather",
        "zephyrine.quillfeather@mail.example.org",
        "+1 202 555 0143",
        "4242 4242 4242 4242",
        "GB33BUKB20201555555555",
        "536-90-4399",
        "203.0.113.77",
    ),
    Person(
        "Bartholomäus Krähenbühl",
        "b.kraehenbuehl+post@example.com",
        "+44 20 7946 0958",
        "5555555555554444",
        "DE75512108001245126199",
        "219-09-9999",
        "2001:db8:85a3::8a2e:370:7334",
    ),
    Person(
        "Olufunmilayo Ayodélé-Smith",
        "olu_ayodele@sub.example.com",
        "(212) 555-0187",
        "378282246310005",
        "FR7630006000011234567890189",
        "457-55-5462",
        "198.51.100.23",
    ),
)


def page(person: Person, number: int, **changed: Any) -> dict[str, Any]:
    """Return a record of docs.pages in which a person stands wherever a person can."""
    text = (
        f"# Page {number}\n\nWrite to {person.email} or call {person.phone} today.\n\n"
        f"Paid with {person.card}; the refund goes to {person.iban}. SSN {person.ssn}.\n"
        f"Last seen from {person.address}, [mail](mailto:{person.email}).\n"
    )
    return {
        "page_id": f"canary-{number}/METADATA",
        "package": f"canary-{number}",
        "package_version": "1.0.0",
        "kind": "metadata",
        "title": f"Reach me at {person.email}",
        "content_type": "text/markdown",
        "text": text,
        "author": person.name,
        "author_email": f"{person.name} <{person.email}>",
        "collected_at": COLLECTED_AT,
    } | changed


def lines() -> Iterator[bytes]:
    """Yield raw values: good records with a person in them, and records that are broken in every way, with one as well."""
    for number, person in enumerate(PEOPLE * 2):
        yield json.dumps(page(person, number), ensure_ascii=bool(number % 2)).encode()
    for number, person in enumerate(PEOPLE, 100):
        yield json.dumps(page(person, number, kind=person.email)).encode()
        yield json.dumps(page(person, number + 10, package_version=person.phone)).encode()
        yield json.dumps(page(person, number + 20, collected_at=person.name)).encode()
        yield json.dumps(page(person, number + 30, page_id=None)).encode()
        yield json.dumps(page(person, number + 40, title=[person.email])).encode()
        yield json.dumps(page(person, number + 50, surprise={person.name: person.email})).encode()
        yield json.dumps(page(person, number + 60)).encode()[:-20]
        yield person.email.encode() + b"\xff" + person.ssn.encode()


def spotted(octets: bytes) -> set[str]:
    """Return which of the literals stand in the bytes: as they are, as JSON escapes them, without their spaces."""
    return {literal for literal in _LITERALS if any(form in octets for form in _forms(literal))}


def spotted_in_folder(folder: Path, leave_out: Iterable[Path] = ()) -> dict[str, set[str]]:
    """Return, by file, which literals stand in it; Parquet files are read by value, for what they hold is packed."""
    skipped = tuple(leave_out)
    found: dict[str, set[str]] = {}
    for file in sorted(f for f in folder.rglob("*") if f.is_file() and not any(f.is_relative_to(s) for s in skipped)):
        if seen := spotted(_octets(file)):
            found[str(file.relative_to(folder))] = seen
    return found


def shown(found: Mapping[str, set[str]]) -> str:
    """Return where something was spotted, and how many different things, for an assertion's message."""
    return ", ".join(f"{place}: {len(seen)}" for place, seen in found.items())


def _octets(file: Path) -> bytes:
    octets = file.read_bytes()
    if octets[:4] == b"PAR1":
        return octets + repr(pq.read_table(file).to_pylist()).encode()
    return octets + gzip.decompress(octets) if octets[:2] == b"\x1f\x8b" else octets


def _forms(literal: str) -> set[bytes]:
    bare = literal.replace(" ", "")
    return {literal.encode(), json.dumps(literal)[1:-1].encode(), bare.encode(), bare.lower().encode()}


_LITERALS = tuple(dict.fromkeys(literal for person in PEOPLE for literal in person.literals))
