"""Versions of one contract side by side: which are in force, and which of them judges a record."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.connectors.files import load_catalog
from contracts.errors import ContractInvalid
from contracts.versions import followed
from tests.contracts.made import SOUND

MORE = "      - name: paid\n        logicalType: boolean\n"


def text(version: str, more: str = "", status: str = "active") -> str:
    return SOUND.replace("version: 1.0.0", f"version: {version}").replace("status: active", f"status: {status}") + more


def catalog_of(folder: Path, *texts: str):
    for number, each in enumerate(texts):
        (folder / f"orders.v{number}.odcs.yaml").write_text(each, "utf-8")
    return load_catalog([folder])


def test_the_newest_active_version_stands_for_the_dataset_with_the_older_ones_beside_it(tmp_path: Path):
    (contract,) = catalog_of(tmp_path, text("1.9.0"), text("1.10.0", MORE), text("1.2.0", status="deprecated"))
    assert contract.contract_version == "1.10.0"
    assert [other.contract_version for other in contract.others] == ["1.9.0", "1.2.0"]
    assert "paid" in contract.others[0].reserved


def test_drafts_and_retired_versions_are_not_in_force(tmp_path: Path):
    (contract,) = catalog_of(tmp_path, text("1.0.0"), text("1.1.0", MORE, "draft"), text("1.0.1", status="retired"))
    assert contract.contract_version == "1.0.0"
    assert contract.withdrawn == {"1.1.0", "1.0.1"}
    assert followed(contract, "1.1.0") is None
    assert followed(contract, "1.0.1") is None


def test_one_file_alone_is_in_force_whatever_its_status(tmp_path: Path):
    (contract,) = catalog_of(tmp_path, text("1.0.0", status="draft"))
    assert followed(contract, "1.0.0") is contract


@pytest.mark.parametrize(
    ("said", "judge"),
    [
        ("1.2.0", "1.2.0"),
        ("1.0.0", "1.0.0"),
        ("1.1.7", "1.2.0"),
        ("1.0.1", "1.2.0"),
        ("1.3.0", None),
        ("0.9.0", None),
        ("2.0.0", None),
    ],
)
def test_a_record_is_judged_by_the_version_it_says_or_the_next_newer_of_its_major(tmp_path: Path, said: str, judge: str | None):
    (contract,) = catalog_of(tmp_path, text("1.0.0"), text("1.2.0", MORE))
    found = followed(contract, said)
    assert (found.contract_version if found else None) == judge


def test_a_version_that_breaks_with_one_beside_it_is_refused_with_what_breaks(tmp_path: Path):
    with pytest.raises(ContractInvalid, match=r"1\.1\.0 stands beside 1\.0\.0 and breaks with it: weight"):
        catalog_of(tmp_path, text("1.0.0"), text("1.1.0").replace("name: weight", "name: mass"))


def test_the_same_version_twice_is_refused(tmp_path: Path):
    with pytest.raises(ContractInvalid, match="described twice"):
        catalog_of(tmp_path, text("1.0.0"), text("1.0.0", MORE))


def test_majors_are_datasets_of_their_own_with_topics_of_one_name(tmp_path: Path):
    first, second = catalog_of(tmp_path, text("1.0.0"), text("2.1.0", MORE))
    assert (first.dataset, second.dataset) == ("shop.orders", "shop.orders_v2")
    assert (first.raw_topic, second.raw_topic) == ("shop.orders.raw.v1", "shop.orders.raw.v2")
    assert (second.clean_topic, second.dead_letter_topic) == ("shop.orders.clean.v2", "shop.orders.dlq.v2")
    assert second.stem == first.stem == "shop.orders"
