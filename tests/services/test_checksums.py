"""Checksums: what S3 will report for a file is known before it is sent."""

from __future__ import annotations

import hashlib
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from headwater.services.checksums import SINGLE_PUT_LIMIT, Fingerprint, fingerprint, part_size

GIB = 1024**3


def test_the_parts_hold_the_largest_object_and_none_is_larger_than_s3_allows() -> None:
    sizes = [part_size(number) for number in range(1, 10_001)]
    assert sum(sizes) >= 5 * 1024 * GIB
    assert max(sizes) <= 5 * GIB
    assert min(sizes) >= 5 * 1024**2
    assert sizes == sorted(sizes)


@given(st.binary(max_size=5000))
def test_the_etag_of_a_small_file_is_its_md5(tmp_path_factory: object, data: bytes) -> None:
    path = Path(tmp_path_factory.mktemp("file")) / "f"  # type: ignore[attr-defined]
    path.write_bytes(data)
    found = fingerprint(path)
    assert (found.size, found.etag) == (len(data), hashlib.md5(data).hexdigest())  # noqa: S324 - what S3 does


def test_a_large_file_is_described_in_parts(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(SINGLE_PUT_LIMIT + 1)
    found = fingerprint(path)
    assert found.size == SINGLE_PUT_LIMIT + 1
    assert found.etag.endswith("-9")
    assert found.crc32.endswith("-9")
    assert isinstance(found, Fingerprint)
