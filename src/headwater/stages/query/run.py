"""Runs one statement in Athena and hands back its rows as a stream."""

from __future__ import annotations

from headwater.connections import Connections
from headwater.services import athena
from headwater.services.athena import Result, Workspace

__all__ = ["Result", "run"]


def run(connections: Connections, sql: str) -> Result:
    """Run a statement in the project's Athena database and wait for it; Ctrl-C meanwhile cancels it in Athena.

    Raises QueryError with Athena's reason, AwsError.
    """
    settings = connections.settings
    workspace = Workspace(settings.athena_database, settings.layout.athena_results)
    return Result(connections.athena, athena.run(connections.athena, sql, workspace))
