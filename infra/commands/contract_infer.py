"""`headwater contract infer`: draft a contract from the records of a topic or a file."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from infra.output import json_option, result, say
from infra.settings import Settings

if TYPE_CHECKING:
    from contracts.infer import Draft, Seen

EXAMPLE = """\b
Examples:
  headwater contract infer orders.jsonl --as shop.orders --out contracts/shop/orders.odcs.yaml
  headwater contract infer shop.orders.raw.v1 --records 5000
  zcat orders.gz | headwater contract infer - --as shop.orders
"""
RECORDS = 1_000
NAMED_CHARACTERS_MAX = 60
_TOPIC = re.compile(r"([a-z][a-z0-9_]*)\.([a-z][a-z0-9_]*)(?:\.raw\.v([1-9][0-9]{0,8}))?")


@click.command(epilog=EXAMPLE)
@click.argument("source")
@click.option("--records", type=click.IntRange(min=1), default=RECORDS, show_default=True, help="Look at so many at most.")
@click.option("--as", "dataset", metavar="DOMAIN.NAME", help="The dataset to name it; by default what the source is called.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the draft there; a file is never replaced.")
@json_option
@click.pass_obj
def infer(settings: Settings, source: str, records: int, dataset: str | None, out: Path | None, json_wanted: bool) -> None:
    """Draft a contract from real records, masks proposed, each guess with its reason.

    SOURCE is a topic (its newest records are taken), a file or folder of JSON lines, or - for standard input. No value of a
    record stands in the draft but for the words of short lists, and none that looks personal. Exits 1 if the draft is not
    usable as it stands, and says why.
    """
    from contracts.connectors.files import odcs_schema
    from contracts.errors import NotFound
    from contracts.infer import drafted
    from contracts.infer_text import yaml_draft
    from contracts.lint import problems

    if out is not None and out.exists():
        raise click.BadParameter(f"{out} is there already", param_hint="--out")
    domain, name, major = _named(source, dataset)
    read = list(islice(_values(settings, source, records), records))
    objects = _objects(read)
    if not objects:
        raise NotFound(f"no JSON object among {len(read)} records", expected="records that are JSON objects", where=source)
    draft = drafted(objects, domain, name, major, seen)
    text = yaml_draft(draft.data)
    found = problems(text, str(out or f"{name}.odcs.yaml"), odcs_schema())
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, "utf-8")
    for problem in found:
        say(str(problem))
    data = _told(draft, len(read)) | {"contract": text, "problems": list(map(str, found)), "out": str(out) if out else None}
    result(data, json_wanted, text.rstrip() if out is None else f"drafted {out} from {len(objects):,} records")
    if found:
        raise SystemExit(1)


def seen(texts: Sequence[str]) -> Iterator[Seen]:
    """Yield the personal data in texts: (text, type, characters). A short text of given names alone is a person's name."""
    import polars as pl

    from streams.recognise import TYPES_WITH_NAMES, entities
    from streams.recognisers.names import GIVEN_NAMES

    found = entities(pl.Series(texts, dtype=pl.String), TYPES_WITH_NAMES)
    for row, kind, start, end in found.iter_rows():
        yield row, kind, end - start
    given = {name.lower() for name in GIVEN_NAMES}
    spoken = set(found["row"].to_list())
    for at, text in enumerate(texts):
        parts = re.findall(r"[^\W\d_]+", text.lower()) if len(text) <= NAMED_CHARACTERS_MAX and at not in spoken else []
        if parts and all(part in given for part in parts):
            yield at, "person", len(text)


def _named(source: str, dataset: str | None) -> tuple[str, str, int]:
    """Return domain, name and major version of the draft. Raises BadParameter for a name that no topic can have."""
    if dataset is None:
        topic = _TOPIC.fullmatch(source)
        if topic is not None and not Path(source).exists():
            return topic[1], topic[2], int(topic[3] or 1)
        stem = re.sub(r"[^a-z0-9_]+", "_", Path(source).name.split(".")[0].lower()).strip("_0123456789")
        return "drafts", stem or "records", 1
    asked = _TOPIC.fullmatch(dataset)
    if asked is None or asked[3]:
        raise click.BadParameter(f"{dataset!r}: expected DOMAIN.NAME, lower case letters, digits and _", param_hint="--as")
    return asked[1], asked[2], 1


def _values(settings: Settings, source: str, records: int) -> Iterator[bytes]:
    from streams.connectors.files import STDIN, records_of

    if source == STDIN or Path(source).exists():
        yield from records_of(source, lambda: sys.stdin.buffer)
        return
    from streams.connectors.kafka import newest

    for message in newest(settings.client(), _topic(settings, source), records):
        yield message.value() or b"null"


def _topic(settings: Settings, source: str) -> str:
    """Return the topic's name; of a dataset's, its raw topic. Raises NotFound with near names, and with what a file would be."""
    from contracts.errors import NotFound
    from streams.connectors.kafka import topics

    there = topics(settings.client())
    for name in (source, f"{source}.raw.v1"):
        if name in there:
            return name
    near = get_close_matches(source, there, n=3, cutoff=0.4)
    raise NotFound(
        f"{source} is no file, and no topic at {settings.bootstrap_servers}",
        expected=f"a topic: {', '.join(near or sorted(there)[:5]) or 'there is none yet'}",
        remedy="headwater status shows the topics",
    )


def _objects(values: Sequence[bytes]) -> list[dict[str, Any]]:
    """Return the records that are JSON objects; the others would be dead letters under any contract."""
    import orjson

    found = []
    for value in values:
        try:
            read = orjson.loads(value)
        except orjson.JSONDecodeError:
            continue
        if isinstance(read, dict):
            found.append(read)
    return found


def _told(draft: Draft, read: int) -> dict[str, Any]:
    properties = draft.data["schema"][0]["properties"]
    return {
        "records": read,
        "objects": draft.records,
        "event_time": draft.event_time,
        "key": list(draft.key),
        "fields": len(properties),
        "restricted": [item["name"] for item in properties if item.get("classification") == "restricted"],
    }
