"""Each file of a physical backup is what PostgreSQL says that it sent: as it comes, and after it was unpacked."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest
from awscrt.checksums import crc32c

from headwater.errors import BackupError, VerificationError
from headwater.stages.physical.base import TarWatch
from headwater.stages.physical.files import check_files
from headwater.stages.physical.tar import TarReader

FILES = {
    "base/5/1259": bytes(range(256)) * 300,
    "empty": b"",
    f"log/{'n' * 120}": b"a name that needs a header of its own",
    "caf\u00e9": b"1",
}


def manifest(algorithm: str) -> bytes:
    """What PostgreSQL writes about the files."""
    digests = {
        "CRC32C": lambda data: crc32c(data).to_bytes(4, "little").hex(),
        "SHA256": lambda data: hashlib.sha256(data).hexdigest(),
    }
    entries = [
        {"Path": name, "Size": len(data), "Checksum-Algorithm": algorithm, "Checksum": digests[algorithm](data)}
        for name, data in FILES.items()
    ]
    body = f'{{"Files": {json.dumps(entries)},\n'.encode()
    return body + f'"Manifest-Checksum": "{hashlib.sha256(body).hexdigest()}"}}\n'.encode()


def tar_of(files: dict[str, bytes]) -> bytes:
    """A tar as pg_basebackup makes it."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.GNU_FORMAT) as tar:
        folder = tarfile.TarInfo("base")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, data in {**files, "backup_manifest": manifest("CRC32C")}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return made.getvalue()


def watch(data: bytes, size: int) -> TarWatch:
    watched = TarWatch(io.BytesIO())
    for start in range(0, len(data), size):
        watched.feed(data[start : start + size])
    watched.finish()
    return watched


@pytest.mark.parametrize("size", [100, 512, 5000, 1 << 20])
def test_files_are_compared_while_they_come_in_blocks_of_any_size(size: int) -> None:
    assert watch(tar_of(FILES), size).files.read() == manifest("CRC32C")


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda data: data.replace(b"a name that", b"a game that"), "nnn came from the server otherwise"),
        (lambda data: tar_of({name: text for name, text in FILES.items() if name != "empty"}), "empty came from"),
        (lambda data: tar_of({**FILES, "empty": b"\0"}), "empty came from"),
        (lambda data: data[:70_000], "ended before it was whole"),
        (lambda data: data.rstrip(b"\0"), "ended before it was whole"),
        (lambda data: data.replace(b"ustar", b"mustr"), "not a tar"),
    ],
)
def test_what_was_damaged_on_the_way_from_the_server_makes_no_backup(damage, named: str) -> None:  # type: ignore[no-untyped-def] # a lambda
    with pytest.raises(BackupError, match=named):
        watch(damage(tar_of(FILES)), 4096)


@pytest.mark.parametrize("algorithm", ["CRC32C", "SHA256"])
def test_an_unpacked_file_that_changed_is_found_by_either_checksum(tmp_path: Path, algorithm: str) -> None:
    for name, data in {**FILES, "backup_manifest": manifest(algorithm)}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    assert check_files(tmp_path) == len(FILES)

    (tmp_path / "base/5/1259").write_bytes(bytes(256 * 300))
    with pytest.raises(VerificationError, match=f"base/5/1259 has another {algorithm}"):
        check_files(tmp_path)


def test_a_tar_that_ends_early_is_no_whole_one() -> None:
    class Nobody:
        def begin(self, member: tarfile.TarInfo) -> None: ...
        def data(self, piece: memoryview) -> None: ...
        def end(self) -> None: ...

    reader = TarReader(Nobody())
    reader.feed(tar_of(FILES)[:5120])
    with pytest.raises(tarfile.TarError):
        reader.finish()
