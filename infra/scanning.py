"""What a scan looks at: the places that a target names, or all that this installation keeps beyond its raw topics."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from contracts.errors import HeadwaterError, NotFound
from infra.settings import Settings
from infra.wiring import catalog, reach_stores
from lineage.places import joined
from streams.scan import Entities, Piece, Scan

if TYPE_CHECKING:
    from contracts.contract import Contract
    from streams.connectors.scanned_files import Folder, Place

TOPIC = re.compile(r"[A-Za-z0-9._-]+\.v[0-9]+")
LAYERS = ("silver", "quarantine", "bronze", "gold", "current")
BROKER_WHY = "the broker's own files hold the raw topics; the topics beyond them are looked at through the broker"
ASSETS_WHY = "fonts and pictures that Great Expectations puts into every Data Docs: its makers' own, none of a record's"

Say = Callable[[str], None]


def scanned(settings: Settings, targets: Sequence[str], entities: Entities, say: Say = lambda _text: None) -> Scan:
    """Look at the targets, all of the installation without any. Raises NotFound for one that names nothing.

    A target is a path, an `s3://` address, a table (`silver/docs/pages`), a topic, a dataset, `redis` or `home`.
    """
    scan = Scan(entities)
    reach_stores(settings)
    for target in targets or ("home", *_topics(settings), *(("redis",) if settings.online == "redis" else ())):
        say(f"looking at {target}")
        _look(scan, settings, target)
    return scan


def _look(scan: Scan, settings: Settings, target: str) -> None:
    if target == "home":
        scan.left_out[str(settings.broker_home)] = BROKER_WHY
        assets = str(settings.expectations / "docs" / "static")
        scan.left_out[assets] = ASSETS_WHY
        _look_at_folder(scan, str(settings.home), (str(settings.broker_home), assets))
        for place in (settings.tables, settings.ledger, settings.training_sets):
            if not Path(place).is_relative_to(settings.home) and _there(place):
                _look_at_folder(scan, place)
    elif target == "redis":
        scan.look(_redis(settings))
    elif "://" in target or Path(target).exists():
        _look_at_folder(scan, target)
    elif target.split("/", maxsplit=1)[0] in LAYERS and _there(joined(settings.tables, target)):
        _look_at_folder(scan, joined(settings.tables, target))
    elif contracts := [c for c in catalog(settings) if target in (c.dataset, c.domain)]:
        for contract in contracts:
            _look_at_dataset(scan, settings, contract)
    elif TOPIC.fullmatch(target):
        _look_at_topic(scan, settings, target)
    else:
        raise _unknown(settings, target)


def _topics(settings: Settings) -> list[str]:
    return [topic for contract in catalog(settings) for topic in (contract.clean_topic, contract.dead_letter_topic)]


def _unknown(settings: Settings, target: str) -> NotFound:
    near = get_close_matches(target, [*catalog(settings).contracts, *_topics(settings)], n=3, cutoff=0.4)
    return NotFound(
        f"nothing is called {target!r}",
        expected=f"a path, s3://bucket/prefix, a table (silver/docs/pages), a topic or a dataset{_like(near)}",
        remedy="headwater scan --help",
    )


def _like(near: Sequence[str]) -> str:
    return f"; near to it: {', '.join(near)}" if near else ""


def _look_at_dataset(scan: Scan, settings: Settings, contract: Contract) -> None:
    """Look at a dataset's tables and at its topics beyond the raw one."""
    for layer in LAYERS:
        place = joined(settings.tables, layer, contract.domain, contract.name)
        if _there(place):
            _look_at_folder(scan, place)
    for topic in (contract.clean_topic, contract.dead_letter_topic):
        _look_at_topic(scan, settings, topic)


def _look_at_topic(scan: Scan, settings: Settings, topic: str) -> None:
    from streams.connectors.kafka import topics  # noqa: PLC0415
    from streams.engines.scanned_topics import pieces  # noqa: PLC0415

    try:
        if topic in _topics(settings) and topic not in topics(settings.client(), seconds=5.0):
            scan.left_out[topic] = "the broker has no such topic: nothing was sent to it yet"
            return
        scan.look(pieces(settings.client(), topic))
    except NotFound:
        raise
    except HeadwaterError as error:
        scan.unread[topic] = error.came


def _there(place: str) -> bool:
    from streams.connectors.scanned_files import is_folder  # noqa: PLC0415

    return is_folder(place)


def _look_at_folder(scan: Scan, target: str, leave_out: Sequence[str] = ()) -> None:
    from streams.connectors.scanned_files import folder_at  # noqa: PLC0415

    folder = folder_at(target, leave_out)
    for place in folder.places:
        _look_at_file(scan, folder, place)


def _look_at_file(scan: Scan, folder: Folder, place: Place) -> None:
    """Look at one file; what cannot be read is noted, and the rest still looked at."""
    from streams.connectors.scanned_files import UNREADABLE, pieces  # noqa: PLC0415

    if not place.size:
        return
    try:
        scan.look(pieces(folder.system, place))
    except FileNotFoundError:
        scan.left_out[place.name] = "it was removed meanwhile"
    except UNREADABLE as error:
        scan.unread[place.name] = type(error).__name__


def _redis(settings: Settings) -> Iterator[Piece]:
    from features.connectors.online_redis import stored_octets  # noqa: PLC0415
    from infra.wiring import redis_access  # noqa: PLC0415
    from streams.connectors.scanned_files import readable  # noqa: PLC0415

    for count, (_, octets) in enumerate(stored_octets(redis_access(settings)), start=1):
        texts = [readable(each) for each in octets]
        yield Piece("redis", "", pl.Series("text", texts, pl.String), partial(_key, count))


def _key(count: int, _row: int, _start: int) -> str:
    return f"key {count:,} as they come"
