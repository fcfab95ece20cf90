"""Errors of the local Glue and Athena, in the shape that the AWS SDKs expect on the wire."""

from __future__ import annotations

from types import MappingProxyType


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
    return ApiError("InvalidRequestException", message, AthenaErrorCode=athena_code, ErrorCode=athena_code)


_USER_ERROR = 1000
_ERROR_TYPES = MappingProxyType(
    {
        "DIVISION_BY_ZERO": 1001,
        "TYPE_MISMATCH": 1002,
        "FAILED": 1003,  # Hive's DDL
        "COLUMN_NOT_FOUND": 1006,
        "CATALOG_NOT_FOUND": 1006,
        "INVALID_CAST_ARGUMENT": 1100,
        "NUMERIC_VALUE_OUT_OF_RANGE": 1100,
        "INVALID_PARAMETER_USAGE": 1100,
        "INVALID_FUNCTION_ARGUMENT": 1106,
        "TABLE_ALREADY_EXISTS": 1110,
        "NOT_SUPPORTED": 1200,
        "TABLE_NOT_FOUND": 1301,
        "SCHEMA_NOT_FOUND": 1301,
        "FUNCTION_NOT_FOUND": 1303,
    }
)
"""The ErrorType that Athena gives with a code; those that nobody has seen are a user's error, as its catalog has it."""


def _error_type(reason: str) -> int:
    return _ERROR_TYPES.get(reason.partition(":")[0], _USER_ERROR)


class QueryFailed(Exception):
    """A statement that ended FAILED: ``reason`` is Athena's StateChangeReason.

    ``category``: 1 system, 2 user, 3 other
    (https://docs.aws.amazon.com/athena/latest/APIReference/API_AthenaError.html).
    """

    def __init__(self, reason: str, category: int = 2, error_type: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.category = category
        self.error_type = _error_type(reason) if error_type is None else error_type
        self.bytes_scanned = 0


class Unsupported(QueryFailed):
    """A statement or feature that this engine cannot run faithfully, and therefore refuses by name."""

    def __init__(self, what: str) -> None:
        super().__init__(f"NOT_SUPPORTED: {what} is not supported by Headwater's local Athena")


class NoSuchBucket(Exception):
    """The bucket does not exist."""


class AccessDenied(Exception):
    """The bucket belongs to another account."""
