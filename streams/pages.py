"""Make pages of what a Python package says of itself: its METADATA file, and its licence files. Bytes in, records out."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from email.message import Message
from email.parser import Parser
from typing import Literal

import orjson

DATASET = "docs.pages"
METADATA_FILE = "METADATA"
CONTENT_TYPES = frozenset({"text/markdown", "text/x-rst", "text/plain"})
CONTENT_TYPE_UNSAID = "text/x-rst"
"""What the packaging specification takes a description for that does not say how it is marked up."""

_SEPARATORS = re.compile(r"[-_.]+")
_LICENSE_NAME = re.compile(r"(licen[cs]e|copying|copyright|notice|authors)", re.IGNORECASE)
_LICENSE_FOLDERS = frozenset({"licenses", "license_files"})
_ENDINGS = {"md": "text/markdown", "rst": "text/x-rst"}


@dataclass(frozen=True)
class Package:
    """Which package a page is of."""

    name: str
    """In its normal form: lower case, single hyphens."""
    package_version: str


@dataclass(frozen=True)
class Page:
    """One record of docs.pages. The fields are in the contract's order."""

    page_id: str
    package: str
    package_version: str
    kind: Literal["metadata", "license"]
    title: str | None
    content_type: str
    text: str
    author: str | None
    author_email: str | None
    collected_at: str

    def key(self) -> bytes:
        """Return the record's key."""
        return self.page_id.encode()

    def value(self) -> bytes:
        """Return the record as JSON."""
        return orjson.dumps(asdict(self))


def described(content: bytes) -> tuple[Package, Message] | None:
    """Return whose METADATA file this is, and its parsed form; None if it names no package."""
    message = Parser().parsestr(_text(content))
    name, package_version = _line(message, "Name"), _line(message, "Version")
    if not name or not package_version:
        return None
    return Package(_SEPARATORS.sub("-", name).lower(), package_version), message


def metadata_page(package: Package, message: Message, collected_at: str) -> Page | None:
    """Return the page of a package's description, or of its summary where it has none; None where it has neither."""
    body = message.get_payload()
    title = _line(message, "Summary")
    description = body if isinstance(body, str) and body.strip() else str(message.get("Description") or "")
    text = description if description.strip() else title
    if not text:
        return None
    said = (_line(message, "Description-Content-Type") or CONTENT_TYPE_UNSAID).split(";")[0].strip().lower()
    return Page(
        page_id=f"{package.name}/{METADATA_FILE}",
        package=package.name,
        package_version=package.package_version,
        kind="metadata",
        title=title,
        content_type=said if said in CONTENT_TYPES else "text/plain",
        text=text,
        author=_line(message, "Author"),
        author_email=_line(message, "Author-email"),
        collected_at=collected_at,
    )


def license_page(package: Package, path: str, content: bytes, collected_at: str) -> Page | None:
    """Return the page of a licence file, by its path within the dist-info folder; None for an empty one."""
    text = _text(content)
    if not text.strip():
        return None
    name = path.rpartition("/")[2]
    return Page(
        page_id=f"{package.name}/{path}",
        package=package.name,
        package_version=package.package_version,
        kind="license",
        title=name,
        content_type=_ENDINGS.get(name.rpartition(".")[2].lower(), "text/plain"),
        text=text,
        author=None,
        author_email=None,
        collected_at=collected_at,
    )


def is_license(path: str) -> bool:
    """Return whether a file of a dist-info folder, by its path there, is a licence, a notice or a list of authors."""
    *folders, name = path.split("/")
    return bool(_LICENSE_FOLDERS.intersection(folders)) or (not folders and _LICENSE_NAME.match(name) is not None)


def _text(content: bytes) -> str:
    """Decode as UTF-8; what is not becomes a replacement character, so that one odd byte does not lose a page."""
    return content.decode("utf-8-sig", "replace")


def _line(message: Message, header: str) -> str | None:
    """Return a header on one line, or None where it is absent, empty, or the UNKNOWN that old tools wrote."""
    said = " ".join(str(message.get(header) or "").split())
    return None if said in ("", "UNKNOWN") else said
