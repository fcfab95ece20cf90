"""Partition keys and pseudo columns of a scan: constants per file, looked up by the file's number."""

from __future__ import annotations

import re
from collections.abc import Sequence

from headwater.stack.lakehouse.sources.model import Source
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.candidates import NULL_PARTITION, check_values, key_value
from headwater.stack.lakehouse.sql.expression import quote_text


def path_list(source: Source) -> str:
    """The files as DuckDB's readers take them: a key may hold ``*``, ``?`` or ``[``, and names one file only."""
    paths = (re.sub(r"[*?\[]", r"[\g<0>]", str(file.stored.path)) for file in source.files)
    return f"[{', '.join(map(quote_text, paths))}]"


def per_file_columns(source: Source, file_number: str) -> list[str]:
    """``… AS k0`` for each key, ``… AS p0`` for the pseudo columns; ``file_number`` is the SQL of the file's index."""
    columns = []
    for i, kind in enumerate(source.key_types):
        values = [file.partition.values[i] for file in source.files]
        check_values(source.table.partition_keys[i].name, kind, set(values))
        texts = ["NULL" if v == NULL_PARTITION else quote_text(v) for v in values]
        columns.append(f"{key_value(_by_file(texts, file_number, 'VARCHAR'), kind)} AS k{i}")
    paths = [quote_text(file.uri) for file in source.files]
    sizes = [str(file.stored.size) for file in source.files]
    times = [str(int(file.stored.modified * 1000) * 1000) for file in source.files]
    columns.append(f"{_by_file(paths, file_number, 'VARCHAR')} AS p0")
    columns.append(f"{_by_file(sizes, file_number, 'BIGINT')} AS p1")
    columns.append(f"make_timestamp({_by_file(times, file_number, 'BIGINT')}) AS p2")
    return columns


def _by_file(values: Sequence[str], file_number: str, kind: str) -> str:
    if len(set(values)) == 1:
        return f"CAST({values[0]} AS {kind})"
    return f"list_extract(CAST([{', '.join(values)}] AS {kind}[]), CAST({file_number} AS BIGINT) + 1)"


def empty_relation(source: Source) -> str:
    """No files: no rows, with every column's type."""
    columns = [f"CAST(NULL AS {t.to_duckdb(kind)}) AS c{i}" for i, kind in enumerate(source.column_types)]
    columns += [f"CAST(NULL AS {t.to_duckdb(kind)}) AS k{i}" for i, kind in enumerate(source.key_types)]
    columns += ["CAST(NULL AS VARCHAR) AS p0", "CAST(NULL AS BIGINT) AS p1", "CAST(NULL AS TIMESTAMP) AS p2"]
    return f"(SELECT {', '.join(columns)} WHERE false)"
