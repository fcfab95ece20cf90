"""Turns botocore's errors into Headwater's, with the remedy; every AWS edge goes through here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, NoCredentialsError

from headwater.errors import AwsError

_HINTS = {
    "ExpiredToken": "log in again (aws sso login, or new keys)",
    "ExpiredTokenException": "log in again (aws sso login, or new keys)",
    "InvalidAccessKeyId": "check AWS_PROFILE or AWS_ACCESS_KEY_ID: AWS does not know this key",
    "InvalidClientTokenId": "check AWS_PROFILE or AWS_ACCESS_KEY_ID: AWS does not know this key",
    "SignatureDoesNotMatch": "check AWS_SECRET_ACCESS_KEY, and this machine's clock",
    "RequestTimeTooSkewed": "set this machine's clock",
    "NoSuchBucket": "check BUCKET_NAME, or run `headwater bucket` to create it",
    "AccessDenied": "the AWS identity lacks a permission; see the command's page in docs/stages",
    "AccessDeniedException": "the AWS identity lacks a permission; see the command's page in docs/stages",
}


def error_code(error: ClientError) -> str:
    """The code of AWS's answer, for example ``NoSuchBucket``."""
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def aws_errors(doing: str) -> Iterator[None]:
    """Raise AwsError for whatever botocore raises inside; ``doing`` says what on what, for example ``list s3://b``.

    >>> with aws_errors("list s3://my-lake"):
    ...     pass
    """
    try:
        yield
    except NoCredentialsError as error:
        raise AwsError(
            f"cannot {doing}: no AWS credentials were found",
            hint="run `aws configure`, or set AWS_PROFILE or AWS_ACCESS_KEY_ID; or use TARGET = 'local'",
        ) from error
    except EndpointConnectionError as error:
        raise AwsError(f"cannot {doing}: {error}", hint="check the network, REGION and AWS_ENDPOINT_URL") from error
    except ClientError as error:
        code = error_code(error)
        message = error.response.get("Error", {}).get("Message", "")
        raise AwsError(f"cannot {doing}: {code}: {message}", hint=_HINTS.get(code, "")) from error
    except BotoCoreError as error:
        raise AwsError(f"cannot {doing}: {error}") from error
