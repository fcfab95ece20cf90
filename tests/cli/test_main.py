"""The command line: help without heavy imports, errors with remedies, and exit codes that scripts can rely on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from headwater.cli.main import cli, main
from headwater.cli.registry import COMMANDS

HEAVY = {"boto3", "botocore", "duckdb", "pyarrow", "numpy", "psycopg", "pydantic", "rich", "sqlglot", "ministack"}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "headwater", *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_imports_nothing_heavy(command: str) -> None:
    code = (
        "import sys\nfrom headwater.cli.main import main\n"
        f"try: main({[command, '--help'] if command else ['--help']!r})\n"
        "except SystemExit as stop: assert not stop.code, stop.code\n"
        f"heavy = {HEAVY!r} & set(sys.modules)\nassert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def leaves(command: click.Command, path: str) -> list[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        return [leaf for name, child in command.commands.items() for leaf in leaves(child, f"{path} {name}")]
    return [(path, command)]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_json_an_example_and_the_summary_that_help_lists(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    for path, leaf in leaves(command, name):
        assert any("--json" in option.opts for option in leaf.params), path
        assert "Example:" in (leaf.help or ""), path


def test_a_misspelt_command_gets_a_suggestion() -> None:
    done = run("bakcup")
    assert done.returncode == 2
    assert "did you mean 'backup'?" in done.stderr


def test_an_error_says_what_to_do_and_has_its_own_exit_code(tmp_path: Path) -> None:
    (tmp_path / "config.py").write_text("BUKET_NAME = 'x'\n")
    done = run("--project", str(tmp_path), "status")
    assert done.returncode == 3
    assert done.stderr.splitlines()[1] == "  fix: did you mean BUCKET_NAME?"


def test_an_error_with_json_is_one_json_object(tmp_path: Path) -> None:
    (tmp_path / "config.py").write_text("TARGET = 'moon'\n")
    done = run("--project", str(tmp_path), "status", "--json")
    assert json.loads(done.stderr)["exit_code"] == done.returncode == 3
    assert done.stdout == ""


def test_a_wrong_command_line_with_json_is_one_json_object() -> None:
    for words in (("backup", "create", "--bogus"), ("backup", "create", "--database", "a", "--all-databases")):
        done = run(*words, "--json")
        error = json.loads(done.stderr)
        assert (done.returncode, done.stdout) == (2, "")
        assert (error["error"], error["exit_code"]) == ("UsageError", 2)
        assert error["hint"] == "see `headwater backup create --help`"


def test_a_reader_that_goes_away_is_not_an_error_message() -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -m headwater --help | true"], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr


def test_ctrl_c_ends_with_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "main", interrupted)
    with pytest.raises(SystemExit) as stop:
        main(["status"])
    assert stop.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_polite_kill_unwinds_like_ctrl_c_and_ends_with_143() -> None:
    """As the very exception: psycopg cancels a statement for it, and lets it run on for others."""
    code = (
        "import os, signal, time; from headwater.cli.main import cli, main\n"
        "def killed(**_):\n"
        "    try: os.kill(os.getpid(), signal.SIGTERM); time.sleep(30)\n"
        "    except KeyboardInterrupt: print('unwound'); raise\n"
        "cli.main = killed; main(['status'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (143, "unwound\n", "interrupted\n")
