"""Contract files that change under a running job."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from infra.settings import Settings
from infra.watch import LOOK_SECONDS, ContractWatch
from tests.contracts.made import SOUND

MORE = SOUND.replace("version: 1.0.0", "version: 1.1.0") + "      - name: paid\n        logicalType: boolean\n"
FROZEN = SOUND.replace("customProperties:\n", "customProperties:\n  - property: mode\n    value: freeze\n", 1)


class Watched:
    """A watch on one file, with a clock of the test's own."""

    def __init__(self, settings: Settings, folder: Path, text: str) -> None:
        self.file, self.seconds, self.said = folder / "orders.odcs.yaml", 0.0, list[str]()
        folder.mkdir()
        self.file.write_text(text, "utf-8")
        self.watch = ContractWatch(
            replace(settings, contracts=(folder,)), ["shop.orders"], clock=lambda: self.seconds, say=self.said.append
        )

    def looks(self, times: int = 3) -> list[bool]:
        """Return what the watch says in so many looks, a little more than a second apart."""
        answers = []
        for _ in range(times):
            self.seconds += LOOK_SECONDS * 1.1
            answers.append(self.watch.changed())
        return answers


@pytest.fixture
def watched(tmp_settings: Settings, tmp_path: Path):
    return lambda text=SOUND: Watched(tmp_settings, tmp_path / "files", text)


def test_a_changed_contract_is_taken_once_it_stands_still(watched):
    here = watched()
    assert here.looks() == [False] * 3
    here.file.write_text(MORE, "utf-8")
    assert here.looks() == [False, True, False]
    assert here.watch.contracts[0].contract_version == "1.1.0"
    assert here.said == ["the contract files have changed (shop.orders 1.1.0): starting again under them"]


def test_a_version_beside_the_others_is_a_change(watched):
    here = watched()
    (here.file.parent / "orders.v1.1.odcs.yaml").write_text(MORE, "utf-8")
    assert here.looks() == [False, True, False]
    assert [other.contract_version for other in here.watch.contracts[0].others] == ["1.0.0"]


def test_a_new_layout_of_the_same_content_is_none(watched):
    here = watched()
    here.file.write_text(SOUND + "# a comment\n", "utf-8")
    assert here.looks() == [False] * 3
    assert here.said == []


@pytest.mark.parametrize("broken", ["domain: [", SOUND.replace("logicalType: number", "logicalType: float"), ""])
def test_files_that_cannot_be_used_leave_the_job_as_it_is_and_say_so_once(watched, broken):
    here = watched()
    here.file.write_text(broken, "utf-8")
    assert here.looks(5) == [False] * 5
    (said,) = here.said
    assert "this job goes on under what it has" in said
    assert here.watch.contracts[0].contract_version == "1.0.0"
    here.file.write_text(MORE, "utf-8")
    assert here.looks() == [False, True, False]


def test_a_file_that_is_gone_leaves_the_job_as_it_is(watched):
    here = watched()
    here.file.unlink()
    assert here.looks() == [False] * 3
    assert "no dataset or domain 'shop.orders'" in here.said[0]


def test_a_frozen_contract_that_changed_leaves_the_job_as_it_is(watched):
    here = watched(FROZEN)
    here.file.write_text(FROZEN.replace("maximum: 100", "maximum: 200"), "utf-8")
    assert here.looks() == [False] * 3
    assert "shop.orders is frozen" in here.said[0]


def test_the_files_are_not_looked_at_between_two_looks(watched):
    here = watched()
    here.file.write_text(MORE, "utf-8")
    assert [here.watch.changed() for _ in range(1_000)] == [False] * 1_000
    assert here.said == []


def test_a_job_that_cannot_start_again_says_so_and_goes_on(watched):
    here = watched()
    here.watch.restarts = False
    here.file.write_text(MORE, "utf-8")
    assert here.looks() == [False] * 3
    assert here.said == [
        "the contract files have changed (shop.orders 1.1.0): this job goes on under what it has until it is started again"
    ]
