"""Views keep their query with its meaning, are kept as Athena keeps them, and read as tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from athena_fixtures import AthenaClient, make_client

from headwater.stack.lakehouse.sql.layout import kept_text, laid_out


@pytest.fixture
def athena(tmp_path: Path) -> Iterator[AthenaClient]:
    client = make_client(tmp_path)
    client.run("CREATE DATABASE lake")
    client.run("CREATE DATABASE other")
    client.run("CREATE TABLE base AS SELECT 1 AS id, 'a' AS name")
    yield client
    client.lakehouse.close()


def test_a_view_has_no_columns_or_partitions_to_alter(athena: AthenaClient) -> None:
    athena.run("CREATE OR REPLACE VIEW unaltered AS SELECT 1 AS a")
    for action in ("ADD COLUMNS (b int)", "CHANGE a b int", "SET LOCATION 's3://data/x/'", "ADD PARTITION (a = 1)"):
        assert "[Error 10131]: To alter a view" in athena.failure(f"ALTER TABLE unaltered {action}")


def test_a_view_is_its_query_in_the_database_it_was_made_in(athena: AthenaClient) -> None:
    athena.run("CREATE VIEW other.v AS SELECT id + 1 AS more, b.name FROM base b")
    context = {"Database": "other"}
    assert athena.rows('SELECT v.more, "other".v.name FROM v WHERE more = 2', QueryExecutionContext=context) == [
        ["2", "a"]
    ]
    found = athena.glue("GetTable", DatabaseName="other", Name="v")["Table"]
    assert found["TableType"] == "VIRTUAL_VIEW"
    assert [(c["Name"], c["Type"]) for c in found["StorageDescriptor"]["Columns"]] == [
        ("more", "int"),
        ("name", "varchar(1)"),
    ]


def test_a_view_is_replaced_shown_and_dropped(athena: AthenaClient) -> None:
    athena.run("CREATE OR REPLACE VIEW v AS SELECT 1 AS a")
    assert "already exists" in athena.failure("CREATE VIEW v AS SELECT 2 AS a")
    athena.run("CREATE OR REPLACE VIEW v AS\nSELECT 2 AS a\nFROM base")
    assert athena.rows("SELECT * FROM v") == [["2"]]
    shown = athena.result(athena.run("SHOW CREATE VIEW v")["QueryExecutionId"])
    assert shown == [["CREATE VIEW v AS"], ["SELECT 2 a"], ["FROM"], ["  base"]]
    assert athena.result(athena.run("SHOW VIEWS")["QueryExecutionId"]) == [["v"]]
    athena.run("DROP VIEW v")
    assert athena.failure("SELECT * FROM v").startswith("TABLE_NOT_FOUND")


LAYOUTS = [
    ("select * from d.t", "SELECT *\nFROM\n  d.t"),
    (
        "WITH t AS (SELECT 1 AS a, 'it''s' AS b) SELECT a, b FROM t UNION ALL SELECT 2, 'y'",
        "WITH\n  t AS (\n   SELECT\n     1 a\n   , 'it''s' b\n\n) \nSELECT\n  a\n, b\nFROM\n  t\n"
        "UNION ALL SELECT\n  2\n, 'y'",
    ),
    (
        'SELECT count(DISTINCT x) AS "N n" FROM a AS p LEFT JOIN b ON p.id = b.id WHERE p.x > 1 AND NOT b.y IS NULL '
        "AND (p.z IN (1, 2) OR p.z LIKE 'q%') GROUP BY 1 ORDER BY 1 DESC LIMIT 5",
        'SELECT count(DISTINCT x) "N n"\nFROM\n  (a p\nLEFT JOIN b ON (p.id = b.id))\n'
        "WHERE ((p.x > 1) AND (b.y IS NOT NULL) AND ((p.z IN (1, 2)) OR (p.z LIKE 'q%')))\n"
        "GROUP BY 1\nORDER BY 1 DESC\nLIMIT 5",
    ),
    ("SELECT x FROM (SELECT 1 AS x) AS q, r", "SELECT x\nFROM\n  (\n   SELECT 1 x\n\n)  q\n, r"),
    ("SELECT CAST(x AS int)  FROM t", "SELECT CAST(x AS int)  FROM t"),
]


@pytest.mark.parametrize(("sql", "layout"), LAYOUTS)
def test_a_definition_is_laid_out_as_trino_writes_it(sql: str, layout: str) -> None:
    assert laid_out(sql) == layout


@pytest.mark.parametrize(
    ("sql", "kept"),
    [
        ("select a from t", "SELECT a\nFROM\n  t\n"),
        ("select 1 a limit 2", "SELECT 1 a\n\nLIMIT 2\n"),
        ("SELECT CAST(x AS int) FROM t", "SELECT CAST(x AS int) FROM t\n"),
        ("SELECT CAST(1 AS int) UNION SELECT CAST(2 AS int)", "SELECT CAST(1 AS int) UNION SELECT CAST(2 AS int)\n\n"),
    ],
)
def test_a_definition_is_kept_with_the_line_ends_of_trinos_layout(sql: str, kept: str) -> None:
    assert kept_text(sql) == kept


def test_a_view_that_does_not_fit_its_tables_any_more_says_so(athena: AthenaClient) -> None:
    athena.run("CREATE VIEW v AS SELECT name FROM base")
    athena.run("DROP TABLE base")
    assert "INVALID_VIEW: line 1:15: Failed analyzing stored view 'awsdatacatalog.lake.v'" in athena.failure(
        "SELECT * FROM v"
    )
    athena.run("CREATE TABLE base AS SELECT 1 AS id, 5 AS name")
    assert "is stale" in athena.failure("SELECT * FROM v")
    assert athena.failure("INSERT INTO v VALUES ('x')").startswith("NOT_SUPPORTED: line 1:1: Inserting into views")


def test_what_is_wrong_with_a_view_is_told_with_its_place_in_the_statement(athena: AthenaClient) -> None:
    assert athena.failure("CREATE VIEW v AS\nSELECT nope FROM base").startswith("COLUMN_NOT_FOUND: line 2:8:")
    assert athena.failure("CREATE VIEW v AS SELECT 1 AS a, nope").startswith("COLUMN_NOT_FOUND: line 1:33:")


def test_a_view_of_itself_is_refused(athena: AthenaClient) -> None:
    athena.run("CREATE VIEW v AS SELECT 1 AS a")
    athena.run("CREATE VIEW w AS SELECT * FROM v")
    assert "View is recursive" in athena.failure("CREATE OR REPLACE VIEW v AS SELECT * FROM w")
    assert athena.failure("CREATE OR REPLACE VIEW v AS SELECT * FROM v").startswith("VIEW_IS_RECURSIVE: line 1:43:")
    assert athena.rows("SELECT * FROM w") == [["1"]]


def test_the_catalog_is_readable_as_information_schema(athena: AthenaClient) -> None:
    athena.run("CREATE VIEW v AS SELECT 1 AS a")
    assert athena.rows(
        "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = 'lake' ORDER BY 1"
    ) == [["base", "BASE TABLE"], ["v", "VIEW"]]
    assert athena.rows(
        "SELECT column_name, ordinal_position, data_type FROM awsdatacatalog.information_schema.columns "
        "WHERE table_name = 'base' ORDER BY 2"
    ) == [["id", "1", "integer"], ["name", "2", "varchar(1)"]]
    assert athena.rows("SELECT view_definition FROM information_schema.views") == [["SELECT 1 a\n\n"]]
    assert athena.rows("SELECT count(*) FROM information_schema.schemata") == [["4"]]
    assert athena.failure("SELECT * FROM information_schema.nope").startswith("TABLE_NOT_FOUND")


def test_a_view_keeps_the_types_of_intervals_and_rows_without_names(athena: AthenaClient) -> None:
    athena.run(
        "CREATE VIEW kept AS SELECT INTERVAL '1' DAY AS d, ARRAY[INTERVAL '2' MONTH] AS m, "
        "ROW(1, DATE '2020-01-01') AS r"
    )
    athena.run("CREATE VIEW upon AS SELECT DATE '2020-01-01' + d AS later, m, r[2] AS date FROM kept")
    assert athena.rows("SELECT *, typeof(m) FROM upon") == [
        ["2020-01-02", "[0-2]", "2020-01-01", "array(interval year to month)"]
    ]
    described = athena.result(athena.run("DESCRIBE kept")["QueryExecutionId"])
    assert [str(row[0]).split()[1] for row in described] == [
        "string",
        "array<string>",
        "struct<field0:int,field1:date>",
    ]


def test_names_of_fields_keep_their_case_in_views_and_are_lower_case_in_tables(athena: AthenaClient) -> None:
    value = """CAST(ROW(1, 2) AS ROW("userId" integer, "A b" integer)) AS r"""
    athena.run(f"CREATE VIEW named AS SELECT {value}")
    assert athena.rows("SELECT CAST(r AS JSON), r.userid FROM named") == [['{"userId":1,"A b":2}', "1"]]
    shown = athena.glue("GetTable", DatabaseName="lake", Name="named")["Table"]["StorageDescriptor"]["Columns"]
    assert shown == [{"Name": "r", "Type": "struct<userid:int,a b:int>"}]
    athena.run('CREATE TABLE stored AS SELECT CAST(ROW(1) AS ROW("userId" integer)) AS r')
    assert athena.rows("SELECT r, typeof(r) FROM stored") == [["{userid=1}", "row(userid integer)"]]
