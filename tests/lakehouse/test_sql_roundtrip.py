"""Whatever values a file holds, in whichever format, a query shows exactly those."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any

import fastavro
import pyarrow as pa
import pytest
from athena_fixtures import AthenaClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import orc, parquet

COLUMNS = "id bigint, name string, ok boolean, amount decimal(12,3), day date, at timestamp, tags array<string>"
SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("name", pa.string()),
        ("ok", pa.bool_()),
        ("amount", pa.decimal128(12, 3)),
        ("day", pa.date32()),
        ("at", pa.timestamp("us")),
        ("tags", pa.list_(pa.string())),
    ]
)
AVRO = {
    "type": "record",
    "name": "r",
    "fields": [
        {"name": "id", "type": ["null", "long"]},
        {"name": "name", "type": ["null", "string"]},
        {"name": "ok", "type": ["null", "boolean"]},
        {"name": "amount", "type": ["null", {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 3}]},
        {"name": "day", "type": ["null", {"type": "int", "logicalType": "date"}]},
        {"name": "at", "type": ["null", {"type": "long", "logicalType": "local-timestamp-millis"}]},
        {"name": "tags", "type": ["null", {"type": "array", "items": ["null", "string"]}]},
    ],
}
FORMATS = {
    "parquet": "STORED AS PARQUET",
    "orc": "STORED AS ORC",
    "avro": "STORED AS AVRO",
    "json": "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'",
    "text": "ROW FORMAT DELIMITED FIELDS TERMINATED BY '|' COLLECTION ITEMS TERMINATED BY ';'",
}
# Text formats give their own meaning to separators and line ends, Arrow none to half of a surrogate pair.
TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="|;\\"), max_size=12)
TAGS = st.lists(st.text("abc äß😀", min_size=1, max_size=4), min_size=1, max_size=3)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.none() | st.integers(-(2**63), 2**63 - 1),
            "name": st.none() | TEXTS,
            "ok": st.none() | st.booleans(),
            "amount": st.none() | st.integers(-(10**12) + 1, 10**12 - 1).map(lambda n: Decimal(n).scaleb(-3)),
            "day": st.none() | st.dates(date(1900, 1, 1), date(2200, 1, 1)),
            "at": st.none() | st.integers(0, 10**12).map(lambda n: datetime(1990, 1, 1) + timedelta(milliseconds=n)),
            "tags": st.none() | TAGS,
        }
    ),
    min_size=1,
    max_size=5,
)


def encoded(kind: str, rows: list[dict[str, Any]]) -> bytes:
    body = BytesIO()
    if kind == "parquet":
        parquet.write_table(pa.Table.from_pylist(rows, SCHEMA), body)
    elif kind == "orc":
        orc.write_table(pa.Table.from_pylist(rows, SCHEMA), body)
    elif kind == "avro":
        fastavro.writer(body, AVRO, rows)
    elif kind == "json":
        body.write("".join(json.dumps(row, default=str) + "\n" for row in rows).encode())
    else:
        lines = ("|".join(_plain(row[name]) for name in SCHEMA.names) for row in rows)
        body.write("".join(f"{line}\n" for line in lines).encode())
    return body.getvalue()


def _plain(value: object) -> str:
    if value is None:
        return "\\N"
    return ";".join(value) if isinstance(value, list) else str(value)


def shown(value: object) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat(" ", "milliseconds")
    if isinstance(value, Decimal):
        return f"{value:.3f}"
    if isinstance(value, list):
        return f"[{', '.join(value)}]"
    return None if value is None else str(value)


@pytest.fixture(scope="module")
def athena(athena: AthenaClient) -> AthenaClient:
    """A table in each format."""
    for kind, clause in FORMATS.items():
        (athena.storage.root / "data" / kind).mkdir(parents=True)
        athena.run(f"CREATE EXTERNAL TABLE t_{kind} ({COLUMNS}) {clause} LOCATION 's3://data/{kind}/'")
    return athena


@pytest.mark.parametrize("kind", FORMATS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_a_query_shows_the_values_that_a_file_holds(
    athena: AthenaClient, kind: str, rows: list[dict[str, Any]]
) -> None:
    new = athena.storage.root / "part.new"
    new.write_bytes(encoded(kind, rows))
    # Replaced as the S3 server replaces objects: DuckDB keeps the footer of a file that is written over in place.
    new.rename(athena.storage.root / "data" / kind / "part")
    assert athena.rows(f"SELECT * FROM t_{kind}") == [[shown(row[name]) for name in SCHEMA.names] for row in rows]
