"""Types as a query writes them, in CAST and in typed literals."""

from __future__ import annotations

from sqlglot import exp

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.parse import parse_query

_SIMPLE = {
    "BOOLEAN": t.BOOLEAN,
    "TINYINT": t.TINYINT,
    "SMALLINT": t.SMALLINT,
    "INT": t.INTEGER,
    "BIGINT": t.BIGINT,
    "FLOAT": t.REAL,
    "DOUBLE": t.DOUBLE,
    "VARBINARY": t.VARBINARY,
    "DATE": t.DATE,
    "JSON": t.JSON,
    "UUID": t.UUID,
    "IPADDRESS": t.IPADDRESS,
}
_TIMES = {
    **{"TIME": "time", "TIMETZ": "timetz", "TIMESTAMP": "timestamp", "TIMESTAMPNTZ": "timestamp"},
    "TIMESTAMPTZ": "timestamptz",
}


def type_of(node: exp.DataType) -> t.Type:
    """The Trino type of a type expression. Raises ``Unsupported``.

    >>> from headwater.stack.lakehouse.sql.parse import parse_query
    >>> str(type_of(parse_query("select cast(x as array(decimal(5,2)))").find(exp.Cast).args["to"]))
    'array(decimal(5,2))'
    """
    if isinstance(node.this, exp.Interval):
        return _interval(node)
    name = node.this.name if hasattr(node.this, "name") else str(node.this)
    numbers = [int(p.name) for p in node.expressions if isinstance(p, exp.DataTypeParam)]
    if name in _SIMPLE:
        return _SIMPLE[name]
    if name == "DECIMAL":
        return t.decimal(numbers[0] if numbers else 38, numbers[1] if len(numbers) > 1 else 0)
    if name in ("VARCHAR", "TEXT"):
        return t.varchar(numbers[0]) if numbers else t.VARCHAR
    if name in ("CHAR", "NCHAR", "BPCHAR"):
        return t.Type("char", (numbers[0] if numbers else 1,))
    if name in _TIMES:
        kind, most = t.Type(_TIMES[name], (numbers[0] if numbers else 3,)), 6 if _TIMES[name] == "timetz" else 9
        if t.precision_of(kind) > most:
            raise Unsupported(f"type {kind} (more than {'nine' if most == 9 else 'six'} fractional digits)")
        return kind
    if name in ("ARRAY", "LIST"):
        return t.array(type_of(node.expressions[0]))
    if name == "MAP":
        return t.map_of(type_of(node.expressions[0]), type_of(node.expressions[1]))
    if name == "STRUCT":
        return t.row_of(*(_field(item) for item in node.expressions))
    raise Unsupported(f"type {node.sql(dialect='trino')}")


def _interval(node: exp.DataType) -> t.Type:
    span = node.this.args.get("unit")
    if isinstance(span, exp.IntervalSpan):
        for kind in (t.DAY_TO_SECOND, t.YEAR_TO_MONTH):
            if str(kind).upper() == f"INTERVAL {span.name} TO {span.expression.name}".upper():
                return kind
    raise Unsupported(f"type {node.sql(dialect='trino')}")


def type_named(text: str) -> t.Type:
    """The Trino type that a text names, as view definitions keep them.

    >>> str(type_named("timestamp(3) with time zone"))
    'timestamp(3) with time zone'
    """
    found = parse_query(f"SELECT CAST(NULL AS {text})").find(exp.Cast)
    if found is None:
        raise Unsupported(f"type {text}")
    return type_of(found.args["to"])


def _field(node: exp.Expression) -> tuple[str | None, t.Type]:
    if isinstance(node, exp.ColumnDef):
        # A quoted name keeps its case, which casts to JSON show; it is found in any case.
        return node.name if node.this.args.get("quoted") else node.name.lower(), type_of(node.args["kind"])
    if isinstance(node, exp.DataType):
        return None, type_of(node)
    raise Unsupported(f"row field {node.sql(dialect='trino')}")
