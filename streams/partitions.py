"""Choose a key's partition as Kafka's Java client does: murmur2 of the key, sign bit dropped, modulo the partitions.

The sources name the partition of each record themselves, because what a partition already holds decides what is left to
send (`streams.engines.produce`). The choice equals librdkafka's `murmur2_random` and the Java clients', so Flink, Spark
or a producer of your own put the same key on the same partition.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_SEED = 0x9747B28C
_M = np.uint32(0x5BD1E995)


def murmur2(keys: Sequence[bytes]) -> npt.NDArray[np.uint32]:
    """Return the 32-bit murmur2 hash of each key, with the seed that Kafka uses."""
    lengths = np.fromiter(map(len, keys), np.int64, len(keys))
    hashes = np.empty(len(keys), np.uint32)
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        joined = b"".join([keys[row] for row in rows.tolist()])
        hashes[rows] = _hash_equal_lengths(np.frombuffer(joined, np.uint8).reshape(len(rows), int(length)))
    return hashes


def partitions_of(keys: Sequence[bytes], count: int) -> npt.NDArray[np.int32]:
    """Return each key's partition among `count`. An empty key has one, too; a record without a key has none to ask for."""
    return ((murmur2(keys) & np.uint32(0x7FFFFFFF)) % np.uint32(count)).astype(np.int32)


def placed(
    keys: Sequence[bytes | None], datasets: Sequence[int], counts: Sequence[int], first_sequence: int
) -> npt.NDArray[np.int32]:
    """Return the partition of each record of a batch: by its key, or in turn where it has none.

    `datasets` says of each record whose count of partitions applies. A function of the arguments alone: the same record of
    the same source always goes to the same partition.
    """
    turn = np.arange(first_sequence, first_sequence + len(keys), dtype=np.int64)
    keyless = np.fromiter((key is None for key in keys), np.bool_, len(keys))
    hashes = murmur2([key or b"" for key in keys]) & np.uint32(0x7FFFFFFF)
    return (np.where(keyless, turn, hashes) % np.asarray(counts, np.int64)[np.asarray(datasets, np.int64)]).astype(np.int32)


def _hash_equal_lengths(keys: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """Hash the rows of a matrix of bytes. uint32 arithmetic wraps around, which is what murmur2 wants."""
    rows, length = keys.shape
    whole = length // 4 * 4
    words = np.ascontiguousarray(keys[:, :whole]).view("<u4")
    hashes = np.full(rows, _SEED ^ length, np.uint32)
    for column in range(whole // 4):
        word = words[:, column] * _M
        word ^= word >> np.uint32(24)
        hashes = (hashes * _M) ^ (word * _M)
    if length > whole:
        for place in range(whole, length):
            hashes ^= keys[:, place].astype(np.uint32) << np.uint32(8 * (place - whole))
        hashes = hashes * _M
    hashes ^= hashes >> np.uint32(13)
    hashes = hashes * _M
    return hashes ^ (hashes >> np.uint32(15))
