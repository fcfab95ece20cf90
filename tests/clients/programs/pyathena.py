"""What users of PyAthena do with each of its cursors and with its SQLAlchemy dialect."""

from __future__ import annotations

import functools
import os
import sys
from decimal import Decimal

sys.path.pop(0)
import pandas as pd
import pyarrow.fs
import sqlalchemy
from pyathena import connect
from pyathena.arrow.cursor import ArrowCursor
from pyathena.async_cursor import AsyncCursor
from pyathena.cursor import DictCursor
from pyathena.error import DatabaseError
from pyathena.pandas.cursor import PandasCursor
from pyathena.polars.cursor import PolarsCursor
from pyathena.s3fs.cursor import S3FSCursor

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
