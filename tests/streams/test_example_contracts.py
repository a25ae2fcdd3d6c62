"""The examples' contracts are valid, complete, and true of every record that the examples produce."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
import pytest
import yaml
from jsonschema import Draft201909Validator

from contracts.checks import broken_checks, compiled
from contracts.connectors.files import contract_files, problems
from contracts.contract import Catalog, Contract
from contracts.masking import masks
from contracts.records import RECORD_SCHEMA
from infra.settings import PROJECT_FOLDER
from streams.clean import CleanState, process_batch
from streams.connectors.packages import packages_source
from streams.connectors.sandbox import ProcessSandbox
from streams.decode import decoded_values
from streams.flight_events import COLUMNS, DATASETS, KINDS, event_batches, span
from streams.sources import SourceBatch
from tests.streams import flights_year
from tests.streams.made import MASKING_KEY

VECTORS = Path(__file__).parents[2].parent / "shared" / "vectors"
FILES = [file for file in contract_files([PROJECT_FOLDER / "contracts"]) if file.parent.name in ("flights", "docs")]
PARTITIONS = {"flights": 4, "docs": 2}


def read(file: Path) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))
    return data


def batches_of(batches: Iterable[SourceBatch], dataset: int) -> Iterator[pa.RecordBatch]:
    """The values of one of a source's datasets, as if they lay in one raw partition."""
    offset = 0
    for batch in batches:
        values = [value for value, of in zip(batch.values, batch.datasets, strict=True) if of == dataset]
        count = len(values)
        columns = [
            pa.array([0] * count, pa.int32()),
            pa.array(range(offset, offset + count), pa.int64()),
            pa.array([0] * count, pa.int64()),
            pa.nulls(count, pa.large_binary()),
            pa.array(values, pa.large_binary()),
        ]
        offset += count
        yield pa.RecordBatch.from_arrays(columns, schema=RECORD_SCHEMA)


def dead_letters(batches: Iterator[pa.RecordBatch], contract: Contract) -> tuple[Counter[str], int]:
    """What the clean hop itself rejects, by reason, field and rule, and how many rows it lets pass."""
    sandbox = ProcessSandbox()
    state, found, rows = CleanState({}, 1_000, 4 * 1024 * 1024, sandbox, masking_key=MASKING_KEY), Counter[str](), 0
    for records in batches:
        outcome = process_batch(records, state, contract)
        state, rows = outcome.state, rows + outcome.rows.num_rows
        found.update(f"{d['reason']} {d['field']} {d['rule']}" for d in outcome.dead_letters.to_pylist())
    sandbox.close()
    return found, rows


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_contracts_are_valid_odcs(file: Path) -> None:
    schema = VECTORS / "odcs" / "schema" / "odcs-json-schema-v3.1.0.json"
    if not schema.exists():
        pytest.skip("the shared vectors are not beside this checkout")
    errors = [error.message for error in Draft201909Validator(json.loads(schema.read_text("utf-8"))).iter_errors(read(file))]
    assert errors == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_lint_finds_nothing(file: Path) -> None:
    assert problems(file) == ()


def test_every_topic_of_the_examples_has_its_contract(catalog: Catalog) -> None:
    assert {contract.dataset for contract in catalog} >= {*DATASETS, "docs.pages"}
    assert len(FILES) == 5


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_contracts_say_what_they_are_for_and_what_each_field_means(file: Path, catalog: Catalog) -> None:
    data = read(file)
    contract = catalog.contracts[f"{file.parent.name}.{data['name']}"]
    assert data["schema"][0]["name"] == data["name"] == file.name.removesuffix(".odcs.yaml")
    assert data["schema"][0]["physicalName"] == contract.raw_topic
    assert data["description"].keys() >= {"purpose", "limitations", "usage"}
    assert all(item["description"] and item["examples"] and item["classification"] for item in data["schema"][0]["properties"])
    assert contract.partitions == PARTITIONS[contract.domain]
    assert contract.key
    event_time = next(field for field in contract.fields if field.name == contract.event_time)
    assert (event_time.logical_type, event_time.required) == ("timestamp", True)


def example_values(contract: Contract) -> list[bytes]:
    """Records made of the contract's own examples: the first of each field, then the last of each."""
    return [orjson.dumps({field.name: field.examples[place] for field in contract.fields}) for place in (0, -1)]


@pytest.mark.parametrize("dataset", [*DATASETS, "docs.pages"])
def test_the_examples_in_a_contract_obey_it(dataset: str, catalog: Catalog) -> None:
    contract = catalog.contracts[dataset]
    decoded = decoded_values(pa.array(example_values(contract), pa.large_binary()), np.arange(2), contract)
    assert not decoded.rejects
    assert broken_checks(decoded.rows, contract).null_count() == 2


def test_what_can_hold_a_person_is_masked_and_flights_hold_none(catalog: Catalog) -> None:
    masked = {field.name for field in catalog.contracts["docs.pages"].fields if masks(field)}
    assert masked >= {"title", "text", "author", "author_email"}
    assert not [field.name for kind in DATASETS for field in catalog.contracts[kind].fields if masks(field)]


def test_the_frames_have_the_fields_of_their_contracts(catalog: Catalog) -> None:
    for kind, columns in COLUMNS.items():
        assert columns == tuple(field.name for field in catalog.contracts[f"flights.{kind}"].fields)


@pytest.mark.parametrize("days", [(date(2013, 3, 9), date(2013, 3, 10)), (date(2013, 11, 2), date(2013, 11, 3))])
def test_the_nights_when_clocks_change_pass_the_clean_hop(days: tuple[date, date], catalog: Catalog) -> None:
    first, end = span(flights_year.events(), *days)
    batches = list(event_batches(flights_year.events(), first, end))
    results = [dead_letters(batches_of(batches, index), catalog.contracts[name]) for index, name in enumerate(DATASETS)]
    assert [found for found, _ in results] == [Counter()] * 4
    assert sum(rows for _, rows in results) == end - first


def test_the_packages_installed_here_pass_the_clean_hop(catalog: Catalog) -> None:
    source = packages_source()
    assert dead_letters(batches_of(source.batches(), 0), catalog.contracts["docs.pages"]) == (Counter(), source.total)


@pytest.mark.slow
@pytest.mark.parametrize("index", range(4), ids=DATASETS)
def test_every_record_of_the_year_passes_the_clean_hop_but_one_wind_that_cannot_be(index: int, catalog: Catalog) -> None:
    year = flights_year.events()
    found, rows = dead_letters(batches_of(event_batches(year, 0, len(year)), index), catalog.contracts[DATASETS[index]])
    impossible = Counter({"rule_broken wind_speed_mph maximum": 1} if KINDS[index] == "weather" else {})
    assert found == impossible
    assert rows == year.frames[KINDS[index]].height - impossible.total()


BREAKS: Sequence[tuple[str, str, Any]] = [
    ("flights.scheduled", "flight_id", "UA1545"),
    ("flights.scheduled", "flight_number", 0),
    ("flights.scheduled", "distance_miles", 0),
    ("flights.scheduled", "origin", "BOS"),
    ("flights.departed", "departure_delay_minutes", -1440),
    ("flights.departed", "tailnum", "n14228"),
    ("flights.departed", "route", "IAH-EWR"),
    ("flights.arrived", "air_time_minutes", 0),
    ("flights.arrived", "destination", "Houston"),
    ("flights.weather", "humidity_percent", 101.0),
    ("flights.weather", "pressure_millibars", 29.9),
    ("flights.weather", "wind_speed_mph", -1.0),
    ("flights.weather", "wind_speed_mph", 1048.36),
    ("docs.pages", "kind", "readme"),
    ("docs.pages", "package", "Example_Package"),
    ("docs.pages", "text", ""),
    ("docs.pages", "page_id", "METADATA"),
]


@pytest.mark.parametrize(("dataset", "field", "value"), BREAKS)
def test_the_rules_catch_what_cannot_be(dataset: str, field: str, value: Any, catalog: Catalog) -> None:
    contract = catalog.contracts[dataset]
    good = orjson.loads(example_values(contract)[0])
    decoded = decoded_values(pa.array([orjson.dumps(good | {field: value})], pa.large_binary()), np.arange(1), contract)
    broken = broken_checks(decoded.rows, contract)
    assert isinstance(broken, pl.Series)
    assert compiled(contract)[broken[0]].field == field
