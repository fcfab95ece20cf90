"""Queries: SELECT, set operations and their ORDER BY and LIMIT, with Trino's rules of which names are seen where."""

# ruff: noqa: S608 - writing SQL is what this module is for; values and names in it are quoted or fixed
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from sqlglot import exp

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.bounds import raw_bounds
from headwater.stack.lakehouse.sql.calls import Registry
from headwater.stack.lakehouse.sql.coerce import coerce, common_type
from headwater.stack.lakehouse.sql.comparison import with_sorted_keys
from headwater.stack.lakehouse.sql.context import Context
from headwater.stack.lakehouse.sql.datazones import at_instant
from headwater.stack.lakehouse.sql.expression import Expr, quote_text
from headwater.stack.lakehouse.sql.expressions import Expressions, direction
from headwater.stack.lakehouse.sql.failures import SqlError, check_size
from headwater.stack.lakehouse.sql.grouping import ONE_GROUP, Grouping, group_by, is_aggregated
from headwater.stack.lakehouse.sql.limits import limit_clause, sampled, skipped, ties
from headwater.stack.lakehouse.sql.parts import check_parts
from headwater.stack.lakehouse.sql.placement import refuse_grouped, windows_in
from headwater.stack.lakehouse.sql.prune import VOLATILE, note_conditions
from headwater.stack.lakehouse.sql.query import Named, OutputColumn, Query, fields_of
from headwater.stack.lakehouse.sql.recursion import is_recursive, recursive_query
from headwater.stack.lakehouse.sql.relations import Relations
from headwater.stack.lakehouse.sql.rules.table import RULES
from headwater.stack.lakehouse.sql.scope import Field, Scope
from headwater.stack.lakehouse.sql.stars import is_star, star
from headwater.stack.lakehouse.sql.windows import name_windows, window_body

_SELECT_PARTS = {
    *("expressions", "distinct", "from_", "joins", "where", "group", "having", "order", "limit", "offset"),
    *("with_", "laterals", "sample", "windows"),
}


@dataclass(frozen=True)
class Item:
    """One SELECT item: its value, its name, and the field it passes on if it is just a column."""

    value: Expr
    name: str | None
    field: Field | None = None


@dataclass(frozen=True)
class Queries:
    """Translates queries of one statement; ``named`` are the WITH queries in sight."""

    context: Context
    registry: Registry
    named: Named = field(default_factory=Named)

    def query(self, tree: exp.Expression, outer: Scope | None = None) -> Query:
        """Translate any query expression."""
        query = self._with(tree)._body(tree, outer)
        check_size(query.sql)
        return query

    def _body(self, tree: exp.Expression, outer: Scope | None) -> Query:
        if isinstance(tree, exp.Subquery):
            check_parts(tree)
            if tree.args.get("alias"):
                raise Unsupported("an alias on a query that is not in FROM")
            return self._ordered(tree, self.query(tree.this, outer), outer)
        if isinstance(tree, exp.SetOperation):
            check_parts(tree)
            return self._ordered(tree, self._set_operation(tree, outer), outer)
        if isinstance(tree, exp.Select):
            return self._select(tree, outer)
        if isinstance(tree, exp.Values):
            return self._ordered(tree, Relations(self).values(tree, Scope((), outer)), outer)
        raise Unsupported(f"the query form {tree.key.upper()}")

    def expressions(self, scope: Scope) -> Expressions:
        """The expression rules in a scope."""
        return Expressions(self.context, self.registry, self, RULES, scope)

    def _with(self, tree: exp.Expression) -> Queries:
        clause = tree.args.get("with_")
        if clause is None:
            return self
        named, own = self.named, set[str]()
        for cte in clause.expressions:
            check_parts(cte)
            if cte.alias.lower() in own:
                message = f"WITH query name '{cte.alias}' specified more than once"
                raise SqlError("DUPLICATE_NAMED_QUERY", message, self.context.position(cte.args["alias"]))
            own.add(cte.alias.lower())
            recursive = clause.args.get("recursive") and is_recursive(cte)
            entry = recursive_query(cte, replace(self, named=named)) if recursive else (cte, named)
            named = Named({**named.queries, cte.alias.lower(): entry})
        return replace(self, named=named)

    # --- set operations ------------------------------------------------------------------------------------------

    def _set_operation(self, tree: exp.SetOperation, outer: Scope | None) -> Query:
        left, right = self.query(tree.this, outer), self.query(tree.expression, outer)
        word = tree.key.upper()
        if any(tree.args.get(part) for part in ("by_name", "side", "kind", "on")):
            raise Unsupported(f"{word} BY NAME")
        if len(left.columns) != len(right.columns):
            message = f"{word} query has different number of fields: {len(left.columns)}, {len(right.columns)}"
            raise SqlError("TYPE_MISMATCH", message, self.context.after(tree.this, rf"\b{word}\b"))
        columns = []
        for index, (a, b) in enumerate(zip(left.columns, right.columns, strict=True)):
            kind = common_type(a.type, b.type)
            if kind is None:
                message = f"column {index + 1} in {word} query has incompatible types: {a.type}, {b.type}"
                raise SqlError("TYPE_MISMATCH", message, self.context.after(tree.this, rf"\b{word}\b"))
            columns.append(OutputColumn(a.name, kind, a.origins | b.origins))
        everything = "" if tree.args.get("distinct") else " ALL"
        if word == "UNION" and everything:
            sides_of = zip(columns, left.columns, right.columns, strict=True)
            columns = [replace(c, zoned=a.zoned or b.zoned or _no_zone(c.type)) for c, a, b in sides_of]
        # Only UNION ALL compares nothing.
        sides = (_converted(side, columns, compared=word != "UNION" or not everything) for side in (left, right))
        sql = f"({f') {word}{everything} ('.join(sides)})"
        return Query(sql, tuple(columns))

    def _ordered(self, tree: exp.Expression, query: Query, outer: Scope | None) -> Query:
        """ORDER BY and LIMIT over a whole set operation or parenthesised query: they see its output columns only."""
        if not any(tree.args.get(part) for part in ("order", "limit", "offset")):
            return query
        alias = self.context.relation_name()
        fields = fields_of(alias, (), query, [])
        items = [Item(f.value, f.name) for f in fields]
        rules = self.expressions(Scope(fields, outer))
        names = ", ".join(f"{alias}.{name}" for name in _names(query.columns))
        sql = f"SELECT {names}{self._keys(tree, items, rules)} FROM ({query.sql}) AS {alias}"
        columns = _without_origins(query.columns, tree)
        return Query(self._limited(sql, tree, items, rules, columns), columns)

    # --- SELECT --------------------------------------------------------------------------------------------------

    def _select(self, tree: exp.Select, outer: Scope | None) -> Query:
        unknown = [part for part, value in tree.args.items() if value and part not in _SELECT_PARTS]
        if unknown or tree.args.get("laterals"):
            raise Unsupported(f"SELECT with {', '.join(unknown) or 'LATERAL VIEW'}")
        if isinstance(tree.args.get("distinct"), exp.Distinct) and tree.args["distinct"].args.get("on"):
            raise Unsupported("SELECT DISTINCT ON")
        name_windows(tree, self.context)
        relation = Relations(self).from_clause(tree, outer)
        if tree.args.get("sample") is not None:
            if relation is None or tree.args.get("joins"):
                raise Unsupported("TABLESAMPLE on the last of several relations")
            relation = sampled(tree.args["sample"], relation, self.context)
        scope = Scope(relation.fields if relation else (), outer)
        rules = self.expressions(scope)
        where = ""
        if tree.args.get("where") is not None:
            condition = tree.args["where"].this
            refuse_grouped(condition, "WHERE clause", self.registry, self.context)
            where = f" WHERE {rules.typed(condition, t.BOOLEAN, 'WHERE clause').sql}{raw_bounds(condition, rules)}"
            note_conditions(condition, scope, self, relation.fields if relation else ())
        grouping = group_by(tree, rules, cache(lambda: self._items(tree, rules)))
        if grouping is None and is_aggregated(tree, self.registry):
            grouping = ONE_GROUP
        if grouping is not None:
            rules = replace(rules, grouped=grouping.expressions, grouped_queries=grouping.queries)
        items = self._items(tree, rules)
        for window in tree.args.get("windows") or []:
            window_body(rules, window)
        parts = ["SELECT "]
        values = [item.value.sql for item in items]
        if tree.args.get("distinct"):
            parts = ["SELECT DISTINCT "]
            values = [with_sorted_keys(item.value.sql, item.value.type) for item in items]
        zones = [] if tree.args.get("distinct") else _beside(items)
        parts.append(", ".join([*(f"{value} AS c{i}" for i, value in enumerate(values)), *zones]))
        parts.append("" if tree.args.get("distinct") else self._keys(tree, items, rules))
        parts.append(f" FROM {relation.sql}" if relation else "")
        parts.append(where)
        parts.append(f" GROUP BY {grouping.sql}" if grouping else "")
        if tree.args.get("having") is not None:
            for window in windows_in(tree.args["having"].this):
                message = "HAVING clause cannot contain window functions or row pattern measures"
                raise SqlError("NESTED_WINDOW", message, self.context.position(window))
            having = rules.typed(tree.args["having"].this, t.BOOLEAN, "HAVING clause")
            parts.append(f" HAVING {having.sql}")
        columns = tuple(replace(_output(item, grouping), zoned=bool(zones and item.value.zoned)) for item in items)
        columns = _without_origins(columns, tree)
        return Query(self._limited("".join(parts), tree, items, rules, columns), columns)

    def _limited(
        self,
        sql: str,
        tree: exp.Expression,
        items: Sequence[Item],
        rules: Expressions,
        columns: Sequence[OutputColumn],
    ) -> str:
        """With ORDER BY, OFFSET and LIMIT; rows that tie with the last one stay if the clause says so."""
        count = ties(tree, self.context)
        if count is None:
            return f"{sql}{_clause(self._order_by(tree, items, rules))}{limit_clause(tree, self.context)}"
        ordered = self._order_by(tree, items, rules)
        distinct = tree.args.get("distinct") and isinstance(tree, exp.Select)
        keys = [f"c{int(place) - 1}" if distinct else f"o{i}" for i, (place, _) in enumerate(ordered)]
        order = _clause([(f"q.{key}", way) for key, (_, way) in zip(keys, ordered, strict=True)]).strip()
        sql = f"SELECT q.*, rank() OVER ({order}) AS p, row_number() OVER ({order}) AS n FROM ({sql}) AS q"
        first = skipped(tree, self.context)
        names = ", ".join(f"q.{name}" for name in _names(columns))
        return f"SELECT {names} FROM ({sql}) AS q WHERE q.p <= {count + first} AND q.n > {first} ORDER BY q.n"

    def _keys(self, tree: exp.Expression, items: Sequence[Item], rules: Expressions) -> str:
        """What rows are sorted by, as more columns of SELECT, where those that tie with the last one stay."""
        if ties(tree, self.context) is None:
            return ""
        places = [place for place, _ in self._order_by(tree, items, rules)]
        keys = [at_instant(items[int(place) - 1].value).sql if place.isdigit() else place for place in places]
        return "".join(f", {key} AS o{i}" for i, key in enumerate(keys))

    def _items(self, tree: exp.Select, rules: Expressions) -> list[Item]:
        items: list[Item] = []
        for node in tree.expressions:
            if is_star(node):
                items.extend(Item(f.value, f.name, f) for f in star(node, rules))
            elif isinstance(node, exp.Alias):
                items.append(replace(self._item(node.this, rules), name=node.alias))
            else:
                items.append(self._item(node, rules))
        return items

    def _item(self, node: exp.Expression, rules: Expressions) -> Item:
        value = rules.translate(node)
        if isinstance(node, exp.Column):
            parts = [part.name for part in node.parts]
            found = rules.scope.find([part.lower() for part in parts], self.context.position(node))
            return Item(value, parts[-1], found[0] if found and not found[1] else None)
        return Item(value, node.expression.name if isinstance(node, exp.Dot) else None)

    def _order_by(self, tree: exp.Expression, items: Sequence[Item], rules: Expressions) -> list[tuple[str, str]]:
        """The keys of ORDER BY, or their numbers in SELECT, and the directions.

        It sees the output names first, then the columns of FROM (Trino: SELECT, ORDER BY clause).
        """
        clause = tree.args.get("order")
        if clause is None:
            return []
        outputs = tuple(Field(item.name.lower(), item.value) for item in items if item.name is not None)
        scope = replace(rules.scope, fields=outputs, behind=rules.scope.fields)
        grouped = rules.grouped | {item.value.sql for item in items} if rules.grouped is not None else None
        names = {item.name.lower() for item in items if item.name is not None}
        queries = tuple((tree, value) for tree, value in rules.grouped_queries if not _mentions(tree, names))
        ordering = replace(rules, scope=scope, grouped=grouped, grouped_queries=queries)
        parts = []
        for node in clause.expressions:
            if not isinstance(node, exp.Ordered):
                raise Unsupported(f"ORDER BY {node.sql(dialect='trino')}")
            distinct = isinstance(tree, exp.Select) and bool(tree.args.get("distinct"))
            place = self._order_item(node, items, ordering, distinct=distinct)
            if distinct:
                self._check_distinct(tree, node, place)
            parts.append((place, direction(node)))
        return parts

    def _order_item(self, node: exp.Ordered, items: Sequence[Item], ordering: Expressions, *, distinct: bool) -> str:
        if isinstance(node.this, exp.Literal) and not node.this.is_string and node.this.name.isdigit():
            index = int(node.this.name)
            if not 1 <= index <= len(items):
                message = f"ORDER BY position {node.this.name} is not in select list"
                raise SqlError("INVALID_COLUMN_REFERENCE", message, self.context.position(node))
            value = items[index - 1].value
        else:
            value, index = ordering.translate(node.this), 0
        key = ordering.sort_key(value, node, "ORDER BY")
        same = [i for i, item in enumerate(items, 1) if item.value.sql == value.sql]
        place = index or (same[0] if same else 0)
        # With DISTINCT, only what is selected can be sorted by.
        return str(place) if place and (distinct or not (value.type.items or value.zoned)) else key

    def _check_distinct(self, tree: exp.Expression, node: exp.Ordered, place: str) -> None:
        at = self.context.before(tree.expressions[0], r"\bSELECT\b")
        if not place.isdigit():
            message = "For SELECT DISTINCT, ORDER BY expressions must appear in select list"
            raise SqlError("EXPRESSION_NOT_IN_DISTINCT", message, at)
        if any(call.name.lower() in VOLATILE for call in node.find_all(exp.Anonymous)):
            message = "Non deterministic ORDER BY expression is not supported with SELECT DISTINCT"
            raise SqlError("EXPRESSION_NOT_IN_DISTINCT", message, at)


def _clause(ordered: Sequence[tuple[str, str]]) -> str:
    return f" ORDER BY {', '.join(key + way for key, way in ordered)}" if ordered else ""


def _mentions(tree: exp.Expression, names: set[str]) -> bool:
    return any(column.name.lower() in names for column in tree.find_all(exp.Column))


def _names(columns: Sequence[OutputColumn]) -> list[str]:
    """The columns of a query's SQL."""
    return [name for i, c in enumerate(columns) for name in ([f"c{i}", f"i{i}", f"z{i}"] if c.zoned else [f"c{i}"])]


def _converted(query: Query, columns: Sequence[OutputColumn], *, compared: bool) -> str:
    parts = []
    for i, (have, want) in enumerate(zip(query.columns, columns, strict=True)):
        value = Expr(f"c{i}", have.type)
        sql = coerce(value, want.type).sql if want.type.name != "unknown" else value.sql
        parts.append(f"{with_sorted_keys(sql, want.type) if compared else sql} AS c{i}")
        if want.zoned:
            parts.append(
                f"i{i}, z{i}" if have.zoned else f"{sql} AS i{i}, {quote_text(have.type.zone or 'UTC')} AS z{i}"
            )
    return f"SELECT {', '.join(parts)} FROM ({query.sql})"


def _no_zone(kind: t.Type) -> bool:
    return kind.name == "timestamptz" and kind.zone is None


def _without_origins(columns: tuple[OutputColumn, ...], tree: exp.Expression) -> tuple[OutputColumn, ...]:
    """A condition outside of a LIMIT or of a window function must not be applied inside of it."""
    if tree.args.get("limit") or tree.args.get("offset") or any(True for _ in _windows(tree)):
        return tuple(replace(column, origins=frozenset()) for column in columns)
    return columns


def _windows(tree: exp.Expression) -> Sequence[exp.Expression]:
    if not isinstance(tree, exp.Select):
        return ()
    return [w for item in tree.expressions for w in item.find_all(exp.Window)]


def _beside(items: Sequence[Item]) -> list[str]:
    """What stands beside the columns whose zones depend on the data."""
    zones = [(i, item.value.zoned) for i, item in enumerate(items)]
    return [f"{zoned.instant} AS i{i}, {zoned.zone} AS z{i}" for i, zoned in zones if zoned is not None]


def _output(item: Item, grouping: Grouping | None) -> OutputColumn:
    keeps = item.field is not None and (grouping is None or grouping.plain)
    origins = item.field.origins if item.field is not None and keeps else frozenset()
    return OutputColumn(item.name, item.value.type, origins)
