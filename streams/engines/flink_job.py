"""The clean hop as a Flink job: `python -m streams.engines.flink_job PLAN`, run in Flink's own environment by `flink run`.

    raw topics ─▶ source ─▶ gathered by raw partition for a moment ─▶ CleanFunction ─▶ unnested ─▶ one exactly-once sink
                            (SQL window, in the JVM)                  (Python, keyed)               clean, dead letters, facts

Flink's Python functions that take Arrow batches have no state, and those that have state take records one by one. So records
are gathered in the JVM, by a tumbling window of processing time, and the stateful function is given a batch as one element:
it turns the columns into an Arrow batch itself, at about a microsecond a record. What a batch holds makes no difference to what
comes of it. The window's content is part of a checkpoint, so nothing gathered is lost or read twice.

A record keeps its raw partition: the sink's partitioner (`infra/flink/KeepPartition.java`) reads it from the `src` header.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.data_stream import DataStream, KeyedStream
from pyflink.java_gateway import get_gateway
from pyflink.table import StreamTableEnvironment

from contracts.records import CONTRACT_HEADER, REASON_HEADER, SRC_HEADER, VERSION_HEADER
from streams.engines.flink_function import CleanFunction
from streams.engines.flink_worker import FlinkSpec
from streams.setup import Limits

PARTITIONER = "headwater.KeepPartition"
BYTES = Types.PRIMITIVE_ARRAY(Types.BYTE())
BATCH = Types.ROW(
    [
        Types.STRING(),
        Types.INT(),
        Types.OBJECT_ARRAY(Types.LONG()),
        Types.OBJECT_ARRAY(Types.LONG()),
        Types.OBJECT_ARRAY(BYTES),
        Types.OBJECT_ARRAY(BYTES),
        Types.OBJECT_ARRAY(BYTES),
    ]
)
"""As `flink_worker.RawColumns`."""
SENT_NAMES = ("key", "value", "topic", "src", "contract", "reason", "timestamp_ms")
SENT = Types.ROW_NAMED(list(SENT_NAMES), [BYTES, BYTES, Types.STRING(), BYTES, BYTES, BYTES, Types.LONG()])
"""As `flink_worker.Sent`."""


@dataclass(frozen=True)
class Plan:
    """What a job is submitted with."""

    spec: FlinkSpec
    jars: tuple[str, ...]
    """URIs of the jars that are sent with the job: the connector, and the partitioner."""
    group: str
    """Consumer group whose committed offsets a job without state starts from."""
    source: Mapping[str, str]
    """Properties of Kafka's Java consumer."""
    sink: Mapping[str, str]
    """Properties of Kafka's Java producer."""
    transactions: str
    """Prefix of the sink's transactional ids."""
    outputs: tuple[str, ...]
    gather_milliseconds: int

    @staticmethod
    def read(file: Path) -> Plan:
        """Return the plan in a file."""
        told: dict[str, Any] = orjson.loads(file.read_bytes())
        spec = told["spec"]
        told["spec"] = FlinkSpec(**{**spec, "limits": Limits(**spec["limits"])})
        return Plan(**{**told, "outputs": tuple(told["outputs"]), "jars": tuple(told["jars"])})


def source_ddl(plan: Plan) -> str:
    """Return the table of raw records: bytes as they came, with their coordinates."""
    options = {
        "connector": "kafka",
        "topic": ";".join(plan.spec.hashes),
        "scan.startup.mode": "group-offsets",
        "properties.group.id": plan.group,
        "properties.isolation.level": "read_committed",
        "properties.auto.offset.reset": "earliest",
        **_properties(plan.source),
        **_raw_format(),
    }
    return f"""CREATE TABLE raw_records (
        `key` BYTES, `value` BYTES,
        `topic` STRING METADATA VIRTUAL,
        `partition` INT METADATA VIRTUAL,
        `offset` BIGINT METADATA VIRTUAL,
        `time` TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
        `headers` MAP<STRING, BYTES> METADATA VIRTUAL,
        `now` AS PROCTIME()
    ) WITH ({_options(options)})"""


def gathering_sql(plan: Plan) -> str:
    """Return the query that gathers records: a row for each raw partition that had any in the window."""
    return f"""SELECT topic || ':' || CAST(`partition` AS STRING) AS slot, ROW(topic, `partition`, o, t, k, v, w) AS batch FROM (
        SELECT topic, `partition`,
            ARRAY_AGG(`offset`) o, ARRAY_AGG(ms) t, ARRAY_AGG(`key`) k, ARRAY_AGG(`value`) v, ARRAY_AGG(said) w
        FROM TABLE(TUMBLE(
            DATA => (SELECT topic, `partition`, `offset`, `key`, `value`, headers[{_text(VERSION_HEADER)}] AS said, `now`,
                     EXTRACT(EPOCH FROM `time`) * 1000 + EXTRACT(MILLISECOND FROM `time`) AS ms FROM raw_records),
            TIMECOL => DESCRIPTOR(`now`), SIZE => INTERVAL '{plan.gather_milliseconds / 1000:.3f}' SECOND))
        GROUP BY window_start, window_end, topic, `partition`)"""  # noqa: S608  names and settings of our own


def sink_ddl(plan: Plan) -> str:
    """Return the table that all records leave by: one sink, so that a batch's counts are in its records' transaction."""
    options = {
        "connector": "kafka",
        "topic": ";".join(plan.outputs),
        "sink.partitioner": PARTITIONER,
        "sink.delivery-guarantee": "exactly-once",
        "sink.transactional-id-prefix": plan.transactions,
        **_properties(plan.sink),
        **_raw_format(),
    }
    return f"""CREATE TABLE sent_records (
        `key` BYTES, `value` BYTES,
        `topic` STRING METADATA,
        `headers` MAP<STRING, BYTES> METADATA,
        `time` TIMESTAMP_LTZ(3) METADATA FROM 'timestamp'
    ) WITH ({_options(options)})"""


def sending_sql() -> str:
    """Return the statement that takes the batches apart and sends their records, with headers as `direct` writes them."""
    src, contract, reason = (_text(header) for header in (SRC_HEADER, CONTRACT_HEADER, REASON_HEADER))
    names = ", ".join(f"`{name}`" for name in SENT_NAMES)
    return f"""INSERT INTO sent_records SELECT r.`key`, r.`value`, r.topic,
        CASE WHEN r.src IS NULL THEN MAP[{contract}, r.contract]
             WHEN r.reason IS NULL THEN MAP[{src}, r.src, {contract}, r.contract]
             ELSE MAP[{src}, r.src, {contract}, r.contract, {reason}, r.reason] END,
        TO_TIMESTAMP_LTZ(r.timestamp_ms, 3)
        FROM cleaned CROSS JOIN UNNEST(records) AS r ({names})"""  # noqa: S608  names of our own


def submit(plan: Plan) -> None:
    """Build the job and hand it to the cluster that `flink run` was told of."""
    environment = StreamExecutionEnvironment.get_execution_environment()
    environment.add_jars(*plan.jars)
    tables = StreamTableEnvironment.create(environment)
    tables.get_config().set("table.local-time-zone", "UTC")
    tables.get_config().set("table.exec.uid.generation", "ALWAYS")
    tables.execute_sql(source_ddl(plan))
    tables.execute_sql(sink_ddl(plan))
    gathered = tables.to_append_stream(
        tables.sql_query(gathering_sql(plan)), Types.ROW_NAMED(["slot", "batch"], [Types.STRING(), BATCH])
    )
    cleaned = _keyed(gathered).process(CleanFunction(plan.spec), Types.ROW_NAMED(["records"], [Types.OBJECT_ARRAY(SENT)]))
    tables.create_temporary_view("cleaned", tables.from_data_stream(cleaned.uid("clean").name("clean")))
    tables.execute_sql(sending_sql())


def _keyed(gathered: DataStream) -> KeyedStream:
    """Return the stream of (slot, batch) keyed by slot.

    `key_by` would send every batch through Python once more to find its key; rows that hold key and value side by side are what
    it comes to, and what Flink's own key selector reads.
    """
    selector = get_gateway().jvm.KeyByKeySelector()
    keyed = gathered._j_data_stream.keyBy(selector, Types.ROW([Types.STRING()]).get_java_type_info())  # noqa: SLF001
    return KeyedStream(keyed, gathered.get_type(), gathered)


def _raw_format() -> dict[str, str]:
    return {"key.format": "raw", "key.fields": "key", "value.format": "raw", "value.fields-include": "EXCEPT_KEY"}


def _properties(properties: Mapping[str, str]) -> dict[str, str]:
    return {f"properties.{name}": value for name, value in properties.items()}


def _options(options: Mapping[str, str]) -> str:
    return ", ".join(f"{_text(name)} = {_text(value)}" for name, value in options.items())


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


if __name__ == "__main__":
    submit(Plan.read(Path(sys.argv[1])))
