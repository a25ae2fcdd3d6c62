"""The commands as a person types them, on a made-up home."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from features.plan import Plan
from features.workspace import Workspace
from infra.commands.features import features
from infra.commands.training_set import training_set
from infra.settings import Settings
from tests.features.made import DEFINITIONS, flights, land, pages, workspace

ROUTE = ("tailnum=N1ZZ", "carrier=YY", "origin=BBB", "route=BBB-CCC")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return the settings of a home with silver tables and nothing else."""
    home = tmp_path_factory.mktemp("a home")
    place = workspace(home)
    for dataset, table in {**flights(), "docs.pages": pages()}.items():
        land(place, dataset, table)
    return replace(Settings(), home=home, definitions=(DEFINITIONS,))


def call(settings: Settings, command: Any, *arguments: str) -> Result:
    made = CliRunner().invoke(command, list(arguments), obj=settings)
    if made.exception is not None and not isinstance(made.exception, SystemExit):
        raise made.exception
    return made


def as_json(made: Result) -> Any:
    assert made.exit_code == 0, made.output
    return json.loads(made.stdout)


def test_the_commands_carry_silver_to_values_passages_and_a_training_set(settings: Settings) -> None:
    applied = as_json(call(settings, features, "apply", "--json"))
    assert (applied["services"], applied["training_sets"]) == (["flight_delay", "package_search"], ["flight_delay"])
    assert all(not view["up_to_date"] for view in as_json(call(settings, features, "build", "--json"))["views"])
    assert "up to date" in call(settings, features, "build", "origin_weather").output
    assert len(as_json(call(settings, features, "materialize", "--json"))["views"]) == 6

    read = as_json(call(settings, features, "get", "flight_delay", *ROUTE, "--explain", "--json"))
    values = {value["feature"]: value for value in read["features"]}
    assert values["temperature_f"]["value"] == 89.5
    assert (values["temperature_f"]["gold_version"], values["temperature_f"]["silver"]) == (1, "flights.weather")
    assert Path(values["temperature_f"]["gold"]).is_dir()
    assert {told["view"] for told in read["explained"]} == {value["view"] for value in read["features"]}
    shown = call(settings, features, "get", "flight_delay", *ROUTE, "--explain").output
    assert "flights.weather.raw.v1 partition 0: 59" in shown
    assert "gold version 1, from flights.weather" in shown

    hits = as_json(call(settings, features, "search", "time zones", "--top", "1", "--json"))["hits"]
    assert hits[0]["values"]["package"] == "clocks"
    assert "clocks" in call(settings, features, "search", "time zones").output

    manifest = as_json(call(settings, training_set, "build", "flight_delay", "--to", "2030-01-02", "--json"))
    assert manifest["rows"] == 43
    assert Path(manifest["folder"], "rows.parquet").is_file()
    assert manifest["id"] in call(settings, training_set, "build", "flight_delay", "--to", "2030-01-02").output


def test_nothing_known_of_any_entity_is_a_no(settings: Settings) -> None:
    call(settings, features, "apply")
    call(settings, features, "build")
    call(settings, features, "materialize")
    unknown = [f"{pair.split('=')[0]}=nobody" for pair in ROUTE]
    made = call(settings, features, "get", "flight_delay", *unknown)
    assert made.exit_code == 1
    assert "nothing is known of this entity" in made.output


@pytest.mark.parametrize(
    "arguments", [("get", "flight_delay", "carrier"), ("search", "x", "--top", "0"), ("materialize", "--until", "noon")]
)
def test_misuse_exits_with_2(settings: Settings, arguments: tuple[str, ...]) -> None:
    assert call(settings, features, *arguments).exit_code == 2


@pytest.mark.parametrize("command", [*features.commands.values(), *training_set.commands.values()])
def test_every_command_says_an_example_and_takes_json(command: Any) -> None:
    shown = CliRunner().invoke(command, ["--help"]).output
    assert "headwater " in shown
    assert "--json" in shown


def test_the_workspace_is_made_from_the_settings(settings: Settings, built: tuple[Workspace, Plan]) -> None:
    from infra.commands.features import workspace as made_from

    place = made_from(replace(settings, online_store="redis", redis="elsewhere:1", project="other"))
    assert (place.online_store, place.project, place.tables) == ("redis", "other", settings.tables)
    assert place.redis.nodes == (("elsewhere", 1),)
    assert type(place) is type(built[0])
