"""Validate landed tables: once, round after round, or beside other work in a process of its own. The ledger keeps the outcome."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from contracts.contract import Contract
from contracts.errors import TerminalError
from infra.settings import Settings
from infra.wiring import chosen, setup, stop_on_signal

if TYPE_CHECKING:
    from streams.engines.tester import Scope, Validated
    from streams.setup import Setup

LOOK_SECONDS = 0.5
EVERY_SECONDS = 60.0

Answer = Callable[[], dict[str, Any]]


def landed(settings: Settings, contracts: Sequence[Contract]) -> tuple[Contract, ...]:
    """Return the contracts whose silver table is there."""
    from streams.connectors import delta  # noqa: PLC0415

    tables = settings.tables
    return tuple(c for c in contracts if delta.exists(delta.table_uri(tables, "silver", c.domain, c.name)))


def validate(
    settings: Settings, contracts: Sequence[Contract], scope_of: Callable[[Setup, Contract], Scope | None]
) -> list[Validated]:
    """Validate each contract's table in the scope that `scope_of` gives; None: nothing in it is due."""
    from streams.engines.tester import validated  # noqa: PLC0415

    given = setup(settings, contracts)
    scopes = [(contract, scope_of(given, contract)) for contract in given.contracts]
    return [validated(given, contract, scope, settings.expectations) for contract, scope in scopes if scope is not None]


def watch(settings: Settings, contracts: Sequence[Contract], every_seconds: float, report: Callable[[Validated], None]) -> None:
    """Validate what is new, round after round, until stopped. Rests between rounds at least as long as the last one took."""
    from streams.engines import tester  # noqa: PLC0415

    given, waiting = setup(settings, contracts), threading.Event()
    with stop_on_signal() as stop:
        began = [time.monotonic()]

        def again() -> bool:
            rest_until = time.monotonic() + max(every_seconds, time.monotonic() - began[0])
            while not stop() and (left := rest_until - time.monotonic()) > 0:
                waiting.wait(min(left, LOOK_SECONDS))
            began[0] = time.monotonic()
            return not stop()

        tester.watch(given, again, report, docs=settings.expectations)


@contextmanager
def validated_beside(settings: Settings, datasets: Sequence[str]) -> Iterator[Answer]:
    """Validate what is new in the landed tables in a process of its own, of low priority, while the body runs.

    Gives a function that waits for its end and returns, by dataset, how many rules hold and which fail. Call it in the body:
    leaving it ends the process. Raises TerminalError if it ended without an answer.
    """
    from infra.processes import spawn  # noqa: PLC0415

    names = [contract.dataset for contract in landed(settings, chosen(settings, datasets))]
    command = [sys.executable, "-m", "infra.main", "contract", "test", *names, "--since-last", "--nice", "10", "--json"]
    with spawn(command, name="contract-test", settings=settings) as child:

        def answer() -> dict[str, Any]:
            code = child.wait()
            if code not in (0, 1):
                raise TerminalError(f"contract test ended with code {code}:\n{child.tail(8)}", where=str(child.log))
            return told(settings, chosen(settings, names))

        yield answer


def agreed(contract: Contract) -> tuple[int, int]:
    """Return on how many made rows stream and suite agree, and how many of them the stream lets through to a table it accepts.

    Raises RulesDisagree, naming the rule, for one that the two judge differently, or that rejects what the stream let through.
    """
    from contracts.agreement import complete, demand_accepted, demand_agreement, sample_rows  # noqa: PLC0415
    from contracts.connectors.great_expectations import judged  # noqa: PLC0415
    from streams.cases import cleaned_values  # noqa: PLC0415

    judge = complete(judged)
    rows = demand_agreement(contract, judge)
    if contract.envelope != "none":
        return rows, 0
    fields = [field.name for field in contract.fields]
    landed_rows = cleaned_values(sample_rows(contract).select(fields).to_dicts(), contract)
    return rows, demand_accepted(contract, landed_rows, judge)


def told(settings: Settings, contracts: Sequence[Contract]) -> dict[str, Any]:
    """Return, by dataset, what the ledger tells of the newest validation of its table: version, rows, rules kept and broken."""
    from infra.wiring import emitter  # noqa: PLC0415
    from streams.topology import test_job  # noqa: PLC0415

    jobs = {test_job(contract): contract.dataset for contract in contracts}
    found: dict[str, Any] = {}
    for entry in emitter(settings).ledger.events():
        dataset = jobs.get(entry.event["job"]["name"])
        for read in entry.event.get("inputs", ()) if dataset is not None else ():
            facets = read.get("inputFacets", {})
            if dataset is not None and "dataQualityAssertions" in facets:
                found[dataset] = _told(read["facets"], facets)
    return found


def _told(facets: dict[str, Any], quality: dict[str, Any]) -> dict[str, Any]:
    asserted = quality["dataQualityAssertions"]["assertions"]
    broken = [made for made in asserted if not made["success"]]
    return {
        "table_version": int(facets["version"]["datasetVersion"]),
        "rows": quality["dataQualityMetrics"]["rowCount"],
        "hold": len(asserted) - len(broken),
        "warn": [_named(made) for made in broken if made["severity"] == "warn"],
        "fail": [_named(made) for made in broken if made["severity"] != "warn"],
    }


def _named(made: dict[str, Any]) -> str:
    return f"{made.get('column') or 'table'}: {made['name']}: {made.get('actual', '')}"
