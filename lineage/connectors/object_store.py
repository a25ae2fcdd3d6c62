"""Object stores of S3's protocol: how each library is told to reach one, and whole objects in it. The only file that knows boto3.

The way in is a property of the process, as with AWS's own variables: `infra/` says it once (`reach`), and whoever opens
`s3://...` asks here. So an address travels through the rooms as a text, and credentials travel not at all.

A write is `put_if_absent` (`If-None-Match: *`): of several writers of one key one succeeds, and nothing is ever overwritten.
S3 lists and reads what was written at once, everywhere (strong consistency), and all here rests on that.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from typing import Any, NamedTuple, TypeVar

from contracts.errors import HeadwaterError, StoreAway
from lineage.places import REGION, Access, address, away, joined, no_bucket, not_allowed, remote

Answer = TypeVar("Answer")

CONNECT_SECONDS = 5
ANSWER_SECONDS = 30
FIRST_WAIT_SECONDS = 0.1
LONGEST_WAIT_SECONDS = 2.0
_WRITER = "headwater-writer"
_TAKEN = frozenset({"PreconditionFailed", "412"})
_BUSY = frozenset({408, 409, 425, 429})
"""409 is S3's answer to a put that ran beside another of the same key: to be sent again, says its documentation."""
_ABSENT = frozenset({"NoSuchKey", "404"})

_way_in = Access()


def reach(access: Access) -> None:
    """Say how this process reaches object stores. Called by `infra/` before anything remote is opened."""
    global _way_in  # noqa: PLW0603  see above: one for the process
    _way_in = access


def storage_options(place: str) -> dict[str, str] | None:
    """Return what delta-rs is told to reach a place; None for a local one.

    `conditional_put` makes each commit a put-if-absent of its log entry: so no lock table is needed between writers.
    """
    if not remote(place):
        return None
    way = _way_in
    options = {
        "conditional_put": "etag",
        "allow_http": str(way.endpoint.startswith("http://")).lower(),
        "endpoint_url": way.endpoint,
        "region": way.region or (REGION if way.endpoint else ""),
        "access_key_id": way.access_key_id,
        "secret_access_key": way.secret_access_key,
        "session_token": way.session_token,
        "connect_timeout": f"{CONNECT_SECONDS}s",
        "timeout": f"{ANSWER_SECONDS}s",
        "retry_timeout": f"{round(way.retry_seconds * 1000)}ms",
        "max_retries": "1000",
        "backoff_config.init_backoff": f"{round(FIRST_WAIT_SECONDS * 1000)}ms",
        "backoff_config.max_backoff": f"{round(LONGEST_WAIT_SECONDS * 1000)}ms",
    }
    return {name: value for name, value in options.items() if value}


def way_in() -> Access:
    """Return how this process reaches object stores."""
    return _way_in


def endpoint() -> str:
    """Return the address of the store's server; empty for AWS."""
    return _way_in.endpoint


def file_system(place: str) -> tuple[Any, str]:
    """Return Arrow's file system for a remote place, and the place's path in it. Nothing is asked of the store yet."""
    import pyarrow.fs as pafs  # noqa: PLC0415

    way, where = _way_in, address(place)
    given = {
        "access_key": way.access_key_id,
        "secret_key": way.secret_access_key,
        "session_token": way.session_token,
        "region": way.region or (REGION if way.endpoint else ""),
        "endpoint_override": way.endpoint,
    }
    system = pafs.S3FileSystem(
        connect_timeout=CONNECT_SECONDS, request_timeout=ANSWER_SECONDS, **{name: value for name, value in given.items() if value}
    )
    return system, "/".join(filter(None, where))


class Listed(NamedTuple):
    """An object as a listing tells of it."""

    name: str
    size: int


class Objects:
    """Whole objects below a place, by names without a slash at the front. May be used by many threads.

    Every call is made again for `Access.retry_seconds` while the store does not answer. Raises StoreAway after that, and
    StoreRefused for a missing bucket or credentials that it does not take.
    """

    def __init__(self, place: str, access: Access | None = None) -> None:
        self.place = place.rstrip("/")
        self._address = address(place)
        self._access = access

    def put_if_absent(self, name: str, body: bytes) -> bool:
        """Write an object unless there is one; return whether it is ours. Durable on return, and whole or not there at all.

        A put whose answer was lost may have been done: the object carries a mark by which it is known for ours.
        """
        mark = secrets.token_hex(16)

        def put() -> bool:
            try:
                self._client.put_object(
                    Bucket=self._address.bucket,
                    Key=self._address.key(name),
                    Body=body,
                    IfNoneMatch="*",
                    Metadata={_WRITER: mark},
                )
            except self._refusal as error:
                if _code(error) not in _TAKEN:
                    raise
                return self._mark(name) == mark
            return True

        return self._answered(put, name)

    def get(self, name: str) -> bytes | None:
        """Return an object, or None if there is none."""

        def get() -> bytes | None:
            try:
                found = self._client.get_object(Bucket=self._address.bucket, Key=self._address.key(name))
                body: bytes = found["Body"].read()
            except self._refusal as error:
                if _code(error) not in _ABSENT:
                    raise
                return None
            return body

        return self._answered(get, name)

    def listed(self, prefix: str = "", after: str = "") -> Iterator[Listed]:
        """Yield the objects whose names begin with `prefix` and come after `after`, in the order of their names' bytes."""
        for page in self._pages(prefix, after):
            for found in page.get("Contents", ()):
                yield Listed(self._name(found["Key"]), int(found["Size"]))

    def folders(self, prefix: str = "") -> Iterator[str]:
        """Yield what stands between `prefix`, which ends in a slash or is empty, and the next slash of a name."""
        for page in self._pages(prefix, "", delimiter="/"):
            for found in page.get("CommonPrefixes", ()):
                yield self._name(found["Prefix"]).removeprefix(prefix).rstrip("/")

    def _pages(self, prefix: str, after: str, delimiter: str = "") -> Iterator[dict[str, Any]]:
        asked = {"Bucket": self._address.bucket, "Prefix": self._address.key(prefix)}
        asked |= {"StartAfter": self._address.key(after)} if after else {}
        asked |= {"Delimiter": delimiter} if delimiter else {}
        while True:
            page: dict[str, Any] = self._answered(partial(self._client.list_objects_v2, **asked), prefix)
            yield page
            if not page.get("IsTruncated"):
                return
            asked = {**asked, "ContinuationToken": page["NextContinuationToken"]}

    def _name(self, key: str) -> str:
        return key.removeprefix(f"{self._address.prefix}/") if self._address.prefix else key

    def _mark(self, name: str) -> str:
        found = self._client.head_object(Bucket=self._address.bucket, Key=self._address.key(name))
        return str(found["Metadata"].get(_WRITER, ""))

    def _answered(self, call: Callable[[], Answer], name: str) -> Answer:
        way = self._way
        until, wait = time.monotonic() + way.retry_seconds, FIRST_WAIT_SECONDS
        while True:
            try:
                return call()
            except Exception as error:
                trouble = _trouble(error, joined(self.place, name).rstrip("/"))
                if trouble is None:
                    raise
                if not isinstance(trouble, StoreAway) or time.monotonic() + wait > until:
                    raise trouble from error
            time.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT_SECONDS)

    @property
    def _way(self) -> Access:
        return self._access or _way_in

    @property
    def _refusal(self) -> type[Exception]:
        from botocore.exceptions import ClientError  # noqa: PLC0415

        found: type[Exception] = ClientError
        return found

    @cached_property
    def _client(self) -> Any:
        import boto3  # noqa: PLC0415  a fifth of a second
        from botocore.config import Config  # noqa: PLC0415

        way = self._way
        session = boto3.session.Session(
            aws_access_key_id=way.access_key_id or None,
            aws_secret_access_key=way.secret_access_key or None,
            aws_session_token=way.session_token or None,
            region_name=way.region or (REGION if way.endpoint else None),
        )
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=ANSWER_SECONDS,
            retries={"mode": "standard", "total_max_attempts": 1},  # `_answered` does that, by the clock and not by count
            s3={"addressing_style": "path" if way.endpoint else "auto"},
            request_checksum_calculation="when_required",  # not every server knows the newer checksums
            response_checksum_validation="when_required",
        )
        return session.client("s3", endpoint_url=way.endpoint or None, config=config)


def _trouble(error: Exception, where: str) -> HeadwaterError | None:
    """Return what an error of boto3's comes to; None if it is none that the store or the way to it caused."""
    from botocore import exceptions as theirs  # noqa: PLC0415

    if isinstance(error, theirs.HTTPClientError | theirs.ConnectionError):
        return away(where)
    if isinstance(error, theirs.NoCredentialsError | theirs.PartialCredentialsError):
        return not_allowed(where)
    if not isinstance(error, theirs.ClientError):
        return None
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if _code(error) == "NoSuchBucket":
        return no_bucket(where)
    if status in (401, 403):
        return not_allowed(where)
    return away(where) if status >= 500 or status in _BUSY else None


def _code(error: Exception) -> str:
    """Return the code of a store's refusal: its own word, or the HTTP status of an answer without a body."""
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))
