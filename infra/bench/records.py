"""The records that the benchmarks carry: one kilobyte of JSON each, made from a seed, so the same on every machine.

One in ten holds an e-mail address, one in twenty a phone number, one in twenty-five an IP address; all are made up. Half of
each record is text of words, the rest is numbers, times, codes and a payload that compresses badly.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

CONTRACTS = Path(__file__).parent / "contracts"
DATASET = "bench.records"
SEED = 20130101
TEXT_CHARACTERS = 512
PAYLOAD_CHARACTERS = 264
TEXTS = 5_000
"""So many texts are made and used again: no record is like another, for its id, time and numbers differ."""

COUNTRIES = ("DE", "FR", "IN", "US")
FIRST = datetime(2013, 1, 1, tzinfo=UTC)


def values(count: int, seed: int = SEED) -> Iterator[bytes]:
    """Yield the values of `count` records."""
    chance = random.Random(seed)
    texts = [_text(chance, number) for number in range(min(count, TEXTS))]
    payloads = [f"{chance.getrandbits(PAYLOAD_CHARACTERS * 4):0{PAYLOAD_CHARACTERS}x}" for _ in range(min(count, TEXTS))]
    for number in range(count):
        yield orjson.dumps(
            {
                "record_id": f"r-{number:08d}",
                "happened_at": (FIRST + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "amount": number % 100_000 / 8,
                "count": number % 997,
                "active": number % 3 == 0,
                "country": COUNTRIES[number % 4],
                "author": f"program-{number % 100}",
                "text": texts[number % TEXTS],
                "payload": payloads[number % TEXTS],
            }
        )


def _text(chance: random.Random, number: int) -> str:
    words = [_word(chance) for _ in range(TEXT_CHARACTERS // 6)]
    if number % 10 == 0:
        words[len(words) // 2] = f"{_word(chance)}.{_word(chance)}@example.org"
    if number % 20 == 1:
        words[len(words) // 3] = f"+1 212 555 01{number % 100:02d}"
    if number % 25 == 2:
        words[len(words) // 4] = f"192.0.2.{number % 255}"
    return " ".join(words)[:TEXT_CHARACTERS]


def _word(chance: random.Random) -> str:
    return "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 8)))
