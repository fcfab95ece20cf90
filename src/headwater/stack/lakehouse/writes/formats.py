"""File formats that Athena writes: what WITH properties ask for, what Glue records, and which types each can hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from headwater.stack.lakehouse.errors import QueryFailed, Unsupported
from headwater.stack.lakehouse.hive.ast import Format
from headwater.stack.lakehouse.hive.formats import FORMATS, LAZY_SIMPLE
from headwater.stack.lakehouse.model import GlueJson, Table
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.writes.tokens import Value

_JSON_SERDE = "org.apache.hive.hcatalog.data.JsonSerDe"
_CODECS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "parquet": ("gzip", "snappy", "zstd", "none"),
        "orc": ("zlib", "snappy", "lz4", "zstd", "none"),
        "avro": ("deflate", "snappy", "none"),
        "json": ("gzip", "bzip2", "snappy", "zstd", "none"),
        "textfile": ("gzip", "bzip2", "snappy", "zstd", "none"),
    }
)
"""The compressions of each format; the first is what Athena takes when nothing is said."""
_SYNONYMS = {"uncompressed": "none"}
_SUFFIXES = {"gzip": ".gz", "bzip2": ".bz2", "snappy": ".snappy", "zstd": ".zst", "none": ""}


@dataclass(frozen=True)
class FileFormat:
    """How files are written: ``name`` is parquet, orc, avro, json or textfile."""

    name: str
    compression: str
    delimiter: str = "\x01"

    @property
    def suffix(self) -> str:
        """What a file's name ends with: readers tell the compression of text by it."""
        return _SUFFIXES[self.compression] if self.name in ("json", "textfile") else ""

    def hive(self) -> Format:
        """What Glue records of the format."""
        if self.name == "json":
            text = FORMATS["textfile"]
            return Format(_JSON_SERDE, text.input_format, text.output_format)
        known = FORMATS[self.name]
        if self.name == "textfile" and self.delimiter != "\x01":
            delimiters = {"field.delim": self.delimiter, "serialization.format": self.delimiter}
            return Format(known.serde, known.input_format, known.output_format, delimiters)
        return known


def format_of(properties: Mapping[str, Value], what: str) -> FileFormat:
    """The format that WITH properties ask for. Raises ``QueryFailed``.

    >>> format_of({"format": "PARQUET", "write_compression": "SNAPPY"}, "CREATE TABLE AS")
    FileFormat(name='parquet', compression='snappy', delimiter='\\x01')
    """
    name = str(properties.get("format", "parquet")).lower()
    if name == "ion":
        raise Unsupported(f"{what} with format {name.upper()}")
    if name not in _CODECS:
        message = f"Invalid value [{name.upper()}]. Valid values: [ORC, PARQUET, AVRO, JSON, TEXTFILE]"
        raise QueryFailed(f"INVALID_TABLE_PROPERTY: line 1:1: Unable to set catalog property 'format': {message}")
    names = ("write_compression", "compression", f"{name}_compression")
    asked = next((properties[key] for key in names if key in properties), None)
    delimiter = properties.get("field_delimiter")
    if delimiter is not None and name != "textfile":
        delimiter = None  # Athena takes field_delimiter with any format, and uses it for text only
    return FileFormat(name, _codec(name, asked, what), "\x01" if delimiter is None else _one_character(str(delimiter)))


def format_of_table(table: Table) -> FileFormat:
    """The format in which rows are added to an existing table. Raises ``QueryFailed`` where Athena does not insert."""
    serde = table.serde.rsplit(".", 1)[-1].lower()
    written = {"parquethiveserde": "parquet", "orcserde": "orc", "lazysimpleserde": "textfile", "avroserde": "avro"}
    name = written.get(serde)
    if table.serde == _JSON_SERDE:
        name = "json"
    if name is None or table.input_format not in ("", FileFormat(name, "none").hive().input_format):
        raise QueryFailed(
            f"HIVE_UNSUPPORTED_FORMAT: Output format {table.output_format} with SerDe {table.serde} is not supported."
        )
    for parameter in ("escape.delim", "collection.delim", "mapkey.delim", "serialization.null.format"):
        if name == "textfile" and table.serde_parameters.get(parameter):
            raise Unsupported(f"INSERT INTO a text table with {parameter}")
    keys = ("write.compression", f"{name}.compression", f"{name}.compress")
    asked = next((table.parameters[key] for key in keys if key in table.parameters), None)
    parameters = table.serde_parameters
    delimiter = parameters.get("field.delim") or parameters.get("serialization.format") or "\x01"
    codec = _codec(name, asked, "INSERT INTO")
    return FileFormat(name, codec, _one_character("\x01" if delimiter == "1" else delimiter))


def _codec(name: str, asked: object, what: str) -> str:
    if asked is None:
        return _CODECS[name][0]
    codec = _SYNONYMS.get(str(asked).lower(), str(asked).lower())
    if name == "orc" and codec == "gzip":
        codec = "zlib"
    if codec not in _CODECS[name]:
        raise Unsupported(f"{what} with {name.upper()} compressed as {str(asked).upper()}")
    return codec


def _one_character(text: str) -> str:
    named = {"\\t": "\t", "\\001": "\x01", "\\u0001": "\x01"}.get(text, text)
    if len(named) != 1:
        raise QueryFailed(f"INVALID_TABLE_PROPERTY: field_delimiter must be a single character: {text!r}")
    return named


_HIVE = {"integer": "int", "real": "float", "varbinary": "binary"}
_SAME = ("boolean", "tinyint", "smallint", "bigint", "double", "date")
_MAX_VARCHAR = 65535


def hive_type(kind: t.Type, column: str) -> str:
    """The Hive type that holds a Trino type. Raises ``QueryFailed`` where Athena says that there is none.

    >>> hive_type(t.row_of(("a", t.INTEGER), ("b", t.array(t.varchar(3)))), "c")
    'struct<a:int,b:array<varchar(3)>>'
    """
    if kind.name in _SAME:
        return kind.name
    if kind.name in _HIVE:
        return _HIVE[kind.name]
    if kind.name == "decimal":
        return f"decimal({kind.params[0]},{kind.params[1]})"
    if kind.name == "varchar":
        return f"varchar({kind.params[0]})" if kind.params and 0 < kind.params[0] <= _MAX_VARCHAR else "string"
    if kind.name == "char":
        return f"char({kind.params[0]})"
    if kind.name == "timestamp":
        if t.precision_of(kind) > 3:
            message = f"Incorrect timestamp precision for {kind}; the configured precision is MILLISECONDS"
            raise QueryFailed(f"NOT_SUPPORTED: {message}; column name: {column}")
        return "timestamp"
    if kind.name == "array":
        return f"array<{hive_type(kind.items[0], column)}>"
    if kind.name == "map":
        return f"map<{hive_type(kind.items[0], column)},{hive_type(kind.items[1], column)}>"
    if kind.name == "row":
        if any(name is None for name in kind.names):
            message = "Anonymous row type is not supported in Hive. Please give each field a name"
            raise QueryFailed(f"NOT_SUPPORTED: {message}: {kind}")
        fields = (f"{name}:{hive_type(item, column)}" for name, item in zip(kind.names, kind.items, strict=True))
        return f"struct<{','.join(fields)}>"
    raise QueryFailed(f"NOT_SUPPORTED: Unsupported Hive type: {kind}")


def serde_info(written: Format) -> GlueJson:
    """Glue's ``SerdeInfo`` of a format."""
    parameters = {"serialization.format": "1", **written.serde_properties}
    return {"SerializationLibrary": written.serde or LAZY_SIMPLE, "Parameters": parameters}
