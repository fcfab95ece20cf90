"""The Python API of physical backups: what ``Headwater.physical`` is, one method for each thing that can be done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from headwater.connections import Connections
from headwater.model import OnProgress, no_progress

if TYPE_CHECKING:
    from headwater.recoverability import WalStatus
    from headwater.stages.backup import Watch
    from headwater.stages.physical import (
        PhysicalList,
        PhysicalOptions,
        PhysicalPlan,
        PhysicalPrunePlan,
        PhysicalPruneReport,
        PhysicalReport,
        PhysicalVerifyOptions,
        PhysicalVerifyPlan,
        RecoverOptions,
        RecoverPlan,
        RecoverReport,
        VerifyReport,
    )
    from headwater.stages.wal import WalOptions, WalPlan, WalReport


class Physical:
    """Whole clusters: their files, their log, and how they were at a moment.

    >>> from headwater import Headwater
    >>> Headwater().physical.create().backup.id                                               # doctest: +SKIP
    '20250115T103005Z'
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def create_plan(self, options: PhysicalOptions | None = None) -> PhysicalPlan:
        """What ``create`` would do; changes nothing."""
        from headwater.stages import physical

        return physical.plan_create(self._connections, _now(), options or physical.PhysicalOptions())

    def create(
        self,
        on_progress: OnProgress = no_progress,
        *,
        options: PhysicalOptions | None = None,
        watch: Watch | None = None,
    ) -> PhysicalReport:
        """Back up the cluster's files, or what changed since the newest backup; then apply the retention rules."""
        from headwater.stages import backup, physical

        with backup.watched(watch or backup.Watch(), self._connections):
            return physical.create(self.create_plan(options), self._connections, on_progress)

    def list(self, cluster: str | None = None) -> PhysicalList:
        """The physical backups, newest first, and the archived log with what it lacks."""
        from headwater.stages import physical

        return physical.list_backups(self._connections, cluster)

    def lists(self) -> tuple[PhysicalList, ...]:
        """The same of every cluster that there is something of."""
        from headwater.stages import physical

        return physical.list_all(self._connections)

    def verify_plan(self, options: PhysicalVerifyOptions | None = None) -> PhysicalVerifyPlan:
        """Which backups ``verify`` would verify, and how much it would read."""
        from headwater.stages import physical

        return physical.plan_verify(self._connections, options or physical.PhysicalVerifyOptions())

    def verify(
        self,
        options: PhysicalVerifyOptions | None = None,
        on_progress: OnProgress = no_progress,
        *,
        watch: Watch | None = None,
    ) -> VerifyReport:
        """Prove that backups and what they build on are whole, and record it beside each."""
        from headwater.stages import backup, physical

        with backup.watched(watch or backup.Watch(), self._connections) as outcome:
            report = physical.verify(self.verify_plan(options), self._connections, on_progress)
            outcome.failed = not report.passed
        return report

    def prune_plan(
        self, cluster: str | None = None, *, rules: str = "", orphan_grace: timedelta | None = None
    ) -> PhysicalPrunePlan:
        """What ``prune`` would keep and remove, with the reason for each; ``rules`` such as ``daily=7``."""
        from headwater.retention import ORPHAN_GRACE
        from headwater.stages import physical

        grace = ORPHAN_GRACE if orphan_grace is None else orphan_grace
        return physical.plan_prune(self._connections, _now(), cluster, rules, grace)

    def prune(
        self,
        cluster: str | None = None,
        on_progress: OnProgress = no_progress,
        *,
        rules: str = "",
        orphan_grace: timedelta | None = None,
    ) -> PhysicalPruneReport:
        """Remove the backups that the retention rules let go, and the log that no kept one needs."""
        from headwater.stages import physical

        plan = self.prune_plan(cluster, rules=rules, orphan_grace=orphan_grace)
        return physical.prune(plan, self._connections, on_progress)

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

    def status(
        self, cluster: str | None = None, max_age: timedelta | None = None, max_rpo: timedelta | None = None
    ) -> WalStatus:
        """Until when could be recovered now, what is missing, and what is wrong (``max_age``: 26 hours)."""
        from headwater import recoverability
        from headwater.services import recoverable
        from headwater.stages import backup, physical

        connections = self._connections
        identifier, layout = physical.cluster_of(connections, cluster), connections.settings.layout
        found = recoverable.status(connections.s3, layout, connections.postgres("postgres"), identifier, _now())
        return recoverability.judged(found, max_age or backup.MAX_AGE, max_rpo, whatever=cluster is not None)

    def recover_plan(self, options: RecoverOptions) -> RecoverPlan:
        """Which backups and segments make the data directory; fetches nothing."""
        from headwater.stages import physical

        return physical.plan_recover(self._connections, options)

    def recover(
        self, options: RecoverOptions, on_progress: OnProgress = no_progress, *, plan: RecoverPlan | None = None
    ) -> RecoverReport:
        """Make a data directory that recovers to a moment when PostgreSQL is started on it; or do ``plan``."""
        from headwater.stages import physical

        return physical.recover(plan or self.recover_plan(options), self._connections, on_progress)


def _now() -> datetime:
    return datetime.now(timezone.utc)
