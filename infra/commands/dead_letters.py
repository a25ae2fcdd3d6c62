"""`headwater dead-letters`: what is in quarantine, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from infra.output import json_option, result, rows_text
from infra.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from contracts.contract import Contract
    from contracts.keys import KeyStore

EXAMPLE = """\b
Examples:
  headwater dead-letters                                       reasons and counts, every dataset
  headwater dead-letters flights --reason rule_broken --example
  headwater dead-letters flights.departed --unseal             one of each, its shape and what is public in it
"""
GROUP = ("reason", "field", "rule", "contract_version")
HEADS = ("dataset", "reason", "field", "rule", "count", "first", "last")


@click.command("dead-letters", epilog=EXAMPLE)
@click.argument("datasets", nargs=-1)
@click.option("--reason", "reasons", multiple=True, help="Only these reasons. May be repeated.")
@click.option("--example", is_flag=True, help="Name one sealed record of each, what it means, and what to do.")
@click.option("--unseal", is_flag=True, help="Open that record: its shape, its numbers, its public texts. Needs its key.")
@click.option("--raw", is_flag=True, help="With --unseal: all of it in clear. Mind who reads along.")
@json_option
@click.pass_obj
def dead_letters(
    settings: Settings,
    datasets: tuple[str, ...],
    reasons: tuple[str, ...],
    example: bool,
    unseal: bool,
    raw: bool,
    json_wanted: bool,
) -> None:
    """List what is quarantined: reason, field, rule, how many, and when the first and the last of them came.

    DATASETS are names (flights.departed) or domains (flights); none means all. What a replay has moved to silver is not
    among them. Exits 1 if there are none.
    """
    from infra.wiring import chosen, key_store

    demand_known(reasons)
    if raw and not unseal:
        raise click.UsageError("--raw goes with --unseal")
    keys = key_store(settings)
    found = []
    for contract in chosen(settings, datasets):
        rows = standing_letters(settings.tables, contract)
        found += [group for group in groups(rows, contract) if not reasons or group["reason"] in reasons]
        if example or unseal:
            for group in found:
                if group["dataset"] == contract.dataset:
                    group["example"] |= opened(settings.tables, contract, keys, group["example"], unseal=unseal, raw=raw)
    result({"dead_letters": found}, json_wanted, lambda: text(found, examples=example or unseal))
    if not found:
        raise SystemExit(1)


def demand_known(reasons: Sequence[str]) -> None:
    """Refuse reasons that there are not. Raises UsageError with those that there are."""
    from contracts.records import Reason

    known = [reason.value for reason in Reason]
    for reason in reasons:
        if reason not in known:
            raise click.UsageError(f"no reason {reason!r}: expected one of {', '.join(known)}")


def standing_letters(tables: str, contract: Contract) -> pa.Table | None:
    """Return the dataset's dead letters that still are quarantined; None without a table."""
    from contracts.errors import NotFound
    from streams.engines.letters import standing

    try:
        return standing(tables, contract)
    except NotFound:
        return None


def groups(rows: pa.Table | None, contract: Contract) -> list[dict[str, Any]]:
    """Return the dead letters by reason, field, rule and contract version, the most frequent first, with the first of each.

    Of those that carry a payload, where any does.
    """
    import polars as pl

    from contracts.reasons import REASONS
    from contracts.records import INGESTED_AT, KEY_ID, OFFSET, PARTITION, TOPIC, Reason

    if rows is None or not rows.num_rows:
        return []
    frame = pl.DataFrame(pl.from_arrow(rows)).sort(pl.col(KEY_ID).is_null(), PARTITION, OFFSET)
    spot = {name: pl.col(name).first() for name in (TOPIC, PARTITION, OFFSET, KEY_ID)}
    counted = frame.group_by(*GROUP).agg(count=pl.len(), first=pl.col(INGESTED_AT).min(), last=pl.col(INGESTED_AT).max(), **spot)
    return [
        {
            "dataset": contract.dataset,
            **{name: row[name] for name in (*GROUP, "count", "first", "last")},
            "meaning": REASONS[Reason(row["reason"])].meaning,
            "remedy": REASONS[Reason(row["reason"])].remedy,
            "example": {"topic": row[TOPIC], "partition": row[PARTITION], "offset": row[OFFSET], "key_id": row[KEY_ID]},
        }
        for row in counted.sort("count", *GROUP, descending=[True, False, False, False, False]).to_dicts()
    ]


def opened(
    tables: str, contract: Contract, keys: KeyStore, example: dict[str, Any], *, unseal: bool, raw: bool
) -> dict[str, Any]:
    """Return how large an example's sealed payload is; with `unseal`, its state and what may be shown of it, or all."""
    from contracts.records import PAYLOAD
    from infra.commands.bronze import readable
    from streams.bronze import of_quarantine
    from streams.engines.letters import whole
    from streams.shown import shown

    rows = whole(tables, contract, example["topic"], example["partition"], example["offset"]).slice(0, 1)
    payload = rows[PAYLOAD].to_pylist()[0] if PAYLOAD in rows.column_names else None
    told: dict[str, Any] = {"sealed_bytes": None if payload is None else len(payload)}
    if not unseal or payload is None:
        return told
    record = next(iter(of_quarantine(rows, keys.found([example["key_id"]]))))
    told["state"] = record.state
    if record.state == "kept" and raw:
        told |= {"key": readable(record.key), "value": readable(record.value)}
    elif record.state == "kept":
        told["shown"] = shown(record.value, contract, keys.secret("masking"))
    return told


def text(found: Sequence[dict[str, Any]], *, examples: bool) -> str:
    """Return the list as a person reads it."""
    if not found:
        return "no dead letters"
    lines = [rows_text(list(HEADS), [[_cell(group[head]) for head in HEADS] for group in found])]
    for group in found if examples else ():
        example = group["example"]
        place = f"{example['topic']} partition {example['partition']} offset {example['offset']}"
        sealed = (
            "no payload" if example["sealed_bytes"] is None else f"{example['sealed_bytes']:,} bytes, key {example['key_id']}"
        )
        lines += [
            "",
            f"{group['dataset']}: {group['reason']}, as at {place} ({sealed})",
            f"  {group['meaning']}",
            f"  {group['remedy']}",
        ]
        lines += [f"  {name}: {example[name]}" for name in ("state", "shown", "key", "value") if name in example]
    return "\n".join(lines)


def _cell(value: Any) -> Any:
    return "" if value is None else value.isoformat(" ", "seconds") if hasattr(value, "isoformat") else value
