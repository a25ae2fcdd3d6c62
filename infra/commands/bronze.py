"""`headwater bronze`: read archived raw records back, as far as their keys are still there."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import click

from infra.offsets import HELP, offsets_given
from infra.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from contracts.contract import Contract
    from contracts.keys import KeyStore
    from streams.bronze import RawRecord
    from streams.intervals import IntervalSet

EXAMPLE = """\b
Examples:
  headwater bronze flights.departed --offsets 0:100-199          what is kept: sizes, keys, and what is public
  headwater bronze flights.departed --offsets 0:100 --raw        one record as it came, in clear
"""


@click.command(epilog=EXAMPLE)
@click.argument("dataset")
@click.option("--offsets", multiple=True, help=HELP)
@click.option("--raw", is_flag=True, help="Give key, value and headers in clear. Mind who reads along.")
@click.option("--json", is_flag=True, hidden=True, help="It always gives JSON lines.")
@click.pass_obj
def bronze(settings: Settings, dataset: str, offsets: tuple[str, ...], raw: bool, json: bool) -> None:  # noqa: ARG001
    """Print archived records of DATASET as JSON lines, file by file of the table.

    `state` is kept, or erased: the key is destroyed, and nobody can read the record again. Without --raw, `shown` gives the
    record's shape, its numbers, and the texts that its contract calls public. Exits 1 if nothing that was asked for is there.
    """
    from infra.wiring import key_store, one

    contract = one(settings, dataset)
    wanted = offsets_given(offsets)
    keys = key_store(settings)
    told = False
    for record in archived(settings.tables, contract, keys, wanted):
        told = True
        click.echo(_line(record, contract, keys, raw=raw))
    if not told:
        raise SystemExit(1)


def archived(tables: str, contract: Contract, keys: KeyStore, wanted: Mapping[int, IntervalSet]) -> Iterator[RawRecord]:
    """Yield the archived records that are wanted (all, if none are named). Raises NotFound without a table."""
    from contracts.records import BRONZE_SCHEMA, KEY_ID, OFFSET, PARTITION, TOPIC
    from streams.bronze import of_bronze
    from streams.connectors import delta
    from streams.replay import Selection

    selection = Selection("bronze", offsets=wanted)
    uri = delta.table_uri(tables, "bronze", contract.domain, contract.name)
    stretches = delta.selected(
        uri,
        columns=BRONZE_SCHEMA.names,
        by=[TOPIC, PARTITION, OFFSET],
        choose=lambda rows: selection.chosen(rows, contract.raw_topic),
    )
    for rows in stretches:
        ordered = rows.sort_by([(PARTITION, "ascending"), (OFFSET, "ascending")])
        yield from of_bronze(ordered, keys.found(key_id for key_id in ordered[KEY_ID].to_pylist() if key_id is not None))


def _line(record: RawRecord, contract: Contract, keys: KeyStore, *, raw: bool) -> str:
    from streams.bronze import as_dict
    from streams.shown import shown

    told = as_dict(record)
    if record.state == "kept" and raw:
        headers = [[name, readable(value)] for name, value in record.headers]
        told |= {"key": readable(record.key), "value": readable(record.value), "headers": headers}
    elif record.state == "kept":
        told["shown"] = shown(record.value, contract, keys.secret("masking"))
    return json.dumps(told, ensure_ascii=False)


def readable(data: bytes | None) -> Any:
    """Return bytes as JSON has them: text, or {"base64": ...} for what is not UTF-8."""
    if data is None:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode("ascii")}
