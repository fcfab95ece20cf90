"""Hands out PostgreSQL, S3, Athena, Glue and STS; the only place that knows the local stack from AWS."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headwater.errors import AwsError, StackError
from headwater.model import PostgresAddress
from headwater.settings import Settings

if TYPE_CHECKING:
    import boto3
    import botocore.session
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient

    from headwater.stack.info import StackInfo


class Connections:
    """Clients for one project's settings, made when first used; the first that needs the stack starts it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def stack(self) -> StackInfo | None:
        """The running local stack, started if need be; None on AWS. Raises StackError."""
        if self.settings.target == "aws":
            return None
        from headwater.stack.launcher import ensure_running

        with _stack_errors():
            return ensure_running(self.settings.layout.state)

    @property
    def stack_folder(self) -> Path | None:
        """The local stack's folder, running or not; None if there is none."""
        folder = self.settings.layout.state
        return folder if self.settings.target == "local" and folder.is_dir() else None

    @property
    def has_services(self) -> bool:
        """Whether there can be anything in S3, Glue and Athena: always on AWS, locally only once a stack was made."""
        return self.settings.target == "aws" or self.stack_folder is not None

    def running_stack(self) -> StackInfo | None:
        """The local stack if it is running now; never starts it."""
        from headwater.stack.launcher import running

        return running(self.settings.layout.state)

    def stop_stack(self, *, remove: bool = False) -> bool:
        """Stop the local stack and, with ``remove``, delete its data. True if it was running. Raises StackError."""
        from headwater.stack.launcher import shutdown

        for client in ("stack", "session", "s3", "athena", "glue", "sts"):
            self.__dict__.pop(client, None)  # they would talk to a server that is going away
        with _stack_errors():
            return shutdown(self.settings.layout.state, remove=remove)

    def postgres(self, database: str | None = None) -> PostgresAddress:
        """The address of ``database`` (default: the project's). What the settings leave open comes from the stack."""
        settings = self.settings
        given_all = settings.db_host and settings.db_port and settings.db_user and settings.db_password
        stack = None if given_all else self.stack
        own = PostgresAddress("localhost", 5432, "postgres", None, "postgres")
        if stack is not None:
            login = stack.postgres
            own = PostgresAddress(login.host, login.port, login.user, login.password, "postgres")
        return PostgresAddress(
            host=settings.db_host or own.host,
            port=settings.db_port or own.port,
            user=settings.db_user or own.user,
            password=settings.db_password or own.password,
            database=database or settings.db_name,
        )

    def environment(self) -> dict[str, str]:
        """The variables that point other tools at the local stack, passwords included; started if need be."""
        stack = self.stack
        if stack is None:
            return {}
        return {
            "AWS_ENDPOINT_URL": stack.endpoint_url,
            "AWS_ACCESS_KEY_ID": stack.access_key_id,
            "AWS_SECRET_ACCESS_KEY": stack.secret_access_key,
            "AWS_DEFAULT_REGION": self.settings.region,
            "AWS_REGION": self.settings.region,
            "PGHOST": stack.postgres.host,
            "PGPORT": str(stack.postgres.port),
            "PGUSER": stack.postgres.user,
            "PGPASSWORD": stack.postgres.password,
            "PGDATABASE": self.settings.db_name,
        }

    @property
    def postgres_tools(self) -> tuple[Path, ...]:
        """Folders with PostgreSQL client programs that came with the stack extra, which serve AWS users as well."""
        from headwater.stack.binaries import installed_versions

        return tuple(installed_versions().values())

    def server_command(self, arguments: list[str], *paths: Path) -> list[str]:
        """A PostgreSQL server program's arguments as they can be run here: it refuses to be root, who gets a stand-in.

        ``paths`` are what it has to reach. Raises StackError.
        """
        from headwater.stack import unprivileged

        with _stack_errors():
            return unprivileged.command(arguments, *paths)

    def give_to_server(self, folder: Path) -> None:
        """Make whoever runs ``server_command`` the owner of a folder and of all that is in it. Raises StackError."""
        from headwater.stack import unprivileged

        if unprivileged.is_root():
            with _stack_errors():
                for path in (folder, *folder.rglob("*")):
                    unprivileged.give(path)

    @cached_property
    def session(self) -> boto3.Session:
        """The boto3 session: AWS's ordinary credential chain, or the stack's fixed credentials. Raises AwsError."""
        import boto3

        from headwater.services.aws import aws_errors

        with aws_errors("use the AWS profile"):
            if self.stack is None:
                return boto3.Session(region_name=self.settings.region)
            return boto3.Session(
                botocore_session=_without_user_files(),
                aws_access_key_id=self.stack.access_key_id,
                aws_secret_access_key=self.stack.secret_access_key,
                region_name=self.settings.region,
            )

    def _client(self, service: str) -> Any:
        from botocore.config import Config

        from headwater.services.aws import aws_errors

        endpoint = {} if self.stack is None else {"endpoint_url": self.stack.endpoint_url}
        config = Config(retries={"mode": "standard", "max_attempts": 5}, max_pool_connections=32, connect_timeout=10)
        if self.stack is not None:
            # Every body carries a CRC32 that the server checks: hashing it for the signature too would only cost time.
            config = config.merge(Config(s3={"addressing_style": "path", "payload_signing_enabled": False}))
        session = self.session
        with aws_errors(f"make a client for {service}"):
            try:
                return session.client(service, config=config, **endpoint)  # type: ignore[call-overload] # dynamic name
            except ValueError as error:
                raise AwsError(f"cannot make a client for {service}: {error}", hint="check AWS_ENDPOINT_URL") from error

    @cached_property
    def s3(self) -> S3Client:
        """Amazon S3, or the stack's."""
        client: S3Client = self._client("s3")
        return client

    @cached_property
    def athena(self) -> AthenaClient:
        """Amazon Athena, or the stack's."""
        client: AthenaClient = self._client("athena")
        return client

    @cached_property
    def glue(self) -> GlueClient:
        """AWS Glue, or the stack's."""
        client: GlueClient = self._client("glue")
        return client

    @cached_property
    def sts(self) -> STSClient:
        """AWS STS, or the stack's."""
        client: STSClient = self._client("sts")
        return client


@contextmanager
def _stack_errors() -> Iterator[None]:
    from headwater.stack.fault import StackFault

    try:
        yield
    except StackFault as fault:
        raise StackError(str(fault), hint=fault.hint) from fault


def _without_user_files() -> botocore.session.Session:
    """A botocore session for the local stack, which a missing AWS_PROFILE or a broken ~/.aws/config cannot disturb."""
    import botocore.session

    session = botocore.session.Session()
    # In the store and not on the session: there None would mean "look in the environment".
    store = session.get_component("config_store")
    for name, value in (("profile", None), ("config_file", os.devnull), ("credentials_file", os.devnull)):
        store.set_config_variable(name, value)
    return session
