"""Writes the reference pages from the code: commands, settings, exit codes, the local Athena. With --check it compares.

Run by `make docs`, and with --check by `make check`, so that the pages cannot fall behind.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from athena_tables import local_athena

from headwater import errors
from headwater.cli.main import cli
from headwater.cli.registry import COMMANDS
from headwater.pipeline import Headwater
from headwater.settings import ENVIRONMENT_PREFIX, Settings

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"
NOTE = "<!-- Written by tools/write_reference.py from the code; `make docs` writes it again. -->\n"


def commands() -> str:
    """Every command's ``--help``."""
    root = click.Context(cli, info_name="headwater", max_content_width=110)
    parts = ["# Commands\n", NOTE, _help(cli, root)]
    for name in COMMANDS:
        command = cli.get_command(root, name)
        assert command is not None, name  # noqa: S101 - the registry names it
        for path, shown, context in _tree(command, name, root):
            parts.append(f"## {path}\n\n{_help(shown, context)}")
    return "\n".join(parts)


def _tree(
    command: click.Command, name: str, parent: click.Context
) -> Iterator[tuple[str, click.Command, click.Context]]:
    context = click.Context(command, info_name=name, parent=parent, max_content_width=110)
    yield context.command_path, command, context
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            if found is not None:
                yield from _tree(found, child, context)


def _help(command: click.Command, context: click.Context) -> str:
    return f"```text\n{command.get_help(context)}\n```\n"


def settings() -> str:
    """The settings, their defaults and meanings."""
    rows = ["| setting | default | environment variable | meaning |", "|---|---|---|---|"]
    for field in dataclasses.fields(Settings):
        if field.name == "project":
            continue
        name = field.name.upper()
        rows.append(f"| `{name}` | `{field.default!r}` | `{ENVIRONMENT_PREFIX}{name}` | {field.metadata['help']} |")
    text = "Settings are plain Python names in `config.py`; the environment wins over the file.\n"
    return "\n".join(["# Settings\n", NOTE, text, *rows, ""])


def exit_codes() -> str:
    """What each exit code means."""
    rows = ["| code | error | meaning |", "|---|---|---|", "| 0 | | done |", "| 2 | | the command line is wrong |"]
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, errors.HeadwaterError)]
    for found in sorted(classes, key=lambda c: c.exit_code):
        meaning = "an unexpected error" if found is errors.HeadwaterError else (found.__doc__ or "").splitlines()[0]
        rows.append(f"| {found.exit_code} | `{found.__name__}` | {meaning} |")
    rows += ["| 130 | | interrupted (Ctrl-C) |", "| 141 | | the reader of the output went away |"]
    text = "With `--json`, an error is one JSON object on stderr: `error`, `message`, `hint`, `exit_code`.\n"
    return "\n".join(["# Exit codes\n", NOTE, text, *rows, ""])


def python() -> str:
    """The Python API: the one class, its methods and their docstrings."""
    parts = ["# Python\n", NOTE, f"```python\nfrom headwater import {Headwater.__name__}\n```\n"]
    parts.append(re.sub(r"(?m)^(?=>>>|')", "    ", f"{inspect.getdoc(Headwater)}\n"))
    for name, method in inspect.getmembers(Headwater, inspect.isfunction):
        if not name.startswith("_"):
            signature = re.sub(r"<function (\w+) at 0x\w+>", r"\1", str(inspect.signature(method))).replace("'", "")
            signature = signature.replace("self, ", "").replace("(self)", "()")
            parts.append(f"## {name}\n\n```python\n{name}{signature}\n```\n\n{inspect.getdoc(method)}\n")
    return "\n".join(parts)


PAGES = {
    "python.md": python,
    "commands.md": commands,
    "settings.md": settings,
    "exit-codes.md": exit_codes,
    "../local-athena.md": local_athena,
}


def main(arguments: list[str]) -> int:
    """Write the pages, or compare them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    stale = []
    for name, make in PAGES.items():
        path, text = FOLDER / name, make()
        if "--check" not in arguments:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            stale.append(name)
    if stale:
        sys.stderr.write(f"stale: {', '.join(stale)}; run `make docs`\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
