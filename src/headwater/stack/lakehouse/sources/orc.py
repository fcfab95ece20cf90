"""ORC as Athena reads it: columns by their place in the file, through Arrow, because DuckDB has no reader for it."""

# ruff: noqa: S608 - writing SQL is what this module is for; values and names in it are quoted or fixed
from __future__ import annotations

from headwater.stack.lakehouse.errors import QueryFailed
from headwater.stack.lakehouse.sources.keys import per_file_columns
from headwater.stack.lakehouse.sources.model import Reader, Source
from headwater.stack.lakehouse.sources.parquet import converted
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import fail, quote_name, quote_text


def orc_relation(source: Source, reader: Reader) -> str:
    """``(SELECT … AS c0, …)`` over the files, each column in its catalog type; a file with fewer columns has NULLs."""
    from pyarrow import dataset  # brings pandas with it, which takes longer to import than everything else

    by_name = source.table.serde_parameters.get("orc.column.index.access", "true").lower() == "false"
    parts = []
    for number, file in enumerate(source.files):
        try:
            view = reader.register(dataset.dataset(str(file.stored.path), format="orc"))
        except OSError as error:
            raise QueryFailed(f"HIVE_BAD_DATA: Not a valid ORC file: {file.uri}") from error
        reader.count(file.stored.size)
        described = reader.connection.execute(f"SELECT * FROM {view} LIMIT 0").description or []
        places = {str(name).lower(): place for place, (name, *_) in enumerate(described)}
        columns = []
        for i, (column, wanted) in enumerate(zip(source.table.columns, source.column_types, strict=True)):
            place = places.get(column.name.lower(), len(described)) if by_name else i
            if place >= len(described):
                columns.append(f"CAST(NULL AS {t.to_duckdb(wanted)}) AS c{i}")
                continue
            name, physical = described[place][:2]
            value = converted(quote_name(str(name)), physical, wanted)
            if value is None:
                message = f"Malformed ORC file. Cannot read SQL type '{wanted}' from ORC stream '.{name}' of type"
                # Only a query that reads the column minds.
                value = fail(quote_text(f"HIVE_BAD_DATA: {message} {physical}"), wanted, "hw_row")
            columns.append(f"{value} AS c{i}")
        rows = f"(SELECT *, {number} AS hw_row FROM {view})"
        parts.append(f"SELECT {', '.join([*columns, f'{number} AS file_index'])} FROM {rows}")
    union = " UNION ALL ".join(parts)
    names = [f"c{i}" for i in range(len(source.column_types))]
    return f"(SELECT {', '.join([*names, *per_file_columns(source, 'file_index')])} FROM ({union}))"
