"""Sealing: AES-256-GCM under a data key, equal bytes each time. The only file that knows `cryptography`.

The nonce is made from the key, the coordinates and the plaintext by keyed BLAKE2b (RFC 7693; a synthetic nonce, as in
RFC 5297 and RFC 8452), never drawn: so what is made again after a crash is equal to what it was, and one key never seals
two different texts under one nonce, not even when a topic is made anew and its offsets begin again. The coordinates are
bound as associated data: a sealed text that is moved to another row, or column, does not open.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from contracts.errors import SealBroken
from contracts.keys import SECRET_BYTES, DataKey

NONCE_BYTES = 12
TAG_BYTES = 16
_CIPHERS_KEPT = 16_384
"""More than a batch has records: each of a record's parts is sealed under its key."""
_PERSON = b"headwater seal 1"


def seal(plaintext: bytes, key: DataKey, coordinates: str) -> bytes:
    """Return the plaintext sealed: nonce, ciphertext, tag. A pure function of its arguments.

    `coordinates` say where the text belongs (topic, partition, offset, and which part of the record).
    """
    cipher, nonce_key = _cipher(key.secret)
    bound = coordinates.encode()
    given = len(bound).to_bytes(4, "big") + bound + plaintext
    nonce = hashlib.blake2b(given, key=nonce_key, digest_size=NONCE_BYTES).digest()
    return nonce + cipher.encrypt(nonce, plaintext, bound)


def unseal(sealed: bytes, key: DataKey, coordinates: str) -> bytes:
    """Return the plaintext. Raises SealBroken under another key or other coordinates, or if a bit was changed."""
    cipher, _ = _cipher(key.secret)
    try:
        return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], coordinates.encode())
    except (InvalidTag, ValueError) as error:
        raise SealBroken(
            f"{len(sealed)} sealed bytes do not open",
            expected=f"what was sealed with key {key.id} for this place, unchanged",
            where=coordinates,
        ) from error


@lru_cache(_CIPHERS_KEPT)
def _cipher(secret: bytes) -> tuple[AESGCM, bytes]:
    """Return the cipher and the nonce key of a data key: both derived from it by one keyed BLAKE2b, under a name of their own."""
    if len(secret) != SECRET_BYTES:
        raise SealBroken(f"a key of {len(secret)} bytes", expected=f"{SECRET_BYTES} bytes")
    derived = hashlib.blake2b(key=secret, digest_size=2 * SECRET_BYTES, person=_PERSON).digest()
    return AESGCM(derived[:SECRET_BYTES]), derived[SECRET_BYTES:]
