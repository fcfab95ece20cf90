"""The documentation is true: links resolve, commands exist with the options shown, reference pages are the code's."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from headwater.cli.main import cli
from headwater.cli.registry import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
STACK_COMMANDS = {"demo", "up", "down", "status", "env"}


def shell_lines(page: Path) -> Iterator[str]:
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.S):
        yield from block.replace("\\\n", " ").splitlines()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_in_examples_exist_with_their_options(page: Path) -> None:
    for line in shell_lines(page):
        for part in re.split(r"&&|;|\|", line.partition("  #")[0]):
            words = (
                shlex.split(part.partition(" > ")[0], comments=True) if part.strip().startswith("headwater ") else []
            )
            if words:
                parse(cli, words)


def parse(command: click.Command, words: list[str]) -> None:
    try:
        context = command.make_context(words[0], words[1:])
    except click.exceptions.Exit:  # --help, --version
        return
    if isinstance(command, click.Group) and context._protected_args:
        rest = [*context._protected_args, *context.args]
        child = command.get_command(context, rest[0])
        assert child is not None, words
        parse(child, rest)


def test_every_script_and_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    for page in PAGES:
        for script in re.findall(r"python (\w+\.py)", page.read_text()):
            assert (ROOT / script).exists(), (page, script)
        for target in re.findall(r"^make (\w+)", "\n".join(shell_lines(page)), re.M):
            assert target in targets, (page, target)


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - STACK_COMMANDS))
def test_every_stage_has_a_page(command: str) -> None:
    assert (ROOT / "docs" / "stages" / f"{command}.md").read_text().startswith(f"# {command}\n")


def test_the_reference_pages_are_what_the_code_says() -> None:
    command = [sys.executable, str(ROOT / "tools" / "write_reference.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
