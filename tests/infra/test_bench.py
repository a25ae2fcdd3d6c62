"""The benchmarks' frame, by arithmetic; and each benchmark once, tiny: that it runs and tells, not how fast it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.connectors.files import load_catalog, load_contract
from contracts.errors import TerminalError
from infra.bench import place, records
from infra.bench.frame import Ratio, Report, interleaved, percentile, ratio_of, spread
from infra.bench.table import BENCHES
from infra.process_table import running_with
from infra.settings import PROJECT_FOLDER, Settings
from tests.conftest import JARS
from tests.redis_servers import needs_redis
from tests.streams.made import MASKING_KEY

MACHINE = {"cores": 2, "cpu": "a CPU", "memory_gib": 24.0, "load": 0.1}


def test_sides_take_turns_and_every_other_round_goes_backwards() -> None:
    ran: list[tuple[str, int]] = []

    def side(name: str) -> Any:
        def run(number: int) -> Mapping[str, float]:
            ran.append((name, number))
            return {"speed": float(number)}

        return run

    measured = interleaved(3, {"a": side("a"), "b": side("b")})
    assert ran == [("a", 0), ("b", 0), ("b", 1), ("a", 1), ("a", 2), ("b", 2)]
    assert measured == {name: [{"speed": 0.0}, {"speed": 1.0}, {"speed": 2.0}] for name in ("a", "b")}


def test_no_rounds_measure_nothing_and_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        interleaved(0, {})


def test_a_ratio_is_taken_within_each_round_and_not_of_the_medians() -> None:
    ratio = ratio_of("a / b", [10.0, 40.0, 90.0], [20.0, 40.0, 30.0], 0.9)
    assert ratio.values == (0.5, 1.0, 3.0)
    assert ratio.median == 1.0
    assert ratio.met


def test_sides_of_different_rounds_are_not_compared() -> None:
    with pytest.raises(ValueError, match="zip"):
        ratio_of("a / b", [1.0, 2.0], [1.0], 1.0)


@pytest.mark.parametrize(("at_most", "met"), [(False, False), (True, True)])
def test_a_goal_is_a_floor_or_a_ceiling(at_most: bool, met: bool) -> None:
    assert Ratio("a / b", (0.9,), 1.0, at_most).met is met
    assert Ratio("a / b", (1.0,), 1.0, at_most).met, "the goal itself is good enough"


def test_a_report_says_plainly_that_a_goal_is_missed() -> None:
    report = Report("some", {"slow": Ratio("a / b", (0.1, 0.2, 0.4), 0.5)}, {"records": 1000}, ("as it is",), MACHINE)
    data = json.loads(json.dumps(report.as_data()))
    assert data["bench"] == "some"
    assert data["machine"]["cores"] == 2
    assert {key: data["ratios"]["slow"][key] for key in ("median", "low", "high", "goal", "met")} == {
        "median": 0.2,
        "low": 0.1,
        "high": 0.4,
        "goal": 0.5,
        "met": False,
    }
    assert not report.met
    assert "MISSED" in report.as_text()
    assert "records: 1,000" in report.as_text()


@given(st.lists(st.floats(0, 1e9), min_size=1), st.sampled_from([0.01, 0.5, 0.9, 0.99, 1.0]))
def test_a_percentile_is_a_value_that_enough_values_do_not_exceed(values: list[float], part: float) -> None:
    found = percentile(values, part)
    assert sum(value <= found for value in values) >= part * len(values)
    assert sum(value < found for value in values) < part * len(values)


def test_spread_holds_its_median() -> None:
    assert spread([3.0, 1.0, 2.0]) == {"median": 2.0, "low": 1.0, "high": 3.0}


def test_the_records_are_the_same_each_time_and_hold_what_they_promise() -> None:
    made = list(records.values(2_000))
    assert made == list(records.values(2_000))
    assert len(set(made)) == len(made), "no record is an exact duplicate"
    assert 900 < sum(map(len, made)) / len(made) < 1_100
    assert sum(b"@example.org" in value for value in made) == 200


def test_every_record_obeys_the_benchmarks_contract_and_loses_its_personal_data() -> None:
    from streams.batches import binary_array
    from streams.clean import CleanState, process_batch
    from tests.infra.bench_batch import raw_batch

    [contract] = load_catalog([records.CONTRACTS])
    made = list(records.values(500))
    outcome = process_batch(raw_batch(binary_array(made)), CleanState({}, 1_000, 1 << 20, masking_key=MASKING_KEY), contract)
    assert outcome.rows.num_rows == 500
    texts = " ".join(outcome.rows["text"].to_pylist())
    assert texts.count("<email:") == 50
    assert "@" not in texts
    assert "192.0.2" not in texts
    assert "212 555" not in texts


@pytest.mark.servers
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "count"),
    [("clean", 3_000), ("land", 3_000), ("checks", 500), ("object-store", 2_000), ("year", 10), ("backfill", 2_000)],
)
def test_a_benchmark_runs_tells_and_leaves_nothing(name: str, count: int, tmp_path: Path) -> None:
    home = tmp_path / "home"
    settings = Settings(home=home, jars=JARS)
    environ = {**os.environ, **settings.environ(), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "infra.main", "bench", name, "--rounds", "1", "--count", str(count), "--json"]
    ended = subprocess.run(command, cwd=PROJECT_FOLDER, env=environ, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode in (0, 1), ended.stderr
    told = json.loads(ended.stdout)
    assert told["bench"] == name
    assert {"median", "low", "high", "goal", "met"} <= set(next(iter(told["ratios"].values())))
    assert all(ratio["met"] for ratio in told["ratios"].values()) is (ended.returncode == 0)
    assert not list(tmp_path.glob("headwater-bench-*")), "the temporary home is gone"
    assert not running_with(str(tmp_path)), "no process is left"


def test_every_benchmark_in_the_table_can_be_loaded() -> None:
    from infra.bench.table import bench

    assert all(callable(bench(name)) for name in BENCHES)


def test_a_side_that_lost_records_is_no_measurement() -> None:
    with pytest.raises(TerminalError, match="9"):
        place.demand("records landed", 9, 10)


def test_the_benchmark_of_near_duplicates_runs_on_few_documents(tmp_path: Path) -> None:
    from infra.bench.table import bench

    report = bench("near-duplicates")(Settings(home=tmp_path), 1, 25)
    assert report.ratios["recall"].met
    assert report.ratios["precision"].met
    assert report.figures["documents"] == 125
    assert "speed" in report.as_text()


def test_the_benchmark_of_masking_runs_on_few_texts(tmp_path: Path) -> None:
    from infra.bench.table import bench
    from streams.recognise import TYPES_WITH_NAMES

    report = bench("mask")(Settings(home=tmp_path), 1, 150)
    assert report.ratios["recall"].met
    assert report.ratios["f2"].met
    assert set(report.figures["by_type"]) == set(TYPES_WITH_NAMES)
    assert set(report.figures["by_type"]["email"]) == {"headwater", "presidio"}
    assert "speed" in report.as_text()


def test_each_of_the_benchmarks_twenty_rules_names_the_record_that_breaks_it_and_lets_the_others_through() -> None:
    from contracts.checks import compiled
    from infra.bench import checks

    ruled, plain = load_contract(checks.RULES), checks.without_rules(checks.RULES.read_text("utf-8"))
    assert len(compiled(ruled)) - len(compiled(plain)) == len(checks.BREAKS) == checks.RULE_COUNT
    assert checks.named(ruled) == set(checks.BREAKS)
    assert checks.named(plain) == set()
    given = checks.batches(list(records.values(200)))
    assert set(checks._passed(given, {"ruled": ruled, "plain": plain}, 0)) == {"ruled", "plain"}
    with pytest.raises(TerminalError, match="rows of the side ruled"):
        checks._passed(checks.batches([b"{}", *records.values(9)]), {"ruled": ruled}, 0)


@pytest.mark.servers
@needs_redis
def test_the_benchmark_of_online_reads_compares_sides_that_read_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from infra.bench import online

    monkeypatch.setattr(online, "READS", {"1x10": 3, "100x50": 2})
    report = online.run(Settings(home=tmp_path), 1, 150)
    assert set(report.ratios) == {f"{side} {size}" for side in ("raw", "feast") for size in online.SIZES}
    assert report.figures["entities"] == 150
    assert all(report.figures[size][side]["p50_ms"]["median"] > 0 for size in online.SIZES for side in ("ours", "raw", "feast"))
