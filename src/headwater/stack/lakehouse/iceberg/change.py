"""DELETE, UPDATE and MERGE on Iceberg tables: data files that hold changed rows are written anew, in one snapshot."""

# ruff: noqa: S608 - writing SQL is what this module is for; names in it are quoted, expressions were parsed
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyiceberg.table import Table

from headwater.stack.lakehouse.errors import QueryFailed
from headwater.stack.lakehouse.iceberg.create import select_stored
from headwater.stack.lakehouse.iceberg.files import replace_files, write_files
from headwater.stack.lakehouse.iceberg.scan import IcebergRead, read_current
from headwater.stack.lakehouse.iceberg.tables import IcebergTables
from headwater.stack.lakehouse.model import GlueJson
from headwater.stack.lakehouse.sql.expression import Expr, quote_name, quote_text
from headwater.stack.lakehouse.sql.failures import SqlError
from headwater.stack.lakehouse.sql.query import OutputColumn
from headwater.stack.lakehouse.writes.ast import Clause, Delete, Merge, QueryText, Update
from headwater.stack.lakehouse.writes.context import Prepared, WriteContext, WriteResult
from headwater.stack.lakehouse.writes.insert import accepts, assigned

KEEP, UPDATED, DELETED, INSERTED, NOTHING = range(5)
_HEAD = ("_hw_action", "_hw_clause", "_hw_path", "_hw_row")


@dataclass(frozen=True)
class _Rows:
    """A query for all rows: what happens to each, its columns as they were, and the values that ``new`` assigns.

    Values stand apart from the columns because they are of other types: the rows that stay must not be converted.
    """

    text: str
    new: Sequence[tuple[int, str]] = ()
    """The clause (from 1) that gives each of the values behind the columns, and the column that takes it."""


def change_iceberg(statement: Delete | Update | Merge, glue: GlueJson, context: WriteContext) -> WriteResult:
    """Carry out the statement. Its count is that of the rows deleted, updated and inserted."""
    table, read, sql = plan_change(statement, glue, context)
    changes = context.engine.materialize(sql)
    if isinstance(statement, Merge):
        _check_matches(context, changes)
    counted = f"SELECT count(*) AS n FROM {changes} WHERE action IN ({UPDATED}, {DELETED}, {INSERTED})"
    count = _numbers(context.engine.batches(counted))[0]
    if count:
        _commit(table, read, changes, context)
    return WriteResult(count)


def plan_change(
    statement: Delete | Update | Merge, glue: GlueJson, context: WriteContext
) -> tuple[Table, IcebergRead, str]:
    """The table, what is read of it, and the query for its rows after the change. Nothing runs."""
    table = IcebergTables(context.catalog, context.storage, context.scope).open(glue)
    read = read_current(table)
    name = f"{quote_name(glue['DatabaseName'])}.{quote_name(glue['Name'])}"
    rows = _merge_query(statement, name, read) if isinstance(statement, Merge) else _row_query(statement, name, read)
    prepared = context.engine.prepare(QueryText.read(rows.text))
    return table, read, _changes(prepared, rows, read, type(statement).__name__.upper())


def _row_query(statement: Delete | Update, name: str, read: IcebergRead) -> _Rows:
    values = statement.values if isinstance(statement, Update) else {}
    _check_names(values, read)
    action = UPDATED if isinstance(statement, Update) else DELETED
    condition = f"coalesce({statement.condition}, false)"
    what = (f"IF({condition}, {action}, {KEEP})", f"IF({condition}, 1, 0)", '"$path"', "BIGINT '0'")
    parts = [f"{value} AS {head}" for value, head in zip(what, _HEAD, strict=True)]
    parts += [quote_name(column) for column in read.names]
    parts += [f"IF({condition}, {value}, NULL) AS _hw_new{place}" for place, value in enumerate(values.values())]
    return _Rows(f"SELECT {', '.join(parts)} FROM {name}", [(1, column) for column in values])


def _merge_query(statement: Merge, name: str, read: IcebergRead) -> _Rows:
    target, source = quote_name(statement.target), quote_name(statement.alias or "_hw_source")
    clauses = [clause if clause.matched else _named(clause, read) for clause in statement.clauses]
    for clause in clauses:
        _check_names(clause.values or {}, read)
    rows = f'(SELECT *, "$path" AS _hw_path, row_number() OVER () AS _hw_row FROM {name}) AS {target}'
    others = f"(SELECT *, true AS _hw_present FROM {statement.source}) AS {source}"
    on = f"{rows} FULL JOIN {others} ON {statement.condition}"

    def cases(results: Sequence[object], none: object, keep: object) -> str:
        """A result for the clause that a row falls under; ``none`` for a new row without one, else ``keep``."""
        whens: dict[bool, list[str]] = {True: [], False: []}
        for clause, result in zip(clauses, results, strict=True):
            whens[clause.matched].append(f"WHEN {clause.condition} THEN {result}")
        inserted = f"CASE {' '.join(whens[False])} ELSE {none} END" if whens[False] else none
        kept = f"WHEN {source}._hw_present IS NULL THEN {keep}"
        return f"CASE WHEN {target}._hw_path IS NULL THEN {inserted} {kept} {' '.join(whens[True])} ELSE {keep} END"

    actions = [(DELETED if c.values is None else UPDATED) if c.matched else INSERTED for c in clauses]
    number = cases(range(1, len(clauses) + 1), 0, 0)
    what = (cases(actions, NOTHING, KEEP), number, f"{target}._hw_path", f"{target}._hw_row")
    parts = [f"{value} AS {head}" for value, head in zip(what, _HEAD, strict=True)]
    parts += [f"{target}.{quote_name(column)} AS {quote_name(column)}" for column in read.names]
    new = [(place, c, value) for place, clause in enumerate(clauses, 1) for c, value in (clause.values or {}).items()]
    parts += [f"CASE WHEN {number} = {place} THEN {value} END AS _hw_new{n}" for n, (place, _, value) in enumerate(new)]
    return _Rows(f"SELECT {', '.join(parts)} FROM {on}", [(place, column) for place, column, _ in new])


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


def _changes(prepared: Prepared, rows: _Rows, read: IcebergRead, word: str) -> str:
    """All rows after the change with what happened to each, in the table's types."""
    first = len(_HEAD) + len(read.names)
    kinds = dict(zip(read.names, read.types, strict=True))
    whens: dict[str, list[str]] = {name: [] for name in read.names}
    have = [column.type for column in prepared.columns[first:]]
    if not all(accepts(kind, kinds[column]) for kind, (_, column) in zip(have, rows.new, strict=True)):
        theirs = ", ".join(str(kinds[column]) for _, column in rows.new)
        message = f"{word} table column types don't match SET expressions: Table: [{theirs}], Expressions: "
        raise SqlError("TYPE_MISMATCH", f"{message}[{', '.join(map(str, have))}]", (1, 1))
    for place, (kind, (clause, column)) in enumerate(zip(have, rows.new, strict=True), first):
        value = assigned(Expr(f"p.{prepared.columns[place].stored(place)}", kind), kinds[column])
        whens[column].append(f"WHEN p.c1 = {clause} THEN {value.sql}")
    parts = ["p.c0 AS action", "p.c2 AS path", "p.c3 AS row"]
    for place, name in enumerate(read.names):
        own = f"p.c{place + len(_HEAD)}"
        # A new row has none of its own: all that its clause does not name is NULL.
        value_sql = f"CASE {' '.join(whens[name])} ELSE {own} END" if whens[name] else own
        parts.append(f"{value_sql} AS c{place}")
    return f"SELECT {', '.join(parts)} FROM ({prepared.sql}) AS p"


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
    replace_files(table, [task.file for task in read.tasks() if task.file.file_path in paths], files)


def _numbers(batches: Iterator[pa.RecordBatch]) -> list[int]:
    return [int(value) for batch in batches for value in batch.column(0).to_pylist()]
