"""Lists the project's backups."""

from __future__ import annotations

from headwater.connections import Connections
from headwater.services import backups


def list_backups(connections: Connections) -> backups.Backups:
    """The backups of the project's database, newest first. Raises AwsError."""
    settings = connections.settings
    return backups.list_backups(connections.s3, settings.layout, settings.db_name)
