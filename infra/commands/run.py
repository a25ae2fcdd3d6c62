"""`headwater run`: the whole path on the examples, once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from shutil import which
from typing import Any

import click

from infra.output import json_option, result, rows_text, say
from infra.settings import Settings

EXAMPLE = """\b
Examples:
  headwater run                                   the whole year of flights
  headwater run --from 2013-01-01 --to 2013-01-31 --keep
  headwater run --engine faust --to 2013-01-07 --json
"""
TABLE_HEADS = ["hop", "records in", "out", "dead letters", "duplicates", "seconds", "records/s"]
STREAMED = ("produce", "archive", "clean", "land", "fold", "aggregate", "materialize", "training_set")


@click.command(epilog=EXAMPLE)
@click.option("--from", "first_day", type=click.DateTime(["%Y-%m-%d"]), help="First day of flights, UTC, by event time.")
@click.option("--to", "last_day", type=click.DateTime(["%Y-%m-%d"]), help="Last day of flights, included.")
@click.option(
    "--engine", type=click.Choice(["direct", "faust", "flink"]), default="direct", show_default=True, help="What cleans."
)
@click.option("--keep", is_flag=True, help="Leave the broker running at the end.")
@json_option
@click.pass_obj
def run(
    settings: Settings, first_day: datetime | None, last_day: datetime | None, engine: str, keep: bool, json_wanted: bool
) -> None:
    """Carry real flights and real documents from Kafka to features, search and lineage, once.

    Starts the local stack unless a broker is named in the settings, and stops what it started unless --keep. A second
    run, or one after a crash, goes on where the first one stopped. Exits 1 if the audit finds any record unaccounted for,
    if a landed table fails its contract, or if personal data is found in clear.
    """
    from infra import stack
    from infra.path import Walk, walked

    began = time.perf_counter()
    walk = Walk(
        settings,
        first_day.date() if first_day else None,
        last_day.date() if last_day else None,
        engine,
        quiet=json_wanted,
        say=(lambda _text: None) if json_wanted else say,
    )
    if not settings.embedded:
        done = walked(walk)
    elif keep:
        stack.start(settings, walk.say)
        done = walked(walk)
    else:
        with stack.broker(settings, walk.say):
            done = walked(walk)
    done["seconds"] = round(time.perf_counter() - began, 3)
    result(done, json_wanted, lambda: "\n".join(_lines(done, keep)))
    if not (done["audit"]["ok"] and done["scan"]["clear"] and not any(each["fail"] for each in done["quality"].values())):
        raise SystemExit(1)


def _lines(done: dict[str, Any], keep: bool) -> Iterator[str]:
    """Yield the summary as a person reads it."""
    yield ""
    rows = [
        [
            h["name"],
            h["records_in"],
            h["records_out"],
            sum(h["dead_letters"].values()),
            h["duplicates"],
            h["seconds"],
            h["records_per_second"],
        ]
        for h in done["hops"]
        if h["name"] in STREAMED
    ]
    yield rows_text(TABLE_HEADS, rows)
    if not any(row[1] for row in rows):
        yield "nothing was new: an earlier run had carried all of it"
    yield from _dead_letters(done)
    audit = done["audit"]
    verdict = (
        "every one has exactly one fate"
        if audit["ok"]
        else f"NOT CLEAN: {audit['missing']:,} missing, {audit['doubled']:,} doubled"
    )
    yield f"\naudit: {audit['offsets']:,} raw offsets, {audit['silver']:,} in silver, {audit['quarantine']:,} in quarantine"
    yield f"  {verdict}"
    yield from _held(done)
    yield from _served(done["served"])
    yield from _learned(done["training_set"])
    yield from _searched(done["search"])
    yield f"\nlineage: {done['lineage']['events']:,} events in {done['lineage']['path']}"
    if done["lineage"]["shipped"]:
        yield f"  shipped to {done['lineage']['shipped']['url']}"
    first = "" if which("headwater") else ", after `source .venv/bin/activate`"
    yield f"\nall of it in {done['seconds']:.1f} s. Next{first}:"
    yield from _next(done, keep)


def _held(done: dict[str, Any]) -> Iterator[str]:
    """Yield what the landed tables' contracts and the scan came to."""
    for dataset, quality in done["quality"].items():
        yield from (f"  {dataset} breaks its contract: {rule}" for rule in quality["fail"])
    rules, tables = sum(each["hold"] for each in done["quality"].values()), len(done["quality"])
    yield f"contract test: {rules:,} rules hold on {tables} landed tables"
    scan = done["scan"]
    looked = f"{scan['characters']:,} characters of documents, passages, online values, ledger and logs"
    found = "nothing personal in clear" if scan["clear"] else f"NOT CLEAR: {scan['found']:,} found"
    yield f"scan: {found} in {looked}"
    yield from (
        f"  {f['place']} {f['field']}: {f['count']:,} of type {f['type']}, first {f['first']}" for f in scan["findings"][:10]
    )


def _dead_letters(done: dict[str, Any]) -> Iterator[str]:
    reasons = next(h["dead_letters"] for h in done["hops"] if h["name"] == "clean")
    if reasons:
        yield "dead letters by reason: " + ", ".join(f"{reason} {count:,}" for reason, count in reasons.items())


def _served(served: dict[str, Any]) -> Iterator[str]:
    asked = " ".join(f"{name}={value}" for name, value in served["entities"].items())
    yield f"\none vector served: {served['service']} {asked}"
    yield from (f"  {line}" for line in served["text"])


def _learned(training_set: dict[str, Any]) -> Iterator[str]:
    share = training_set["positive"] / max(training_set["rows"], 1)
    rows, features = training_set["rows"], training_set["features"]
    yield f"\ntraining set {training_set['id']}: {rows:,} flights, {features} features, {share:.1%} late"
    model = training_set["model"]
    if "not_fitted" in model:
        yield f"  no model: {model['not_fitted'].splitlines()[0]}"
        return
    yield (
        f"  a small model ranks late flights with average precision {model['average_precision']:.3f}, "
        f"where guessing gives {model['base_rate']:.3f} (ROC AUC {model['roc_auc']:.3f})"
    )


def _searched(search: dict[str, Any]) -> Iterator[str]:
    yield f"\nsearch: {search['query']}"
    for hit in search["hits"]:
        yield f"  {hit['score']:.3f}  {hit['values'].get('package', '')}: {hit['values'].get('title', '')}"


def _next(done: dict[str, Any], keep: bool) -> Iterator[str]:
    asked = " ".join(f"{name}={value}" for name, value in done["served"]["entities"].items())
    yield f"  headwater features get {done['served']['service']} {asked} --explain"
    yield '  headwater features search "how do I mask personal data?"'
    yield "  headwater scan"
    yield "  headwater contract docs"
    yield "  headwater lineage show"
    yield f"  headwater training-set fit {done['training_set']['id']}"
    yield "  headwater down" if keep else "  headwater up && headwater audit"
