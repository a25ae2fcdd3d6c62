"""`headwater status`: what is up, and what is in it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from infra.output import json_option, result, rows_text
from infra.settings import Settings
from lineage.places import remote

ANSWER_SECONDS = 5.0

EXAMPLES = """\b
Examples:
  headwater status
  headwater status --json | jq .topics
"""


@click.command(epilog=EXAMPLES)
@json_option
@click.pass_obj
@click.pass_context
def status(ctx: click.Context, settings: Settings, json_wanted: bool) -> None:
    """Show the broker, topics with their records, and tables. Exits 1 if no broker answers."""
    broker = _broker(settings)
    up = broker is not None
    data = {
        "up": up,
        "embedded": settings.embedded,
        "bootstrap_servers": settings.bootstrap_servers,
        "home": settings.home,
        "tables_at": settings.tables,
        "ledger_at": settings.ledger,
        "broker": broker,
        "topics": _topics(settings) if up else [],
        "tables": _tables(settings),
    }
    result(data, json_wanted, lambda: _text(data))
    ctx.exit(0 if up else 1)


def _broker(settings: Settings) -> dict[str, Any] | None:
    """Return what is known of a broker that answers; None if none does."""
    if not settings.embedded:
        return _foreign_broker(settings)
    from infra import stack

    found = stack.find(settings)
    if found is None:
        return None
    return {
        "pid": found.pid,
        "port": found.port,
        "kafka_release": found.kafka_release,
        "cluster_id": found.cluster_id,
        "uptime_seconds": round((datetime.now(UTC) - found.started_at).total_seconds()),
        "log": found.log,
    }


def _foreign_broker(settings: Settings) -> dict[str, Any] | None:
    from contracts.errors import BrokerAway
    from streams.connectors import kafka

    try:
        kafka.topics(settings.client(), ANSWER_SECONDS)
    except BrokerAway:
        return None
    return {"pid": None, "port": None, "kafka_release": None, "cluster_id": None, "uptime_seconds": None, "log": None}


def _topics(settings: Settings) -> list[dict[str, Any]]:
    """Return each topic with its partitions and the offsets it holds (a transaction's markers among them)."""
    from streams.connectors import kafka

    partitions = kafka.topics(settings.client(), ANSWER_SECONDS)
    held = dict.fromkeys(sorted(partitions), 0)
    for (topic, _), (start, end) in kafka.end_offsets(settings.client(), sorted(partitions)).items():
        held[topic] += end - start
    return [{"topic": topic, "partitions": partitions[topic], "records": records} for topic, records in held.items()]


def _tables(settings: Settings) -> list[dict[str, Any]]:
    """Return each Delta table of this installation, with its version and rows."""
    from streams.connectors.table_places import table_names

    names = table_names(settings.tables)
    if not names:
        return []
    from streams.connectors import delta

    rows = []
    for name in names:
        table = delta.opened(delta.table_uri(settings.tables, name))
        rows.append({"table": name, "table_version": table.version(), "rows": table.count()})
    return rows


def _text(data: dict[str, Any]) -> str:
    broker = data["broker"]
    if broker is None:
        parts = [f"no broker answers at {data['bootstrap_servers']}" + ("; try: headwater up" if data["embedded"] else "")]
    elif broker["pid"] is None:
        parts = [f"a broker answers at {data['bootstrap_servers']}; it is not ours"]
    else:
        since = f"up for {broker['uptime_seconds']:,} s"
        parts = [f"Kafka {broker['kafka_release']} at {data['bootstrap_servers']} (pid {broker['pid']}), {since}"]
    parts.append(f"home: {data['home']}")
    parts += [f"{name}: {data[f'{name}_at']}" for name in ("tables", "ledger") if remote(data[f"{name}_at"])]
    for key, heads in (("topics", ["topic", "partitions", "records"]), ("tables", ["table", "table_version", "rows"])):
        if data[key]:
            parts += ["", rows_text(heads, [[row[head] for head in heads] for row in data[key]])]
    return "\n".join(parts)
