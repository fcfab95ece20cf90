"""The Python API of physical backups: what ``Headwater.physical`` is, one method for each thing that can be done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from headwater.connections import Connections
from headwater.model import OnProgress, no_progress

if TYPE_CHECKING:
    from headwater.recoverability import WalStatus
    from headwater.stages.physical import (
        Level,
        PhysicalList,
        PhysicalManifest,
        PhysicalPlan,
        PhysicalPrunePlan,
        PhysicalPruneReport,
        PhysicalVerification,
        RecoverOptions,
        RecoverPlan,
        RecoverReport,
    )
    from headwater.stages.wal import WalOptions, WalPlan, WalReport


class Physical:
    """Whole clusters: their files, their log, and how they were at a moment.

    >>> from headwater import Headwater
    >>> Headwater().physical.create().id                                                      # doctest: +SKIP
    '20250115T103005Z'
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def create_plan(self, *, incremental: bool = False) -> PhysicalPlan:
        """What ``create`` would do; changes nothing."""
        from headwater.stages import physical

        return physical.plan_create(self._connections, _now(), incremental=incremental)

    def create(self, *, incremental: bool = False, on_progress: OnProgress = no_progress) -> PhysicalManifest:
        """Back up the cluster's files; ``incremental``: only what changed since the newest backup."""
        from headwater.stages import physical

        return physical.create(self.create_plan(incremental=incremental), self._connections, on_progress)

    def list(self, cluster: str | None = None) -> PhysicalList:
        """The physical backups, newest first, and the archived log with what it lacks."""
        from headwater.stages import physical

        return physical.list_backups(self._connections, cluster)

    def verify(
        self,
        backup: str = "latest",
        level: Level = "full",
        cluster: str | None = None,
        on_progress: OnProgress = no_progress,
    ) -> PhysicalVerification:
        """Prove that a backup and what it builds on is whole. Raises VerificationError if not."""
        from headwater.stages import physical

        return physical.verify(self._connections, backup, level, cluster, on_progress)

    def prune_plan(self, cluster: str | None = None) -> PhysicalPrunePlan:
        """What ``prune`` would keep and remove, with the reason for each."""
        from headwater.stages import physical

        return physical.plan_prune(self._connections, _now(), cluster)

    def prune(self, cluster: str | None = None, on_progress: OnProgress = no_progress) -> PhysicalPruneReport:
        """Remove the backups that have expired, and the log that no kept one needs."""
        from headwater.stages import physical

        return physical.prune(self.prune_plan(cluster), self._connections, on_progress)

    def wal_plan(self, options: WalOptions | None = None) -> WalPlan:
        """What ``wal`` would receive and where to; changes nothing."""
        from headwater.stages import wal

        return wal.plan_wal(self._connections, options)

    def wal(
        self,
        options: WalOptions | None = None,
        on_progress: OnProgress = no_progress,
        stopped: Callable[[], bool] = lambda: False,
    ) -> WalReport:
        """Archive the log until ``stopped()`` or what the options say."""
        from headwater.stages import wal

        return wal.archive(self.wal_plan(options), self._connections, on_progress, stopped)

    def drop_slot(self) -> bool:
        """End archiving for good, so that the server no longer keeps log for it; whether there was a slot."""
        from headwater.stages import wal

        return wal.drop_slot(self._connections)

    def status(self, cluster: str | None = None) -> WalStatus:
        """Until when could be recovered now, and what is missing."""
        from headwater.stages import physical, wal

        identifier = cluster or physical.list_backups(self._connections).backups.cluster
        return wal.status(self._connections, identifier, _now())

    def statuses(self) -> tuple[WalStatus, ...]:
        """The status of every cluster that there are physical backups of."""
        from headwater.services.physical_backups import list_clusters

        found = list_clusters(self._connections.s3, self._connections.settings.layout)
        return tuple(self.status(cluster) for cluster in found)

    def recover_plan(self, options: RecoverOptions) -> RecoverPlan:
        """Which backups and segments make the data directory; fetches nothing."""
        from headwater.stages import physical

        return physical.plan_recover(self._connections, options)

    def recover(self, options: RecoverOptions, on_progress: OnProgress = no_progress) -> RecoverReport:
        """Make a data directory that recovers to a moment when PostgreSQL is started on it."""
        from headwater.stages import physical

        return physical.recover(self.recover_plan(options), self._connections, on_progress)


def _now() -> datetime:
    return datetime.now(timezone.utc)
