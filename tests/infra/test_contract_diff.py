"""`headwater contract diff` as a person types it."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from infra.main import main
from tests.contracts.made import SOUND

ADDED = SOUND.replace("1.0.0", "1.1.0") + "      - name: paid\n        logicalType: boolean\n"


def diffed(folder: Path, old: str, new: str, *more: str) -> Result:
    files = []
    for name, text in (("old", old), ("new", new)):
        file = folder / f"{name}.odcs.yaml"
        file.write_text(text, "utf-8")
        files.append(str(file))
    return CliRunner().invoke(main, ["--home", str(folder / "home"), "contract", "diff", *files, *more])


def test_an_addition_with_a_minor_step_is_admitted_and_says_what_follows(tmp_path: Path):
    told = diffed(tmp_path, SOUND, ADDED)
    assert told.exit_code == 0, told.output
    assert "ADDITION       paid: absent -> " in told.output
    assert "Delta: one column more" in told.output
    assert told.output.splitlines()[-1] == "shop.orders: ADDITION, and 1.0.0 to 1.1.0 (minor) admits it"


def test_a_break_that_the_number_does_not_admit_exits_1_and_says_which_would(tmp_path: Path):
    told = diffed(tmp_path, ADDED, SOUND.replace("1.0.0", "1.2.0"))
    assert told.exit_code == 1
    assert "REVISION" in told.output
    assert "try: version 2.0.0" in told.output


def test_loosened_masking_is_called_out_to_people_and_to_programs(tmp_path: Path):
    loose = SOUND.replace("- name: size\n", "- name: size\n        classification: public\n").replace("1.0.0", "2.0.0")
    assert "LOOSENS MASKING" in diffed(tmp_path, SOUND, loose).output
    told = diffed(tmp_path, SOUND, loose, "--json")
    data = json.loads(told.output)
    assert (told.exit_code, data["loosens_masking"], data["admitted"]) == (0, ["size.classification"], True)


def test_a_file_that_is_no_contract_is_told_with_its_faults(tmp_path: Path):
    told = diffed(tmp_path, SOUND, SOUND.replace("logicalType: number", "logicalType: float"))
    assert told.exit_code == 1
    assert "new.odcs.yaml" in told.output
