"""Runs one `headwater` command for the script that imports it, with the project's .venv if need be."""

import os
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent


def run(*command: str) -> None:
    """Run `headwater <command> <the script's arguments>` for the project that this file is in."""
    try:
        from headwater.cli import main
    except ModuleNotFoundError as error:
        python = PROJECT / ".venv" / "bin" / "python"
        if (error.name or "").partition(".")[0] not in ("headwater", "click") or not python.exists():
            sys.exit(f"{error}: run `make setup` first, then `. .venv/bin/activate`")
        if Path(sys.prefix).resolve() == (PROJECT / ".venv").resolve():
            sys.exit(f"{error}: .venv is incomplete; run `make setup`")
        os.execv(python, [str(python), *sys.argv])  # noqa: S606 - a list, no shell
    main([*command, *sys.argv[1:]], project=PROJECT)
