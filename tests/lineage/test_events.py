"""Every event against the OpenLineage schemas, against the client library's own classes, and back into facts."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from lineage import event_facets
from lineage.commits import commit_record, run_ref
from lineage.event_facets import FacetWriter
from lineage.events import LineageEvent, committed, event_id, finished, started
from lineage.facts import Assertion, ColumnMetrics, ColumnOrigin, Dataset, HopFacts, OffsetRange, Quality
from tests.lineage import made

SPEC = Path(__file__).parents[2].parent / "shared" / "vectors" / "openlineage" / "spec"
OURS = Path(event_facets.__file__).parent / "facets"

needs_vectors = pytest.mark.skipif(not SPEC.exists(), reason="the OpenLineage vectors are not beside the project")


def every_event() -> list[LineageEvent]:
    run = made.run(parent=made.PARENT)
    kinds = ("topic", "table", "feature_view", "online_store", "feature_service", "training_set", "files")
    batch = made.run(job="flight_delay.training_set", hop="training_set")
    things = tuple(Dataset("feast://headwater", f"{kind}/x y%", kind) for kind in kinds)  # type: ignore[arg-type]
    bare = HopFacts(batch, "0b6f7d0e-0000-5000-8000-000000000001", made.NOW, things, things, 0, 0)
    assertions = (Assertion("not_null", True, "required", "id"), Assertion("rows", False, "rowCount", "", "warn", "5", "4"))
    quality = Quality(19, assertions, {"amount": ColumnMetrics(18, 1, -1, 2.5), "note": ColumnMetrics(19, 0)})
    judged = HopFacts(
        made.run(job="shop.orders.test", hop="test"),
        "0b6f7d0e-0000-5000-8000-000000000002",
        made.NOW,
        (replace(made.table(), quality=quality),),
        (),
        19,
        0,
    )
    return [
        committed(judged),
        started(run, [made.raw()], [made.clean()], instance="host:41:7"),
        committed(made.facts()),
        committed(bare),
        finished(run, made.NOW),
        finished(run, made.NOW, aborted=True),
        finished(run, made.NOW, failed="broker away\n  try: headwater up"),
    ]


@cache
def registry() -> Registry:
    files = [SPEC / "OpenLineage.json", *(SPEC / "facets").glob("*.json"), *OURS.glob("*.json")]
    schemas = [json.loads(file.read_text("utf-8")) for file in files]
    return Registry().with_resources([(schema["$id"], Resource(schema, DRAFT202012)) for schema in schemas])


def validate(value: object, schema_url: str) -> None:
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$ref": schema_url}
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(schema, registry=registry(), format_checker=checker).validate(value)


def validate_whole(event: dict[str, Any]) -> None:
    """Hold an event against the spec, and each facet against its own schema, by its class and by the key it stands under."""
    validate(event, "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent")
    for name, facets in all_facets(event).items():
        for facet in facets:
            validate(facet, facet["_schemaURL"])
            validate({name: facet}, facet["_schemaURL"].partition("#")[0])


def all_facets(event: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    holders = [event["run"]["facets"], event["job"]["facets"]]
    for dataset in (*event["inputs"], *event["outputs"]):
        holders += [dataset.get(key, {}) for key in ("facets", "inputFacets", "outputFacets")]
    for facets in holders:
        for name, facet in facets.items():
            found.setdefault(name, []).append(facet)
    return found


@needs_vectors
@pytest.mark.parametrize("made_event", every_event(), ids=lambda event: event.event["eventType"])
def test_every_event_and_every_facet_obeys_its_schema(made_event: LineageEvent) -> None:
    validate_whole(made_event.event)


@needs_vectors
def test_the_events_made_here_show_every_facet_there_is() -> None:
    """So that none escapes the schemas."""
    urls = {facet["_schemaURL"] for event in every_event() for some in all_facets(event.event).values() for facet in some}
    known = {event_facets.schema_url(name) for name in (*event_facets.STANDARD, "HeadwaterRunFacet", "HeadwaterCommitRunFacet")}
    offsets = {
        event_facets.schema_url("HeadwaterOffsetsDatasetFacet", f"HeadwaterOffsets{side}DatasetFacet")
        for side in ("Input", "Output")
    }
    assert known - urls == set()
    assert urls - known <= offsets


@needs_vectors
@pytest.mark.parametrize(
    ("place", "value"),
    [(("run", "runId"), "no uuid"), (("job", "name"), 5), (("run", "facets", "headwater_commit", "recordsIn"), -1)],
)
def test_the_schemas_would_refuse_a_wrong_event(place: tuple[str, ...], value: object) -> None:
    event = copy.deepcopy(committed(made.facts()).event)
    holder: Any = event
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        validate_whole(event)


def test_the_client_librarys_own_classes_write_the_same_event() -> None:
    event_v2 = pytest.importorskip("openlineage.client.event_v2")
    serde = pytest.importorskip("openlineage.client.serde")
    for made_event in every_event():
        event = made_event.event
        theirs = event_v2.RunEvent(
            eventType=event_v2.RunState[event["eventType"]],
            eventTime=event["eventTime"],
            run=event_v2.Run(runId=event["run"]["runId"], facets=_rebuilt(event["run"]["facets"])),
            job=event_v2.Job(event["job"]["namespace"], event["job"]["name"], _rebuilt(event["job"]["facets"])),
            inputs=[_dataset(event_v2.InputDataset, dataset) for dataset in event["inputs"]],
            outputs=[_dataset(event_v2.OutputDataset, dataset) for dataset in event["outputs"]],
            producer=event["producer"],
        )
        written = serde.Serde.to_dict(theirs)
        assert _without_urls(written) == _without_urls(event)


def _dataset(kind: Any, dataset: dict[str, Any]) -> Any:
    return kind(**{key: _rebuilt(value) if key.lower().endswith("facets") else value for key, value in dataset.items()})


def _rebuilt(facets: dict[str, Any]) -> dict[str, Any]:
    """Make the library's object of each facet that it has a class for: a field it does not know is an error."""
    from openlineage.client import facet_v2

    built: dict[str, Any] = {}
    for name, facet in facets.items():
        class_name = facet["_schemaURL"].rpartition("/")[2]
        module = next((m for m in vars(facet_v2).values() if hasattr(m, class_name)), None)
        content = {key: value for key, value in facet.items() if key not in ("_producer", "_schemaURL")}
        built[name] = facet if module is None else getattr(module, class_name)(**content, producer=facet["_producer"])
    return built


def _without_urls(value: Any) -> Any:
    """Leave out what the library sets by its own release, and what is empty, which it drops or adds."""
    if isinstance(value, dict):
        kept = {key: _without_urls(part) for key, part in value.items() if key not in ("_schemaURL", "schemaURL")}
        return {key: part for key, part in kept.items() if part not in ({}, [], None)}
    return [_without_urls(part) for part in value] if isinstance(value, list) else value


def test_a_commit_told_again_by_another_process_is_the_same_event() -> None:
    assert committed(made.facts()) == committed(made.facts())
    assert committed(made.facts(0)).id != committed(made.facts(1)).id


def test_the_three_ends_of_a_run_share_one_id_and_other_events_do_not() -> None:
    run = made.run()
    assert len({event_id(kind, run.run_id) for kind in ("COMPLETE", "ABORT", "FAIL")}) == 1
    assert len({event_id(kind, run.run_id) for kind in ("START", "RUNNING", "COMPLETE")}) == 3


def test_only_jobs_that_run_for_ever_are_said_to_stream() -> None:
    kinds = {hop: FacetWriter("1").job(hop)["jobType"]["processingType"] for hop in event_facets.WHAT_A_HOP_DOES}
    assert {hop for hop, kind in kinds.items() if kind == "STREAMING"} == {"clean", "land", "current", "archive"}


def test_a_column_that_decides_on_rows_is_an_indirect_origin() -> None:
    origin = ColumnOrigin("mean", (("file", "/t", "route"),), "GROUP_BY")
    step = FacetWriter("1").column_lineage([origin])["fields"]["mean"]["inputFields"][0]["transformations"][0]
    assert step == {"type": "INDIRECT", "subtype": "GROUP_BY", "masking": False}


def test_a_commit_read_back_says_what_its_facts_said() -> None:
    facts = made.facts(position=2)
    record = commit_record(json.loads(json.dumps(committed(facts).event)))
    assert record is not None
    for name in ("commit_id", "committed_at", "records_in", "records_out", "duplicates", "repeated", "seconds", "contract"):
        assert getattr(record, name) == getattr(facts, name)
    assert record.dead_letters == facts.dead_letters
    assert (record.job, record.hop, record.engine, record.run_id) == (facts.run.job, "clean", "direct", facts.run.run_id)
    assert record.offsets == (OffsetRange(made.RAW, 0, 20, 29), OffsetRange(made.RAW, 1, 20, 29))
    assert record.outputs[1] == ("file", "/data/my tables/silver/shop/orders", 4)


def test_a_run_read_back_is_the_run_and_its_instance_stands_in_start_alone() -> None:
    run = made.run(parent=made.PARENT)
    assert run_ref(started(run, instance="host:41:7").event) == (run, "host:41:7")
    assert run_ref(finished(run, made.NOW).event) == (run, None)
    assert "instance" not in json.dumps(committed(made.facts()).event)


def test_an_event_of_another_producer_is_nobodys_commit() -> None:
    foreign = {"eventType": "COMPLETE", "run": {"runId": "x"}, "job": {"namespace": "dbt", "name": "orders"}}
    assert commit_record(foreign) is None
    assert run_ref(foreign) is None


def test_times_are_told_in_utc_and_a_time_without_a_zone_is_refused() -> None:
    later = made.NOW.astimezone(timezone(timedelta(hours=5)))
    assert finished(made.run(), later).event["eventTime"] == "2026-03-01T12:00:00.000250Z"
    with pytest.raises(ValueError, match="zone"):
        finished(made.run(), datetime(2026, 3, 1))  # noqa: DTZ001
