"""Which parts of a tree node its rule reads: a node with any other part is refused, so that none is lost silently."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql.jsonsyntax import JsonCall

_USUAL = frozenset({"this", "expression", "expressions"})
_PARTS: Mapping[type[exp.Expression], frozenset[str]] = {
    exp.Column: frozenset({"this", "table", "db", "catalog"}),
    exp.Identifier: frozenset({"this", "quoted"}),
    exp.Literal: frozenset({"this", "is_string"}),
    exp.Between: frozenset({"this", "low", "high"}),
    exp.In: frozenset({"this", "expressions", "query"}),
    exp.Like: frozenset({"this", "expression", "negate"}),
    exp.Case: frozenset({"this", "ifs", "default"}),
    exp.If: frozenset({"this", "true", "false"}),
    exp.DPipe: frozenset({"this", "expression", "safe"}),
    exp.Cast: frozenset({"this", "to", "safe"}),
    exp.TryCast: frozenset({"this", "to", "safe", "requires_string"}),
    exp.Div: frozenset({"this", "expression", "typed", "safe"}),
    exp.Interval: frozenset({"this", "unit"}),
    exp.AtTimeZone: frozenset({"this", "zone"}),
    exp.Window: frozenset({"this", "partition_by", "order", "spec", "over", "alias"}),
    exp.WindowSpec: frozenset({"kind", "start", "start_side", "end", "end_side"}),
    exp.Array: frozenset({"expressions", "bracket_notation", "value_constructor"}),
    exp.Bracket: frozenset({"this", "expressions", "offset", "safe"}),
    exp.Substring: frozenset({"this", "start", "length"}),
    exp.StrPosition: frozenset({"this", "substr"}),
    exp.Trim: frozenset({"this", "expression", "position"}),
    exp.GroupConcat: frozenset({"this", "separator", "on_overflow"}),
    exp.Ordered: frozenset({"this", "desc", "nulls_first"}),
    exp.Join: frozenset({"this", "on", "side", "kind", "using", "method"}),
    exp.CTE: frozenset({"this", "alias"}),
    exp.Unnest: frozenset({"expressions", "alias", "offset"}),
    exp.Lateral: frozenset({"this", "alias"}),
    exp.Limit: frozenset({"expression"}),
    exp.Offset: frozenset({"expression"}),
    exp.UnicodeString: frozenset({"this", "escape"}),
    exp.ParseJSON: frozenset({"this", "is_literal"}),
    JsonCall: frozenset({"this", "expressions", "clauses", "on_empty", "on_error"}),
    exp.Group: frozenset({"expressions", "grouping_sets", "cube", "rollup", "all"}),
    exp.Values: frozenset({"expressions", "alias", "order", "limit", "offset", "joins"}),
}
_QUERY = frozenset(
    {"this", "expression", "expressions", "alias", "with_", "joins", "order", "limit", "offset", "distinct"}
)


def check_parts(node: exp.Expression) -> None:
    """Raise ``Unsupported`` if the node says something that no rule reads."""
    allowed = _QUERY if isinstance(node, (exp.Subquery, exp.SetOperation)) else _PARTS.get(type(node), _USUAL)
    for part, value in node.args.items():
        if value and part not in allowed:
            raise Unsupported(f"{part.strip('_').upper()} in {type(node).__name__.upper()}")
