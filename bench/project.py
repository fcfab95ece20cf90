"""Temporary projects to measure in, whose stack is removed whatever happens, and the programs run on them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headwater import Headwater
from headwater.services import postgres, tools
from headwater.settings import load

BUCKET = "bench"


@contextmanager
def project() -> Iterator[Headwater]:
    """A new project, in which nothing has been started."""
    with tempfile.TemporaryDirectory(prefix="headwater-bench-") as folder:
        headwater = Headwater(settings=load(Path(folder), environ={}, overrides={"bucket_name": BUCKET}))
        try:
            yield headwater
        finally:
            headwater.connections.stop_stack(remove=True)


@contextmanager
def filled(rows: int, quick: str) -> Iterator[Site]:
    """A project whose database has that many orders, or as many as the variable ``quick`` says, at rest on disk."""
    with project() as headwater:
        headwater.bucket()
        headwater.setup(rows=int(os.environ.get(quick, rows)))
        with postgres.connect(headwater.connections.postgres(), autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")
        yield Site(headwater)


class Site:
    """A project with PostgreSQL's programs of version 18 and their login, beside the commands of ours."""

    def __init__(self, headwater: Headwater) -> None:
        self.headwater = headwater
        self.folder = headwater.settings.layout.project
        self._programs = tools.find("pg_dump", 18, headwater.connections.postgres_tools).path.parent
        self._login = dict(tools.login(headwater.connections.postgres()))

    def shell(self, text: str, folder: Path | None = None) -> None:
        """Run a pipeline of PostgreSQL's programs (``PG/…``), in ``folder``."""
        bash = ["bash", "-o", "pipefail", "-c", text.replace("PG/", f"{self._programs}/")]
        subprocess.run(bash, check=True, env=self._login, stdout=subprocess.DEVNULL, cwd=folder)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """A command of ours, running."""
        command = [sys.executable, "-m", "headwater", "--project", str(self.folder), *arguments, "--json"]
        environment = {**os.environ, "HEADWATER_BUCKET_NAME": BUCKET}
        return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)

    def run(self, *arguments: str) -> None:
        """A command of ours, to its end."""
        assert self.start(*arguments).wait() == 0, arguments
