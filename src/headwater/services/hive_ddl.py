"""The DDL that Headwater sends to Athena, built here and nowhere else: names quoted, texts escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from headwater.model import LakeColumn, LakeTable


def name(identifier: str) -> str:
    """A name as Hive DDL quotes it.

    >>> name("orders")
    '`orders`'
    """
    return "`" + identifier.replace("`", "``") + "`"


def text(value: str) -> str:
    r"""A text as Hive DDL quotes it.

    >>> print(text("it's"))
    'it\'s'
    """
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def create_database(database: str) -> str:
    """Create a database unless it exists."""
    return f"CREATE DATABASE IF NOT EXISTS {name(database)}"


def create_table(table: LakeTable, location: str, properties: Mapping[str, str]) -> str:
    """Create a table over the Parquet files below ``location``, unless it exists.

    >>> orders = LakeTable("t", (LakeColumn("id", "string"),), (LakeColumn("year", "int"),))
    >>> print(create_table(orders, "s3://b/t/", {}))
    CREATE EXTERNAL TABLE IF NOT EXISTS `t` (
      `id` string
    )
    PARTITIONED BY (`year` int)
    STORED AS PARQUET
    LOCATION 's3://b/t/'
    """
    lines = [
        f"CREATE EXTERNAL TABLE IF NOT EXISTS {name(table.name)} (",
        ",\n".join(f"  {column}" for column in _columns(table.columns)),
        ")",
    ]
    if table.partition_keys:
        lines.append(f"PARTITIONED BY ({', '.join(_columns(table.partition_keys))})")
    lines += ["STORED AS PARQUET", f"LOCATION {text(location)}"]
    if properties:
        lines.append(f"TBLPROPERTIES ({_properties(properties)})")
    return "\n".join(lines)


def set_properties(table: str, properties: Mapping[str, str]) -> str:
    """Set table properties; others stay."""
    return f"ALTER TABLE {name(table)} SET TBLPROPERTIES ({_properties(properties)})"


def repair_table(table: str) -> str:
    """Register every partition that the table's location has and the catalog has not."""
    return f"MSCK REPAIR TABLE {name(table)}"


def drop_table(table: str) -> str:
    """Drop a table; an external one's files stay."""
    return f"DROP TABLE IF EXISTS {name(table)}"


def drop_database(database: str, *, cascade: bool = False) -> str:
    """Drop a database; one that has tables only with ``cascade``, which drops them too."""
    return f"DROP DATABASE IF EXISTS {name(database)}" + (" CASCADE" if cascade else "")


def _columns(columns: Iterable[LakeColumn]) -> list[str]:
    return [f"{name(column.name)} {column.type}" for column in columns]


def _properties(properties: Mapping[str, str]) -> str:
    return ", ".join(f"{text(key)}={text(value)}" for key, value in properties.items())
