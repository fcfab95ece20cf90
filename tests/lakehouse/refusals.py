"""Expects an API error by its code, as a boto3 user would catch it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from headwater.stack.lakehouse.errors import ApiError


@contextmanager
def refused(code: str) -> Iterator[None]:
    """The block must raise ``ApiError`` with this code."""
    with pytest.raises(ApiError) as caught:
        yield
    assert caught.value.code == code
