"""Where tables, ledger and training sets stand: a local folder, or a prefix in an object store that speaks S3's protocol.

A place is a text: an absolute path, or `s3://bucket/prefix`. What stands within is named by `joined`, for both alike.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urlsplit

from contracts.errors import HeadwaterError, StoreAway, StoreRefused

SCHEME = "s3://"
REGION = "us-east-1"
"""Signed with where an endpoint of one's own is named without a region: such servers ask none."""

_NO_BUCKET = ("nosuchbucket",)
_NOT_ALLOWED = (
    "403 forbidden", "401 unauthorized", "accessdenied", "invalidaccesskeyid", "signaturedoesnotmatch", "expiredtoken",
    "lacked the necessary privileges", "lacked valid authentication", "credentialsnotloaded", "access denied", "access_denied",
)  # fmt: skip
_AWAY = (
    "retries", "error sending request", "timed out", "timeout", "could not connect", "connection", "server error", "slowdown",
    "serviceunavailable", "network_connection", "curlcode",
)  # fmt: skip
"""What stands in the errors of libraries that say it in words alone: delta-rs, Arrow."""


class Address(NamedTuple):
    """A place in an object store: its bucket, and the prefix of keys without a slash at either end; empty for all of it."""

    bucket: str
    prefix: str

    def key(self, name: str) -> str:
        """Return the key of what is called `name` within."""
        return f"{self.prefix}/{name}" if self.prefix else name


@dataclass(frozen=True)
class Access:
    """How an object store is reached. What is empty is found as AWS's own tools find it: environment, profile, instance role."""

    endpoint: str = ""
    """`https://host:port` of a server that speaks S3's protocol. Empty: AWS."""
    region: str = ""
    access_key_id: str = field(default="", repr=False)
    secret_access_key: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)
    retry_seconds: float = 60.0
    """How long a call that gets no answer is made again before it fails."""


def remote(place: str) -> bool:
    """Say whether a place is in an object store."""
    return place.startswith(SCHEME)


def address(place: str) -> Address:
    """Return bucket and prefix of a remote place. Raises ValueError for what names no bucket, or carries more than these."""
    split = urlsplit(place)
    if f"{split.scheme}://" != SCHEME or not split.netloc or "@" in split.netloc or split.query or split.fragment:
        raise ValueError("not an address like s3://bucket/prefix")
    return Address(split.netloc, split.path.strip("/"))


def joined(place: str, *names: str) -> str:
    """Return the place of what is called so within another."""
    return "/".join([place.rstrip("/") or "/", *names])


def told(error: Exception, where: str) -> HeadwaterError | None:
    """Return what the words of an object store's error come to: it was away, or it refused; None if they say neither.

    Our errors hold nothing of the text: a store answers a wrong signature with the text that was to be signed.
    """
    bucket, _, key = where.removeprefix(SCHEME).partition("/")
    text = f"{type(error).__name__}: {error}".replace("%2F", "/")
    for name in filter(None, (key, bucket)):  # a table may be called `connections`
        text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", "", text)
    text = text.lower()
    for marks, made in ((_NOT_ALLOWED, not_allowed), (_NO_BUCKET, no_bucket), (_AWAY, away)):
        if any(mark in text for mark in marks):
            return made(where)
    return None


def not_allowed(where: str) -> StoreRefused:
    """Return the error for credentials that are wrong, missing, or not enough."""
    return StoreRefused(
        "the object store does not accept these credentials, or they may not do this",
        expected="credentials that may list, read and write there",
        where=where,
        remedy="mend [s3] access_key_id and secret_access_key, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    )


def no_bucket(where: str) -> StoreRefused:
    """Return the error for a bucket that is not there."""
    bucket = where.removeprefix(SCHEME).split("/", maxsplit=1)[0]
    return StoreRefused(
        f"the object store has no bucket {bucket}",
        expected="a bucket that is there: none is made",
        where=where,
        remedy="make the bucket, or mend the address in the settings",
    )


def away(where: str) -> StoreAway:
    """Return the error for a store that gave no answer in the time allowed."""
    return StoreAway(
        "the object store does not answer",
        where=where,
        remedy="look whether [s3] endpoint is right and up, then the same command again: nothing is half written",
    )
