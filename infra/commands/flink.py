"""`headwater flink`: run, stop and see clean jobs on a Flink cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from infra.output import json_option, result, rows_text, say
from infra.settings import Settings

if TYPE_CHECKING:
    from infra.flink.rest import Cluster

EXAMPLES = """\b
Examples:
  headwater flink run flights                    until stopped, following it
  headwater flink run flights --detach           leave it running
  headwater flink run flights --parallelism 4    from its last savepoint, wider
  headwater flink stop flights                   with a savepoint
  headwater flink status --json
"""
HEADS = ["job", "state", "parallelism", "checkpoints", "failed", "lag"]


@click.group(epilog=EXAMPLES)
def flink() -> None:
    """Run, stop and see clean jobs on a Flink cluster: our own on this machine, or the one at `flink_url`.

    A domain's contracts are one job. It goes on from its last savepoint or checkpoint, whoever ended it and however.
    """


@flink.command(epilog=EXAMPLES)
@click.argument("domains", nargs=-1, required=True)
@click.option("--parallelism", type=click.IntRange(1, 128), help="Parallel instances [flink_parallelism].")
@click.option("--detach", is_flag=True, help="Return when the jobs run; the next run, stop or status tells what they do.")
@json_option
@click.pass_obj
def run(settings: Settings, domains: tuple[str, ...], parallelism: int | None, detach: bool, json_wanted: bool) -> None:
    """Run the clean jobs of DOMAINS and follow them: SIGTERM and Ctrl-C stop them with a savepoint.

    A job that runs already is joined. One of other contracts, code or parallelism is stopped and goes on as asked.
    """
    from infra.flink import cluster, follow
    from infra.jobs import counts_of, summary
    from infra.wiring import chosen, setup, stop_on_signal

    given = setup(settings, chosen(settings, domains), engine="flink")
    with stop_on_signal() as stop:
        runs = follow.clean(settings, given, stop, detach=detach, parallelism=parallelism, detached_cluster=True, say=say)
    counts = counts_of(given, runs)
    there = cluster.cluster(settings)
    how = "run on" if detach else "were stopped with a savepoint"
    text = summary("clean", counts) + f"\njobs {how}: {there.url}"
    result({"hop": "clean", "engine": "flink", "url": there.url, "detached": detach, "datasets": counts}, json_wanted, text)


@flink.command(epilog=EXAMPLES)
@click.argument("domains", nargs=-1)
@click.option("--cluster", "whole", is_flag=True, help="Then end our own cluster as well.")
@json_option
@click.pass_obj
def stop(settings: Settings, domains: tuple[str, ...], whole: bool, json_wanted: bool) -> None:
    """Stop the clean jobs of DOMAINS (all that run) with a savepoint, and tell the ledger what they did.

    Exits 0 also if none ran. Where another process follows a job, that one tells and ends.
    """
    from infra.flink import cluster, follow
    from infra.wiring import catalog, chosen, setup

    contracts = chosen(settings, domains) if domains else tuple(catalog(settings))
    there = cluster.cluster(settings)
    stopped = follow.stopped(settings, setup(settings, contracts, engine="flink"), there, say) if there.answers() else {}
    ended = cluster.stop(settings) if whole else []
    lines = [f"stopped {domain}; goes on from {point}" for domain, point in stopped.items()] or ["no job ran"]
    lines += [f"ended {record.name} (pid {record.pid})" for record in ended]
    result({"stopped": stopped, "ended": [record.name for record in ended]}, json_wanted, "\n".join(lines))


@flink.command(epilog=EXAMPLES)
@json_option
@click.pass_obj
@click.pass_context
def status(ctx: click.Context, settings: Settings, json_wanted: bool) -> None:
    """Show the cluster and its clean jobs: state, checkpoints, raw records not yet committed. Exits 1 if none answers."""
    from infra.flink import cluster

    there = cluster.cluster(settings)
    up = there.answers()
    jobs = [_job(settings, there, domain) for domain in _domains(settings)] if up else []
    shown = [job for job in jobs if job is not None]
    data = {"up": up, "url": there.url, "release": there.release() if up else None, "jobs": shown}
    head = f"Flink {data['release']} at {there.url}" if up else f"no Flink answers at {there.url}"
    rows = [[job[name] for name in HEADS] for job in shown]
    result(data, json_wanted, "\n".join([head, *(["", rows_text(HEADS, rows)] if rows else [])]))
    ctx.exit(0 if up else 1)


def _domains(settings: Settings) -> list[str]:
    from infra.wiring import catalog

    return sorted({contract.domain for contract in catalog(settings)})


def _job(settings: Settings, there: Cluster, domain: str) -> dict[str, Any] | None:
    """Return what is known of a domain's newest job; None if the cluster knows of none."""
    from infra.flink.follow import lag
    from infra.flink.submit import job_name
    from infra.wiring import chosen, setup

    known = there.jobs(job_name(domain))
    if not known:
        return None
    job = known[0]
    counts = there.checkpoints(job.id)["counts"]
    return {
        "job": job.name,
        "id": job.id,
        "state": job.state,
        "parallelism": there.parallelism(job.id),
        "checkpoints": counts["completed"],
        "failed": counts["failed"],
        "lag": lag(setup(settings, chosen(settings, [domain]), engine="flink")),
    }
