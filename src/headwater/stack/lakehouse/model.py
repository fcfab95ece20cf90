"""The nouns that the local Glue and Athena share, so that each room can be read without the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

GlueJson = dict[str, Any]
"""An object in the exact JSON shape of the Glue API (``TableInput``, ``Table``, ``Partition`` …)."""


@dataclass(frozen=True)
class Scope:
    """Whose catalog: Glue and Athena keep their state per AWS account and region."""

    account: str
    region: str


@dataclass(frozen=True)
class Column:
    """A column with its Hive type as written in the catalog, for example ``decimal(10,2)``."""

    name: str
    type: str
    comment: str | None = None


@dataclass(frozen=True)
class Table:
    """What a query needs to know of a Glue table; ``glue`` keeps the whole API object."""

    database: str
    name: str
    columns: tuple[Column, ...]
    partition_keys: tuple[Column, ...]
    location: str
    table_type: str
    input_format: str
    output_format: str
    serde: str
    serde_parameters: Mapping[str, str]
    parameters: Mapping[str, str]
    glue: GlueJson = field(repr=False, compare=False)

    @classmethod
    def from_glue(cls, table: GlueJson) -> Table:
        """Read the Glue API's ``Table`` object.

        >>> Table.from_glue({"DatabaseName": "d", "Name": "t"}).columns
        ()
        """
        descriptor: GlueJson = table.get("StorageDescriptor") or {}
        serde: GlueJson = descriptor.get("SerdeInfo") or {}
        return cls(
            database=table.get("DatabaseName", ""),
            name=table["Name"],
            columns=_columns(current_columns(descriptor.get("Columns"))),
            partition_keys=_columns(table.get("PartitionKeys")),
            location=descriptor.get("Location") or "",
            table_type=table.get("TableType") or "",
            input_format=descriptor.get("InputFormat") or "",
            output_format=descriptor.get("OutputFormat") or "",
            serde=serde.get("SerializationLibrary") or "",
            serde_parameters=serde.get("Parameters") or {},
            parameters=table.get("Parameters") or {},
            glue=table,
        )


def current_columns(raw: Sequence[GlueJson] | None) -> list[GlueJson]:
    """A table's columns in Glue without those that an Iceberg table had once: Glue keeps them, marked.

    >>> current_columns([{"Name": "a", "Parameters": {"iceberg.field.current": "false"}}])
    []
    """
    return [c for c in raw or () if (c.get("Parameters") or {}).get("iceberg.field.current") != "false"]


def _columns(raw: Sequence[GlueJson] | None) -> tuple[Column, ...]:
    return tuple(Column(c["Name"], c.get("Type") or "string", c.get("Comment")) for c in raw or ())


@dataclass(frozen=True)
class Partition:
    """One registered or projected partition: its key values as text, in key order, and where its files are."""

    values: tuple[str, ...]
    location: str
    glue: GlueJson = field(repr=False, compare=False, default_factory=dict)


@dataclass(frozen=True)
class KeyFilter:
    """An indexable condition on one partition key: ``op`` is one of ``= in < <= > >=``; ``values`` are text.

    For integer keys the comparison is numeric, for all others it is on the text.
    """

    key: str
    op: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class StoredObject:
    """An S3 object as the engine sees it: its key, and the local file that holds its bytes."""

    key: str
    path: Path
    size: int
    modified: float


class Files(Protocol):
    """Where S3's objects lie on this machine; it can be sent to another process."""

    def objects(self, scope: Scope, bucket: str, prefix: str) -> Iterator[StoredObject]:
        """The objects below a prefix in key order. Raises ``errors.NoSuchBucket`` or ``errors.AccessDenied``."""
        ...


class Storage(Files, Protocol):
    """The engine's whole view of S3: small, so that the same engine can serve over another store."""

    def put(self, scope: Scope, bucket: str, key: str, body: bytes | Path, content_type: str) -> None:
        """Store one object through the S3 protocol (a ``Path`` is read). Blocking; called from worker threads."""
        ...

    def delete(self, scope: Scope, bucket: str, keys: Iterable[str]) -> None:
        """Delete objects through the S3 protocol. Blocking."""
        ...


@dataclass(frozen=True)
class EngineSettings:
    """``slots`` queries run at once; ``memory_bytes`` is what they use together before they spill to ``scratch``.

    The folder is the engine's own: it is emptied at the start.
    """

    scratch: Path
    slots: int = 4
    threads: int = 0
    memory_bytes: int = 2 * 1024**3


def split_s3_uri(uri: str) -> tuple[str, str]:
    """``s3://bucket/a/b`` to ``("bucket", "a/b")``.

    >>> split_s3_uri("s3://lake/orders/")
    ('lake', 'orders/')
    """
    scheme, _, rest = uri.partition("://")
    if scheme not in ("s3", "s3a", "s3n") or not rest:
        raise ValueError(f"not an S3 URI: {uri!r}")
    bucket, _, key = rest.partition("/")
    return bucket, key
