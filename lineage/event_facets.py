"""OpenLineage facets, each from the facts it shows: dicts of JSON types, with the schema each one obeys.

Standard facets are of the schema versions named in `STANDARD`; ours are described by the JSON schemas in
`lineage/facets/`, whose `$id` is the stable name that `_schemaURL` carries. What one commit did to a dataset (counts,
offset ranges) stands in its input or output facets, what the dataset is (schema, names, type) in its dataset facets.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from lineage.facts import About, Assertion, Column, ColumnMetrics, ColumnOrigin, Dataset, Hop, HopFacts, OffsetRange, RunRef
from lineage.moments import iso

Facet = dict[str, Any]

SPEC = "https://openlineage.io/spec"
EVENT_SCHEMA = f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
STANDARD = {
    "ColumnLineageDatasetFacet": "1-2-0",
    "DataQualityAssertionsDatasetFacet": "1-1-0",
    "DataQualityMetricsInputDatasetFacet": "1-0-3",
    "DatasetTypeDatasetFacet": "1-0-1",
    "DatasetVersionDatasetFacet": "1-0-1",
    "DatasourceDatasetFacet": "1-0-1",
    "DocumentationDatasetFacet": "1-1-0",
    "DocumentationJobFacet": "1-1-0",
    "ErrorMessageRunFacet": "1-0-1",
    "InputStatisticsInputDatasetFacet": "1-0-0",
    "JobTypeJobFacet": "2-0-4",
    "OutputStatisticsOutputDatasetFacet": "1-0-2",
    "OwnershipDatasetFacet": "1-0-1",
    "ParentRunFacet": "1-2-0",
    "ProcessingEngineRunFacet": "1-1-1",
    "SchemaDatasetFacet": "1-2-0",
    "StorageDatasetFacet": "1-0-1",
    "SymlinksDatasetFacet": "1-0-1",
    "TagsDatasetFacet": "1-0-0",
}
OURS = {
    "HeadwaterRunFacet": "1-0-0",
    "HeadwaterCommitRunFacet": "1-0-0",
    "HeadwaterOffsetsDatasetFacet": "1-0-0",
    "HeadwaterMaskingDatasetFacet": "1-0-0",
}

STREAMING_HOPS = frozenset({"clean", "land", "current", "archive"})
"""Hops whose runs have no end of their own: Marquez draws a running job only if it is told so."""

INDIRECT = frozenset({"JOIN", "GROUP_BY", "FILTER", "SORT", "WINDOW", "CONDITIONAL"})
"""Subtypes of columns that decide which rows there are, not what stands in them."""

DATASET_TYPES = {
    "topic": ("TOPIC", ""),
    "table": ("TABLE", ""),
    "feature_view": ("VIEW", "FEATURE_VIEW"),
    "online_store": ("TABLE", "ONLINE_STORE"),
    "feature_service": ("VIEW", "FEATURE_SERVICE"),
    "training_set": ("FILE", "TRAINING_SET"),
    "files": ("FILE", ""),
}

WHAT_A_HOP_DOES: dict[Hop, str] = {
    "produce": "Writes the records of a source to a raw topic.",
    "clean": "Checks the records of a raw topic against their contract and masks them; what breaks it is a dead letter.",
    "land": "Writes the records of a clean topic, and its dead letters, to Delta tables: one row per raw record.",
    "current": "Merges a change stream's history into the newest row of each key.",
    "fold": "Finds exact and near duplicates among a silver table's rows, and names the row that stands for each.",
    "archive": "Keeps the records of a raw topic in a Delta table, sealed under a key per subject.",
    "replay": "Sends quarantined or archived records through today's contract and code, and puts the tables right.",
    "backfill": "Cleans archived records that no table holds yet into silver and quarantine.",
    "aggregate": "Computes a feature view's values as of event time from silver tables.",
    "materialize": "Copies the latest values of a feature view to the online store.",
    "apply": "Enters feature definitions into the registry.",
    "test": "Holds the rows of a silver table against the rules of its contract, with Great Expectations.",
    "training_set": "Joins the features of a service to labelled rows, as they were at each row's time.",
}


def producer(code_version: str) -> str:
    """Return the URI of the code that speaks."""
    return f"urn:headwater:code:{quote(code_version or 'unknown', safe='')}"


def schema_url(facet_class: str, definition: str = "") -> str:
    """Return the name of a facet's schema: the spec's for a standard facet, ours for our own."""
    if facet_class in OURS:
        return f"urn:headwater:facet:{OURS[facet_class]}:{facet_class}#/$defs/{definition or facet_class}"
    return f"{SPEC}/facets/{STANDARD[facet_class]}/{facet_class}.json#/$defs/{facet_class}"


class FacetWriter:
    """Makes facets in the name of one code version. Pure: the same facts give the same facets."""

    def __init__(self, code_version: str) -> None:
        self.producer = producer(code_version)

    def run(self, run: RunRef, namespace: str, instance: str | None = None) -> Facet:
        """Return a run's own facets. `instance` is known to the process that starts the run, and stands in START alone."""
        name, _, engine_version = run.engine.partition("/")
        facets = {
            "processing_engine": self._facet(
                "ProcessingEngineRunFacet",
                name=name,
                version=engine_version or run.code_version or "unknown",
                openlineageAdapterVersion=run.code_version,
            ),
            "headwater_run": self._facet(
                "HeadwaterRunFacet",
                hop=run.hop,
                engine=run.engine,
                codeVersion=run.code_version,
                startedAt=iso(run.started_at),
                **({} if instance is None else {"instance": instance}),
            ),
        }
        if run.parent is not None:
            parent = {"run": {"runId": run.parent.run_id}, "job": {"namespace": namespace, "name": run.parent.job}}
            facets["parent"] = self._facet("ParentRunFacet", **parent)
        return facets

    def commit(self, facts: HopFacts) -> Facet:
        """Return the facet with everything that a commit's facts count."""
        contract = facts.contract
        return self._facet(
            "HeadwaterCommitRunFacet",
            commitId=facts.commit_id,
            committedAt=iso(facts.committed_at),
            recordsIn=facts.records_in,
            recordsOut=facts.records_out,
            deadLetters=dict(facts.dead_letters),
            duplicates=facts.duplicates,
            repeated=facts.repeated,
            **({"discarded": dict(facts.discarded)} if facts.discarded else {}),
            microseconds=round(facts.seconds * 1_000_000),
            **(
                {}
                if contract is None
                else {"contract": {"id": contract.id, "contractVersion": contract.contract_version, "hash": contract.hash}}
            ),
        )

    def error(self, message: str) -> Facet:
        """Return the facet of a run that failed."""
        return self._facet("ErrorMessageRunFacet", message=message, programmingLanguage="PYTHON")

    def job(self, hop: Hop) -> Facet:
        """Return a job's facets: what it does, and whether it ends by itself."""
        streaming = hop in STREAMING_HOPS
        return {
            "jobType": self._facet(
                "JobTypeJobFacet",
                processingType="STREAMING" if streaming else "BATCH",
                integration="HEADWATER",
                jobType="TASK",
                emissionPattern={"eventTrigger": "EVENT_BASED", "eventContentMode": "ACCUMULATIVE"},
            ),
            "documentation": self._facet("DocumentationJobFacet", description=WHAT_A_HOP_DOES[hop], contentType="text/plain"),
        }

    def dataset(self, dataset: Dataset) -> Facet:
        """Return what a dataset is, whoever reads or writes it."""
        word, subtype = DATASET_TYPES[dataset.kind]
        facets = {
            "datasetType": self._facet("DatasetTypeDatasetFacet", datasetType=word, **({"subType": subtype} if subtype else {})),
            "dataSource": self._facet("DatasourceDatasetFacet", name=dataset.namespace, uri=_source_uri(dataset.namespace)),
        }
        if dataset.kind == "table":
            facets["storage"] = self._facet("StorageDatasetFacet", storageLayer="delta", fileFormat="parquet")
        if dataset.columns:
            facets["schema"] = self._facet("SchemaDatasetFacet", fields=_fields(dataset.columns))
        if dataset.table_version is not None:
            facets["version"] = self._facet("DatasetVersionDatasetFacet", datasetVersion=str(dataset.table_version))
        if dataset.symlinks:
            names = [{"namespace": space, "name": name, "type": kind} for space, name, kind in dataset.symlinks]
            facets["symlinks"] = self._facet("SymlinksDatasetFacet", identifiers=names)
        return facets | self._about(dataset.about)

    def _about(self, about: About) -> Facet:
        """Return what people are told of a dataset: what it means, who owns it, how its fields are classified."""
        facets = {}
        if about.documentation:
            facets["documentation"] = self._facet(
                "DocumentationDatasetFacet", description=about.documentation, contentType="text/plain"
            )
        if about.owners:
            owners = [{"name": name, "type": kind} for name, kind in about.owners]
            facets["ownership"] = self._facet("OwnershipDatasetFacet", owners=owners)
        if about.tags:
            tags = [
                {"key": tag.key, "value": tag.value, "source": tag.source, **({"field": tag.field} if tag.field else {})}
                for tag in about.tags
            ]
            facets["tags"] = self._facet("TagsDatasetFacet", tags=tags)
        return facets

    def input(self, dataset: Dataset) -> Facet:
        """Return what one commit read of a dataset."""
        facets = self._measured(
            dataset, "inputStatistics", "InputStatisticsInputDatasetFacet", "HeadwaterOffsetsInputDatasetFacet"
        )
        return facets | self._quality(dataset)

    def output(self, dataset: Dataset) -> Facet:
        """Return what one commit wrote to a dataset."""
        return self._measured(
            dataset, "outputStatistics", "OutputStatisticsOutputDatasetFacet", "HeadwaterOffsetsOutputDatasetFacet"
        )

    def column_lineage(self, origins: Iterable[ColumnOrigin]) -> Facet:
        """Return which input columns each output column is made from, and how."""
        fields = {
            origin.column: {
                "inputFields": [
                    {"namespace": space, "name": name, "field": column, "transformations": [_transformation(origin)]}
                    for space, name, column in origin.inputs
                ]
            }
            for origin in origins
        }
        return self._facet("ColumnLineageDatasetFacet", fields=fields)

    def _quality(self, dataset: Dataset) -> Facet:
        """Return what a validation found: each rule's verdict, and counts by column."""
        found = dataset.quality
        if found is None:
            return {}
        metrics = {name: _metrics(column) for name, column in sorted(found.columns.items())}
        return {
            "dataQualityAssertions": self._facet(
                "DataQualityAssertionsDatasetFacet", assertions=[_assertion(made) for made in found.assertions]
            ),
            "dataQualityMetrics": self._facet("DataQualityMetricsInputDatasetFacet", rowCount=found.rows, columnMetrics=metrics),
        }

    def _measured(self, dataset: Dataset, key: str, facet_class: str, definition: str) -> Facet:
        counts = {"rowCount": dataset.rows, "size": dataset.bytes, "fileCount": dataset.files}
        known = {name: count for name, count in counts.items() if count is not None}
        facets = {key: self._facet(facet_class, **known)} if known else {}
        if dataset.offsets:
            ranges = [
                _range(span) for span in sorted(dataset.offsets, key=lambda span: (span.topic, span.partition, span.first_offset))
            ]
            facets["headwater_offsets"] = {
                "_producer": self.producer,
                "_schemaURL": schema_url("HeadwaterOffsetsDatasetFacet", definition),
                "ranges": ranges,
            }
        if dataset.masked:
            facets["headwater_masking"] = self._facet(
                "HeadwaterMaskingDatasetFacet",
                masked=[
                    {"field": m.field, "kind": m.kind, "kindVersion": m.kind_version, "count": m.count} for m in dataset.masked
                ],
            )
        return facets

    def _facet(self, facet_class: str, **content: Any) -> Facet:
        return {"_producer": self.producer, "_schemaURL": schema_url(facet_class), **content}


def _fields(columns: Iterable[Column]) -> list[dict[str, Any]]:
    return [
        {
            "name": column.name,
            "type": column.type,
            **({"description": column.description} if column.description else {}),
            "ordinal_position": place,
            **({"fields": _fields(column.within)} if column.within else {}),
        }
        for place, column in enumerate(columns, start=1)
    ]


def _assertion(made: Assertion) -> dict[str, Any]:
    told = {"assertion": made.assertion, "success": made.success, "name": made.name, "severity": made.severity}
    more = {"column": made.column, "expected": made.expected, "actual": made.actual}
    return told | {name: text for name, text in more.items() if text}


def _metrics(column: ColumnMetrics) -> dict[str, Any]:
    bounds = {"min": column.minimum, "max": column.maximum}
    known = {name: bound for name, bound in bounds.items() if bound is not None}
    return {"count": column.count, "nullCount": column.nulls, **known}


def _range(span: OffsetRange) -> dict[str, Any]:
    return {
        "topic": span.topic,
        "partition": span.partition,
        "firstOffset": span.first_offset,
        "lastOffset": span.last_offset,
    }


def _transformation(origin: ColumnOrigin) -> dict[str, Any]:
    kind = "INDIRECT" if origin.subtype in INDIRECT else "DIRECT"
    return {"type": kind, "subtype": origin.subtype, "masking": origin.masking}


def _source_uri(namespace: str) -> str:
    """Return the namespace as a URI: `file` is the one namespace of the naming spec that is none by itself."""
    return quote(namespace, safe=":/@[]%") if "://" in namespace else f"{quote(namespace, safe='')}:///"
