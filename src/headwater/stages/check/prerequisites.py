"""What the pipeline needs, one function each: returns what it saw, or raises the error that says what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from headwater.connections import Connections
from headwater.errors import AwsError, BucketError, PostgresError
from headwater.services import buckets, postgres, tools
from headwater.services.aws import aws_errors

STACK = "stack"

NEEDS = {"database": "postgresql", "pg_dump": "postgresql", "bucket": "aws identity", "athena": "aws identity"}
"""What each check cannot do without: if that failed, there is nothing more to learn from it."""


@dataclass(frozen=True)
class Seen:
    """What a check saw; with a remedy it is a warning: not there yet, and the pipeline will make it."""

    detail: str
    remedy: str = ""


def all_of(connections: Connections) -> dict[str, Callable[[], Seen]]:
    """The checks by name, in the order of the pipeline."""
    checks: dict[str, Callable[[Connections], Seen]] = {
        "postgresql": server,
        "database": database,
        "pg_dump": pg_dump,
        "aws identity": identity,
        "bucket": bucket,
        "athena": athena,
    }
    if connections.settings.target == "local":
        checks = {STACK: stack, **checks}
    return {name: partial(check, connections) for name, check in checks.items()}


def stack(connections: Connections) -> Seen:
    """The embedded stack runs, or starts now."""
    running = connections.stack
    return Seen(f"running, {running.endpoint_url}" if running else "not needed")


def server(connections: Connections) -> Seen:
    """PostgreSQL answers and lets us in."""
    address = connections.postgres("postgres")
    with postgres.connect(address) as connection:
        version = postgres.server_version_text(connection)
    return Seen(f"PostgreSQL {version} at {address.host}:{address.port} as {address.user}")


def database(connections: Connections) -> Seen:
    """The project's database is there, and we may enter it."""
    name = connections.settings.db_name
    with postgres.connect(connections.postgres("postgres")) as connection:
        if not postgres.database_exists(connection, name):
            raise PostgresError(f"there is no database {name}", hint="run `headwater setup` to create it")
    with postgres.connect(connections.postgres()) as connection:
        size = postgres.database_size(connection)
    return Seen(f"{name}, {size / 2**20:,.1f} MiB")


def pg_dump(connections: Connections) -> Seen:
    """There is a pg_dump that this server accepts."""
    with postgres.connect(connections.postgres("postgres")) as connection:
        major = postgres.server_major(connection)
    tool = tools.find("pg_dump", major, connections.postgres_tools)
    return Seen(f"{tool.version_text} for a server {major}: {tool.path}")


def identity(connections: Connections) -> Seen:
    """The credentials are known to AWS."""
    with aws_errors("ask AWS who you are"):
        answer = connections.sts.get_caller_identity()
    return Seen(f"account {answer['Account']}, {answer['Arn']}")


def bucket(connections: Connections) -> Seen:
    """The bucket is there, ours, and in the right region; not there yet is only a warning."""
    name, wanted = connections.settings.bucket_name, connections.settings.region
    account = buckets.account_id(connections.sts)
    region = buckets.region_of(connections.s3, name, account)
    if region is None:
        return Seen(f"there is no bucket {name} yet", "run `headwater bucket` to create it")
    if region != wanted:
        raise BucketError(
            f"bucket {name} is in {region}, not in {wanted}", hint=f"set REGION = {region!r} in config.py"
        )
    return Seen(f"s3://{name} in {region}, owned by account {account}")


def athena(connections: Connections) -> Seen:
    """Athena answers, and its primary work group takes queries."""
    with aws_errors("reach Amazon Athena"):
        group = connections.athena.get_work_group(WorkGroup="primary")["WorkGroup"]
    state = group.get("State", "ENABLED")
    if state != "ENABLED":
        raise AwsError("Athena's work group primary is disabled", hint="enable it in the Athena console, or ask for it")
    return Seen("work group primary, enabled")
