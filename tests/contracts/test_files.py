"""Contract files on disk."""

from __future__ import annotations

import pytest

from contracts.connectors.files import contract_files, load_catalog, load_contract, problems
from contracts.errors import ContractInvalid, NotFound
from tests.contracts.made import SOUND


def test_files_are_found_in_folders_and_by_name_in_order(tmp_path):
    for name in ("b/two.odcs.yaml", "a/one.odcs.yaml", "a/notes.yaml", "a/deep/er/three.odcs.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    found = contract_files([tmp_path / "a", tmp_path / "b" / "two.odcs.yaml"])
    assert [f.name for f in found] == ["three.odcs.yaml", "one.odcs.yaml", "two.odcs.yaml"]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(NotFound, match="absent"):
        contract_files([tmp_path / "absent"])


def test_a_catalog_holds_every_contract_once(tmp_path):
    (tmp_path / "orders.odcs.yaml").write_text(SOUND)
    catalog = load_catalog([tmp_path])
    assert [contract.dataset for contract in catalog] == ["shop.orders"]
    assert len(catalog) == 1


def test_two_files_of_one_dataset_are_both_named(tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.odcs.yaml").write_text(SOUND)
    with pytest.raises(ContractInvalid, match=r"one\.odcs\.yaml and .*two\.odcs\.yaml"):
        load_catalog([tmp_path])


def test_a_file_that_is_no_utf_8_is_a_fault(tmp_path):
    file = tmp_path / "orders.odcs.yaml"
    file.write_bytes(SOUND.encode() + b"# \xff\n")
    (fault,) = problems(file)
    assert (fault.file, fault.rule) == (str(file), "utf-8")
    with pytest.raises(ContractInvalid, match="UTF-8"):
        load_contract(file)


def test_all_faults_of_a_file_are_in_the_error(tmp_path):
    file = tmp_path / "orders.odcs.yaml"
    file.write_text(SOUND.replace("domain: shop", "domain: Shop").replace("version: 1.0.0", "version: x"))
    with pytest.raises(ContractInvalid) as raised:
        load_contract(file)
    assert "2 fault(s)" in str(raised.value)
    assert f"{file}:4: domain" in str(raised.value)
    assert f"{file}:6: version" in str(raised.value)


def test_a_fault_of_a_file_does_not_depend_on_where_the_file_ends(tmp_path):
    file = tmp_path / "orders.odcs.yaml"
    file.write_bytes(SOUND.encode().replace(b"\n", b"\r\n"))
    assert problems(file) == ()
    assert load_contract(file).dataset == "shop.orders"
