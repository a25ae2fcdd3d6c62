"""The process in which one document at a time is read: see `sandbox`. Its limits are the kernel's; it ends when its pipe does."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

import orjson

from contracts.documents import READERS
from streams.connectors.pdf import read_pdf
from streams.connectors.sandbox import READY, framed, received
from streams.documents.extract import extracted
from streams.documents.model import Asked, Document, Refusal

SAMPLE = "<p>A naïve sentence in English, of enough words to be told the language of.</p>\n"


def main(cpu_seconds: int, memory_bytes: int) -> None:
    """Answer until the pipe ends. What is written to stdout is answers alone."""
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    _load()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, most))
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    answers.write(framed(READY))
    answers.flush()
    while (told := received(questions)) is not None:
        _allow(cpu_seconds)
        head = orjson.loads(told)
        content = questions.read(head["bytes"])
        answers.write(framed(_answer(head, content)))
        answers.flush()


def _load() -> None:
    """Load every reader, while files may still be written: a library that compiles itself does so now."""
    for content_type in READERS:
        if content_type != "application/pdf":
            extracted(Asked(SAMPLE, content_type))


def _allow(cpu_seconds: int) -> None:
    """Give the next document its processor time: the kernel counts all that the process has ever taken."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + cpu_seconds + 1, most))


def _answer(head: Mapping[str, Any], content: bytes) -> bytes:
    text = content.decode("utf-8", "surrogatepass") if head["text"] else content
    try:
        found = extracted(Asked(text, head["content_type"], head["url"], tuple(head["steps"])), read_pdf)
    except MemoryError:
        found = Refusal("its reader ran out of memory")
    if isinstance(found, Refusal):
        return orjson.dumps({"refused": found.rule, "reason": found.reason})
    return orjson.dumps(_told(found))


def _told(document: Document) -> dict[str, Any]:
    return {
        "title": document.title,
        "text": document.text,
        "language": document.language,
        "content_type": document.content_type,
        "links": [astuple(link) for link in document.links],
        "sections": [astuple(section) for section in document.sections],
    }


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
