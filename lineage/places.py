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

_NO_BUCKET = ("NoSuchBucket",)
_NOT_ALLOWED = (
    "403 Forbidden", "401 Unauthorized", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken",
    "lacked the necessary privileges", "lacked valid authentication", "(403)", "NoCredentials", "Unable to locate credentials",
    "credentials provider", "CredentialsNotLoaded",
)  # fmt: skip
_AWAY = (
    "retries", "error sending request", "timed out", "connect", "connection", "EndpointConnectionError", "ReadTimeout", "(50",
    "Server Error", "SlowDown", "Throttl", "RequestTimeout", "InternalError", "ServiceUnavailable", "OperationAborted",
    "ConditionalRequestConflict", "IncompleteRead",
)  # fmt: skip


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
    retry_seconds: float = 30.0
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
    """Return what an object store's error comes to, for a person: it was away, or it refused; None if it says neither.

    An error of ours holds nothing of the text: a store answers a wrong signature with the text that was to be signed.
    """
    bucket, _, key = where.removeprefix(SCHEME).partition("/")
    text = f"{type(error).__name__}: {error}".replace("%2F", "/")
    for name in filter(None, (key, bucket)):  # a table may be called `connections`
        text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", "", text)
    if any(mark in text for mark in _NOT_ALLOWED):
        return StoreRefused(
            "the object store does not accept these credentials, or they may not do this",
            expected=f"credentials that may list, read and write bucket {bucket}",
            where=where,
            remedy="mend [s3] access_key_id and secret_access_key, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )
    if any(mark in text for mark in _NO_BUCKET):
        return StoreRefused(
            f"the object store has no bucket {bucket}",
            expected="a bucket that is there: none is made",
            where=where,
            remedy="make the bucket, or mend the address in the settings",
        )
    if any(mark in text for mark in _AWAY):
        return StoreAway(
            "the object store does not answer",
            where=where,
            remedy="look whether [s3] endpoint is right and up, then the same command again: nothing is half written",
        )
    return None
