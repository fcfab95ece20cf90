"""``*`` in a SELECT list: of everything in FROM, of one relation, or the fields of a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql.expression import Expr
from headwater.stack.lakehouse.sql.expressions import Expressions
from headwater.stack.lakehouse.sql.failures import Position, SqlError
from headwater.stack.lakehouse.sql.scope import Field, Scope, row_field


def is_star(node: exp.Expression) -> bool:
    """Whether a SELECT item stands for several."""
    inner = node.this if isinstance(node, exp.Aliases) else node
    last = inner.this if isinstance(inner, exp.Column) else inner.expression if isinstance(inner, exp.Dot) else inner
    return isinstance(last, exp.Star)


def star(node: exp.Expression, rules: Expressions) -> list[Field]:
    """The fields that a SELECT item stands for, as ``AS (…)`` renames them."""
    if isinstance(node, exp.Aliases):
        return _renamed(_fields(node.this, rules), node, rules)
    return _fields(node, rules)


def _renamed(found: list[Field], node: exp.Aliases, rules: Expressions) -> list[Field]:
    names = [name.name for name in node.expressions]
    if len(names) != len(found):
        message = f"Column alias list has {len(names)} entries but relation has {len(found)} columns"
        raise SqlError("MISMATCHED_COLUMN_ALIASES", message, rules.context.position(node.expressions[0]))
    return [replace(field, name=name) for field, name in zip(found, names, strict=True)]


def _fields(node: exp.Expression, rules: Expressions) -> list[Field]:
    sign = node if isinstance(node, exp.Star) else node.expression if isinstance(node, exp.Dot) else node.this
    if any(value for key, value in sign.args.items() if key != "this"):
        raise Unsupported("SELECT * EXCEPT and REPLACE")
    position = rules.context.position(node)
    if isinstance(node, exp.Dot):
        value = rules.translate(node.this)
        if value.type.name != "row":
            raise SqlError("TYPE_MISMATCH", "expected expression of type Row", position)
        return _of_row(value)
    qualifier = [part.name.lower() for part in node.parts[:-1]] if isinstance(node, exp.Column) else []
    found = _qualified(qualifier, rules.scope, position) if qualifier else list(rules.scope.visible())
    if not found and qualifier:
        raise SqlError("TABLE_NOT_FOUND", f"Unable to resolve reference {'.'.join(qualifier)}", position)
    if not found:
        raise SqlError("COLUMN_NOT_FOUND", "SELECT * not allowed in queries without FROM clause", position)
    _check_grouped(found, rules, position)
    return found


def _qualified(qualifier: Sequence[str], scope: Scope | None, position: Position) -> list[Field]:
    """The columns of a relation, or the fields of a column that is a row; of the nearest query that has either."""
    while scope is not None:
        found = list(scope.visible(qualifier)) or _row_fields(qualifier, scope, position)
        if found:
            return found
        scope = scope.parent
    return []


def _row_fields(parts: Sequence[str], scope: Scope, position: Position) -> list[Field]:
    found = scope.find(parts, position) if len(parts) > 1 else None
    value = found[0].value if found is not None else None
    for name in found[1] if found is not None else ():
        value = row_field(value, name) if value is not None else None
    return _of_row(value) if value is not None and value.type.name == "row" else []


def _of_row(value: Expr) -> list[Field]:
    pairs = zip(value.type.names, value.type.items, strict=True)
    return [Field(n, Expr(f"struct_extract({value.sql}, 'f{i}')", kind)) for i, (n, kind) in enumerate(pairs)]


def _check_grouped(found: Sequence[Field], rules: Expressions, position: Position) -> None:
    for field in found if rules.grouped is not None else ():
        if rules.grouped is not None and field.value.sql not in rules.grouped:
            name = ".".join([*field.qualifier[-1:], field.name or "_"])
            message = f"'{name}' must be an aggregate expression or appear in GROUP BY clause"
            raise SqlError("EXPRESSION_NOT_AGGREGATE", message, position)
