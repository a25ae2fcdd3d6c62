"""Where a feature view's rows come from, in Feast's words and with nothing that differs between installations.

One helper serves every definition: `silver("flights.departed", timestamp_field="departed_at", view="carrier_departures")`
is a Kafka source on the dataset's clean topic, whose batch source is the view's gold table. So a stream engine finds the
topic, the batch engine the silver table of the same dataset, and Feast's own readers the log of finished values. Paths
count from the tables folder, which the registry's connector gives Feast as its repository path.
"""

from __future__ import annotations

from collections.abc import Sequence

from feast import FileSource, KafkaSource
from feast.data_format import DeltaFormat, JsonFormat

DATASET_TAG = "headwater.dataset"
VIEW_TAG = "headwater.view"
LAYER_TAG = "headwater.layer"
CURRENT_TAG = "headwater.current_by"
EMBEDS_TAG = "headwater.embeds"


def silver(
    dataset: str, *, timestamp_field: str, view: str, current_by: Sequence[str] = (), contract_major: int = 1
) -> KafkaSource:
    """Return the source of a view over a dataset.

    `view` is the name of the view that it is for. With `current_by`, only the latest row of each such key counts, and what
    an earlier row gave is gone: documents that are collected again.

    Of a change stream (`change: upsert`) this is the history: what held at any time can be joined, and a deleted row's
    features are null from then on.
    """
    return _source("silver", dataset, timestamp_field, view, current_by, contract_major)


def current(dataset: str, *, timestamp_field: str, view: str, contract_major: int = 1) -> KafkaSource:
    """Return the source of a view over the current table of a change stream: the newest row of each key, and no other.

    What held before cannot be joined, and a deleted row is gone: for lookups, and for text that is searched. A training set
    wants `silver`.
    """
    return _source("current", dataset, timestamp_field, view, (), contract_major)


def _source(
    layer: str, dataset: str, timestamp_field: str, view: str, current_by: Sequence[str], contract_major: int
) -> KafkaSource:
    gold = FileSource(
        name=f"gold {view}",
        path=f"gold/{view}",
        file_format=DeltaFormat(),
        timestamp_field="event_timestamp",
        created_timestamp_column="created_timestamp",
    )
    return KafkaSource(
        name=f"{dataset} for {view}",
        topic=f"{dataset}.clean.v{contract_major}",
        timestamp_field=timestamp_field,
        message_format=JsonFormat(schema_json=""),
        batch_source=gold,
        tags={DATASET_TAG: dataset, VIEW_TAG: view, CURRENT_TAG: ",".join(current_by), LAYER_TAG: layer},
    )


def embedding_of(column: str) -> dict[str, str]:
    """Return the tags of a vector field that is made from a text column of the same view."""
    return {EMBEDS_TAG: column}
