"""One engine with an empty database for each module of tests, unless the module makes its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from athena_fixtures import AthenaClient, make_client


@pytest.fixture(scope="module")
def athena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AthenaClient]:
    """An engine on a folder of its own, with the database ``lake``."""
    client = make_client(tmp_path_factory.mktemp("lakehouse"))
    client.run("CREATE DATABASE lake")
    yield client
    client.lakehouse.close()
