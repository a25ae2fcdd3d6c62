"""Keys: whose data is sealed with which, and what a key store promises. Destroying a key is how sealed data is erased.

Whoever a contract's `subject` field names has one data key. A record that names nobody (or cannot be read) is a subject of
its own, `record:<topic>:<partition>:<offset>`, whose key follows from the key tree of its block of offsets
(`contracts.key_tree`): a million such records cost a thousand rows in the store, and each can still be erased alone.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

SECRET_BYTES = 32
RECORD_PREFIX = "record:"
SUBJECT_SECRET = "subjects"  # noqa: S105  a name, not a secret
"""Name of the secret that subject ids are made with."""


@dataclass(frozen=True)
class DataKey:
    """One key. `id` is stored beside what the key sealed and tells nothing; `secret` is 32 bytes and never shown."""

    id: str
    secret: bytes = field(repr=False)


class KeyStore(Protocol):
    """Keeps keys until they are destroyed. Durable on return; several processes and threads may use one at a time.

    Every method raises KeysBroken when the store cannot be read with this installation's master key.
    """

    def secret(self, name: str) -> bytes:
        """Return this installation's 32-byte secret of that name, made on first use."""
        ...

    def data_key(self, subject: str) -> DataKey:
        """Return the subject's key, made on first use. Raises NotFound for a single record whose key was destroyed.

        A person whose key was destroyed gets a new one, for what is new of them: the old data stays unreadable. A record
        has no such second life.
        """
        ...

    def data_keys(self, subjects: Iterable[str]) -> Mapping[str, DataKey]:
        """Return the keys of many subjects, made on first use; records whose key was destroyed are left out."""
        ...

    def find(self, key_id: str) -> DataKey | None:
        """Return the key of that id; None if it was destroyed, or never was."""
        ...

    def found(self, key_ids: Iterable[str]) -> Mapping[str, DataKey]:
        """Return the keys of those ids that are still there."""
        ...

    def destroy(self, subject: str) -> bool:
        """Destroy the subject's key, for ever; return False if there was none. What it sealed is erased by that."""
        ...


class Wrapper(Protocol):
    """Wraps the keys of a store with a master key that the store itself does not hold: a KMS's two calls."""

    def wrap(self, plaintext: bytes, context: str) -> bytes:
        """Return the plaintext as only this master key can read it again, bound to the context."""
        ...

    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        """Return the plaintext. Raises SealBroken under another master key or context, or if a bit was changed."""
        ...


def subject_id(value: str | int, secret: bytes) -> str:
    """Return the name that a key store knows a person by: HMAC-SHA256 of the field's value, 64 hex digits."""
    return hmac.new(secret, str(value).encode(), hashlib.sha256).hexdigest()


def record_subject(topic: str, partition: int, offset: int) -> str:
    """Return the subject that a record is, which names nobody."""
    return f"{RECORD_PREFIX}{topic}:{partition}:{offset}"
