"""The bucket that results go to: that it is there, and reading a stored result back from it."""

from __future__ import annotations

from headwater.stack.lakehouse.athena.executions import Stored
from headwater.stack.lakehouse.athena.managed import is_managed, manifest_location, result_location
from headwater.stack.lakehouse.errors import AccessDenied, ApiError, NoSuchBucket, invalid_request
from headwater.stack.lakehouse.model import GlueJson, Scope, Storage, StoredObject, split_s3_uri
from headwater.stack.lakehouse.results.pages import Page, csv_page, text_page


def verify_output(storage: Storage, scope: Scope, results: GlueJson, identifier: str) -> None:
    """Raise ``InvalidRequestException`` for a bucket that no result can be written to, as Athena does at the start.

    ``results`` are the ``result_settings``.
    """
    if is_managed(results):
        return
    settings = results["ResultConfiguration"]
    bucket, key = split_s3_uri(settings["OutputLocation"])
    try:
        # A folder that is not there yet: the results that are need no look.
        next(iter(storage.objects(scope, bucket, f"{key}{identifier}/")), None)
        if settings.get("ExpectedBucketOwner", scope.account) != scope.account:
            raise AccessDenied(bucket)
    except (NoSuchBucket, AccessDenied) as error:
        raise invalid_request(f"Unable to verify/create output bucket {bucket}") from error


def result_is_there(storage: Storage, stored: Stored) -> bool:
    """Whether nobody has deleted the result of a query."""
    try:
        _object(storage, stored, result_location(stored.execution))
    except ApiError:
        return False
    return True


def result_page(storage: Storage, stored: Stored, offset: int, limit: int) -> Page:
    """Rows of a result from an offset. Raises ``InvalidRequestException`` when the object is gone, as Athena does."""
    location = result_location(stored.execution)
    if not location.endswith((".csv", ".txt")):
        return Page([], None)  # statements that write leave data, not rows
    found = _object(storage, stored, location)
    if location.endswith(".csv"):
        return csv_page(found.path, offset, limit)
    return text_page(found.path, offset, limit)


def manifest_page(storage: Storage, stored: Stored, offset: int, limit: int) -> Page:
    """The names of the files that a statement wrote. Raises ``InvalidRequestException`` for one that writes none."""
    location = manifest_location(stored.execution)
    if location is None:
        message = "DATA_MANIFEST is only supported for CREATE TABLE AS SELECT, UNLOAD and INSERT queries"
        raise invalid_request(message)
    return text_page(_object(storage, stored, location).path, offset, limit)


def _object(storage: Storage, stored: Stored, location: str) -> StoredObject:
    bucket, key = split_s3_uri(location)
    try:
        for found in storage.objects(stored.scope, bucket, key):
            if found.key == key:
                return found
    except (NoSuchBucket, AccessDenied):
        pass
    identifier = stored.execution["QueryExecutionId"]
    reason = "they are kept for 24 hours" if is_managed(stored.execution) else f"{location} does not exist"
    raise invalid_request(f"Could not find results of query {identifier}: {reason}")
