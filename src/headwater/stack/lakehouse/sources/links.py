"""Tables whose objects are lists of other files (SymlinkTextInputFormat): S3's inventories and Delta's manifests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from headwater.stack.lakehouse.errors import QueryFailed
from headwater.stack.lakehouse.model import Partition, Scope, Storage, StoredObject, Table, split_s3_uri
from headwater.stack.lakehouse.sources.files import listed
from headwater.stack.lakehouse.sources.model import DataFile, Reader

SYMLINKS = "org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat"


def input_format_of(table: Table, partition: Partition) -> str:
    """How a partition's files are read."""
    return (partition.glue.get("StorageDescriptor") or {}).get("InputFormat") or table.input_format


def followed(files: Iterable[DataFile], table: Table, places: tuple[Storage, Scope], reader: Reader) -> list[DataFile]:
    """The files with each list replaced by the files that it names, in its order. Raises ``QueryFailed``."""
    folders: dict[tuple[str, str], dict[str, StoredObject]] = {}
    return [one for file in files for one in _named(file, table, places, reader, folders)]


def _named(
    file: DataFile,
    table: Table,
    places: tuple[Storage, Scope],
    reader: Reader,
    folders: dict[tuple[str, str], dict[str, StoredObject]],
) -> Iterator[DataFile]:
    if input_format_of(table, file.partition) != SYMLINKS:
        yield file
        return
    reader.count(file.stored.size)
    for uri in filter(None, map(str.strip, file.stored.path.read_text("utf-8", "replace").splitlines())):
        try:
            bucket, key = split_s3_uri(uri)
        except ValueError as error:
            raise QueryFailed(f"HIVE_BAD_DATA: {file.uri} names no object of S3: {uri}") from error
        folder = (bucket, key[: key.rfind("/") + 1])
        if folder not in folders:
            folders[folder] = {stored.key: stored for stored in listed(*places, *folder)}
        found = folders[folder].get(key)
        if found is None:
            message = f"Manifest file from the location [{file.partition.location}] contains non-existent path: {uri}"
            raise QueryFailed(f"HIVE_FILE_NOT_FOUND: {message}")
        if found.size:
            yield DataFile(found, uri, file.partition)
