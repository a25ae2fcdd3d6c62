"""One built world for the tests that only read it: Feast takes seconds to load, so it is loaded once."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.engines.aggregate import build_gold
from features.engines.apply import apply_definitions
from features.engines.materialize import materialize
from features.plan import Plan
from features.workspace import Workspace
from tests.features.made import DEFINITIONS, OWN_DEFINITION, flights, land, measured, pages, workspace


@pytest.fixture
def own_definitions(tmp_path: Path) -> Path:
    folder = tmp_path / "definitions"
    folder.mkdir()
    (folder / "plant.py").write_text(OWN_DEFINITION, "utf-8")
    return folder


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Plan]:
    """Return a workspace, in a folder with a space in its name, whose features are applied, computed and online."""
    home = tmp_path_factory.mktemp("a home")
    (home / "own").mkdir()
    (home / "own" / "plant.py").write_text(OWN_DEFINITION, "utf-8")
    place = workspace(home, [DEFINITIONS, home / "own"])
    for dataset, table in {**flights(), "docs.pages": pages(), "plant.measured": measured()}.items():
        land(place, dataset, table)
    plan = apply_definitions(place)
    build_gold(place, plan)
    materialize(place, plan)
    return place, plan
