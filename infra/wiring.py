"""Fill in what the rooms below are given: settings become a stream setup, an emitter, a catalog, a way to stop."""

from __future__ import annotations

import hashlib
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.contract import Catalog, Contract
from contracts.errors import NotFound
from infra.process_table import alive, instance
from infra.settings import PROJECT_FOLDER, Settings

if TYPE_CHECKING:
    from contracts.keys import KeyStore
    from features.redis_access import RedisAccess
    from lineage.emit import Emitter
    from lineage.ledger import Ledger
    from streams.setup import Setup, Step

ROOMS = ("contracts", "lineage", "streams", "features", "infra")


def now() -> datetime:
    """Return the time, in UTC, to the microsecond."""
    return datetime.now(UTC)


@cache
def code_version() -> str:
    """Return the distribution's version and a hash of the code that runs: `0.1.0+3f2a9c...` (12 hex digits)."""
    digest = hashlib.sha256()
    for room in ROOMS:
        for file in sorted((PROJECT_FOLDER / room).rglob("*.py")):
            digest.update(str(file.relative_to(PROJECT_FOLDER)).encode() + b"\0" + file.read_bytes())
    try:
        released = version("headwater")
    except PackageNotFoundError:
        released = "0"
    return f"{released}+{digest.hexdigest()[:12]}"


def catalog(settings: Settings) -> Catalog:
    """Return all contracts in force."""
    from contracts.connectors.files import load_catalog  # noqa: PLC0415

    return load_catalog(settings.contracts)


def chosen(settings: Settings, datasets: Sequence[str]) -> tuple[Contract, ...]:
    """Return the contracts of the named datasets, of the named domains, or all. Raises NotFound with near names."""
    known = catalog(settings)
    if not datasets:
        return tuple(known)
    found: dict[str, Contract] = {}
    for name in datasets:
        matching = [c for c in known if name in (c.dataset, c.stem, c.domain, c.raw_topic)]
        if not matching:
            near = get_close_matches(name, [*known.contracts, *{c.domain for c in known}], n=3, cutoff=0.4)
            raise NotFound(
                f"no dataset or domain {name!r}",
                expected=f"one of {', '.join(near or sorted(known.contracts))}",
                where=os.pathsep.join(map(str, settings.contracts)),
                remedy="add a contract file, or mend the name",
            )
        found |= {contract.dataset: contract for contract in matching}
    return tuple(found[dataset] for dataset in sorted(found))


def one(settings: Settings, dataset: str) -> Contract:
    """Return the contract of one dataset. Raises NotFound with near names, for a domain of several as well."""
    found = chosen(settings, [dataset])
    if len(found) > 1:
        names = ", ".join(contract.dataset for contract in found)
        raise NotFound(f"{dataset!r} is a domain of {len(found)} datasets", expected=f"one of {names}")
    return found[0]


def reach_stores(settings: Settings) -> None:
    """Say how this process reaches object stores. To be called before anything remote is opened; may be called again."""
    from lineage.connectors.object_store import reach  # noqa: PLC0415

    reach(settings.access)


def ledger(settings: Settings) -> Ledger:
    """Return the ledger of this installation: a file, or objects in a bucket."""
    from lineage.connectors.ledger_file import FileLedger  # noqa: PLC0415
    from lineage.connectors.ledger_objects import ObjectLedger  # noqa: PLC0415
    from lineage.places import remote  # noqa: PLC0415

    reach_stores(settings)
    return ObjectLedger(settings.ledger) if remote(settings.ledger) else FileLedger(Path(settings.ledger))


def emitter(settings: Settings) -> Emitter:
    """Return the one emitter, on the ledger of this installation."""
    from lineage.emit import Emitter  # noqa: PLC0415

    return Emitter(ledger(settings), settings.project)


def redis_access(settings: Settings) -> RedisAccess:
    """Return where the online store's Redis is, and how one gets in. Nothing is asked of it yet."""
    from features.redis_access import redis_access as access  # noqa: PLC0415

    return access(
        settings.redis,
        kind=settings.redis_type,
        username=settings.redis_username,
        password=settings.redis_password,
        ca="" if settings.redis_ca == Path() else str(settings.redis_ca),
        wait_seconds=settings.redis_wait_seconds,
    )


def key_store(settings: Settings) -> KeyStore:
    """Return the key store of this installation. Nothing is opened or made before its first use."""
    from contracts.connectors.key_store import MasterKey, SqliteKeyStore, parsed_master_key  # noqa: PLC0415

    given = settings.master_key
    wrapper = MasterKey(parsed_master_key(given, "HEADWATER_MASTER_KEY, or master_key in the settings")) if given else None
    return SqliteKeyStore(settings.key_store, wrapper)


def setup(settings: Settings, contracts: Sequence[Contract], *, engine: str = "direct", step: Step | None = None) -> Setup:
    """Return what a stream engine is given."""
    from streams.connectors.sandbox import ProcessSandbox  # noqa: PLC0415
    from streams.setup import Limits, Setup, no_step  # noqa: PLC0415

    return Setup(
        client=settings.client(),
        tables=settings.tables,
        contracts=tuple(contracts),
        emitter=emitter(settings),
        keys=key_store(settings),
        now=now,
        instance=instance(),
        alive=alive,
        code_version=code_version(),
        engine=engine,
        limits=Limits(
            batch_records=settings.batch_records,
            batch_bytes=settings.batch_bytes,
            record_bytes_max=settings.record_bytes_max,
            commit_records=settings.commit_records,
            commit_bytes=settings.commit_bytes,
            commit_seconds=settings.commit_seconds,
            compact_files=settings.compact_files,
            duplicate_window=settings.duplicate_window,
        ),
        sandbox=ProcessSandbox(),
        step=step or no_step,
    )


@contextmanager
def stop_on_signal() -> Iterator[Callable[[], bool]]:
    """Give a question "shall I stop?" that SIGTERM and Ctrl-C answer with yes; the signals' old handlers come back after."""
    told = threading.Event()
    signals = (signal.SIGTERM, signal.SIGINT)
    old = {number: signal.signal(number, lambda *_: told.set()) for number in signals}
    try:
        yield told.is_set
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
