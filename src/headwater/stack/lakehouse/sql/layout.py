"""A query laid out as Trino writes it, which is how Athena shows the definition of a view."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from headwater.stack.lakehouse.errors import QueryFailed
from headwater.stack.lakehouse.sql.parse import parse_query

_INDENT = "   "
_OPEN, _CLOSE = "\x01", "\x02"
"""The parentheses around joins, which a parser would read as another tree."""
_BINARY: dict[type[exp.Expr], str] = {
    **{exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"},
    **{exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=", exp.Like: "LIKE"},
}
_SETS: dict[type[exp.Expr], str] = {exp.Union: "UNION", exp.Intersect: "INTERSECT", exp.Except: "EXCEPT"}
_QUERY_PARTS = {"expressions", "distinct", "from_", "joins", "where", "group", "having", "order", "limit", "with_"}


class _Unknown(Exception):
    """A part of a query whose layout is not known here."""


def laid_out(sql: str) -> str:
    """The query in Trino's layout; as it was written when it has parts whose layout is not known here.

    >>> laid_out("select a as x from t where a > 1")
    'SELECT a x\\nFROM\\n  t\\nWHERE (a > 1)'
    """
    return (_layout(sql) or sql).rstrip()


def kept_text(sql: str) -> str:
    """The query as Athena keeps it in a view: in that layout too, and with the line ends that Trino writes behind it.

    >>> kept_text("select cast(1 as bigint) as x")
    'select cast(1 as bigint) as x\\n\\n'
    """
    found = _layout(sql)
    if found is not None:
        return found
    try:
        tree = parse_query(sql)
    except QueryFailed:
        return f"{sql}\n"
    while isinstance(tree, exp.SetOperation) and not tree.args.get("order"):
        tree = tree.expression
    bare = not any(value for name, value in tree.args.items() if name not in ("expressions", "distinct", "with_"))
    return f"{sql}\n\n" if bare else f"{sql}\n"


def _layout(sql: str) -> str | None:
    try:
        tree = parse_query(sql)
        text = _query(tree, 0)
        # Whatever is wrong here: what is shown means what the view means.
        same = _bare(parse_query(text.replace(_OPEN, "").replace(_CLOSE, ""))) == _bare(tree)
        return text.replace(_OPEN, "(").replace(_CLOSE, ")") if same else None
    except (_Unknown, QueryFailed):
        return None


def _bare(tree: exp.Expr) -> exp.Expr:
    """The tree without what says nothing: parentheses that only group, and the word INNER."""
    copy = exp.Tuple(expressions=[tree.copy()])
    for grouped in reversed(list(copy.find_all(exp.Paren))):
        grouped.replace(grouped.this)
    for join in copy.find_all(exp.Join):
        if join.args.get("kind") == "INNER":
            join.set("kind", None)
    return copy


def _known(node: exp.Expr, *parts: str) -> None:
    if any(value for name, value in node.args.items() if name not in parts):
        raise _Unknown


def _query(tree: exp.Expr, depth: int) -> str:
    clause = tree.args.get("with_")
    head = "" if clause is None else _with(clause, depth)
    if isinstance(tree, exp.SetOperation):
        _known(tree, "this", "expression", "distinct", "with_", "order", "limit")
        word = f"{_SETS[type(tree)]} {'' if tree.args.get('distinct') else 'ALL '}"
        body = f"{_query(tree.this, depth)}{word}{_query(tree.expression, depth)}"
        return head + body + _ending(tree, depth)
    if not isinstance(tree, exp.Select):
        raise _Unknown
    return head + _select(tree, depth) + _ending(tree, depth)


def _with(clause: exp.Expr, depth: int) -> str:
    queries = []
    for cte in clause.expressions:
        names = f" ({', '.join(map(_name, cte.args['alias'].columns))})" if cte.args["alias"].columns else ""
        named = f"{_INDENT * depth}{_name(cte.args['alias'].this)}{names}"
        queries.append(f"{named} AS {_parenthesised(cte.this, depth)}\n")
    recursive = " RECURSIVE" if clause.args.get("recursive") else ""
    return f"{_INDENT * depth}WITH{recursive}\n  {', '.join(queries)}"


def _parenthesised(tree: exp.Expr, depth: int) -> str:
    return f"(\n{_query(tree, depth + 1)}{_INDENT * depth}) "


def _select(tree: exp.Select, depth: int) -> str:
    _known(tree, *_QUERY_PARTS)
    indent = _INDENT * depth
    items = [_item(item) for item in tree.expressions]
    text = f"{indent}SELECT{' DISTINCT' if tree.args.get('distinct') else ''}"
    if len(items) == 1:
        text += f" {items[0]}\n"
    else:
        text += "".join(f"\n{indent}{', ' if n else '  '}{item}" for n, item in enumerate(items)) + "\n"
    if tree.args.get("from_"):
        text += f"{indent}FROM\n{indent}  {_from(tree, depth)}"
    text += "\n"
    if tree.args.get("where"):
        text += f"{indent}WHERE {_expression(tree.args['where'].this)}\n"
    if tree.args.get("group"):
        _known(tree.args["group"], "expressions")
        text += f"{indent}GROUP BY {_list(tree.args['group'].expressions)}\n"
    if tree.args.get("having"):
        text += f"{indent}HAVING {_expression(tree.args['having'].this)}\n"
    return text


def _ending(tree: exp.Expr, depth: int) -> str:
    indent, text = _INDENT * depth, ""
    if tree.args.get("order"):
        text += f"{indent}ORDER BY {', '.join(map(_sort_item, tree.args['order'].expressions))}\n"
    if tree.args.get("limit"):
        limit = tree.args["limit"]
        if not isinstance(limit, exp.Limit):
            raise _Unknown
        text += f"{indent}LIMIT {_expression(limit.expression)}\n"
    return text


def _sort_item(node: exp.Expr) -> str:
    if not isinstance(node, exp.Ordered):
        raise _Unknown
    nulls = " NULLS FIRST" if node.args.get("nulls_first") else ""
    return f"{_expression(node.this)} {'DESC' if node.args.get('desc') else 'ASC'}{nulls}"


def _from(tree: exp.Select, depth: int) -> str:
    text = _relation(tree.args["from_"].this, depth)
    for join in tree.args.get("joins") or []:
        _known(join, "this", "on", "using", "side", "kind")
        right, condition = _relation(join.this, depth), ""
        side, kind = (str(join.args.get(part) or "").upper() for part in ("side", "kind"))
        if join.args.get("using"):
            condition = f" USING ({', '.join(map(_name, join.args['using']))})"
        elif join.args.get("on"):
            condition = f" ON {_expression(join.args['on'])}"
        if not (side or kind or condition):
            text = f"{text}\n{_INDENT * depth}, {right}"
        else:
            text = f"{_OPEN}{text}\n{_INDENT * depth}{side or kind or 'INNER'} JOIN {right}{condition}{_CLOSE}"
    return text


def _relation(node: exp.Expr, depth: int) -> str:
    _known(node, "this", "db", "catalog", "alias")
    if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
        text = ".".join(_name(part) for part in node.parts)
    elif isinstance(node, exp.Subquery):
        text = _parenthesised(node.this, depth)
    else:
        raise _Unknown
    alias = node.args.get("alias")
    if alias is None:
        return text
    columns = f" ({', '.join(map(_name, alias.columns))})" if alias.columns else ""
    return f"{text} {_name(alias.this)}{columns}"


def _item(node: exp.Expr) -> str:
    if isinstance(node, exp.Alias):
        return f"{_expression(node.this)} {_name(node.args['alias'])}"
    return _expression(node)


def _list(nodes: Sequence[exp.Expr]) -> str:
    return ", ".join(map(_expression, nodes))


def _name(node: exp.Expr) -> str:
    if not isinstance(node, exp.Identifier):
        raise _Unknown
    return '"' + node.this.replace('"', '""') + '"' if node.args.get("quoted") else str(node.this)


def _expression(node: exp.Expr) -> str:
    if type(node) in _BINARY:
        operator = _BINARY[type(node)]
        return f"({_expression(node.left)} {operator} {_expression(node.right)})"  # type: ignore[attr-defined]  # binary
    if isinstance(node, (exp.And, exp.Or)):
        word = " AND " if isinstance(node, exp.And) else " OR "
        return f"({word.join(map(_expression, node.flatten()))})"
    if isinstance(node, exp.Paren):
        return _expression(node.this)
    if isinstance(node, exp.Column):
        return ".".join("*" if isinstance(part, exp.Star) else _name(part) for part in node.parts)
    if isinstance(node, exp.Not):
        absent = isinstance(node.this, exp.Is) and isinstance(node.this.expression, exp.Null)
        return f"({_expression(node.this.this)} IS NOT NULL)" if absent else f"(NOT {_expression(node.this)})"
    return _value(node)


def _value(node: exp.Expr) -> str:
    if isinstance(node, exp.Star):
        _known(node)
        return "*"
    if isinstance(node, exp.Null):
        return "null"
    if isinstance(node, exp.Boolean):
        return "true" if node.this else "false"
    if isinstance(node, exp.Literal) and (node.is_string or node.this.isdigit()):
        return "'" + node.this.replace("'", "''") + "'" if node.is_string else str(node.this)
    if isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
        return f"({_expression(node.this)} IS NULL)"
    if isinstance(node, exp.In) and node.expressions:
        _known(node, "this", "expressions")
        return f"({_expression(node.this)} IN ({_list(node.expressions)}))"
    if isinstance(node, exp.Between):
        _known(node, "this", "low", "high")
        low, high = _expression(node.args["low"]), _expression(node.args["high"])
        return f"({_expression(node.this)} BETWEEN {low} AND {high})"
    if isinstance(node, exp.Anonymous) and isinstance(node.this, str):
        return f"{node.this}({_arguments(node)})"
    raise _Unknown


def _arguments(node: exp.Anonymous) -> str:
    _known(node, "this", "expressions")
    first = node.expressions[0] if node.expressions else None
    if isinstance(first, exp.Distinct):
        return f"DISTINCT {_list(first.expressions)}"
    return _list(node.expressions)
