"""The graph of lineage: our own path as one graph, and any event that OpenLineage's own examples can show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lineage import names
from lineage.events import committed, started
from lineage.facts import ColumnOrigin, Dataset, Hop, HopFacts, RunRef
from lineage.graph import Name, build_graph, components, connected, downstream, find, upstream, upstream_columns
from tests.lineage import made

EXAMPLES = Path(__file__).parents[2].parent / "shared" / "vectors" / "openlineage" / "spec" / "tests"

RAW, CLEAN = Name(made.KAFKA, made.RAW), Name(made.KAFKA, made.CLEAN)
SILVER, GOLD = Name("file", "/h/tables/silver/shop/orders"), Name("file", "/h/tables/gold/order_stats")
VIEW, SERVICE = Name("feast://headwater", "feature_view/order_stats"), Name("feast://headwater", "feature_service/fraud")
TRAINING = Name("file", "/h/training_sets/ts1")


def step(job: str, hop: Hop, source: Dataset, target: Dataset) -> dict[str, Any]:
    run = RunRef(job, hop, names.run_id(job, 1, "i"), "direct", "1", made.NOW)
    return committed(HopFacts(run, names.commit_id(job, target.name, 1), made.NOW, (source,), (target,), 1, 1)).event


def path(*, with_symlink: bool = True) -> list[dict[str, Any]]:
    """The whole way of a datum. Gold is written as a table and read as a feature view: the symlink joins the two names."""
    silver = Dataset(*SILVER, "table", column_origins=(ColumnOrigin("route", ((*CLEAN, "route"),)),))
    clean = Dataset(*CLEAN, "topic", column_origins=(ColumnOrigin("route", ((*RAW, "route"),), "TRANSFORMATION", masking=True),))
    seam = ((VIEW.namespace, VIEW.name, "FEATURE_VIEW"),) if with_symlink else ()
    gold = Dataset(*GOLD, "table", symlinks=seam, column_origins=(ColumnOrigin("mean_1h", ((*SILVER, "route"),), "GROUP_BY"),))
    return [
        step("shop.orders.clean", "clean", Dataset(*RAW, "topic"), clean),
        step("shop.orders.land", "land", Dataset(*CLEAN, "topic"), silver),
        step("order_stats.aggregate", "aggregate", Dataset(*SILVER, "table"), gold),
        step("apply", "apply", Dataset(*VIEW, "feature_view"), Dataset(*SERVICE, "feature_service")),
        step("fraud.training_set", "training_set", Dataset(*SERVICE, "feature_service"), Dataset(*TRAINING, "training_set")),
    ]


def test_the_whole_path_is_one_connected_graph() -> None:
    graph = build_graph(path())
    assert connected(graph)
    assert set(graph.datasets) == {RAW, CLEAN, SILVER, GOLD, SERVICE, TRAINING}
    assert graph.aliases == {VIEW: GOLD}


def test_without_the_symlink_the_graph_falls_apart_and_says_where() -> None:
    graph = build_graph(path(with_symlink=False))
    assert not connected(graph)
    assert components(graph) == [frozenset({RAW, CLEAN, SILVER, GOLD}), frozenset({VIEW, SERVICE, TRAINING})]


@pytest.mark.parametrize("turn", range(5))
def test_the_order_of_events_changes_nothing_but_which_of_two_names_is_used(turn: int) -> None:
    events = path()[turn:] + path()[:turn]
    graph, plain = build_graph(events), build_graph(path())
    assert connected(graph)
    assert len(graph.datasets) == len(plain.datasets)
    assert [edge.job.name for edge in upstream(graph, TRAINING)] == [edge.job.name for edge in upstream(plain, TRAINING)]


def test_upstream_goes_to_the_raw_topic_and_downstream_to_the_training_set_nearest_first() -> None:
    graph = build_graph(path())
    assert [edge.source for edge in upstream(graph, TRAINING)] == [SERVICE, GOLD, SILVER, CLEAN, RAW]
    assert [edge.target for edge in downstream(graph, RAW)] == [CLEAN, SILVER, GOLD, SERVICE, TRAINING]
    assert [edge.source for edge in upstream(graph, VIEW)] == [SILVER, CLEAN, RAW], "an alias is as good as the name"
    with pytest.raises(KeyError):
        upstream(graph, Name("file", "/nowhere"))


def test_a_column_is_followed_to_the_raw_topic_through_masking() -> None:
    steps = upstream_columns(build_graph(path()), GOLD, "mean_1h")
    assert [(s.source, s.source_column, s.how, s.masking) for s in steps] == [
        (SILVER, "route", "GROUP_BY", False),
        (CLEAN, "route", "IDENTITY", False),
        (RAW, "route", "TRANSFORMATION", True),
    ]


def test_a_loop_is_walked_once() -> None:
    topic = Dataset(*RAW, "topic", column_origins=(ColumnOrigin("a", ((*RAW, "a"),)),))
    graph = build_graph([step("loop", "clean", topic, topic)])
    assert len(upstream(graph, RAW)) == 1
    assert len(upstream_columns(graph, RAW, "a")) == 1


def test_inputs_and_outputs_told_in_different_events_of_a_job_are_joined() -> None:
    run = made.run()
    graph = build_graph([started(run, [made.raw()], instance="i").event, started(run, [], [made.clean()], instance="i").event])
    assert [edge.source for edge in upstream(graph, CLEAN)] == [RAW]


def test_a_dataset_is_found_by_any_of_its_names() -> None:
    graph = build_graph(path())
    for text in (GOLD.name, f"file:{GOLD.name}", "gold/order_stats", VIEW.name, str(VIEW)):
        assert find(graph, text) == [GOLD]
    assert find(graph, "orders.raw") == []
    assert find(graph, made.RAW) == [RAW]


def test_an_empty_ledger_is_connected() -> None:
    assert connected(build_graph([]))


def example_events() -> list[Any]:
    if not EXAMPLES.exists():
        return []
    return [pytest.param(file, id=f"{file.parent.name}/{file.stem}") for file in sorted(EXAMPLES.rglob("*.json"))]


@pytest.mark.skipif(not EXAMPLES.exists(), reason="the OpenLineage vectors are not beside the project")
@pytest.mark.parametrize("file", example_events())
def test_every_example_of_openlineage_is_taken(file: Path) -> None:
    example = json.loads(file.read_text("utf-8"))
    if "job" in example:
        build_graph([example])
        return
    dataset = {"namespace": "n", "name": "d", "facets": example, "inputFacets": example, "outputFacets": example}
    holders: list[dict[str, Any]] = [
        {"run": {"runId": "r", "facets": example}, "job": {"namespace": "n", "name": "j", "facets": example}},
        {"job": {"namespace": "n", "name": "j"}, "inputs": [dataset], "outputs": [dataset]},
        {"dataset": dataset},
    ]
    graph = build_graph(holders)
    assert Name("n", "d") in {*graph.datasets, *graph.aliases}
    assert len(graph.columns) >= len(example.get("columnLineage", {}).get("fields", ()))
    for identifier in example.get("symlinks", {}).get("identifiers", ()):
        assert Name(identifier["namespace"], identifier["name"]) in {*graph.datasets, *graph.aliases}
