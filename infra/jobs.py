"""Run a streaming job in this process, and count what it did from what it told the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from infra.memory import leave_loaded_alone, return_freed_memory
from infra.settings import Settings
from infra.watch import ContractWatch
from infra.wiring import chosen, setup, stop_on_signal

if TYPE_CHECKING:
    from contracts.contract import Contract
    from lineage.commits import CommitRecord
    from lineage.facts import RunRef
    from streams.setup import Setup

Counts = dict[str, dict[str, Any]]


def run_clean(settings: Settings, datasets: Sequence[str], engine: str, *, drain: bool) -> Counts:
    """Run the clean hop until stopped or drained; return this run's counts by dataset."""
    from streams.topology import clean_job  # noqa: PLC0415

    return_freed_memory()
    if engine == "faust":
        return _run_faust(settings, datasets, drain=drain)
    if engine == "flink":
        return _run_flink(settings, datasets, drain=drain)
    from streams.engines import direct  # noqa: PLC0415

    return _run_watched(settings, datasets, clean_job, lambda given, stop: direct.clean(given, stop, drain=drain))


def run_land(settings: Settings, datasets: Sequence[str], *, drain: bool) -> Counts:
    """Run the land hop until stopped or drained; return this run's counts by dataset."""
    from streams.engines import lander  # noqa: PLC0415
    from streams.topology import land_job  # noqa: PLC0415

    return_freed_memory()
    return _run_watched(settings, datasets, land_job, lambda given, stop: lander.run(given, stop, drain=drain))


def _run_watched(
    settings: Settings,
    datasets: Sequence[str],
    job: Callable[[Contract], str],
    run: Callable[[Setup, Callable[[], bool]], list[RunRef]],
    engine: str = "direct",
) -> Counts:
    """Run a job until it ends or is told to, and again under new contracts whenever their files change (`infra.watch`)."""
    watch = ContractWatch(settings, datasets)
    runs: list[RunRef] = []
    jobs: dict[str, str] = {}
    with stop_on_signal() as stop:
        while True:
            given, again = setup(settings, watch.contracts, engine=engine), _Noticed(watch.changed)
            jobs |= {contract.dataset: job(contract) for contract in given.contracts}
            leave_loaded_alone()
            runs += run(given, partial(_either, stop, again))
            if not again.noticed or stop():
                return _counts(given, jobs, runs)


def _either(stop: Callable[[], bool], again: Callable[[], bool]) -> bool:
    return stop() or again()


@dataclass
class _Noticed:
    """A question that has been answered with yes once and stays so: an engine may ask on while it comes to its end."""

    ask: Callable[[], bool]
    noticed: bool = False

    def __call__(self) -> bool:
        self.noticed = self.noticed or self.ask()
        return self.noticed


def _run_faust(settings: Settings, datasets: Sequence[str], *, drain: bool) -> Counts:
    """Run the clean hop on Faust, whose worker can be started once in a process: new contracts wait for a new one."""
    from streams.engines import faust_worker  # noqa: PLC0415
    from streams.topology import clean_job  # noqa: PLC0415

    watch = ContractWatch(settings, datasets, restarts=False)
    given = setup(settings, watch.contracts, engine="faust")
    leave_loaded_alone()
    folder = settings.home / "faust"
    folder.mkdir(parents=True, exist_ok=True)
    with stop_on_signal() as stop:
        runs = faust_worker.clean(given, partial(_either, stop, watch.changed), drain=drain, data_folder=folder)
    return _counts(given, {contract.dataset: clean_job(contract) for contract in given.contracts}, runs)


def _run_flink(settings: Settings, datasets: Sequence[str], *, drain: bool) -> Counts:
    """Run the clean hop on Flink; a cluster of our own that does not run yet is there for as long as this takes."""
    from infra.flink import cluster, follow  # noqa: PLC0415
    from infra.watch import say_aloud  # noqa: PLC0415
    from streams.topology import clean_job  # noqa: PLC0415

    def run(given: Setup, stop: Callable[[], bool]) -> list[RunRef]:
        return follow.clean(settings, given, stop, drain=drain, say=say_aloud)

    with cluster.session(settings, say_aloud):
        return _run_watched(settings, datasets, clean_job, run, engine="flink")


def run_current(settings: Settings, datasets: Sequence[str], *, drain: bool) -> Counts:
    """Keep the current tables of the `upsert` contracts until stopped, or bring them up once; return this run's counts."""
    from streams.engines import current  # noqa: PLC0415
    from streams.topology import current_job  # noqa: PLC0415

    return_freed_memory()
    contracts = [contract for contract in chosen(settings, datasets) if contract.change == "upsert"]
    given = setup(settings, contracts)
    leave_loaded_alone()
    with stop_on_signal() as stop:
        runs = current.run(given, stop, drain=drain)
    return _counts(given, {contract.dataset: current_job(contract) for contract in contracts}, runs)


def run_archive(settings: Settings, datasets: Sequence[str], *, drain: bool) -> Counts:
    """Run the archive hop until stopped or drained; return this run's counts by dataset."""
    from streams.engines import archiver  # noqa: PLC0415
    from streams.topology import archive_job  # noqa: PLC0415

    return_freed_memory()
    given = setup(settings, chosen(settings, datasets))
    leave_loaded_alone()
    with stop_on_signal() as stop:
        runs = archiver.run(given, stop, drain=drain)
    return _counts(given, {contract.dataset: archive_job(contract) for contract in given.contracts}, runs)


def counted(commits: Iterable[CommitRecord]) -> dict[str, Any]:
    """Return the sums over commits: records, dead letters by reason, values left out by field, duplicates, seconds of work."""
    reasons: Counter[str] = Counter()
    discarded: Counter[str] = Counter()
    sums = Counter(records_in=0, records_out=0, duplicates=0, repeated=0, commits=0)
    seconds = 0.0
    for commit in commits:
        reasons.update(commit.dead_letters)
        discarded.update(commit.discarded)
        sums.update(
            records_in=commit.records_in,
            records_out=commit.records_out,
            duplicates=commit.duplicates,
            repeated=commit.repeated,
            commits=1,
        )
        seconds += commit.seconds
    told = {"dead_letters": dict(sorted(reasons.items())), "discarded": dict(sorted(discarded.items()))}
    return {**sums, **told, "seconds": round(seconds, 3)}


def summary(hop: str, counts: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the counts as lines a person reads."""
    lines = [
        f"{hop} {dataset}: {c['records_in']:,} in, {c['records_out']:,} out, {sum(c['dead_letters'].values()):,} dead letters, "
        f"{c['duplicates']:,} duplicates, {c['repeated']:,} repeated, in {c['commits']} commits{_left_out(c)}"
        for dataset, c in counts.items()
    ]
    return "\n".join(lines)


def _left_out(counts: Mapping[str, Any]) -> str:
    """Say how many values of which fields were left out, where any was."""
    discarded = counts.get("discarded") or {}
    return "".join(f"; {number:,} values of {field or 'unknown fields'} left out" for field, number in discarded.items())


def counts_of(given: Setup, runs: Iterable[RunRef]) -> Counts:
    """Return, by dataset, the counts of these runs of the clean hop."""
    from streams.topology import clean_job  # noqa: PLC0415

    return _counts(given, {contract.dataset: clean_job(contract) for contract in given.contracts}, runs)


def _counts(given: Setup, jobs: Mapping[str, str], runs: Iterable[RunRef]) -> Counts:
    """Return, by dataset, the counts of these runs."""
    mine = {run.run_id for run in runs}
    return {
        dataset: counted(commit for commit in given.emitter.commits(job) if commit.run_id in mine)
        for dataset, job in jobs.items()
    }
