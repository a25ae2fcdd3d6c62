"""Find the Python packages that are installed, and give what they say of themselves as a source of documents.

Only files are read, nothing is imported. What becomes of them is `streams.pages`. The order is that of the page ids, and
the source's id is a hash over all pages: the same installation gives the same bytes, a changed one is a new source.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.message import Message
from pathlib import Path

from contracts.errors import NotFound
from lineage.facts import Dataset
from streams import pages
from streams.pages import DATASET, Package, Page
from streams.sources import Source, SourceBatch

BATCH_RECORDS = 500
FINGERPRINT_DIGITS = 12


def packages_source(folders: Sequence[Path] | None = None) -> Source:
    """Return the pages of all packages installed in the folders (the ones Python imports from, if not given).

    All pages are held in memory, a few MB. Raises NotFound if no package is there.
    """
    searched = import_folders() if folders is None else list(folders)
    found = installed_pages(searched)
    if not found:
        raise NotFound("no package is installed here", expected="*.dist-info", where=", ".join(map(str, searched)))
    records = [(page.key(), page.value(), _microseconds(page)) for page in found]
    digest = hashlib.sha256(b"".join(hashlib.sha256(value).digest() for _, value, _ in records)).hexdigest()

    def batches() -> Iterator[SourceBatch]:
        for first in range(0, len(records), BATCH_RECORDS):
            keys, values, times = zip(*records[first : first + BATCH_RECORDS], strict=True)
            yield SourceBatch(first, [0] * len(values), keys, values, times)

    return Source(
        id=f"packages-{digest[:FINGERPRINT_DIGITS]}",
        datasets=(DATASET,),
        batches=batches,
        inputs={DATASET: tuple(Dataset("file", str(folder), "files") for folder in searched if _dist_infos(folder))},
        total=len(records),
    )


def installed_pages(folders: Sequence[Path]) -> list[Page]:
    """Return the pages of the packages in the folders, by page id. A package found twice counts where Python finds it first."""
    packages: dict[str, list[Page]] = {}
    for folder in folders:
        for dist_info in _dist_infos(folder):
            read = _read_metadata(dist_info)
            if read is not None and read[0].name not in packages:
                packages[read[0].name] = list(_pages_of(dist_info, *read))
    return sorted((page for of_one in packages.values() for page in of_one), key=lambda page: page.page_id)


def _pages_of(dist_info: Path, package: Package, message: Message) -> Iterator[Page]:
    described = pages.metadata_page(package, message, _written_at(dist_info / pages.METADATA_FILE))
    if described is not None:
        yield described
    for file in sorted(dist_info.rglob("*")):
        path = file.relative_to(dist_info).as_posix()
        if pages.is_license(path) and file.is_file():
            page = pages.license_page(package, path, file.read_bytes(), _written_at(file))
            if page is not None:
                yield page


def _read_metadata(dist_info: Path) -> tuple[Package, Message] | None:
    """Return None for a folder that an interrupted uninstall left without its METADATA."""
    file = dist_info / pages.METADATA_FILE
    return pages.described(file.read_bytes()) if file.is_file() else None


def import_folders() -> list[Path]:
    """Return the folders that Python imports from, in its order."""
    return list(dict.fromkeys(Path(entry).resolve() for entry in sys.path if entry and Path(entry).is_dir()))


def _dist_infos(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.dist-info"))


def _written_at(file: Path) -> str:
    return f"{datetime.fromtimestamp(int(file.stat().st_mtime), UTC):%Y-%m-%dT%H:%M:%SZ}"


def _microseconds(page: Page) -> int:
    return int(datetime.fromisoformat(page.collected_at).timestamp()) * 1_000_000
