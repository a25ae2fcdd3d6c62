"""`headwater training-set`: rows to learn from, as things were known at their time, and a small model on them."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

import click

from infra.output import json_option, result
from infra.settings import Settings

GROUP_EXAMPLE = """\b
Examples:
  headwater training-set build flight_delay
  headwater training-set build flight_delay --from 2013-01-01 --to 2013-02-01 --json
  headwater training-set fit 339bf2cbce2aa21b
"""


@click.group("training-set", epilog=GROUP_EXAMPLE)
def training_set() -> None:
    """Build training sets, and see what a model makes of them."""


@training_set.command(epilog=GROUP_EXAMPLE)
@click.argument("name")
@click.option("--from", "since", type=click.DateTime(), help="Leave out rows before this time, UTC.")
@click.option("--to", "until", type=click.DateTime(), help="Leave out rows at or after this time, UTC.")
@click.option(
    "--known-at", type=click.DateTime(), help="Use only feature rows that were known by this time, UTC: the second clock."
)
@click.option("--rows-max", type=click.IntRange(min=1), help="Build part by part where a table has more rows [2,000,000].")
@json_option
@click.pass_obj
def build(
    settings: Settings,
    name: str,
    since: datetime | None,
    until: datetime | None,
    known_at: datetime | None,
    rows_max: int | None,
    json_wanted: bool,
) -> None:
    """Build the training set that the definitions call NAME, from the tables as they stand."""
    from features.engines.training_sets import ROWS_MAX, build_training_set
    from infra.commands.features import applied_plan, workspace

    built = build_training_set(
        workspace(settings),
        applied_plan(settings),
        name,
        since=_utc(since),
        until=_utc(until),
        known_at=_utc(known_at),
        rows_max=rows_max or ROWS_MAX,
    )
    manifest = built.manifest
    share = manifest["positive"] / manifest["rows"]
    text = (
        f"{name} {built.id}: {manifest['rows']:,} rows, {len(manifest['features'])} features, {share:.1%} {manifest['label']}"
        f"{'; it stood already' if built.existed else ''}\n"
        f"{manifest['unanswered']:,} rows of the spine have no answer and are left out\n"
        f"{built.folder}\n"
        f"next: headwater training-set fit {built.id}"
    )
    result({**manifest, "folder": built.folder, "existed": built.existed}, json_wanted, text)


@training_set.command(epilog=GROUP_EXAMPLE)
@click.argument("training_set_id", metavar="ID")
@json_option
@click.pass_obj
def fit(settings: Settings, training_set_id: str, json_wanted: bool) -> None:
    """Train a small model on the first four fifths of the rows by time, judge it on the last.

    Exits 1 if it ranks no better than guessing does.
    """
    from features.engines.training_sets import read_training_set
    from features.model import fit as fitted

    manifest, rows = read_training_set(settings.training_sets, training_set_id)
    score = fitted(rows, manifest["features"], manifest["label"])
    text = (
        f"trained on {score.train_rows:,} rows, judged on {score.test_rows:,} from {score.split_at} on\n"
        f"average precision  {score.average_precision:.3f}  (guessing: {score.base_rate:.3f})\n"
        f"ROC AUC            {score.roc_auc:.3f}  (guessing: 0.500)\n"
        f"accuracy           {score.accuracy:.3f}  (always the more common answer: {score.majority_accuracy:.3f})"
    )
    data = {"training_set": manifest["id"], "beats_base_rate": score.beats_base_rate, **asdict(score)}
    result(data, json_wanted, text)
    if not score.beats_base_rate:
        raise SystemExit(1)


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
