"""Headwater as it runs against servers of one's own, with handles to break what it talks to."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import boto3
import naive
import pyrage
import pytest
from botocore.config import Config

from headwater import Headwater
from headwater.model import PostgresAddress
from headwater.services import multipart, objects, postgres
from headwater.stack.info import StackInfo
from headwater.stages.backup import CreateOptions
from headwater.stages.restore import RestoreOptions

NOISE = """
    CREATE TABLE noise (id int PRIMARY KEY, data bytea NOT NULL);
    INSERT INTO noise SELECT i, (SELECT decode(string_agg(md5(random()::text || n || '-' || i), ''), 'hex')
        FROM generate_series(1, 640) AS n) FROM generate_series(1, {rows}) AS i;
    CREATE TABLE facts (id bigint GENERATED ALWAYS AS IDENTITY, day date, amount numeric, note text);
    INSERT INTO facts (day, amount, note)
        SELECT date '2025-01-01' + i % 90, i / 7.0, 'note ' || i FROM generate_series(1, 2000) AS i;
"""
KIB_PER_ROW = 10  # incompressible, so that the stored size is known


def address_of(stack: StackInfo, database: str) -> PostgresAddress:
    own = stack.postgres
    return PostgresAddress(own.host, own.port, own.user, own.password, database)


@dataclass(frozen=True)
class Form:
    """A form of backup other than the default, in Python and on the command line; ``identity``: the key's file."""

    options: CreateOptions
    arguments: tuple[str, ...]
    identity: Path | None = None


@dataclass
class Site:
    """Headwater with ``target = aws``, so that endpoint and programs can be put before the real ones."""

    headwater: Headwater
    stack: StackInfo
    stack_state: Path
    programs: Path
    folder: Path
    monkeypatch: pytest.MonkeyPatch

    @property
    def bucket(self) -> str:
        return self.headwater.settings.bucket_name

    @property
    def database(self) -> str:
        return self.headwater.settings.db_name

    def address(self, database: str | None = None) -> PostgresAddress:
        return address_of(self.stack, database or self.database)

    def through(self, endpoint: str) -> Headwater:
        """The same project, with every S3 request going to ``endpoint``."""
        self.monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        other = Headwater(settings=self.headwater.settings)
        assert other.connections.s3.meta.endpoint_url == other.connections.sts.meta.endpoint_url == endpoint
        self.monkeypatch.setenv("AWS_ENDPOINT_URL", self.stack.endpoint_url)
        return other

    def wrap(self, body: str, program: str = "pg_dump", real: Path | None = None) -> Path:
        """Put a program before the real one on PATH that misbehaves as ``body`` (sh; ``$REAL`` is the real one)."""
        path = self.folder / "wrapped" / program
        path.parent.mkdir(exist_ok=True)
        genuine = real or self.programs / program
        path.write_text(
            f'#!/bin/sh\nREAL={genuine}\nif [ "$1" = --version ]; then exec "$REAL" --version; fi\n{body}\n'
        )
        path.chmod(0o755)
        self.monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")
        return path

    def environment(self, endpoint: str | None = None) -> dict[str, str]:
        """The variables of a ``headwater`` command for this site."""
        own = self.stack.postgres
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "HOME": str(self.folder),
            "AWS_ENDPOINT_URL": endpoint or self.stack.endpoint_url,
            "AWS_ACCESS_KEY_ID": self.stack.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.stack.secret_access_key,
            "AWS_EC2_METADATA_DISABLED": "true",
            "HEADWATER_TARGET": "aws",
            "HEADWATER_BUCKET_NAME": self.bucket,
            "HEADWATER_DB_NAME": self.database,
            "HEADWATER_DB_HOST": own.host,
            "HEADWATER_DB_PORT": str(own.port),
            "HEADWATER_DB_USER": own.user,
            "HEADWATER_DB_PASSWORD": own.password,
        }

    def start(
        self, *arguments: str, endpoint: str | None = None, variables: dict[str, str] | None = None, **options: object
    ) -> subprocess.Popen[str]:
        """Start ``headwater …`` as its own process."""
        return subprocess.Popen(
            [sys.executable, "-m", "headwater", "--project", str(self.folder), *arguments],
            env={**self.environment(endpoint), **(variables or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,  # type: ignore[call-overload]
        )

    def s3(self, endpoint: str | None = None, read_timeout: int = 60) -> object:
        """A client as a script would make it."""
        return boto3.client(
            "s3",
            endpoint_url=endpoint or self.stack.endpoint_url,
            region_name="us-east-1",
            config=Config(
                s3={"addressing_style": "path"},
                retries={"mode": "standard", "max_attempts": 5},
                read_timeout=read_timeout,
            ),
        )

    def form(self, name: str) -> Form:
        """``custom``, ``directory`` or ``encrypted``."""
        if name == "directory":
            return Form(CreateOptions(format="directory", jobs=2), ("--format", "directory", "--jobs", "2"))
        if name == "custom":
            return Form(CreateOptions(), ())
        key = pyrage.x25519.Identity.generate()
        file = self.folder / "age.key"
        file.write_text(f"{key}\n")
        recipient = str(key.to_public())
        return Form(CreateOptions(encrypt_to=(recipient,)), ("--encrypt-to", recipient), file)

    def left_running(self) -> list[bytes]:
        """The command lines of PostgreSQL's programs that speak of this project's folder."""
        found = []
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                found.append(entry.read_bytes())
        return [line for line in found if b"pg_" in line and os.fsencode(self.folder / ".headwater") in line]

    def keys(self, suffix: str = "") -> list[str]:
        """The objects below the backup prefix."""
        found = objects.list_objects(self.headwater.connections.s3, self.bucket, "backups/")
        return [item.key for item in found if item.key.endswith(suffix)]

    def unfinished(self) -> list[multipart.UnfinishedUpload]:
        return list(multipart.list_unfinished(self.headwater.connections.s3, self.bucket))

    def empty(self) -> bool:
        """Whether nothing at all was left in the bucket."""
        return self.keys() == [] and self.unfinished() == []

    def restores(self, identity: Path | None = None) -> bool:
        """Whether the newest backup restores to the very rows of the source."""
        report = self.headwater.restore(RestoreOptions(identity=identity))
        equal = postgres.read_contents(self.address()) == postgres.read_contents(self.address(report.database))
        postgres.drop_database(self.address("postgres"), report.database)
        return equal

    def has_database(self, name: str) -> bool:
        with postgres.connect(self.address("postgres")) as connection:
            return postgres.database_exists(connection, name)

    def naive_outcome(self, pg_dump: Path, endpoint: str | None = None) -> str:
        """``noticed``, ``believed`` (it said success, and the rows are not there) or ``survived``."""
        s3 = self.s3(endpoint)
        if not naive.back_up(pg_dump, self.address(), s3, self.bucket, self.folder):
            return "noticed"
        return self.naive_restore()

    def naive_restore(self, endpoint: str | None = None) -> str:
        """The second half of ``naive_outcome``."""
        target = self.address(f"naive_{uuid.uuid4().hex[:10]}")
        try:
            if not naive.restore(target, self.programs / "psql", self.s3(endpoint), self.bucket, self.folder):
                return "noticed"
            equal = postgres.read_contents(self.address()) == postgres.read_contents(target)
            return "survived" if equal else "believed"
        finally:
            postgres.drop_database(self.address("postgres"), target.database)
