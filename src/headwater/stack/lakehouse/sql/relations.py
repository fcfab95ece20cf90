"""FROM: tables, sub-queries, joins, UNNEST and VALUES, each bringing its columns into sight."""

# ruff: noqa: S608 - writing SQL is what this module is for; values and names in it are quoted or fixed
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.comparison import comparison, together
from headwater.stack.lakehouse.sql.datazones import at_instant, differ, zone_of
from headwater.stack.lakehouse.sql.expression import Expr
from headwater.stack.lakehouse.sql.failures import SqlError
from headwater.stack.lakehouse.sql.information import SCHEMA
from headwater.stack.lakehouse.sql.limits import sampled
from headwater.stack.lakehouse.sql.outerjoins import Sides, without_subqueries
from headwater.stack.lakehouse.sql.parse import COMMA
from headwater.stack.lakehouse.sql.parts import check_parts
from headwater.stack.lakehouse.sql.placement import refuse_grouped
from headwater.stack.lakehouse.sql.prune import note_conditions
from headwater.stack.lakehouse.sql.query import OutputColumn, Query, Relation, fields_of
from headwater.stack.lakehouse.sql.scans import named_table, scan_relation
from headwater.stack.lakehouse.sql.scope import Field, Scope
from headwater.stack.lakehouse.sql.tablefunctions import is_table_function, table_function_query
from headwater.stack.lakehouse.sql.unnest import unnest_query
from headwater.stack.lakehouse.sql.versions import moment
from headwater.stack.lakehouse.sql.views import VIEW, view_query

if TYPE_CHECKING:
    from headwater.stack.lakehouse.sql.select import Queries

_TABLE_PARTS = {"this", "db", "catalog", "alias", "version", "sample", "joins"}


@dataclass(frozen=True)
class Relations:
    """Translates FROM clauses for one query translator."""

    queries: Queries

    def from_clause(self, tree: exp.Select, outer: Scope | None) -> Relation | None:
        """The whole FROM clause with its joins, or ``None`` when there is none."""
        clause = tree.args.get("from_")
        if clause is None:
            return None
        before, group = Relation("", ()), self._item(clause.this, Scope((), outer))
        for join in tree.args.get("joins") or []:
            if join.meta.get(COMMA):
                check_parts(join)
                before = _beside(before, group)
                group = self._item(join.this, Scope(before.fields, outer))
                continue
            group = self._join(group, join, outer)
            if before.sql and str(join.args.get("side") or "").upper() in ("RIGHT", "FULL"):
                # What stands before the comma must not take part in the outer join.
                group = replace(group, sql=f"({group.sql})")
        return _beside(before, group)

    def _item(self, node: exp.Expression, scope: Scope) -> Relation:
        """``scope`` holds what a lateral item may see."""
        relation = self._plain_item(node, scope)
        if node.args.get("sample") is not None:
            relation = sampled(node.args["sample"], relation, self.queries.context)
        for join in node.args.get("joins") or []:
            relation = self._join(relation, join, scope.parent)
        return relation

    def _plain_item(self, node: exp.Expression, scope: Scope) -> Relation:
        if isinstance(node, exp.Table):
            if isinstance(node.this, exp.Values):
                return self._derived(self.values(node.this, scope), node)
            if is_table_function(node):
                return self._derived(
                    table_function_query(node, self.queries.expressions(Scope((), scope.parent))), node
                )
            return self._table(node)
        if isinstance(node, exp.Subquery):
            return self._subquery(node, scope)
        if isinstance(node, exp.Unnest):
            return self._unnest(node, scope)
        if isinstance(node, exp.Values):
            return self._derived(self.values(node, scope), node)
        if isinstance(node, exp.Lateral) and isinstance(node.this, exp.Subquery) and not node.args.get("view"):
            query = self.queries.query(node.this.this, scope)
            return self._derived(query, node, lateral=True)
        raise Unsupported(f"{node.key.upper()} in FROM")

    def _table(self, node: exp.Table) -> Relation:
        unknown = [part for part, value in node.args.items() if value and part not in _TABLE_PARTS]
        if unknown or not isinstance(node.this, exp.Identifier):
            raise Unsupported(f"{', '.join(unknown) or node.this.key} on a table in FROM")
        parts = [part.name.lower() for part in node.parts]
        entry = self.queries.named.queries.get(parts[0]) if len(parts) == 1 else None
        if isinstance(entry, Query):
            return self._derived(entry, node, name=parts[0])
        if entry is not None:
            cte, named = entry
            query = replace(self.queries, named=named).query(cte.this)
            names = [column.name for column in cte.args["alias"].columns]
            self._check_names(query, names, cte)
            columns = (replace(c, name=names[i] if names else c.name) for i, c in enumerate(query.columns))
            return self._derived(Query(query.sql, tuple(columns)), node, name=parts[0])
        return self._catalog_table(parts, node)

    def _catalog_table(self, parts: list[str], node: exp.Table) -> Relation:
        context = self.queries.context
        catalog = parts[0] if len(parts) == 3 else "awsdatacatalog"
        rows = context.tables.rows(parts, context.position(node))
        if rows is not None:
            return self._derived(rows, node, name=parts[-1], within=(catalog, SCHEMA))
        table = named_table(context, parts, node)
        if table.table_type == VIEW:
            within = (catalog, table.database.lower())
            return self._derived(view_query(self.queries, table, node), node, name=parts[-1], within=within)
        return scan_relation(context, table, parts, node, moment(node, self.queries.expressions(Scope(()))))

    def _subquery(self, node: exp.Subquery, scope: Scope) -> Relation:
        if _is_item(node) or (node.args.get("joins") and not isinstance(node.this, exp.Query)):
            if node.args.get("alias"):
                raise Unsupported("an alias on a parenthesised join")
            return self._item(node.this, scope)
        if node.args.get("pivots"):
            raise Unsupported("PIVOT on a sub-query")
        unaliased = exp.Subquery(**{k: v for k, v in node.args.items() if k not in ("alias", "joins", "sample")})
        return self._derived(self.queries.query(unaliased, scope.parent), node)

    def _derived(
        self, query: Query, node: exp.Expression, *, name: str = "", lateral: bool = False, within: tuple[str, ...] = ()
    ) -> Relation:
        alias = self.queries.context.relation_name()
        given = node.args.get("alias")
        names = [column.name for column in given.columns] if given else []
        self._check_names(query, names, node)
        visible = given.name.lower() if given and given.name else name
        qualifier: tuple[str, ...] = (visible,) if visible else ()
        if within and not (given and given.name):
            qualifier = (*within, name)
        word = "LATERAL " if lateral else ""
        return Relation(f"{word}({query.sql}) AS {alias}", fields_of(alias, qualifier, query, names))

    def _check_names(self, query: Query, names: Sequence[str], node: exp.Expression) -> None:
        if names and len(names) != len(query.columns):
            message = f"Column alias list has {len(names)} entries but relation has {len(query.columns)} columns"
            raise SqlError("MISMATCHED_COLUMN_ALIASES", message, self.queries.context.position(node))

    def _unnest(self, node: exp.Unnest, scope: Scope, *, padded: bool = False) -> Relation:
        check_parts(node)
        rules = self.queries.expressions(scope)
        values = [rules.translate(item) for item in node.expressions]
        query = unnest_query(node, values, self.queries.context, padded=padded)
        alias = self.queries.context.relation_name()
        given = node.args.get("alias")
        names = [column.name for column in given.columns] if given else []
        if isinstance(node.args.get("offset"), exp.Identifier):
            names.append(node.args["offset"].name)
        if given:
            self._check_names(query, names, node)
        qualifier = (given.name.lower(),) if given and given.name else ()
        return Relation(f"LATERAL ({query.sql}) AS {alias}", fields_of(alias, qualifier, query, names))

    def values(self, node: exp.Values, scope: Scope) -> Query:
        """``VALUES (…), (…)``: each column in the common type of its rows; ``ROW(1, 2)`` alone is two columns."""
        rules = self.queries.expressions(Scope((), scope.parent))
        rows = [
            _spread([rules.translate(v) for v in (row.expressions if isinstance(row, exp.Tuple) else [row])])
            for row in node.expressions
        ]
        if len({len(row) for row in rows}) != 1:
            message = "Values rows have mismatched sizes"
            raise SqlError("TYPE_MISMATCH", message, self.queries.context.position(node))
        columns = [together(column) for column in zip(*rows, strict=True)]
        if any(column is None for column in columns):
            message = "Values rows have mismatched types"
            raise SqlError("TYPE_MISMATCH", message, self.queries.context.position(node))
        merged = [column for column in columns if column is not None]
        zones = [differ(column) for column in merged]
        written = [_with_zones(column, zone) for column, zone in zip(merged, zones, strict=True)]
        lines = ", ".join(f"({', '.join(cells[i] for cells in written)})" for i in range(len(rows)))
        names = ", ".join(f"c{i}, i{i}, z{i}" if zone else f"c{i}" for i, zone in enumerate(zones))
        sql = f"SELECT {names} FROM (VALUES {lines}) AS v({names})"
        return Query(sql, tuple(OutputColumn(None, c[0].type, zoned=z) for c, z in zip(merged, zones, strict=True)))

    # --- joins -------------------------------------------------------------------------------------------------------

    def _join(self, left: Relation, join: exp.Join, outer: Scope | None) -> Relation:
        check_parts(join)
        side, kind, method = (str(join.args.get(part) or "").upper() for part in ("side", "kind", "method"))
        if method == "NATURAL":
            raise SqlError("NOT_SUPPORTED", "Natural join not supported", self.queries.context.position(join))
        if method or kind not in ("", "INNER", "CROSS", "OUTER") or side not in ("", "LEFT", "RIGHT", "FULL"):
            raise Unsupported(f"{' '.join(word for word in (method, side, kind) if word)} JOIN")
        if isinstance(join.this, exp.Unnest) and kind != "CROSS":
            self._check_unnest(join, side or "INNER")
        if isinstance(join.this, exp.Unnest) and side == "LEFT":
            # One row of NULLs for an array without elements, and all rows in their order.
            unnested = self._unnest(join.this, Scope(left.fields, outer), padded=True)
            fields = (*left.fields, *_after(unnested.fields, nullable=True))
            return Relation(f"{left.sql} CROSS JOIN {unnested.sql}", fields)
        right = self._item(join.this, Scope(left.fields, outer))
        if join.args.get("using"):
            return self._join_using(left, right, join, side)
        both = Scope((*left.fields, *right.fields), outer)
        condition = join.args.get("on")
        if condition is None:
            return Relation(f"{left.sql} CROSS JOIN {right.sql}", both.fields)
        refuse_grouped(condition, "JOIN clause", self.queries.registry, self.queries.context)
        rules = self.queries.expressions(both)
        if side:
            moved = without_subqueries(Sides(left, right, condition), rules)
            if moved.condition is not condition:
                left, right, condition = moved.left, moved.right, moved.condition
                both = Scope((*left.fields, *right.fields), outer)
                rules = self.queries.expressions(both)
        on = rules.typed(condition, t.BOOLEAN, "JOIN ON clause")
        optional = {"": both.fields, "LEFT": right.fields, "RIGHT": left.fields}.get(side, ())
        note_conditions(condition, both, self.queries, optional)
        fields = (*_after(left.fields, side in ("RIGHT", "FULL")), *_after(right.fields, side in ("LEFT", "FULL")))
        return Relation(f"{left.sql} {side} JOIN {right.sql} ON {on.sql}", fields)

    def _check_unnest(self, join: exp.Join, word: str) -> None:
        condition = join.args.get("on")
        if not isinstance(condition, exp.Boolean) or not condition.this:
            message = f"{word} JOIN involving UNNEST is only supported with condition ON TRUE"
            raise SqlError("NOT_SUPPORTED", message, self.queries.context.position(condition or join))

    def _join_using(self, left: Relation, right: Relation, join: exp.Join, side: str) -> Relation:
        merged: list[Field] = []
        conditions: list[str] = []
        names = [column.name.lower() for column in join.args["using"]]
        for number, (name, column) in enumerate(zip(names, join.args["using"], strict=True)):
            position = self.queries.context.position(column)
            if name in names[:number]:
                message = f"Column '{name}' appears multiple times in USING clause"
                raise SqlError("DUPLICATE_COLUMN_NAME", message, position)
            a, b = (Scope(r.fields).find([name], position) for r in (left, right))
            if a is None or b is None:
                side_name = "left" if a is None else "right"
                message = f"Column '{name}' is missing from {side_name} side of join"
                raise SqlError("COLUMN_NOT_FOUND", message, position)
            conditions.append(comparison("=", a[0].value, b[0].value, position).sql)
            pair = together([a[0].value, b[0].value])
            value = _merged_value(pair or [a[0].value, b[0].value], side)
            # Equal on both sides, so a condition on the column prunes both.
            origins = a[0].origins | b[0].origins if side == "" else frozenset()
            merged.append(Field(column.name, value, (), origins))
        others = (
            *_after([f for f in left.fields if f.key not in names], side in ("RIGHT", "FULL")),
            *_after([f for f in right.fields if f.key not in names], side in ("LEFT", "FULL")),
        )
        return Relation(f"{left.sql} {side} JOIN {right.sql} ON {' AND '.join(conditions)}", (*merged, *others))


def _is_item(node: exp.Subquery) -> bool:
    """Whether the parentheses are around an item of FROM, such as a join, and not around a query."""
    inside = node.this
    if isinstance(inside, exp.Subquery):
        return bool(inside.args.get("joins") or inside.args.get("alias")) or _is_item(inside)
    return isinstance(inside, exp.Table)


def _beside(before: Relation, group: Relation) -> Relation:
    """``a, b JOIN c``: all rows of what stands before the comma with all of the joins behind it."""
    return Relation(f"{before.sql} CROSS JOIN {group.sql}", (*before.fields, *group.fields)) if before.sql else group


def _with_zones(column: Sequence[Expr], zones: bool) -> list[str]:
    """The cells of a column; of moments in several zones, the instant and the zone beside each."""
    if not zones:
        return [value.sql for value in column]
    return [f"{value.sql}, {at_instant(value)}, {zone_of(value)}" for value in column]


def _spread(row: list[Expr]) -> list[Expr]:
    """https://trino.io/docs/current/sql/values.html takes any expression; one of a row type is the row itself."""
    if len(row) != 1 or row[0].type.name != "row":
        return row
    (value,) = row
    fields = enumerate(value.type.items)
    return [Expr(f"struct_extract({value.sql}, 'f{i}')", kind, constant=value.constant) for i, kind in fields]


def _merged_value(pair: Sequence[Expr], side: str) -> Expr:
    if side == "FULL":
        return Expr(f"coalesce({pair[0].sql}, {pair[1].sql})", pair[0].type)
    return pair[1] if side == "RIGHT" else pair[0]


def _after(fields: Sequence[Field], nullable: bool) -> tuple[Field, ...]:
    """On the optional side of an outer join a condition in WHERE sees NULLs that are not in the table: no pruning."""
    return tuple(replace(f, origins=frozenset()) for f in fields) if nullable else tuple(fields)
