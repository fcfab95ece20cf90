"""Gives a restored database what belongs to the database itself: its settings, comment and rights.

pg_restore does that with ``--create`` only, which restores under the former name: here, its statements are taken over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import psycopg
from psycopg import sql

from headwater.model import PostgresAddress
from headwater.services import postgres, restoring, toc
from headwater.services.restoring import Load
from headwater.services.scripts import statements

_NAME = r'(?:"(?:[^"]|"")+"|[^\s"]+)'
_OF_DATABASE = re.compile(
    rf"(ALTER DATABASE|COMMENT ON DATABASE|(?:GRANT|REVOKE) [A-Z, ]+ ON DATABASE|ALTER ROLE {_NAME} IN DATABASE)"
    rf" {_NAME} (.*)",
    re.DOTALL,
)


def take_over(load: Load, maintenance: PostgresAddress, *, owner: bool) -> tuple[str, ...]:
    """Apply the archive's to the database that it was restored into; what could not be done. ``owner``: rights too.

    Raises BackupError, PostgresError if the server is gone.
    """
    wanted = [entry for entry in load.entries() if _is_wanted(entry)]
    if not wanted:
        return ()
    script = restoring.script(load, wanted)
    failed = []
    with postgres.connect(maintenance, autocommit=True) as connection:
        connection.execute("SET standard_conforming_strings = on")
        for head, rest in _addressed(statements(script), owner=owner):
            name = sql.Identifier(load.address.database).as_string(connection)
            try:
                connection.execute(f"{head} {name} {rest}".encode())
            except psycopg.OperationalError:
                raise
            except psycopg.Error as error:  # a value may be a secret: neither it nor the server's words are repeated
                what = re.split(r" TO | IS |;", rest)[0]
                failed.append(f"not taken over: {head} … {what} ({type(error).__name__})")
    return tuple(failed)


def _is_wanted(entry: toc.Entry) -> bool:
    whole = f"{entry.kind} {entry.text}"
    return whole.startswith(("DATABASE PROPERTIES ", "COMMENT - DATABASE ", "ACL - DATABASE "))


def _addressed(script: Iterable[str], *, owner: bool) -> Iterator[tuple[str, str]]:
    """The statements about the database, before and behind its name."""
    for statement in script:
        found = _OF_DATABASE.fullmatch(statement)
        # A copy is no template of others: nothing of that name could be dropped any longer.
        if found is None or found[2].startswith("IS_TEMPLATE"):
            continue
        if owner or not found[1].startswith(("GRANT", "REVOKE")):
            yield found[1], found[2]
