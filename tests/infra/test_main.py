"""The command line: quick, its exits, what it says when misused."""

from __future__ import annotations

import errno
import importlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from contracts.errors import BrokerAway, StackBroken
from infra import main as entry
from infra.output import result, rows_text, say
from infra.settings import PROJECT_FOLDER, Settings

HEAVY = {
    "aiokafka", "boto3", "confluent_kafka", "deltalake", "duckdb", "faust", "feast", "great_expectations", "jsonschema", "numpy",
    "openlineage", "pandas", "polars", "pyarrow", "redis", "rich", "sklearn", "wordllama", "yaml",
}  # fmt: skip


def headwater(*arguments: str, home: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "infra.main", "--home", str(home), *arguments]
    return subprocess.run(
        command, cwd=PROJECT_FOLDER, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", **environ}, check=False
    )


def test_help_loads_no_heavy_library_and_no_command() -> None:
    code = (
        "import sys\nfrom infra.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as end:\n    assert end.code == 0, end.code\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT_FOLDER, capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert "infra.main" in loaded
    assert not {name.split(".")[0] for name in loaded} & HEAVY
    assert not {name for name in loaded if name.startswith("infra.commands.")}
    assert len(loaded) < 400, "0.3 s would be in danger"


def test_help_names_every_command_with_what_it_does() -> None:
    shown = CliRunner().invoke(entry.main, ["--help"]).output
    for name, (_, short) in entry.COMMANDS.items():
        assert f"  {name} " in shown
        assert short[:40] in shown


@pytest.mark.parametrize("name", entry.COMMANDS)
def test_each_command_has_json_and_an_example_and_agrees_with_the_table(name: str) -> None:
    module_name, _, attribute = entry.COMMANDS[name][0].partition(":")
    if importlib.util.find_spec(module_name) is None:
        pytest.fail(f"{name} is in the table, and {module_name} is not there")
    command = getattr(importlib.import_module(module_name), attribute)
    assert command.name == name
    leaves = list(command.commands.values()) if isinstance(command, click.Group) else [command]
    for leaf in leaves:
        assert "--json" in {flag for option in leaf.params for flag in option.opts}, f"{name} {leaf.name}"
        assert "headwater" in (leaf.epilog or command.epilog or ""), f"{name} {leaf.name} shows no example"


@pytest.mark.parametrize("name", ["up", "down", "status"])
def test_a_command_loads_no_heavy_library_to_show_its_help(name: str) -> None:
    code = (
        f"import sys\nfrom infra.main import main\n"
        f"try:\n    main([{name!r}, '--help'])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT_FOLDER, capture_output=True, text=True, check=True)
    assert not {module.split(".")[0] for module in done.stderr.split()} & HEAVY


def test_a_misspelt_command_is_answered_with_the_nearest(tmp_path: Path) -> None:
    done = headwater("prodcue", home=tmp_path)
    assert done.returncode == 2
    assert "'produce'" in done.stderr


def test_a_command_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(entry.COMMANDS, "later", ("infra.commands.not_there:later", "Comes later."))
    assert "Comes later." in CliRunner().invoke(entry.main, ["--help"]).output
    done = CliRunner().invoke(entry.main, ["later"])
    assert done.exit_code == 2
    assert "'later'" in done.output


def test_a_module_missing_inside_a_command_is_not_mistaken_for_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "wants_more.py").write_text("import surely_not_installed\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(entry.COMMANDS, "wants", ("wants_more:wants", "Wants more."))
    assert isinstance(CliRunner().invoke(entry.main, ["wants"]).exception, ModuleNotFoundError)


def test_a_bad_setting_exits_2_and_names_itself(tmp_path: Path) -> None:
    done = headwater("status", home=tmp_path, HEADWATER_BROKER_PORT="many")
    assert done.returncode == 2
    assert "HEADWATER_BROKER_PORT" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("raised", "code", "told"),
    [
        (StackBroken("no java", remedy="install it"), 1, "try: install it"),
        (BrokerAway("no answer"), 1, "no answer"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (OSError(errno.ENOSPC, "No space left on device", "/full/disk"), 1, "/full/disk: no room left"),
        (PermissionError(errno.EACCES, "Permission denied", "/theirs"), 1, "--home"),
    ],
)
def test_our_own_errors_are_told_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, raised: BaseException, code: int, told: str
) -> None:
    @click.command()
    def fails() -> None:
        raise raised

    monkeypatch.setattr(entry.Commands, "get_command", lambda *_: fails)
    done = CliRunner().invoke(entry.main, ["up"])
    assert done.exit_code == code
    assert told in done.stderr
    assert done.stdout == ""


def test_an_error_of_our_own_code_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def fails() -> None:
        raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr(entry.Commands, "get_command", lambda *_: fails)
    assert isinstance(CliRunner().invoke(entry.main, ["up"]).exception, OSError)


def test_status_of_nothing_exits_1_and_says_what_to_do(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    done = headwater("status", home=tmp_path)
    assert done.returncode == 1
    assert "headwater up" in done.stdout
    as_json = json.loads(headwater("status", "--json", home=tmp_path).stdout)
    assert (as_json["up"], as_json["broker"], as_json["topics"], as_json["tables"]) == (False, None, [], [])


def test_status_reports_tables_of_a_home_whose_broker_is_down(tmp_path: Path) -> None:
    import pyarrow as pa

    from streams.connectors import delta

    uri = delta.table_uri(tmp_path / "tables", "silver", "made", "up")
    delta.create_if_absent(uri, pa.schema([("x", pa.int64())]))
    delta.append(uri, pa.table({"x": [1, 2, 3]}), metadata={})
    tables = json.loads(headwater("status", "--json", home=tmp_path).stdout)["tables"]
    assert [(row["table"], row["rows"]) for row in tables] == [("silver/made/up", 3)]


def test_a_broker_that_is_not_ours_is_neither_started_nor_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = {"HEADWATER_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"}
    for command in ("up", "down"):
        done = headwater(command, home=tmp_path, **foreign)
        assert done.returncode == 1
        assert "not ours" in done.stderr
    status = importlib.import_module("infra.commands.status")
    monkeypatch.setattr(status, "ANSWER_SECONDS", 0.2)
    shown = CliRunner().invoke(entry.main, ["--home", str(tmp_path), "status"], env=foreign)
    assert shown.exit_code == 1
    assert "no broker answers at 127.0.0.1:9" in shown.stdout


@pytest.mark.servers
def test_a_broker_that_is_not_ours_is_seen_to_answer(broker_settings: Settings, tmp_path: Path) -> None:
    done = headwater("status", "--json", home=tmp_path, HEADWATER_KAFKA_BOOTSTRAP_SERVERS=broker_settings.bootstrap_servers)
    assert done.returncode == 0
    assert json.loads(done.stdout)["embedded"] is False


def test_what_is_said_on_the_way_does_not_mix_into_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    say("on the way")
    result({"path": Path("/a"), "n": 1}, True, lambda: pytest.fail("text is not made when JSON is wanted"))
    told = capsys.readouterr()
    assert told.err == "on the way\n"
    assert json.loads(told.out) == {"path": "/a", "n": 1}


def test_a_table_has_numbers_to_the_right() -> None:
    assert rows_text(["topic", "records"], [["a", 1_000], ["long", 2]]) == "topic  records\na        1,000\nlong         2"
