"""DuckDB's run-time failures in Athena's words; no local path and no DuckDB message ever reaches a client."""

from __future__ import annotations

import re
from collections.abc import Callable

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
_TYPES = {"8": "tinyint", "16": "smallint", "32": "integer", "64": "bigint"}
# What Trino says of a value that does not fit.
_WORDS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (
        re.compile(r"Overflow in (addition|subtraction|multiplication) of INT(8|16|32|64) \((.*)\)!"),
        lambda m: f"NUMERIC_VALUE_OUT_OF_RANGE: {_TYPES[m[2]]} {m[1]} overflow: {m[3]}",
    ),
    (
        re.compile("Max expression depth limit"),
        lambda _: "COMPILER_ERROR: Query is too complex: it is nested too deeply",
    ),
    (re.compile(r"Overflow in \w+ of DECIMAL"), lambda _: "NUMERIC_VALUE_OUT_OF_RANGE: Decimal overflow"),
    (
        re.compile(r"Type INT128 with value \S+ can't be cast .* type INT64 .*sum\("),
        lambda _: "NUMERIC_VALUE_OUT_OF_RANGE: bigint addition overflow",
    ),
    (
        re.compile(r"Type INT\d+ with value (\S+) can't be cast .* type INT(8|16|32|64)(?: when casting .*)?$"),
        lambda m: f"NUMERIC_VALUE_OUT_OF_RANGE: Out of range for {_TYPES[m[2]]}: {m[1]}",
    ),
    (
        re.compile(r"Could not convert string '(.*)' to INT(8|16|32|64)(?: when casting .*)?$"),
        lambda m: f"INVALID_CAST_ARGUMENT: Cannot cast '{m[1]}' to {_TYPES[m[2]].upper().replace('INTEGER', 'INT')}",
    ),
    (
        re.compile(r"Failed to cast decimal value (\S+) to type INT(8|16|32|64)"),
        lambda m: f"INVALID_CAST_ARGUMENT: Cannot cast '{m[1]}' to {_TYPES[m[2]].upper()}",
    ),
    (
        re.compile(r"Casting value \"(.*)\" to type DECIMAL\((\d+),(\d+)\) failed"),
        lambda m: f"INVALID_CAST_ARGUMENT: Cannot cast DECIMAL '{m[1]}' to DECIMAL({m[2]}, {m[3]})",
    ),
    (
        re.compile(r"Could not convert Timestamp\(US\) to Timestamp\(NS\)"),
        lambda _: (
            "NOT_SUPPORTED: a timestamp of more than six fractional digits outside of the years 1677 to 2262 is not"
            " supported by Headwater's local Athena"
        ),
    ),
    (
        re.compile("ORC timestamp .* is out of range"),
        lambda _: (
            "NOT_SUPPORTED: an ORC timestamp outside of the years 1677 to 2262 is not supported by Headwater's"
            " local Athena"
        ),
    ),
    (
        re.compile("could not convert blob to UTF8 string"),
        lambda _: "NOT_SUPPORTED: text that is not UTF-8 is not supported by Headwater's local Athena",
    ),
    (
        re.compile("Cannot perform non-inner join on subquery"),
        lambda _: (
            "NOT_SUPPORTED: a sub-query that uses both sides of an outer join in its ON clause is not supported by"
            " Headwater's local Athena"
        ),
    ),
    (
        re.compile("flattening correlated subquery"),
        lambda _: "NOT_SUPPORTED: Given correlated subquery is not supported",
    ),
    (
        re.compile(r'Referenced table "r\d+" not found'),
        lambda _: (
            "NOT_SUPPORTED: a lambda in a sub-query that uses the outer query's columns is not supported by Headwater's"
            " local Athena"
        ),
    ),
    (re.compile("Map keys must be unique"), lambda _: "INVALID_FUNCTION_ARGUMENT: Duplicate map keys are not allowed"),
    (re.compile("Map keys can not be NULL"), lambda _: "INVALID_FUNCTION_ARGUMENT: map key cannot be null"),
    (
        re.compile("map key list does not align"),
        lambda _: "INVALID_FUNCTION_ARGUMENT: Key and value arrays must be the same length",
    ),
    (re.compile("Argument for ntile must"), lambda _: "INVALID_FUNCTION_ARGUMENT: Buckets must be greater than 0"),
    (
        re.compile(r"Overflow on abs\((-\d+)\)"),
        lambda m: f"NUMERIC_VALUE_OUT_OF_RANGE: Value {m[1]} is out of range for abs",
    ),
    (
        re.compile(r"Type (DOUBLE|FLOAT) with value (\S+) can't be cast .* type INT(8|16|32|64)"),
        lambda m: f"INVALID_CAST_ARGUMENT: Out of range for {_TYPES[m[3]]}: {m[2]}",
    ),
    (
        re.compile("aggregate function calls cannot be nested"),
        lambda _: "NESTED_AGGREGATION: Cannot nest aggregations inside aggregation",
    ),
    (
        re.compile("frame starting from following row cannot have preceding rows"),
        lambda _: "INVALID_WINDOW_FRAME: Window frame starting from FOLLOWING cannot end with PRECEDING",
    ),
    (
        re.compile(r"(date|timestamp) field value out of range: \"(.*)\""),
        lambda m: f"INVALID_CAST_ARGUMENT: Value cannot be cast to {m[1]}: {m[2]}",
    ),
)


def translated(error: duckdb.Error) -> QueryFailed:
    """The failure to report for a DuckDB error.

    >>> translated(duckdb.OutOfRangeException("Out of Range Error: Overflow in addition of INT32 (1 + 2)!")).reason
    'NUMERIC_VALUE_OUT_OF_RANGE: integer addition overflow: 1 + 2'
    """
    text = str(error).split("\n\nLINE ")[0].strip()
    body = text.split(": ", 1)[1] if ": " in text else text
    own = _OWN.match(body) if isinstance(error, duckdb.ConversionException) else None
    if own:
        return QueryFailed(own[1].strip())
    clean = _PATH.sub("<file>", body).splitlines()[0] if body else "unknown"
    worded = next((words(found) for pattern, words in _WORDS if (found := pattern.search(clean))), None)
    if worded:
        return QueryFailed(worded)
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
        return _invalid_input(body, clean)
    return QueryFailed(f"NOT_SUPPORTED: Headwater's local Athena cannot run this query: {clean}")


def _invalid_input(body: str, clean: str) -> QueryFailed:
    routine = _ROUTINE.search(body)
    if routine:
        return QueryFailed(routine[1].strip())
    if "is not utf-8 encoded" in body:
        return QueryFailed("NOT_SUPPORTED: text that is not UTF-8 is not supported by Headwater's local Athena")
    if "Maximum line size of" in body:
        message = "a line of more than 16 MiB in a text file"
        return QueryFailed(f"NOT_SUPPORTED: {message} is not supported by Headwater's local Athena")
    if "parquet" in body.lower() or "No magic bytes found" in body:
        return QueryFailed(f"HIVE_BAD_DATA: Not valid Parquet file: {clean}")
    if "more than one row" in body.lower():
        return QueryFailed("SUBQUERY_MULTIPLE_ROWS: Scalar sub-query has returned multiple rows")
    return QueryFailed(f"INVALID_FUNCTION_ARGUMENT: {clean}")
