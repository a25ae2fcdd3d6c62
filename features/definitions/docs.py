"""Features of the docs example: searchable passages of the installed packages' documents."""

from datetime import timedelta

import pandas as pd
from feast import Entity, FeatureService, Field, ValueType
from feast.stream_feature_view import StreamFeatureView
from feast.types import Array, Float32, String

from features.sources import embedding_of, silver


def passages_of_pages(pages: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each passage of the pages. Runs wherever Feast's definitions do, so it imports what it needs."""
    from features.passages import passages_of  # noqa: PLC0415  Feast stores this function by value, without this file

    return passages_of(pages, page="page_id", text="text", title="title", sections="sections", passage="passage_id")


passage = Entity(
    name="passage",
    join_keys=["passage_id"],
    value_type=ValueType.STRING,
    description="A stretch of a page, as long as the contract says.",
)

package_passages = StreamFeatureView(
    name="package_passages",
    description="Passages of package documents, with the vector that search goes by.",
    entities=[passage],
    ttl=timedelta(days=0),
    source=silver("docs.pages", timestamp_field="collected_at", view="package_passages", current_by=["page_id"]),
    timestamp_field="collected_at",
    mode="pandas",
    udf=passages_of_pages,
    schema=[
        Field(name="passage_id", dtype=String),
        Field(name="package", dtype=String),
        Field(name="title", dtype=String),
        Field(name="section", dtype=String),
        Field(name="text", dtype=String),
        Field(
            name="embedding",
            dtype=Array(Float32),
            vector_index=True,
            vector_length=256,
            vector_search_metric="COSINE",
            tags=embedding_of("text"),
        ),
    ],
)

package_search = FeatureService(
    name="package_search", description="Which package does X? Passages by meaning.", features=[package_passages]
)
