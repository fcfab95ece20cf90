"""Which rule translates which kind of node: what is not in this table is refused."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.expression import Expr
from headwater.stack.lakehouse.sql.expressions import Rule
from headwater.stack.lakehouse.sql.jsonsyntax import JsonCall
from headwater.stack.lakehouse.sql.rules.calls import (
    anonymous_rule,
    array_rule,
    bracket_rule,
    extract_rule,
    filter_rule,
    listagg_rule,
    named_rule,
    row_rule,
    trim_rule,
    window_rule,
)
from headwater.stack.lakehouse.sql.rules.jsons import json_call_rule
from headwater.stack.lakehouse.sql.rules.logic import (
    COMPARISONS,
    and_or_rule,
    between_rule,
    case_rule,
    compare_rule,
    if_then_rule,
    is_null_rule,
    like_rule,
    membership_rule,
    negation_rule,
)
from headwater.stack.lakehouse.sql.rules.names import (
    binary_rule,
    column_rule,
    dot_rule,
    literal_rule,
    now_rule,
    parameter_rule,
    unicode_rule,
)
from headwater.stack.lakehouse.sql.rules.operators import (
    ARITHMETIC,
    arithmetic_rule,
    at_time_zone_rule,
    cast_rule,
    concat_rule,
    interval_rule,
    negate_rule,
    paren_rule,
)
from headwater.stack.lakehouse.sql.rules.subqueries import exists_rule, scalar_subquery_rule

RULES: Mapping[type[exp.Expression], Rule] = {
    exp.Column: column_rule,
    exp.Identifier: column_rule,
    exp.Dot: dot_rule,
    exp.Literal: literal_rule,
    exp.Null: lambda _, __: Expr("NULL", t.UNKNOWN, constant=True),
    exp.Boolean: lambda _, node: Expr(str(bool(node.this)).lower(), t.BOOLEAN, bool(node.this), constant=True),
    exp.ByteString: binary_rule,
    exp.Placeholder: parameter_rule,
    exp.UnicodeString: unicode_rule,
    exp.ParseJSON: named_rule("json_parse", "this"),
    exp.CurrentDate: now_rule,
    exp.CurrentTimestamp: now_rule,
    exp.CurrentTime: now_rule,
    exp.Localtimestamp: now_rule,
    exp.Localtime: now_rule,
    exp.And: and_or_rule,
    exp.Or: and_or_rule,
    exp.Not: negation_rule,
    **dict.fromkeys(COMPARISONS, compare_rule),
    exp.Between: between_rule,
    exp.In: membership_rule,
    exp.Is: is_null_rule,
    exp.Like: like_rule,
    exp.Escape: like_rule,
    exp.Exists: exists_rule,
    exp.Subquery: scalar_subquery_rule,
    exp.Case: case_rule,
    exp.If: if_then_rule,
    **dict.fromkeys(ARITHMETIC, arithmetic_rule),
    exp.Neg: negate_rule,
    exp.DPipe: concat_rule,
    exp.Paren: paren_rule,
    exp.Cast: cast_rule,
    exp.TryCast: cast_rule,
    exp.Interval: interval_rule,
    exp.AtTimeZone: at_time_zone_rule,
    exp.Anonymous: anonymous_rule,
    JsonCall: json_call_rule,
    exp.Filter: filter_rule,
    exp.Window: window_rule,
    exp.Bracket: bracket_rule,
    exp.Array: array_rule,
    exp.Tuple: row_rule,
    exp.Substring: named_rule("substring", "this", "start", "length"),
    exp.StrPosition: named_rule("strpos", "this", "substr"),
    exp.Extract: extract_rule,
    exp.Trim: trim_rule,
    exp.GroupConcat: listagg_rule,
}
