"""Feast, the only file that runs it: definitions into a plan, objects into the registry.

Feast is configured in code, so that nothing is read from or written to the working directory; its own OpenLineage emitter
stays off (`lineage/` is the one emitter). Importing this module loads Feast, which takes seconds: readers of online values
use `features.online` instead.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import os
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

from contracts.errors import DefinitionInvalid, NotFound
from features.declarations import TrainingSet
from features.manifest import Manifest, manifest_bytes
from features.plan import LAYERS, Feature, Layer, Plan, Service, View, Window, check
from features.workspace import Workspace
from lineage.connectors.object_store import endpoint
from lineage.places import joined, remote


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the one warning that Feast gives for every stream feature view, and no other."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Stream feature views are experimental", category=RuntimeWarning)
        yield


with quiet():
    from feast import Entity, FeatureService, FeatureStore, KafkaSource, RepoConfig
    from feast.stream_feature_view import StreamFeatureView
    from feast.types import Array

    from features.sources import CURRENT_TAG, DATASET_TAG, EMBEDS_TAG, LAYER_TAG, VIEW_TAG


@dataclass(frozen=True)
class Definitions:
    """What the definition files hold: Feast's objects by kind, and the plan read out of them."""

    entities: Mapping[str, Any]
    views: Mapping[str, Any]
    services: Mapping[str, Any]
    plan: Plan

    @property
    def objects(self) -> list[Any]:
        """Everything that goes to the registry."""
        return [*self.entities.values(), *self.views.values(), *self.services.values()]


def load_definitions(folders: Sequence[Path], project: str) -> Definitions:
    """Import every definition file and return what they define.

    Raises DefinitionInvalid, naming the file, for one that does not import, for a name that is taken twice, or for what
    cannot be honoured.
    """
    found: dict[type, dict[str, Any]] = {Entity: {}, StreamFeatureView: {}, FeatureService: {}, TrainingSet: {}}
    for file in _files(folders):
        for thing in _declared(_imported(file)):
            _keep(found, thing, file)
    entities, views, services = found[Entity], found[StreamFeatureView], found[FeatureService]
    plan = Plan(
        project,
        MappingProxyType({name: _view(view, entities) for name, view in views.items()}),
        MappingProxyType({name: _service(service) for name, service in services.items()}),
        MappingProxyType(found[TrainingSet]),
    )
    check(plan)
    return Definitions(MappingProxyType(entities), MappingProxyType(views), MappingProxyType(services), plan)


def feature_store(workspace: Workspace) -> Any:
    """Return Feast's own store object, configured for the workspace: what a user's Feast client would hold."""
    workspace.feature_store.mkdir(parents=True, exist_ok=True)
    # Feast joins relative paths to a local folder alone; of tables in a bucket, sources have the whole address (`_located`).
    root = workspace.feature_store if remote(workspace.tables) else Path(workspace.tables)
    root.mkdir(parents=True, exist_ok=True)
    online: dict[str, Any] = {"type": "sqlite", "path": str(workspace.online_file)}
    if workspace.online_store == "redis":
        online = workspace.redis.feast()
    config = RepoConfig(
        project=workspace.project,
        provider="local",
        registry=str(workspace.registry_file),
        online_store=online,
        offline_store={"type": "dask"},
        entity_key_serialization_version=3,
        repo_path=root,
    )
    return FeatureStore(repo_path=str(root), config=config)


def apply(workspace: Workspace, definitions: Definitions) -> Manifest:
    """Make the registry hold exactly these definitions, and write the manifest beside it; return the manifest.

    May be called again: equal definitions leave the registry as it was. What is no longer defined is removed, its online
    values with it.
    """
    with quiet():
        store = feature_store(workspace)
        _located(definitions, workspace.tables)
        gone = _gone(store, definitions)
        store.apply(definitions.objects, objects_to_delete=gone, partial=not gone)
    manifest = Manifest(definitions.plan, hashlib.sha256(workspace.registry_file.read_bytes()).hexdigest())
    _replace(workspace.manifest_file, manifest_bytes(manifest))
    return manifest


def _files(folders: Sequence[Path]) -> list[Path]:
    for folder in folders:
        if not folder.is_dir():
            raise NotFound(
                f"no folder {folder}", expected="a folder with definition files", remedy="mend `definitions` in the settings"
            )
    return [file for folder in folders for file in sorted(folder.glob("*.py")) if not file.name.startswith("_")]


def _imported(file: Path) -> ModuleType:
    """Import a definition file under a name of its own, so that it cannot stand in for a library called the same."""
    name = f"headwater_definitions_{hashlib.sha256(str(file).encode()).hexdigest()[:12]}_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise DefinitionInvalid("not a Python file", where=str(file))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with quiet():
            spec.loader.exec_module(module)
    except Exception as error:
        sys.modules.pop(name, None)
        raise DefinitionInvalid(
            f"{type(error).__name__}: {error}", expected="a file that declares Feast objects", where=str(file)
        ) from error
    return module


def _declared(module: ModuleType) -> Iterable[Any]:
    kinds = (Entity, StreamFeatureView, FeatureService, TrainingSet)
    for thing in {id(thing): thing for thing in vars(module).values() if isinstance(thing, kinds)}.values():
        if isinstance(thing, StreamFeatureView) and thing.udf:
            _travel(thing)
        yield thing


def _travel(view: Any) -> None:
    """Make the view's function be stored by value, as Feast's own decorator does: readers of the registry lack our file."""
    view.udf_string = view.udf_string or inspect.getsource(view.udf)
    view.udf.__module__ = "__main__"


def _keep(found: Mapping[type, dict[str, Any]], thing: Any, file: Path) -> None:
    kept = found[type(thing)]
    if thing.name in kept and kept[thing.name] is not thing and kept[thing.name] != thing:
        raise DefinitionInvalid(
            f"{type(thing).__name__} {thing.name!r} is defined twice", expected="one definition for each name", where=str(file)
        )
    kept[thing.name] = thing


def _view(view: Any, entities: Mapping[str, Any]) -> View:
    where = f"view {view.name}"
    source = view.stream_source
    if not isinstance(source, KafkaSource) or DATASET_TAG not in source.tags:
        raise DefinitionInvalid("its source names no dataset", expected="source=silver(...) of features.sources", where=where)
    if source.tags[VIEW_TAG] != view.name:
        raise DefinitionInvalid(f"its source is for {source.tags[VIEW_TAG]}", expected=f"view={view.name!r}", where=where)
    return View(
        name=view.name,
        dataset=source.tags[DATASET_TAG],
        event_time=source.timestamp_field,
        entities=tuple(_entity(view, entities[name]) for name in view.entities),
        features=tuple(_feature(field) for field in view.features),
        ttl_seconds=int(view.ttl.total_seconds()) if view.ttl else 0,
        windows=tuple(_window(aggregation, where) for aggregation in view.aggregations),
        current_by=tuple(name for name in source.tags[CURRENT_TAG].split(",") if name),
        transform_text=view.udf_string if view.udf else "",
        transform=view.udf,
        description=view.description,
        layer=_layer(source.tags.get(LAYER_TAG, "silver"), where),
    )


def _layer(said: str, where: str) -> Layer:
    """Return the table that a source names; one without a name is of before there were two."""
    for layer in LAYERS:
        if said == layer:
            return layer
    raise DefinitionInvalid(f"its source is over {said!r}", expected=" or ".join(LAYERS), where=where)


def _entity(view: Any, entity: Any) -> Feature:
    for column in view.entity_columns:
        if column.name == entity.join_key:
            return Feature(column.name, str(column.dtype), entity.description)
    raise DefinitionInvalid(
        f"the schema lacks {entity.join_key}", expected="a Field for each entity's join key", where=f"view {view.name}"
    )


def _feature(field: Any) -> Feature:
    dtype = f"Array({field.dtype.base_type})" if isinstance(field.dtype, Array) else str(field.dtype)
    return Feature(field.name, dtype, field.description, field.tags.get(EMBEDS_TAG, ""), field.vector_length)


def _window(aggregation: Any, where: str) -> Window:
    if aggregation.time_window is None:
        raise DefinitionInvalid(f"the {aggregation.function} of {aggregation.column} has no time_window", where=where)
    return Window(
        feature=aggregation.resolved_name(aggregation.time_window),
        function=aggregation.function,
        column=aggregation.column,
        window_us=aggregation.time_window // timedelta(microseconds=1),
        slide_us=aggregation.slide_interval // timedelta(microseconds=1),
    )


def _service(service: Any) -> Service:
    pairs = [
        (projection.name, feature.name) for projection in service.feature_view_projections for feature in projection.features
    ]
    return Service(service.name, tuple(pairs), service.description)


def _gone(store: Any, definitions: Definitions) -> list[Any]:
    """Return what the registry holds and the definitions do not: services first, since they hold on to views."""
    services = [service for service in store.list_feature_services() if service.name not in definitions.services]
    views = [view for view in store.list_stream_feature_views() if view.name not in definitions.views]
    entities = [e for e in store.list_entities() if e.name not in definitions.entities and not e.name.startswith("__")]
    return [*services, *views, *entities]


def _located(definitions: Definitions, tables: str) -> None:
    """Give the batch sources of tables in a bucket their whole address, and the store's endpoint."""
    for view in definitions.views.values() if remote(tables) else ():
        options = view.batch_source.file_options
        if "://" not in options.uri:
            options.uri = joined(tables, options.uri)
            options.s3_endpoint_override = endpoint()


def _replace(file: Path, content: bytes) -> None:
    """Put the content in the file's place in one step, so that a reader sees the old or the new and nothing between."""
    draft = file.with_suffix(f".{os.getpid()}.draft")
    with draft.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    draft.replace(file)
