"""Ship the ledger to Marquez, or to whatever takes OpenLineage events over HTTP.

The ledger is the truth, the endpoint a view of it: events go in ledger order, one a request, and each at least once.
What has been taken is remembered in a file per endpoint, so that a shipper which was killed goes on, at most
`REMEMBER_EVERY` events behind where it stopped (taking an event twice changes nothing at the endpoint). The answers:

| answer | what it means | what we do |
| --- | --- | --- |
| 2xx | taken | go on |
| none, 408, 425, 429, 5xx | away, busy or broken | try again, waiting longer each time; give up for now, in place |
| 3xx, 401, 403, 404, 405 | not the endpoint, or not for us: no event is at fault | stop in place, and say what to mend |
| other 4xx | this event will never be taken | set it aside with the reason, report it, go on |

An event set aside is not lost: it is in the ledger, and listed in `refused.jsonl` beside the position.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from contracts.errors import LedgerBroken, SettingsInvalid, TransientError
from lineage.canonical import canonical_json
from lineage.ledger import START, Entry, Ledger, Position

PATH = "/api/v1/lineage"
REMEMBER_EVERY = 100
_BUSY = frozenset({408, 425, 429})
_NOT_FOR_US = frozenset({401, 403, 404, 405})
_REASON_LONGEST = 500


@dataclass(frozen=True)
class Patience:
    """How a shipper waits: from `first_seconds` on, twice as long each time, up to `longest_seconds`.

    After `give_up_seconds` on one event without an answer that counts, it leaves the rest for the next call.
    """

    first_seconds: float = 0.2
    longest_seconds: float = 10.0
    give_up_seconds: float = 60.0
    answer_seconds: float = 10.0
    """How long one answer may take."""


@dataclass(frozen=True)
class Refused:
    """An event that the endpoint will never take."""

    event_id: str
    position: Position
    status: int
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        where = {"line": self.position.line, "byte_offset": self.position.byte_offset}
        return {"event_id": self.event_id, "position": where, "status": self.status, "reason": self.reason}


@dataclass(frozen=True)
class ShipReport:
    """What one call shipped. `away` says why it stopped before the ledger's end; empty, it shipped all there was."""

    url: str
    shipped: int
    refused: tuple[Refused, ...]
    position: Position
    away: str = ""

    @property
    def ok(self) -> bool:
        """Whether the endpoint now holds all that the ledger held."""
        return not self.away and not self.refused

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        return {
            "url": self.url,
            "ok": self.ok,
            "shipped": self.shipped,
            "refused": [refused.as_dict() for refused in self.refused],
            "position": {"line": self.position.line, "byte_offset": self.position.byte_offset},
            "away": self.away,
        }


class Remembered:
    """How far an endpoint has been told, in `<folder>/<digest of its URL>/`; one shipper at a time holds it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder / hashlib.sha256(url.encode()).hexdigest()[:16]
        self.file = self.folder / "position.json"
        self.refused = self.folder / "refused.jsonl"
        self.url = url

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other shippers to the same endpoint out. Raises TransientError if one is at work."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise TransientError(
                    f"another shipper to {self.url} is at work", where=str(self.folder), remedy="let it finish, then look again"
                ) from error
            yield

    def read(self) -> Position:
        """Return where to go on."""
        if not self.file.exists():
            return START
        try:
            read = json.loads(self.file.read_text("utf-8"))
            return Position(int(read["line"]), int(read["byte_offset"]))
        except (ValueError, KeyError, TypeError) as error:
            raise LedgerBroken(
                "the remembered position cannot be read",
                where=str(self.file),
                remedy="`headwater lineage rebuild` ships all again",
            ) from error

    def write(self, position: Position) -> None:
        """Remember a position, so that a crash at any moment leaves this one or the one before."""
        beside = self.file.with_suffix(".new")
        content = canonical_json({"line": position.line, "byte_offset": position.byte_offset, "url": self.url})
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.file)
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def set_aside(self, refused: Refused) -> None:
        """List an event that was refused, durably, before the position passes it."""
        with self.refused.open("ab") as file:
            file.write(canonical_json(refused.as_dict()) + b"\n")
            file.flush()
            os.fsync(file.fileno())


class _Stopped(Exception):
    """Go no further for now; the text says why."""


@dataclass
class _Endpoint:
    """One connection that is opened again when it breaks."""

    url: str
    api_key: str
    patience: Patience
    connection: HTTPConnection | None = field(default=None)

    def post(self, body: bytes) -> tuple[int, str, float]:
        """Send one event and return status, the answer's beginning, and the wait it asks for.

        Raises OSError or HTTPException when no answer came. A kept connection that the other side has closed
        meanwhile looks like that too; the event is then simply sent again.
        """
        split = urlsplit(self.url)
        if self.connection is None:
            kind = HTTPSConnection if split.scheme == "https" else HTTPConnection
            self.connection = kind(split.netloc, timeout=self.patience.answer_seconds)
        headers = {"Content-Type": "application/json"}
        if self.api_key:
            headers["Authorization"] = f"Bearer {self.api_key}"
        try:
            self.connection.request("POST", split.path.rstrip("/") + PATH, body, headers)
            response = self.connection.getresponse()
            text = response.read().decode("utf-8", "replace")
        except (OSError, HTTPException):
            self.close()
            raise
        return response.status, " ".join(text.split())[:_REASON_LONGEST], _asked_wait(response)

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def ship(
    ledger: Ledger,
    url: str,
    folder: Path,
    *,
    api_key: str = "",
    patience: Patience | None = None,
    from_start: bool = False,
    stop: Callable[[], bool] = lambda: False,
    sleep: Callable[[float], None] = time.sleep,
) -> ShipReport:
    """Ship what the ledger holds and the endpoint has not been told, in order, and return what came of it.

    `folder` is where positions are remembered; `from_start` forgets this endpoint's, to fill an empty Marquez. An
    endpoint that is away is no error: the report says so, and the next call goes on in place. Raises SettingsInvalid
    for what is no HTTP address, TransientError while another shipper is at work on the same endpoint.
    """
    _checked(url)
    remembered = Remembered(folder, url)
    endpoint = _Endpoint(url, api_key, patience or Patience())
    with remembered.held():
        at = START if from_start else remembered.read()
        shipping = _Shipping(endpoint, remembered, at, sleep, stop)
        try:
            shipping.run(ledger)
        finally:
            endpoint.close()
            remembered.write(shipping.at)
    return ShipReport(url, shipping.shipped, tuple(shipping.refused), shipping.at, shipping.away)


@dataclass
class _Shipping:
    """One call of `ship`: where it stands and what it met."""

    endpoint: _Endpoint
    remembered: Remembered
    at: Position
    sleep: Callable[[float], None]
    stop: Callable[[], bool]
    shipped: int = 0
    refused: list[Refused] = field(default_factory=list)
    away: str = ""

    def run(self, ledger: Ledger) -> None:
        """Send entry after entry, until the end of the ledger, a reason to stop, or being told to."""
        try:
            for entry in ledger.events(self.at):
                self._one(entry)
                self.at = entry.end
                if (self.shipped + len(self.refused)) % REMEMBER_EVERY == 0:
                    self.remembered.write(self.at)
        except _Stopped as stopped:
            self.away = str(stopped)

    def _one(self, entry: Entry) -> None:
        if self.stop():
            raise _Stopped("told to stop")
        status, reason = self._answer(canonical_json(entry.event))
        if 200 <= status < 300:
            self.shipped += 1
        elif status in _NOT_FOR_US or status < 400:
            raise _Stopped(f"{self.endpoint.url}{PATH} answered {status} {reason}: mend the URL or the API key".rstrip())
        else:
            refused = Refused(entry.event_id, entry.position, status, reason)
            self.remembered.set_aside(refused)
            self.refused.append(refused)

    def _answer(self, body: bytes) -> tuple[int, str]:
        """Return the first answer that says something of the event, however often the endpoint must be asked."""
        patience = self.endpoint.patience
        waited, wait = 0.0, patience.first_seconds
        while True:
            began = time.monotonic()
            try:
                status, reason, asked = self.endpoint.post(body)
                if status < 500 and status not in _BUSY:
                    return status, reason
                problem = f"answers {status} {reason}".rstrip()
            except (OSError, HTTPException) as error:
                problem, asked = f"does not answer ({type(error).__name__}: {error})", 0.0
            waited += time.monotonic() - began
            pause = min(max(wait, asked), patience.longest_seconds)
            if waited + pause > patience.give_up_seconds or self.stop():
                raise _Stopped(f"{self.endpoint.url} {problem}")
            self.sleep(pause)
            waited, wait = waited + pause, wait * 2


def _asked_wait(response: HTTPResponse) -> float:
    asked = response.getheader("Retry-After", "")
    return float(asked) if asked.isdigit() else 0.0


def _checked(url: str) -> None:
    try:
        split = urlsplit(url)
        good = split.scheme in ("http", "https") and split.hostname and split.username is None and split.port != 0
    except ValueError:
        good = False
    if not good:
        raise SettingsInvalid(
            "no address of an OpenLineage endpoint",
            expected="http://host:port, or https, without a user name in it",
            where="openlineage_url (OPENLINEAGE_URL)",
        )
