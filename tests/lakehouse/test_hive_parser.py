"""The Hive DDL parser: every statement's shape, what is left to the query engine, and errors with a position."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.hive import ast
from headwater.stack.lakehouse.hive.ast import PartitionCondition, PartitionSpec, TableName
from headwater.stack.lakehouse.hive.lexer import DdlSyntaxError, quote, quote_name, tokenize
from headwater.stack.lakehouse.hive.parser import parse
from headwater.stack.lakehouse.model import Column

T = TableName("t")


@pytest.mark.parametrize(
    ("sql", "statement"),
    [
        ("CREATE DATABASE d", ast.CreateDatabase("d")),
        (
            "create schema if not exists `My-Db` comment 'c' location 's3://b/x' with dbproperties ('a'='b', 'c'='d');",
            ast.CreateDatabase("my-db", True, "c", "s3://b/x", {"a": "b", "c": "d"}),
        ),
        ("DROP SCHEMA IF EXISTS d CASCADE", ast.DropDatabase("d", True, True)),
        ("DROP DATABASE d RESTRICT", ast.DropDatabase("d")),
        ("/* x */ DROP TABLE -- y\n IF EXISTS `D`.`T`", ast.DropTable(TableName("t", "d"), True)),
        ("DROP TABLE awsdatacatalog.d.t", ast.DropTable(TableName("t", "d"))),
        ("DROP VIEW v", ast.DropTable(TableName("v"), view=True)),
        ("MSCK REPAIR TABLE `d.t`", ast.RepairTable(TableName("t", "d"))),
        (
            "ALTER TABLE t ADD IF NOT EXISTS PARTITION (y=2025, c='it\\'s') LOCATION 's3://b' PARTITION (y=-1,c=\"x\")",
            ast.AddPartitions(
                T, (PartitionSpec({"y": "2025", "c": "it's"}, "s3://b"), PartitionSpec({"y": "-1", "c": "x"})), True
            ),
        ),
        (
            "ALTER TABLE t DROP IF EXISTS PARTITION (y >= 2024, c <> 'x'), PARTITION (d = date '2025-01-01')",
            ast.DropPartitions(
                T,
                (
                    (PartitionCondition("y", ">=", "2024"), PartitionCondition("c", "!=", "x")),
                    (PartitionCondition("d", "=", "2025-01-01"),),
                ),
                True,
            ),
        ),
        (
            "ALTER TABLE t PARTITION (y=1) RENAME TO PARTITION (y=2)",
            ast.RenamePartition(T, PartitionSpec({"y": "1"}), PartitionSpec({"y": "2"})),
        ),
        ("ALTER TABLE t SET LOCATION 's3://b/x'", ast.SetLocation(T, "s3://b/x")),
        (
            "ALTER TABLE t PARTITION (y=1) SET LOCATION 's3://b/x'",
            ast.SetLocation(T, "s3://b/x", PartitionSpec({"y": "1"})),
        ),
        (
            "ALTER TABLE t SET TBLPROPERTIES ('a'='1', 'n'=2, 'b'=true)",
            ast.SetProperties(T, {"a": "1", "n": "2", "b": "true"}),
        ),
        ("ALTER TABLE t UNSET TBLPROPERTIES ('a')", ast.UnsetProperties(T, ("a",))),
        (
            "ALTER TABLE t ADD COLUMNS (a INTEGER COMMENT 'x', b array<int>)",
            ast.AddColumns(T, (Column("a", "int", "x"), Column("b", "array<int>"))),
        ),
        ("ALTER TABLE t REPLACE COLUMNS (a int)", ast.ReplaceColumns(T, (Column("a", "int"),))),
        ("ALTER TABLE t CHANGE COLUMN a b bigint AFTER c", ast.ChangeColumn(T, "a", Column("b", "bigint"), "c")),
        ("ALTER TABLE t CHANGE a a int FIRST", ast.ChangeColumn(T, "a", Column("a", "int"), "")),
        ("SHOW DATABASES", ast.ShowDatabases()),
        ("SHOW SCHEMAS LIKE '.*lake'", ast.ShowDatabases(".*lake")),
        ("SHOW TABLES IN d 'a*|b'", ast.ShowTables("d", "a*|b")),
        ("SHOW VIEWS FROM d LIKE 'x'", ast.ShowTables("d", "x", views=True)),
        ("SHOW PARTITIONS d.t PARTITION (y=1)", ast.ShowPartitions(TableName("t", "d"), PartitionSpec({"y": "1"}))),
        ("SHOW CREATE TABLE t", ast.ShowCreateTable(T)),
        ("SHOW COLUMNS IN t IN d", ast.ShowColumns(TableName("t", "d"))),
        ("SHOW COLUMNS FROM d.t", ast.ShowColumns(TableName("t", "d"))),
        ("SHOW TBLPROPERTIES t('a')", ast.ShowProperties(T, "a")),
        ("DESCRIBE t", ast.Describe(T)),
        ("DESC FORMATTED d.t", ast.Describe(TableName("t", "d"), "formatted")),
        ("DESCRIBE EXTENDED t PARTITION (y=1)", ast.Describe(T, "extended", partition=PartitionSpec({"y": "1"}))),
        ("DESCRIBE t a.b", ast.Describe(T, column="a.b")),
        ("CREATE OR REPLACE VIEW d.v AS SELECT 1;", ast.CreateView(TableName("v", "d"), "SELECT 1", True)),
    ],
)
def test_statements_are_read(sql: str, statement: ast.Statement) -> None:
    assert parse(sql) == statement


def test_create_table_keeps_every_clause() -> None:
    statement = parse(
        """
        CREATE EXTERNAL TABLE IF NOT EXISTS lake.orders (
          `order_id` STRING COMMENT 'the key', amount DECIMAL(10, 2),
          items array<struct<Sku:string, qty:int>>, tags map<string,string>
        )
        COMMENT 'all orders'
        PARTITIONED BY (year INT, month int COMMENT 'm')
        CLUSTERED BY (order_id) INTO 4 BUCKETS
        ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' WITH SERDEPROPERTIES ('ignore.malformed.json'='true')
        STORED AS INPUTFORMAT 'in' OUTPUTFORMAT 'out'
        LOCATION 's3://b/orders/'
        TBLPROPERTIES ('projection.enabled'='true', "skip.header.line.count"="1");
        """
    )
    assert isinstance(statement, ast.CreateTable)
    assert statement.table == TableName("orders", "lake")
    assert statement.columns == (
        Column("order_id", "string", "the key"),
        Column("amount", "decimal(10,2)"),
        Column("items", "array<struct<sku:string,qty:int>>"),
        Column("tags", "map<string,string>"),
    )
    assert statement.partition_keys == (Column("year", "int"), Column("month", "int", "m"))
    assert statement.format == ast.Format(
        "org.openx.data.jsonserde.JsonSerDe", "in", "out", {"ignore.malformed.json": "true"}
    )
    assert (statement.comment, statement.location) == ("all orders", "s3://b/orders/")
    assert (statement.bucket_columns, statement.buckets) == (("order_id",), 4)
    assert statement.properties == {"projection.enabled": "true", "skip.header.line.count": "1"}
    assert statement.external
    assert statement.if_not_exists


def test_delimited_rows_keep_their_escapes() -> None:
    statement = parse(
        r"""CREATE EXTERNAL TABLE t (a int) ROW FORMAT DELIMITED FIELDS TERMINATED BY '\t' ESCAPED BY '\\'
        COLLECTION ITEMS TERMINATED BY '\002' MAP KEYS TERMINATED BY '\u0003' LINES TERMINATED BY '\n'
        NULL DEFINED AS '\\N' LOCATION 's3://b/t'"""
    )
    assert isinstance(statement, ast.CreateTable)
    assert statement.format.serde_properties == {
        "field.delim": "\t",
        "serialization.format": "\t",
        "escape.delim": "\\",
        "collection.delim": "\x02",
        "mapkey.delim": "\x03",
        "line.delim": "\n",
        "serialization.null.format": "\\N",
    }


def test_iceberg_partition_transforms_are_kept_as_written() -> None:
    statement = parse(
        "CREATE TABLE t (id bigint, ts timestamp) PARTITIONED BY (bucket(16, id), day(ts), id) LOCATION 's3://b/t'"
        " TBLPROPERTIES ('table_type'='ICEBERG')"
    )
    assert isinstance(statement, ast.CreateTable)
    assert (statement.iceberg, statement.external) == (True, False)
    assert statement.transforms == ("bucket(16, id)", "day(ts)", "id")


@pytest.mark.parametrize(
    "sql",
    [
        *("SELECT 1", "(SELECT 1)", "WITH a AS (SELECT 1) SELECT * FROM a", "INSERT INTO t VALUES (1)", "TABLE t"),
        *("VALUES 1", "UNLOAD (SELECT 1) TO 's3://b'", "PREPARE p FROM SELECT 1", "EXECUTE p", "DELETE FROM t"),
        *("CREATE TABLE t AS SELECT 1", "CREATE TABLE t WITH (format='PARQUET') AS SELECT 1", "EXPLAIN SELECT 1"),
        *("OPTIMIZE t REWRITE DATA", "DESCRIBE INPUT p", "DEALLOCATE PREPARE p", "", ";", "VACUUM t"),
        "MERGE INTO t USING s ON x",
    ],
)
def test_what_is_no_ddl_is_left_to_others(sql: str) -> None:
    assert parse(sql) is None


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("CREATE", "line 1:7: mismatched input '<EOF>'. Expecting: 'DATABASE', 'EXTERNAL'"),
        ("CREATE EXTERNAL TABEL t (a int)", "line 1:17: mismatched input 'TABEL'. Expecting: 'TABLE'"),
        ("DROP TABLE\n  IF t", "line 2:3: mismatched input 'IF'|line 2:6: mismatched input 't'"),
        ("DROP TABLE a; DROP TABLE b", "line 1:15: Only one sql statement is allowed."),
        ("DROP TABLE t extra", "line 1:14: mismatched input 'extra'. Expecting: <EOF>"),
        ("CREATE EXTERNAL TABLE t (a nit)", "line 1:28: unknown type 'nit'"),
        ("CREATE EXTERNAL TABLE t (a array<int)", "line 1:37: '>' was expected, found ')'"),
        ("CREATE EXTERNAL TABLE t (a int) STORED AS JSON", "line 1:43: mismatched input 'JSON'"),
        ("CREATE EXTERNAL TABLE t (a int) LOCATION 's' LOCATION 's'", "LOCATION is given twice"),
        ("CREATE EXTERNAL TABLE t (a int) LOCATION s3", "line 1:42: mismatched input 's3'. Expecting: string literal"),
        ("ALTER TABLE t ADD PARTITION (y>1)", "line 1:31: mismatched input '>'. Expecting: '='"),
        ("SHOW NOTHING", "line 1:6: mismatched input 'NOTHING'"),
        ("MSCK TABLE t", "line 1:6: mismatched input 'TABLE'. Expecting: 'REPAIR'"),
        ("DROP TABLE 'unclosed", "mismatched input"),
        ("DROP TABLE a.b.c.d", "Too many dots in table name: a.b.c.d"),
    ],
)
def test_syntax_errors_say_where(sql: str, message: str) -> None:
    with pytest.raises(DdlSyntaxError) as caught:
        parse(sql)
    assert any(part in caught.value.reason for part in message.split("|"))


@pytest.mark.parametrize(
    "sql",
    [
        *(
            "USE d",
            "GRANT x",
            "TRUNCATE TABLE t",
            "ALTER DATABASE d SET OWNER USER x",
            "SHOW FUNCTIONS",
        ),
        *("CREATE TABLE t LIKE u", "ALTER TABLE t SET FILEFORMAT orc", "CREATE FUNCTION f", "DESCRIBE DATABASE d"),
        *("CREATE EXTERNAL TABLE t (a int) STORED AS ION", "CREATE EXTERNAL TABLE t (a int) STORED BY 'x'"),
    ],
)
def test_ddl_that_is_not_supported_is_refused_by_name(sql: str) -> None:
    with pytest.raises(Unsupported, match="is not supported"):
        parse(sql)


@pytest.mark.parametrize("sql", ["CREATE EXTERNAL TABLE t ({} int)", "ALTER TABLE t DROP PARTITION ({}='a')"])
def test_reserved_words_are_names_in_backticks_only(sql: str) -> None:
    with pytest.raises(DdlSyntaxError, match=r"mismatched input 'date'. Expecting: identifier \(a reserved word"):
        parse(sql.format("date"))
    for name in ("`date`", "time", "start"):
        assert parse(sql.format(name)) is not None


def test_partition_columns_that_are_only_named_may_be_reserved_words() -> None:
    statement = parse("CREATE TABLE t (`partition` int, `date` date) PARTITIONED BY (partition, date)")
    assert isinstance(statement, ast.CreateTable)
    assert statement.transforms == ("partition", "date")


@given(st.text(max_size=30))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    for sql in (text, f"CREATE EXTERNAL TABLE t ({text}", f"ALTER TABLE {text}", f"SHOW {text}", f"DROP TABLE {text}"):
        with suppress(DdlSyntaxError, Unsupported):
            parse(sql)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_quoted_strings_and_names_read_back(text: str) -> None:
    assert [token.text for token in tokenize(quote(text))][:-1] == [text]
    assert [token.text for token in tokenize(quote_name(text))][:-1] == [text]
