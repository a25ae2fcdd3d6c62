"""The whole path on the examples, once: `headwater run` as a list of stages, each returning what it did as data.

    broker ─▶ produce ─▶ clean ‖ land ─▶ duplicates ─▶ gold ─▶ online ─▶ training set ─▶ audit ─▶ scan ─▶ ledger
                    └──▶ archive      └▶ contract test

Clean, land, archive and the test of the landed tables are processes of their own, side by side with what follows. Every
stage is what its own command does, and goes on where an earlier run stopped: a second run finds all of it done.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from contracts.contract import Contract
from contracts.errors import HeadwaterError, TerminalError
from infra.jobs import counted
from infra.progress import Report, progress_shown
from infra.settings import Settings
from infra.wiring import chosen, emitter

if TYPE_CHECKING:
    from features.plan import Plan
    from features.workspace import Workspace
    from infra.processes import Child
    from streams.connectors.kafka import Slot

EXAMPLES = ("flights", "docs")
SCANNED = ("docs", "gold/package_passages")
QUESTION = "which package parses dates?"
SERVICE = "flight_delay"
TRAINING_SET = "flight_delay"
WATCH_SECONDS = 0.25
HOPS = ("produce", "archive", "clean", "land", "apply", "fold", "aggregate", "materialize", "training_set")

Say = Callable[[str], None]


@dataclass
class Walk:
    """What `run` is asked to do, and the seconds that each stage took."""

    settings: Settings
    first_day: date | None = None
    last_day: date | None = None
    engine: str = "direct"
    quiet: bool = False
    say: Say = lambda _text: None
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage and say when it ended."""
        began = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began


def walked(walk: Walk) -> dict[str, Any]:
    """Run all stages against a broker that answers; return what `run --json` prints."""
    from features.engines.apply import apply_definitions  # noqa: PLC0415
    from infra.commands.features import workspace  # noqa: PLC0415

    settings = walk.settings
    contracts = chosen(settings, EXAMPLES)
    told = _told(settings)
    _produce(walk)
    with _archiving(walk, contracts) as archived:
        with _streaming(walk, contracts) as wait:
            place = workspace(settings)
            with walk.stage("apply"):
                plan = apply_definitions(place)
            walk.say(f"applied {len(plan.views)} feature views and {len(plan.services)} services to Feast's registry")
            wait()
        learned = _learned(walk, place, plan)
        archived()
    with walk.stage("audit"):
        audit = _audit(settings, contracts)
    walk.say(f"audit: {'every offset has one fate' if audit['ok'] else 'NOT CLEAN'}, {walk.seconds['audit']:.1f} s")
    tables = _tables(walk, contracts, plan)
    return {
        "hops": _hops(walk, told),
        "tables": tables,
        "audit": audit,
        "scan": _scan(walk),
        "search": _search(settings),
        **learned,
        "lineage": _lineage(settings),
    }


def _learned(walk: Walk, place: Workspace, plan: Plan) -> dict[str, Any]:
    """Make features, a training set and a served vector of the landed tables, while these are held against their contracts."""
    from features.engines.aggregate import build_gold  # noqa: PLC0415
    from features.engines.materialize import materialize  # noqa: PLC0415
    from infra.commands.features import fold_line, folded  # noqa: PLC0415
    from infra.quality import validated_beside  # noqa: PLC0415

    with validated_beside(walk.settings, EXAMPLES) as validated:
        with walk.stage("fold"):
            folds = folded(walk.settings, place, {view.dataset for view in plan.views.values()})
        for fold in folds:
            walk.say(fold_line(fold))
        with walk.stage("aggregate"):
            built = build_gold(place, plan)
        rows = sum(one.rows for one in built)
        walk.say(f"gold: {rows:,} feature rows in {len(built)} views, {walk.seconds['aggregate']:.1f} s")
        with walk.stage("materialize"):
            filled = materialize(place, plan)
        walk.say(f"online: {sum(m.entities for m in filled):,} entities, {walk.seconds['materialize']:.1f} s")
        training_set = _training_set(walk, place, plan)
        served = _served(place, plan, walk.settings)
        quality = _quality(walk, validated)
        told = [asdict(fold) for fold in folds]
        return {"folds": told, "training_set": training_set, "served": served, "quality": quality}


def _told(settings: Settings) -> int:
    """Return how many events the ledger holds before this run adds its own."""
    return sum(1 for _ in emitter(settings).ledger.events())


def _produce(walk: Walk) -> None:
    from infra.commands.produce import example_source, send  # noqa: PLC0415

    for name in EXAMPLES:
        days = (walk.first_day, walk.last_day) if name == "flights" else (None, None)
        with walk.stage("produce"):
            source = example_source(name, *days)
            with progress_shown(f"produce {name}", source.total, quiet=walk.quiet) as shown:
                production = send(walk.settings, source, report=_both(shown))
        sent, skipped = (sum(getattr(d, part) for d in production.datasets) for part in ("records", "skipped"))
        there = f", {skipped:,} were there already" if skipped else ""
        walk.say(f"produced {name}: {sent:,} records{there}, {production.seconds:.1f} s")


def _both(shown: Report) -> Callable[[int, int], None]:
    return lambda sent, skipped: shown(sent + skipped)


@contextmanager
def _archiving(walk: Walk, contracts: Sequence[Contract]) -> Iterator[Callable[[], None]]:
    """Keep the raw records, sealed, in a process of its own; give a function that waits until all of them are kept."""
    from infra.processes import spawn  # noqa: PLC0415

    began = time.perf_counter()
    names = sorted(contract.dataset for contract in contracts)
    command = [sys.executable, "-m", "infra.main", "archive", *names, "--drain"]
    with spawn(command, name="archive", settings=walk.settings) as archive:

        def wait() -> None:
            with progress_shown("archive", None, quiet=walk.quiet) as report:
                _until(lambda: not archive.running, archive, None, lambda: report(0))
            walk.seconds["archive"] = time.perf_counter() - began
            _demand(archive.wait(), archive)
            walk.say(f"archived them in bronze, sealed, {walk.seconds['archive']:.1f} s since it began")

        yield wait


@contextmanager
def _streaming(walk: Walk, contracts: Sequence[Contract]) -> Iterator[Callable[[], None]]:
    """Run clean and land as processes of their own; give a function that waits until both are through."""
    from infra.processes import spawn  # noqa: PLC0415

    began = time.perf_counter()
    command = [sys.executable, "-m", "infra.main"]
    names = sorted(contract.dataset for contract in contracts)
    cleaning = [*command, "clean", *names, "--drain", "--engine", walk.engine]
    with (
        spawn(cleaning, name="clean", settings=walk.settings) as clean,
        spawn([*command, "land", *names], name="land", settings=walk.settings) as land,
    ):

        def wait() -> None:
            watch = _Watch(walk.settings, contracts, walk.engine)
            with progress_shown("clean", watch.raw_records, quiet=walk.quiet) as report:
                _until(lambda: not clean.running, clean, land, lambda: report(watch.cleaned()))
            walk.seconds["clean"] = time.perf_counter() - began
            _demand(clean.wait(), clean)
            walk.say(f"cleaned {watch.raw_records:,} records, {walk.seconds['clean']:.1f} s")
            with progress_shown("land", watch.clean_records(), quiet=walk.quiet) as report:
                _until(watch.all_landed, land, None, lambda: report(watch.landed()))
            _demand(land.stop(), land)
            walk.seconds["land"] = time.perf_counter() - began
            walk.say(f"landed them in Delta tables, {walk.seconds['land']:.1f} s since both began")

        yield wait


def _until(done: Callable[[], bool], job: Child, other: Child | None, report: Callable[[], None]) -> None:
    """Watch two jobs until one is through; raise with the end of its log if a job that should run ended."""
    while not done():
        for child in (job, other):
            if child is not None and not child.running and not done():
                _demand(child.wait() or 1, child)
        report()
        time.sleep(WATCH_SECONDS)


def _demand(code: int | None, job: Child) -> None:
    if code:
        raise TerminalError(
            f"the {job.record.name} job ended with code {code}:\n{job.tail(8)}",
            where=str(job.log),
            remedy="mend what it says and run again: it goes on where it stopped",
        )


class _Watch:
    """How far the jobs are: by the broker's hints, and at the end by the tables, which alone decide."""

    def __init__(self, settings: Settings, contracts: Sequence[Contract], engine: str) -> None:
        from streams.connectors.kafka import end_offsets  # noqa: PLC0415
        from streams.topology import CLEAN_GROUPS  # noqa: PLC0415

        self._settings, self._client = settings, settings.client()
        self._contracts = contracts
        self._group = CLEAN_GROUPS[engine]
        self._transactions = engine == "flink"
        self._raw = [contract.raw_topic for contract in contracts]
        self._outputs = [topic for c in contracts for topic in (c.clean_topic, c.dead_letter_topic)]
        self.raw_records = sum(end for _, end in end_offsets(self._client, self._raw).values())

    def cleaned(self) -> int:
        """Return how many raw offsets are behind us."""
        return self._hinted(self._group, self._raw)

    def clean_records(self) -> int:
        """Return how many offsets the clean and dead-letter topics have."""
        return sum(self._ends().values())

    def landed(self) -> int:
        """Return how many of them are in tables, by the hints."""
        from streams.topology import LAND_GROUP  # noqa: PLC0415

        return self._hinted(LAND_GROUP, self._outputs)

    def all_landed(self) -> bool:
        """Say whether the tables cover every offset of the clean and dead-letter topics, or the hints say so."""
        from streams.connectors.kafka import committed_hints  # noqa: PLC0415
        from streams.engines.writer import landed_offset  # noqa: PLC0415
        from streams.topology import LAND_GROUP  # noqa: PLC0415

        hints = committed_hints(self._client, LAND_GROUP, self._outputs)
        tables = self._settings.tables
        silver = {c.clean_topic: c for c in self._contracts}
        quarantine = {c.dead_letter_topic: c for c in self._contracts}

        def landed(slot: Slot) -> int:
            if slot.topic in silver:
                return landed_offset(tables, silver[slot.topic], "silver", slot)
            return landed_offset(tables, quarantine[slot.topic], "quarantine", slot)

        def through(slot: Slot, end: int) -> bool:
            return end == 0 or hints.get(slot, 0) >= end or landed(slot) >= end or self._only_markers(slot, landed(slot), end)

        return all(through(slot, end) for slot, end in self._ends().items())

    def _only_markers(self, slot: Slot, first: int, end: int) -> bool:
        """Say whether nothing but transaction markers lies between: behind an engine that writes in transactions."""
        from streams.connectors.kafka import read_range  # noqa: PLC0415

        return self._transactions and not any(read_range(self._client, slot.topic, slot.partition, first, end))

    def _ends(self) -> Mapping[Slot, int]:
        from streams.connectors.kafka import Slot, end_offsets  # noqa: PLC0415

        return {Slot(*slot): end for slot, (_, end) in end_offsets(self._client, self._outputs).items()}

    def _hinted(self, group: str, topics: Sequence[str]) -> int:
        from streams.connectors.kafka import committed_hints  # noqa: PLC0415

        return sum(committed_hints(self._client, group, topics).values())


def _training_set(walk: Walk, place: Workspace, plan: Plan) -> dict[str, Any]:
    """Build the training set, and see what a small model makes of it."""
    from features.engines.training_sets import build_training_set, read_training_set  # noqa: PLC0415
    from features.model import fit  # noqa: PLC0415

    with walk.stage("training_set"):
        built = build_training_set(place, plan, TRAINING_SET)
    manifest = built.manifest
    walk.say(f"training set {built.id}: {manifest['rows']:,} rows, {walk.seconds['training_set']:.1f} s")
    with walk.stage("fit"):
        try:
            _, rows = read_training_set(walk.settings.training_sets, built.id)
            score: dict[str, Any] = asdict(fit(rows, manifest["features"], manifest["label"]))
        except HeadwaterError as error:
            score = {"not_fitted": str(error)}
    return {
        "id": built.id,
        "name": TRAINING_SET,
        "folder": built.folder,
        "rows": manifest["rows"],
        "features": len(manifest["features"]),
        "positive": manifest["positive"],
        "model": score,
    }


def _served(place: Workspace, plan: Plan, settings: Settings) -> dict[str, Any]:
    """Read one vector from the online store and walk it back to the raw offsets."""
    from features.connectors.online_store import online_store  # noqa: PLC0415
    from features.online import served_vector  # noqa: PLC0415
    from infra.commands.features import explained_lines, explanations, served_json, served_lines  # noqa: PLC0415

    asked = _entities(settings)
    served = served_vector(plan, online_store(place), SERVICE, asked)
    why = explanations(place, plan, served, asked)
    return {
        "service": SERVICE,
        "entities": asked,
        "features": [served_json(plan, place, one) for one in served],
        "explained": [one.as_json() for one in why],
        "text": [*served_lines(plan, served), *explained_lines(why)],
    }


def _entities(settings: Settings) -> dict[str, str]:
    """Return the entities of the last flight that departed: its aircraft, carrier, origin and route."""
    import polars as pl  # noqa: PLC0415

    from streams.connectors import delta  # noqa: PLC0415

    columns = ["departed_at", "tailnum", "carrier", "origin", "route"]
    table = pl.from_arrow(delta.read(delta.table_uri(settings.tables, "silver", "flights", "departed"), columns=columns))
    newest = pl.DataFrame(table).drop_nulls().sort("departed_at", "tailnum", "route")[-1].to_dicts()[0]
    return {name: str(newest[name]) for name in columns[1:]}


def _quality(walk: Walk, validated: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Wait for the test of the landed tables, and say what it came to."""
    with walk.stage("contract test"):
        quality = validated()
    broken = sum(len(each["fail"]) for each in quality.values())
    verdict = f"{broken:,} rules FAIL" if broken else f"all {sum(each['hold'] for each in quality.values()):,} rules hold"
    walk.say(f"contract test: {verdict} on {len(quality)} landed tables, {walk.seconds['contract test']:.1f} s after the rest")
    return quality


def _scan(walk: Walk) -> dict[str, Any]:
    """Look for personal data in clear where the documents went, and in what we tell of the run."""
    from infra.scanning import scanned  # noqa: PLC0415
    from streams.connectors.scanned_files import is_folder  # noqa: PLC0415
    from streams.recognise import entities  # noqa: PLC0415

    settings = walk.settings
    told = [place for place in (str(settings.feature_store), settings.ledger, str(settings.logs)) if is_folder(place)]
    with walk.stage("scan"):
        done = scanned(settings, [*SCANNED, *told], entities)
    verdict = "nothing personal in clear" if done.clear else "NOT CLEAR"
    walk.say(f"scan: {verdict} in {done.characters:,} characters, {walk.seconds['scan']:.1f} s")
    return done.as_json()


def _audit(settings: Settings, contracts: Sequence[Contract]) -> dict[str, Any]:
    from infra.commands.audit import audited  # noqa: PLC0415

    return audited(settings, contracts).as_dict()


def _tables(walk: Walk, contracts: Sequence[Contract], plan: Plan) -> dict[str, Any]:
    from lineage.digest import table_digest  # noqa: PLC0415
    from streams.connectors import delta  # noqa: PLC0415

    named = {
        f"{layer}/{c.domain}/{c.name}": delta.table_uri(walk.settings.tables, layer, c.domain, c.name)
        for layer in ("silver", "quarantine")
        for c in contracts
    } | {f"gold/{view}": delta.table_uri(walk.settings.tables, "gold", view) for view in plan.views}
    tables: dict[str, Any] = {}
    with walk.stage("digest"):
        for name, uri in named.items():
            if delta.exists(uri):
                rows = delta.read(uri)
                digest = table_digest(rows, leave_out=("_known_at", "created_timestamp", "_ingested_at"))
                tables[name] = {"path": uri, "table_version": delta.current_version(uri), "rows": rows.num_rows, "digest": digest}
    return tables


def _hops(walk: Walk, told: int) -> list[dict[str, Any]]:
    """Return what each hop did in this run, from the events it added to the ledger."""
    from lineage.commits import commit_record  # noqa: PLC0415

    commits = [commit_record(e.event) for e in emitter(walk.settings).ledger.events() if e.position.line >= told]
    hops = []
    for hop in HOPS:
        made = [commit for commit in commits if commit is not None and commit.hop == hop]
        jobs = {job: counted(c for c in made if c.job == job) for job in sorted({c.job for c in made})}
        seconds = walk.seconds.get(hop, 0.0)
        total = counted(made)
        rate = round(total["records_in"] / seconds) if seconds else 0
        hops.append({"name": hop, **total, "seconds": round(seconds, 3), "records_per_second": rate, "jobs": jobs})
    return hops


def _search(settings: Settings) -> dict[str, Any]:
    from infra.commands.features import found  # noqa: PLC0415

    hits = found(settings, QUESTION, top=3)
    return {"query": QUESTION, "hits": [asdict(hit) for hit in hits]}


def _lineage(settings: Settings) -> dict[str, Any]:
    """Ship the events to Marquez if one is named, and say where the lineage lies."""
    ledger = emitter(settings).ledger
    count = sum(1 for _ in ledger.events())
    shipped: Any = None
    if settings.openlineage_url:
        from infra.commands.lineage import shipped_to  # noqa: PLC0415

        shipped = shipped_to(settings)
    return {"path": settings.ledger, "events": count, "shipped": shipped}
