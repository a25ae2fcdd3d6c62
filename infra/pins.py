"""Which versions of a table must stay readable: those that a training set, a served value or a job still rests on.

| who | pins | because |
| --- | --- | --- |
| a training set's manifest | the silver and gold versions that it was made from | it is to be reproduced |
| gold: its newest commit, each pinned version | the silver (or current) version it was computed from | `explain` reads its rows |
| the last materialization of a view | its gold version | served values name it |
| the current table of a change stream | each silver version since the one it stands for | it reads what came since, by commits |
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from infra.settings import Settings


@dataclass(frozen=True)
class Pin:
    """A version that must stay, and who needs it."""

    table_version: int
    why: str


def pins(settings: Settings, name: str) -> list[Pin]:
    """Return the pins on one of this installation's tables, given as `silver/shop/orders`, oldest version first."""
    layer, _, rest = name.partition("/")
    told = list(_of_training_sets(settings, layer, rest.replace("/", ".")))
    if layer == "gold":
        told += _of_materializations(settings, name)
    if layer in ("silver", "current"):
        told += _of_gold(settings, rest.replace("/", "."))
    if layer == "silver":
        told += _of_current(settings, rest)
    return sorted(set(told), key=lambda pin: (pin.table_version, pin.why))


def _of_training_sets(settings: Settings, layer: str, called: str) -> Iterator[Pin]:
    from features.connectors.training_set_store import read_manifest, set_names  # noqa: PLC0415

    for name in set_names(settings.training_sets):
        manifest = read_manifest(settings.training_sets, name)
        version = (manifest or {}).get("table_versions", {}).get(f"{layer} {called}")
        if version is not None:
            yield Pin(int(version), f"training set {name}")


def _of_materializations(settings: Settings, name: str) -> Iterator[Pin]:
    from infra.wiring import emitter  # noqa: PLC0415
    from lineage.names import table_name  # noqa: PLC0415
    from streams.connectors import delta  # noqa: PLC0415

    view = name.partition("/")[2]
    read = table_name(delta.table_uri(settings.tables, name))
    for commit in list(emitter(settings).commits(f"{view}.materialize"))[-1:]:
        for namespace, called, version in commit.inputs:
            if (namespace, called) == read and version is not None:
                yield Pin(version, f"values served of {view}")


def _of_gold(settings: Settings, dataset: str) -> Iterator[Pin]:
    from streams.connectors import delta  # noqa: PLC0415
    from streams.connectors.table_places import table_names  # noqa: PLC0415

    for name in table_names(settings.tables, "gold"):
        made = [past for past in delta.history(delta.table_uri(settings.tables, name)) if "silver_version" in past.metadata]
        wanted = [pin.table_version for pin in pins(settings, name)]
        kept = {past.table_version: past for past in made[-1:]}
        for version in wanted:
            kept |= {past.table_version: past for past in [past for past in made if past.table_version <= version][-1:]}
        for past in kept.values():
            if past.metadata.get("silver") == dataset:
                yield Pin(int(past.metadata["silver_version"]), f"{name} version {past.table_version}")


def _of_current(settings: Settings, rest: str) -> Iterator[Pin]:
    from streams.connectors import delta  # noqa: PLC0415

    uri = delta.table_uri(settings.tables, "current", *rest.split("/"))
    if not delta.exists(uri):
        return
    merged = delta.transaction_version(uri, f"headwater:{rest.replace('/', '.')}.silver")
    if merged is not None:
        newest = delta.current_version(delta.table_uri(settings.tables, "silver", *rest.split("/")))
        yield from (Pin(version, "the current table has not read what came since") for version in range(merged, newest + 1))
