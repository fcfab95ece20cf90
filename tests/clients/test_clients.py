"""The unmodified real clients of Athena and Glue, installed from PyPI, work on the stack as they do on AWS."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from requirements import ENVIRONMENTS

pytestmark = pytest.mark.soak


@pytest.mark.parametrize("client", sorted(ENVIRONMENTS))
def test_the_client_does_on_the_stack_what_it_does_on_aws(client: str, run_program: Callable[[str], None]) -> None:
    run_program(client)
