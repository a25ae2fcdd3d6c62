"""The hop from definition files to Feast's registry: apply, write the manifest, tell lineage of views and services."""

from __future__ import annotations

import hashlib
import json

from features.datasets import service_dataset, view_dataset
from features.plan import Plan, Service, to_json
from features.workspace import Workspace
from lineage.facts import HopFacts
from lineage.names import commit_id


def apply_definitions(workspace: Workspace) -> Plan:
    """Read the definition files, make the registry hold them, and return the plan, transformations included.

    May be called again. Raises DefinitionInvalid, naming the file or the view, before anything is written.
    """
    from features.connectors.feast_registry import apply, load_definitions  # noqa: PLC0415  Feast takes seconds to load

    definitions = load_definitions(workspace.definitions, workspace.project)
    apply(workspace, definitions)
    for service in definitions.plan.services.values():
        _tell(workspace, definitions.plan, service)
    return definitions.plan


def defined_plan(workspace: Workspace) -> Plan:
    """Return the plan of the definition files without applying it: what `build` computes from."""
    from features.connectors.feast_registry import load_definitions  # noqa: PLC0415

    return load_definitions(workspace.definitions, workspace.project).plan


def _tell(workspace: Workspace, plan: Plan, service: Service) -> None:
    """Tell lineage of the service once for each definition of it: the same definition gives the same commit id."""
    views = [plan.view(name) for name in service.views]
    parts = to_json(Plan(plan.project, {view.name: view for view in views}, {service.name: service}, {}))
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    job = f"{service.name}.apply"
    identity = commit_id(job, service.name, digest)
    if any(known.commit_id == identity for known in workspace.emitter.commits(job)):
        return
    workspace.close_abandoned(job)
    run = workspace.run(job, "apply", engine="feast")
    inputs = tuple(view_dataset(workspace.project, view) for view in views)
    workspace.emitter.start(run, inputs, instance=workspace.instance)
    now = workspace.now()
    facts = HopFacts(
        run=run,
        commit_id=identity,
        committed_at=now,
        inputs=inputs,
        outputs=(service_dataset(plan, service),),
        records_in=len(inputs),
        records_out=len(service.features),
        seconds=(now - run.started_at).total_seconds(),
    )
    workspace.emitter.commit(facts)
    workspace.emitter.finish(run, now)
