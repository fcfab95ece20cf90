"""Every error that Headwater raises on purpose: what failed, on what, what to do next, and its exit code."""

from __future__ import annotations


class HeadwaterError(Exception):
    """Base of all. ``str(error)`` says what failed and on what; ``hint`` says what to do next.

    >>> error = SettingsError("unknown setting BUCKET in config.py", hint="did you mean BUCKET_NAME?")
    >>> error.exit_code, error.hint
    (3, 'did you mean BUCKET_NAME?')
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class SettingsError(HeadwaterError):
    """A setting or an argument is missing, unknown or malformed; nothing was touched."""

    exit_code = 3


class PostgresError(HeadwaterError):
    """PostgreSQL could not be reached, refused the login, or failed a statement."""

    exit_code = 4


class AwsError(HeadwaterError):
    """An AWS call failed: credentials, permissions, endpoint, or the service itself."""

    exit_code = 5


class BucketError(HeadwaterError):
    """The bucket is missing, invalid, or belongs to another account."""

    exit_code = 6


class QueryError(HeadwaterError):
    """Athena ended a statement FAILED or CANCELLED; the message carries Athena's own reason."""

    exit_code = 7


class BackupError(HeadwaterError):
    """A backup or a restore could not be made; no incomplete backup was left behind."""

    exit_code = 8


class VerificationError(HeadwaterError):
    """What was written is not what was read back."""

    exit_code = 9


class CheckFailed(HeadwaterError):
    """At least one prerequisite of ``headwater check`` is not met."""

    exit_code = 10


class StackError(HeadwaterError):
    """The embedded stack is not installed, could not start, or stopped answering."""

    exit_code = 11


class Refused(HeadwaterError):
    """Headwater declined, because going on could destroy something that it did not make."""

    exit_code = 12


class InputError(HeadwaterError):
    """Local input is missing or unreadable, for example ``output/`` before ``headwater generate``."""

    exit_code = 13


class TransferError(HeadwaterError):
    """Some objects could not be transferred after retries; the message names them."""

    exit_code = 14


class StaleBackup(HeadwaterError):
    """`headwater backup status` found something wrong: too old, not verified, suddenly smaller, or none at all."""

    exit_code = 15
