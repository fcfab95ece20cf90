"""What users of PyAthena do with each of its cursors and with its SQLAlchemy dialect."""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import sys
from decimal import Decimal

sys.path.pop(0)
import boto3
import pandas as pd
import pyarrow.fs
import sqlalchemy
from pyathena import aio_connect, connect
from pyathena.aio.arrow.cursor import AioArrowCursor
from pyathena.aio.cursor import AioCursor, AioDictCursor
from pyathena.aio.pandas.cursor import AioPandasCursor
from pyathena.aio.polars.cursor import AioPolarsCursor
from pyathena.aio.s3fs.cursor import AioS3FSCursor
from pyathena.arrow.async_cursor import AsyncArrowCursor
from pyathena.arrow.cursor import ArrowCursor
from pyathena.async_cursor import AsyncCursor
from pyathena.cursor import DictCursor
from pyathena.error import DatabaseError
from pyathena.pandas.async_cursor import AsyncPandasCursor
from pyathena.pandas.cursor import PandasCursor
from pyathena.polars.async_cursor import AsyncPolarsCursor
from pyathena.polars.cursor import PolarsCursor
from pyathena.s3fs.async_cursor import AsyncS3FSCursor
from pyathena.s3fs.cursor import S3FSCursor

# Of results that Athena keeps the client reads no object, so that Arrow's S3 client needs no address.
athena = boto3.client("athena", region_name="us-east-1")
athena.create_work_group(Name="kept", Configuration={"ManagedQueryResultsConfiguration": {"Enabled": True}})
for kind in (ArrowCursor, PandasCursor, PolarsCursor, S3FSCursor):
    kept = connect(work_group="kept", s3_staging_dir="", region_name="us-east-1", poll_interval=0.02).cursor(kind)
    assert [tuple(row) for row in kept.execute("SELECT 1, 'x,y'").fetchall()] == [(1, "x,y")], kind

# Arrow's S3 client has to be told where S3 is; see docs/local-athena.md.
pyarrow.fs.S3FileSystem = functools.partial(pyarrow.fs.S3FileSystem, endpoint_override=os.environ["AWS_ENDPOINT_URL"])
bucket, database = sys.argv[1:]
staging = f"s3://{bucket}/staging/"


def cursor(kind=None, **options):
    extra = {"cursor_class": kind} if kind else {}
    connection = connect(
        s3_staging_dir=staging, region_name="us-east-1", schema_name=database, poll_interval=0.02, **extra
    )
    return connection.cursor(**options)


plain = cursor()
plain.execute(f"CREATE DATABASE {database}")
plain.execute(
    "CREATE EXTERNAL TABLE many (a INT, b STRING) ROW FORMAT DELIMITED FIELDS TERMINATED BY '\\t' STORED AS TEXTFILE "
    f"LOCATION '{staging}{database}/many/'"
)
plain.executemany(
    "INSERT INTO many (a, b) VALUES (%(a)d, %(b)s)", [{"a": 1, "b": "foo"}, {"a": 2, "b": "jim o'rourke"}]
)
plain.execute("CREATE OR REPLACE VIEW seen AS SELECT * FROM many WHERE a > 1")
plain.execute("SELECT * FROM seen")
assert plain.fetchall() == [(2, "jim o'rourke")]
plain.execute("SELECT %(d)s, ARRAY[1, 2], MAP(ARRAY['k'], ARRAY[1]), TIME '01:02:03'", {"d": Decimal("0.00001")})
assert plain.fetchone()[0] == Decimal("0.00001")
plain.execute("SELECT a FROM many WHERE b = ?", ["'foo'"], paramstyle="qmark")
assert plain.fetchall() == [(1,)]
try:
    plain.execute("SELECT nothing FROM nowhere")
except DatabaseError as error:
    assert "TABLE_NOT_FOUND" in str(error)
else:
    raise AssertionError("a table that does not exist was read")

for kind in (PandasCursor, PolarsCursor, ArrowCursor, S3FSCursor):
    for unload in (False, True) if kind is not S3FSCursor else (False,):
        options = {"unload": True} if unload else {}
        reader = cursor(kind, **options)
        reader.execute("SELECT a, b FROM many ORDER BY a")
        assert [tuple(row) for row in reader.fetchall()] == [(1, "foo"), (2, "jim o'rourke")], (kind, unload)
named = cursor(DictCursor)
named.execute("SELECT max(a) AS most FROM many")
assert named.fetchall() == [{"most": 2}]
_, future = cursor(AsyncCursor).execute("SELECT 1")
assert future.result().fetchall() == [(1,)]
for kind in (AsyncPandasCursor, AsyncPolarsCursor, AsyncArrowCursor, AsyncS3FSCursor):
    reader = cursor(kind)
    running = [reader.execute(f"SELECT {number}")[1] for number in range(4)]
    assert [future.result().fetchone()[0] for future in running] == [0, 1, 2, 3], kind


async def gathered(kind) -> list:
    """The same from one event loop."""

    async def one(connection, number: int):
        async with connection.cursor(kind) as reader:
            await reader.execute(f"SELECT {number} AS n")
            row = reader.fetchone()
            row = await row if inspect.isawaitable(row) else row
            return row["n"] if isinstance(row, dict) else row[0]

    async with await aio_connect(s3_staging_dir=staging, region_name="us-east-1", poll_interval=0.02) as connection:
        return await asyncio.gather(*(one(connection, number) for number in range(4)))


for kind in (AioCursor, AioDictCursor, AioPandasCursor, AioPolarsCursor, AioArrowCursor, AioS3FSCursor):
    assert asyncio.run(gathered(kind)) == [0, 1, 2, 3], kind

# Results that are used again, by the client and by Athena; identifiers told early; a query that is cancelled.
first = plain.execute("SELECT count(*) FROM many").query_id
assert plain.execute("SELECT count(*) FROM many", cache_size=10).query_id == first
for again in (False, True):
    plain.execute("SELECT sum(a) FROM many", result_reuse_enable=True, result_reuse_minutes=5)
    assert plain.reused_previous_result is again
    assert plain.fetchall() == [(3,)]
told: list[str] = []
plain.execute("SELECT 1", on_start_query_execution=told.append)
assert told == [plain.query_id]
waiting = cursor(AsyncCursor)
identifier, future = waiting.execute(
    "WITH n AS (SELECT x FROM UNNEST(sequence(1, 9999)) u(x)) "
    "SELECT count(*) FROM n a, n b, n c WHERE a.x * b.x * c.x % 7 = 9"
)
waiting.cancel(identifier).result()
assert future.result().state == "CANCELLED"

plain.execute(
    f"CREATE TABLE ice (id INT, name STRING) LOCATION '{staging}{database}/ice/' TBLPROPERTIES ('table_type'='ICEBERG')"
)
counts = []
for statement in (
    "INSERT INTO ice VALUES (1, 'a'), (2, 'b')",
    "UPDATE ice SET name = 'c' WHERE id = 1",
    "MERGE INTO ice t USING (SELECT 2 AS id) s ON t.id = s.id WHEN MATCHED THEN UPDATE SET name = 'm'",
    "DELETE FROM ice WHERE id = 2",
):
    plain.execute(statement)
    counts.append(plain.rowcount)
assert counts == [2, 1, 1, 1], counts

engine = sqlalchemy.create_engine(
    f"awsathena+rest://athena.us-east-1.amazonaws.com:443/{database}?s3_staging_dir={staging}"
    f"&location={staging}sqlalchemy/&poll_interval=0.02&file_format=parquet&compression=snappy"
)
frame = pd.DataFrame({"n": [1, 2], "s": ["x", None], "t": [pd.Timestamp("2020-01-01 10:00")] * 2})
frame.to_sql("frames", engine, schema=database, index=False, method="multi")
with engine.connect() as connection:
    table = sqlalchemy.Table("frames", sqlalchemy.MetaData(schema=database), autoload_with=connection)
    assert [row.n for row in connection.execute(table.select().order_by(table.c.n).limit(5))] == [1, 2]
    inspector = sqlalchemy.inspect(engine)
    assert inspector.get_view_names(schema=database) == ["seen"]
    assert inspector.has_table("many", schema=database)
