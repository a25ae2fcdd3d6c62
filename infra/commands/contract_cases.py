"""The part of `headwater contract test` that runs the cases kept beside contracts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.output import result
from infra.settings import Settings

if TYPE_CHECKING:
    from contracts.contract import Contract
    from streams.cases import Difference


@dataclass(frozen=True)
class Run:
    """One case that was run."""

    dataset: str
    file: Path
    about: str
    records: int
    differences: tuple[Difference, ...]
    updated: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return it as `--json` prints it."""
        found = [{"record": d.record, "expected": d.expected, "came": d.came} for d in self.differences]
        return {
            "dataset": self.dataset,
            "file": str(self.file),
            "about": self.about,
            "records": self.records,
            "ok": not self.differences or self.updated,
            "updated": self.updated,
            "differences": found,
        }


def show_cases(settings: Settings, datasets: Sequence[str], *, update: bool, json_wanted: bool) -> None:
    """Run the cases of the contracts and print what differs. Exits 1 if any does and is not updated."""
    runs = list(run_cases(settings, datasets, update=update))
    ok = all(not run.differences or run.updated for run in runs)
    result({"ok": ok, "cases": [run.as_json() for run in runs]}, json_wanted, lambda: "\n".join(_lines(runs)))
    if not ok:
        raise SystemExit(1)


def run_cases(settings: Settings, datasets: Sequence[str], *, update: bool) -> Iterator[Run]:
    """Run every case of the named datasets and domains, or all; with `update`, write down what came."""
    from infra.wiring import chosen
    from streams.cases import differences, fates
    from streams.connectors.case_files import case_files, read_case, update_case

    contracts = {contract.dataset: contract for contract in chosen(settings, datasets)}
    for contract_file, contract in _files(settings, contracts):
        for file in case_files(contract_file):
            case = read_case(file)
            came = fates(case, contract)
            found = tuple(differences(case, came))
            if update and found:
                update_case(file, came)
            yield Run(contract.dataset, file, case.about, len(case.records), found, updated=update and bool(found))


def _files(settings: Settings, contracts: dict[str, Contract]) -> Iterator[tuple[Path, Contract]]:
    """Yield each contract file of the datasets with the contract that its cases are judged by: the newest of its dataset."""
    from contracts.connectors.files import contract_files, load_contract

    seen: set[Path] = set()
    for file in contract_files(settings.contracts):
        dataset = load_contract(file).dataset
        if dataset in contracts and file not in seen:
            seen.add(file)
            yield file, contracts[dataset]


def _lines(runs: Sequence[Run]) -> Iterator[str]:
    """Yield what a person reads."""
    for run in runs:
        word = "updated" if run.updated else "differs" if run.differences else "ok"
        yield f"{word:7} {run.dataset} {run.file.stem}: {run.about or f'{run.records} records'}"
        for difference in run.differences:
            yield from difference.lines()
    failed = sum(bool(run.differences) and not run.updated for run in runs)
    yield f"{len(runs)} cases, {sum(run.records for run in runs)} records, {failed} differ"
