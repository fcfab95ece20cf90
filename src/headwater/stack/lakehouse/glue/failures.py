"""Batch operations go on after a failure and report it: Glue's ``ErrorDetail``."""

from __future__ import annotations

from collections.abc import Callable

from headwater.stack.lakehouse.errors import ApiError
from headwater.stack.lakehouse.model import GlueJson


def failure_of(act: Callable[[], object]) -> GlueJson | None:
    """Do one part of a batch; the ``ErrorDetail`` if it was refused."""
    try:
        act()
    except ApiError as error:
        return detail_of(error)
    return None


def detail_of(error: ApiError) -> GlueJson:
    """An error as ``ErrorDetail``."""
    return {"ErrorCode": error.code, "ErrorMessage": error.message}
