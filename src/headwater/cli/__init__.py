"""The ``headwater`` command: parses arguments, prints reports, maps errors to exit codes; no logic."""

from __future__ import annotations

from headwater.cli.main import main

__all__ = ["main"]
