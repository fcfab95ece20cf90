"""All routines, made known to each DuckDB connection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import duckdb

from headwater.stack.lakehouse.sources.csvfields import csv_fields
from headwater.stack.lakehouse.sources.escapes import escaped_fields
from headwater.stack.lakehouse.sources.grokfields import grok_fields
from headwater.stack.lakehouse.sources.jsonnumbers import number_text
from headwater.stack.lakehouse.sql.routines import (
    addresses,
    bits,
    checksums,
    clockreads,
    clocks,
    decimals,
    distributions,
    formatting,
    hashes,
    javanumbers,
    jsoncalls,
    jsons,
    moments,
    patterns,
    stems,
    urls,
    words,
)
from headwater.stack.lakehouse.sql.routines.model import Routine, refuse, watched

_MODULES = (
    *(addresses, bits, checksums, clockreads, clocks, decimals, distributions, formatting, hashes),
    *(javanumbers, jsoncalls, jsons, moments, patterns, stems, urls, words),
)
ROUTINES: tuple[Routine, ...] = (
    Routine("hw_refuse", refuse, ["VARCHAR"], "INTEGER"),
    Routine("hw_json_number", number_text, ["VARCHAR", "VARCHAR"], "VARCHAR"),
    Routine("hw_opencsv", csv_fields, ["VARCHAR"] * 4, "VARCHAR[]"),
    Routine("hw_escaped_fields", escaped_fields, ["VARCHAR"] * 4, "VARCHAR[]"),
    Routine("hw_grok_fields", grok_fields, ["VARCHAR"] * 4, "VARCHAR[]"),
    *(routine for module in _MODULES for routine in module.ROUTINES),
)


def register(connection: duckdb.DuckDBPyConnection, refused: Callable[[str], None]) -> None:
    """Make the routines known to a connection; ``refused`` hears of each value that one of them does not support."""
    for known in ROUTINES:
        routine = replace(known, run=watched(known.run, refused))
        parameters = None if routine.parameters is None else list(routine.parameters)
        connection.create_function(routine.name, routine.callback, parameters, routine.result, null_handling="special")  # type: ignore[call-overload]  # the stubs want enums
