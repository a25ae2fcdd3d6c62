"""`headwater mask`: personal data in JSON lines gives way to placeholders, as a filter between two programs."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import click

from infra.output import say
from infra.settings import Settings

EXAMPLE = """\b
Examples:
  echo '{"text": "write to jane@example.org"}' | headwater mask
  headwater mask --names < prompts.jsonl > masked.jsonl
"""

BATCH_BYTES = 4 * 1024 * 1024
KEY_BYTES_MIN = 32
FAULTS_SHOWN = 10


@click.command(epilog=EXAMPLE)
@click.option("--names", is_flag=True, help="Look for the names of persons, too: by list and context, and slower.")
@click.option(
    "--key-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File whose bytes (at least 32) key the placeholders [this installation's own key].",
)
@click.option("--json", "json_wanted", is_flag=True, help="Accepted for likeness: the output is JSON lines anyway.")
@click.pass_obj
def mask(settings: Settings, names: bool, key_file: Path | None, json_wanted: bool) -> None:  # noqa: ARG001
    """Read JSON lines {"text": ...}, write {"text": masked, "entities": [{"type", "start", "end"}]}, line by line, in order.

    start and end count characters of the text that was given. Other members of a line's object are not passed on: nobody
    looked at them. A line that is no such object is named on standard error by its number; at the end that is exit 1.
    """
    from streams.recognise import TYPES, TYPES_WITH_NAMES

    types = TYPES_WITH_NAMES if names else TYPES
    key = _key(settings, key_file)
    faults, number, out = 0, 0, sys.stdout.buffer
    for lines in batches(sys.stdin.buffer):
        masked, bad = masked_lines(lines, key, types, number)
        out.write(masked)
        out.flush()
        for fault in bad[: max(0, FAULTS_SHOWN - faults)]:
            say(f"headwater: {fault}")
        faults, number = faults + len(bad), number + len(lines)
    if faults:
        say(f'headwater: {faults} of {number} lines were no {{"text": ...}} and are not in the output')
        raise SystemExit(1)


def batches(source: BinaryIO) -> Iterator[list[bytes]]:
    """Yield lines as they come, many at once where many are there: what waits on a pipe is not held back by a half-full batch."""
    descriptor = source.fileno()
    held: list[bytes] = []
    size = 0
    while chunk := os.read(descriptor, BATCH_BYTES):
        held.append(chunk)
        size += len(chunk)
        if b"\n" not in chunk or (size < BATCH_BYTES and select.select([descriptor], [], [], 0)[0]):
            continue
        *lines, rest = b"".join(held).split(b"\n")
        held, size = [rest], len(rest)
        yield lines
    *lines, rest = b"".join(held).split(b"\n")
    if lines or rest:
        yield [*lines, rest] if rest else lines


def masked_lines(lines: Sequence[bytes], key: bytes, types: Collection[str], before: int) -> tuple[bytes, list[str]]:
    """Return the masked lines as bytes, and what is wrong with those that are none of ours. `before` lines came earlier."""
    import orjson

    from streams.free_text import masked_documents

    texts, faults = [], []
    for number, line in enumerate(lines, before + 1):
        if not line.strip():
            continue
        text = _text(line)
        if isinstance(text, str):
            texts.append(text)
        else:
            faults.append(f'line {number}: expected an object with a text, {{"text": "..."}}')
    made: list[dict[str, Any]] = masked_documents(texts, key, types)
    return b"".join(orjson.dumps(document) + b"\n" for document in made), faults


def _text(line: bytes) -> Any:
    import orjson

    try:
        read = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return read.get("text") if isinstance(read, dict) else None


def _key(settings: Settings, key_file: Path | None) -> bytes:
    if key_file is None:
        from infra.wiring import key_store

        return key_store(settings).secret("masking")
    key = key_file.read_bytes()
    if len(key) < KEY_BYTES_MIN:
        raise click.UsageError(f"{key_file} has {len(key)} bytes, expected at least {KEY_BYTES_MIN}")
    return key
