"""Removes what a plan says, catalog first and the stack last, so that an interrupted clean can be run again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from headwater.connections import Connections
from headwater.errors import InputError, Refused, TransferError, VerificationError
from headwater.model import OnProgress, Progress, no_progress
from headwater.services import athena, buckets, glue, hive_ddl, multipart, objects
from headwater.services.athena import Workspace
from headwater.services.objects import DELETE_BATCH, ObjectVersion
from headwater.stages.clean.plan import CleanPlan

RETRY_SECONDS = (0.5, 2.0, 4.0)
"""Waits for what Athena may still be writing when its statement has succeeded already."""

Sleep = Callable[[float], None]


@dataclass(frozen=True)
class CleanReport:
    """What was removed; all of it was looked for again and is gone."""

    bucket: str
    tables: tuple[str, ...]
    database: str | None
    objects: int
    uploads: int
    bucket_removed: bool
    output_files: int
    stack_removed: bool


def apply(
    plan: CleanPlan, connections: Connections, on_progress: OnProgress = no_progress, sleep: Sleep = time.sleep
) -> CleanReport:
    """Remove what the plan says and verify that it is gone.

    Raises QueryError if Athena could not drop a table, TransferError naming objects that S3 kept, VerificationError.
    """
    if plan.tables or plan.database:
        _drop_catalog(plan, connections)
    uploads = deleted = 0
    if plan.bucket_exists:
        uploads = _abort_uploads(plan, connections)
        deleted = _delete_objects(plan, connections, on_progress)
        if plan.remove_bucket:
            deleted += _remove_bucket(plan, connections, sleep)
    _remove_output(plan, connections.settings.layout.output)
    if plan.stack is not None:
        connections.stop_stack(remove=True)
    return CleanReport(
        bucket=plan.bucket,
        tables=plan.tables + plan.foreign_tables,
        database=plan.database,
        objects=deleted,
        uploads=uploads,
        bucket_removed=plan.remove_bucket,
        output_files=len(plan.output_paths),
        stack_removed=plan.stack is not None,
    )


def _drop_catalog(plan: CleanPlan, connections: Connections) -> None:
    """Drop tables and database through Athena; without the bucket Athena cannot run, so then directly in Glue."""
    database = connections.settings.athena_database
    if plan.bucket_exists:
        results = connections.settings.layout.athena_results
        for table in plan.tables:
            athena.run(connections.athena, hive_ddl.drop_table(table), Workspace(database, results))
        if plan.database is not None:
            # Foreign tables are in a plan only if everything is to go; views among them are not for DROP TABLE.
            statement = hive_ddl.drop_database(database, cascade=bool(plan.foreign_tables))
            athena.run(connections.athena, statement, Workspace(None, results))
    else:
        for table in (*plan.tables, *plan.foreign_tables):
            glue.delete_table(connections.glue, database, table)
        glue.delete_database(connections.glue, database)
    if glue.database_exists(connections.glue, database):
        raise VerificationError(f"Athena database {database} was dropped, but the catalog still shows it")


def _abort_uploads(plan: CleanPlan, connections: Connections) -> int:
    layout, count = connections.settings.layout, 0
    for upload in list(multipart.list_unfinished(connections.s3, plan.bucket)):
        if plan.everything or layout.is_ours(upload.key):
            multipart.abort(connections.s3, plan.bucket, upload.key, upload.upload_id)
            count += 1
    return count


def _delete_objects(plan: CleanPlan, connections: Connections, on_progress: OnProgress) -> int:
    """Delete every version and delete marker of our objects; foreign ones that came since the plan was made stay."""
    total, deleted = sum(part.objects for part in plan.contents), 0
    versions = _ours(plan, connections)
    while batch := list(islice(versions, DELETE_BATCH)):
        result = objects.delete(connections.s3, plan.bucket, batch)
        if result.failures:
            first = result.failures[0]
            raise TransferError(
                f"S3 did not delete {len(result.failures)} objects, the first s3://{plan.bucket}/{first.key}: "
                f"{first.code}: {first.message}",
                hint="is there an object lock or a bucket policy? then run `headwater clean` again",
            )
        deleted += result.deleted
        on_progress(Progress("clean", deleted, max(total, deleted), "objects"))
    left = next(_ours(plan, connections), None)
    if left is not None:
        raise VerificationError(f"s3://{plan.bucket}/{left.key} is still there", hint="run `headwater clean` again")
    return deleted


def _ours(plan: CleanPlan, connections: Connections) -> Iterator[ObjectVersion]:
    layout = connections.settings.layout
    for version in objects.list_versions(connections.s3, plan.bucket):
        if plan.everything or layout.is_ours(version.key):
            yield version


def _remove_bucket(plan: CleanPlan, connections: Connections, sleep: Sleep) -> int:
    """Delete the bucket, and before that what Athena wrote late; how many objects that were."""
    late = 0
    for delay in RETRY_SECONDS:
        if buckets.remove(connections.s3, plan.bucket):
            break
        sleep(delay)
        late += _delete_objects(plan, connections, no_progress)
    else:
        raise Refused(
            f"bucket {plan.bucket} is empty of Headwater's objects, but others have come meanwhile: it stays",
            hint="run `headwater clean` again to see them",
        )
    if buckets.region_of(connections.s3, plan.bucket, buckets.account_id(connections.sts)) is not None:
        raise VerificationError(f"bucket {plan.bucket} was deleted, but S3 still shows it")
    return late


def _remove_output(plan: CleanPlan, output: Path) -> None:
    """Remove the planned files, then the folders that have become empty."""
    try:
        for path in plan.output_paths:
            path.unlink(missing_ok=True)
        for folder, _, _ in os.walk(output, topdown=False):
            if not any(Path(folder).iterdir()):
                Path(folder).rmdir()
    except OSError as error:
        raise InputError(f"cannot remove {output}: {error}", hint="check its owner") from error
