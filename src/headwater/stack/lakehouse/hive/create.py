"""CREATE statements of Hive DDL: databases, tables and views."""

from __future__ import annotations

from dataclasses import dataclass, field

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.hive.ast import CreateDatabase, CreateTable, CreateView, Format, TableName
from headwater.stack.lakehouse.hive.cursor import Cursor
from headwater.stack.lakehouse.hive.formats import DELIMITERS, FORMATS, LAZY_SIMPLE, OPENX_JSON, OPENX_TEXT, TEXT
from headwater.stack.lakehouse.model import Column


def create(cursor: Cursor) -> CreateDatabase | CreateTable | CreateView | None:
    """What follows CREATE; ``None`` for CREATE TABLE … AS, which is a query."""
    if cursor.accept("database") or cursor.accept("schema"):
        return _database(cursor)
    or_replace = cursor.accept("or", "replace")
    if cursor.accept("view"):
        return _view(cursor, or_replace)
    for refused in (("protected", "view"), ("protected", "multi"), ("function",), ("role",), ("index",)):
        if cursor.at(*refused):
            raise Unsupported(f"CREATE {' '.join(refused).upper()}")
    if or_replace:
        raise cursor.mismatch("'VIEW'")
    external = cursor.accept("external")
    if cursor.accept("table"):
        return _table(cursor, external)
    expected = ["'TABLE'"] if external else ["'DATABASE'", "'EXTERNAL'", "'OR'", "'SCHEMA'", "'TABLE'", "'VIEW'"]
    raise cursor.mismatch(*expected)


def _if_not_exists(cursor: Cursor) -> bool:
    if cursor.accept("if"):
        cursor.expect("not", "exists")
        return True
    return False


def _database(cursor: Cursor) -> CreateDatabase:
    if_not_exists = _if_not_exists(cursor)
    name = cursor.name()
    comment = cursor.string() if cursor.accept("comment") else None
    location = cursor.string() if cursor.accept("location") else None
    properties: dict[str, str] = {}
    if cursor.accept("with"):
        cursor.expect("dbproperties")
        properties = cursor.properties()
    cursor.end()
    return CreateDatabase(name, if_not_exists, comment, location, properties)


def _view(cursor: Cursor, or_replace: bool) -> CreateView:
    name = cursor.table()
    if cursor.at("("):
        raise Unsupported("CREATE VIEW with a list of columns")
    cursor.expect("as")
    # Line ends after the query are part of the view: clients that compare definitions see them again.
    query = cursor.sql[cursor.token.start :].rstrip(" \t").removesuffix(";")
    if not query.strip():
        raise cursor.mismatch("'SELECT'", "'WITH'")
    return CreateView(name, query, or_replace)


@dataclass
class _Clauses:
    """The clauses of one CREATE TABLE as they are met."""

    columns: tuple[Column, ...] = ()
    partition_keys: list[Column] = field(default_factory=list)
    transforms: list[str] = field(default_factory=list)
    comment: str | None = None
    location: str | None = None
    bucket_columns: tuple[str, ...] = ()
    buckets: int | None = None
    properties: dict[str, str] = field(default_factory=dict)
    serde: str | None = None
    serde_properties: dict[str, str] = field(default_factory=dict)
    stored: Format | None = None


def _table(cursor: Cursor, external: bool) -> CreateTable | None:
    if_not_exists = _if_not_exists(cursor)
    table = cursor.table()
    if cursor.at("as") or (cursor.at("with") and not cursor.at("with", "serdeproperties")):
        return None
    if cursor.at("like"):
        raise Unsupported("CREATE TABLE … LIKE")
    clauses = _Clauses()
    if cursor.at("("):
        clauses.columns = cursor.columns()
    seen: set[str] = set()
    while cursor.token.kind != "end" and not cursor.at(";"):
        if cursor.at("as"):
            return None
        clause = _clause(cursor, clauses)
        if clause in seen:
            raise cursor.error(f"{clause} is given twice")
        seen.add(clause)
    cursor.end()
    return _assemble(table, clauses, external, if_not_exists)


def _assemble(table: TableName, clauses: _Clauses, external: bool, if_not_exists: bool) -> CreateTable:
    base = clauses.stored or (OPENX_TEXT if clauses.serde == OPENX_JSON else TEXT)
    serde_properties = clauses.serde_properties
    if clauses.serde is None and serde_properties and base.serde != LAZY_SIMPLE:
        serde_properties = {name: value for name, value in serde_properties.items() if name != "serialization.format"}
    return CreateTable(
        table=table,
        columns=clauses.columns,
        partition_keys=tuple(clauses.partition_keys),
        format=Format(clauses.serde or base.serde, base.input_format, base.output_format, serde_properties),
        location=clauses.location,
        external=external,
        if_not_exists=if_not_exists,
        comment=clauses.comment,
        bucket_columns=clauses.bucket_columns,
        buckets=clauses.buckets,
        properties=clauses.properties,
        transforms=tuple(clauses.transforms),
    )


def _clause(cursor: Cursor, clauses: _Clauses) -> str:
    """Read one clause into ``clauses``, and say which it was."""
    if cursor.accept("comment"):
        clauses.comment = cursor.string()
        return "COMMENT"
    if cursor.accept("partitioned", "by"):
        _partitioned(cursor, clauses)
        return "PARTITIONED BY"
    if cursor.accept("clustered", "by"):
        _clustered(cursor, clauses)
        return "CLUSTERED BY"
    if cursor.accept("row", "format"):
        _row_format(cursor, clauses)
        return "ROW FORMAT"
    if cursor.accept("stored"):
        if cursor.at("by"):
            raise Unsupported("STORED BY")
        cursor.expect("as")
        clauses.stored = _stored_as(cursor)
        return "STORED AS"
    if cursor.accept("with", "serdeproperties"):
        clauses.serde_properties = {**clauses.serde_properties, **cursor.properties()}
        return "WITH SERDEPROPERTIES"
    if cursor.accept("location"):
        clauses.location = cursor.string()
        return "LOCATION"
    if cursor.accept("tblproperties"):
        clauses.properties = cursor.properties()
        return "TBLPROPERTIES"
    if cursor.at("skewed"):
        raise Unsupported("SKEWED BY")
    raise cursor.mismatch(
        "'CLUSTERED'", "'COMMENT'", "'LOCATION'", "'PARTITIONED'", "'ROW'", "'STORED'", "'TBLPROPERTIES'", "'WITH'"
    )


def _partitioned(cursor: Cursor, clauses: _Clauses) -> None:
    cursor.expect("(")
    while True:
        start = cursor.token.start
        # Iceberg's partition columns are only named here; awswrangler names them bare, whatever they are called.
        name = cursor.name(reserved=cursor.ends_item)
        if cursor.accept("("):
            while not cursor.accept(")"):
                if cursor.token.kind == "end":
                    raise cursor.mismatch("')'")
                cursor.advance()
            clauses.transforms.append(cursor.sql[start : cursor.token.start].strip())
        elif cursor.at(",") or cursor.at(")"):
            clauses.transforms.append(name)
        else:
            kind = cursor.type()
            clauses.partition_keys.append(Column(name, kind, cursor.string() if cursor.accept("comment") else None))
        if not cursor.accept(","):
            break
    cursor.expect(")")


def _clustered(cursor: Cursor, clauses: _Clauses) -> None:
    cursor.expect("(")
    names = [cursor.name()]
    while cursor.accept(","):
        names.append(cursor.name())
    cursor.expect(")")
    if cursor.at("sorted"):
        raise Unsupported("SORTED BY")
    cursor.expect("into")
    clauses.buckets = cursor.integer()
    cursor.expect("buckets")
    clauses.bucket_columns = tuple(names)


def _row_format(cursor: Cursor, clauses: _Clauses) -> None:
    if cursor.accept("serde"):
        clauses.serde = cursor.string()
        if cursor.accept("with"):
            cursor.expect("serdeproperties")
            clauses.serde_properties = cursor.properties()
        return
    cursor.expect("delimited")
    found: dict[str, str] = {}
    while True:
        clause = next((words for words in DELIMITERS if cursor.accept(*words.lower().split())), None)
        if clause is None:
            break
        found[DELIMITERS[clause]] = cursor.string()
    if "field.delim" in found:
        found["serialization.format"] = found["field.delim"]
    clauses.serde_properties = found


def _stored_as(cursor: Cursor) -> Format:
    if cursor.accept("inputformat"):
        input_format = cursor.string()
        cursor.expect("outputformat")
        output_format = cursor.string()
        known = next((item for item in FORMATS.values() if item.input_format == input_format), TEXT)
        return Format(known.serde, input_format, output_format)
    name = cursor.token.text.lower()
    if name == "ion":
        raise Unsupported("STORED AS ION")
    found = FORMATS.get(name) if cursor.token.kind == "word" else None
    if found is None:
        raise cursor.mismatch("'INPUTFORMAT'", *(f"'{known.upper()}'" for known in FORMATS))
    cursor.advance()
    return found
