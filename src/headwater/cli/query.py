"""``headwater query``: run the example queries, or any SQL, in Athena."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, TextIO

import click

from headwater.cli.output import json_option, plain, size, table
from headwater.errors import InputError
from headwater.pipeline import Headwater

if TYPE_CHECKING:
    from headwater.stages.query import Result, Statement

TABLE_ROWS = 100


@click.command()
@click.argument("sql", required=False)
@click.option("-f", "--file", "file", type=click.File("r", encoding="utf-8-sig"), help="Run the statements of a file.")
@click.option(
    "--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", help="json: one object a line."
)
@json_option
@click.pass_context
def query(ctx: click.Context, sql: str | None, file: TextIO | None, form: str, as_json: bool) -> None:
    """Run the example queries, or any SQL, in Athena ('-' reads it from standard input).

    After each statement: bytes scanned, time in engine and queue, and the price on AWS. Several statements are
    separated by semicolons. Ctrl-C cancels the running one in Athena.

    \b
    Example:
      headwater query
      headwater query "SELECT status, count(*) FROM orders WHERE year = 2025 GROUP BY status"
      headwater query -f report.sql --format csv > report.csv
    """
    if sql is not None and file is not None:
        raise click.UsageError("give SQL or a file, not both")
    try:
        text = file.read() if file is not None else sys.stdin.read() if sql == "-" else sql
    except UnicodeDecodeError as error:
        raise InputError(f"the SQL is not UTF-8: {error}", hint="save the file as UTF-8") from error
    project = Headwater(ctx.obj)
    statements = project.query_plan(text).statements
    if as_json:
        _full_report(project, statements)
        return
    for statement in statements:
        if form == "table":
            _table(statement, project.query(statement.sql))
        else:
            result = project.query(statement.sql)
            count = _csv(result) if form == "csv" else _json_lines(result)
            click.echo(_summary(result, count), err=True)


def _table(statement: Statement, result: Result) -> None:
    if statement.title:
        click.secho(statement.title, bold=True)
    rows = list(islice(result.texts(), TABLE_ROWS + 1))
    if result.columns:
        for line in table([column.name for column in result.columns], rows[:TABLE_ROWS]):
            click.echo(line)
    if len(rows) > TABLE_ROWS:
        click.echo(f"… only the first {TABLE_ROWS} rows; --format csv or json prints them all")
    click.echo(_summary(result, min(len(rows), TABLE_ROWS)))
    click.echo()


def _csv(result: Result) -> int:
    writer, count = csv.writer(sys.stdout, lineterminator="\n"), 0
    if result.columns:
        writer.writerow([column.name for column in result.columns])
    for count, row in enumerate(result.texts(), start=1):  # noqa: B007 - the count is the answer
        writer.writerow(row)
    return count


def _json_lines(result: Result) -> int:
    count = 0
    for count, line in enumerate(_json_rows(result), start=1):  # noqa: B007 - the count is the answer
        click.echo(line)
    return count


def _json_rows(result: Result) -> Iterator[str]:
    names = [column.name for column in result.columns]
    for row in result.rows():
        yield json.dumps(dict(zip(names, map(_value, row), strict=False)), ensure_ascii=False)


def _value(cell: object) -> Any:
    """A cell as JSON: decimals as text, which keeps them exact, and so NaN and Infinity, which JSON does not have."""
    if isinstance(cell, float) and (cell != cell or cell in (float("inf"), float("-inf"))):  # noqa: PLR0124 - NaN
        return str(cell)
    return plain(cell)


def _full_report(project: Headwater, statements: tuple[Statement, ...]) -> None:
    """One JSON document, written row by row, so that memory does not grow with the result."""
    for number, statement in enumerate(statements):
        result = project.query(statement.sql)
        execution = result.execution
        head = {
            "title": statement.title,
            "sql": statement.sql,
            "execution_id": execution.id,
            "bytes_scanned": execution.bytes_scanned,
            "engine_ms": execution.engine_ms,
            "queue_ms": execution.queue_ms,
            "total_ms": execution.total_ms,
            "price_usd": f"{execution.price_usd:f}",
            "columns": plain(result.columns),
        }
        # Only now, so that nothing is printed if the (first) statement fails.
        click.echo("," if number else '{"statements": [')
        click.echo(json.dumps(head, ensure_ascii=False)[:-1] + ', "rows": [', nl=False)
        for index, row in enumerate(_json_rows(result)):
            click.echo(("," if index else "") + "\n  " + row, nl=False)
        click.echo("]}", nl=False)
    click.echo("\n]}")


def _summary(result: Result, count: int) -> str:
    execution = result.execution
    rows = "1 row" if count == 1 else f"{count:,} rows"
    return (
        f"({rows}; {size(execution.bytes_scanned)} scanned; {execution.engine_ms:,} ms engine, "
        f"{execution.queue_ms:,} ms queue; {execution.price_usd:f} USD on AWS)"
    )
