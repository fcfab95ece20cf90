"""DuckDB's run-time failures in Athena's words; no local path and no DuckDB message ever reaches a client."""

from __future__ import annotations

import re

import duckdb

from headwater.stack.lakehouse.errors import QueryFailed

# How the message of ``expression.fail`` comes back.
_OWN = re.compile(r"Could not convert string '([A-Z][A-Z_]+: .*)' to INT32", re.DOTALL)
_ROUTINE = re.compile(
    r"Python exception occurred while executing the UDF: \w+: ([A-Z][A-Z_]+: .*?)(?:\n\nAt:|$)", re.DOTALL
)
_PATH = re.compile(r"['\"]?/[^\s'\"]+['\"]?")
_GROUP = re.compile(r"must appear in the GROUP BY clause")
_CATEGORY_SYSTEM = 1


def translated(error: duckdb.Error) -> QueryFailed:
    """The failure to report for a DuckDB error.

    >>> translated(duckdb.OutOfRangeException("Out of Range Error: Overflow in addition of INT32 (1 + 2)!")).reason
    'NUMERIC_VALUE_OUT_OF_RANGE: Overflow in addition of INT32 (1 + 2)!'
    """
    text = str(error).split("\n\nLINE ")[0].strip()
    body = text.split(": ", 1)[1] if ": " in text else text
    own = _OWN.match(body) if isinstance(error, duckdb.ConversionException) else None
    if own:
        return QueryFailed(own[1].strip())
    clean = _PATH.sub("<file>", body).splitlines()[0] if body else "unknown"
    if isinstance(error, duckdb.OutOfRangeException):
        return QueryFailed(f"NUMERIC_VALUE_OUT_OF_RANGE: {clean}")
    if isinstance(error, duckdb.ConversionException):
        code = "NUMERIC_VALUE_OUT_OF_RANGE" if "out of range" in clean.lower() else "INVALID_CAST_ARGUMENT"
        return QueryFailed(f"{code}: {clean}")
    if isinstance(error, duckdb.OutOfMemoryException):
        return QueryFailed(
            "EXCEEDED_LOCAL_MEMORY_LIMIT: Query exhausted resources at this scale factor", _CATEGORY_SYSTEM
        )
    if isinstance(error, (duckdb.IOException, duckdb.HTTPException)):
        return QueryFailed(f"HIVE_CANNOT_OPEN_SPLIT: Error opening Hive split: {clean}")
    if isinstance(error, duckdb.BinderException) and "GROUP BY clause cannot contain aggregates" in body:
        message = "GROUP BY clause cannot contain aggregations, window functions or grouping operations"
        return QueryFailed(f"EXPRESSION_NOT_SCALAR: {message}")
    if isinstance(error, duckdb.BinderException) and _GROUP.search(body):
        return QueryFailed("EXPRESSION_NOT_AGGREGATE: an expression must be an aggregate or appear in GROUP BY clause")
    if isinstance(error, duckdb.InvalidInputException):
        routine = _ROUTINE.search(body)
        if routine:
            return QueryFailed(routine[1].strip())
        if "parquet" in body.lower():
            return QueryFailed(f"HIVE_BAD_DATA: Not valid Parquet file: {clean}")
        if "more than one row" in body.lower():
            return QueryFailed("SUBQUERY_MULTIPLE_ROWS: Scalar sub-query has returned multiple rows")
        return QueryFailed(f"INVALID_FUNCTION_ARGUMENT: {clean}")
    return QueryFailed(f"NOT_SUPPORTED: Headwater's local Athena cannot run this query: {clean}")
