"""What a field's name says of it: personal data, an identifier, a time. English words, as in `first_name` or `customerEmail`.

A name can only make a draft more careful: content decides too (`contracts.infer`), and a person looks at both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


@dataclass(frozen=True)
class PersonalName:
    """A kind of personal data that fields are named after; `joins` if rows are matched by it, so that a hash serves better."""

    kind: str
    words: tuple[str, ...]
    joins: bool = False


PERSONAL = (
    PersonalName("e-mail address", ("email", "mail", "emailaddress"), joins=True),
    PersonalName("phone number", ("phone", "mobile", "telephone", "tel", "fax", "msisdn", "phonenumber"), joins=True),
    PersonalName(
        "person's name",
        (
            "first name", "last name", "full name", "given name", "family name", "middle name", "maiden name", "surname",
            "firstname", "lastname", "fullname", "author", "person name", "customer name", "user name", "username",
            "contact name", "patient name", "employee name", "nickname", "cardholder", "card holder",
        ),
    ),
    PersonalName("postal address", ("address", "street", "postcode", "postal code", "zip", "zipcode", "house number")),
    PersonalName("date of birth", ("birth", "birthday", "birthdate", "dob", "born")),
    PersonalName(
        "identity number",
        ("ssn", "passport", "national id", "tax id", "tin", "driving licence", "drivers license", "license plate", "nino"),
        joins=True,
    ),
    PersonalName("account number", ("iban", "card number", "cardnumber", "pan", "cvv", "cvc", "account number"), joins=True),
    PersonalName("network address", ("ip", "ip address", "ipaddress", "mac address", "device id", "imei"), joins=True),
    PersonalName("secret", ("password", "passwd", "secret", "token", "api key", "apikey", "session", "cookie", "credential")),
    PersonalName("place of a person", ("latitude", "longitude", "lat", "lon", "lng", "geo", "gps")),
    PersonalName("pay", ("salary", "wage", "income")),
    PersonalName("health", ("diagnosis", "medication", "blood", "disease", "allergy")),
    PersonalName("personal trait", ("gender", "sex", "religion", "ethnicity", "nationality", "orientation", "marital")),
)  # fmt: skip
"""Kinds of personal data (GDPR, articles 4 and 9, and what opens accounts) -> what fields that hold them are called."""

IDENTIFIERS = ("id", "uuid", "guid", "key", "code", "number", "no", "ref", "sku")
"""Last words of names that identify something."""

PLAIN = ("type", "status", "state", "kind", "version", "currency", "country", "language", "lang", "unit", "category", "level")
"""Last words of names whose values are words of a fixed list."""

PEOPLE = (
    "by", "from", "to", "name", "user", "owner", "seller", "buyer", "agent", "manager", "assignee", "reporter", "driver",
    "doctor", "nurse", "member", "staff", "handle", "login", "nick", "contact", "person", "employee", "customer", "client",
)  # fmt: skip
"""Last words of names whose values may name persons: no list of them is ever shown."""

SUBJECTS = (
    "user id",
    "customer id",
    "person id",
    "patient id",
    "member id",
    "employee id",
    "account id",
    "subject id",
    "client id",
)
"""Names of fields that say whom a record is about."""

EVENT_TIMES = (
    "event time", "occurred at", "happened at", "event timestamp", "timestamp", "ts", "time", "created at", "ordered at",
    "recorded at", "observed at", "measured at", "updated at", "modified at",
)  # fmt: skip
"""Names of the field that says when it happened, the likeliest first; then whatever ends in `at`, `time` or `date`."""


def words(name: str) -> str:
    """Return a field's name as words in lower case: `customerEmail_2` is `customer email 2`."""
    return " ".join(part.lower() for part in _PART.findall(name))


def personal(name: str) -> PersonalName | None:
    """Return the kind of personal data that a field is named after, or None."""
    spoken = f" {words(name)} "
    return next((kind for kind in PERSONAL if any(f" {word} " in spoken for word in kind.words)), None)


def ends_in(name: str, endings: Iterable[str]) -> bool:
    """Say whether a name's last word is one of those."""
    return words(name).rpartition(" ")[2] in endings


def likeliest(names: Sequence[str], wanted: Sequence[str], endings: Sequence[str]) -> str | None:
    """Return the name that is likeliest meant: one of `wanted`, the earliest first, then one with such a last word."""
    spoken = {words(name): name for name in reversed(names)}
    found = next((spoken[word] for word in wanted if word in spoken), None)
    return found or next((name for name in names if ends_in(name, endings)), None)
