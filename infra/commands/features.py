"""`headwater features`: apply the definitions, compute gold, fill the online store, read values, find passages."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import click

from infra.output import json_option, result
from infra.settings import Settings

if TYPE_CHECKING:
    from contracts.contract import Contract, PassagePlan
    from features.engines.fold import Folds
    from features.engines.verify_online import Verified
    from features.explain import Explanation
    from features.online import Served
    from features.plan import Plan
    from features.search import Hit
    from features.workspace import Workspace

GROUP_EXAMPLE = """\b
Examples:
  headwater features apply
  headwater features build && headwater features materialize
  headwater features get flight_delay tailnum=N14228 carrier=UA origin=EWR route=EWR-IAH
  headwater features search "which package parses dates?"
"""
MATERIALIZE_EXAMPLE = """\b
Examples:
  headwater features materialize
  headwater features materialize --until 2013-02-01
  headwater features materialize origin_weather --verify --dry-run
"""
GET_EXAMPLE = """\b
Examples:
  headwater features get flight_delay tailnum=N14228 carrier=UA origin=EWR route=EWR-IAH
  headwater features get flight_delay tailnum=N14228 carrier=UA origin=EWR route=EWR-IAH --explain --json
"""
EXCERPT_CHARACTERS = 160
RANGES_SHOWN = 8
"""An explanation shows so many stretches of offsets a partition; JSON has all."""


def workspace(settings: Settings) -> Workspace:
    """Return what the features room is given, from the settings."""
    from features.workspace import Workspace
    from infra.process_table import alive, instance
    from infra.wiring import catalog, code_version, emitter, key_store, now, redis_access

    @cache
    def in_force() -> Mapping[str, Contract]:
        return catalog(settings).contracts

    def passages(dataset: str) -> PassagePlan | None:
        contract = in_force().get(dataset)
        return None if contract is None else contract.passages

    return Workspace(
        tables=settings.tables,
        feature_store=settings.feature_store,
        training_sets=settings.training_sets,
        project=settings.project,
        definitions=settings.definitions,
        emitter=emitter(settings),
        now=now,
        code_version=code_version(),
        instance=instance(),
        alive=alive,
        secret=lambda name: key_store(settings).secret(name),
        online_store=settings.online,
        redis=redis_access(settings),
        passages=passages,
    )


def applied_plan(settings: Settings) -> Plan:
    """Return what was applied last, without Feast; a note on stderr where the registry has changed since."""
    from features.connectors.manifest_file import applied_manifest, registry_changed

    place = workspace(settings)
    manifest = applied_manifest(place)
    if registry_changed(place, manifest):
        click.echo("note: another Feast client has changed the registry since; headwater features apply brings it back", err=True)
    return manifest.plan


@click.group(epilog=GROUP_EXAMPLE)
def features() -> None:
    """Define, compute, fill and read features."""


@features.command(epilog="\b\nExample:\n  headwater features apply --json\n")
@json_option
@click.pass_obj
def apply(settings: Settings, json_wanted: bool) -> None:
    """Make Feast's registry hold what the definition files say."""
    from features.engines.apply import apply_definitions

    plan = apply_definitions(workspace(settings))
    data = {"project": plan.project, "views": sorted(plan.views), "services": sorted(plan.services)}
    data["training_sets"] = sorted(plan.training_sets)
    lines = [f"{kind.replace('_', ' ')}: {', '.join(data[kind])}" for kind in ("views", "services", "training_sets")]
    result(data, json_wanted, "\n".join(lines))


@features.command(epilog="\b\nExamples:\n  headwater features build\n  headwater features build origin_weather --json\n")
@click.argument("views", nargs=-1)
@json_option
@click.pass_obj
def build(settings: Settings, views: tuple[str, ...], json_wanted: bool) -> None:
    """Compute the gold tables of VIEWS (all by default) from silver, duplicates folded where a contract says so."""
    from features.engines.aggregate import build_gold
    from features.engines.apply import defined_plan

    place = workspace(settings)
    plan = defined_plan(place)
    folds = folded(settings, place, {plan.view(name).dataset for name in views or plan.views})
    built = build_gold(place, plan, views)
    text = [fold_line(fold) for fold in folds]
    text += [
        f"{b.view}: {b.rows:,} rows from {b.rows_in:,} of silver version {b.silver_version}, "
        + ("up to date" if b.up_to_date else f"in {b.seconds:.1f} s")
        for b in built
    ]
    data = {"folds": [asdict(fold) for fold in folds], "views": [asdict(b) for b in built]}
    result(data, json_wanted, "\n".join(text))


@features.command(epilog=MATERIALIZE_EXAMPLE)
@click.argument("views", nargs=-1)
@click.option("--until", type=click.DateTime(), default=None, help="Take each entity's newest row at or before this time, UTC.")
@click.option("--verify", is_flag=True, help="Compare what the store holds with gold, entity by entity, and repair it.")
@click.option("--dry-run", is_flag=True, help="With --verify: compare and tell, write nothing; exits 1 on a difference.")
@json_option
@click.pass_obj
def materialize(
    settings: Settings, views: tuple[str, ...], until: datetime | None, verify: bool, dry_run: bool, json_wanted: bool
) -> None:
    """Bring the online store up to the gold tables of VIEWS (all by default)."""
    from features.engines.materialize import materialize as fill

    if (dry_run and not verify) or (verify and until):
        raise click.UsageError("--dry-run is for --verify, and --verify takes the time from what was materialized last")
    if verify:
        _verify(settings, views, dry_run, json_wanted)
        return
    done = fill(workspace(settings), applied_plan(settings), views, _utc(until))
    text = [
        f"{m.view}: {m.entities:,} entities of gold version {m.gold_version}"
        + (f", {m.removed:,} removed" if m.removed else "")
        + (", up to date" if m.up_to_date else f", in {m.seconds:.1f} s")
        for m in done
    ]
    result({"views": [asdict(m) for m in done]}, json_wanted, "\n".join(text))


def _verify(settings: Settings, views: tuple[str, ...], dry_run: bool, json_wanted: bool) -> None:
    from features.engines.verify_online import verify_online

    told = verify_online(workspace(settings), applied_plan(settings), views, repair=not dry_run)
    result({"views": [verified_json(v) for v in told]}, json_wanted, lambda: "\n".join(map(verified_line, told)))
    if not all(v.sound for v in told):
        raise SystemExit(1)


def verified_json(verified: Verified) -> dict[str, Any]:
    """Return a comparison as JSON values, with its verdict."""
    examples = [{"difference": kind, "key_hash": digest} for kind, digest in verified.examples]
    return asdict(verified) | {"examples": examples, "differences": verified.differences, "sound": verified.sound}


def verified_line(verified: Verified) -> str:
    """Say how a view's online values stand to gold, and what was done."""
    v = verified
    counts = [f"{count:,} {kind}" for kind, count in (("missing", v.missing), ("stale", v.stale), ("extra", v.extra)) if count]
    line = f"{v.view}: {v.entities:,} entities of gold version {v.gold_version}, " + (
        ", ".join(counts) or "all as they should be"
    )
    if v.examples:
        line += " (" + ", ".join(f"{kind} {digest}" for kind, digest in v.examples) + ")"
    if v.unfinished:
        line += "; a materialization has begun since and not ended"
    if v.repaired_to is not None:
        line += f"; written again from gold version {v.repaired_to}" + (
            f", and {v.left:,} still differ" if v.left else ": repaired"
        )
    return line


@features.command(epilog=GET_EXAMPLE)
@click.argument("service")
@click.argument("entities", nargs=-1, metavar="KEY=VALUE...")
@click.option("--explain", "explained", is_flag=True, help="Walk back to the raw offsets that the values were made from.")
@json_option
@click.pass_obj
def get(settings: Settings, service: str, entities: tuple[str, ...], explained: bool, json_wanted: bool) -> None:
    """Read SERVICE's features of one entity from the online store.

    Each value comes with its event time and the version of the gold table it is from. Exits 1 if nothing is known of any
    of the entities.
    """
    from features.connectors.online_store import online_store
    from features.online import served_vector

    place, plan, asked = workspace(settings), applied_plan(settings), _pairs(entities)
    served = served_vector(plan, online_store(place), service, asked, place.now())
    why = explanations(place, plan, served, asked) if explained else []
    data: dict[str, Any] = {"service": service, "entities": asked, "features": [served_json(plan, place, s) for s in served]}
    if explained:
        data["explained"] = [explanation.as_json() for explanation in why]
    result(data, json_wanted, lambda: "\n".join([*served_lines(plan, served), *explained_lines(why)]))
    if all(s.status == "missing" for s in served):
        raise SystemExit(1)


@features.command(epilog="\b\nExample:\n  headwater features client > feature_store.yaml\n")
@json_option
@click.pass_obj
def client(settings: Settings, json_wanted: bool) -> None:
    """Print the feature_store.yaml of a Feast client that reads what is written here.

    It holds no password: Feast fills in HEADWATER_REDIS_PASSWORD from the environment of the client.
    """
    from features.feast_client import client_yaml

    text = client_yaml(workspace(settings))
    result({"feature_store.yaml": text}, json_wanted, text.rstrip("\n"))


@features.command(epilog='\b\nExample:\n  headwater features search "which package parses dates?" --top 3\n')
@click.argument("query")
@click.option("--view", default="package_passages", show_default=True, help="A feature view with a vector.")
@click.option("--top", type=click.IntRange(min=1), default=5, show_default=True, help="So many passages.")
@json_option
@click.pass_obj
def search(settings: Settings, query: str, view: str, top: int, json_wanted: bool) -> None:
    """Find the passages whose meaning is nearest to QUERY. Exits 1 if there is none."""
    hits = found(settings, query, view, top)
    result({"query": query, "hits": [asdict(hit) for hit in hits]}, json_wanted, lambda: "\n".join(map(_hit_line, hits)))
    if not hits:
        raise SystemExit(1)


def found(settings: Settings, query: str, view: str = "package_passages", top: int = 5) -> list[Hit]:
    """Return the passages nearest to the query, best first."""
    from features.connectors.embedding import embed
    from features.connectors.online_store import online_store
    from features.search import nearest

    plan = applied_plan(settings)
    return nearest(online_store(workspace(settings)), plan.view(view), embed([query])[0], top)


def folded(settings: Settings, place: Workspace, datasets: Collection[str]) -> list[Folds]:
    """Fold the duplicates of the datasets whose contracts ask for it, and return what was done: before gold is built."""
    from features.engines.fold import fold_duplicates
    from infra.wiring import catalog

    return fold_duplicates(place, (contract for contract in catalog(settings) if contract.dataset in datasets))


def fold_line(fold: Folds) -> str:
    """Say in a line how many rows of a dataset another stands for."""
    done = "up to date" if fold.up_to_date else f"{fold.sketched:,} new, {fold.settled:,} compared, in {fold.seconds:.1f} s"
    return f"{fold.dataset}: of {fold.rows_in:,} rows {fold.exact:,} exact and {fold.near:,} near duplicates folded, {done}"


def explanations(place: Workspace, plan: Plan, served: Sequence[Served], entities: Mapping[str, str]) -> list[Explanation]:
    """Return where the values came from, one explanation for each view that has any."""
    from features.engines.explain import explain_value
    from features.feast_layout import parsed_key

    first = {s.view: s for s in reversed(served) if s.event_time is not None and s.gold_version is not None}
    explained = []
    for view in [plan.view(name) for name in dict.fromkeys(s.view for s in served) if name in first]:
        one = first[view.name]
        if one.event_time is None or one.gold_version is None:
            continue
        keys = {entity.name: parsed_key(entities[entity.name], entity.dtype) for entity in view.entities}
        explained.append(explain_value(place, view, keys, one.event_time, one.gold_version))
    return explained


def served_json(plan: Plan, place: Workspace, served: Served) -> dict[str, Any]:
    """Return one value as JSON values, with the tables it came from."""
    values = asdict(served)
    values["event_time"] = served.event_time.isoformat() if served.event_time is not None else None
    return values | {"gold": f"{place.tables}/gold/{served.view}", "silver": plan.view(served.view).dataset}


def served_lines(plan: Plan, served: Sequence[Served]) -> Iterator[str]:
    """Yield the values as a person reads them, by view."""
    width = max(len(s.feature) for s in served)
    for view in dict.fromkeys(s.view for s in served):
        values = [s for s in served if s.view == view]
        one = values[0]
        if one.event_time is None:
            yield f"{view}: nothing is known of this entity"
            continue
        age = ", older than its time to live" if any(s.status == "expired" for s in values) else ""
        source = f"gold version {one.gold_version}, from {plan.view(view).dataset}"
        yield f"{view}: as of {one.event_time:%Y-%m-%d %H:%M} UTC{age}; {source}"
        for s in values:
            yield f"  {s.feature:<{width}}  {_shown(s.value)}"


def explained_lines(explanations: Sequence[Explanation]) -> Iterator[str]:
    """Yield the explanations as a person reads them: rows, and the raw offsets they were born with."""
    for e in explanations:
        agree = "" if e.found == e.rows else f", where gold says {e.rows:,}"
        rows = "row" if e.found == 1 else "rows"
        yield f"{e.view}: {e.found:,} {rows} of {e.silver}, silver version {e.silver_version}{agree}"
        for topic, partition in dict.fromkeys((r.topic, r.partition) for r in e.offsets):
            ranges = [r for r in e.offsets if (r.topic, r.partition) == (topic, partition)]
            shown = ", ".join(_range(r.first_offset, r.last_offset) for r in ranges[:RANGES_SHOWN])
            more = len(ranges) - RANGES_SHOWN
            rest = f", and {more} more stretches, to {ranges[-1].last_offset} (--json has all)" if more > 0 else ""
            yield f"  {topic} partition {partition}: {shown}{rest}"


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"{len(value)} numbers"
    return f"{value:.4g}" if isinstance(value, float) else "none" if value is None else str(value)


def _hit_line(hit: Hit) -> str:
    values = hit.values
    text = " ".join(str(values.get("text", "")).split())
    excerpt = text if len(text) <= EXCERPT_CHARACTERS else text[:EXCERPT_CHARACTERS].rsplit(" ", 1)[0] + " ..."
    return f"{hit.score:.3f}  {values.get('package', '')}: {values.get('title', '')}\n       {excerpt}"


def _pairs(entities: Sequence[str]) -> dict[str, str]:
    odd = [entity for entity in entities if "=" not in entity]
    if odd:
        raise click.BadParameter(f"{odd[0]!r} is not KEY=VALUE", param_hint="KEY=VALUE")
    return dict(entity.split("=", 1) for entity in entities)


def _utc(moment: datetime | None) -> datetime | None:
    from datetime import UTC

    return None if moment is None else moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
