"""What installed packages say of themselves becomes pages, the same ones in the same order each time."""

from __future__ import annotations

import os
from pathlib import Path

import orjson
import pytest

from contracts.contract import Catalog
from contracts.errors import NotFound
from streams.connectors.packages import installed_pages, packages_source
from streams.pages import Page, is_license

WRITTEN = 1_769_860_800
"""2026-01-31T12:00:00Z."""

METADATA = """Metadata-Version: 2.4
Name: Made_Up.Package
Version: 1.2.0rc1
Summary: Folds
  paper cranes
Author: Ada Example
Author-email: Ada Example <ada@example.org>
Description-Content-Type: text/markdown; charset=UTF-8; variant=GFM
License-File: LICENSE

# Cranes

Fold them.
"""


def install(folder: Path, name: str = "made_up_package-1.2.0rc1", **files: str | bytes) -> Path:
    """Write a dist-info folder; `__` in a file's name is a folder's slash."""
    dist_info = folder / f"{name}.dist-info"
    for path, content in files.items():
        file = dist_info / path.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        os.utime(file, (WRITTEN + 0.75, WRITTEN + 0.75))
    return dist_info


def only_page(folder: Path) -> Page:
    (page,) = installed_pages([folder])
    return page


def test_a_description_becomes_a_page(tmp_path: Path) -> None:
    install(tmp_path, METADATA=METADATA)
    assert only_page(tmp_path) == Page(
        page_id="made-up-package/METADATA",
        package="made-up-package",
        package_version="1.2.0rc1",
        kind="metadata",
        title="Folds paper cranes",
        content_type="text/markdown",
        text="# Cranes\n\nFold them.\n",
        author="Ada Example",
        author_email="Ada Example <ada@example.org>",
        collected_at="2026-01-31T12:00:00Z",
    )


def test_a_licence_file_becomes_a_page_without_an_author(tmp_path: Path) -> None:
    install(tmp_path, METADATA=METADATA, licenses__vendor__COPYING="Fold freely.")
    page = next(page for page in installed_pages([tmp_path]) if page.kind == "license")
    assert (page.page_id, page.title, page.text) == ("made-up-package/licenses/vendor/COPYING", "COPYING", "Fold freely.")
    assert (page.author, page.author_email, page.content_type) == (None, None, "text/plain")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("LICENSE", True),
        ("LICENCE.txt", True),
        ("NOTICE.md", True),
        ("AUTHORS.rst", True),
        ("licenses/src/anything", True),
        ("RECORD", False),
        ("sboms/LICENSE.json", False),
        ("top_level.txt", False),
    ],
)
def test_licences_are_told_from_other_files(path: str, expected: bool) -> None:
    assert is_license(path) is expected


def test_bytes_that_are_no_text_are_replaced_and_lose_nothing_else(tmp_path: Path) -> None:
    install(tmp_path, METADATA=METADATA.encode() + b"caf\xe9 au lait\n")
    assert only_page(tmp_path).text.endswith("Fold them.\ncaf\ufffd au lait\n")


def test_a_package_without_a_description_shows_its_summary(tmp_path: Path) -> None:
    install(tmp_path, METADATA="Name: plain\nVersion: 1\nSummary: Folds paper\nAuthor: UNKNOWN\n")
    page = only_page(tmp_path)
    assert (page.text, page.author) == ("Folds paper", None)


def test_a_description_in_the_headers_counts_as_well(tmp_path: Path) -> None:
    install(tmp_path, METADATA="Name: old\nVersion: 1\nDescription: How to fold\n")
    assert only_page(tmp_path).text == "How to fold"


@pytest.mark.parametrize("content", ["Version: 1\n", "", "Name: silent\nVersion: 1\n"])
def test_packages_that_say_nothing_are_left_out(tmp_path: Path, content: str) -> None:
    install(tmp_path, METADATA=content)
    install(tmp_path, "left_over-1", RECORD="")
    assert installed_pages([tmp_path]) == []


def test_a_package_found_twice_counts_where_python_finds_it_first(tmp_path: Path) -> None:
    install(tmp_path / "first", METADATA=METADATA.replace("Fold them", "Fold it"))
    install(tmp_path / "second", METADATA=METADATA)
    (page,) = installed_pages([tmp_path / "first", tmp_path / "second"])
    assert "Fold it" in page.text


def test_the_source_is_in_the_order_of_page_ids_and_named_by_its_content(tmp_path: Path) -> None:
    install(tmp_path, "b-1", METADATA="Name: b\nVersion: 1\nSummary: later\n", LICENSE="Take it.")
    install(tmp_path, "a-1", METADATA="Name: a\nVersion: 1\nSummary: sooner\n")
    source, again = packages_source([tmp_path]), packages_source([tmp_path])
    (batch,) = source.batches()
    assert batch.keys == (b"a/METADATA", b"b/LICENSE", b"b/METADATA")
    assert batch.event_times_us == (WRITTEN * 1_000_000,) * 3
    assert (source.id, list(source.batches())) == (again.id, list(again.batches()))
    install(tmp_path, "a-1", METADATA="Name: a\nVersion: 2\nSummary: sooner\n")
    assert packages_source([tmp_path]).id != source.id


def test_a_folder_without_packages_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no package"):
        packages_source([tmp_path])


def test_the_packages_installed_here_make_pages_in_the_order_of_the_contract(catalog: Catalog) -> None:
    filled_by_the_clean_hop = {"language", "sections"}
    names = tuple(field.name for field in catalog.contracts["docs.pages"].fields if field.name not in filled_by_the_clean_hop)
    source = packages_source()
    values = [value for batch in source.batches() for value in batch.values]
    ids = [orjson.loads(value)["page_id"] for value in values]
    assert len(values) == source.total > 100
    assert ids == sorted(set(ids))
    assert {tuple(orjson.loads(value)) for value in values} == {names}
