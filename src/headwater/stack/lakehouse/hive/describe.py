"""Writes a table out as text: DESCRIBE, SHOW CREATE TABLE, SHOW COLUMNS and SHOW TBLPROPERTIES, padded as Hive pads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone

from headwater.stack.lakehouse.errors import QueryFailed
from headwater.stack.lakehouse.hive import ast
from headwater.stack.lakehouse.hive.context import DdlContext, DdlResult, spec_values
from headwater.stack.lakehouse.hive.formats import DELIMITERS, LAZY_SIMPLE
from headwater.stack.lakehouse.hive.lexer import quote, quote_name
from headwater.stack.lakehouse.hive.types import (
    Array,
    Field,
    HiveType,
    Map,
    Struct,
    TypeSyntaxError,
    parse_type,
)
from headwater.stack.lakehouse.hive.views import decode_view
from headwater.stack.lakehouse.model import Column, GlueJson, Table
from headwater.stack.lakehouse.sql.layout import laid_out

_WIDTH = 20
_BLANK = "\t \t "
_HEADER = "\t".join(("# " + "col_name".ljust(_WIDTH), "data_type".ljust(_WIDTH), "comment".ljust(_WIDTH)))
DESCRIBE_COLUMNS = (Column("col_name", "string"), Column("data_type", "string"), Column("comment", "string"))


def describe(statement: ast.Describe, context: DdlContext) -> DdlResult:
    """``DESCRIBE [EXTENDED | FORMATTED] table [PARTITION (…)] [column]``."""
    found = context.table(statement.table)
    if statement.partition is not None:
        values = spec_values(found, statement.partition)
        partition = context.catalog.get_partition(context.scope, found["DatabaseName"], found["Name"], values)
        found = {**found, "StorageDescriptor": partition.get("StorageDescriptor") or found.get("StorageDescriptor")}
    table = Table.from_glue(found)
    if statement.column is not None:
        lines = [_column_line(column) for column in _inside(table, statement.column)]
    elif statement.style == "formatted":
        lines = _formatted(table)
    else:
        lines = [_column_line(column) for column in (*table.columns, *table.partition_keys)]
        lines += _partition_section(table, blank_first=True)
        if statement.style == "extended":
            lines += [_BLANK, _extended(table)]
    return DdlResult(DESCRIBE_COLUMNS, [(line,) for line in lines])


def _inside(table: Table, path: str) -> list[Column]:
    """What ``column.field.$elem$.$key$.$value$`` leads to: the fields of a struct, or the one type that it is."""
    first, *steps = path.split(".")
    declared = {column.name.lower(): column.type for column in (*table.columns, *table.partition_keys)}
    try:
        kind: HiveType | None = parse_type(declared[first])
    except (KeyError, TypeSyntaxError):
        kind = None
    for step in steps:
        kind = _step(kind, step)
    if kind is None:
        raise QueryFailed(f"FAILED: SemanticException [Error 10002]: Invalid column reference {path}")
    found = kind.fields if isinstance(kind, Struct) else (Field((steps or [first])[-1], kind),)
    return [Column(field.name, str(field.type), "from deserializer") for field in found]


def _step(kind: HiveType | None, step: str) -> HiveType | None:
    if isinstance(kind, Struct):
        return next((field.type for field in kind.fields if field.name == step.lower()), None)
    if isinstance(kind, Array) and step == "$elem$":
        return kind.element
    if isinstance(kind, Map):
        return {"$key$": kind.key, "$value$": kind.value}.get(step)
    return None


def _line(*cells: str) -> str:
    return "\t".join(cell.ljust(_WIDTH) for cell in cells)


def _column_line(column: Column) -> str:
    # A comment of several lines continues below its own column.
    first, *more = (column.comment or "").splitlines() or [""]
    return "\n".join([_line(column.name, column.type, first), *(_line("", "", line) for line in more)])


def _partition_section(table: Table, blank_first: bool) -> list[str]:
    if not table.partition_keys:
        return []
    head = [_BLANK] if blank_first else []
    head += ["# Partition Information\t \t ", _HEADER, _BLANK]
    return [*head, *(_column_line(column) for column in table.partition_keys)]


def _formatted(table: Table) -> list[str]:
    glue = table.glue
    descriptor: GlueJson = glue.get("StorageDescriptor") or {}
    lines = [_HEADER, _BLANK, *(_column_line(column) for column in table.columns)]
    lines += [_BLANK, *(_partition_section(table, blank_first=False))]
    if table.partition_keys:
        lines.append(_BLANK)
    lines += ["# Detailed Table Information\t \t "]
    facts = {
        "Database:": table.database,
        "Owner:": str(glue.get("Owner") or ""),
        "CreateTime:": _moment(glue.get("CreateTime")),
        "LastAccessTime:": "UNKNOWN",
        "Protect Mode:": "None",
        "Retention:": str(glue.get("Retention") or 0),
        "Location:": table.location,
        "Table Type:": table.table_type,
    }
    lines += [f"{_line(name, value)}\t " for name, value in facts.items()]
    lines += ["Table Parameters:\t \t ", *_parameter_lines(table.parameters)]
    lines += [_BLANK, "# Storage Information\t \t "]
    storage = {
        "SerDe Library:": table.serde,
        "InputFormat:": table.input_format,
        "OutputFormat:": table.output_format,
        "Compressed:": "Yes" if descriptor.get("Compressed") else "No",
        "Num Buckets:": str(descriptor.get("NumberOfBuckets", -1)),
        "Bucket Columns:": f"[{', '.join(descriptor.get('BucketColumns') or [])}]",
        "Sort Columns:": "[]",
    }
    lines += [f"{_line(name, value)}\t " for name, value in storage.items()]
    return [*lines, "Storage Desc Params:\t \t ", *_parameter_lines(table.serde_parameters)]


def _parameter_lines(parameters: Mapping[str, str]) -> list[str]:
    return ["\t" + _line(name, value) for name, value in sorted(parameters.items())]


def _extended(table: Table) -> str:
    columns = ", ".join(f"FieldSchema(name:{c.name}, type:{c.type}, comment:{c.comment})" for c in table.columns)
    keys = ", ".join(f"FieldSchema(name:{c.name}, type:{c.type}, comment:{c.comment})" for c in table.partition_keys)
    parameters = ", ".join(f"{name}={value}" for name, value in sorted(table.parameters.items()))
    return (
        f"Detailed Table Information\tTable(tableName:{table.name}, dbName:{table.database}, cols:[{columns}],"
        f" location:{table.location}, inputFormat:{table.input_format}, outputFormat:{table.output_format},"
        f" serializationLib:{table.serde}, partitionKeys:[{keys}], parameters:{{{parameters}}},"
        f" tableType:{table.table_type})\t "
    )


def _moment(seconds: float | None) -> str:
    if seconds is None:
        return "UNKNOWN"
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%a %b %d %H:%M:%S UTC %Y")


def show_columns(statement: ast.ShowColumns, context: DdlContext) -> DdlResult:
    """``SHOW COLUMNS``: partition keys last."""
    table = Table.from_glue(context.table(statement.table))
    rows = [(column.name.ljust(_WIDTH),) for column in (*table.columns, *table.partition_keys)]
    return DdlResult((Column("field", "string"),), rows)


def show_properties(statement: ast.ShowProperties, context: DdlContext) -> DdlResult:
    """``SHOW TBLPROPERTIES table [('name')]``."""
    table = Table.from_glue(context.table(statement.table))
    columns = (Column("prpt_name", "string"), Column("prpt_value", "string"))
    rows: list[tuple[str | None, ...]]
    if statement.name is None:
        rows = [(f"{name}\t{value}",) for name, value in sorted(table.parameters.items())]
    elif statement.name in table.parameters:
        rows = [(table.parameters[statement.name],)]
    else:
        rows = [(f"Table {table.database}.{table.name} does not have property: {statement.name}",)]
    return DdlResult(columns, rows)


def show_create_table(statement: ast.ShowCreateTable, context: DdlContext) -> DdlResult:
    """``SHOW CREATE TABLE``: a statement that makes the table again; ``SHOW CREATE VIEW`` likewise."""
    table = Table.from_glue(context.table(statement.table))
    is_view = table.table_type == "VIRTUAL_VIEW"
    if statement.view != is_view:
        kinds = ("a table, not a view", "a view, not a table")
        raise QueryFailed(f"line 1:1: '{table.database}.{table.name}' is {kinds[is_view]}")
    if is_view:
        sql = decode_view(table.glue.get("ViewOriginalText") or "").sql
        lines = [f"CREATE VIEW {statement.table} AS", *laid_out(sql).splitlines()]
        return DdlResult((Column("create view", "string"),), [(x,) for x in lines])
    lines = create_statement(table, str(statement.table)).split("\n")
    return DdlResult((Column("createtab_stmt", "string"),), [(x,) for x in lines])


def create_statement(table: Table, name: str) -> str:
    """The CREATE EXTERNAL TABLE statement, in Hive's layout (which ends many lines with a space)."""
    external = "EXTERNAL " if table.table_type == "EXTERNAL_TABLE" else ""
    parts = [f"CREATE {external}TABLE {quote_name(name)}(\n{_column_list(table.columns)})"]
    parameters = {key: value for key, value in table.parameters.items() if key not in ("EXTERNAL", "comment")}
    if "comment" in table.parameters:
        parts.append(f"COMMENT {quote(table.parameters['comment'])}")
    if table.partition_keys:
        parts.append(f"PARTITIONED BY ( \n{_column_list(table.partition_keys)})")
    descriptor: GlueJson = table.glue.get("StorageDescriptor") or {}
    if descriptor.get("BucketColumns"):
        columns = ", \n".join(f"  {name}" for name in descriptor["BucketColumns"])
        parts.append(f"CLUSTERED BY ( \n{columns}) \nINTO {descriptor.get('NumberOfBuckets')} BUCKETS")
    parts.append(_row_format(table))
    parts.append(f"STORED AS INPUTFORMAT \n  {quote(table.input_format)} ")
    parts.append(f"OUTPUTFORMAT \n  {quote(table.output_format)}")
    parts.append(f"LOCATION\n  {quote(table.location)}")
    if parameters:
        parts.append(f"TBLPROPERTIES (\n{_property_list(parameters)})")
    return "\n".join(parts)


def _column_list(columns: Sequence[Column]) -> str:
    return ", \n".join(
        f"  {quote_name(column.name)} {column.type}{f' COMMENT {quote(column.comment)}' if column.comment else ''}"
        for column in columns
    )


def _property_list(properties: Mapping[str, str]) -> str:
    return ", \n".join(f"  {quote(name)}={quote(value)}" for name, value in sorted(properties.items()))


def _row_format(table: Table) -> str:
    clauses = {name: clause for clause, name in DELIMITERS.items()}
    given = {name: value for name, value in table.serde_parameters.items() if name != "serialization.format"}
    if table.serde == LAZY_SIMPLE and given and given.keys() <= clauses.keys():
        lines = [f"  {clause} {quote(given[name])} " for clause, name in DELIMITERS.items() if name in given]
        return "\n".join(["ROW FORMAT DELIMITED ", *lines])
    text = f"ROW FORMAT SERDE \n  {quote(table.serde)} "
    if given:
        shown = {
            name: value
            for name, value in table.serde_parameters.items()
            if (name, value) != ("serialization.format", "1")
        }
        text += f"\nWITH SERDEPROPERTIES ( \n{_property_list(shown)}) "
    return text
