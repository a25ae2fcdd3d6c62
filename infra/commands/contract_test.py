"""`headwater contract test`: hold landed tables against their contracts' suites."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from infra.commands.contract_cases import show_cases
from infra.output import json_option, result, say
from infra.settings import Settings

if TYPE_CHECKING:
    from contracts.contract import Contract
    from streams.engines.tester import Scope, Validated
    from streams.setup import Setup

EXAMPLE = """\b
Examples:
  headwater contract test                              every landed table, whole, at its newest version
  headwater contract test flights.weather --commit 7   the rows of one commit
  headwater contract test --since-last                 the rows that no test has seen
  headwater contract test --watch --every 60           go on doing that
  headwater contract test --cases                      the cases that are kept beside the contracts, without servers
  headwater contract test --agreement                  whether stream and suite judge alike
"""


@click.command(epilog=EXAMPLE)
@click.argument("datasets", nargs=-1)
@click.option("--table-version", type=click.IntRange(min=0), help="All rows of this version of the one dataset's table.")
@click.option("--commit", type=click.IntRange(min=0), help="The rows that this version of the one dataset's table added.")
@click.option("--since-last", is_flag=True, help="The rows that no earlier test under the same contract covers.")
@click.option("--watch", is_flag=True, help="Test what is new, again and again, until stopped.")
@click.option(
    "--every", type=click.FloatRange(min=1), default=60.0, show_default=True, help="Seconds between two rounds of --watch."
)
@click.option("--nice", type=click.IntRange(0, 19), default=0, help="Give way to other processes, as nice(1) does.")
@click.option("--cases", is_flag=True, help="Run the cases beside the contracts (<name>.cases/*.yaml), without servers.")
@click.option("--agreement", is_flag=True, help="Hold stream and suite to one verdict on rows made from each contract.")
@click.option("--update", is_flag=True, help="With --cases: write into them what their records come to. Read the difference.")
@json_option
@click.pass_obj
def test(
    settings: Settings,
    datasets: tuple[str, ...],
    table_version: int | None,
    commit: int | None,
    since_last: bool,
    watch: bool,
    every: float,
    nice: int,
    cases: bool,
    agreement: bool,
    update: bool,
    json_wanted: bool,
) -> None:
    """Validate silver tables with the Great Expectations suite that their contracts compile to.

    DATASETS are names (flights.departed) or domains (flights); none means all that have landed. Exits 1 if a rule fails, and
    names it, with counts and the raw coordinates of some rows that break it: never a value. Writes Data Docs under the home
    folder, and tells the ledger.
    """
    asked = [table_version is not None, commit is not None, since_last, watch, cases, agreement]
    if sum(asked) > 1:
        raise click.UsageError("one of --table-version, --commit, --since-last, --watch, --cases and --agreement")
    if update and not cases:
        raise click.UsageError("--update is of --cases")
    if cases:
        show_cases(settings, datasets, update=update, json_wanted=json_wanted)
        return
    if agreement:
        _show_agreement(settings, datasets, json_wanted=json_wanted)
        return
    os.nice(nice)
    contracts = _contracts(settings, datasets, named=table_version is not None or commit is not None)
    if watch:
        _watch(settings, contracts, every, json_wanted=json_wanted)
        return
    found = _validated(settings, contracts, table_version, commit, since_last=since_last)
    _shown(found, contracts, json_wanted=json_wanted)


def _show_agreement(settings: Settings, datasets: Sequence[str], *, json_wanted: bool) -> None:
    from infra.quality import agreed
    from infra.wiring import chosen

    found = {contract.dataset: agreed(contract) for contract in chosen(settings, datasets)}
    data = {"ok": True, "datasets": {name: {"rows": rows, "landed": landed} for name, (rows, landed) in found.items()}}
    told = [
        f"{name}: one verdict on {rows:,} made rows; {landed:,} of them landed and are accepted"
        for name, (rows, landed) in found.items()
    ]
    result(data, json_wanted, "\n".join(told))


def _contracts(settings: Settings, datasets: Sequence[str], *, named: bool) -> tuple[Contract, ...]:
    """Return the contracts to test: those named, or all that have a table."""
    from infra.quality import landed
    from infra.wiring import chosen

    contracts = chosen(settings, datasets)
    if named and len(contracts) != 1:
        raise click.UsageError("--table-version and --commit are of one table: name its dataset")
    return contracts if datasets or named else landed(settings, contracts)


def _validated(
    settings: Settings, contracts: Sequence[Contract], table_version: int | None, commit: int | None, *, since_last: bool
) -> list[Validated]:
    from infra.quality import validate
    from streams.engines import tester

    def scope_of(given: Setup, contract: Contract) -> Scope | None:
        if table_version is not None:
            return tester.Scope("all", table_version)
        if commit is not None:
            return tester.Scope("commit", commit)
        return tester.since_last(given, contract) if since_last else tester.newest(given, contract)

    return validate(settings, contracts, scope_of)


def _watch(settings: Settings, contracts: Sequence[Contract], every: float, *, json_wanted: bool) -> None:
    from infra.quality import watch
    from streams.engines.tester import as_json

    def report(found: Validated) -> None:
        result(as_json(found), json_wanted, lambda: "\n".join(_lines(found)))

    watch(settings, contracts, every, report)


def _shown(found: Sequence[Validated], contracts: Sequence[Contract], *, json_wanted: bool) -> None:
    from streams.engines.tester import as_json

    nothing = sorted({c.dataset for c in contracts} - {one.dataset for one in found})
    if nothing and not json_wanted:
        say(f"nothing new: {', '.join(nothing)}")
    if not contracts and not json_wanted:
        say("no table has landed yet: headwater land")
    ok = all(one.ok for one in found)
    data = {"ok": ok, "validations": [as_json(one) for one in found], "nothing_new": nothing}
    result(data, json_wanted, lambda: "\n".join(line for one in found for line in _lines(one)))
    if not ok:
        raise SystemExit(1)


def _lines(found: Validated) -> Iterator[str]:
    """Yield what a person reads of one validation."""
    scope = {"all": "all rows", "commit": "its own rows"}.get(found.scope.kind, f"rows after version {found.scope.after}")
    held = sum(rule.holds for rule in found.rules)
    verdict = "holds" if found.ok else "FAILS"
    rules = f"{held} of {len(found.rules)} rules"
    yield f"{found.dataset} version {found.scope.table_version} ({scope}, {found.rows:,}): {verdict}, {rules}"
    for rule in found.rules:
        if not rule.holds:
            word = "warns" if rule.severity in ("info", "warning") else "fails"
            rows = ", ".join(f"{partition}:{offset}" for partition, offset in rule.examples)
            why = f"could not be judged ({rule.failed})" if rule.failed else f"{rule.broken:,} of {rule.rows:,} rows"
            yield f"  {word} {rule.field or 'table'}: {rule.rule}: {why}" + (f", as raw partition:offset {rows}" if rows else "")
    if found.unjudged:
        names = ", ".join(f"{lost.field or 'table'}: {lost.rule}" for lost in found.unjudged)
        yield f"  not asked of the table: {names}"
    if found.docs is not None:
        yield f"  {found.docs}"
