"""Facts made for tests: a job that reads one topic and writes another."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lineage import names
from lineage.facts import About, Column, ColumnOrigin, ContractRef, Dataset, HopFacts, OffsetRange, ParentRun, RunRef, Tag

NOW = datetime(2026, 3, 1, 12, 0, 0, 250, tzinfo=UTC)
KAFKA = "kafka://127.0.0.1:19092"
RAW, CLEAN = "shop.orders.raw.v1", "shop.orders.clean.v1"
JOB = "shop.orders.clean"


def run(instance: str = "host:41:7", job: str = JOB, hop: str = "clean", **more: object) -> RunRef:
    run_id = names.run_id(job, int(NOW.timestamp() * 1e6), instance)
    return RunRef(job, hop, run_id, "direct", "0.1.0+abc", NOW, **more)  # type: ignore[arg-type]


def raw(first: int = 0, last: int = 9) -> Dataset:
    return Dataset(
        KAFKA,
        RAW,
        "topic",
        columns=(
            Column("order_id", "string", "Names the order."),
            Column("email", "string"),
            Column("place", "struct<city: string>", within=(Column("city", "string"),)),
        ),
        about=About(
            "Orders of a shop.", (("team:shop", "OWNER"),), (Tag("masked", "true", "CONTRACT", "email"), Tag("x", "y", "USER"))
        ),
        offsets=(OffsetRange(RAW, 1, first, last), OffsetRange(RAW, 0, first, last)),
        rows=2 * (last - first + 1),
        bytes=4_000,
    )


def clean() -> Dataset:
    origins = (
        ColumnOrigin("order_id", ((KAFKA, RAW, "order_id"),)),
        ColumnOrigin("email", ((KAFKA, RAW, "email"),), "TRANSFORMATION", masking=True),
    )
    return Dataset(KAFKA, CLEAN, "topic", columns=(Column("order_id", "string"),), rows=19, column_origins=origins)


def table(version: int = 4) -> Dataset:
    return Dataset(
        "file",
        "/data/my tables/silver/shop/orders",
        "table",
        columns=(Column("order_id", "string"),),
        symlinks=((KAFKA, CLEAN, "TOPIC"),),
        table_version=version,
        rows=19,
        bytes=8_000,
        files=1,
    )


def facts(position: int = 0, of: RunRef | None = None, seconds: float = 0.25) -> HopFacts:
    of = of or run()
    return HopFacts(
        run=of,
        commit_id=names.commit_id(of.job, CLEAN, position),
        committed_at=NOW + timedelta(seconds=position),
        inputs=(raw(position * 10, position * 10 + 9),),
        outputs=(clean(), table()),
        records_in=20,
        records_out=17,
        dead_letters={"ill_typed": 2},
        duplicates=1,
        repeated=3,
        contract=ContractRef("urn:contract:shop.orders", "1.2.0", "ab" * 32),
        seconds=seconds,
    )


PARENT = ParentRun("headwater.run", names.run_id("headwater.run", 1, "host:40:6"))
