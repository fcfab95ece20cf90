"""Errors of the local Glue and Athena, in the shape that the AWS SDKs expect on the wire."""

from __future__ import annotations


class ApiError(Exception):
    """A refused API call: ``code`` is the exception name that boto3 raises.

    >>> ApiError("EntityNotFoundException", "Database x not found.").status
    400
    """

    def __init__(self, code: str, message: str, status: int = 400, **extra: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.extra = extra


def not_found(message: str) -> ApiError:
    """Glue's ``EntityNotFoundException``."""
    return ApiError("EntityNotFoundException", message)


def already_exists(message: str) -> ApiError:
    """Glue's ``AlreadyExistsException``."""
    return ApiError("AlreadyExistsException", message)


def invalid_input(message: str) -> ApiError:
    """Glue's ``InvalidInputException``."""
    return ApiError("InvalidInputException", message)


def invalid_request(message: str, athena_code: str = "INVALID_INPUT") -> ApiError:
    """Athena's ``InvalidRequestException``."""
    return ApiError("InvalidRequestException", message, AthenaErrorCode=athena_code)


class QueryFailed(Exception):
    """A statement that ended FAILED: ``reason`` is Athena's StateChangeReason.

    ``category``: 1 system, 2 user, 3 other
    (https://docs.aws.amazon.com/athena/latest/APIReference/API_AthenaError.html).
    """

    def __init__(self, reason: str, category: int = 2, error_type: int = 1006) -> None:
        super().__init__(reason)
        self.reason = reason
        self.category = category
        self.error_type = error_type
        self.bytes_scanned = 0


class Unsupported(QueryFailed):
    """A statement or feature that this engine cannot run faithfully, and therefore refuses by name."""

    def __init__(self, what: str) -> None:
        super().__init__(f"NOT_SUPPORTED: {what} is not supported by Headwater's local Athena")


class NoSuchBucket(Exception):
    """The bucket does not exist."""


class AccessDenied(Exception):
    """The bucket belongs to another account."""
