"""The Python API: one object per project whose methods are the stages, in the order of the pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from headwater.connections import Connections
from headwater.model import OnProgress, no_progress
from headwater.settings import Settings, for_database, load

if TYPE_CHECKING:
    from headwater.physical import Physical
    from headwater.services.backups import Backups
    from headwater.stages.backup import (
        Bounds,
        CreateOptions,
        CreatePlan,
        CreateReport,
        LifecyclePlan,
        LifecycleReport,
        ManyReport,
        PrunePlan,
        PruneReport,
        StatusReport,
        VerifyOptions,
        VerifyPlan,
        VerifyReport,
        Watch,
    )
    from headwater.stages.bucket import BucketPlan, BucketReport
    from headwater.stages.catalog import CatalogPlan, CatalogReport, Mode
    from headwater.stages.check import CheckReport
    from headwater.stages.clean import CleanPlan, CleanReport
    from headwater.stages.generate import GeneratePlan, GenerateReport
    from headwater.stages.ingest import IngestOptions, IngestPlan, IngestReport
    from headwater.stages.query import QueryPlan, Result
    from headwater.stages.restore import Comparison, RestoreOptions, RestorePlan, RestoreReport
    from headwater.stages.setup import SetupPlan, SetupReport
    from headwater.stages.upload import UploadPlan, UploadReport


class Headwater:
    """A project: its settings, its connections and its stages.

    Every method may be called again: it converges on the same state. Stages import what they need when they are
    called, so that importing headwater stays quick.

    >>> hw = Headwater(bucket_name="my-lake")
    >>> hw.settings.bucket_name
    'my-lake'
    """

    def __init__(self, project: Path | str | None = None, *, settings: Settings | None = None, **overrides: str | int):
        folder = Path(project) if project is not None else None
        self.settings = settings if settings is not None else load(folder, overrides=overrides)
        self.connections = Connections(self.settings)

    @property
    def physical(self) -> Physical:
        """Physical backups: the whole cluster's files, its log, and how it was at a moment."""
        from headwater.physical import Physical

        return Physical(self.connections)

    def setup_plan(self, *, rows: int = 0, seed: int = 0) -> SetupPlan:
        """What ``setup`` would do; changes nothing."""
        from headwater.stages import setup

        return setup.plan(self.connections, setup.SetupOptions(rows, seed))

    def setup(self, *, rows: int = 0, seed: int = 0, on_progress: OnProgress = no_progress) -> SetupReport:
        """Create database, tables and sample rows; ``rows``: orders that there are at least afterwards."""
        from headwater.stages import setup

        return setup.apply(self.setup_plan(rows=rows, seed=seed), self.connections, on_progress)

    def check(self, on_progress: OnProgress = no_progress) -> CheckReport:
        """Look at every prerequisite; never raises for one that is not met."""
        from headwater.stages import check

        return check.run(self.connections, on_progress)

    def bucket_plan(self) -> BucketPlan:
        """What ``bucket`` would change. Raises BucketError when it is someone else's or in another region."""
        from headwater.stages import bucket

        return bucket.plan(self.connections)

    def bucket(self, on_progress: OnProgress = no_progress) -> BucketReport:
        """Create the bucket, or adopt it when it is yours; private, encrypted, TLS only."""
        from headwater.stages import bucket

        return bucket.apply(self.bucket_plan(), self.connections, on_progress)

    def generate_plan(
        self, *, first: str | None = None, last: str | None = None, rows_per_day: int = 10_000, seed: int = 0
    ) -> GeneratePlan:
        """Which files ``generate`` would write. Raises SettingsError for a malformed date."""
        from headwater.stages import generate

        options = generate.GenerateOptions(generate.parse_days(first, last), rows_per_day, seed)
        return generate.plan(self.connections, options)

    def generate(
        self,
        *,
        first: str | None = None,
        last: str | None = None,
        rows_per_day: int = 10_000,
        seed: int = 0,
        on_progress: OnProgress = no_progress,
    ) -> GenerateReport:
        """Write orders and events of the days ``first`` to ``last`` (like ``2025-01-31``) below ``output/``."""
        from headwater.stages import generate

        plan = self.generate_plan(first=first, last=last, rows_per_day=rows_per_day, seed=seed)
        return generate.apply(plan, on_progress)

    def upload_plan(self, *, delete: bool = False) -> UploadPlan:
        """What ``upload`` would send and delete. Raises InputError if there is nothing in ``output/``."""
        from headwater.stages import upload

        return upload.plan(self.connections, delete=delete)

    def upload(self, *, delete: bool = False, on_progress: OnProgress = no_progress) -> UploadReport:
        """Sync ``output/`` to the lake and verify it; ``delete``: also remove what is no longer in ``output/``."""
        from headwater.stages import upload

        return upload.apply(self.upload_plan(delete=delete), self.connections, on_progress)

    def catalog_plan(self, mode: Mode | None = None) -> CatalogPlan:
        """The statements that ``catalog`` would run. Raises Refused if a table of that name is something else."""
        from headwater.stages import catalog

        return catalog.plan(self.connections, mode)

    def catalog(self, mode: Mode | None = None, on_progress: OnProgress = no_progress) -> CatalogReport:
        """Create the Athena database, tables and partitions; ``mode`` is ``repair`` or ``projection`` (None: keep)."""
        from headwater.stages import catalog

        return catalog.apply(self.catalog_plan(mode), self.connections, on_progress)

    def query_plan(self, text: str | None = None) -> QueryPlan:
        """The statements of a text, separated by semicolons; the four examples for None."""
        from headwater.stages import query

        return query.plan(text)

    def query(self, sql: str) -> Result:
        """Run one statement in Athena; rows are a stream. Raises QueryError with Athena's reason.

        >>> list(Headwater().query("SELECT count(*) FROM orders").rows())                         # doctest: +SKIP
        [(60000,)]
        """
        from headwater.stages import query

        return query.run(self.connections, sql)

    def backup_plan(self, options: CreateOptions | None = None) -> CreatePlan:
        """What ``backup_create`` would do; changes nothing."""
        from headwater.stages import backup

        return backup.plan_create(self.connections, _now(), options or backup.CreateOptions())

    def backup_create(
        self,
        on_progress: OnProgress = no_progress,
        *,
        options: CreateOptions | None = None,
        watch: Watch | None = None,
    ) -> CreateReport:
        """Back up the database to S3, then remove what the retention rule lets go."""
        from headwater.stages import backup

        with backup.watched(watch or backup.Watch(), self.connections):
            report = backup.create(self.backup_plan(options), self.connections, on_progress)
            backup.protect_if_ruled(self.connections)
        return report

    def backup_create_many(
        self,
        databases: Sequence[str] = (),
        on_progress: OnProgress = no_progress,
        *,
        options: CreateOptions | None = None,
        watch: Watch | None = None,
    ) -> ManyReport:
        """Back up several databases (none named: all of the server's); one that fails does not stop the others."""
        from headwater.stages import backup

        def create(connections: Connections) -> CreateReport:
            checked = for_database(self.connections.settings, connections.settings.db_name)
            return Headwater(settings=checked).backup_create(on_progress, options=options)

        names = self._databases(databases)
        each = [Connections(replace(self.connections.settings, db_name=name)) for name in names]
        with backup.watched(watch or backup.Watch(), *each) as outcome:
            report = backup.create_many(each, create)
            outcome.failed = bool(report.failed)
        return report

    def backup_plans(self, databases: Sequence[str] = (), options: CreateOptions | None = None) -> list[CreatePlan]:
        """What ``backup_create_many`` would do; changes nothing."""
        settings = self.connections.settings
        each = [Headwater(settings=for_database(settings, name)) for name in self._databases(databases)]
        return [headwater.backup_plan(options) for headwater in each]

    def _databases(self, named: Sequence[str]) -> tuple[str, ...]:
        from headwater.stages import backup

        return tuple(dict.fromkeys(named)) or backup.all_databases(self.connections)

    def backup_list(self) -> Backups:
        """The backups of the database, newest first, and what does not fit together; and the physical backups."""
        from headwater.stages import backup

        return replace(backup.list_backups(self.connections), clusters=self.physical.lists())

    def backup_verify_plan(self, options: VerifyOptions | None = None) -> VerifyPlan:
        """Which backups ``backup_verify`` would verify, and how much it would read."""
        from headwater.stages import backup

        return backup.plan_verify(self.connections, options or backup.VerifyOptions())

    def backup_verify(
        self,
        options: VerifyOptions | None = None,
        on_progress: OnProgress = no_progress,
        *,
        watch: Watch | None = None,
    ) -> VerifyReport:
        """Prove that backups can be used, and record it beside each; the report says which did not pass."""
        from headwater.stages import backup

        with backup.watched(watch or backup.Watch(), self.connections) as outcome:
            report = backup.verify(self.backup_verify_plan(options), self.connections, on_progress)
            outcome.failed = not report.passed
            backup.protect_if_ruled(self.connections)
        return report

    def backup_status(self, bounds: Bounds | None = None) -> StatusReport:
        """Whether the newest verified backup is fresh (26 hours), of its usual size, and the log without a gap."""
        from headwater.stages import backup

        return backup.status(self.connections, _now(), bounds or backup.Bounds())

    def backup_prune_plan(self, rules: str = "", orphan_grace: timedelta | None = None) -> PrunePlan:
        """What ``backup_prune`` would keep and remove, with the reason for each; ``rules`` such as ``daily=7``."""
        from headwater.stages import backup

        policy = backup.policy_of(self.connections, rules)
        grace = backup.ORPHAN_GRACE if orphan_grace is None else orphan_grace
        return backup.plan_prune(self.connections, _now(), policy=policy, orphan_grace=grace)

    def backup_prune(
        self, on_progress: OnProgress = no_progress, *, rules: str = "", orphan_grace: timedelta | None = None
    ) -> PruneReport:
        """Remove the backups that the retention rules let go, and dumps that never became backups."""
        from headwater.stages import backup

        return backup.prune(self.backup_prune_plan(rules, orphan_grace), self.connections, on_progress)

    def backup_lifecycle_plan(self, *, remove: bool = False) -> LifecyclePlan:
        """How the bucket's lifecycle rules would change; other programs' rules stay."""
        from headwater.stages import backup

        return backup.plan_lifecycle(self.connections, remove=remove)

    def backup_lifecycle(self, *, remove: bool = False) -> LifecycleReport:
        """Let S3 expire old backups, never the newest verified one; or, with ``remove``, no longer."""
        from headwater.stages import backup

        return backup.apply_lifecycle(self.backup_lifecycle_plan(remove=remove), self.connections)

    def restore_plan(self, options: RestoreOptions | None = None) -> RestorePlan:
        """Which backup would go into which new database; changes nothing."""
        from headwater.stages import restore

        return restore.plan(self.connections, options)

    def restore(
        self,
        options: RestoreOptions | None = None,
        on_progress: OnProgress = no_progress,
        *,
        plan: RestorePlan | None = None,
    ) -> RestoreReport:
        """Restore a backup (default: the newest) into a new database, verified before and compared afterwards; or do
        what ``restore_plan`` said (once a person has seen it).
        """
        from headwater.stages import restore

        return restore.apply(plan or self.restore_plan(options), self.connections, on_progress)

    def compare(self, left: str, right: str) -> Comparison:
        """Compare two databases of the server: row counts and content hashes of every table."""
        from headwater.stages import restore

        return restore.compare(self.connections, left, right)

    def clean_plan(self, *, everything: bool = False, keep_stack: bool = False) -> CleanPlan:
        """Exactly what ``clean`` would remove. Raises Refused if there is something that Headwater did not make."""
        from headwater.stages import clean

        return clean.plan(self.connections, clean.CleanOptions(everything, keep_stack))

    def clean(self, plan: CleanPlan | None = None, on_progress: OnProgress = no_progress) -> CleanReport:
        """Remove what ``clean_plan`` says (or that very plan, once a person has seen it), without asking."""
        from headwater.stages import clean

        return clean.apply(plan or self.clean_plan(), self.connections, on_progress)

    def ingest_plan(self, options: IngestOptions) -> IngestPlan:
        """Which columns, rows and days ``ingest`` would copy; changes nothing."""
        from headwater.stages import ingest

        return ingest.plan(self.connections, options)

    def ingest(self, options: IngestOptions, on_progress: OnProgress = no_progress) -> IngestReport:
        """Copy a PostgreSQL table into the lake, partitioned by day, with an Athena table of its own."""
        from headwater.stages import ingest

        return ingest.apply(self.ingest_plan(options), self.connections, _now(), on_progress)


def _now() -> datetime:
    return datetime.now(timezone.utc)
