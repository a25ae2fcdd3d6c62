"""`headwater scan`: look for personal data in clear, and say where, of which type, how often; never what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from infra.output import json_option, result, rows_text, say
from infra.settings import Settings

if TYPE_CHECKING:
    from streams.scan import Scan

EXAMPLE = """\b
Examples:
  headwater scan                          all that is kept beyond the raw topics: tables, online store, ledger, logs, topics
  headwater scan docs.pages               the tables of a dataset, and its clean and dead-letter topics
  headwater scan silver/docs/pages ./exports /var/log/my-service
  headwater scan s3://bucket/prefix       with AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL and the like, as usual
  headwater scan --json | jq .findings
"""
SHOWN = 40


@click.command(epilog=EXAMPLE)
@click.argument("targets", nargs=-1, metavar="[PATH|TABLE|TOPIC|DATASET|s3://...]...")
@click.option("--names", is_flag=True, help="Look for persons' names too: slower, and surer in prose than in data.")
@json_option
@click.pass_obj
def scan(settings: Settings, targets: tuple[str, ...], names: bool, json_wanted: bool) -> None:
    """Look for personal data in clear where it should not be.

    Without a target: everything this installation keeps, but for the raw topics. Files are taken as they lie, so that what
    a table no longer names, or a database has freed, is looked at too. Exits 1 if anything is found, or cannot be read.
    """
    from infra.scanning import scanned
    from streams.recognise import TYPES, TYPES_WITH_NAMES, entities

    sought = TYPES_WITH_NAMES if names else TYPES
    done = scanned(settings, targets, lambda texts: entities(texts, sought), (lambda _text: None) if json_wanted else say)
    result(done.as_json(), json_wanted, lambda: "\n".join(_lines(done)))
    if not done.clear:
        raise SystemExit(1)


def _lines(done: Scan) -> Iterator[str]:
    findings = done.findings
    if findings:
        rows = [[f.place, f.field, f.type, f.count, f.first] for f in findings[:SHOWN]]
        yield rows_text(["place", "field", "type", "count", "first"], rows)
    if len(findings) > SHOWN:
        yield f"and {len(findings) - SHOWN:,} more lines like these: --json has all"
    for place, why in sorted(done.unread.items()):
        yield f"NOT READ: {place}: {why}"
    for place, why in sorted(done.left_out.items()):
        yield f"left out: {place}: {why}"
    looked = f"{done.characters:,} characters in {len(done.places):,} places"
    found = sum(finding.count for finding in findings)
    if done.clear:
        yield f"clear: no personal data found in {looked}"
    elif found:
        yield f"NOT CLEAR: {found:,} found in {looked}"
    else:
        yield f"NOT SHOWN: nothing found in {looked}, but {len(done.unread):,} places could not be read"
