"""DELETE, UPDATE and MERGE on Iceberg tables: data files that hold changed rows are written anew, in one snapshot."""

# ruff: noqa: S608 - writing SQL is what this module is for; names in it are quoted, expressions were parsed
from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
from pyiceberg.table import Table

from headwater.stack.lakehouse.errors import QueryFailed
from headwater.stack.lakehouse.iceberg.create import select_stored
from headwater.stack.lakehouse.iceberg.files import write_files
from headwater.stack.lakehouse.iceberg.scan import IcebergRead, read_current
from headwater.stack.lakehouse.iceberg.tables import IcebergTables
from headwater.stack.lakehouse.model import GlueJson
from headwater.stack.lakehouse.sql.expression import quote_name, quote_text
from headwater.stack.lakehouse.sql.failures import SqlError
from headwater.stack.lakehouse.sql.parse import parse_query
from headwater.stack.lakehouse.sql.query import OutputColumn
from headwater.stack.lakehouse.writes.ast import Clause, Delete, Merge, QueryText, Update
from headwater.stack.lakehouse.writes.context import Prepared, WriteContext, WriteResult
from headwater.stack.lakehouse.writes.insert import fit_types

KEEP, UPDATED, DELETED, INSERTED, NOTHING = range(5)
_HEAD = ("_hw_action", "_hw_path", "_hw_row")


def change_iceberg(statement: Delete | Update | Merge, glue: GlueJson, context: WriteContext) -> WriteResult:
    """Carry out the statement. Its count is that of the rows deleted, updated and inserted."""
    table = IcebergTables(context.catalog, context.storage, context.scope).open(glue)
    read = read_current(table)
    name = f"{quote_name(glue['DatabaseName'])}.{quote_name(glue['Name'])}"
    text = _merge_query(statement, name, read) if isinstance(statement, Merge) else _row_query(statement, name, read)
    prepared = context.engine.prepare(QueryText(parse_query(text), text))
    changes = context.engine.materialize(_changes(prepared, read))
    if isinstance(statement, Merge):
        _check_matches(context, changes)
    counted = f"SELECT count(*) AS n FROM {changes} WHERE action IN ({UPDATED}, {DELETED}, {INSERTED})"
    rows = _numbers(context.engine.batches(counted))[0]
    if rows:
        _commit(table, read, changes, context)
    return WriteResult(type(statement).__name__.upper(), rows)


def _row_query(statement: Delete | Update, name: str, read: IcebergRead) -> str:
    values = statement.values if isinstance(statement, Update) else {}
    _check_names(values, read)
    action = UPDATED if isinstance(statement, Update) else DELETED
    condition = f"coalesce({statement.condition}, false)"
    columns = [
        f"IF({condition}, {values[c]}, {quote_name(c)}) AS {quote_name(c)}" if c in values else quote_name(c)
        for c in read.names
    ]
    head = f"IF({condition}, {action}, {KEEP}) AS {_HEAD[0]}, \"$path\" AS {_HEAD[1]}, BIGINT '0' AS {_HEAD[2]}"
    return f"SELECT {head}, {', '.join(columns)} FROM {name}"


def _merge_query(statement: Merge, name: str, read: IcebergRead) -> str:
    target, source = quote_name(statement.target), quote_name(statement.alias or "_hw_source")
    matched = [clause for clause in statement.clauses if clause.matched]
    new = [_named(clause, read) for clause in statement.clauses if not clause.matched]
    for clause in (*matched, *new):
        _check_names(clause.values or {}, read)
    rows = f'(SELECT *, "$path" AS _hw_path, row_number() OVER () AS _hw_row FROM {name}) AS {target}'
    others = f"(SELECT *, true AS _hw_present FROM {statement.source}) AS {source}"
    on = f"{rows} FULL JOIN {others} ON {statement.condition}"

    def cases(insert: Sequence[str], update: Sequence[str], none: str, keep: str) -> str:
        inner = " ".join(f"WHEN {c.condition} THEN {v}" for c, v in zip(new, insert, strict=True))
        inserted = f"CASE {inner} ELSE {none} END" if new else none
        pairs = zip(matched, update, strict=True)
        outer = " ".join(f"WHEN {clause.condition} THEN {value}" for clause, value in pairs)
        kept = f"WHEN {source}._hw_present IS NULL THEN {keep}"
        return f"CASE WHEN {target}._hw_path IS NULL THEN {inserted} {kept} {outer} ELSE {keep} END"

    actions = [str(UPDATED if clause.values is not None else DELETED) for clause in matched]
    parts = [f"{cases([str(INSERTED)] * len(new), actions, str(NOTHING), str(KEEP))} AS _hw_action"]
    parts += [f"{target}._hw_path AS _hw_path", f"{target}._hw_row AS _hw_row"]
    for column in read.names:
        own = f"{target}.{quote_name(column)}"
        inserts = [(clause.values or {}).get(column, "NULL") for clause in new]
        updates = [(clause.values or {}).get(column, own) for clause in matched]
        parts.append(f"{cases(inserts, updates, 'NULL', own)} AS {quote_name(column)}")
    return f"SELECT {', '.join(parts)} FROM {on}"


def _named(clause: Clause, read: IcebergRead) -> Clause:
    """An INSERT without a list of columns gives all of them."""
    values = dict(clause.values or {})
    if not any(key.startswith("#") for key in values):
        return clause
    if len(values) != len(read.names):
        message = f"Insert query has {len(values)} expression(s) but expected {len(read.names)} target column(s)"
        raise SqlError("TYPE_MISMATCH", message, (1, 1))
    return Clause(False, clause.condition, dict(zip(read.names, values.values(), strict=True)))


def _check_names(values: Sequence[str] | object, read: IcebergRead) -> None:
    for name in values if isinstance(values, dict) else ():
        if name not in read.names:
            raise SqlError("COLUMN_NOT_FOUND", f"The UPDATE SET target column {name} doesn't exist", (1, 1))


def _changes(prepared: Prepared, read: IcebergRead) -> str:
    """All rows after the change with what happened to each, in the table's types."""
    columns = tuple(OutputColumn(n, k) for n, k in zip(read.names, read.types, strict=True))
    offset = len(_HEAD)
    shifted = ", ".join(f"p.c{offset + n} AS c{n}" for n in range(len(columns)))
    head = "p.c0 AS action, p.c1 AS path, p.c2 AS row"
    inner = f"SELECT {shifted}, {head} FROM ({prepared.sql}) AS p"
    fitted = fit_types((), Prepared(inner, prepared.columns[offset:]), columns, carried=("action", "path", "row"))
    return fitted.sql


def _check_matches(context: WriteContext, changes: str) -> None:
    several = (
        f"SELECT count(*) AS n FROM (SELECT row FROM {changes} WHERE action IN ({UPDATED}, {DELETED}) "
        "GROUP BY row HAVING count(*) > 1)"
    )
    if _numbers(context.engine.batches(several))[0]:
        message = "One MERGE target table row matched more than one source row"
        raise QueryFailed(f"MERGE_TARGET_ROW_MULTIPLE_MATCHES: {message}")


def _commit(table: Table, read: IcebergRead, changes: str, context: WriteContext) -> None:
    found = context.engine.batches(f"SELECT DISTINCT path FROM {changes} WHERE action IN ({UPDATED}, {DELETED})")
    paths = {path for batch in found for path in batch.column(0).to_pylist()}
    listed = ", ".join(quote_text(path) for path in sorted(paths)) or "''"
    names = ", ".join(f"c{n}" for n in range(len(read.names)))
    # A row that several source rows matched in vain is still one row, and a change of it goes first.
    single = "action = 3 OR row_number() OVER (PARTITION BY path, row ORDER BY action DESC) = 1 OR row = 0"
    rows = f"SELECT * FROM {changes} WHERE action = {INSERTED} OR path IN ({listed}) QUALIFY {single}"
    kept = f"SELECT {names} FROM ({rows}) WHERE action IN ({KEEP}, {UPDATED}, {INSERTED})"
    columns = tuple(OutputColumn(n, k) for n, k in zip(read.names, read.types, strict=True))
    files, _ = write_files(table, context.engine.batches(select_stored(Prepared(kept, columns))))
    with table.transaction() as transaction, transaction.update_snapshot().overwrite() as snapshot:
        for task in read.tasks():
            if task.file.file_path in paths:
                snapshot.delete_data_file(task.file)
        for file in files:
            snapshot.append_data_file(file)


def _numbers(batches: Iterator[pa.RecordBatch]) -> list[int]:
    return [int(value) for batch in batches for value in batch.column(0).to_pylist()]
