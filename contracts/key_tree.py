"""Key trees: one secret that gives 1,024 keys, of which any can be destroyed without touching the others.

A binary tree of keyed hashes (Goldreich, Goldwasser and Micali, "How to construct random functions", 1986): the key of a leaf
follows from any node above it, and from no other. One BLAKE2b gives both children. To destroy a leaf, the nodes above it
are replaced by the siblings along its path, from which every other leaf still follows: a puncturable function (Boneh and
Waters, "Constrained pseudorandom functions and their applications", 2013). A tree that lost k leaves has at most 10 k nodes.

Nodes are numbered as in a heap: the root is 1, the children of n are 2n and 2n + 1, leaf i is 1024 + i.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from contracts.keys import SECRET_BYTES

DEPTH = 10
LEAVES = 1 << DEPTH
ROOT = 1
_NODE_BYTES = 2 + SECRET_BYTES
_PERSON = b"headwater keys 1"

Cover = Mapping[int, bytes]
"""By number, the nodes from which every leaf follows that was not destroyed."""


def leaves(cover: Cover, indexes: Iterable[int]) -> dict[int, bytes]:
    """Return the keys of these leaves, without those that were destroyed."""
    known = dict(cover)
    found = {index: _node(known, LEAVES + index) for index in indexes}
    return {index: key for index, key in found.items() if key is not None}


def punctured(cover: Cover, index: int) -> dict[int, bytes]:
    """Return the nodes from which all leaves of the cover still follow, but for this one."""
    node, rest = LEAVES + index, dict(cover)
    path = [node >> up for up in range(DEPTH + 1)]
    above = next((at for at in path if at in cover), None)
    if above is None:
        return rest
    known = dict(cover)
    for at in path[: path.index(above)]:
        rest[at ^ 1] = _known(known, at ^ 1)
    del rest[above]
    return rest


def packed_cover(cover: Cover) -> bytes:
    """Return a cover as bytes: each node's number, two bytes, and its secret."""
    return b"".join(number.to_bytes(2, "big") + cover[number] for number in sorted(cover))


def unpacked_cover(data: bytes) -> dict[int, bytes]:
    """Return the cover that `packed_cover` made the bytes of."""
    nodes = (data[at : at + _NODE_BYTES] for at in range(0, len(data), _NODE_BYTES))
    return {int.from_bytes(node[:2], "big"): node[2:] for node in nodes}


def _known(known: dict[int, bytes], number: int) -> bytes:
    secret = _node(known, number)
    assert secret is not None, number  # noqa: S101  it stands below a node of the cover
    return secret


def _node(known: dict[int, bytes], number: int) -> bytes | None:
    """Return a node's secret if it follows from a known one, and remember all on the way."""
    at = number
    while at not in known:
        at >>= 1
        if not at:
            return None
    while at != number:
        children = hashlib.blake2b(key=known[at], digest_size=2 * SECRET_BYTES, person=_PERSON).digest()
        known[2 * at], known[2 * at + 1] = children[:SECRET_BYTES], children[SECRET_BYTES:]
        at = number >> (number.bit_length() - at.bit_length() - 1)
    return known[number]
